//! How long each stage took: percentiles over the frames, as a table and as JSON.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use anyhow::Result;
use hdrhistogram::Histogram;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::frame::{Stage, Tracked};
use crate::output::{End, Sink};

mod html;
mod timeline;

use timeline::Timeline;

/// The first frames are left out: caches are cold, and threads and buffers are being made.
pub const WARM_UP: u64 = 30;

/// Collects the frames' times. Its memory does not grow with their number.
pub struct LatencyReport {
    started: Instant,
    /// Nanoseconds per stage, three significant digits.
    stages: [Histogram<u64>; Stage::ALL.len()],
    frames: u64,
    frames_with_face: u64,
    /// The time within which a frame's landmarks are to be out, and how many frames took longer.
    deadline: Option<Duration>,
    late: u64,
    timeline: Timeline,
    first: Option<Instant>,
    /// When the warm-up was over, and when the last frame was done.
    measured: Option<(Instant, Instant)>,
}

/// What a run with a report was about.
#[derive(Clone, Debug, Serialize)]
pub struct Subject {
    /// The input's name.
    pub input: String,
    /// The model's name.
    pub model: String,
    /// Threads that the net may use.
    pub threads: usize,
    /// Frames thrown away; live only.
    pub dropped: u64,
}

impl LatencyReport {
    /// An empty report; `started` is when the process began. Live, `deadline` is the time from one frame to the next.
    ///
    /// # Errors
    /// None in practice: the histograms' limits are constants.
    pub fn new(started: Instant, deadline: Option<Duration>) -> Result<Self> {
        let empty = Histogram::new(3)?;
        Ok(Self {
            started,
            stages: std::array::from_fn(|_| empty.clone()),
            frames: 0,
            frames_with_face: 0,
            deadline,
            late: 0,
            timeline: Timeline::default(),
            first: None,
            measured: None,
        })
    }

    /// Number of frames seen, the warm-up included.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// Number of frames with at least one face.
    pub fn frames_with_face(&self) -> u64 {
        self.frames_with_face
    }

    /// Everything as JSON, times in milliseconds; a stage that never ran is `null`.
    pub fn to_json(&self, subject: &Subject) -> Value {
        let stages: Map<String, Value> =
            Stage::ALL.iter().map(|&stage| (stage.name().to_owned(), self.stage_json(stage))).collect();
        json!({
            "input": subject.input,
            "model": subject.model,
            "threads": subject.threads,
            "frames": self.frames,
            "frames_with_face": self.frames_with_face,
            "dropped": subject.dropped,
            "deadline_ms": self.deadline.map(|deadline| rounded(milliseconds(deadline))),
            "deadline_misses": self.deadline.map(|_| self.late),
            "fps": rounded(self.fps()),
            "rss_peak_mb": peak_memory().map(rounded),
            "start_to_first_frame_ms": self.first.map(|at| rounded(milliseconds(at - self.started))),
            "stages": stages,
        })
    }

    /// The same as a table for people.
    pub fn to_text(&self, subject: &Subject) -> String {
        let mut text = format!(
            "{}, model {}, threads {}\n{} frames ({} with a face), {} dropped, {:.1} frames/s\n",
            subject.input,
            subject.model,
            subject.threads,
            self.frames,
            self.frames_with_face,
            subject.dropped,
            self.fps()
        );
        if let Some(first) = self.first {
            let _ = writeln!(text, "first frame after {:.0} ms", milliseconds(first - self.started));
        }
        if let Some(memory) = peak_memory() {
            let _ = writeln!(text, "peak memory {memory:.0} MB");
        }
        if let Some(deadline) = self.deadline {
            let _ = writeln!(
                text,
                "{} frames later than the next one, {:.1} ms",
                self.late,
                milliseconds(deadline)
            );
        }
        let _ = writeln!(text, "\n{:<11}{:>9}{:>9}{:>9}{:>9}{:>9}", "ms", "p50", "p95", "p99", "max", "mean");
        for stage in self.shown() {
            let row = self.row(stage);
            let numbers = row.map(|row| row.map(|ms| format!("{ms:>9.3}")).concat());
            let _ =
                writeln!(text, "{:<11}{}", stage.name(), numbers.unwrap_or_else(|| format!("{:>9}", "-")));
        }
        text
    }

    /// The same as a page of one file, with histograms and a time line.
    pub fn to_html(&self, subject: &Subject) -> String {
        html::page(self, subject)
    }

    /// One line on the way from capture to the outputs, if frames were measured.
    pub fn latencies(&self) -> Option<String> {
        let row = |stage: Stage| {
            let spread = in_words(&self.stages[stage as usize])?;
            Some(format!("{}: {spread}", stage.name()))
        };
        let rows: Vec<_> = [Stage::Data, Stage::Display].into_iter().filter_map(row).collect();
        let deadline = self.deadline.filter(|_| !rows.is_empty())?;
        Some(format!(
            "from capture {}; {} later than {:.0} ms",
            rows.join("; "),
            self.late,
            milliseconds(deadline)
        ))
    }

    /// The stages to list: all that work, and the latencies that were measured.
    fn shown(&self) -> impl Iterator<Item = Stage> {
        Stage::ALL.into_iter().filter(|&stage| !stage.is_latency() || !self.stages[stage as usize].is_empty())
    }

    /// Frames a second after the warm-up.
    fn fps(&self) -> f64 {
        self.measured.map_or(0.0, |(start, end)| {
            (self.frames - WARM_UP) as f64 / (end - start).as_secs_f64().max(1e-9)
        })
    }

    /// p50, p95, p99, maximum and mean of a stage in milliseconds.
    fn row(&self, stage: Stage) -> Option<[f64; 5]> {
        row(&self.stages[stage as usize])
    }

    fn stage_json(&self, stage: Stage) -> Value {
        let Some(row) = self.row(stage) else { return Value::Null };
        // To the nanosecond: some stages take less than a microsecond.
        let [p50, p95, p99, max, mean] = row.map(|ms| (ms * 1e6).round() / 1e6);
        json!({ "p50": p50, "p95": p95, "p99": p99, "max": max, "mean": mean })
    }
}

impl Sink for LatencyReport {
    fn write(&mut self, tracked: &mut Tracked) -> Result<()> {
        let now = Instant::now();
        self.first.get_or_insert(now);
        self.frames += 1;
        self.frames_with_face += u64::from(!tracked.faces.is_empty());
        if self.frames <= WARM_UP {
            self.measured = (self.frames == WARM_UP).then_some((now, now));
            return Ok(());
        }
        self.measured = self.measured.map(|(start, _)| (start, now));
        let timing = &tracked.frame.timing;
        for stage in Stage::ALL {
            if let Some(time) = timing.get(stage) {
                self.stages[stage as usize].record(nanoseconds(time))?;
            }
        }
        let out = timing.get(Stage::Data);
        self.late += u64::from(out.zip(self.deadline).is_some_and(|(out, deadline)| out > deadline));
        if let (Some(first), Some(time)) = (self.first, out.or(timing.get(Stage::Track))) {
            self.timeline.add((now - first).as_secs_f64(), milliseconds(time));
        }
        Ok(())
    }

    fn finish(&mut self, _: End) -> Result<()> {
        Ok(())
    }
}

/// p50, p95, p99, maximum and mean of nanoseconds, in milliseconds; `None` if there are none.
fn row(times: &Histogram<u64>) -> Option<[f64; 5]> {
    let quantile = |q| times.value_at_quantile(q) as f64;
    let row = [quantile(0.50), quantile(0.95), quantile(0.99), times.max() as f64, times.mean()];
    (!times.is_empty()).then(|| row.map(|nanoseconds| nanoseconds / 1e6))
}

/// How nanoseconds are spread, in milliseconds for people; `None` if there are none.
pub(crate) fn in_words(times: &Histogram<u64>) -> Option<String> {
    let [p50, p95, p99, max, _] = row(times)?;
    Some(format!("p50 {p50:.1}, p95 {p95:.1}, p99 {p99:.1}, max {max:.1} ms"))
}

pub(crate) fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// Rounded to a thousandth.
fn rounded(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}

/// The process's largest resident size so far in MB (10⁶ bytes), where the system tells.
fn peak_memory() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: f64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kibibytes * 1024.0 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::frame::{Frame, Span};

    fn report(n_frames: u64) -> LatencyReport {
        let mut report = LatencyReport::new(Instant::now(), Some(Duration::from_millis(40))).unwrap();
        for i in 0..n_frames {
            let mut frame = Frame::empty();
            // 100 s in the warm-up, then 1, 2, 3 … ms.
            let time = if i < WARM_UP { 100_000 } else { i - WARM_UP + 1 };
            for stage in [Stage::Infer, Stage::Data] {
                let length = Duration::from_millis(time);
                frame.timing.add(Span { stage, start: report.started, length });
            }
            report.write(&mut Tracked { frame, faces: Vec::new() }).unwrap();
        }
        report
    }

    fn subject() -> Subject {
        Subject { input: "a.mp4".to_owned(), model: "nose".to_owned(), threads: 1, dropped: 2 }
    }

    #[test]
    fn percentiles_leave_the_warm_up_out() {
        let json = report(WARM_UP + 100).to_json(&subject());
        let infer = &json["stages"]["infer"];
        let near = |key: &str, value: f64| (infer[key].as_f64().unwrap() / value - 1.0).abs() < 2e-3;
        assert!(
            near("p50", 50.0) && near("p95", 95.0) && near("max", 100.0) && near("mean", 50.5),
            "{infer}"
        );
        assert_eq!(json["stages"]["detect"], Value::Null);
        assert_eq!((json["frames"].as_u64(), json["dropped"].as_u64()), (Some(130), Some(2)));
        assert!(json["fps"].as_f64().unwrap() > 0.0);
    }

    #[test]
    fn frames_that_come_after_the_next_one_was_due_are_counted() {
        let report = report(WARM_UP + 100);
        assert_eq!(report.to_json(&subject())["deadline_misses"].as_u64(), Some(60));
        let line = report.latencies().unwrap();
        assert!(
            line.starts_with("from capture to data: p50 50.0, p95 95.")
                && line.ends_with("60 later than 40 ms"),
            "{line}"
        );
    }

    #[test]
    fn the_page_shows_every_stage_that_ran_and_needs_no_other_file() {
        let page = report(WARM_UP + 100).to_html(&Subject { input: "<b>.mp4".to_owned(), ..subject() });
        assert_eq!(page.matches("<figure").count(), 3, "two histograms and the time line");
        assert!(page.contains("&lt;b&gt;.mp4") && page.contains("infer") && page.contains("polyline"));
        assert!(!page.contains("http") && !page.contains("<script"));
    }

    #[test]
    fn a_run_shorter_than_the_warm_up_has_no_times() {
        let report = report(WARM_UP - 1);
        assert_eq!(report.to_json(&subject())["stages"]["infer"], Value::Null);
        assert!(report.to_text(&subject()).contains("29 frames"));
    }
}
