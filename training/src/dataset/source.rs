//! A data set: where it is and how to read it.

use std::path::PathBuf;

use clap::Args;

use super::formats::Format;

/// How to read annotations.
#[derive(Args, Clone, Debug, Default)]
pub struct Reading {
    /// The annotations' format; if not given, it is recognised from the files that are there.
    #[arg(long, value_enum)]
    pub format: Option<Format>,
    /// Leave out broken annotations and pictures, and say which, instead of stopping.
    #[arg(long)]
    pub skip_bad: bool,
}

/// A data set: where it is and how to read it.
#[derive(Clone, Debug)]
pub struct Source {
    /// A folder, or an annotation file.
    pub path: PathBuf,
    /// How to read it.
    pub reading: Reading,
    /// Further annotated photos to train on; none of them is held out.
    pub more: Vec<PathBuf>,
    /// A folder of pictures without any face, for the detector's backgrounds.
    pub plain: Option<PathBuf>,
}

impl Source {
    /// A data set with no further photos.
    pub fn new(path: PathBuf, reading: Reading) -> Self {
        Self { path, reading, more: Vec::new(), plain: None }
    }
}

impl From<PathBuf> for Source {
    fn from(path: PathBuf) -> Self {
        Self::new(path, Reading::default())
    }
}
