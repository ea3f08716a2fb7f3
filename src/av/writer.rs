//! A video file being written: encoder, muxer, and what is copied from the input.

use std::fs::File;
use std::path::Path;

use anyhow::Result;
use ffmpeg_next::format::Flags;
use ffmpeg_next::{Dictionary, Packet, Rational};

use super::container::{self, Container, Copying};
use super::encode::Encoder;
use super::mux::{self, Mux};
use super::remux::Remux;
use crate::error::{Blame, Fault};
use crate::frame::Frame;
use crate::info::SourceInfo;

/// Length of Matroska clusters in milliseconds: what is lost when the program is killed, plus what the encoder holds.
const CLUSTER_MS: &str = "500";
/// Movie time scales finer than this are not worth the risk that a player cannot handle them.
const MAX_MOVIE_TICKS: i64 = 100_000_000;
/// The MP4 muxer doubles coarser time scales until they reach this.
const MIN_TRACK_TICKS: i64 = 10_000;

/// Encodes pictures into a file with their own time stamps.
pub(crate) struct VideoWriter {
    mux: Mux,
    encoder: Encoder,
    remux: Option<Remux>,
    /// Index of the video stream in the output, and its time base there.
    stream: usize,
    base: Rational,
    /// The source time that is 0 in the output, and where the selected part ends in the output; both in ticks.
    origin: i64,
    end: Option<i64>,
    /// When the last frame is shown in the output, and for how long.
    last_ticks: i64,
    last_length: i64,
    /// Ticks between frames at the nominal rate, for frames without a length.
    step: i64,
    /// The delay between decoding and showing the first picture.
    delay: Option<i64>,
}

/// Where a video is written.
pub(crate) struct OutputFiles<'a> {
    /// The file that becomes the final one.
    pub file: File,
    /// A file that is readable before that one is finished, for containers other than Matroska.
    pub journal: Option<File>,
    /// The file's name, for messages.
    pub name: &'a Path,
    /// The kind of file.
    pub container: Container,
    /// Which of the input's other streams are copied.
    pub copying: Copying,
}

impl VideoWriter {
    /// Starts the file for frames of the source that `info` describes, with all other streams of the video `input`.
    pub(crate) fn open(files: OutputFiles, input: Option<&Path>, info: &SourceInfo) -> Result<Self> {
        let OutputFiles { file, journal, name, container, copying } = files;
        let shown = name.display();
        let cannot = || format!("cannot write {shown}");
        let mut output = mux::open(file, container.muxer()).blame(Fault::Output, cannot)?;
        let global_header = output.format().flags().contains(Flags::GLOBAL_HEADER);
        let encoder = Encoder::open(info, global_header)?;
        let (mut remux, stream) = match input {
            Some(input) => {
                let (remux, stream) =
                    Remux::prepare(input, &mut output, &encoder, info, (container, copying))?;
                (Some(remux), stream)
            }
            None => (None, output.add_stream_with(encoder.context()).blame(Fault::Output, cannot)?.index()),
        };
        if let Some(mut out) = output.stream_mut(stream) {
            out.set_time_base(encoder.base());
        }
        let options = options(container, info, remux.as_ref());
        let mux =
            Mux::begin(output, options, journal).blame(Fault::Output, || format!("cannot begin {shown}"))?;
        if let Some(remux) = &mut remux {
            remux.start(mux.output());
        }
        let base = mux.output().stream(stream).map_or(encoder.base(), |stream| stream.time_base());
        let (origin, step) = (info.begin.unwrap_or(0), info.frame_ticks());
        let end = info.end.map(|end| end - origin);
        Ok(Self {
            mux,
            encoder,
            remux,
            stream,
            base,
            origin,
            end,
            last_ticks: 0,
            last_length: step,
            step,
            delay: None,
        })
    }

    /// Writes a frame, and the copied streams up to its time.
    pub(crate) fn write(&mut self, frame: &Frame) -> Result<()> {
        self.last_ticks = frame.time.ticks - self.origin;
        self.last_length = if frame.length > 0 { frame.length } else { self.step };
        self.encoder.send(frame, self.last_ticks)?;
        while let Some(packet) = self.encoder.receive()? {
            self.put(packet)?;
        }
        self.copy_until(Some(self.last_ticks))
    }

    /// Completes the final file. Copied streams end with the last frame if `cut`, otherwise at their own ends.
    pub(crate) fn finish(&mut self, cut: bool) -> Result<()> {
        self.encoder.finish()?;
        let end = self.last_ticks + self.last_length;
        let mut next = self.encoder.receive()?;
        while let Some(mut packet) = next {
            next = self.encoder.receive()?;
            if let (None, Some(dts)) = (&next, packet.dts()) {
                // In MP4 a stream lasts as long as its decoding, which began earlier by the delay.
                let delay = self.delay.unwrap_or(packet.pts().map_or(0, |pts| pts - dts));
                packet.set_duration((end - delay - dts).max(0));
            }
            self.put(packet)?;
        }
        self.copy_until(if cut { Some(end) } else { self.end })?;
        Ok(self.mux.finish()?)
    }

    /// Completes the readable files as well as possible after a failure.
    pub(crate) fn salvage(&mut self) {
        // An error here follows from the original failure.
        let _ = self.finish(true);
        self.mux.finish_journal();
    }

    /// Writes a packet from the encoder.
    fn put(&mut self, mut packet: Packet) -> Result<()> {
        if let (Some(pts), Some(dts)) = (packet.pts(), packet.dts()) {
            self.delay.get_or_insert(pts - dts);
        }
        // The duration of the other packets follows from their times.
        if packet.pts() == Some(self.last_ticks) {
            packet.set_duration(packet.duration().max(self.last_length));
        }
        packet.rescale_ts(self.encoder.base(), self.base);
        packet.set_stream(self.stream);
        self.mux.write(&packet)?;
        Ok(())
    }

    fn copy_until(&mut self, ticks: Option<i64>) -> Result<()> {
        let limit = ticks.map(|ticks| (ticks, self.encoder.base()));
        self.remux.as_mut().map_or(Ok(()), |remux| remux.copy_until(&mut self.mux, limit))
    }
}

/// The muxer options that differ from the defaults.
fn options(container: Container, info: &SourceInfo, remux: Option<&Remux>) -> Dictionary<'static> {
    let mut options = container::options();
    let is_matroska = container == Container::Matroska;
    if is_matroska {
        options.set("cluster_time_limit", CLUSTER_MS);
        options.set("flush_packets", "1");
    }
    let Some(remux) = remux else { return options };
    if is_matroska {
        // The first packet of AAC and the like comes before zero, to prime the decoder. The muxer would shift all
        // streams so that it is at zero, and no time stamp would match the input any more.
        if remux.starts_near_zero() {
            options.set("avoid_negative_ts", "disabled");
        }
    } else if let Some(ticks) = movie_ticks(info, remux) {
        options.set("movie_timescale", &ticks.to_string());
    }
    options
}

/// MP4 stores late stream starts in ticks of the whole movie, usually milliseconds. This time scale fits them exactly.
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
