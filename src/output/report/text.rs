//! The report as text.

use std::fmt::Write as _;

use hdrhistogram::Histogram;

use super::latency::{LatencyReport, Subject, milliseconds, peak_memory, row};
use crate::frame::Stage;

/// A table for human readers.
pub fn to_text(report: &LatencyReport, subject: &Subject) -> String {
    let mut text = format!(
        "{}, model {}, threads {}\n{} frames ({} with a face), {} dropped, {:.1} frames/s\n",
        subject.input,
        subject.model,
        subject.threads,
        report.frames,
        report.frames_with_face,
        subject.dropped,
        report.fps()
    );
    if let Some(first) = report.first {
        let _ = writeln!(text, "first frame after {:.0} ms", milliseconds(first - report.started));
    }
    if let Some(memory) = peak_memory() {
        let _ = writeln!(text, "peak memory {memory:.0} MB");
    }
    if let Some(deadline) = report.deadline {
        let _ = writeln!(
            text,
            "{} frames later than the next one, {:.1} ms",
            report.late,
            milliseconds(deadline)
        );
    }
    let _ = writeln!(text, "\n{:<11}{:>9}{:>9}{:>9}{:>9}{:>9}", "ms", "p50", "p95", "p99", "max", "mean");
    for stage in report.shown() {
        let row = report.row(stage);
        let numbers = row.map(|row| row.map(|ms| format!("{ms:>9.3}")).concat());
        let _ = writeln!(text, "{:<11}{}", stage.name(), numbers.unwrap_or_else(|| format!("{:>9}", "-")));
    }
    text
}

/// One line about the latency from capture to the outputs, if it was measured.
pub fn latencies(report: &LatencyReport) -> Option<String> {
    let row = |stage: Stage| {
        let spread = in_words(&report.stages[stage as usize])?;
        Some(format!("{}: {spread}", stage.name()))
    };
    let rows: Vec<_> = [Stage::Data, Stage::Display].into_iter().filter_map(row).collect();
    let deadline = report.deadline.filter(|_| !rows.is_empty())?;
    Some(format!(
        "from capture {}; {} later than {:.0} ms",
        rows.join("; "),
        report.late,
        milliseconds(deadline)
    ))
}

/// The distribution of times in nanoseconds, as text in milliseconds; `None` if there are none.
pub(crate) fn in_words(times: &Histogram<u64>) -> Option<String> {
    let [p50, p95, p99, max, _] = row(times)?;
    Some(format!("p50 {p50:.1}, p95 {p95:.1}, p99 {p99:.1}, max {max:.1} ms"))
}
