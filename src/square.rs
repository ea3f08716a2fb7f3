//! Pixels that are not square: detectors and nets know faces as they look, so pictures of such pixels are stretched for
//! them, and what they find is brought back.

use std::mem::swap;
use std::time::Instant;

use anyhow::Result;

use crate::crop::crop;
use crate::face::{Affine, Face};
use crate::frame::{Frame, Plane, Stage};
use crate::track::{Tracked, Tracker};

/// Pixels further from square than this, either way, are a broken header's more often than a film's.
const MOST: f32 = 4.0;
/// Pictures are not stretched beyond this many pixels.
const WIDEST: usize = 16_384;

/// Shows a tracker pictures as they look.
pub struct Square {
    /// Width to height of a pixel.
    aspect: f32,
    /// The stretched luma; while the tracker works, the true one.
    luma: Plane,
}

impl Square {
    /// For pixels of this width to height; `None` for square ones, about which there is nothing to do.
    pub fn new(pixel_aspect: Option<(i32, i32)>) -> Option<Self> {
        let (width, height) = pixel_aspect?;
        let aspect = width as f32 / height as f32;
        let is_far = (aspect - 1.0).abs() > 0.01 && (1.0 / MOST..=MOST).contains(&aspect);
        is_far.then(|| Self { aspect, luma: Plane::default() })
    }

    /// As [`Tracker::track`]. Landmarks are in the frame's own pixels; regions keep their size across the picture.
    ///
    /// # Errors
    /// As [`Tracker::track`].
    pub fn track(&mut self, tracker: &mut Tracker, mut frame: Frame) -> Result<Tracked> {
        let start = Instant::now();
        let width = self.stretch(&frame.image.luma);
        let aspect = width as f32 / frame.image.luma.width.max(1) as f32;
        swap(&mut frame.image.luma, &mut self.luma);
        frame.timing.since(Stage::Track, start);
        let mut tracked = tracker.track(frame)?;
        swap(&mut tracked.frame.image.luma, &mut self.luma);
        tracked.faces.iter_mut().for_each(|face| bring_back(face, aspect));
        Ok(tracked)
    }

    /// Fills our plane with the stretched one; how wide it is.
    fn stretch(&mut self, luma: &Plane) -> usize {
        let (width, height) = (luma.width as f32, luma.height as f32);
        let wide = ((width * self.aspect).round() as usize).clamp(1, WIDEST.max(luma.width));
        self.luma.resize(wide, luma.height);
        let whole = Affine { rows: [[width, 0.0, -0.5], [0.0, height, -0.5]] };
        crop(luma, &whole, wide, luma.height, &mut self.luma.data);
        wide
    }
}

/// Pixel centres are on integers, so a picture begins at −0.5.
fn bring_back(face: &mut Face, aspect: f32) {
    let back = |x: &mut f32| *x = (*x + 0.5) / aspect - 0.5;
    back(&mut face.region.center.x);
    face.landmarks.iter_mut().for_each(|point| back(&mut point.x));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::face::{Point, Region};

    #[test]
    fn square_pixels_are_left_alone() {
        assert!(Square::new(None).is_none());
        assert!(Square::new(Some((1, 1))).is_none());
        assert!(Square::new(Some((1000, 1001))).is_none());
        assert!(Square::new(Some((i32::MAX, 1))).is_none());
        assert!(Square::new(Some((16, 15))).is_some());
    }

    #[test]
    fn what_is_found_in_the_stretched_picture_is_at_its_place_in_the_true_one() {
        let mut square = Square::new(Some((2, 1))).unwrap();
        let mut luma = Plane::default();
        luma.resize(40, 20);
        luma.data.fill(0);
        luma.data[7 * 40 + 11] = 200;
        assert_eq!(square.stretch(&luma), 80);
        let brightest = (0..80).max_by_key(|&x| square.luma.data[7 * 80 + x]).unwrap();
        assert!((22..=23).contains(&brightest), "{brightest}");
        let point = Point::new(22.5, 7.0);
        let region = Region { center: point, size: 8.0, angle: 0.0 };
        let mut face = Face { id: 1, region, landmarks: vec![point], score: 1.0, measures: None };
        bring_back(&mut face, 2.0);
        assert_eq!((face.landmarks[0], face.region.center.x), (Point::new(11.0, 7.0), 11.0));
    }
}
