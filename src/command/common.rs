//! What the subcommands share.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::Result;
use facemark::Tracker;
use facemark::face::Scheme;

use crate::catalog;
use crate::cli::{Tracking, VideoFormat};
use crate::error::Fault;
use crate::info::SourceInfo;
use crate::output::csv::Columns;
use crate::output::data::DataFile;
use crate::output::target::Target;
use crate::output::{Annotated, Run};
use crate::pipeline::{Crowd, Summary};

/// The settings of every command.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Print errors only.
    pub quiet: bool,
    /// When the process began.
    pub started: Instant,
}

impl Settings {
    /// A run in which frames are not late, however long they take.
    pub(super) fn run<'a>(self, info: &'a SourceInfo, tracker: &Tracker) -> Run<'a> {
        Run {
            info,
            scheme: tracker.scheme(),
            columns: Columns::of(tracker),
            started: self.started,
            live: false,
            deadline: None,
            progress: !self.quiet,
            board: None,
        }
    }
}

/// Loads the nets, to look for faces in `stills` or a video, and for faces that are hidden if `hides`.
pub(super) fn tracker(tracking: &Tracking, stills: bool, hides: bool) -> Result<Tracker> {
    let (model, detector) = (catalog::find(&tracking.model)?, catalog::find(&tracking.detector)?);
    if tracking.terms.is_some() {
        model.ensure_open()?;
        detector.ensure_open()?;
    }
    let model = model.load(tracking.threads.into())?;
    let mut detector = detector.load_detector(tracking.threads.into())?;
    if tracking.small_faces {
        detector = detector.with_small_faces();
    }
    let tracker = Tracker::with(Box::new(detector), Box::new(model), tracking.options(stills, hides));
    if let (Some(_), scheme @ (Scheme::Nose | Scheme::Imm58)) = (tracking.points, tracker.scheme()) {
        let message = format!(
            "--points 68 needs a model of 68 or 478 points; {} has those of {}",
            tracking.model,
            scheme.name()
        );
        return Err(Fault::Usage.error(message));
    }
    if tracking.measures && !tracker.measures() {
        let scheme = tracker.scheme().name();
        log::warn!(
            "--measures needs the points of ibug68 or mesh478; {} has those of {scheme}",
            tracking.model
        );
    }
    Ok(tracker)
}

/// What `-o` and `--format` mean: raw video, or what the command makes otherwise.
pub(super) fn annotated(
    path: &Option<PathBuf>,
    format: Option<VideoFormat>,
    otherwise: fn(PathBuf) -> Annotated,
) -> Option<Annotated> {
    path.clone().map(match format {
        Some(VideoFormat::Yuv4mpeg) => Annotated::Raw,
        None => otherwise,
    })
}

/// Reports if not all faces were followed; `which` is the video's name and a colon, where there are several.
pub(super) fn tell_crowd(summary: &Summary, which: &str) {
    let Crowd { seen, followed } = summary.crowd;
    if seen > followed {
        log::warn!(
            "{which}{seen} faces were seen at once and only {followed} followed; --max-faces {seen} follows all"
        );
    }
}

/// The line at the end of a run.
pub(super) fn outcome<'a>(
    summary: &Summary,
    with_face: u64,
    outputs: impl Iterator<Item = &'a PathBuf>,
) -> String {
    let mut text = format!("{} frames, {with_face} with a face", summary.frames);
    if summary.dropped > 0 {
        text += &format!(", {} dropped", summary.dropped);
    }
    for path in outputs.filter(|path| path.as_os_str() != "-") {
        text += &format!(" -> {}", path.display());
    }
    text
}

/// Writes to standard output.
pub(super) fn print(text: impl AsRef<[u8]>) -> Result<()> {
    DataFile::create(&Target::Stdout)?.put(text.as_ref())
}
