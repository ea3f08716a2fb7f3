//! How long the tracker's steps take.

use std::time::{Duration, Instant};

/// A step of the tracker's work on a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Face detection in the whole picture; not in every one.
    Detect,
    /// Cutting the net's input out of the picture.
    Crop,
    /// The landmark net.
    Infer,
    /// The detector's second look at a face, which tells whether it still is there.
    Confirm,
    /// Smoothing.
    Smooth,
}

/// One run of a stage.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Which stage.
    pub stage: Stage,
    /// When it began.
    pub start: Instant,
    /// How long it took.
    pub length: Duration,
}

/// Every run of every stage for one picture, in the order in which they ended. A stage may run several times, once per face.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Timing {
    spans: Vec<Span>,
}

impl Timing {
    /// Every run.
    pub fn spans(&self) -> &[Span] {
        &self.spans
    }

    /// Forgets everything, keeping the memory.
    pub fn clear(&mut self) {
        self.spans.clear();
    }

    /// Runs `work` and remembers how long it took.
    pub fn measure<T>(&mut self, stage: Stage, work: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let result = work();
        self.spans.push(Span { stage, start, length: start.elapsed() });
        result
    }
}
