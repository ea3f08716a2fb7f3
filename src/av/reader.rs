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

/// Microseconds, in which film time counts.
pub(crate) const MICROSECONDS: Rational = Rational(1, SECOND as i32);
/// How many pictures are looked at to learn whether the clock of the whole file changes or only that of the sound.
const LOOK_AHEAD: usize = 64;
/// The most packets of all streams read for that.
const MOST_AHEAD: usize = 4096;
/// MP4 begins at zero, and what comes before the first picture is part of the film. Only fragments cut out of a
/// broadcast have a clock of their own, which shows far more than this.
const LONGEST_LEAD: i64 = 10 * SECOND;
/// A search ends up at a key frame by decoding time, which may be this much before the time of its picture.
const SEEK_MARGIN: i64 = SECOND;

/// An open file. The same file read twice gives the same times.
pub(crate) struct Reader {
    input: Input,
    video: usize,
    timeline: Timeline,
    start: i64,
    /// When the first picture after each change of the clock is shown.
    breaks: Vec<i64>,
    /// Read to learn what comes.
    ahead: VecDeque<Result<Packet, ffmpeg::Error>>,
}

impl Reader {
    /// Opens a file that holds a video.
    ///
    /// # Errors
    /// [`Fault::Input`](crate::error::Fault::Input) for a file that is none.
    pub(crate) fn open(path: &Path) -> Result<Self> {
        let input = demux::open(path)?;
        let video = demux::best_video(&input, path)?.index();
        let start = start(&input, video);
        let leading = input.streams().map(|stream| leads(&stream)).collect();
        let timeline = Timeline::new(start, leading, video, is_discontinuous(&input));
        Ok(Self { input, video, timeline, start, breaks: Vec::new(), ahead: VecDeque::new() })
    }

    /// The open file. Its header speaks in the file's own times.
    pub(crate) fn input(&self) -> &Input {
        &self.input
    }

    /// The stream to annotate.
    pub(crate) fn video(&self) -> usize {
        self.video
    }

    /// What the file's own clock shows at film time 0, in microseconds.
    pub(crate) fn start(&self) -> i64 {
        self.start
    }

    /// Where the file's clock changes, in microseconds of film time, as far as it has been read.
    pub(crate) fn breaks(&self) -> &[i64] {
        &self.breaks
    }

    /// Leaves out streams, by index. Pictures and sound are read in any case: their times depend on one another.
    pub(crate) fn discard(&mut self, unwanted: impl Fn(usize) -> bool) {
        let free: Vec<_> = self.input.streams().map(|stream| !leads(&stream)).collect();
        demux::discard(&mut self.input, |index| free[index] && unwanted(index));
    }

    /// Goes to a key frame before a film time, where the format has an index that leads there. Elsewhere, and where
    /// it fails, the file is read on from where it is.
    pub(crate) fn seek(&mut self, time: i64) {
        if is_mp4(&self.input) || self.input.format().name().contains("matroska") {
            let target = time + self.start - SEEK_MARGIN;
            if target > self.start {
                // Whoever reads passes over what comes before the time, be it much or little.
                let _ = self.input.seek(target, ..target);
            }
        }
    }

    /// The next packet, with its times in film time but ticks of its own stream.
    ///
    /// # Errors
    /// As libav has them: `Eof` at the end, `InvalidData` for what cannot be read though more may come.
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

    /// Whether a new clock is about to begin for the pictures, and what film time is ahead of it.
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

/// When a packet is to be decoded and how long it is, in microseconds.
fn times(packet: &Packet, base: Rational) -> (Option<i64>, i64) {
    (packet.dts().map(|dts| dts.rescale(base, MICROSECONDS)), packet.duration().rescale(base, MICROSECONDS))
}

fn read_raw(input: &mut Input) -> Result<Packet, ffmpeg::Error> {
    let mut packet = Packet::empty();
    packet.read(input).map(|()| packet)
}

/// Whether a stream's times matter to the others: pictures and sound, no covers.
fn leads(stream: &Stream) -> bool {
    matches!(stream.parameters().medium(), media::Type::Video | media::Type::Audio)
        && !stream.disposition().contains(Disposition::ATTACHED_PIC)
}

/// What the file's clock shows where the film begins.
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
        // Before zero comes sound that warms up its decoder, except where clocks begin anywhere.
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
