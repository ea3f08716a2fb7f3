//! What is requested from a camera, and what it delivers: the thin layer between the driver and the rest.

use std::sync::Arc;
use std::time::Instant;

use anyhow::Result;
use bytes::Bytes;
use serde::Serialize;

/// How a camera sends its pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// JPEG pictures, full range.
    Mjpeg,
    /// Rows of Y₀ U Y₁ V: chroma with full height and half width.
    Yuyv,
    /// A luma plane, followed by a half-size plane of U V pairs.
    Nv12,
}

impl Encoding {
    /// All encodings; at the same size and rate, the earlier one is preferred, since it needs less of the bus.
    pub const ALL: [Self; 3] = [Self::Mjpeg, Self::Yuyv, Self::Nv12];

    /// The name, as `--camera-format` takes it.
    pub fn name(self) -> &'static str {
        ["mjpeg", "yuyv", "nv12"][self as usize]
    }
}

/// A mode that a camera can be set to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Mode {
    /// The encoding of the pictures.
    pub encoding: Encoding,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Pictures per second.
    pub rate: u32,
}

/// What the user wants. Where nothing is specified, the mode nearest to [`Wanted::SIZE`] and [`Wanted::RATE`] is used.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// A name or part of one, a number, or a path; `None` for the first camera that has pictures.
    pub camera: Option<String>,
    /// Width and height.
    pub size: Option<(u32, u32)>,
    /// Pictures per second.
    pub rate: Option<u32>,
    /// The encoding of the pictures.
    pub encoding: Option<Encoding>,
}

impl Wanted {
    /// Large enough for faces across a room; nearly every camera has it.
    pub const SIZE: (u32, u32) = (1280, 720);
    /// Nearly every camera reaches this rate.
    pub const RATE: u32 = 30;

    /// The acceptable modes, best first: nearest in size if one is wanted, then in rate, then in the default size, then
    /// in the order of [`Encoding::ALL`]. So, by default, a large picture never means a slow rate.
    pub(super) fn rank(&self, modes: &[Mode]) -> Vec<Mode> {
        let (width, height) = self.size.unwrap_or(Self::SIZE);
        let rate = self.rate.unwrap_or(Self::RATE);
        let allowed = |mode: &&Mode| self.encoding.is_none_or(|encoding| mode.encoding == encoding);
        let mut modes: Vec<Mode> = modes.iter().filter(allowed).copied().collect();
        let distance = |mode: &Mode| {
            let size = u64::from(mode.width.abs_diff(width)) + u64::from(mode.height.abs_diff(height));
            let wished = if self.size.is_some() { size } else { 0 };
            (wished, mode.rate.abs_diff(rate), size, mode.encoding, *mode)
        };
        modes.sort_by_key(distance);
        modes.dedup();
        modes
    }
}

/// An open camera. Its calls may block forever, so they are made on a separate thread.
pub(super) trait Device {
    /// A description of the open camera.
    fn about(&self) -> Arc<About>;

    /// Waits for the next buffer that the driver has filled.
    ///
    /// # Errors
    /// If the camera is disconnected or fails.
    fn next(&mut self) -> Result<Buffer>;
}

/// Opens a device, repeatedly if necessary.
pub(super) type Opener = Arc<dyn Fn() -> Result<Box<dyn Device>> + Send + Sync>;

/// What is known about an open camera.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// The camera's own name.
    pub name: String,
    /// Its path, such as `/dev/video0`.
    pub path: String,
    /// The mode it is set to.
    pub mode: Mode,
}

/// A buffer as filled by the driver.
#[derive(Clone, Debug)]
pub(super) struct Buffer {
    /// The whole buffer: the picture may be followed by leftovers of older ones.
    pub(super) data: Bytes,
    /// When the driver captured the picture or, if it does not say, when we received it.
    pub(super) captured: Instant,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mode(encoding: Encoding, width: u32, height: u32, rate: u32) -> Mode {
        Mode { encoding, width, height, rate }
    }

    /// What a USB 2 webcam of 2020 offers.
    fn webcam() -> Vec<Mode> {
        use Encoding::{Mjpeg, Yuyv};
        vec![
            mode(Yuyv, 640, 480, 30),
            mode(Yuyv, 1280, 720, 10),
            mode(Yuyv, 1920, 1080, 5),
            mode(Mjpeg, 640, 480, 30),
            mode(Mjpeg, 1280, 720, 30),
            mode(Mjpeg, 1280, 720, 15),
            mode(Mjpeg, 1920, 1080, 30),
        ]
    }

    #[test]
    fn a_wanted_size_counts_most_then_the_rate_then_the_encoding() {
        use Encoding::{Mjpeg, Yuyv};
        let best = |wanted: Wanted| wanted.rank(&webcam())[0];
        assert_eq!(best(Wanted::default()), mode(Mjpeg, 1280, 720, 30));
        assert_eq!(best(Wanted { size: Some((640, 480)), ..Wanted::default() }), mode(Mjpeg, 640, 480, 30));
        assert_eq!(best(Wanted { rate: Some(12), ..Wanted::default() }), mode(Yuyv, 1280, 720, 10));
        assert_eq!(best(Wanted { encoding: Some(Yuyv), ..Wanted::default() }), mode(Yuyv, 640, 480, 30));
        let large = Wanted { encoding: Some(Yuyv), size: Some((1280, 720)), ..Wanted::default() };
        assert_eq!(best(large), mode(Yuyv, 1280, 720, 10));
        assert_eq!(
            best(Wanted { size: Some((4000, 3000)), ..Wanted::default() }),
            mode(Mjpeg, 1920, 1080, 30)
        );
    }

    #[test]
    fn an_encoding_that_is_not_there_leaves_nothing() {
        let wanted = Wanted { encoding: Some(Encoding::Nv12), ..Wanted::default() };
        assert!(wanted.rank(&webcam()).is_empty());
    }
}
