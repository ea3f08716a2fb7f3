//! Reads the packets of a media file in film time.

use std::collections::VecDeque;
use std::path::Path;

use anyhow::Result;
use ffmpeg_next as ffmpeg;
use ffmpeg_next::format::context::Input;
use ffmpeg_next::format::stream::{Disposition, Stream};
use ffmpeg_next::{Packet, Rational, Rescale as _, ffi, media};

use super::demux;
use super::timeline::{SECOND, Timeline};

/// The time base of film time: microseconds.
pub(crate) const MICROSECONDS: Rational = Rational(1, SECOND as i32);
/// How many pictures are checked to find out whether the clock of the whole file changes or only that of the sound.
const LOOK_AHEAD: usize = 64;
/// The most packets, of all streams, that are read for the look-ahead.
const MOST_AHEAD: usize = 4096;
/// MP4 begins at zero, and what comes before the first picture is part of the film. Only fragments cut from a
/// broadcast have a clock of their own, which starts at far more than this.
const LONGEST_LEAD: i64 = 10 * SECOND;
/// A seek finds a key frame by its decoding time, which may be this much before its presentation time.
const SEEK_MARGIN: i64 = SECOND;

/// An open file. The same file read twice gives the same times.
pub(crate) struct Reader {
    input: Input,
    video: usize,
    timeline: Timeline,
    start: i64,
    /// The presentation time of the first picture after each clock change.
    breaks: Vec<i64>,
    /// Packets read by the look-ahead.
    ahead: VecDeque<Result<Packet, ffmpeg::Error>>,
}

impl Reader {
    /// Opens a file that holds a video.
    ///
    /// # Errors
    /// [`Fault::Input`](crate::error::Fault::Input) if the file is not a video.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let input = demux::open(path)?;
        let video = demux::best_video(&input, path)?.index();
        let start = start(&input, video);
        let leading = input.streams().map(|stream| leads(&stream)).collect();
        let timeline = Timeline::new(start, leading, video, is_discontinuous(&input));
        Ok(Self { input, video, timeline, start, breaks: Vec::new(), ahead: VecDeque::new() })
    }

    /// The open file. Times in its header are on the file's own clock.
    pub(crate) fn input(&self) -> &Input {
        &self.input
    }

    /// The stream to annotate.
    pub(crate) fn video(&self) -> usize {
        self.video
    }

    /// The time on the file's own clock at film time 0, in microseconds.
    pub(crate) fn start(&self) -> i64 {
        self.start
    }

    /// Where the file's clock changes, in microseconds of film time, in what has been read so far.
    pub(crate) fn breaks(&self) -> &[i64] {
        &self.breaks
    }

    /// Skips streams, by index. Pictures and sound are always read: their times depend on each other.
    pub(crate) fn discard(&mut self, unwanted: impl Fn(usize) -> bool) {
        let free: Vec<_> = self.input.streams().map(|stream| !leads(&stream)).collect();
        demux::discard(&mut self.input, |index| free[index] && unwanted(index));
    }

    /// Seeks to a key frame before a film time, if the format has an index for that. Otherwise, and if seeking
    /// fails, reading continues from the current position.
    pub(crate) fn seek(&mut self, time: i64) {
        if is_mp4(&self.input) || self.input.format().name().contains("matroska") {
            let target = time + self.start - SEEK_MARGIN;
            if target > self.start {
                // Callers skip everything before that time, whether or not the seek worked.
                let _ = self.input.seek(target, ..target);
            }
        }
    }

    /// The next packet, with its times in film time, in ticks of its own stream.
    ///
    /// # Errors
    /// libav's own: `Eof` at the end, `InvalidData` for what cannot be read, although more may follow.
    pub(crate) fn read(&mut self) -> Result<Packet, ffmpeg::Error> {
        let mut packet = self.ahead.pop_front().unwrap_or_else(|| read_raw(&mut self.input))?;
        let Some(base) = self.base(packet.stream()) else { return Ok(packet) };
        let (time, duration) = times(&packet, base);
        if self.timeline.is_lost(packet.stream(), time)
            && let Some(clock) = self.look_ahead()
        {
            self.timeline.add_clock(clock);
        }
        let shift = self.timeline.place(packet.stream(), time, duration).rescale(MICROSECONDS, base);
        packet.set_pts(packet.pts().map(|pts| pts.saturating_add(shift)));
        packet.set_dts(packet.dts().map(|dts| dts.saturating_add(shift)));
        if self.timeline.breaks() > self.breaks.len() {
            let shown = packet.pts().or(packet.dts()).unwrap_or(0);
            self.breaks.push(shown.rescale(base, MICROSECONDS));
        }
        Ok(packet)
    }

    /// If a new clock is about to begin for the pictures: the offset from it to film time.
    fn look_ahead(&mut self) -> Option<i64> {
        let base = self.base(self.video)?;
        let (mut track, mut pictures) = (self.timeline.ahead(), 0);
        for index in 0..MOST_AHEAD {
            if index == self.ahead.len() {
                self.ahead.push_back(read_raw(&mut self.input));
            }
            match &self.ahead[index] {
                Ok(packet) if packet.stream() == self.video => {
                    let (time, duration) = times(packet, base);
                    let found = time.and_then(|time| self.timeline.finds_break(&mut track, time, duration));
                    pictures += 1;
                    if found.is_some() || pictures == LOOK_AHEAD {
                        return found;
                    }
                }
                Ok(_) | Err(ffmpeg::Error::InvalidData) => {}
                Err(_) => return None,
            }
        }
        None
    }

    fn base(&self, stream: usize) -> Option<Rational> {
        self.input.stream(stream).map(|stream| stream.time_base())
    }
}

/// The decoding time and duration of a packet, in microseconds.
fn times(packet: &Packet, base: Rational) -> (Option<i64>, i64) {
    (packet.dts().map(|dts| dts.rescale(base, MICROSECONDS)), packet.duration().rescale(base, MICROSECONDS))
}

fn read_raw(input: &mut Input) -> Result<Packet, ffmpeg::Error> {
    let mut packet = Packet::empty();
    packet.read(input).map(|()| packet)
}

/// Whether a stream's times affect the others: pictures and sound, but not covers.
fn leads(stream: &Stream) -> bool {
    matches!(stream.parameters().medium(), media::Type::Video | media::Type::Audio)
        && !stream.disposition().contains(Disposition::ATTACHED_PIC)
}

/// The time on the file's clock at which the film begins.
fn start(input: &Input, video: usize) -> i64 {
    let of = |stream: Stream| {
        let start = stream.start_time();
        (start != ffi::AV_NOPTS_VALUE).then(|| start.rescale(stream.time_base(), MICROSECONDS))
    };
    let earliest = input.streams().filter(leads).filter_map(of).min().unwrap_or(0);
    let pictures = input.stream(video).and_then(of).unwrap_or(0);
    let counts = if is_mp4(input) {
        earliest > LONGEST_LEAD
    } else {
        // Sound before zero only primes its decoder, except in formats whose clocks can start anywhere.
        earliest > 0 || pictures < 0 || is_discontinuous(input)
    };
    if counts { earliest } else { 0 }
}

fn is_mp4(input: &Input) -> bool {
    input.format().name().contains("mp4")
}

/// Whether clocks of this format are known to jump.
fn is_discontinuous(input: &Input) -> bool {
    // SAFETY: the format of an open input is a constant inside libavformat.
    unsafe { (*(*input.as_ptr()).iformat).flags & ffi::AVFMT_TS_DISCONT != 0 }
}
