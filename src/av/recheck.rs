//! Reading a finished video again.

use std::path::Path;

use anyhow::Result;
use ffmpeg_next::Packet;

use super::demux;
use crate::source::video;

/// Reads a video file from end to end and counts the frames of its video stream.
pub(crate) fn count_frames(path: &Path) -> Result<u64> {
    let mut input = demux::open(path)?;
    let video = video::best_video(&input, path)?.index();
    demux::discard(&mut input, |index| index != video);
    let mut frames = 0;
    loop {
        let mut packet = Packet::empty();
        match packet.read(&mut input) {
            Ok(()) if packet.stream() == video && packet.size() > 0 && !packet.is_corrupt() => frames += 1,
            Ok(()) => {}
            // The end or a break; what comes before it is readable.
            Err(_) => return Ok(frames),
        }
    }
}
