//! The interface for outputs that take finished frames.

use anyhow::Result;

use crate::frame::Tracked;

/// Takes finished frames, one at a time, on the main thread.
pub trait Sink {
    /// Takes the next frame. A sink may draw into it; the sinks after it see that.
    ///
    /// # Errors
    /// If it cannot be written.
    fn write(&mut self, tracked: &mut Tracked) -> Result<()>;

    /// Called every few milliseconds between frames, to handle events such as key presses and window resizing.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    fn idle(&mut self) -> Result<()> {
        Ok(())
    }

    /// Completes the output. A sink that is dropped without this call leaves nothing under the output's final name.
    ///
    /// # Errors
    /// If the output cannot be completed.
    fn finish(&mut self, end: End) -> Result<()>;
}

/// Why there are no more frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The source has ended, possibly earlier than it announced. Accompanying streams are kept to their own end.
    Complete,
    /// The run was stopped. Accompanying streams are cut where the frames stop.
    CutShort,
}
