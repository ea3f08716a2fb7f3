//! Photos that nobody has annotated: the tracker says where the faces are.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use facemark::{Face, Image, Options, Plane, Scheme, Tracker};

use super::picture;
use super::sample::Sample;
use super::split::is_for_testing;

/// The largest face in each photo below a folder with the 68 points that the tracker's default models find, sorted by name.
/// Photos without a face, and those for testing, are left out.
///
/// # Errors
/// If there is no photo, or if one cannot be read and is not to be skipped.
pub fn find_faces(folder: &Path, skip_bad: bool) -> Result<Vec<Sample>> {
    let photos = picture::files(folder, &["jpg", "jpeg", "png"])?;
    ensure!(!photos.is_empty(), "no photos in {}: looked for .jpg and .png", folder.display());
    let mut tracker = Tracker::new(Options { small_faces: true, ..Options::default() })?;
    ensure!(tracker.scheme() == Scheme::Ibug68, "the tracker's model finds other points than those of 300-W");
    let mut samples = Vec::new();
    for path in photos {
        let below = path.strip_prefix(folder).unwrap_or(&path);
        if is_for_testing(below, false) {
            continue;
        }
        match picture::luma(&path) {
            Ok(photo) => samples.extend(largest(&mut tracker, &photo)?.map(|face| Sample {
                name: below.display().to_string(),
                picture: path.clone(),
                photo: Arc::new(photo),
                points: face.landmarks,
                region: face.region,
                face_box: None,
                held_out: false,
                mesh: None,
            })),
            Err(error) if skip_bad => eprintln!("left out: {error:#}"),
            Err(error) => return Err(error),
        }
    }
    Ok(samples)
}

fn largest(tracker: &mut Tracker, photo: &Plane) -> Result<Option<Face>> {
    let image = Image::luma(photo.width(), photo.height(), photo.data())?;
    let faces = tracker.still(&image).context("the tracker failed")?;
    Ok(faces.into_iter().max_by(|a, b| a.region.size.total_cmp(&b.region.size)))
}
