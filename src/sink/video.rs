//! The annotated video: encoded pictures at the input's times, and all that the input holds besides.

use std::path::Path;

use anyhow::{Error, Result};
use ffmpeg_next as ffmpeg;
use ffmpeg_next::format::Flags;
use ffmpeg_next::format::context::{Output, StreamIo};
use ffmpeg_next::{Dictionary, Rational};

use super::End;
use super::encode::Encoder;
use super::partial::Partial;
use super::remux::Remux;
use crate::error::{Blame, Fault};
use crate::frame::Frame;
#[cfg(feature = "cli")]
use crate::frame::Stage;
use crate::source::{SourceInfo, demux};
#[cfg(feature = "cli")]
use crate::track::Tracked;

/// Larger than libav's own, to bother the disk less often.
const WRITE_BUFFER: usize = 1 << 20;
/// Movie clocks finer than this are not worth the risk that a player stumbles over them.
const MAX_MOVIE_TICKS: i64 = 100_000_000;
/// The MP4 muxer doubles coarser clocks until they reach this.
const MIN_TRACK_TICKS: i64 = 10_000;

/// Writes a video file. Dropped without [`finish`](Self::finish), it keeps what is readable as `NAME.partial`.
pub struct VideoSink {
    partial: Partial,
    /// `None` once nothing more can be written.
    writer: Option<Writer>,
    size: (usize, usize),
    frames: u64,
}

/// The open file.
struct Writer {
    output: Output,
    encoder: Encoder,
    remux: Option<Remux>,
    /// Index of the video stream in the output, and its time base there.
    stream: usize,
    base: Rational,
    /// Ticks between frames at the nominal rate, for the end of the last one.
    last_ticks: i64,
    step: i64,
}

impl VideoSink {
    /// Starts the file `out`, with all streams but the annotated one taken from the video `input`.
    ///
    /// # Errors
    /// Everything that can be known before the first frame is said here: [`Fault::Usage`] for a file name without a
    /// known ending, [`Fault::Output`] for a file that cannot be written or cannot hold what `input` holds.
    pub fn create(out: &Path, input: Option<&Path>, info: &SourceInfo, overwrite: bool) -> Result<Self> {
        demux::init();
        let format = container(out)?;
        let partial = Partial::create(out, input, overwrite)?;
        match Writer::open(&partial, format, input, info) {
            Ok(writer) => {
                note_padding(info);
                Ok(Self { partial, writer: Some(writer), size: info.size, frames: 0 })
            }
            Err(error) => {
                partial.salvage();
                Err(error)
            }
        }
    }

    /// Writes a frame. After an error the file takes no more.
    ///
    /// # Errors
    /// [`Fault::Output`] when the file cannot grow; the message names what is left of it.
    pub fn write(&mut self, frame: &Frame) -> Result<()> {
        let Some(writer) = &mut self.writer else {
            return Err(Fault::Failure.error("the output has failed already"));
        };
        let result = if frame.image.size() == self.size {
            writer.write(frame)
        } else {
            let (is, was) = (frame.image.size(), self.size);
            Err(Fault::Failure.error(format!("a frame of {is:?} pixels came into a video of {was:?}")))
        };
        match result {
            Ok(()) => {
                self.frames += 1;
                Ok(())
            }
            Err(error) => Err(self.give_up(&error)),
        }
    }

    /// Completes the file, reads it again, and gives it its name.
    ///
    /// # Errors
    /// [`Fault::Output`] when the file cannot be completed; nothing has its final name then.
    pub fn finish(&mut self, end: End) -> Result<()> {
        let Some(mut writer) = self.writer.take() else {
            return Err(Fault::Failure.error("the output has failed already"));
        };
        if self.frames == 0 {
            drop(writer);
            self.partial.salvage();
            let shown = self.partial.target().display();
            return Err(Fault::Output.error(format!("{shown} is not written: there was no frame to write")));
        }
        if let Err(error) = writer.finish(end) {
            self.writer = Some(writer);
            return Err(self.give_up(&error));
        }
        drop(writer);
        self.partial.publish(self.frames)
    }

    /// Ends the file after a failure and says what is left.
    fn give_up(&mut self, error: &Error) -> Error {
        let left = match self.salvage() {
            Some(frames) => format!("; {frames} frames are left in {}", self.partial.path().display()),
            None => String::new(),
        };
        let shown = self.partial.target().display();
        Fault::Output.error(format!("cannot write {shown}: {error:#}{left}"))
    }

    /// Completes the file as well as it can be; the number of frames that are readable then.
    fn salvage(&mut self) -> Option<u64> {
        let mut writer = self.writer.take()?;
        // An error here follows from the failure that led here, which is told.
        let _ = writer.finish(End::CutShort);
        drop(writer);
        self.partial.salvage()
    }
}

#[cfg(feature = "cli")]
impl super::Sink for VideoSink {
    fn write(&mut self, tracked: &mut Tracked) -> Result<()> {
        let frame = &mut tracked.frame;
        let mut timing = frame.timing;
        let result = timing.measure(Stage::Encode, || self.write(frame));
        frame.timing = timing;
        result
    }

    fn finish(&mut self, end: End) -> Result<()> {
        self.finish(end)
    }
}

impl Drop for VideoSink {
    fn drop(&mut self) {
        if let Some(frames) = self.salvage() {
            log::warn!("{frames} frames are left in {}", self.partial.path().display());
        }
    }
}

impl Writer {
    fn open(partial: &Partial, format: &str, input: Option<&Path>, info: &SourceInfo) -> Result<Self> {
        let shown = partial.target().display();
        let cannot = || format!("cannot write {shown}");
        let io = StreamIo::from_write_seek_with_capacity(partial.writer()?, WRITE_BUFFER);
        let io = io.blame(Fault::Output, cannot)?;
        let mut output =
            ffmpeg::format::output_to_stream(io, None, Some(format)).blame(Fault::Output, cannot)?;
        let global_header = output.format().flags().contains(Flags::GLOBAL_HEADER);
        let encoder = Encoder::open(info, global_header)?;
        let (mut remux, stream) = match input {
            Some(input) => {
                let (remux, stream) = Remux::prepare(input, &mut output, &encoder)?;
                (Some(remux), stream)
            }
            None => (None, output.add_stream_with(encoder.context()).blame(Fault::Output, cannot)?.index()),
        };
        if let Some(mut out) = output.stream_mut(stream) {
            out.set_time_base(encoder.base());
        }
        let options = options(format, info, remux.as_ref());
        output.write_header_with(options).blame(Fault::Output, || format!("cannot begin {shown}"))?;
        if let Some(remux) = &mut remux {
            remux.start(&output);
        }
        let base = output.stream(stream).map_or(encoder.base(), |stream| stream.time_base());
        Ok(Self { output, encoder, remux, stream, base, last_ticks: 0, step: info.frame_ticks() })
    }

    fn write(&mut self, frame: &Frame) -> Result<()> {
        self.encoder.send(&frame.image, frame.time.ticks)?;
        self.last_ticks = frame.time.ticks;
        self.drain()?;
        self.copy_until(Some(frame.time.ticks))
    }

    /// Writes what the encoder has ready.
    fn drain(&mut self) -> Result<()> {
        while let Some(mut packet) = self.encoder.receive()? {
            packet.rescale_ts(self.encoder.base(), self.base);
            packet.set_stream(self.stream);
            packet.write_interleaved(&mut self.output)?;
        }
        Ok(())
    }

    fn copy_until(&mut self, ticks: Option<i64>) -> Result<()> {
        let limit = ticks.map(|ticks| (ticks, self.encoder.base()));
        self.remux.as_mut().map_or(Ok(()), |remux| remux.copy_until(&mut self.output, limit))
    }

    fn finish(&mut self, end: End) -> Result<()> {
        self.encoder.finish()?;
        self.drain()?;
        self.copy_until((end == End::CutShort).then_some(self.last_ticks + self.step))?;
        Ok(self.output.write_trailer()?)
    }
}

/// The muxer for a file name.
fn container(out: &Path) -> Result<&'static str> {
    let ending = out.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase());
    match ending.as_deref() {
        Some("mp4" | "m4v") => Ok("mp4"),
        Some("mov") => Ok("mov"),
        Some("mkv") => Ok("matroska"),
        Some("webm") => Err(Fault::Usage.error("WebM files cannot hold H.264; name the output .mp4 or .mkv")),
        _ => Err(Fault::Usage.error(format!("{}: name the output .mp4, .mov or .mkv", out.display()))),
    }
}

/// What the muxer is to do differently from its habit.
fn options(format: &str, info: &SourceInfo, remux: Option<&Remux>) -> Dictionary<'static> {
    let mut options = Dictionary::new();
    // Opus, FLAC and the like in MP4 have been in use for years.
    options.set("strict", "experimental");
    let Some(remux) = remux else { return options };
    if format == "matroska" {
        // The first packet of AAC and the like comes before zero, to warm up the decoder. The muxer would move all
        // streams so that it comes at zero, and no time stamp would be the input's any more.
        if remux.starts_near_zero() {
            options.set("avoid_negative_ts", "disabled");
        }
    } else if let Some(ticks) = movie_ticks(info, remux) {
        options.set("movie_timescale", &ticks.to_string());
    }
    options
}

/// MP4 stores late starts of streams in ticks of the whole movie, usually milliseconds. This clock hits them exactly.
fn movie_ticks(info: &SourceInfo, remux: &Remux) -> Option<i64> {
    let mut track = i64::from(info.time_base.1);
    while track < MIN_TRACK_TICKS {
        track *= 2;
    }
    let mut late = remux.late_starts().map(|base| i64::from(base.1)).peekable();
    late.peek()?;
    let ticks = late.try_fold(track, |ticks, other| {
        let common = ticks / gcd(ticks, other) * other;
        (common <= MAX_MOVIE_TICKS).then_some(common)
    });
    Some(ticks.unwrap_or(track))
}

fn gcd(a: i64, b: i64) -> i64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

fn note_padding(info: &SourceInfo) {
    let (width, height) = info.size;
    if width % 2 == 1 || height % 2 == 1 {
        let (even_width, even_height) = (width.next_multiple_of(2), height.next_multiple_of(2));
        log::warn!(
            "the output has {even_width}×{even_height} pixels instead of {width}×{height}: H.264 needs even sizes"
        );
    }
}
