//! Keeps track of what could not be read from a video, to report it at the end.

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

/// How much longer than the packets the header can claim the file is before it counts as cut off, in microseconds.
const SLACK_US: i64 = 500_000;
/// The same as a fraction of the total (1/100); the larger of the two applies.
const SLACK_SHARE: i64 = 100;
/// After its last packet, a complete Matroska file has only an index and tags: at most this fraction of it (1/10).
const SHARE_AFTER_PACKETS: u64 = 10;
/// Demuxers and parsers can be this many packets late in noticing that a recording broke off.
const BEFORE_JOINT: u32 = 3;
/// Decoders with several threads can be this many packets late in noticing that a packet is not one.
const AFTER_JOINT: u32 = 5;
/// A second header causes fewer errors than this.
const MOST_SUSPECTS: usize = 100;

/// Whether a Matroska file ends before its segment does, which libav treats as a normal end of file. `None` for other
/// files and for segments of unknown size.
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
    // All ones: the size was not known when the file was started.
    let is_known = size != (1 << (7 * width)) - 1;
    let left = length - file.stream_position()?;
    Ok(is_known.then_some(size > left))
}

/// Whether the index of an MP4 file lists packets past the end of the file, which libav silently skips.
/// Errors mean no.
fn is_cut_mp4(path: &Path, input: &Input) -> std::io::Result<bool> {
    let length = i64::try_from(std::fs::metadata(path)?.len()).unwrap_or(i64::MAX);
    let is_behind = |stream: Stream| {
        // SAFETY: the stream belongs to the open input; the entry is only read, and may be null.
        unsafe {
            let last = ffi::avformat_index_get_entries_count(stream.as_ptr()) - 1;
            let entry = ffi::avformat_index_get_entry(stream.as_ptr().cast_mut(), last);
            entry.as_ref().is_some_and(|entry| entry.pos >= length)
        }
    };
    Ok(input.streams().any(is_behind))
}

/// Reads an EBML number: one byte more than the first byte has leading zero bits. IDs keep the marker bit.
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
    /// Where the last stream ends according to the header, in microseconds; `None` if that is only an estimate.
    promised_end: Option<i64>,
    /// The latest packet end seen so far, in microseconds.
    seen_end: i64,
    /// Where the last packet ends in the file, in bytes.
    read_up_to: u64,
    /// Whether the file is shorter than its header says.
    lacks_bytes: bool,
    /// Whether the file is known to be complete: any extra time in its header is then the length of its last frame.
    is_whole: bool,
    /// The time of the last packet read from the video stream.
    time: f64,
    /// Packets before the first key frame and pictures before the first intact one do not count: a file that was cut
    /// out of a longer one may begin in the middle of a group of pictures.
    seen_key: bool,
    seen_whole: bool,
    /// Times of recent broken packets, and the number of packets since. Just before a joint between recordings, they
    /// only mean that packets are missing in between.
    suspects: Vec<(f64, String)>,
    since_suspect: u32,
    /// Whether the format is NUT, whose demuxer hands out the header of the second recording as broken packets, and the
    /// number of packets since the last joint.
    is_nut: bool,
    since_joint: u32,
    errors: u64,
    first: Option<(f64, String)>,
    last: Option<String>,
}

impl Damage {
    /// For a file whose packets come in film time; film time 0 is at `shift` microseconds on the file's own clock.
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
            // MP4 and Matroska count the duration from zero, even if the streams begin later.
            promised_end: known.then(|| start.min(0) + input.duration() - shift),
            seen_end: i64::MIN,
            read_up_to: 0,
            lacks_bytes: is_cut == Some(true) || is_cut_mp4(path, input).unwrap_or(false),
            is_whole: is_cut == Some(false),
            time: 0.0,
            seen_key: false,
            seen_whole: false,
            suspects: Vec::new(),
            since_suspect: 0,
            is_nut: input.format().name() == "nut",
            since_joint: u32::MAX,
            errors: 0,
            first: None,
            last: None,
        }
    }

    /// Records a packet; `ours` if it belongs to the video stream.
    pub(crate) fn packet(&mut self, packet: &Packet, base: Rational, ours: bool) {
        let time = packet.pts().or(packet.dts());
        if let Some(time) = time {
            let end = time.saturating_add(packet.duration().max(0));
            let seconds = end as f64 * f64::from(base);
            self.seen_end = self.seen_end.max((seconds * 1e6) as i64);
        }
        if let Ok(position) = u64::try_from(packet.position()) {
            self.read_up_to = self.read_up_to.max(position.saturating_add(packet.size() as u64));
        }
        if !ours {
            return;
        }
        self.since_suspect += 1;
        self.since_joint = self.since_joint.saturating_add(1);
        if self.since_suspect > BEFORE_JOINT {
            self.settle();
        }
        self.seen_key |= packet.is_key();
        self.time = time.map_or(self.time, |time| time as f64 * f64::from(base));
        if packet.is_corrupt() && self.seen_key {
            self.suspect("a broken packet".into());
        } else if packet.is_corrupt() {
            self.note("a broken packet".into());
        }
    }

    /// Records that a new recording begins after the previous packet, and whether it begins `with_key`.
    pub(crate) fn joint(&mut self, with_key: bool) {
        self.suspects.clear();
        // Otherwise it may be a broken time stamp.
        if with_key && self.is_nut {
            self.since_joint = 0;
        }
    }

    /// Counts the suspects as errors, since no joint came after them.
    fn settle(&mut self) {
        for (time, what) in std::mem::take(&mut self.suspects) {
            self.note_at(time, what);
        }
    }

    /// Records a decoded picture, which may have holes.
    pub(crate) fn picture(&mut self, raw: &Video) {
        if !raw.is_corrupt() && !raw.has_decode_errors() {
            self.seen_whole = true;
        } else if self.seen_whole {
            self.note("a picture with holes".into());
        }
    }

    /// Records a decoder error.
    pub(crate) fn undecoded(&mut self, error: ffmpeg::Error) {
        self.error(error);
    }

    /// Records a demuxer error.
    pub(crate) fn unread(&mut self, error: ffmpeg::Error) {
        self.seen_key = true;
        self.error(error);
    }

    fn error(&mut self, error: ffmpeg::Error) {
        match (self.is_nut, self.since_joint) {
            (true, ..=AFTER_JOINT) => {}
            (true, _) => self.suspect(error.to_string()),
            (false, _) => self.note(error.to_string()),
        }
    }

    /// Waits with an error until it is known whether a joint follows.
    fn suspect(&mut self, what: String) {
        if self.suspects.len() == MOST_SUSPECTS {
            self.settle();
        }
        self.suspects.push((self.time, what));
        self.since_suspect = 0;
    }

    fn note(&mut self, what: String) {
        self.note_at(self.time, what);
    }

    fn note_at(&mut self, time: f64, what: String) {
        if self.seen_key {
            self.errors += 1;
            // Broken packets are counted slightly later than the decoder errors they cause.
            if self.first.as_ref().is_none_or(|first| time < first.0) {
                self.first = Some((time, what.clone()));
            }
        }
        self.last = Some(what);
    }

    /// The error for a video without a single picture.
    pub(crate) fn nothing(&mut self) -> Error {
        self.settle();
        let shown = self.path.display();
        match &self.last {
            Some(reason) => Fault::Input.error(format!(
                "{shown}: not one picture could be decoded ({reason}); the file is broken, copy or record it again"
            )),
            None => Fault::Input.error(format!("{shown} has a video stream, but no picture in it; record it again")),
        }
    }

    /// Where the last picture ends according to the header of a complete file, in microseconds. `tagged` is the
    /// stream's own end; without it, the end of the whole file is used if it comes after all packets.
    pub(crate) fn last_picture_end(&self, tagged: Option<i64>) -> Option<i64> {
        let end = self.promised_end.filter(|_| self.is_whole)?;
        tagged.map(|tagged| tagged.min(end)).or((end > self.seen_end).then_some(end))
    }

    /// The verdict at the end of the file, after `frames` delivered frames.
    pub(crate) fn verdict(&mut self, frames: u64) -> Result<()> {
        self.verdict_so_far(frames)?;
        // It was complete when it was opened, but may have been truncated since.
        let is_cut = || is_cut_matroska(&self.path).is_ok_and(|is_cut| is_cut == Some(true));
        let is_whole = self.is_whole && !is_cut() && !self.passed_over();
        let shown = self.path.display();
        let seen = self.seen_end as f64 / 1e6;
        let promised = self.promised_end.filter(|_| self.seen_end > i64::MIN).unwrap_or(self.seen_end);
        let lacks_time = promised.saturating_sub(self.seen_end) > SLACK_US.max(promised / SLACK_SHARE);
        if self.lacks_bytes || (lacks_time && !is_whole) {
            let what = if self.is_whole && self.passed_over() {
                "has a part that cannot be read"
            } else {
                "is cut off"
            };
            return Err(Fault::EndedEarly.error(format!(
                "{shown} {what}: it ends at {seen:.3} s of {:.3} s; {frames} frames could be read",
                promised as f64 / 1e6
            )));
        }
        Ok(())
    }

    /// Whether much of the file comes after the last packet: a broken size makes the demuxer jump over what follows.
    fn passed_over(&self) -> bool {
        std::fs::metadata(&self.path).is_ok_and(|file| {
            let length = file.len();
            length.saturating_sub(self.read_up_to) > length / SHARE_AFTER_PACKETS
        })
    }

    /// The verdict before the end of the file, when the rest is not needed.
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
