//! Where frames come from.

use anyhow::Result;

use crate::frame::Frame;
pub use crate::info::SourceInfo;

pub mod adjusted;
pub mod camera;
pub mod files;
pub mod folder;
pub mod images;
pub mod paced;
pub mod video;
mod whole;

/// The part of a video that is wanted, in seconds since its begin.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Part {
    /// The first frame is the first one at this time or later.
    pub start: Option<f64>,
    /// The last frame is the last one before this time.
    pub end: Option<f64>,
}

/// A supply of frames: a file, a list of pictures, a camera.
pub trait Source: Send {
    /// Waits a moment for the next frame; `false` if there is none yet. Whoever asks may give up in between, so only
    /// a source that may have to wait for long, as a camera, needs this.
    ///
    /// # Errors
    /// [`Fault::Device`](crate::error::Fault::Device) when a camera is lost.
    fn ready(&mut self) -> Result<bool> {
        Ok(true)
    }

    /// Fills `frame` with the next picture; `false` at the end.
    ///
    /// The frame's planes keep their memory, so a frame that comes back is cheaper than a new one.
    ///
    /// # Errors
    /// [`Fault::Input`](crate::error::Fault::Input) when there is nothing to read, and
    /// [`Fault::EndedEarly`](crate::error::Fault::EndedEarly), after all frames that can be had, when some are lost.
    fn next(&mut self, frame: &mut Frame) -> Result<bool>;

    /// True where frames that nobody fetches are gone, as with a camera.
    fn is_live(&self) -> bool {
        false
    }

    /// What is known beforehand.
    fn info(&self) -> &SourceInfo;
}
