//! The kinds of files that videos are written to, and which streams each can hold.

use std::io::Cursor;
use std::path::Path;

use anyhow::Result;
use ffmpeg_next::codec::{Id, Parameters};
use ffmpeg_next::format::stream::{Disposition, Stream};
use ffmpeg_next::{Dictionary, media};

use super::{demux, mux};
use crate::error::Fault;

/// A kind of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Container {
    /// `.mp4`, `.m4v`
    Mp4,
    /// QuickTime, `.mov`
    Mov,
    /// `.mkv`
    Matroska,
}

/// Which of the input's other streams are copied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Copying {
    /// Whether a stream is left out rather than that another kind of file is chosen for its sake.
    pub drop_streams: bool,
    /// Whether faces are hidden, so that no other pictures may come along.
    pub hides_faces: bool,
}

impl Container {
    /// All kinds, in the order in which they are tried.
    const ALL: [Self; 3] = [Self::Mov, Self::Matroska, Self::Mp4];

    /// The kind of file that a name stands for.
    ///
    /// # Errors
    /// [`Fault::Usage`] for a name without a known extension.
    pub fn of(name: &Path) -> Result<Self> {
        let ending = name.extension().map(|ending| ending.to_string_lossy().to_ascii_lowercase());
        match ending.as_deref() {
            Some("mp4" | "m4v") => Ok(Self::Mp4),
            Some("mov") => Ok(Self::Mov),
            Some("mkv") => Ok(Self::Matroska),
            Some("webm") => {
                Err(Fault::Usage.error("WebM files cannot hold H.264; name the output .mp4 or .mkv"))
            }
            _ => Err(Fault::Usage.error(format!("{}: name the output .mp4, .mov or .mkv", name.display()))),
        }
    }

    /// The usual extension.
    pub fn ending(self) -> &'static str {
        match self {
            Self::Mp4 => "mp4",
            Self::Mov => "mov",
            Self::Matroska => "mkv",
        }
    }

    /// libav's name of the muxer.
    pub(crate) fn muxer(self) -> &'static str {
        match self {
            Self::Mp4 => "mp4",
            Self::Mov => "mov",
            Self::Matroska => "matroska",
        }
    }

    /// Whether it can hold the stream. Muxers say so of codecs that they refuse later, so one is tried.
    pub(crate) fn holds(self, stream: &Stream) -> bool {
        // The muxer does not list fonts and the like, but takes all of them.
        if stream.parameters().medium() == media::Type::Attachment {
            return self == Self::Matroska;
        }
        let begin = || {
            let mut output = mux::open(Cursor::new(Vec::new()), self.muxer())?;
            let mut out = output.add_stream(Id::None)?;
            out.set_parameters(for_muxer(&stream.parameters()));
            out.set_time_base(stream.time_base());
            output.write_header_with(options()).map(drop)
        };
        begin().is_ok()
    }

    /// The others that can hold the stream, as text; `None` if there are none.
    pub(crate) fn others_for(self, stream: &Stream) -> Option<String> {
        let others = Self::ALL.into_iter().filter(|&other| other != self && other.holds(stream));
        let others: Vec<_> = others.map(|other| format!(".{}", other.ending())).collect();
        (!others.is_empty()).then(|| others.join(" and "))
    }
}

/// The parameters as a muxer takes them: tags differ between containers, and without one the muxer chooses.
pub(crate) fn for_muxer(parameters: &Parameters) -> Parameters {
    let mut parameters = parameters.clone();
    // SAFETY: the parameters are our own copy.
    unsafe { (*parameters.as_mut_ptr()).codec_tag = 0 };
    parameters
}

/// The options with which all files are begun: Opus, FLAC and the like in MP4 have been in use for years.
pub(crate) fn options() -> Dictionary<'static> {
    let mut options = Dictionary::new();
    options.set("strict", "experimental");
    options
}

/// Whether the input's stream is sound, text or another picture that can be copied.
pub(crate) fn is_copied(stream: &Stream, copying: Copying) -> bool {
    match stream.parameters().medium() {
        media::Type::Audio | media::Type::Subtitle => is_readable(stream),
        media::Type::Video => is_readable(stream) && !copying.hides_faces,
        _ => false,
    }
}

/// Whether libav understands the stream.
pub(crate) fn is_readable(stream: &Stream) -> bool {
    let parameters = stream.parameters();
    // SAFETY: the parameters belong to the open input.
    let silent =
        parameters.medium() == media::Type::Audio && unsafe { (*parameters.as_ptr()).sample_rate } <= 0;
    !silent && parameters.id() != Id::None
}

/// What a stream is called in messages.
pub(crate) fn called(stream: &Stream) -> String {
    let parameters = stream.parameters();
    let kind = match parameters.medium() {
        media::Type::Video if stream.disposition().contains(Disposition::ATTACHED_PIC) => "cover".to_owned(),
        kind => format!("{kind:?}").to_lowercase(),
    };
    match parameters.id() {
        Id::None => format!("stream {} ({kind})", stream.index()),
        codec => format!("stream {} ({kind}, {})", stream.index(), codec.name()),
    }
}

/// The kind of file for a copy of `video`: `own`, unless another one of `choice` can hold more of its streams. Also
/// returns these streams as text. A file that cannot be read gets its own kind; the run will report it.
fn holding_most(
    video: &Path,
    own: Container,
    choice: &[Container],
    copying: Copying,
) -> (Container, Option<String>) {
    let Ok(input) = demux::open(video) else { return (own, None) };
    let Ok(pictures) = demux::best_video(&input, video).map(|stream| stream.index()) else {
        return (own, None);
    };
    let copied = input.streams().filter(|stream| stream.index() != pictures && is_copied(stream, copying));
    let copied: Vec<_> = copied.collect();
    let held = |container: Container| copied.iter().filter(|stream| container.holds(stream)).count();
    let (mut best, mut most) = (own, held(own));
    for &container in choice {
        if most < copied.len() && held(container) > most {
            (best, most) = (container, held(container));
        }
    }
    let gained = copied.iter().filter(|stream| !own.holds(stream) && best.holds(stream)).map(called);
    (best, (best != own).then(|| gained.collect::<Vec<_>>().join(" and ")))
}

/// The extension for a copy of `video` that the program may name, by default `ending`: that of the kind of file that can
/// hold most of the streams. Says so if it is another one.
pub fn ending_for<'a>(video: &Path, ending: &'a str, copying: Copying) -> &'a str {
    let Ok(own) = Container::of(&Path::new("x").with_extension(ending)) else { return ending };
    if copying.drop_streams {
        return ending;
    }
    let (best, gained) = holding_most(video, own, &Container::ALL, copying);
    let Some(gained) = gained else { return ending };
    let (shown, other) = (video.display(), best.ending());
    log::warn!("{shown}: the annotated video becomes .{other}, since .{ending} cannot hold {gained}");
    other
}

/// The kind of file to write under a `name` that the user has given. A `.mp4` becomes QuickTime inside, which players read
/// alike, if that can hold more, as cameras do that record uncompressed sound. Says so then.
pub(crate) fn under_name(name: &Path, video: Option<&Path>, copying: Copying) -> Result<Container> {
    let own = Container::of(name)?;
    let Some(video) = video.filter(|_| own == Container::Mp4 && !copying.drop_streams) else {
        return Ok(own);
    };
    let (best, gained) = holding_most(video, own, &[Container::Mov], copying);
    if let Some(gained) = gained {
        let shown = name.display();
        log::warn!("{shown} is QuickTime (.mov) inside, since MP4 cannot hold {gained}");
    }
    Ok(best)
}
