//! Where frames come from.

use anyhow::Result;

use crate::frame::Frame;
pub use crate::info::SourceInfo;

pub mod adjusted;
pub mod camera;
pub mod cuts;
pub mod files;
pub mod folder;
pub mod images;
pub mod paced;
pub mod video;
mod whole;

/// The selected part of a video, in seconds from its start.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Part {
    /// The first frame is the one at this time or the next one after it.
    pub start: Option<f64>,
    /// The last frame is the last one before this time.
    pub end: Option<f64>,
}

/// A source of frames: a file, a list of pictures, or a camera.
pub trait Source: Send {
    /// Waits a moment for the next frame; `false` if there is none yet. The caller can give up between calls, so only
    /// sources with long waits, such as cameras, need this.
    ///
    /// # Errors
    /// [`Fault::Device`](crate::error::Fault::Device) if a camera is lost.
    fn ready(&mut self) -> Result<bool> {
        Ok(true)
    }

    /// Fills `frame` with the next picture; `false` at the end.
    ///
    /// The frame's planes keep their memory, so reusing a frame is cheaper than creating a new one.
    ///
    /// # Errors
    /// [`Fault::Input`](crate::error::Fault::Input) if there is nothing to read, and
    /// [`Fault::EndedEarly`](crate::error::Fault::EndedEarly), after all readable frames, if some are lost.
    fn next(&mut self, frame: &mut Frame) -> Result<bool>;

    /// Whether frames that are not fetched in time are lost, as with a camera.
    fn is_live(&self) -> bool {
        false
    }

    /// What is known in advance.
    fn info(&self) -> &SourceInfo;
}
