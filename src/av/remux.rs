//! Copies what the input has besides the annotated pictures: sound, subtitles, chapters, tags.

use std::path::Path;

use anyhow::Result;
use ffmpeg_next as ffmpeg;
use ffmpeg_next::codec::Id;
use ffmpeg_next::format::context::Output;
use ffmpeg_next::format::stream::{Disposition, Stream};
use ffmpeg_next::{Packet, Rational, Rescale as _, ffi, media};

use super::container::{Container, Copying, called, for_muxer, is_copied, is_readable};
use super::demux::is_trimmed;
use super::encode::Encoder;
use super::mux::{Mux, means_packet};
use super::reader::{MICROSECONDS, Reader};
use super::tags;
use crate::info::SourceInfo;

/// After this many errors in a row from the demuxer, the file counts as ended.
const MAX_ERRORS_IN_A_ROW: u32 = 100_000;

/// The libavformat version of FFmpeg 5, whose Matroska muxer declares the Opus delay but leaves adding it to callers.
const LEAVES_DELAY: u32 = 59;
/// Matroska can store sound that begins this many seconds before zero.
const LONGEST_LEAD_IN: f64 = 10.0;

/// A second reader on the input, which copies packets unchanged.
pub(crate) struct Remux {
    reader: Reader,
    /// By the input's stream index; `None` for streams that are not copied.
    tracks: Vec<Option<Track>>,
    /// Already read, but later than the current limit. Its times are those of the output.
    pending: Option<Packet>,
    /// The film time at which the output begins, in microseconds, and whether the output is only a part of the film.
    origin: i64,
    is_part: bool,
}

/// One stream that is copied.
struct Track {
    output: usize,
    input_base: Rational,
    output_base: Rational,
    last_dts: Option<i64>,
    /// What is added to the times on writing because it is subtracted on reading, and its time base.
    delay: (i64, Rational),
    /// Whether packets had to be dropped.
    damaged: bool,
    /// Pictures, sound, subtitles; covers count as attachments.
    kind: media::Type,
    /// Whether the output's container can hide packets before zero.
    hides: bool,
    /// Whether the output is a part of the input: packets before its zero are dropped.
    is_part: bool,
    /// Where the selected part ends in the output, in ticks of the input.
    end: Option<i64>,
    /// Whether a packet was copied that is neither trimmed nor before the selected part.
    begun: bool,
    /// The last trimmed packet: the first audible one may need it to prime the decoder.
    lead: Option<Packet>,
}

impl Remux {
    /// Adds a stream to the output for the encoder and for each stream to copy, in the input's order, limited to the
    /// part of the input that `info` describes. Streams that cannot or must not come along are reported.
    /// Also returns the index of the video stream in the output.
    pub(crate) fn prepare(
        path: &Path,
        output: &mut Output,
        encoder: &Encoder,
        info: &SourceInfo,
        (container, copying): (Container, Copying),
    ) -> Result<(Self, usize)> {
        let mut reader = Reader::open(path)?;
        let base = Rational(info.time_base.0, info.time_base.1);
        let micro = |ticks: i64| ticks.rescale(base, MICROSECONDS);
        let origin = info.begin.map_or(0, micro);
        let end = info.end.map(|end| micro(end) - origin);
        let mut tracks = Vec::new();
        let mut video_output = 0;
        for stream in reader.input().streams() {
            tracks.push(None);
            if stream.index() == reader.video() {
                let mut out = output.add_stream_with(encoder.context())?;
                video_output = out.index();
                tags::describe(&mut out, &stream, true);
                tags::move_timecode(&mut out, origin);
            } else if is_wanted(&stream, container, copying, path) {
                let mut track = add_track(&stream, output, container)?;
                track.is_part = info.begin.is_some();
                track.end = end.map(|end| end.rescale(MICROSECONDS, stream.time_base()));
                tracks[stream.index()] = Some(track);
            }
        }
        tags::copy_tags(reader.input(), output);
        tags::copy_chapters(reader.input(), output, reader.start() + origin, end)?;
        reader.discard(|index| tracks[index].is_none());
        // A subtitle that begins long before the part may extend into it.
        let is_text = |track: &Track| track.kind == media::Type::Subtitle;
        if info.begin.is_some() && !tracks.iter().flatten().any(is_text) {
            reader.seek(origin);
        }
        Ok((Self { reader, tracks, pending: None, origin, is_part: info.begin.is_some() }, video_output))
    }

    /// Call this once the output's header is written, which fixes its time bases.
    pub(crate) fn start(&mut self, output: &Output) {
        for track in self.tracks.iter_mut().flatten() {
            if let Some(stream) = output.stream(track.output) {
                track.output_base = stream.time_base();
            }
        }
    }

    /// The time bases of the streams that begin later than zero: for the muxer's precision.
    pub(crate) fn late_starts(&self) -> impl Iterator<Item = Rational> {
        self.reader.input().streams().filter_map(|stream| {
            let is_late = self.is_part || self.film_start(&stream).is_some_and(|start| start > 0.0);
            is_late.then(|| stream.time_base())
        })
    }

    /// Whether the pictures begin at zero or later, and nothing else begins long before zero.
    pub(crate) fn starts_near_zero(&self) -> bool {
        self.is_part
            || self.reader.input().streams().all(|stream| {
                let earliest = if self.tracks[stream.index()].is_none() { 0.0 } else { -LONGEST_LEAD_IN };
                self.film_start(&stream).is_none_or(|start| start >= earliest)
            })
    }

    /// Where a stream begins in film time, in seconds.
    fn film_start(&self, stream: &Stream) -> Option<f64> {
        let start = stream.start_time();
        let shift = self.reader.start().rescale(MICROSECONDS, stream.time_base());
        (start != ffi::AV_NOPTS_VALUE).then(|| (start - shift) as f64 * f64::from(stream.time_base()))
    }

    /// Copies all packets up to `limit`, a time in ticks of its base, or to the end if it is `None`.
    pub(crate) fn copy_until(&mut self, mux: &mut Mux, limit: Option<(i64, Rational)>) -> Result<()> {
        while let Some(packet) = self.next() {
            let Some(track) = self.tracks.get_mut(packet.stream()).and_then(Option::as_mut) else { continue };
            if let (Some((limit, base)), Some(time)) = (limit, packet.dts().or(packet.pts())) {
                // SAFETY: plain arithmetic.
                let order = unsafe { ffi::av_compare_ts(time, track.input_base.into(), limit, base.into()) };
                if order > 0 {
                    self.pending = Some(packet);
                    return Ok(());
                }
            }
            track.copy(packet, mux)?;
        }
        Ok(())
    }

    /// The next packet, in times of the output. A read error ends the copy here; the source reports it.
    fn next(&mut self) -> Option<Packet> {
        if let Some(packet) = self.pending.take() {
            return Some(packet);
        }
        for _ in 0..MAX_ERRORS_IN_A_ROW {
            match self.reader.read() {
                Ok(mut packet) => {
                    let track = self.tracks.get(packet.stream()).and_then(Option::as_ref);
                    let origin = track.map_or(0, |track| self.origin.rescale(MICROSECONDS, track.input_base));
                    packet.set_pts(packet.pts().map(|time| time - origin));
                    packet.set_dts(packet.dts().map(|time| time - origin));
                    return Some(packet);
                }
                Err(ffmpeg::Error::InvalidData) => {}
                Err(_) => return None,
            }
        }
        None
    }
}

impl Track {
    /// Writes the packet if it belongs in the output.
    fn copy(&mut self, mut packet: Packet, mux: &mut Mux) -> Result<()> {
        if !self.is_in_part(&mut packet) {
            return Ok(());
        }
        if self.kind == media::Type::Audio && is_trimmed(&packet) {
            if self.begun {
                return Ok(());
            }
            let is_before_zero = packet.pts().is_some_and(|pts| pts + packet.duration() <= 0);
            if !self.hides || !is_before_zero {
                self.lead = Some(packet);
                return Ok(());
            }
        } else {
            self.begun = true;
        }
        if let Some(lead) = self.lead.take()
            && lead.pts().is_some_and(|pts| pts + lead.duration() <= 0)
        {
            self.write(lead, mux)?;
        }
        self.write(packet, mux)
    }

    /// Whether the packet is in the selected part of the input. Subtitles are shortened to it.
    fn is_in_part(&self, packet: &mut Packet) -> bool {
        let Some(time) = packet.pts().or(packet.dts()) else { return true };
        if self.end.is_some_and(|end| time >= end) {
            return false;
        }
        if !self.is_part {
            return true;
        }
        match self.kind {
            media::Type::Subtitle if time < 0 && time + packet.duration() > 0 => {
                packet.set_duration(time + packet.duration());
                packet.set_pts(Some(0));
                packet.set_dts(Some(0));
                true
            }
            // Pictures can only be decoded from a key frame onwards.
            media::Type::Video => time >= 0 && (self.begun || packet.is_key()),
            media::Type::Attachment => true,
            _ => time >= 0,
        }
    }

    /// Writes the packet. One that the muxer rejects is dropped, since it is already broken in the input.
    fn write(&mut self, mut packet: Packet, mux: &mut Mux) -> Result<()> {
        self.readdress(&mut packet);
        match mux.write(&packet) {
            Err(error) if means_packet(error) => {
                if !self.damaged {
                    log::warn!(
                        "stream {} of the output lacks packets that are broken in the input",
                        self.output
                    );
                }
                self.damaged = true;
                Ok(())
            }
            result => Ok(result?),
        }
    }

    /// Assigns the packet to its output stream. Only its times change, and only in their unit.
    fn readdress(&mut self, packet: &mut Packet) {
        packet.rescale_ts(self.input_base, self.output_base);
        let delay = self.delay.0.rescale(self.delay.1, self.output_base);
        packet.set_pts(packet.pts().map(|time| time + delay));
        packet.set_dts(packet.dts().map(|time| time + delay));
        packet.set_stream(self.output);
        packet.set_position(-1);
        // Muxers reject times that do not increase, which occur in broken inputs.
        if let (Some(dts), Some(last)) = (packet.dts(), self.last_dts)
            && dts <= last
        {
            packet.set_dts(Some(last + 1));
            packet.set_pts(packet.pts().map(|pts| pts.max(last + 1)));
        }
        self.last_dts = packet.dts().or(self.last_dts);
    }
}

/// Whether a stream is copied. If its content is lost, a warning says so.
fn is_wanted(stream: &Stream, container: Container, copying: Copying, path: &Path) -> bool {
    // SAFETY: the parameters belong to the open input.
    let tag = unsafe { (*stream.parameters().as_ptr()).codec_tag }.to_le_bytes();
    let kind = stream.parameters().medium();
    let is_font = kind == media::Type::Attachment;
    // Chapters and time codes in MP4 are streams, too; the muxer recreates them from the tags.
    if &tag == b"text" && kind == media::Type::Data || &tag == b"tmcd" && tags::timecode(stream).is_some() {
        return false;
    }
    let why = if kind == media::Type::Video && copying.hides_faces {
        "its pictures may show faces".to_owned()
    } else if !is_font && !is_copied(stream, copying) {
        match is_readable(stream) {
            true => "it is neither sound nor text".to_owned(),
            false => "it cannot be read".to_owned(),
        }
    } else if container.holds(stream) {
        return true;
    } else {
        match container.others_for(stream) {
            Some(others) => format!(".{} cannot hold it, but {others} can", container.ending()),
            None => "no kind of file that can be written holds it".to_owned(),
        }
    };
    log::warn!("{}: {} is left out: {why}", path.display(), called(stream));
    false
}

/// Adds an output stream for the unchanged packets of an input stream.
fn add_track(stream: &Stream, output: &mut Output, container: Container) -> Result<Track> {
    let mut parameters = for_muxer(&stream.parameters());
    let is_matroska = container == Container::Matroska;
    // SAFETY: the parameters are our own copy; the version is a number.
    let delay = unsafe {
        let parameters = &mut *parameters.as_mut_ptr();
        let is_opus = stream.parameters().id() == Id::OPUS;
        if is_matroska && is_opus && ffi::avformat_version() >> 16 == LEAVES_DELAY {
            (parameters.initial_padding.into(), Rational(1, parameters.sample_rate))
        } else {
            if is_matroska {
                // It is not known whether other versions of the muxer add the delay they declare. The packets' times
                // already include it.
                parameters.initial_padding = 0;
            }
            (0, Rational(1, 1))
        }
    };
    let mut out = output.add_stream(Id::None)?;
    out.set_parameters(parameters);
    out.set_time_base(stream.time_base());
    tags::describe(&mut out, stream, false);
    let track = Track {
        output: out.index(),
        input_base: stream.time_base(),
        output_base: stream.time_base(),
        last_dts: None,
        delay,
        damaged: false,
        kind: if stream.disposition().contains(Disposition::ATTACHED_PIC) {
            media::Type::Attachment
        } else {
            stream.parameters().medium()
        },
        hides: !is_matroska,
        is_part: false,
        end: None,
        begun: false,
        lead: None,
    };
    Ok(track)
}
