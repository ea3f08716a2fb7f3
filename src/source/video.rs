//! Video files through libav, decoded to upright planes with the stream's own time stamps.

use std::path::Path;
use std::time::Instant;

use anyhow::Result;
use ffmpeg_next as ffmpeg;
use ffmpeg_next::codec::{Id, threading};
use ffmpeg_next::format::context::Input;
use ffmpeg_next::format::stream::Stream;
use ffmpeg_next::frame::Video;
use ffmpeg_next::{Packet, decoder, frame, packet};

use super::{Source, SourceInfo};
use crate::av::convert::{self, Converter};
use crate::av::damage::Damage;
use crate::av::demux;
use crate::av::orient::Orientation;
use crate::error::{Blame, Fault};
use crate::frame::{Frame, MediaTime, Stage};

/// More decoder threads than this gain little and hold a picture each.
const MAX_THREADS: usize = 4;
/// The end of a file for a demuxer that finds nothing but errors.
const MAX_ERRORS_IN_A_ROW: u32 = 100_000;

/// A video file.
pub struct VideoSource {
    info: SourceInfo,
    input: Input,
    stream: usize,
    decoder: decoder::Opened,
    /// The picture that the decoder gave last.
    raw: Video,
    /// Whether `raw` still waits to be delivered: the first picture is decoded on opening.
    pending: bool,
    raw_size: (u32, u32),
    orientation: Orientation,
    converter: Converter,
    damage: Damage,
    last_ticks: Option<i64>,
    index: u64,
}

impl VideoSource {
    /// Opens a file and decodes its first picture. `threads` is for the decoder, 0 for as many as are sensible.
    ///
    /// # Errors
    /// [`Fault::Input`] when the file is not a video or holds no picture that can be decoded.
    pub fn open(path: &Path, threads: usize) -> Result<Self> {
        let input = demux::open(path)?;
        let stream = demux::best_video(&input, path)?;
        let decoder = open_decoder(&stream, threads, path)?;
        let stream = stream.index();
        let mut source = Self {
            info: SourceInfo::empty(path),
            damage: Damage::new(path, &input),
            input,
            stream,
            decoder,
            raw: Video::empty(),
            pending: false,
            raw_size: (0, 0),
            orientation: Orientation::default(),
            converter: Converter::default(),
            last_ticks: None,
            index: 0,
        };
        if !source.decode() {
            return Err(source.damage.nothing());
        }
        source.pending = true;
        source.describe();
        Ok(source)
    }

    /// Fills in what the header and the first picture tell.
    fn describe(&mut self) {
        self.raw_size = (self.raw.width(), self.raw.height());
        let Some(stream) = self.input.stream(self.stream) else { return };
        self.orientation = orientation(&stream, &self.raw);
        let size = self.orientation.turn(self.raw_size);
        let rate = [stream.avg_frame_rate(), stream.rate()].into_iter().find(|rate| rate.0 > 0 && rate.1 > 0);
        self.info.size = (size.0 as usize, size.1 as usize);
        self.info.time_base = (stream.time_base().0, stream.time_base().1);
        self.info.frame_rate = rate.map(|rate| (rate.0, rate.1));
        self.info.frames = u64::try_from(stream.frames()).ok().filter(|&frames| frames > 0).or_else(|| {
            let seconds = self.input.duration() as f64 / f64::from(ffmpeg::ffi::AV_TIME_BASE);
            rate.map(|rate| (seconds * f64::from(rate)).round() as u64).filter(|&frames| frames > 0)
        });
        self.info.pixel_aspect = pixel_aspect(&stream, &self.raw).map(|aspect| self.orientation.turn(aspect));
        self.info.color = convert::color_tags(&self.raw);
        self.info.range_stated = convert::range(&self.raw).is_some();
    }

    /// Gets the next picture into `raw`; false when the decoder is empty.
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

    /// Gives the decoder the next packet of the stream, or the end.
    fn feed(&mut self) {
        let mut errors = 0;
        loop {
            let mut packet = Packet::empty();
            match packet.read(&mut self.input) {
                Ok(()) => {
                    let Some(stream) = self.input.stream(packet.stream()) else { continue };
                    self.damage.packet(&packet, stream.time_base(), packet.stream() == self.stream);
                    // To the decoder a packet without data would be the end of the stream.
                    if packet.stream() == self.stream && packet.size() > 0 {
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
                    // With several threads, errors of earlier packets come out here; the decoder empties itself anyhow.
                    if let Err(error) = self.decoder.send_eof() {
                        self.damage.undecoded(error);
                    }
                    return;
                }
            }
        }
    }

    /// The picture's time: the stream's own where it has one, later than the last in any case.
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
            (self.raw_size, (self.raw.width(), self.raw.height()));
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
        if !std::mem::take(&mut self.pending) && !self.decode() {
            return self.damage.verdict(self.index).map(|()| false);
        }
        frame.time = MediaTime { ticks: self.ticks(), base: self.info.time_base };
        if (self.raw.width(), self.raw.height()) != self.raw_size {
            return Err(self.size_changed(frame.time));
        }
        self.converter.convert(&self.raw, self.orientation, &mut frame.image).blame(Fault::Input, || {
            format!("cannot convert the pictures of {}", self.info.files[0].display())
        })?;
        self.last_ticks = Some(frame.time.ticks);
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

/// How the pictures lie, from the display matrix that cameras write: in the container or, failing that, in the picture.
fn orientation(stream: &Stream, raw: &Video) -> Orientation {
    let container = stream.side_data().find(|data| data.kind() == packet::side_data::Type::DisplayMatrix);
    let picture = raw.side_data(frame::side_data::Type::DisplayMatrix);
    let matrix = container.and_then(|data| parse_matrix(data.data()));
    let matrix = matrix.or_else(|| picture.and_then(|data| parse_matrix(data.data())));
    matrix.map_or(Orientation::default(), Orientation::from_matrix)
}

/// The upper left part of a 3×3 matrix of native-endian 32-bit numbers.
fn parse_matrix(bytes: &[u8]) -> Option<[i32; 4]> {
    let number = |i: usize| bytes.get(i * 4..i * 4 + 4)?.try_into().ok().map(i32::from_ne_bytes);
    Some([number(0)?, number(1)?, number(3)?, number(4)?])
}

/// The container's pixel aspect, else the codec's; `None` where neither says anything.
fn pixel_aspect(stream: &Stream, raw: &Video) -> Option<(i32, i32)> {
    // SAFETY: the stream belongs to the open input that it borrows from.
    let container = unsafe { (*stream.as_ptr()).sample_aspect_ratio };
    let aspects = [(container.num, container.den), (raw.aspect_ratio().0, raw.aspect_ratio().1)];
    aspects.into_iter().find(|&(width, height)| width > 0 && height > 0)
}
