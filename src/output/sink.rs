//! What takes finished frames.

use anyhow::Result;

use crate::frame::Tracked;

/// Takes finished frames, one after another, on the main thread.
pub trait Sink {
    /// Takes the next frame. A sink may draw into it; the sinks after it see that.
    ///
    /// # Errors
    /// If it cannot be written.
    fn write(&mut self, tracked: &mut Tracked) -> Result<()>;

    /// Called every few milliseconds while no frame comes, for what must not wait for one: keys, a window's size.
    ///
    /// # Errors
    /// As [`write`](Self::write).
    fn idle(&mut self) -> Result<()> {
        Ok(())
    }

    /// Completes the output. A sink that is dropped without this leaves nothing under the output's final name.
    ///
    /// # Errors
    /// If the output cannot be completed.
    fn finish(&mut self, end: End) -> Result<()>;
}

/// Why no more frames come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The source is at its end, possibly earlier than it promised. What accompanies the frames is kept to its own end.
    Complete,
    /// The run was stopped. What accompanies the frames is cut where they stop.
    CutShort,
}
