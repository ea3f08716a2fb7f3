//! Annotated faces as their files have them, before the pictures are read.

use std::fmt::{self, Display};
use std::path::{Path, PathBuf};

use anyhow::{Result, anyhow, ensure};
use facemark::geometry::Point;

use super::face_box::FaceBox;
use super::split::Part;

/// One annotated face as its file tells, before the picture is read.
#[derive(Clone, Debug)]
pub struct Annotation {
    /// Where it is written.
    pub place: Place,
    /// All landmarks, in image pixels if not `relative`.
    pub points: Vec<Point>,
    /// Whether the points are in units of the picture's width and height.
    pub relative: bool,
    /// The picture's path.
    pub picture: PathBuf,
    /// The face's box, if the format has one.
    pub face_box: Option<FaceBox>,
    /// The person or photo that must not be split between training and validation.
    pub identity: String,
    /// What the face may be used for.
    pub part: Part,
    /// What is known of a mesh besides its points.
    pub mesh: Option<Mesh>,
}

/// What is known of a mesh besides x and y.
#[derive(Clone, Debug)]
pub struct Mesh {
    /// How far behind the face's middle each point is, in pixels.
    pub depths: Vec<f32>,
    /// Shares of 0 to 1.
    pub blendshapes: Vec<f32>,
}

/// A file, and a line in it if the file holds more than one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub file: PathBuf,
    pub line: Option<usize>,
}

impl Place {
    /// A whole file.
    pub fn file(file: &Path) -> Self {
        Self { file: file.to_owned(), line: None }
    }

    /// A line, counted from 1.
    pub fn line(file: &Path, line: usize) -> Self {
        Self { file: file.to_owned(), line: Some(line) }
    }

    /// An error here: `file:line: message`.
    pub fn error(&self, message: impl Display) -> anyhow::Error {
        anyhow!("{self}: {message}")
    }
}

impl Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        self.line.map_or(Ok(()), |line| write!(f, ":{line}"))
    }
}

/// A coordinate from an annotation file.
pub fn number(text: &str) -> Result<f32> {
    let value: f32 = text.trim().parse().map_err(|_| anyhow!("{text:?} is not a number"))?;
    ensure!(value.is_finite(), "{text:?} is not a finite number");
    Ok(value)
}
