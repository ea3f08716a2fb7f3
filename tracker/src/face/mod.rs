//! A face, and what follows from its landmarks.

mod measure;
mod pose;
mod scheme;
mod smooth;

pub use measure::Measures;
pub use pose::Pose;
pub use scheme::{Contour, Scheme};
pub use smooth::{Smoother, Smoothing};

use crate::geometry::{Point, Region, mean};

/// A face in a frame.
#[derive(Clone, Debug)]
pub struct Face {
    /// Stays with a person as long as they are followed; starts at 1.
    pub id: u32,
    /// Where the face is.
    pub region: Region,
    /// Landmarks in image pixels, in the order of the model's scheme.
    pub landmarks: Vec<Point>,
    /// How sure the detector is that there is a face, in this frame, 0 to 1.
    pub score: f32,
    /// What follows from the landmarks, if it was asked for and the scheme has the points.
    pub measures: Option<Measures>,
}

impl Region {
    /// The region around landmarks, turned so that the line between the eyes is level.
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

    /// Where these landmarks, found in this region, say that the face is; `None` if nowhere.
    ///
    /// A scheme without eyes tells neither size nor roll: its landmarks only move the region along.
    pub fn moved_to(&self, landmarks: &[Point], scheme: Scheme) -> Option<Self> {
        if scheme.eyes().is_some() {
            return Self::from_landmarks(landmarks, scheme);
        }
        // The bottom of the nose is the centre of the landmarks' box (mean over IMM: 0.00 ± 0.03 sizes below).
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
    fn a_rolled_face_gives_the_same_region_rolled() {
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
