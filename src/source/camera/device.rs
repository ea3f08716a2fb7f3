//! What is asked of a camera, and what it gives: the little that stands between the driver and the rest.

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
    /// Rows of Y₀ U Y₁ V: chroma of full height and half width.
    Yuyv,
    /// A luma plane, then a half-size plane of U V.
    Nv12,
}

impl Encoding {
    /// All of them; of two that give the same size and rate the first one is taken, since it leaves room on the bus.
    pub const ALL: [Self; 3] = [Self::Mjpeg, Self::Yuyv, Self::Nv12];

    /// The name, as `--camera-format` takes it.
    pub fn name(self) -> &'static str {
        ["mjpeg", "yuyv", "nv12"][self as usize]
    }
}

/// What a camera can be set to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Mode {
    /// How the pictures come.
    pub encoding: Encoding,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Pictures a second.
    pub rate: u32,
}

/// What the user wants. Where nothing is said, the nearest to [`Wanted::SIZE`] and [`Wanted::RATE`] is taken.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// A name or a part of it, a number, or a path; `None`: the first camera that has pictures.
    pub camera: Option<String>,
    /// Width and height.
    pub size: Option<(u32, u32)>,
    /// Pictures a second.
    pub rate: Option<u32>,
    /// How the pictures are to come.
    pub encoding: Option<Encoding>,
}

impl Wanted {
    /// Large enough for faces across a room; nearly every camera has it.
    pub const SIZE: (u32, u32) = (1280, 720);
    /// As fast as nearly every camera is.
    pub const RATE: u32 = 30;

    /// The modes that will do, the best one first: nearest in the size if one is wanted, then in rate, then in the usual
    /// size, then in the order of [`Encoding::ALL`]. So without a wish a large picture is never a slow one.
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

/// An open camera. Its calls may block for ever, so they are made on a thread of their own.
pub(super) trait Device {
    /// What was opened.
    fn about(&self) -> Arc<About>;

    /// Waits for the next buffer that the driver has filled.
    ///
    /// # Errors
    /// If the camera is gone or fails.
    fn next(&mut self) -> Result<Buffer>;
}

/// Opens a device, again and again if need be.
pub(super) type Opener = Arc<dyn Fn() -> Result<Box<dyn Device>> + Send + Sync>;

/// What is known of an open camera.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct About {
    /// What the camera calls itself.
    pub name: String,
    /// Where it is, such as `/dev/video0`.
    pub path: String,
    /// What it is set to.
    pub mode: Mode,
}

/// A buffer as the driver has filled it.
#[derive(Clone, Debug)]
pub(super) struct Buffer {
    /// The whole buffer: after the picture there may be leftovers of older ones.
    pub(super) data: Bytes,
    /// When the driver had the picture; if it does not say, when the picture came to us.
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
