//! Collects the frames' times as they arrive.

use std::time::{Duration, Instant};

use anyhow::Result;
use hdrhistogram::Histogram;

use super::timeline::Timeline;
use crate::frame::{Stage, Tracked};
use crate::output::sink::{End, Sink};

/// This many frames are left out at the start: caches are cold, and threads and buffers are being created.
pub const WARM_UP: u64 = 30;

/// Collects the frames' times. Its memory does not grow with their number.
pub struct LatencyReport {
    pub(super) started: Instant,
    /// Nanoseconds per stage, with three significant digits.
    pub(super) stages: [Histogram<u64>; Stage::ALL.len()],
    pub(super) frames: u64,
    pub(super) frames_with_face: u64,
    /// The time limit for a frame's landmarks, and how many frames took longer.
    pub(super) deadline: Option<Duration>,
    pub(super) late: u64,
    pub(super) timeline: Timeline,
    pub(super) first: Option<Instant>,
    /// When the warm-up was over, and when the last frame was done.
    measured: Option<(Instant, Instant)>,
}

/// What a report is about.
#[derive(Clone, Debug)]
pub struct Subject {
    /// The input's name.
    pub input: String,
    /// The model's name.
    pub model: String,
    /// Number of threads that the network can use.
    pub threads: usize,
    /// Number of dropped frames; live only.
    pub dropped: u64,
}

impl LatencyReport {
    /// An empty report; `started` is when the process began. In live runs, `deadline` is the time between frames.
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

    /// Number of frames seen, including the warm-up.
    pub fn frames(&self) -> u64 {
        self.frames
    }

    /// Number of frames with at least one face.
    pub fn frames_with_face(&self) -> u64 {
        self.frames_with_face
    }

    /// The stages to list: all that do work, and the latencies that were measured.
    pub(super) fn shown(&self) -> impl Iterator<Item = Stage> {
        Stage::ALL.into_iter().filter(|&stage| !stage.is_latency() || !self.stages[stage as usize].is_empty())
    }

    /// Frames per second after the warm-up.
    pub(super) fn fps(&self) -> f64 {
        self.measured.map_or(0.0, |(start, end)| {
            (self.frames - WARM_UP) as f64 / (end - start).as_secs_f64().max(1e-9)
        })
    }

    /// p50, p95, p99, maximum and mean of a stage in milliseconds.
    pub(super) fn row(&self, stage: Stage) -> Option<[f64; 5]> {
        row(&self.stages[stage as usize])
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
pub(super) fn row(times: &Histogram<u64>) -> Option<[f64; 5]> {
    let quantile = |q| times.value_at_quantile(q) as f64;
    let row = [quantile(0.50), quantile(0.95), quantile(0.99), times.max() as f64, times.mean()];
    (!times.is_empty()).then(|| row.map(|nanoseconds| nanoseconds / 1e6))
}

/// A time in nanoseconds, as the histograms store it.
pub(crate) fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// A time in milliseconds, as it is reported.
pub(super) fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// The process's peak resident size so far in MB (10⁶ bytes), if the system reports it.
pub(super) fn peak_memory() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kibibytes: f64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kibibytes * 1024.0 / 1e6)
}
