//! Faces, landmark schemes, and what is computed from landmarks.

mod measure;
pub mod mesh;
mod pose;
mod scheme;
mod smooth;

pub use measure::Measures;
pub use pose::Pose;
pub use scheme::{Contour, Scheme};
pub use smooth::{Smoother, Smoothing};

use crate::geometry::{Point, Region, mean};

/// A face in a picture.
#[derive(Clone, Debug, PartialEq)]
pub struct Face {
    /// Stays the same for as long as the face is followed. The first face has 1, each new one the next
    /// number.
    pub id: u32,
    /// Where the face is, in image pixels.
    pub region: Region,
    /// The landmarks in image pixels, in the order of [`Tracker::scheme`](crate::Tracker::scheme).
    pub landmarks: Vec<Point>,
    /// How sure the detector was, 0 to 1, that there is a face here, when it last looked: usually in this
    /// frame or one of the two before, with models that report presence up to five before. Says nothing about
    /// the landmarks' accuracy.
    pub score: f32,
    /// Head pose, eyes and mouth, if [`Options::measures`](crate::Options::measures) asks for them and the
    /// scheme [has](Measures::has) them.
    pub measures: Option<Measures>,
}

impl Region {
    /// The bounding square of landmarks, rotated so that the line between the eyes is level.
    ///
    /// `None` for a scheme without eyes, and for points that are too few, not finite or all in one place.
    pub fn from_landmarks(landmarks: &[Point], scheme: Scheme) -> Option<Self> {
        let [left, right] = scheme.eyes()?;
        let left = mean(landmarks.get(left)?);
        let right = mean(landmarks.get(right)?);
        let angle = (right.y - left.y).atan2(right.x - left.x);
        let level = Self::from_points(landmarks.iter().map(|p| p.rotated(-angle)));
        let region = Self { center: level.center.rotated(angle), size: level.size, angle };
        region.is_usable().then_some(region)
    }

    /// Where the face is according to these landmarks, which were found in this region. `None` if they are
    /// unusable.
    ///
    /// Landmarks of a scheme without eyes do not show size or roll, so they only move the region.
    pub fn moved_to(&self, landmarks: &[Point], scheme: Scheme) -> Option<Self> {
        if scheme.eyes().is_some() {
            return Self::from_landmarks(landmarks, scheme);
        }
        // The bottom of the nose is at the centre of the landmarks' box (IMM: 0.00 ± 0.03 sizes below it).
        let region = Self { center: mean(landmarks), ..*self };
        region.is_usable().then_some(region)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_near(a: Point, b: Point) {
        assert!(a.distance(b) < 1e-3, "{a:?} is not {b:?}");
    }

    #[test]
    fn a_rotated_face_has_the_same_region_rotated() {
        let upright: Vec<Point> = (0..68)
            .map(|i| {
                Point::new((i * 37 % 68) as f32 + if i >= 42 { 30.0 } else { 0.0 }, (i * 53 % 61) as f32)
            })
            .collect();
        let straight = Region::from_landmarks(&upright, Scheme::Ibug68).unwrap();
        let rolled: Vec<Point> = upright.iter().map(|p| p.rotated(0.4)).collect();
        let turned = Region::from_landmarks(&rolled, Scheme::Ibug68).unwrap();
        assert!((turned.angle - straight.angle - 0.4).abs() < 1e-4);
        assert!((turned.size - straight.size).abs() < 1e-2);
        assert_near(turned.center, straight.center.rotated(0.4));
    }

    #[test]
    fn unusable_points_give_no_region() {
        assert!(Region::from_landmarks(&[Point::new(f32::NAN, 0.0); 68], Scheme::Ibug68).is_none());
        assert!(Region::from_landmarks(&[Point::new(3.0, 4.0); 68], Scheme::Ibug68).is_none());
        assert!(Region::from_landmarks(&[Point::new(3.0, 4.0)], Scheme::Nose).is_none());
    }

    #[test]
    fn a_nose_moves_its_region_and_leaves_size_and_roll() {
        let region = Region { center: Point::new(100.0, 50.0), size: 40.0, angle: 0.2 };
        let moved = region.moved_to(&[Point::new(110.0, 45.0)], Scheme::Nose).unwrap();
        assert_eq!(moved, Region { center: Point::new(110.0, 45.0), ..region });
        assert!(region.moved_to(&[Point::new(f32::NAN, 45.0)], Scheme::Nose).is_none());
    }
}
