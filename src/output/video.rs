//! The annotated video: encoded pictures at the input's times, and all that the input holds besides.

use std::path::Path;
use std::time::Instant;

use anyhow::{Context as _, Error, Result, ensure};
use ffmpeg_next::format::Flags;
use ffmpeg_next::{Dictionary, Rational};

use super::End;
use super::partial::{Partial, SUFFIX, check_target};
use crate::av::encode::Encoder;
use crate::av::mux::{self, Mux};
use crate::av::remux::Remux;
use crate::av::{demux, recheck};
use crate::error::{Blame, Fault};
use crate::frame::{Frame, Stage, Tracked};
use crate::source::SourceInfo;

/// What an MP4 file is called while it has no index yet, and a journal beside it is the `NAME.partial`.
const UNFINISHED: &str = ".unfinished";
/// Matroska's clusters in milliseconds: what is lost when the program is killed, beside what the encoder holds.
const CLUSTER_MS: &str = "500";
/// Movie clocks finer than this are not worth the risk that a player stumbles over them.
const MAX_MOVIE_TICKS: i64 = 100_000_000;
/// The MP4 muxer doubles coarser clocks until they reach this.
const MIN_TRACK_TICKS: i64 = 10_000;

/// Writes a video file. Whether it is dropped without [`finish`](Self::finish) or killed, what is readable stays as
/// `NAME.partial`.
pub struct VideoSink {
    /// What becomes the final file.
    partial: Partial,
    /// What is readable until then, where that is another file.
    journal: Option<Partial>,
    /// `None` once nothing more can be written.
    writer: Option<Writer>,
    size: (usize, usize),
    frames: u64,
}

/// The open file.
struct Writer {
    mux: Mux,
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
    /// Refuses a file that cannot or must not be written, before anything is read.
    ///
    /// # Errors
    /// [`Fault::Usage`] for a file name without a known ending, and as [`check_target`].
    pub fn check(out: &Path, inputs: &[&Path], overwrite: bool) -> Result<()> {
        container(out)?;
        check_target(out, inputs, overwrite)
    }

    /// Starts the file `out`, with all streams but the annotated one taken from the video `input`.
    ///
    /// # Errors
    /// Everything that can be known before the first frame is said here: [`Fault::Usage`] for a file name without a
    /// known ending, [`Fault::Output`] for a file that cannot be written or cannot hold what `input` holds.
    pub fn create(out: &Path, input: Option<&Path>, info: &SourceInfo, overwrite: bool) -> Result<Self> {
        demux::init();
        let format = container(out)?;
        let inputs = input.as_slice();
        let suffix = if format == "matroska" { SUFFIX } else { UNFINISHED };
        let partial = Partial::create(out, suffix, inputs, overwrite)?;
        let mut sink = Self { partial, journal: None, writer: None, size: info.size, frames: 0 };
        let opened = sink.open_journal(suffix, inputs, overwrite).and_then(|()| {
            sink.writer = Some(Writer::open(&sink.partial, sink.journal.as_ref(), format, input, info)?);
            Ok(())
        });
        match opened {
            Ok(()) => {
                note_padding(info);
                Ok(sink)
            }
            Err(error) => {
                sink.salvage();
                Err(error)
            }
        }
    }

    /// Begins a journal for a file that is not readable before its end.
    fn open_journal(&mut self, suffix: &str, inputs: &[&Path], overwrite: bool) -> Result<()> {
        if suffix == UNFINISHED {
            self.journal = Some(Partial::create(self.partial.target(), SUFFIX, inputs, overwrite)?);
        }
        Ok(())
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
            self.writer = Some(writer);
            self.salvage();
            let shown = self.partial.target().display();
            return Err(Fault::Output.error(format!("{shown} is not written: there was no frame to write")));
        }
        let result = writer.finish(end).and_then(|()| self.recheck());
        if let Err(error) = result {
            self.writer = Some(writer);
            return Err(self.give_up(&error));
        }
        drop(writer);
        self.partial.publish()?;
        if let Some(journal) = self.journal.take() {
            journal.remove();
        }
        Ok(())
    }

    /// Reads the file again.
    fn recheck(&self) -> Result<()> {
        let found = recheck::count_frames(self.partial.path()).context("it cannot be read again")?;
        ensure!(found == self.frames, "{found} frames of the {} written are readable", self.frames);
        Ok(())
    }

    /// Ends the file after a failure and says what is left.
    fn give_up(&mut self, error: &Error) -> Error {
        let left = self.salvage().map_or_else(String::new, |left| format!("; {left}"));
        let shown = self.partial.target().display();
        Fault::Output.error(format!("cannot write {shown}: {error:#}{left}"))
    }

    /// Completes the file that is readable as well as it can be, and says how many frames are left where. A file
    /// without any is taken away, and so is one without an index.
    fn salvage(&mut self) -> Option<String> {
        if let Some(mut writer) = self.writer.take() {
            // An error here follows from the failure that led here, which is told.
            let _ = writer.finish(End::CutShort);
            writer.mux.finish_journal();
        }
        if let Some(journal) = self.journal.take() {
            std::mem::replace(&mut self.partial, journal).remove();
        }
        let path = self.partial.path();
        let frames = recheck::count_frames(path).ok().filter(|&frames| frames > 0);
        if frames.is_none() {
            self.partial.remove();
        }
        frames.map(|frames| format!("{frames} frames are left in {}", path.display()))
    }
}

impl super::Sink for VideoSink {
    fn write(&mut self, tracked: &mut Tracked) -> Result<()> {
        let frame = &mut tracked.frame;
        let start = Instant::now();
        let result = self.write(frame);
        frame.timing.since(Stage::Encode, start);
        result
    }

    fn finish(&mut self, end: End) -> Result<()> {
        self.finish(end)
    }
}

impl Drop for VideoSink {
    fn drop(&mut self) {
        if self.writer.is_some()
            && let Some(left) = self.salvage()
        {
            log::warn!("{left}");
        }
    }
}

impl Writer {
    fn open(
        partial: &Partial,
        journal: Option<&Partial>,
        format: &str,
        input: Option<&Path>,
        info: &SourceInfo,
    ) -> Result<Self> {
        let shown = partial.target().display();
        let cannot = || format!("cannot write {shown}");
        let mut output = mux::open(partial.writer()?, format).blame(Fault::Output, cannot)?;
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
        let journal = journal.map(Partial::writer).transpose()?;
        let mux =
            Mux::begin(output, options, journal).blame(Fault::Output, || format!("cannot begin {shown}"))?;
        if let Some(remux) = &mut remux {
            remux.start(mux.output());
        }
        let base = mux.output().stream(stream).map_or(encoder.base(), |stream| stream.time_base());
        Ok(Self { mux, encoder, remux, stream, base, last_ticks: 0, step: info.frame_ticks() })
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
            // A video with no length for its last frame ends, for MP4 players, before it.
            if self.remux.is_none() && packet.duration() == 0 {
                packet.set_duration(self.step);
            }
            packet.rescale_ts(self.encoder.base(), self.base);
            packet.set_stream(self.stream);
            self.mux.write(&packet)?;
        }
        Ok(())
    }

    fn copy_until(&mut self, ticks: Option<i64>) -> Result<()> {
        let limit = ticks.map(|ticks| (ticks, self.encoder.base()));
        self.remux.as_mut().map_or(Ok(()), |remux| remux.copy_until(&mut self.mux, limit))
    }

    fn finish(&mut self, end: End) -> Result<()> {
        self.encoder.finish()?;
        self.drain()?;
        self.copy_until((end == End::CutShort).then_some(self.last_ticks + self.step))?;
        Ok(self.mux.finish()?)
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
    if format == "matroska" {
        options.set("cluster_time_limit", CLUSTER_MS);
        options.set("flush_packets", "1");
    }
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
