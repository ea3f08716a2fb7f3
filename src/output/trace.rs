//! Every run of every stage as a trace in Chrome's JSON array format, which ui.perfetto.dev and chrome://tracing read.
//! The closing bracket is optional in that format, so an unfinished trace can be viewed, too.

use std::time::{Duration, Instant};

use anyhow::Result;
use serde::Serialize;

use super::data::DataFile;
use super::sink::{End, Sink};
use super::target::Target;
use crate::error::{Blame, Fault};
use crate::frame::{Span, Stage, Tracked};

/// The program's threads, as lanes of the trace.
const LANES: [&str; 3] = ["capture", "inference", "output"];
/// The lane for latencies, which end there.
const OUTPUT: usize = 2;
/// The ID of the only process.
const PID: u32 = 1;

/// Writes each frame's spans immediately; keeps nothing.
pub struct Trace {
    file: DataFile,
    /// The header, until the first frame: a run that is rejected leaves no output.
    head: Option<String>,
    origin: Instant,
}

/// An event of the format. Times are in microseconds.
#[derive(Serialize)]
#[serde(tag = "ph")]
enum Event {
    /// The name of a lane.
    #[serde(rename = "M")]
    Lane { name: &'static str, pid: u32, tid: usize, args: LaneName },
    /// One run of a stage.
    #[serde(rename = "X")]
    Run { name: &'static str, pid: u32, tid: usize, ts: f64, dur: f64, args: FrameNumber },
    /// The beginning of a latency. Latencies overlap from frame to frame, which runs in one lane must not.
    #[serde(rename = "b")]
    Begin(Latency),
    /// The end of the latency with the same name and ID.
    #[serde(rename = "e")]
    End(Latency),
}

#[derive(Serialize)]
struct LaneName {
    name: &'static str,
}

#[derive(Serialize)]
struct FrameNumber {
    frame: u64,
}

#[derive(Serialize)]
struct Latency {
    name: &'static str,
    cat: &'static str,
    id: u64,
    pid: u32,
    tid: usize,
    ts: f64,
}

impl Trace {
    /// Opens the file; times count from `origin`.
    ///
    /// # Errors
    /// [`Fault::Output`] if it cannot be created.
    pub fn create(target: &Target, origin: Instant) -> Result<Self> {
        let file = DataFile::create(target)?;
        let lanes = LANES.iter().enumerate().map(|(tid, name)| {
            to_json(&Event::Lane { name: "thread_name", pid: PID, tid, args: LaneName { name } })
        });
        let lanes = lanes.collect::<Result<Vec<_>>>()?.join(",\n");
        Ok(Self { file, head: Some(format!("[{lanes}")), origin })
    }

    /// The events of one run of a stage.
    fn events(&self, span: &Span, frame: u64) -> Vec<Event> {
        let (name, start) = (span.stage.name(), self.since_origin(span.start));
        let length = nanoseconds(span.length);
        if span.stage.is_latency() {
            let at =
                |ns: i64| Latency { name, cat: name, id: frame, pid: PID, tid: OUTPUT, ts: microseconds(ns) };
            return vec![Event::Begin(at(start)), Event::End(at(start + length))];
        }
        let (ts, dur) = (microseconds(start), microseconds(length));
        vec![Event::Run { name, pid: PID, tid: lane(span.stage), ts, dur, args: FrameNumber { frame } }]
    }

    /// Nanoseconds since the origin, negative before it.
    fn since_origin(&self, at: Instant) -> i64 {
        nanoseconds(at.saturating_duration_since(self.origin))
            - nanoseconds(self.origin.saturating_duration_since(at))
    }
}

/// The thread on which a stage runs.
fn lane(stage: Stage) -> usize {
    match stage {
        Stage::Decode => 0,
        Stage::Detect | Stage::Crop | Stage::Infer | Stage::Confirm | Stage::Smooth | Stage::Track => 1,
        Stage::Draw | Stage::Encode | Stage::Data | Stage::Display => OUTPUT,
    }
}

fn nanoseconds(time: Duration) -> i64 {
    i64::try_from(time.as_nanos()).unwrap_or(i64::MAX)
}

fn microseconds(nanoseconds: i64) -> f64 {
    nanoseconds as f64 / 1e3
}

fn to_json(event: &Event) -> Result<String> {
    serde_json::to_string(event).blame(Fault::Failure, || "turning a trace into JSON")
}

impl Sink for Trace {
    fn write(&mut self, tracked: &mut Tracked) -> Result<()> {
        let frame = &tracked.frame;
        let mut text = self.head.take().unwrap_or_default();
        for event in frame.timing.spans().iter().flat_map(|span| self.events(span, frame.index)) {
            text += ",\n";
            text += &to_json(&event)?;
        }
        self.file.put(text.as_bytes())
    }

    fn finish(&mut self, end: End) -> Result<()> {
        let text = self.head.take().unwrap_or_default() + "\n]\n";
        self.file.put(text.as_bytes())?;
        self.file.finish(end)
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use serde_json::Value;

    use super::*;
    use crate::frame::Frame;

    fn traced(path: &Path, finish: bool) {
        let target = Target::new(path, &[], false).unwrap();
        let mut trace = Trace::create(&target, Instant::now()).unwrap();
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
