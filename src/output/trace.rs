//! Every run of every stage as a trace in Chrome's JSON array format, which ui.perfetto.dev and chrome://tracing read.
//! The closing bracket is optional there, so what is written so far can be looked at, too.

use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::frame::{Span, Stage, Tracked};
use crate::output::data::DataFile;
use crate::output::{End, Sink};

/// The program's threads, as lanes of the trace.
const LANES: [&str; 3] = ["capture", "inference", "output"];

/// Writes each frame's spans at once; keeps nothing.
pub struct Trace {
    file: DataFile,
    origin: Instant,
}

impl Trace {
    /// Opens the file; times count from `origin`.
    ///
    /// # Errors
    /// [`Fault::Output`](crate::error::Fault::Output) if it cannot be created.
    pub fn create(path: &Path, origin: Instant, overwrite: bool) -> Result<Self> {
        let mut file = DataFile::create(path, overwrite)?;
        let names = LANES.iter().enumerate().map(|(lane, name)| {
            format!(r#"{{"name":"thread_name","ph":"M","pid":1,"tid":{lane},"args":{{"name":"{name}"}}}}"#)
        });
        let names = names.collect::<Vec<_>>().join(",\n");
        file.put(|out| write!(out, "[{names}"))?;
        Ok(Self { file, origin })
    }

    /// Microseconds since the origin, before it negative.
    fn microseconds(&self, at: Instant) -> f64 {
        let us = |time: Duration| time.as_nanos() as f64 / 1e3;
        us(at.saturating_duration_since(self.origin)) - us(self.origin.saturating_duration_since(at))
    }

    fn event(&self, span: &Span, frame: u64) -> String {
        let (name, start) = (span.stage.name(), self.microseconds(span.start));
        let length = span.length.as_nanos() as f64 / 1e3;
        if span.stage.is_latency() {
            // These overlap from frame to frame, which spans of a thread must not.
            let end = start + length;
            let rest = format!(r#""name":"{name}","cat":"{name}","id":{frame},"pid":1,"tid":2"#);
            return format!(
                ",\n{{\"ph\":\"b\",{rest},\"ts\":{start:.3}}},\n{{\"ph\":\"e\",{rest},\"ts\":{end:.3}}}"
            );
        }
        let lane = lane(span.stage);
        format!(
            ",\n{{\"ph\":\"X\",\"name\":\"{name}\",\"pid\":1,\"tid\":{lane},\"ts\":{start:.3},\"dur\":{length:.3},\
             \"args\":{{\"frame\":{frame}}}}}"
        )
    }
}

/// The thread on which a stage runs.
fn lane(stage: Stage) -> usize {
    match stage {
        Stage::Decode => 0,
        Stage::Detect | Stage::Crop | Stage::Infer | Stage::Confirm | Stage::Smooth | Stage::Track => 1,
        Stage::Draw | Stage::Encode | Stage::Data | Stage::Display => 2,
    }
}

impl Sink for Trace {
    fn write(&mut self, tracked: &mut Tracked) -> Result<()> {
        let frame = &tracked.frame;
        let mut text = String::new();
        for span in frame.timing.spans() {
            let _ = write!(text, "{}", self.event(span, frame.index));
        }
        self.file.put(|out| out.write_all(text.as_bytes()))
    }

    fn finish(&mut self, _: End) -> Result<()> {
        self.file.put(|out| out.write_all(b"\n]\n"))?;
        self.file.finish()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::frame::Frame;

    fn traced(path: &Path, finish: bool) {
        let mut trace = Trace::create(path, Instant::now(), false).unwrap();
        for index in 0..3 {
            let mut frame = Frame::empty();
            frame.index = index;
            for (stage, ms) in [(Stage::Infer, 3), (Stage::Infer, 4), (Stage::Track, 9), (Stage::Data, 20)] {
                frame.timing.add(Span { stage, start: Instant::now(), length: Duration::from_millis(ms) });
            }
            trace.write(&mut Tracked { frame, faces: Vec::new() }).unwrap();
        }
        if finish {
            trace.finish(End::Complete).unwrap();
        }
    }

    #[test]
    fn a_trace_holds_every_run_of_every_stage() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("trace.json");
        traced(&path, true);
        let events: Vec<Value> = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        assert_eq!(events.len(), 3 + 3 * 5);
        let of = |name: &str| events.iter().filter(|event| event["name"] == name).collect::<Vec<_>>();
        let infer = of("infer");
        assert_eq!(
            (infer.len(), &infer[5]["dur"], &infer[5]["args"]["frame"]),
            (6, &4000.0.into(), &2.into())
        );
        let data = of("to data");
        let length = data[1]["ts"].as_f64().unwrap() - data[0]["ts"].as_f64().unwrap();
        assert!((length - 20_000.0).abs() < 0.01);
        assert_eq!((&data[0]["ph"], &data[1]["ph"], &data[1]["id"]), (&"b".into(), &"e".into(), &0.into()));
    }

    #[test]
    fn what_is_left_of_a_run_that_failed_lacks_only_the_bracket() {
        let folder = tempfile::tempdir().unwrap();
        traced(&folder.path().join("trace.json"), false);
        let text = std::fs::read_to_string(folder.path().join("trace.json.partial")).unwrap();
        assert_eq!(serde_json::from_str::<Vec<Value>>(&(text + "]")).unwrap().len(), 18);
    }
}
