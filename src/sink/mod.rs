//! Where frames and faces go.

use anyhow::Result;

use crate::track::Tracked;

pub mod csv;
pub mod data;
pub mod jsonl;
pub mod overlay;
pub mod progress;

/// Takes finished frames, one after another, on the main thread.
pub trait Sink {
    /// Takes the next frame. A sink may draw into it; the sinks after it see that.
    ///
    /// # Errors
    /// If it cannot be written.
    fn write(&mut self, tracked: &mut Tracked) -> Result<()>;

    /// Completes the output. A sink that is dropped without this leaves nothing under the output's final name.
    ///
    /// # Errors
    /// If the output cannot be completed.
    fn finish(&mut self) -> Result<()>;
}
