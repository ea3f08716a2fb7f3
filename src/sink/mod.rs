//! Where frames go.

#[cfg(feature = "video")]
mod encode;
#[cfg(feature = "video")]
mod partial;
#[cfg(feature = "video")]
mod remux;
#[cfg(feature = "video")]
mod tags;
#[cfg(feature = "video")]
pub mod video;

/// Why no more frames come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The source is at its end, be it early. What accompanies the frames is kept to its own end.
    Complete,
    /// The run was stopped. What accompanies the frames is cut where they stop.
    CutShort,
}
