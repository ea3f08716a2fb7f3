//! Pixels that are not square: detectors and nets know faces as they look, so pictures of such pixels are stretched for
//! them, and what they find is brought back.

use crate::crop::crop;
use crate::face::Face;
use crate::geometry::Affine;
use crate::image::{Luma, Plane};

/// Pixels further from square than this, either way, are a broken header's more often than a film's.
const MOST: f32 = 4.0;
/// Pictures are not stretched beyond this many pixels.
const WIDEST: usize = 16_384;

/// Shows pictures as they look.
pub struct Stretch {
    /// Width to height of a pixel.
    aspect: f32,
    /// The stretched luma.
    plane: Plane,
}

impl Stretch {
    /// For pixels of this width to height; `None` for square ones, about which there is nothing to do.
    pub fn new(aspect: f32) -> Option<Self> {
        let is_far = (aspect - 1.0).abs() > 0.01 && (1.0 / MOST..=MOST).contains(&aspect);
        is_far.then(|| Self { aspect, plane: Plane::default() })
    }

    /// The picture as it looks. What is found in it goes back by [`bring_back`].
    pub fn apply(&mut self, luma: Luma) -> Luma<'_> {
        let (width, height) = (luma.width() as f32, luma.height() as f32);
        let wide = ((width * self.aspect).round() as usize).clamp(1, WIDEST.max(luma.width()));
        self.plane.resize(wide, luma.height());
        let whole = Affine { rows: [[width, 0.0, -0.5], [0.0, height, -0.5]] };
        crop(luma, &whole, wide, self.plane.data_mut());
        self.plane.luma()
    }
}

/// Takes a face from a picture that is `factor` times as wide to the true one. Regions keep their size across the picture.
///
/// Pixel centres are on integers, so a picture begins at −0.5.
pub fn bring_back(face: &mut Face, factor: f32) {
    let back = |x: &mut f32| *x = (*x + 0.5) / factor - 0.5;
    back(&mut face.region.center.x);
    face.landmarks.iter_mut().for_each(|point| back(&mut point.x));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::{Point, Region};

    #[test]
    fn square_pixels_are_left_alone() {
        for aspect in [1.0, 1000.0 / 1001.0, i32::MAX as f32, 0.0, -2.0, f32::NAN] {
            assert!(Stretch::new(aspect).is_none(), "{aspect}");
        }
        assert!(Stretch::new(16.0 / 15.0).is_some());
    }

    #[test]
    fn what_is_found_in_the_stretched_picture_is_at_its_place_in_the_true_one() {
        let mut stretch = Stretch::new(2.0).unwrap();
        let mut pixels = vec![0; 40 * 20];
        pixels[7 * 40 + 11] = 200;
        let plane = Plane::new(40, 20, pixels).unwrap();
        let stretched = stretch.apply(plane.luma());
        assert_eq!(stretched.width(), 80);
        let brightest = (0..80).max_by_key(|&x| stretched.data()[7 * 80 + x]).unwrap();
        assert!((22..=23).contains(&brightest), "{brightest}");
        let point = Point::new(22.5, 7.0);
        let region = Region { center: point, size: 8.0, angle: 0.0 };
        let mut face = Face { id: 1, region, landmarks: vec![point], score: 1.0, measures: None };
        bring_back(&mut face, 2.0);
        assert_eq!((face.landmarks[0], face.region.center.x), (Point::new(11.0, 7.0), 11.0));
    }
}
