//! A photo with an annotated face: the picture is read, and checked against its annotation.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Result, anyhow, ensure};
use facemark::Plane;
use facemark::face::{Scheme, mesh};
use facemark::geometry::{Point, Region};

use super::annotation::{Annotation, Mesh, Place};
use super::face_box::FaceBox;
use super::formats::imm;
use super::picture;
use super::split::Part;

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
    /// The upright bounding square of *all* annotated landmarks, of which `points` may be a selection; of a mesh, of those
    /// that lie where 300-W's do.
    pub region: Region,
    /// The face's box as the data set gives it, if it does.
    pub face_box: Option<FaceBox>,
    /// Whether the face is held out for validation.
    pub held_out: bool,
    /// What is known of a mesh besides its points.
    pub mesh: Option<Mesh>,
}

/// Points may lie this far outside their picture, in sizes of the face: people guess at a jaw that the picture's edge hides.
/// (The worst of 6,465 faces of 300-W and YouTube Faces that were looked at had 0.13.)
const OUTSIDE: f32 = 0.25;
/// Those of a mesh may lie further out: a machine guesses what a photo cuts off, and training leaves it out.
const OUTSIDE_MESH: f32 = 1.0;

/// Reads an annotation's picture and checks one against the other; without a scheme, all points are kept.
pub fn read_sample(data: &Path, annotation: Annotation, scheme: Option<Scheme>) -> Result<Sample> {
    let Annotation { place, points, relative, picture, face_box, part, mesh: more, .. } = annotation;
    let photo = picture::luma(&picture).map_err(|error| place.error(format!("{error:#}")))?;
    let points = if relative { in_pixels(points, &photo) } else { points };
    let region = region(&points);
    ensure!(region.is_usable(), "{place}: all points lie in one place");
    let (point, beyond) = outermost(&points, &photo);
    let outside = if points.len() == mesh::N_POINTS { OUTSIDE_MESH } else { OUTSIDE };
    ensure!(
        beyond <= outside * region.size,
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
    Ok(Sample { name, picture, photo: Arc::new(photo), points, region, face_box, held_out, mesh: more })
}

/// The scheme's points out of all points of a face.
fn selected(points: Vec<Point>, scheme: Scheme) -> Result<Vec<Point>> {
    match (scheme, points.len()) {
        (Scheme::Nose, imm::N_POINTS) => Ok(vec![points[imm::NOSE]]),
        (Scheme::Ibug68, mesh::N_POINTS) => Ok(mesh::IBUG68.map(|i| points[i]).to_vec()),
        (scheme, n) if n == scheme.n_points() => Ok(points),
        (scheme, n) => {
            Err(anyhow!("it has {n} points, the scheme {} has {}", scheme.name(), scheme.n_points()))
        }
    }
}

/// The upright bounding square of all points of a face, of a mesh as far as the 68 reach.
fn region(points: &[Point]) -> Region {
    let is_mesh = points.len() == mesh::N_POINTS;
    let of_mesh = is_mesh.then(|| Region::upright_from_landmarks(points, Scheme::Mesh478)).flatten();
    of_mesh.unwrap_or_else(|| Region::from_points(points.iter().copied()))
}

fn in_pixels(points: Vec<Point>, photo: &Plane) -> Vec<Point> {
    let (w, h) = (photo.width() as f32, photo.height() as f32);
    points.into_iter().map(|p| Point::new(p.x * w, p.y * h)).collect()
}

/// The index of the point that lies furthest outside the picture, and how far, in pixels; 0 or less if all are inside.
pub fn outermost(points: &[Point], photo: &Plane) -> (usize, f32) {
    // Pixel centres are on integers, so the picture begins and ends half a pixel beyond the outer ones.
    let (right, bottom) = (photo.width() as f32 - 0.5, photo.height() as f32 - 0.5);
    let outside =
        |p: &Point| [-0.5 - p.x, -0.5 - p.y, p.x - right, p.y - bottom].into_iter().fold(f32::MIN, f32::max);
    let all = points.iter().map(outside).enumerate();
    all.max_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or((0, f32::MIN))
}
