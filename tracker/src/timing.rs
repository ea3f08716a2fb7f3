//! How long the tracker's stages take.

use std::time::{Duration, Instant};

/// A stage of the tracker's work on a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Looking for faces in the whole picture; not done for every picture.
    Detect,
    /// Cutting the landmark net's input out of the picture.
    Crop,
    /// The landmark net.
    Infer,
    /// The detector's second look at a face, to see whether it is still there.
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

/// Every run of every stage for one picture, in the order in which they ended. Most stages run once per face.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Timing {
    spans: Vec<Span>,
}

impl Timing {
    /// Every run.
    pub fn spans(&self) -> &[Span] {
        &self.spans
    }

    /// Removes all runs but keeps the memory.
    pub fn clear(&mut self) {
        self.spans.clear();
    }

    /// Runs `work` and records how long it took.
    pub fn measure<T>(&mut self, stage: Stage, work: impl FnOnce() -> T) -> T {
        let start = Instant::now();
        let result = work();
        self.spans.push(Span { stage, start, length: start.elapsed() });
        result
    }
}
