//! Annotated photos: one annotation format a file.
//!
//! A format's reader turns a folder or list into [`Annotation`]s; [`load`] then reads the pictures, checks one against the
//! other and keeps the photos in memory as luma. 300-W's training set takes about 0.6 GB.

pub mod check;
mod csv;
mod dlib_xml;
mod format;
#[cfg(test)]
mod fuzz;
mod ibug;
mod imm;
pub mod picture;
mod split;
mod wflw;

use std::fmt::{self, Display};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, anyhow, ensure};
use clap::Args;
use facemark::Plane;
use facemark::face::Scheme;
use facemark::geometry::{Point, Region};
use rayon::prelude::*;

use crate::boxes::FaceBox;
pub use csv::table;
pub use format::Format;
pub use ibug::points as pts;
pub use split::{Part, is_for_testing, photo_name, split};

/// A photo with one annotated face.
#[derive(Clone, Debug)]
pub struct Sample {
    /// The annotation's path below the data folder (and its line in a list); messages and reports name it.
    pub name: String,
    /// The picture's path.
    pub picture: PathBuf,
    /// Its luma.
    pub photo: Arc<Plane>,
    /// The landmarks in image pixels, 0-based, pixel centres on integers.
    pub points: Vec<Point>,
    /// The upright bounding square of *all* annotated landmarks, of which `points` may be a selection.
    pub region: Region,
    /// The face's box as the data set gives it, if it does.
    pub face_box: Option<FaceBox>,
    /// Whether the face is held out for validation.
    pub held_out: bool,
}

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
}

impl Source {
    /// A data set with no further photos.
    pub fn new(path: PathBuf, reading: Reading) -> Self {
        Self { path, reading, more: Vec::new() }
    }
}

impl From<PathBuf> for Source {
    fn from(path: PathBuf) -> Self {
        Self::new(path, Reading::default())
    }
}

/// One annotated face as its file tells, before the picture is read.
#[derive(Clone, Debug)]
struct Annotation {
    /// Where it is written.
    place: Place,
    /// All landmarks, in image pixels if not `relative`.
    points: Vec<Point>,
    /// Whether the points are in units of the picture's width and height.
    relative: bool,
    /// The picture's path.
    picture: PathBuf,
    /// The face's box, if the format has one.
    face_box: Option<FaceBox>,
    /// The person or photo that must not be split between training and validation.
    identity: String,
    /// What the face may be used for.
    part: Part,
}

/// A file, and a line in it if the file holds more than one thing.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Place {
    file: PathBuf,
    line: Option<usize>,
}

impl Place {
    /// A whole file.
    fn file(file: &Path) -> Self {
        Self { file: file.to_owned(), line: None }
    }

    /// A line, counted from 1.
    fn line(file: &Path, line: usize) -> Self {
        Self { file: file.to_owned(), line: Some(line) }
    }

    /// An error here: `file:line: message`.
    fn error(&self, message: impl Display) -> anyhow::Error {
        anyhow!("{self}: {message}")
    }
}

impl Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        self.line.map_or(Ok(()), |line| write!(f, ":{line}"))
    }
}

/// Points may lie this far outside their picture, in sizes of the face: people guess at a jaw that the picture's edge hides.
/// (The worst of 6,465 faces of 300-W and YouTube Faces that were looked at had 0.13.)
const OUTSIDE: f32 = 0.25;

/// Reads all annotated photos in `data` that have the scheme's points. Sorted by name, so
/// that seeds mean the same everywhere.
///
/// # Errors
/// If there is none, or if an annotation or its picture is broken and not to be skipped; the message names file and line.
pub fn load(data: &Source, scheme: Scheme) -> Result<Vec<Sample>> {
    load_all(data, scheme, annotations(data, Some(scheme))?.1)
}

/// Like [`load`], but leaves out what is for testing: folders called `test` or `testset`, lists with `test` in their name.
/// The further photos come last.
pub fn load_for_training(data: &Source, scheme: Scheme) -> Result<Vec<Sample>> {
    let load = |data: &Source| {
        let mut annotations = annotations(data, Some(scheme))?.1;
        annotations.retain(|annotation| annotation.as_ref().map_or(true, |a| a.part != Part::Test));
        load_all(data, scheme, annotations)
    };
    let mut samples = load(data)?;
    for path in &data.more {
        let more = load(&Source::new(path.clone(), data.reading.clone()))?;
        samples.extend(more.into_iter().map(|sample| Sample { held_out: false, ..sample }));
    }
    Ok(samples)
}

/// The format, and everything that is annotated in it.
fn annotations(data: &Source, scheme: Option<Scheme>) -> Result<(Format, Vec<Result<Annotation>>)> {
    let format = match data.reading.format {
        Some(format) => format,
        None => Format::recognise(&data.path, scheme)?,
    };
    Ok((format, format.read(&data.path)?))
}

fn load_all(data: &Source, scheme: Scheme, annotations: Vec<Result<Annotation>>) -> Result<Vec<Sample>> {
    let Source { path, reading, .. } = data;
    ensure!(!annotations.is_empty(), "no annotated face to use in {}", path.display());
    let n = annotations.len();
    let read = |annotation: Result<Annotation>| read_sample(path, annotation?, Some(scheme));
    let (good, bad): (Vec<_>, Vec<_>) =
        annotations.into_par_iter().map(read).partition_map(|sample| match sample {
            Ok(sample) => rayon::iter::Either::Left(sample),
            Err(error) => rayon::iter::Either::Right(error),
        });
    report_bad(bad, n, reading.skip_bad)?;
    ensure!(!good.is_empty(), "no face in {} can be used", path.display());
    Ok(good)
}

/// Says what is left out, or fails with the first of it.
fn report_bad(bad: Vec<anyhow::Error>, n: usize, skip_bad: bool) -> Result<()> {
    if skip_bad {
        bad.iter().for_each(|error| eprintln!("left out: {error:#}"));
        if !bad.is_empty() {
            eprintln!("left out {} of {n} faces", bad.len());
        }
        return Ok(());
    }
    let others = match bad.len() {
        0 => return Ok(()),
        1 => String::new(),
        n_bad => format!("; so are {} others, which `facemark-train data check` lists", n_bad - 1),
    };
    let first = bad.into_iter().next().context("there is a first one")?;
    Err(anyhow!("{first:#} (that one is broken{others}; --skip-bad leaves such faces out)"))
}

/// Reads an annotation's picture and checks one against the other; without a scheme, all points are kept.
fn read_sample(data: &Path, annotation: Annotation, scheme: Option<Scheme>) -> Result<Sample> {
    let Annotation { place, points, relative, picture, face_box, part, .. } = annotation;
    let photo = picture::luma(&picture).map_err(|error| place.error(format!("{error:#}")))?;
    let points = if relative { in_pixels(points, &photo) } else { points };
    let region = Region::from_points(points.iter().copied());
    ensure!(region.is_usable(), "{place}: all points lie in one place");
    let (point, beyond) = outermost(&points, &photo);
    ensure!(
        beyond <= OUTSIDE * region.size,
        "{place}: point {} lies outside the picture, by {:.2} of the face's size",
        point + 1,
        beyond / region.size
    );
    if let Some(face_box) = face_box {
        ensure!(face_box.is_usable(), "{place}: the face's box has no size");
        ensure!(
            face_box.iou(&FaceBox::around(&points)) > 0.0,
            "{place}: the face's box is not where its points are"
        );
    }
    let points = match scheme {
        Some(scheme) => selected(points, scheme).map_err(|error| place.error(error))?,
        None => points,
    };
    let name = place.file.strip_prefix(data).unwrap_or(&place.file);
    let name = Place { file: name.to_owned(), line: place.line }.to_string();
    let held_out = part == Part::HeldOut;
    Ok(Sample { name, picture, photo: Arc::new(photo), points, region, face_box, held_out })
}

/// The scheme's points out of all points of a face.
fn selected(points: Vec<Point>, scheme: Scheme) -> Result<Vec<Point>> {
    match (scheme, points.len()) {
        (Scheme::Nose, imm::N_POINTS) => Ok(vec![points[imm::NOSE]]),
        (scheme, n) if n == scheme.n_points() => Ok(points),
        (scheme, n) => {
            Err(anyhow!("it has {n} points, the scheme {} has {}", scheme.name(), scheme.n_points()))
        }
    }
}

fn in_pixels(points: Vec<Point>, photo: &Plane) -> Vec<Point> {
    let (w, h) = (photo.width() as f32, photo.height() as f32);
    points.into_iter().map(|p| Point::new(p.x * w, p.y * h)).collect()
}

/// The index of the point that lies furthest outside the picture, and how far, in pixels; 0 or less if all are inside.
fn outermost(points: &[Point], photo: &Plane) -> (usize, f32) {
    // Pixel centres are on integers, so the picture begins and ends half a pixel beyond the outer ones.
    let (right, bottom) = (photo.width() as f32 - 0.5, photo.height() as f32 - 0.5);
    let outside =
        |p: &Point| [-0.5 - p.x, -0.5 - p.y, p.x - right, p.y - bottom].into_iter().fold(f32::MIN, f32::max);
    let all = points.iter().map(outside).enumerate();
    all.max_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or((0, f32::MIN))
}

/// A coordinate from an annotation file.
fn number(text: &str) -> Result<f32> {
    let value: f32 = text.trim().parse().map_err(|_| anyhow!("{text:?} is no number"))?;
    ensure!(value.is_finite(), "{text:?} is no finite number");
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::test_data;

    #[test]
    fn an_empty_folder_is_an_error_that_says_what_was_looked_for() -> Result<()> {
        let dir = tempfile::tempdir()?;
        let data = Source::from(dir.path().to_owned());
        let error = load(&data, Scheme::Ibug68).expect_err("nothing is there");
        let message = format!("{error:#}");
        assert!(message.contains("no annotations") && message.contains(".pts"), "{message}");
        assert!(message.contains(&dir.path().display().to_string()), "{message}");
        Ok(())
    }

    fn cut_short(file: &Path) -> Result<()> {
        let bytes = std::fs::read(file)?;
        Ok(std::fs::write(file, &bytes[..bytes.len() - 20])?)
    }

    #[test]
    fn bad_annotations_and_pictures_stop_or_are_skipped_by_name() -> Result<()> {
        type Spoil = fn(&Path) -> Result<()>;
        let cases: [(&str, Spoil, &str); 7] = [
            ("b.pts", |file| test_data::write_pts(file, 67, (40.0, 40.0), 30.0), "67 points instead of 68"),
            // Point 1 is the circle's rightmost.
            (
                "b.pts",
                |file| test_data::write_pts(file, 68, (400.0, 40.0), 30.0),
                "point 1 lies outside the picture, by 11.17",
            ),
            ("b.pts", |file| test_data::write_pts(file, 68, (40.0, f32::NAN), 30.0), "b.pts:4: "),
            ("b.pts", |file| test_data::write_pts(file, 68, (40.0, 40.0), 0.0), "in one place"),
            ("b.jpg", |file| Ok(std::fs::remove_file(file)?), "no .jpg or .png"),
            ("b.jpg", |file| Ok(std::fs::write(file, b"no picture")?), "cannot read the picture"),
            ("b.jpg", cut_short, "b.jpg: it is cut short"),
        ];
        for (name, spoil, part) in cases {
            let dir = tempfile::tempdir()?;
            let data = Source::from(dir.path().to_owned());
            test_data::ibug(dir.path(), &["a", "b", "c"])?;
            spoil(&dir.path().join(name))?;
            let error = load(&data, Scheme::Ibug68).expect_err(part);
            let message = format!("{error:#}");
            assert!(message.contains(part) && message.contains("b.pts"), "{message}");
            assert_eq!(message.lines().count(), 1, "{message}");
            assert!(message.contains("--skip-bad"), "{message}");
            let data = Source { reading: Reading { skip_bad: true, format: None }, ..data };
            let names: Vec<String> =
                load(&data, Scheme::Ibug68)?.into_iter().map(|sample| sample.name).collect();
            assert_eq!(names, ["a.pts", "c.pts"], "{part}");
        }
        Ok(())
    }

    #[test]
    fn a_point_just_beyond_the_edge_is_a_guess_one_far_beyond_an_error() -> Result<()> {
        let dir = tempfile::tempdir()?;
        let data = Source::from(dir.path().to_owned());
        test_data::ibug(dir.path(), &["a"])?;
        // The face is 40 px wide and the picture 80: it ends 8 px beyond.
        test_data::write_pts(&dir.path().join("a.pts"), 68, (68.0, 40.0), 40.0)?;
        assert_eq!(load(&data, Scheme::Ibug68)?.len(), 1);
        test_data::write_pts(&dir.path().join("a.pts"), 68, (75.0, 40.0), 40.0)?;
        assert!(load(&data, Scheme::Ibug68).is_err());
        Ok(())
    }
}
