//! Annotated pictures: the sinks that draw and write them.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Result;

use super::Targets;
use super::images::ImagesSink;
use super::made::MadeFolder;
use super::opened::Run;
use super::overlay::Overlay;
use super::record::Recording;
use super::sink::Sink;
use super::target::{FileTarget, Incomplete, Target};
use super::video::VideoSink;
use super::y4m::Y4m;
use crate::av::container::Copying;
use crate::draw::Style;
use crate::error::Fault;
use crate::source::files::Files;

/// Where annotated pictures go.
#[derive(Clone, Debug)]
pub enum Annotated {
    /// A copy of the input: a video with its sound and everything else, a picture, or a folder for pictures.
    Copy(PathBuf),
    /// A video that begins with the first frame that arrives.
    Recording(PathBuf),
    /// Raw video.
    Raw(PathBuf),
    /// Nowhere: they are only drawn to measure how long that takes.
    Nowhere,
}

impl Annotated {
    pub(super) fn path(&self) -> Option<&PathBuf> {
        match self {
            Self::Copy(path) | Self::Recording(path) | Self::Raw(path) => Some(path),
            Self::Nowhere => None,
        }
    }
}

/// Where annotated pictures go, checked.
#[derive(Clone, Debug)]
pub(super) enum Pictures {
    /// A video, and the input whose sound and other streams it copies.
    Video(FileTarget, PathBuf),
    Recording(FileTarget),
    Raw(Target),
    /// A file for each picture, and the folder that was created for them.
    Images {
        targets: Vec<FileTarget>,
        _folder: Option<Arc<MadeFolder>>,
    },
    Nowhere,
}

impl Pictures {
    /// Checks the target; creates the folder for pictures.
    pub(super) fn check(annotated: &Annotated, input: Option<&Files>, overwrite: bool) -> Result<Self> {
        let inputs = input.map_or(&[][..], Files::paths);
        if let Annotated::Copy(path) | Annotated::Recording(path) = annotated
            && path == Path::new("-")
        {
            return Err(Fault::Usage.error("only raw video goes to standard output; pass --format yuv4mpeg"));
        }
        match (annotated, input) {
            (Annotated::Nowhere, _) => Ok(Self::Nowhere),
            (Annotated::Raw(path), _) => Target::new(path, inputs, overwrite).map(Self::Raw),
            (Annotated::Copy(path), Some(Files::Images(files))) => {
                let (targets, folder) = ImagesSink::check(path, files, overwrite)?;
                Ok(Self::Images { targets, _folder: folder.map(Arc::new) })
            }
            (Annotated::Copy(path), Some(Files::Video(video))) => {
                Ok(Self::Video(VideoSink::check(path, inputs, overwrite)?, video.clone()))
            }
            (Annotated::Copy(path) | Annotated::Recording(path), _) => {
                VideoSink::check(path, inputs, overwrite).map(Self::Recording)
            }
        }
    }

    /// The same, with this done to videos that are not completed. Pictures are written at once.
    pub(super) fn or(self, incomplete: &Incomplete) -> Self {
        match self {
            Self::Video(target, input) => Self::Video(target.or(incomplete.clone()), input),
            Self::Recording(target) => Self::Recording(target.or(incomplete.clone())),
            Self::Raw(target) => Self::Raw(target.or(incomplete.clone())),
            other => other,
        }
    }

    /// Adds the sinks that draw and write.
    pub(super) fn open(
        &self,
        run: Run,
        targets: &Targets,
        sinks: &mut Vec<Box<dyn Sink + '_>>,
    ) -> Result<()> {
        let Run { info, scheme, .. } = run;
        let style = if targets.hiding.is_some() { Style::Nothing } else { Style::Full };
        if let Self::Recording(target) = self {
            // This one draws on its own thread.
            sinks.push(Box::new(Recording::start(target.clone(), info, scheme)?.with_style(style)));
            return Ok(());
        }
        sinks.push(Box::new(Overlay::new(scheme, style, targets.show_latency)));
        match self {
            Self::Video(target, input) => {
                let copying =
                    Copying { drop_streams: targets.drop_streams, hides_faces: targets.hiding.is_some() };
                sinks.push(Box::new(VideoSink::create(target, Some(input), info, copying)?));
            }
            Self::Raw(target) => sinks.push(Box::new(Y4m::create(target, info.clone())?)),
            Self::Images { targets, .. } => sinks.push(Box::new(ImagesSink::new(targets.clone()))),
            Self::Recording(_) | Self::Nowhere => {}
        }
        Ok(())
    }
}
