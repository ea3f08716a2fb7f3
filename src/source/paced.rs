//! Plays a file as if it were a camera.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::frame::Frame;
use crate::source::{Source, SourceInfo};

/// Delivers a source's frames at the times they are to be shown, and calls itself live.
pub struct Paced {
    inner: Box<dyn Source>,
    /// When the first frame was delivered, and its media time in seconds.
    start: Option<(Instant, f64)>,
}

impl Paced {
    /// Plays `inner`; the clock starts with its first frame.
    pub fn new(inner: Box<dyn Source>) -> Self {
        Self { inner, start: None }
    }
}

impl Source for Paced {
    fn next(&mut self, frame: &mut Frame) -> Result<bool> {
        if !self.inner.next(frame)? {
            return Ok(false);
        }
        let time = frame.time.seconds();
        let (began, first) = *self.start.get_or_insert((Instant::now(), time));
        let due = began + Duration::from_secs_f64((time - first).clamp(0.0, f64::from(u32::MAX)));
        thread::sleep(due.saturating_duration_since(Instant::now()));
        frame.captured = Instant::now();
        Ok(true)
    }

    fn is_live(&self) -> bool {
        true
    }

    fn info(&self) -> &SourceInfo {
        self.inner.info()
    }
}
