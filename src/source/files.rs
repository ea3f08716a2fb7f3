//! Files to read: what the arguments mean, and how fast they are read.

use std::path::{Path, PathBuf};
use std::slice;
use std::time::Duration;

use anyhow::Result;

use super::adjusted::Adjustment;
use super::folder::{Folder, leave_out};
use super::images::{ImagesSource, KINDS, is_moving_gif, is_picture};
use super::paced::Paced;
use super::video::VideoSource;
use super::{Part, Source, SourceInfo};
use crate::error::Fault;

/// The files of one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Files {
    /// A video file.
    Video(PathBuf),
    /// Pictures, one per frame.
    Images(Vec<PathBuf>),
}

/// How fast files are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// As fast as they are processed.
    Free,
    /// At their own speed, as a camera would deliver them.
    Live,
    /// At this many frames per second, as a camera would deliver them.
    Rate(u32),
}

impl Files {
    /// Tells videos and pictures apart. A folder stands for its pictures, sorted by name; its other files are reported.
    ///
    /// # Errors
    /// [`Fault::Input`] for a folder without pictures or one that cannot be read, [`Fault::Usage`] for several
    /// videos.
    pub fn new(input: &[PathBuf]) -> Result<Self> {
        match input {
            [folder] if folder.is_dir() => Ok(Self::Images(pictures_in(folder)?)),
            [file] if !is_picture(file) || is_moving_gif(file) => Ok(Self::Video(file.clone())),
            files if files.iter().all(|file| is_picture(file)) => Ok(Self::Images(files.to_vec())),
            _ => Err(Fault::Usage
                .error(format!("several inputs must all be pictures ({KINDS}) here; give one video"))),
        }
    }

    /// The names of the files.
    pub fn paths(&self) -> &[PathBuf] {
        match self {
            Self::Video(path) => slice::from_ref(path),
            Self::Images(paths) => paths,
        }
    }

    /// Opens the files, or `part` of a video, with `adjustment` applied to their frames.
    ///
    /// # Errors
    /// [`Fault::Usage`] for an adjustment or a part that is not possible for pictures, and
    /// [`Fault::Input`] for a file that is not a video or has no decodable picture in that part. Pictures are opened
    /// later, one by one.
    pub fn open(&self, pace: Pace, part: Part, adjustment: Adjustment) -> Result<Box<dyn Source>> {
        let source: Box<dyn Source> = match self {
            Self::Video(path) => {
                // What is turned cannot stay interlaced: fields are rows.
                let deinterlace = adjustment.deinterlace || adjustment.quarter_turns != 0;
                Box::new(VideoSource::open_part(path, 0, part, deinterlace)?)
            }
            Self::Images(_) if part != Part::default() => {
                return Err(Fault::Usage.error("pictures have no times; --start and --end are for videos"));
            }
            Self::Images(paths) => Box::new(ImagesSource::open(paths.clone())?),
        };
        let source = adjustment.of(source)?;
        Ok(match pace {
            Pace::Free => source,
            Pace::Live => Box::new(Paced::new(source, None)),
            Pace::Rate(rate) => Box::new(Paced::new(source, Some(rate))),
        })
    }
}

/// The pictures in a folder, if videos are not wanted.
fn pictures_in(folder: &Path) -> Result<Vec<PathBuf>> {
    let Folder { videos, pictures, others } = Folder::read(folder)?;
    leave_out(&others, "neither video nor picture");
    leave_out(&videos, "videos");
    if pictures.is_empty() {
        let message = format!("there is no {KINDS} picture in {}", folder.display());
        return Err(Fault::Input.error(message));
    }
    Ok(pictures)
}

impl Pace {
    /// The time until the next frame is due; `None` if frames cannot be late.
    pub fn deadline(self, info: &SourceInfo) -> Option<Duration> {
        match self {
            Self::Free => None,
            Self::Live => info.interval(),
            Self::Rate(rate) => Some(Duration::from_secs(1) / rate),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.JPG", "a.png", "c.mp4"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let path = |name: &str| folder.path().join(name);
        let files = |names: &[&str]| Files::new(&names.iter().map(|name| path(name)).collect::<Vec<_>>());
        assert_eq!(files(&["c.mp4"]).unwrap(), Files::Video(path("c.mp4")));
        assert_eq!(files(&[""]).unwrap(), Files::Images(vec![path("a.png"), path("b.JPG")]));
        assert_eq!(files(&["b.JPG"]).unwrap(), Files::Images(vec![path("b.JPG")]));
        assert_eq!(Fault::of(&files(&["a.png", "c.mp4"]).unwrap_err()), Fault::Usage);
        let empty = tempfile::tempdir().unwrap();
        assert_eq!(Fault::of(&Files::new(&[empty.path().to_owned()]).unwrap_err()), Fault::Input);
    }
}
