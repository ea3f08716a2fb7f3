//! Measures the time since each frame's capture.

use anyhow::Result;

use super::sink::{End, Sink};
use crate::frame::{Stage, Tracked};

/// A step between two sinks that records the time since each frame's capture.
pub struct Stamp(pub Stage);

impl Sink for Stamp {
    fn write(&mut self, tracked: &mut Tracked) -> Result<()> {
        let frame = &mut tracked.frame;
        frame.timing.since(self.0, frame.captured);
        Ok(())
    }

    fn finish(&mut self, _: End) -> Result<()> {
        Ok(())
    }
}
