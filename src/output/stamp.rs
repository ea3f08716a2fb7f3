//! Notes how long frames have been on their way.

use anyhow::Result;

use super::sink::{End, Sink};
use crate::frame::{Stage, Tracked};

/// Between two sinks: writes down the time from each frame's capture to here.
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
