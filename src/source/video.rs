//! Video files, decoded with libav to upright planes with times in ticks of the stream.

use std::collections::VecDeque;
use std::path::Path;
use std::time::Instant;

use anyhow::Result;
use ffmpeg_next as ffmpeg;
use ffmpeg_next::codec::{Id, threading};
use ffmpeg_next::format::stream::Stream;
use ffmpeg_next::frame::Video;
use ffmpeg_next::{Packet, Rational, Rescale as _, decoder, frame, packet};

use super::{Part, Source, SourceInfo};
use crate::av::convert::{self, Converter};
use crate::av::damage::Damage;
use crate::av::deinterlace::Deinterlacer;
use crate::av::demux::frame_rate;
use crate::av::fields;
use crate::av::orient::Orientation;
use crate::av::reader::{MICROSECONDS, Reader};
use crate::av::{tags, timeline};
use crate::error::{Blame, Fault};
use crate::frame::{Fields, Frame, MediaTime, Stage};

/// More decoder threads gain little, and each holds a picture in memory.
const MAX_THREADS: usize = 4;
/// After this many errors in a row from the demuxer, the file counts as ended.
const MAX_ERRORS_IN_A_ROW: u32 = 100_000;
/// The most packets that are kept, since the last key frame, while searching for the key frame before a time.
const MAX_HELD: usize = 5_000;
/// Interlaced 4:2:0 pictures in H.264 have a multiple of this many rows.
const INTERLACED_ROWS: usize = 4;
/// Times in seconds are rounded to this in the data, so users can pass such rounded values.
const ROUNDING: f64 = 1e-6;

/// A video file.
pub struct VideoSource {
    info: SourceInfo,
    reader: Reader,
    decoder: decoder::Opened,
    /// Packets that were read while searching for the first frame.
    held: VecDeque<Packet>,
    /// The last picture from the decoder: the next frame.
    raw: Video,
    /// Its time, or `None` if there are no more frames.
    upcoming: Option<i64>,
    /// The picture of the frame being delivered. Its duration is only known once the next one is decoded.
    current: Video,
    raw_size: (u32, u32),
    orientation: Orientation,
    converter: Converter,
    /// What pictures are that do not say whether they are interlaced.
    unmarked: Fields,
    /// Makes interlaced pictures whole; `None` before the first one and if they stay as they are.
    deinterlacer: Option<Box<Deinterlacer>>,
    n_deinterlaced: u64,
    /// Whether it is known, and said, that all of them are interlaced.
    is_interlaced: bool,
    damage: Damage,
    /// The time of the last decoded picture, whether or not it is in the selected part.
    last_ticks: Option<i64>,
    /// Whether a picture past the end of the selected part was decoded.
    is_past_end: bool,
    index: u64,
}

impl VideoSource {
    /// Opens a file and decodes its first picture. `threads` is for the decoder; 0 picks a sensible number.
    ///
    /// # Errors
    /// [`Fault::Input`] if the file is not a video or has no decodable picture.
    pub fn open(path: &Path, threads: usize) -> Result<Self> {
        Self::open_part(path, threads, Part::default(), false)
    }

    /// Like [`open`](Self::open), but for part of a file; `deinterlace` makes whole pictures of interlaced ones. They are
    /// made whole anyway if they cannot stay as they are: if they are turned, have a size that H.264 cannot have
    /// interlaced, or come in a video that began otherwise.
    ///
    /// # Errors
    /// As [`open`](Self::open), and [`Fault::Input`] if there is no frame in that part.
    pub fn open_part(path: &Path, threads: usize, part: Part, deinterlace: bool) -> Result<Self> {
        let reader = Reader::open(path)?;
        let mut info = SourceInfo::empty(path);
        let decoder = match reader.input().stream(reader.video()) {
            Some(stream) => {
                info.time_base = (stream.time_base().0, stream.time_base().1);
                open_decoder(&stream, threads, path)?
            }
            None => return Err(Fault::Failure.error("the stream of pictures is lost")),
        };
        info.start = reader.start() as f64 / timeline::SECOND as f64;
        info.begin = part.start.filter(|&start| start > 0.0).map(|start| first_tick(start, info.time_base));
        info.end = part.end.map(|end| first_tick(end, info.time_base));
        let mut source = Self {
            damage: Damage::new(path, reader.input(), reader.start()),
            info,
            reader,
            decoder,
            held: VecDeque::new(),
            raw: Video::empty(),
            upcoming: None,
            current: Video::empty(),
            raw_size: (0, 0),
            orientation: Orientation::default(),
            converter: Converter::default(),
            unmarked: Fields::Progressive,
            deinterlacer: None,
            n_deinterlaced: 0,
            is_interlaced: false,
            last_ticks: None,
            is_past_end: false,
            index: 0,
        };
        if let Some(begin) = source.info.begin {
            let base = source.base();
            source.held = packets_before(&mut source.reader, begin, base);
        }
        source.advance();
        if source.upcoming.is_none() {
            return Err(source.nothing(part));
        }
        if source.info.begin.is_some() {
            source.info.begin = source.upcoming;
        }
        source.describe();
        source.describe_fields(deinterlace);
        Ok(source)
    }

    /// Decodes up to the next frame of the selected part.
    fn advance(&mut self) {
        self.upcoming = None;
        while !self.is_past_end && self.decode() {
            let ticks = self.ticks();
            self.last_ticks = Some(ticks);
            self.is_past_end = self.info.end.is_some_and(|end| ticks >= end);
            if !self.is_past_end && self.info.begin.is_none_or(|begin| ticks >= begin) {
                self.upcoming = Some(ticks);
                return;
            }
        }
    }

    /// How long the frame at `ticks` is shown before `upcoming`.
    fn length(&self, ticks: i64) -> i64 {
        let last = |last: i64| last.max(ticks) - ticks;
        let length = match (self.upcoming, self.last_ticks.filter(|_| self.is_past_end)) {
            (Some(next), _) | (None, Some(next)) => last(next),
            (None, None) => {
                let stream = self.reader.input().stream(self.reader.video());
                let tagged =
                    stream.and_then(|stream| tags::end(&stream)).map(|end| end - self.reader.start());
                let end = self.damage.last_picture_end(tagged);
                let promised = end.map_or(0, |end| last(end.rescale(MICROSECONDS, self.base())));
                self.current.packet().duration.max(promised)
            }
        };
        self.info.end.map_or(length, |end| length.min(last(end)))
    }

    fn base(&self) -> Rational {
        Rational(self.info.time_base.0, self.info.time_base.1)
    }

    /// The error for a part without a frame.
    fn nothing(&mut self, part: Part) -> anyhow::Error {
        let Some(last) = self.last_ticks else { return self.damage.nothing() };
        let shown = self.info.files[0].display();
        let last = MediaTime { ticks: last, base: self.info.time_base }.seconds();
        match (part.start, part.end) {
            (Some(start), Some(end)) if self.is_past_end => {
                Fault::Input.error(format!("{shown} has no frame between {start} s and {end} s"))
            }
            (Some(start), _) => Fault::Input
                .error(format!("{shown} has no frame at {start} s or later; its last one is at {last:.3} s")),
            _ => {
                Fault::Input.error(format!("{shown} has no frame so early; its first one is at {last:.3} s"))
            }
        }
    }

    /// Fills in what is known from the header and the first picture.
    fn describe(&mut self) {
        self.raw_size = (self.raw.width(), self.raw.height());
        let Some(stream) = self.reader.input().stream(self.reader.video()) else { return };
        self.orientation = orientation(&stream, &self.raw);
        let size = self.orientation.turn(self.raw_size);
        let rate = frame_rate(&stream);
        self.info.size = (size.0 as usize, size.1 as usize);
        self.info.frame_rate = rate.map(|rate| (rate.0, rate.1));
        self.info.frames = u64::try_from(stream.frames()).ok().filter(|&frames| frames > 0).or_else(|| {
            let seconds = self.reader.input().duration() as f64 / f64::from(ffmpeg::ffi::AV_TIME_BASE);
            rate.map(|rate| (seconds * f64::from(rate)).round() as u64).filter(|&frames| frames > 0)
        });
        if let (Some(frames), Some(rate)) = (self.info.frames, rate) {
            let frame = |ticks: i64| (ticks as f64 * f64::from(self.base()) * f64::from(rate)).round() as u64;
            let end = self.info.end.map_or(frames, |end| frame(end).min(frames));
            self.info.frames = Some(end.saturating_sub(self.info.begin.map_or(0, frame)));
        }
        self.info.pixel_aspect = pixel_aspect(&stream, &self.raw).map(|aspect| self.orientation.turn(aspect));
        self.info.color = convert::color_tags(&self.raw);
        self.info.range_stated = convert::range(&self.raw).is_some();
    }

    /// Decides what becomes of interlaced pictures, and says if they are made whole.
    fn describe_fields(&mut self, deinterlace: bool) {
        let stated = self.reader.input().stream(self.reader.video());
        let stated = stated.map_or(Fields::Progressive, |stream| fields::stated(&stream));
        let marked = fields::marked(&self.raw, self.decoder.id());
        self.unmarked = if marked == Fields::Progressive { stated } else { Fields::Progressive };
        let found = if marked == Fields::Progressive { stated } else { marked };
        let why = if found == Fields::Progressive {
            return;
        } else if deinterlace {
            ""
        } else if self.orientation != Orientation::default() {
            ", since the pictures are turned"
        } else if !self.info.size.1.is_multiple_of(INTERLACED_ROWS) {
            ", since its height is no multiple of 4"
        } else {
            self.info.fields = found;
            return;
        };
        self.deinterlacer = Some(Box::default());
        self.is_interlaced = true;
        log::warn!("{} is interlaced and is deinterlaced{why}", self.info.files[0].display());
    }

    /// Fills `frame` with the current picture.
    fn convert(&mut self, frame: &mut Frame) -> Result<()> {
        let marked = fields::marked(&self.current, self.decoder.id());
        let fields = if marked == Fields::Progressive { self.unmarked } else { marked };
        let Self { converter, current, orientation, deinterlacer, info, .. } = self;
        let is_foreign = fields != Fields::Progressive && info.fields == Fields::Progressive;
        let needs_one = deinterlacer.is_some() || is_foreign;
        let result = if needs_one {
            let deinterlacer = deinterlacer.get_or_insert_default();
            let result = converter.convert(current, fields, Orientation::default(), deinterlacer.input());
            deinterlacer.apply(fields, *orientation, &mut frame.image);
            self.n_deinterlaced += u64::from(is_foreign);
            result
        } else {
            converter.convert(current, fields, *orientation, &mut frame.image)
        };
        frame.fields = if needs_one { Fields::Progressive } else { fields };
        frame.captions.clear();
        if let Some(captions) = self.current.side_data(frame::side_data::Type::A53CC) {
            frame.captions.extend_from_slice(captions.data());
        }
        let shown = self.info.files[0].display();
        result.blame(Fault::Input, || format!("cannot convert the pictures of {shown}"))
    }

    /// Decodes the next picture into `raw`; `false` when the decoder is empty.
    fn decode(&mut self) -> bool {
        let mut errors = 0;
        loop {
            match self.decoder.receive_frame(&mut self.raw) {
                Ok(()) => {
                    self.damage.picture(&self.raw);
                    return true;
                }
                Err(ffmpeg::Error::Eof) => return false,
                Err(ffmpeg::Error::Other { errno: ffmpeg::error::EAGAIN }) => self.feed(),
                Err(error) => {
                    self.damage.undecoded(error);
                    errors += 1;
                    if errors > MAX_ERRORS_IN_A_ROW {
                        return false;
                    }
                }
            }
        }
    }

    /// Sends the decoder the next packet of the stream, or the end of stream.
    fn feed(&mut self) {
        let mut errors = 0;
        loop {
            let joints = self.reader.breaks().len();
            let packet = self.held.pop_front().map_or_else(|| self.reader.read(), Ok);
            if self.reader.breaks().len() > joints {
                self.damage.joint(packet.as_ref().is_ok_and(|packet| packet.is_key()));
            }
            match packet {
                Ok(packet) => {
                    let Some(stream) = self.reader.input().stream(packet.stream()) else { continue };
                    let ours = packet.stream() == self.reader.video();
                    self.damage.packet(&packet, stream.time_base(), ours);
                    // The decoder would take an empty packet as the end of the stream.
                    if ours && packet.size() > 0 {
                        if let Err(error) = self.decoder.send_packet(&packet) {
                            self.damage.undecoded(error);
                        }
                        return;
                    }
                }
                Err(ffmpeg::Error::InvalidData) if errors < MAX_ERRORS_IN_A_ROW => {
                    self.damage.unread(ffmpeg::Error::InvalidData);
                    errors += 1;
                }
                Err(error) => {
                    if error != ffmpeg::Error::Eof {
                        self.damage.unread(error);
                    }
                    // With several threads, errors of earlier packets surface here; the decoder drains anyway.
                    if let Err(error) = self.decoder.send_eof() {
                        self.damage.undecoded(error);
                    }
                    return;
                }
            }
        }
    }

    /// The picture's time: its own time stamp if it has one, but always later than the last.
    fn ticks(&self) -> i64 {
        let Some(last) = self.last_ticks else { return self.raw.timestamp().unwrap_or(0) };
        match self.raw.timestamp() {
            Some(ticks) if ticks > last => ticks,
            Some(_) => last.saturating_add(1),
            None => last.saturating_add(self.info.frame_ticks()),
        }
    }

    fn size_changed(&self, time: MediaTime) -> anyhow::Error {
        let ((width, height), (new_width, new_height)) =
            (self.raw_size, (self.current.width(), self.current.height()));
        Fault::EndedEarly.error(format!(
            "{}: the picture changes from {width}×{height} to {new_width}×{new_height} at {:.3} s; \
             split the file there and give the parts one by one",
            self.info.files[0].display(),
            time.seconds()
        ))
    }
}

impl Source for VideoSource {
    fn next(&mut self, frame: &mut Frame) -> Result<bool> {
        let start = Instant::now();
        let Some(ticks) = self.upcoming else {
            return match self.is_past_end {
                true => self.damage.verdict_so_far(self.index),
                false => self.damage.verdict(self.index),
            }
            .map(|()| false);
        };
        std::mem::swap(&mut self.raw, &mut self.current);
        self.advance();
        frame.time = MediaTime { ticks, base: self.info.time_base };
        frame.length = self.length(ticks);
        if (self.current.width(), self.current.height()) != self.raw_size {
            return Err(self.size_changed(frame.time));
        }
        self.convert(frame)?;
        frame.index = self.index;
        self.index += 1;
        frame.captured = Instant::now();
        frame.timing.clear();
        frame.timing.since(Stage::Decode, start);
        Ok(true)
    }

    fn info(&self) -> &SourceInfo {
        &self.info
    }
}

impl Drop for VideoSource {
    /// Reports once, however the run ends, where the file's clock changed and what was found too late to be kept.
    fn drop(&mut self) {
        if self.n_deinterlaced > 0 && !self.is_interlaced {
            let (shown, count, all) = (self.info.files[0].display(), self.n_deinterlaced, self.index);
            log::warn!("{shown}: {count} of its {all} pictures were interlaced and are deinterlaced");
        }
        if let Some(places) = places(self.reader.breaks()) {
            let shown = self.info.files[0].display();
            log::warn!(
                "{shown}: its time stamps start anew or jump at {places}; the parts follow without a gap"
            );
        }
    }
}

/// A few of the times as text; `None` if there are none.
fn places(times: &[i64]) -> Option<String> {
    const SHOWN: usize = 5;
    let seconds = |&time: &i64| format!("{:.3} s", time as f64 / timeline::SECOND as f64);
    let shown: Vec<_> = times.iter().take(SHOWN).map(seconds).collect();
    match times.len().saturating_sub(SHOWN) {
        0 if shown.is_empty() => None,
        0 => Some(shown.join(", ")),
        more => Some(format!("{} and {more} more times", shown.join(", "))),
    }
}

/// Reads up to a time, in ticks of `base`, and returns the packets since the last key frame before it.
pub(super) fn packets_before(reader: &mut Reader, begin: i64, base: Rational) -> VecDeque<Packet> {
    reader.seek(begin.rescale(base, MICROSECONDS));
    let (mut held, mut errors) = (VecDeque::new(), 0);
    while errors < MAX_ERRORS_IN_A_ROW && held.len() < MAX_HELD {
        match reader.read() {
            Ok(packet) if packet.stream() == reader.video() && packet.size() > 0 => {
                if packet.is_key() && packet.pts().or(packet.dts()).is_some_and(|time| time <= begin) {
                    held.clear();
                }
                let is_past = packet.dts().or(packet.pts()).is_some_and(|time| time > begin);
                held.push_back(packet);
                if is_past {
                    break;
                }
            }
            Ok(_) => {}
            Err(ffmpeg::Error::InvalidData) => errors += 1,
            Err(_) => break,
        }
    }
    held
}

/// The first tick at or after a time.
fn first_tick(seconds: f64, base: (i32, i32)) -> i64 {
    ((seconds - ROUNDING) * f64::from(base.1) / f64::from(base.0)).ceil() as i64
}

fn open_decoder(stream: &Stream, threads: usize, path: &Path) -> Result<decoder::Opened> {
    let parameters = stream.parameters();
    let codec = parameters.id();
    let open = || {
        let mut decoder = ffmpeg::codec::Context::from_parameters(parameters)?.decoder();
        decoder.set_packet_time_base(stream.time_base());
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let count = if threads == 0 { cores.min(MAX_THREADS) } else { threads };
        decoder.set_threading(threading::Config { count, ..threading::Config::kind(threading::Type::Frame) });
        decoder.open_as(decoder::find(codec).ok_or(ffmpeg::Error::DecoderNotFound)?)
    };
    open().map_err(|error| {
        let name = if codec == Id::None { "an unknown codec".into() } else { format!("{codec:?}") };
        let advice = "convert it to H.264 with a program that knows it";
        Fault::Input.error(format!("{}: no decoder for {name} ({error}); {advice}", path.display()))
    })
}

/// The orientation from the display matrix that cameras write: in the container or, failing that, in the picture.
fn orientation(stream: &Stream, raw: &Video) -> Orientation {
    let container = stream.side_data().find(|data| data.kind() == packet::side_data::Type::DisplayMatrix);
    let picture = raw.side_data(frame::side_data::Type::DisplayMatrix);
    let matrix = container.and_then(|data| parse_matrix(data.data()));
    let matrix = matrix.or_else(|| picture.and_then(|data| parse_matrix(data.data())));
    matrix.map_or(Orientation::default(), Orientation::from_matrix)
}

/// The upper left 2×2 part of a 3×3 matrix of native-endian 32-bit numbers.
fn parse_matrix(bytes: &[u8]) -> Option<[i32; 4]> {
    let number = |i: usize| bytes.get(i * 4..i * 4 + 4)?.try_into().ok().map(i32::from_ne_bytes);
    Some([number(0)?, number(1)?, number(3)?, number(4)?])
}

/// The container's pixel aspect, otherwise the codec's; `None` if neither is set.
fn pixel_aspect(stream: &Stream, raw: &Video) -> Option<(i32, i32)> {
    // SAFETY: the stream belongs to the open input from which it is borrowed.
    let container = unsafe { (*stream.as_ptr()).sample_aspect_ratio };
    let aspects = [(container.num, container.den), (raw.aspect_ratio().0, raw.aspect_ratio().1)];
    aspects.into_iter().find(|&(width, height)| width > 0 && height > 0)
}
