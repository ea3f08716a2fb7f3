//! Faces, landmark schemes, and what is computed from landmarks.

mod blendshape;
mod contour;
mod gaze;
mod measure;
pub mod mesh;
mod mesh_lines;
mod pose;
mod scheme;
mod smooth;
mod vector;

pub use blendshape::{BLENDSHAPES, mirrored as mirrored_blendshapes};
pub use contour::Contour;
pub use gaze::Gaze;
pub use measure::Measures;
pub use mesh_lines::lines as mesh_lines;
pub use pose::Pose;
pub use pose::space::{Camera, EYE_DISTANCE, Place};
pub use scheme::Scheme;
pub use smooth::{FaceSmoother, Smoother, Smoothing};

use crate::geometry::{Point, Region, mean};
use crate::image::Luma;

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
    /// What the model says beyond the landmarks' places.
    pub more: More,
    /// How sure the detector was, 0 to 1, that there is a face here, when it last looked: usually in this
    /// frame or one of the two before, with models that report presence up to five before. It is lower if the
    /// model is [unsure](UNSURE) of most landmarks, as of a hidden face, and says nothing else about their accuracy.
    pub score: f32,
    /// Head pose, eyes and mouth, if [`Options::measures`](crate::Options::measures) asks for them and the
    /// scheme [has](Measures::has) them.
    pub measures: Option<Measures>,
}

/// A model is unsure of a landmark that it expects to be further off than this share of the face's size.
pub const UNSURE: f32 = 0.047;

/// What a model may say of a face beyond its landmarks' places. What it does not say is empty.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct More {
    /// How far each landmark is behind the face's middle, in image pixels. Negative is nearer.
    pub depths: Vec<f32>,
    /// How far off each landmark is on average, in image pixels, as far as the model knows.
    pub sigmas: Vec<f32>,
    /// The shares of the [`BLENDSHAPES`], 0 to 1.
    pub blendshapes: Vec<f32>,
}

impl More {
    /// 1 for a face of this size in pixels of whose landmarks the model is sure on average, and less for a hidden one. Only
    /// landmarks inside the picture count: of the others no model can be sure.
    pub(crate) fn clearness(&self, landmarks: &[Point], size: f32, luma: Luma) -> f32 {
        let inside = self.sigmas.iter().zip(landmarks).filter(|&(_, &point)| luma.shows(point));
        let (sum, n) = inside.fold((0.0, 0), |(sum, n), (sigma, _)| (sum + sigma, n + 1));
        let mean = sum / n as f32;
        // Without landmarks' expected errors there is no mean.
        if mean > UNSURE * size { UNSURE * size / mean } else { 1.0 }
    }
}

impl Region {
    /// The bounding square of landmarks, rotated so that the line between the eyes is level. Of a mesh only
    /// those landmarks count that lie where [`Scheme::Ibug68`] has one, so that a face has the same region
    /// whatever its scheme.
    ///
    /// `None` for a scheme without eyes, and for points that are too few, not finite or all in one place.
    pub fn from_landmarks(landmarks: &[Point], scheme: Scheme) -> Option<Self> {
        let [left, right] = scheme.eyes()?;
        let (left, right) = (mean(&picked(landmarks, left)?), mean(&picked(landmarks, right)?));
        let angle = (right.y - left.y).atan2(right.x - left.x);
        let level = Self::upright(landmarks, scheme, |p| p.rotated(-angle))?;
        let region = Self { center: level.center.rotated(angle), size: level.size, angle };
        region.is_usable().then_some(region)
    }

    /// The same without any rotation. Not [usable](Self::is_usable) for points that are not finite or all in
    /// one place; `None` if there are too few.
    pub fn upright_from_landmarks(landmarks: &[Point], scheme: Scheme) -> Option<Self> {
        Self::upright(landmarks, scheme, |p| p)
    }

    fn upright(landmarks: &[Point], scheme: Scheme, place: impl Fn(Point) -> Point) -> Option<Self> {
        Some(match scheme {
            Scheme::Mesh478 => Self::from_points(picked(landmarks, &mesh::IBUG68)?.into_iter().map(place)),
            _ => Self::from_points(landmarks.iter().copied().map(place)),
        })
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

/// The landmarks with these indices; `None` if there are too few.
fn picked(landmarks: &[Point], indices: &[usize]) -> Option<Vec<Point>> {
    indices.iter().map(|&i| landmarks.get(i).copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::Plane;

    fn assert_near(a: Point, b: Point) {
        assert!(a.distance(b) < 1e-3, "{a:?} is not {b:?}");
    }

    #[test]
    fn a_face_of_whose_landmarks_the_model_is_unsure_is_less_clear() {
        let plane = Plane::new(20, 10, vec![0; 200]).unwrap();
        let [inside, outside] = [Point::new(5.0, 5.0), Point::new(5.0, 12.0)];
        let clearness = |sigmas: &[f32], landmarks: &[Point]| {
            More { sigmas: sigmas.to_vec(), ..More::default() }.clearness(landmarks, 100.0, plane.luma())
        };
        for sigmas in [&[][..], &[1.0, 2.0], &[7.0, 1.0]] {
            assert_eq!(clearness(sigmas, &[inside, inside]), 1.0);
        }
        let far = 200.0 * UNSURE;
        assert_eq!(clearness(&[far, far], &[inside, inside]), 0.5);
        assert_eq!(clearness(&[1.0, far], &[inside, outside]), 1.0);
        assert_eq!(clearness(&[far, far], &[outside, outside]), 1.0);
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
