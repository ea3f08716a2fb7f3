//! The output file, and beside MP4 a journal: MP4 in fragments, which is readable however suddenly the program ends.
//!
//! Plain MP4 has its index at the end and is worth nothing without it. Fragments would be readable, but editors and
//! players seek in them badly, so the final file is a plain one. Both are written at the same time, because libav
//! cannot turn one into the other without touching time stamps, chapters or covers.

use std::fs::File;

use ffmpeg_next as ffmpeg;
use ffmpeg_next::codec::{Id, Parameters};
use ffmpeg_next::format::context::{Output, StreamIo};
use ffmpeg_next::format::stream::{Disposition, Stream};
use ffmpeg_next::{Dictionary, Packet, Rational, media};

/// Larger than libav's own, to bother the disk less often.
const WRITE_BUFFER: usize = 1 << 20;
/// Length of the journal's fragments in microseconds: what is lost when the program is killed, beside what the
/// encoder holds.
const FRAGMENT_US: &str = "500000";

/// Errors that the final file is about to have, too.
const DISK: [i32; 3] = [ffmpeg::error::ENOSPC, ffmpeg::error::EFBIG, ffmpeg::error::EIO];

/// Opens a muxer on a file.
pub(crate) fn open(file: File, format: &str) -> Result<Output, ffmpeg::Error> {
    let io = StreamIo::from_write_seek_with_capacity(file, WRITE_BUFFER)?;
    ffmpeg::format::output_to_stream(io, None, Some(format))
}

/// Where packets are written.
pub(crate) struct Mux {
    output: Output,
    journal: Option<Journal>,
}

impl Mux {
    /// Writes the header of `output`, and with `journal` begins one there.
    pub(crate) fn begin(
        mut output: Output,
        options: Dictionary<'_>,
        journal: Option<File>,
    ) -> Result<Self, ffmpeg::Error> {
        output.write_header_with(options)?;
        let mut mux = Self { output, journal: None };
        if let Some(file) = journal {
            match Journal::begin(file, &mux.output) {
                Ok(journal) => mux.journal = Some(journal),
                Err(error) => mux.give_journal_up(error)?,
            }
        }
        Ok(mux)
    }

    /// The file that will be the final one.
    pub(crate) fn output(&self) -> &Output {
        &self.output
    }

    /// Writes a packet whose times are in ticks of its stream.
    pub(crate) fn write(&mut self, packet: &Packet) -> Result<(), ffmpeg::Error> {
        if let Some(journal) = &mut self.journal
            && let Err(error) = journal.write(packet, &self.output)
        {
            self.give_journal_up(error)?;
        }
        packet.write_interleaved(&mut self.output)
    }

    /// Goes on without a journal where fragments cannot hold what plain MP4 can. A disk that fails is an error.
    fn give_journal_up(&mut self, error: ffmpeg::Error) -> Result<(), ffmpeg::Error> {
        if DISK.iter().any(|&errno| error == ffmpeg::Error::Other { errno }) {
            return Err(error);
        }
        log::warn!(
            "if this run is killed, nothing of the video is readable: fragments cannot hold it ({error})"
        );
        self.journal = None;
        Ok(())
    }

    /// Completes the final file.
    pub(crate) fn finish(&mut self) -> Result<(), ffmpeg::Error> {
        self.output.write_trailer()
    }

    /// Completes the journal, after a failure.
    pub(crate) fn finish_journal(&mut self) {
        if let Some(journal) = &mut self.journal {
            // Follows from the failure that led here, which is told.
            let _ = journal.output.write_trailer();
        }
    }
}

/// Whether an error is about what a packet holds, not about the disk.
pub(crate) fn means_packet(error: ffmpeg::Error) -> bool {
    matches!(error, ffmpeg::Error::InvalidData | ffmpeg::Error::Other { errno: ffmpeg::error::EINVAL })
}

struct Journal {
    output: Output,
    /// By the final file's stream index: the stream and its clock here; `None` for what is no picture and no sound.
    streams: Vec<Option<(usize, Rational)>>,
}

impl Journal {
    fn begin(file: File, like: &Output) -> Result<Self, ffmpeg::Error> {
        let mut output = open(file, like.format().name())?;
        let mut streams = Vec::new();
        for stream in like.streams() {
            streams.push(if goes_along(&stream) { Some(mirror(&stream, &mut output)?) } else { None });
        }
        let mut options = Dictionary::new();
        options.set("strict", "experimental");
        options.set("movflags", "delay_moov+default_base_moof");
        options.set("frag_duration", FRAGMENT_US);
        options.set("flush_packets", "1");
        output.write_header_with(options)?;
        for (index, base) in streams.iter_mut().flatten() {
            *base = output.stream(*index).map_or(*base, |stream| stream.time_base());
        }
        Ok(Self { output, streams })
    }

    fn write(&mut self, packet: &Packet, like: &Output) -> Result<(), ffmpeg::Error> {
        let Some(&Some((index, base))) = self.streams.get(packet.stream()) else { return Ok(()) };
        let Some(stream) = like.stream(packet.stream()) else { return Ok(()) };
        let mut packet = packet.clone();
        packet.rescale_ts(stream.time_base(), base);
        packet.set_stream(index);
        packet.write_interleaved(&mut self.output)
    }
}

fn goes_along(stream: &Stream) -> bool {
    let parameters = stream.parameters();
    match parameters.medium() {
        media::Type::Video => !stream.disposition().contains(Disposition::ATTACHED_PIC),
        // AAC as MPEG-TS has it, without a header of its own, is converted by the muxer for plain files only.
        media::Type::Audio => parameters.id() != Id::AAC || has_header(&parameters),
        _ => false,
    }
}

fn has_header(parameters: &Parameters) -> bool {
    // SAFETY: the parameters belong to the open output, or are a copy.
    unsafe { (*parameters.as_ptr()).extradata_size > 0 }
}

fn mirror(stream: &Stream, output: &mut Output) -> Result<(usize, Rational), ffmpeg::Error> {
    let mut out = output.add_stream(Id::None)?;
    out.set_parameters(stream.parameters().clone());
    out.set_time_base(stream.time_base());
    Ok((out.index(), stream.time_base()))
}
