//! The report as JSON.

use serde_json::{Map, Value, json};

use super::latency::{LatencyReport, Subject, milliseconds, peak_memory};
use crate::frame::Stage;

/// Everything as JSON, times in milliseconds; a stage that never ran is `null`.
pub fn to_json(report: &LatencyReport, subject: &Subject) -> Value {
    let stages: Map<String, Value> =
        Stage::ALL.iter().map(|&stage| (stage.name().to_owned(), stage_json(report, stage))).collect();
    json!({
        "input": subject.input,
        "model": subject.model,
        "threads": subject.threads,
        "frames": report.frames,
        "frames_with_face": report.frames_with_face,
        "dropped": subject.dropped,
        "deadline_ms": report.deadline.map(|deadline| rounded(milliseconds(deadline))),
        "deadline_misses": report.deadline.map(|_| report.late),
        "fps": rounded(report.fps()),
        "rss_peak_mb": peak_memory().map(rounded),
        "start_to_first_frame_ms": report.first.map(|at| rounded(milliseconds(at - report.started))),
        "stages": stages,
    })
}

fn stage_json(report: &LatencyReport, stage: Stage) -> Value {
    let Some(row) = report.row(stage) else { return Value::Null };
    // Rounded to the nanosecond: some stages take less than a microsecond.
    let [p50, p95, p99, max, mean] = row.map(|ms| (ms * 1e6).round() / 1e6);
    json!({ "p50": p50, "p95": p95, "p99": p99, "max": max, "mean": mean })
}

/// Rounded to a thousandth.
fn rounded(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}
