//! Annotated photos: one annotation format a file.
//!
//! All photos are kept in memory as luma; 300-W's training set takes about 0.6 GB.

mod ibug;
mod imm;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, bail, ensure};
use facemark::face::{Point, Region};
use facemark::frame::Plane;
use facemark::scheme::Scheme;
use rayon::prelude::*;

/// A photo with one annotated face.
#[derive(Clone, Debug)]
pub struct Sample {
    /// The photo's path below the data folder; messages and reports name it.
    pub name: String,
    /// Its luma.
    pub photo: Arc<Plane>,
    /// The landmarks in image pixels, 0-based, pixel centres on integers.
    pub points: Vec<Point>,
    /// The upright bounding square of *all* annotated landmarks, of which `points` may be a selection.
    pub region: Region,
    /// Whether the face is held out for validation.
    pub held_out: bool,
}

/// Reads a picture's luma.
fn load_photo(path: &Path) -> Result<Plane> {
    let picture = image::open(path).with_context(|| format!("cannot read the picture {}", path.display()))?;
    let luma = picture.into_luma8();
    let (width, height) = (luma.width() as usize, luma.height() as usize);
    Ok(Plane { data: luma.into_raw(), width, height })
}

/// An annotation file as its reader understood it.
struct Annotation {
    /// All landmarks in image pixels.
    points: Vec<Point>,
    /// The picture's path.
    picture: PathBuf,
}

/// Reads all photos below `dir` that are annotated in the scheme's data set: IMM's `.asf` for the nose and the 58 points,
/// iBUG's `.pts` for the 68. Sorted by name, so that seeds mean the same everywhere.
///
/// # Errors
/// If there is none, or if an annotation or its picture is broken; the message names file and line.
pub fn load(dir: &Path, scheme: Scheme) -> Result<Vec<Sample>> {
    load_files(dir, scheme, annotation_files(dir, scheme)?)
}

/// Like [`load`], but leaves out what lies in folders called `test` or `testset`.
pub fn load_for_training(dir: &Path, scheme: Scheme) -> Result<Vec<Sample>> {
    let mut files = annotation_files(dir, scheme)?;
    files.retain(|file| !is_test_file(file.strip_prefix(dir).unwrap_or(file)));
    load_files(dir, scheme, files)
}

fn annotation_files(dir: &Path, scheme: Scheme) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    find_files(dir, extension(scheme), &mut files)?;
    files.sort();
    Ok(files)
}

fn extension(scheme: Scheme) -> &'static str {
    match scheme {
        Scheme::Nose | Scheme::Imm58 => "asf",
        Scheme::Ibug68 => "pts",
    }
}

fn load_files(dir: &Path, scheme: Scheme, files: Vec<PathBuf>) -> Result<Vec<Sample>> {
    ensure!(!files.is_empty(), "no .{} file to use in {}", extension(scheme), dir.display());
    files.par_iter().map(|file| load_sample(dir, file, scheme)).collect()
}

/// The samples to train on and those to validate with, in that order.
///
/// # Errors
/// If one of the two is empty.
pub fn split(samples: Vec<Sample>) -> Result<(Vec<Sample>, Vec<Sample>)> {
    let (validation, training): (Vec<_>, Vec<_>) = samples.into_iter().partition(|sample| sample.held_out);
    ensure!(!training.is_empty(), "every photo is held out, none is left to train on");
    ensure!(!validation.is_empty(), "no photo is held out for validation");
    Ok((training, validation))
}

/// Whether the file lies in a folder that says it is for testing: such photos are never trained on.
fn is_test_file(file: &Path) -> bool {
    let folders = file.parent().into_iter().flat_map(Path::components);
    folders.into_iter().any(|folder| ["test", "testset"].iter().any(|name| folder.as_os_str() == *name))
}

fn load_sample(dir: &Path, file: &Path, scheme: Scheme) -> Result<Sample> {
    let (annotation, photo, held_out) = match scheme {
        Scheme::Ibug68 => {
            let annotation = ibug::read(file)?;
            let photo = load_photo(&annotation.picture)?;
            (annotation, photo, ibug::is_held_out(file))
        }
        Scheme::Nose | Scheme::Imm58 => {
            let (relative, person) = imm::read(file)?;
            let photo = load_photo(&relative.picture)?;
            (imm::in_pixels(relative, &photo), photo, imm::is_held_out(person))
        }
    };
    let region = Region::from_points(annotation.points.iter().copied());
    ensure!(region.is_usable(), "{}: all points lie in one place", file.display());
    let points = match scheme {
        Scheme::Nose => vec![annotation.points[imm::NOSE]],
        Scheme::Imm58 | Scheme::Ibug68 => annotation.points,
    };
    let name = file.strip_prefix(dir).unwrap_or(file).display().to_string();
    Ok(Sample { name, photo: Arc::new(photo), points, region, held_out })
}

fn find_files(dir: &Path, extension: &str, found: &mut Vec<PathBuf>) -> Result<()> {
    let entries = fs::read_dir(dir).with_context(|| format!("cannot read the folder {}", dir.display()))?;
    for entry in entries {
        let path = entry.with_context(|| format!("cannot read the folder {}", dir.display()))?.path();
        if path.is_dir() {
            find_files(&path, extension, found)?;
        } else if path.extension().is_some_and(|e| e.eq_ignore_ascii_case(extension)) {
            found.push(path);
        }
    }
    Ok(())
}

/// The picture beside an annotation file: the same name with .jpg or .png.
fn picture_beside(file: &Path) -> Result<PathBuf> {
    let candidates = ["jpg", "png", "jpeg"].map(|extension| file.with_extension(extension));
    match candidates.into_iter().find(|path| path.is_file()) {
        Some(path) => Ok(path),
        None => bail!("{}: no .jpg or .png of the same name lies beside it", file.display()),
    }
}

/// A coordinate from an annotation file.
fn number(text: &str) -> Result<f32> {
    let value: f32 = text.parse().with_context(|| format!("{text:?} is no number"))?;
    ensure!(value.is_finite(), "{text:?} is no finite number");
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_named_test_are_known_as_such() {
        assert!(is_test_file(Path::new("300w/lfpw/testset/image_1.pts")));
        assert!(is_test_file(Path::new("test/a.pts")));
        assert!(!is_test_file(Path::new("300w/lfpw/trainset/test.pts")));
    }

    #[test]
    fn a_folder_without_annotations_is_an_error() -> Result<()> {
        let dir = tempfile::tempdir()?;
        let error = load(dir.path(), Scheme::Ibug68).expect_err("nothing is there");
        assert!(error.to_string().contains("no .pts file to use"), "{error}");
        Ok(())
    }
}
