//! Pixels that are not square. The nets only know faces as they look on a screen, so such pictures are
//! stretched for them, and the faces they find are mapped back.

use crate::crop::crop;
use crate::face::Face;
use crate::geometry::Affine;
use crate::image::{Luma, Plane};

/// The largest ratio of a pixel's sides. Higher ones are more often broken headers than real.
const MAX_RATIO: f32 = 4.0;
/// The largest width that pictures are stretched to, in pixels.
const MAX_WIDTH: usize = 16_384;

/// Stretches pictures so that their pixels are square.
pub struct Stretch {
    /// A pixel's width / height.
    aspect: f32,
    /// The stretched luma.
    plane: Plane,
}

impl Stretch {
    /// For pixels of this width / height. `None` if there is nothing to do: they are square within 1 %, or
    /// the ratio is too large.
    pub fn new(aspect: f32) -> Option<Self> {
        let is_far = (aspect - 1.0).abs() > 0.01 && (1.0 / MAX_RATIO..=MAX_RATIO).contains(&aspect);
        is_far.then(|| Self { aspect, plane: Plane::default() })
    }

    /// The stretched picture. [`map_back`] maps faces in it back.
    pub fn apply(&mut self, luma: Luma) -> Luma<'_> {
        let (width, height) = (luma.width() as f32, luma.height() as f32);
        let wide = ((width * self.aspect).round() as usize).clamp(1, MAX_WIDTH.max(luma.width()));
        self.plane.resize(wide, luma.height());
        let whole = Affine { rows: [[width, 0.0, -0.5], [0.0, height, -0.5]] };
        crop(luma, &whole, wide, self.plane.data_mut());
        self.plane.luma()
    }
}

/// Maps a face from a picture that is `factor` times as wide to the original. Regions keep their size.
///
/// Pixel centres are integers, so a picture begins at −0.5.
pub fn map_back(face: &mut Face, factor: f32) {
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
    fn faces_in_the_stretched_picture_are_mapped_back() {
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
        let mut face = Face {
            id: 1,
            region,
            landmarks: vec![point],
            score: 1.0,
            more: Default::default(),
            measures: None,
        };
        map_back(&mut face, 2.0);
        assert_eq!((face.landmarks[0], face.region.center.x), (Point::new(11.0, 7.0), 11.0));
    }
}
