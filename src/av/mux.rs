//! The output file and, for MP4, a journal next to it: fragmented MP4, which is readable even after a sudden exit.
//!
//! Plain MP4 has its index at the end and is unreadable without it. Fragments would be readable, but editors and
//! players seek poorly in them, so the final file is plain MP4. Both are written at the same time, because libav
//! cannot convert one into the other without changing time stamps, chapters or covers.

use std::fs::File;
use std::io::{Seek, Write};

use ffmpeg_next as ffmpeg;
use ffmpeg_next::codec::{Id, Parameters};
use ffmpeg_next::format::context::{Output, StreamIo};
use ffmpeg_next::format::stream::{Disposition, Stream};
use ffmpeg_next::{Dictionary, Packet, Rational, media};

use super::container;

/// Larger than libav's default, for fewer disk writes.
const WRITE_BUFFER: usize = 1 << 20;
/// Length of the journal's fragments in microseconds: what is lost when the program is killed, in addition to what
/// the encoder holds.
const FRAGMENT_US: &str = "500000";

/// Errors that the final file is about to hit, too.
const DISK: [i32; 3] = [ffmpeg::error::ENOSPC, ffmpeg::error::EFBIG, ffmpeg::error::EIO];

/// Opens a muxer that writes to a file or the like.
pub(crate) fn open(file: impl Write + Seek + Send + 'static, format: &str) -> Result<Output, ffmpeg::Error> {
    let io = StreamIo::from_write_seek_with_capacity(file, WRITE_BUFFER)?;
    ffmpeg::format::output_to_stream(io, None, Some(format))
}

/// Where packets are written.
pub(crate) struct Mux {
    output: Output,
    journal: Option<Journal>,
}

impl Mux {
    /// Writes the header of `output`, and starts a journal in the file `journal` if there is one.
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

    /// The muxer of the final file.
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

    /// Continues without a journal if fragments cannot hold what plain MP4 can. A disk failure is an error.
    fn give_journal_up(&mut self, error: ffmpeg::Error) -> Result<(), ffmpeg::Error> {
        if DISK.iter().any(|&errno| error == ffmpeg::Error::Other { errno }) {
            return Err(error);
        }
        log::warn!(
            "if this run is killed, none of the video will be readable: fragments cannot hold it ({error})"
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
            // An error here follows from the original failure, which is reported.
            let _ = journal.output.write_trailer();
        }
    }
}

/// Whether an error is about the contents of a packet, not about the disk.
pub(crate) fn means_packet(error: ffmpeg::Error) -> bool {
    matches!(error, ffmpeg::Error::InvalidData | ffmpeg::Error::Other { errno: ffmpeg::error::EINVAL })
}

struct Journal {
    output: Output,
    /// By the final file's stream index: the journal's stream and time base; `None` if neither video nor audio.
    streams: Vec<Option<(usize, Rational)>>,
}

impl Journal {
    fn begin(file: File, like: &Output) -> Result<Self, ffmpeg::Error> {
        let mut output = open(file, like.format().name())?;
        let mut streams = Vec::new();
        for stream in like.streams() {
            streams.push(if goes_along(&stream) { Some(mirror(&stream, &mut output)?) } else { None });
        }
        let mut options = container::options();
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
        // The muxer converts MPEG-TS style AAC, which has no extradata, for plain files only.
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
