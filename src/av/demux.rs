//! Opens media files with libav: regular files only, with a clear reason on failure.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Once;

use anyhow::Result;
use ffmpeg_next as ffmpeg;
use ffmpeg_next::format::context::{Input, StreamIo};
use ffmpeg_next::format::stream::{Disposition, Stream};
use ffmpeg_next::{Packet, Rational, media, packet::Ref as _};

use super::foreign;
use crate::error::{Blame, Fault};

/// Larger than libav's default, for fewer disk reads.
const READ_BUFFER: usize = 256 << 10;

/// Demuxers that read other files, or that render text as pictures.
const NOT_VIDEOS: [&str; 7] = ["concat", "hls", "dash", "sdp", "tty", "image2", "rtsp"];

/// Silences libav, whose log lines would mix with ours, and registers the names of its errors.
pub(crate) fn init() {
    static INIT: Once = Once::new();
    INIT.call_once(|| {
        ffmpeg::util::error::register_all();
        ffmpeg::log::set_level(ffmpeg::log::Level::Quiet);
    });
}

/// Opens a media file. libav gets the open file instead of its name, and no protocols at all: whatever the file
/// contains, libav cannot reach another file or the network through it.
pub(crate) fn open(path: &Path) -> Result<Input> {
    init();
    let file = open_plain(path)?;
    if let Some(told) = foreign::told(path) {
        return Err(Fault::Input.error(told));
    }
    let io = StreamIo::from_read_seek_with_capacity(file, READ_BUFFER)
        .blame(Fault::Input, || format!("cannot read {}", path.display()))?;
    let options = [("protocol_whitelist", "none")].into_iter().collect();
    let input = ffmpeg::format::input_from_stream(io, None, Some(options))
        .map_err(|error| Fault::Input.error(format!("{}: {}", path.display(), why_not_media(path, error))))?;
    if input.format().name().split(',').any(|name| NOT_VIDEOS.contains(&name)) {
        let reason = why_not_media(path, ffmpeg::Error::DemuxerNotFound);
        return Err(Fault::Input.error(format!("{}: {reason}", path.display())));
    }
    Ok(input)
}

/// Tells the demuxer which streams to skip, by index; some formats then do not even read them.
pub(crate) fn discard(input: &mut Input, unwanted: impl Fn(usize) -> bool) {
    for mut stream in input.streams_mut() {
        if unwanted(stream.index()) {
            // SAFETY: the stream belongs to the open input, which is borrowed mutably.
            unsafe { (*stream.as_mut_ptr()).discard = ffmpeg::ffi::AVDiscard::AVDISCARD_ALL };
        }
    }
}

/// The stream to annotate. Cover pictures do not count as video, even if there is nothing else.
pub(crate) fn best_video<'a>(input: &'a Input, path: &Path) -> Result<Stream<'a>> {
    let shown = path.display();
    let stream = input.streams().best(media::Type::Video).ok_or_else(|| {
        Fault::Input.error(format!("{shown} has no video stream, only {}; give a video", kinds(input)))
    })?;
    if stream.disposition().contains(Disposition::ATTACHED_PIC) {
        return Err(
            Fault::Input.error(format!("{shown} has no video stream, only a cover picture; give a video"))
        );
    }
    Ok(stream)
}

fn kinds(input: &Input) -> String {
    let mut kinds: Vec<_> =
        input.streams().map(|s| format!("{:?}", s.parameters().medium()).to_lowercase()).collect();
    kinds.dedup();
    if kinds.is_empty() { "an empty header".into() } else { kinds.join(" and ") }
}

/// Reads a video file from start to end and counts the frames that a player shows: an edit list may hide some.
pub(crate) fn count_frames(path: &Path) -> Result<u64> {
    let mut input = open(path)?;
    let video = best_video(&input, path)?.index();
    discard(&mut input, |index| index != video);
    let mut frames = 0;
    loop {
        let mut packet = Packet::empty();
        match packet.read(&mut input) {
            Ok(()) if packet.stream() == video && is_shown(&packet) => frames += 1,
            Ok(()) => {}
            // The end of the file or a read error; everything before it is readable.
            Err(_) => return Ok(frames),
        }
    }
}

fn is_shown(packet: &Packet) -> bool {
    packet.size() > 0 && !packet.is_corrupt() && !is_trimmed(packet)
}

/// Whether an edit list hides a packet, so that it is decoded but not shown.
pub(crate) fn is_trimmed(packet: &Packet) -> bool {
    // SAFETY: the packet is alive.
    unsafe { (*packet.as_ptr()).flags & ffmpeg::ffi::AV_PKT_FLAG_DISCARD != 0 }
}

fn open_plain(path: &Path) -> Result<File> {
    let shown = path.display();
    // Opening a pipe would block, so check first.
    let metadata = std::fs::metadata(path).blame(Fault::Input, || {
        let advice = match path.to_string_lossy() {
            name if name.contains("://") => {
                "; addresses are never opened, download it first (ffmpeg -i ADDRESS -c copy video.mkv)"
            }
            name if name == "-" => "; videos are not read from standard input, save it to a file first",
            _ => "",
        };
        format!("cannot open {shown}{advice}")
    })?;
    if metadata.is_dir() {
        return Err(Fault::Input.error(format!("{shown} is a folder; give a file in it")));
    }
    if !metadata.is_file() {
        return Err(
            Fault::Input.error(format!("{shown} is not a plain file; save the video to a file first"))
        );
    }
    if metadata.len() == 0 {
        return Err(Fault::Input.error(format!("{shown} is empty; record or copy it again")));
    }
    File::open(path).blame(Fault::Input, || format!("cannot open {shown}"))
}

/// A file's first bytes; none if it cannot be read.
fn head(path: &Path) -> Vec<u8> {
    let mut head = Vec::new();
    // A file that cannot be read is reported when it is opened.
    let _ = File::open(path).and_then(|file| file.take(512).read_to_end(&mut head));
    head
}

fn is_text(head: &[u8]) -> bool {
    let is_usual = |byte: u8| byte >= b' ' && byte != 127 || matches!(byte, b'\t' | b'\n' | b'\r' | 12 | 27);
    head.iter().all(|&byte| is_usual(byte))
}

/// Whether a file is plain text, judging by its first bytes.
pub fn holds_text(path: &Path) -> bool {
    let head = head(path);
    !head.is_empty() && is_text(&head)
}

/// Why libav rejects a file, judging by its first bytes.
fn why_not_media(path: &Path, error: ffmpeg::Error) -> String {
    let head = head(path);
    if head.starts_with(b"#EXTM3U") || head.starts_with(b"ffconcat") || head.starts_with(b"v=0") {
        return "is a playlist, not a video; give the files that it lists".into();
    }
    if is_text(&head) {
        return "is text, not a video, whatever its name says".into();
    }
    if head.get(4..8) == Some(b"ftyp") {
        return format!("is an MP4 file cut short, its index is missing ({error}); copy or record it again");
    }
    format!("no video format that libav knows ({error}); convert it to MP4 or Matroska")
}

/// Frames per second, if the file says so: on average, or else of the finest step between two. FFmpeg 7.1 takes the ticks of a
/// DV file for frames, 60,000 a second, so an average that no camera reaches does not count.
pub fn frame_rate(stream: &Stream) -> Option<Rational> {
    let is_usual = |rate: &Rational| rate.0 > 0 && rate.1 > 0 && f64::from(*rate) <= MAX_FRAME_RATE;
    [stream.avg_frame_rate(), stream.rate()].into_iter().find(is_usual)
}

/// Ten times what the quickest phones record.
const MAX_FRAME_RATE: f64 = 10_000.0;
