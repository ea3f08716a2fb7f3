//! Where a long film can be cut into ranges that are annotated apart.

use std::path::Path;

use anyhow::Result;
use ffmpeg_next::ffi;

use super::video::packets_before;
use crate::av::reader::{MICROSECONDS, Reader};
use ffmpeg_next::Rescale as _;

/// How long a film is according to its header, in seconds; `None` if that does not say.
///
/// # Errors
/// [`Fault::Input`](crate::error::Fault::Input) if the file is not a video.
pub fn length(path: &Path) -> Result<Option<f64>> {
    let duration = Reader::open(path)?.input().duration();
    Ok((duration > 0).then(|| duration as f64 / f64::from(ffi::AV_TIME_BASE)))
}

/// The time of the last key frame at `seconds` or before, in seconds of film time; 0 if there is none. It is the same for
/// everyone who asks.
///
/// # Errors
/// As [`length`].
pub fn key_frame_before(path: &Path, seconds: f64) -> Result<f64> {
    let mut reader = Reader::open(path)?;
    let Some(base) = reader.input().stream(reader.video()).map(|stream| stream.time_base()) else {
        return Ok(0.0);
    };
    let limit = ((seconds * 1e6) as i64).rescale(MICROSECONDS, base);
    let held = packets_before(&mut reader, limit, base);
    let key = held.front().filter(|packet| packet.is_key());
    let time = key.and_then(|packet| packet.pts().or(packet.dts())).filter(|&time| time <= limit);
    Ok(time.map_or(0.0, |time| (time as f64 * f64::from(base)).max(0.0)))
}
