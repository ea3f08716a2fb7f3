//! Keeps account of what could not be read from a video, to tell at its end.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use anyhow::{Error, Result};
use ffmpeg_next as ffmpeg;
use ffmpeg_next::format::context::Input;
use ffmpeg_next::format::stream::Stream;
use ffmpeg_next::frame::Video;
use ffmpeg_next::{Packet, Rational, ffi};

use crate::error::Fault;

/// A header may promise this much more than there is, in microseconds, before the file counts as cut off …
const SLACK_US: i64 = 500_000;
/// … or this share of the whole, if that is more.
const SLACK_SHARE: i64 = 100;
/// Demuxers and parsers notice up to so many packets late that a recording broke off.
const BEFORE_JOINT: u32 = 3;

/// Whether a Matroska file ends before its segment does, which libav takes for an ordinary end. `None` for other files
/// and where the segment does not say how long it is.
fn is_cut_matroska(path: &Path) -> std::io::Result<Option<bool>> {
    const EBML: u64 = 0x1A45_DFA3;
    const SEGMENT: u64 = 0x1853_8067;
    let mut file = File::open(path)?;
    let length = file.metadata()?.len();
    if number(&mut file, false)? != EBML {
        return Ok(None);
    }
    let header = number(&mut file, true)?;
    file.seek(SeekFrom::Current(i64::try_from(header).unwrap_or(i64::MAX)))?;
    if number(&mut file, false)? != SEGMENT {
        return Ok(None);
    }
    let start = file.stream_position()?;
    let size = number(&mut file, true)?;
    let width = file.stream_position()? - start;
    // All ones: the length was not known when the file was begun.
    let is_known = size != (1 << (7 * width)) - 1;
    let left = length - file.stream_position()?;
    Ok(is_known.then_some(size > left))
}

/// Whether the index of an MP4 file tells of packets behind the file's end, which libav passes over in silence.
/// Errors mean no.
fn is_cut_mp4(path: &Path, input: &Input) -> std::io::Result<bool> {
    let length = i64::try_from(std::fs::metadata(path)?.len()).unwrap_or(i64::MAX);
    let is_behind = |stream: Stream| {
        // SAFETY: the stream belongs to the open input; the entry is only looked at, and may be null.
        unsafe {
            let last = ffi::avformat_index_get_entries_count(stream.as_ptr()) - 1;
            let entry = ffi::avformat_index_get_entry(stream.as_ptr().cast_mut(), last);
            entry.as_ref().is_some_and(|entry| entry.pos >= length)
        }
    };
    Ok(input.streams().any(is_behind))
}

/// A number as EBML writes it: as many bytes as the first one has leading zeros, and one more. IDs keep the marker.
fn number(file: &mut File, is_size: bool) -> std::io::Result<u64> {
    let mut bytes = [0; 8];
    file.read_exact(&mut bytes[..1])?;
    let width = bytes[0].leading_zeros() as usize + 1;
    if width > bytes.len() {
        return Err(std::io::ErrorKind::InvalidData.into());
    }
    file.read_exact(&mut bytes[1..width])?;
    if is_size {
        bytes[0] &= u8::MAX.checked_shr(width as u32).unwrap_or(0);
    }
    Ok(bytes[..width].iter().fold(0, |number, &byte| number << 8 | u64::from(byte)))
}

/// What went wrong so far.
pub(crate) struct Damage {
    path: PathBuf,
    /// Where the header says that the last stream ends, microseconds; `None` where it only guesses.
    promised_end: Option<i64>,
    /// Where the streams really ended so far.
    seen_end: i64,
    /// Whether the file is shorter than its header says.
    lacks_bytes: bool,
    /// Whether all of the file is there for certain: what its header promises besides is the length of its last frame.
    is_whole: bool,
    /// The time of the packet read last from the video stream.
    time: f64,
    /// Packets before the first key frame and pictures before the first whole one do not count: a file that was cut
    /// out of a longer one may begin with the rest of a group of pictures.
    seen_key: bool,
    seen_whole: bool,
    /// Times of broken packets among the last ones, and how many came since. Just before a joint of recordings that only
    /// means that packets are missing in between.
    suspects: Vec<f64>,
    since_suspect: u32,
    errors: u64,
    first: Option<(f64, String)>,
    last: Option<String>,
}

impl Damage {
    /// For a file whose packets come in film time, 0 of which is at `shift` microseconds by its own clock.
    pub(crate) fn new(path: &Path, input: &Input, shift: i64) -> Self {
        // SAFETY: the context is open and outlives this function.
        let method = unsafe { (*input.as_ptr()).duration_estimation_method };
        let known =
            method == ffi::AVDurationEstimationMethod::AVFMT_DURATION_FROM_STREAM && input.duration() > 0;
        // SAFETY: as above.
        let start = unsafe { (*input.as_ptr()).start_time };
        let start = if start == ffi::AV_NOPTS_VALUE { 0 } else { start };
        let is_cut = is_cut_matroska(path).unwrap_or(None);
        Self {
            path: path.to_owned(),
            // MP4 and Matroska count it from zero, even where the streams begin later.
            promised_end: known.then(|| start.min(0) + input.duration() - shift),
            seen_end: i64::MIN,
            lacks_bytes: is_cut == Some(true) || is_cut_mp4(path, input).unwrap_or(false),
            is_whole: is_cut == Some(false),
            time: 0.0,
            seen_key: false,
            seen_whole: false,
            suspects: Vec::new(),
            since_suspect: 0,
            errors: 0,
            first: None,
            last: None,
        }
    }

    /// Takes note of a packet; `ours` if it is of the video stream.
    pub(crate) fn packet(&mut self, packet: &Packet, base: Rational, ours: bool) {
        let time = packet.pts().or(packet.dts());
        if let Some(time) = time {
            let end = time.saturating_add(packet.duration().max(0));
            let seconds = end as f64 * f64::from(base);
            self.seen_end = self.seen_end.max((seconds * 1e6) as i64);
        }
        if !ours {
            return;
        }
        self.since_suspect += 1;
        if self.since_suspect > BEFORE_JOINT {
            self.settle();
        }
        self.seen_key |= packet.is_key();
        self.time = time.map_or(self.time, |time| time as f64 * f64::from(base));
        if packet.is_corrupt() && self.seen_key {
            self.suspects.push(self.time);
            self.since_suspect = 0;
        } else if packet.is_corrupt() {
            self.note("a broken packet".into());
        }
    }

    /// Takes note that another recording follows on the packet before.
    pub(crate) fn joint(&mut self) {
        self.suspects.clear();
    }

    /// Counts broken packets that were not the last ones before a joint.
    fn settle(&mut self) {
        for time in std::mem::take(&mut self.suspects) {
            self.note_at(time, "a broken packet".into());
        }
    }

    /// Takes note of a decoded picture, which may have holes.
    pub(crate) fn picture(&mut self, raw: &Video) {
        if !raw.is_corrupt() && !raw.has_decode_errors() {
            self.seen_whole = true;
        } else if self.seen_whole {
            self.note("a picture with holes".into());
        }
    }

    /// Takes note of what the decoder could not read.
    pub(crate) fn undecoded(&mut self, error: ffmpeg::Error) {
        self.note(error.to_string());
    }

    /// Takes note of what the demuxer could not read.
    pub(crate) fn unread(&mut self, error: ffmpeg::Error) {
        self.seen_key = true;
        self.note(error.to_string());
    }

    fn note(&mut self, what: String) {
        self.note_at(self.time, what);
    }

    fn note_at(&mut self, time: f64, what: String) {
        if self.seen_key {
            self.errors += 1;
            // Broken packets are counted a little later than what the decoder says of them.
            if self.first.as_ref().is_none_or(|first| time < first.0) {
                self.first = Some((time, what.clone()));
            }
        }
        self.last = Some(what);
    }

    /// The error for a video without a single picture.
    pub(crate) fn nothing(&self) -> Error {
        let shown = self.path.display();
        match &self.last {
            Some(reason) => Fault::Input.error(format!(
                "{shown}: not one picture could be decoded ({reason}); the file is broken, copy or record it again"
            )),
            None => Fault::Input.error(format!("{shown} has a video stream, but no picture in it; record it again")),
        }
    }

    /// Where the last picture ends by the header of a file that is whole, microseconds. `tagged` is what the stream
    /// itself says; without that, the whole file's end counts if it comes after all packets.
    pub(crate) fn last_picture_end(&self, tagged: Option<i64>) -> Option<i64> {
        let end = self.promised_end.filter(|_| self.is_whole)?;
        tagged.map(|tagged| tagged.min(end)).or((end > self.seen_end).then_some(end))
    }

    /// The judgement at the end, after `frames` delivered frames.
    pub(crate) fn verdict(&mut self, frames: u64) -> Result<()> {
        self.verdict_so_far(frames)?;
        // It was whole when it was opened, but may have been cut since.
        let is_cut = || is_cut_matroska(&self.path).is_ok_and(|is_cut| is_cut == Some(true));
        let is_whole = self.is_whole && !is_cut();
        let shown = self.path.display();
        let seen = self.seen_end as f64 / 1e6;
        let promised = self.promised_end.filter(|_| self.seen_end > i64::MIN).unwrap_or(self.seen_end);
        let lacks_time = promised.saturating_sub(self.seen_end) > SLACK_US.max(promised / SLACK_SHARE);
        if self.lacks_bytes || (lacks_time && !is_whole) {
            return Err(Fault::EndedEarly.error(format!(
                "{shown} is cut off: it ends at {seen:.3} s of {:.3} s; {frames} frames could be read",
                promised as f64 / 1e6
            )));
        }
        Ok(())
    }

    /// The judgement before the end of the file, where no more of it is wanted.
    pub(crate) fn verdict_so_far(&mut self, frames: u64) -> Result<()> {
        self.settle();
        let shown = self.path.display();
        if let Some((time, reason)) = &self.first {
            let (errors, s) = (self.errors, if self.errors == 1 { "" } else { "s" });
            return Err(Fault::EndedEarly.error(format!(
                "{shown} is damaged: {errors} error{s}, the first near {time:.3} s ({reason}); \
                 {frames} frames could be read"
            )));
        }
        Ok(())
    }
}
