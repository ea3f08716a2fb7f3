//! What a detector takes for a face where there is none, as pictures: the next one can learn from them.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use facemark::crop::crop;
use facemark::detect::{Detection, Detector, FaceNet};
use facemark::geometry::{Affine, Point};
use image::GrayImage;

use crate::dataset::photos::{self, Photo};

/// The least score of a mistake. The whole picture's look passes on what has 0.3.
const MIN_SCORE: f32 = 0.3;
/// What a picture shows of the surroundings, in sizes of the supposed face.
const WIDTH: f32 = 3.0;
/// The largest side of a picture in pixels.
const MAX_SIDE: f32 = 384.0;

/// Writes a PNG of each such place in a folder's pictures, in which there is no face. Gives the number of pictures written.
///
/// # Errors
/// If a picture cannot be read, or the folder for the results cannot be made or written.
pub fn write(detector: FaceNet, data: &Path, results: &Path) -> Result<usize> {
    let mut detector = detector.with_min_score(MIN_SCORE);
    fs::create_dir_all(results).with_context(|| format!("cannot make {}", results.display()))?;
    let mut n = 0;
    for picture in photos::load_plain(data)? {
        for place in detector.detect(picture.luma.luma(), &[])? {
            let file = results.join(format!("{n:05}.png"));
            around(&picture, &place)
                .save(&file)
                .with_context(|| format!("cannot write {}", file.display()))?;
            n += 1;
        }
    }
    Ok(n)
}

/// The upright square around a place, as far as the picture goes.
fn around(picture: &Photo, place: &Detection) -> GrayImage {
    let (width, height) = (picture.luma.width() as f32, picture.luma.height() as f32);
    let Point { x, y } = place.region.center;
    let reach = WIDTH / 2.0 * place.region.size;
    let (left, right) = ((x - reach).max(0.0), (x + reach).min(width));
    let (top, bottom) = ((y - reach).max(0.0), (y + reach).min(height));
    let (wide, high) = ((right - left).max(1.0), (bottom - top).max(1.0));
    let shrink = (MAX_SIDE / wide.max(high)).min(1.0);
    let [columns, rows] = [wide, high].map(|side| ((side * shrink) as u32).max(1));
    let to_picture = Affine { rows: [[wide, 0.0, left - 0.5], [0.0, high, top - 0.5]] };
    let mut image = GrayImage::new(columns, rows);
    crop(picture.luma.luma(), &to_picture, columns as usize, &mut image);
    image
}

#[cfg(test)]
mod tests {
    use facemark::Plane;
    use facemark::geometry::Region;

    use super::*;
    use crate::dataset::Part;

    #[test]
    fn a_mistake_is_shown_with_its_surroundings_and_not_beyond_the_picture() {
        let mut luma = Plane::new(300, 200, vec![90; 300 * 200]).unwrap();
        for (x, y) in (0..100).map(|i| (i % 10, i / 10)) {
            luma.data_mut()[(y + 95) * 300 + x + 45] = 200;
        }
        let photo = Photo { name: String::new(), luma, faces: vec![], points: vec![], part: Part::Training };
        let place = |x: f32, size: f32| {
            let region = Region { center: Point::new(x, 100.0), size, angle: 0.2 };
            around(&photo, &Detection { region, score: 0.5 })
        };
        let near = place(50.0, 40.0);
        // 10 px of it would lie to the left of the picture.
        assert_eq!(near.dimensions(), (110, 120));
        assert_eq!((near.get_pixel(50, 60).0, near.get_pixel(70, 60).0), ([200], [90]));
        assert_eq!(place(150.0, 2000.0).dimensions(), (300, 200));
        let mut large = photo.luma.clone();
        large.resize(2000, 1500);
        let large = Photo { luma: large, ..photo };
        let region = Region { center: Point::new(1000.0, 750.0), size: 400.0, angle: 0.0 };
        assert_eq!(around(&large, &Detection { region, score: 0.5 }).dimensions(), (384, 384));
    }
}
