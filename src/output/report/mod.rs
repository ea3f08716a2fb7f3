//! How long each stage took: percentiles over the frames, as a table, as JSON and as an HTML page.

mod html;
mod json;
mod latency;
mod text;
mod timeline;

pub use html::to_html;
pub use json::to_json;
pub(crate) use latency::nanoseconds;
pub use latency::{LatencyReport, Subject, WARM_UP};
pub(crate) use text::in_words;
pub use text::{latencies, to_text};

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use serde_json::Value;

    use super::*;
    use crate::frame::{Frame, Span, Stage, Tracked};
    use crate::output::sink::Sink;

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
        let json = to_json(&report(WARM_UP + 100), &subject());
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
        assert_eq!(to_json(&report, &subject())["deadline_misses"].as_u64(), Some(60));
        let line = latencies(&report).unwrap();
        assert!(
            line.starts_with("from capture to data: p50 50.0, p95 95.")
                && line.ends_with("60 later than 40 ms"),
            "{line}"
        );
    }

    #[test]
    fn the_page_shows_every_stage_that_ran_and_needs_no_other_file() {
        let page = to_html(&report(WARM_UP + 100), &Subject { input: "<b>.mp4".to_owned(), ..subject() });
        assert_eq!(page.matches("<figure").count(), 3, "two histograms and the time line");
        assert!(page.contains("&lt;b&gt;.mp4") && page.contains("infer") && page.contains("polyline"));
        assert!(!page.contains("http") && !page.contains("<script"));
    }

    #[test]
    fn a_run_shorter_than_the_warm_up_has_no_times() {
        let report = report(WARM_UP - 1);
        assert_eq!(to_json(&report, &subject())["stages"]["infer"], Value::Null);
        assert!(to_text(&report, &subject()).contains("29 frames"));
    }
}
