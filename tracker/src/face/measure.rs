//! Measures of a face: which way the head is turned, how far the eyes and the mouth are open.

use super::{Camera, Gaze, Place, Pose, Scheme, mesh};
use crate::geometry::Point;

/// Measures of a face, computed from its landmarks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measures {
    /// Which way the head is turned.
    pub pose: Pose,
    /// The aspect ratios, height / width, of the eyes on the left and on the right of the picture: about 0.3
    /// when open (Soukupová and Čech, "Real-Time Eye Blink Detection using Facial Landmarks", CVWW 2016).
    pub eyes: [f32; 2],
    /// The gap between the lips / the width of the mouth, both at the inner lips: 0 when closed.
    pub mouth: f32,
    /// Where the head is in space; `None` if that cannot be told.
    pub place: Option<Place>,
    /// Where the eyes look, if the scheme has irises.
    pub gaze: Option<Gaze>,
}

/// Eyes whose mean aspect ratio is below this are closed (Soukupová and Čech).
const CLOSED: f32 = 0.2;

impl Measures {
    /// Whether faces with this scheme can be measured: those whose landmarks [show the 68](mesh::ibug68).
    pub fn has(scheme: Scheme) -> bool {
        matches!(scheme, Scheme::Ibug68 | Scheme::Mesh478)
    }

    /// The measures of these landmarks as this camera sees them. `None` for a scheme that [cannot be measured](Self::has), and if
    /// there are too few landmarks, or some that are not finite or coincide so that a measure is undefined.
    pub fn of(landmarks: &[Point], scheme: Scheme, camera: &Camera) -> Option<Self> {
        let gaze = Gaze::of(landmarks, scheme, camera);
        let landmarks = mesh::ibug68(landmarks, scheme)?;
        let place = Place::of(&landmarks, Scheme::Ibug68, camera);
        let pose = Pose::of(&landmarks, Scheme::Ibug68)?;
        let eyes = [eye(landmarks.get(36..42)?), eye(landmarks.get(42..48)?)];
        // Upper and lower inner lip in the middle; inner corners.
        let mouth = landmarks[62].distance(landmarks[66]) / landmarks[60].distance(landmarks[64]);
        eyes.iter().chain([&mouth]).all(|v| v.is_finite()).then_some(Self { pose, eyes, mouth, place, gaze })
    }

    /// Whether each eye is closed.
    pub fn closed(&self) -> [bool; 2] {
        self.eyes.map(|eye| eye < CLOSED)
    }

    /// Whether both eyes are closed.
    pub fn blink(&self) -> bool {
        (self.eyes[0] + self.eyes[1]) / 2.0 < CLOSED
    }
}

/// The aspect ratio of an eye: its six points are a corner, two above, the other corner, two below.
fn eye(points: &[Point]) -> f32 {
    let heights = points[1].distance(points[5]) + points[2].distance(points[4]);
    heights / (2.0 * points[0].distance(points[3]))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const CAMERA: Camera = Camera { focal: 400.0, center: Point::new(240.0, 240.0) };

    /// The true landmarks of each frame of the talking head, 24 per second.
    fn talker() -> Vec<Vec<Point>> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../media/talker.csv");
        let row = |line: &str| {
            let numbers: Vec<f32> = line.split(',').skip(1).map(|v| v.parse().unwrap()).collect();
            numbers.chunks_exact(2).map(|pair| Point::new(pair[0], pair[1])).collect()
        };
        std::fs::read_to_string(path).unwrap().lines().skip(1).map(row).collect()
    }

    fn measured() -> Vec<Measures> {
        talker().iter().map(|points| Measures::of(points, Scheme::Ibug68, &CAMERA).unwrap()).collect()
    }

    /// The smallest and the largest of some angles in radians, in degrees.
    fn range(values: impl Iterator<Item = f32> + Clone) -> (f32, f32) {
        (
            values.clone().fold(f32::INFINITY, f32::min).to_degrees(),
            values.fold(f32::NEG_INFINITY, f32::max).to_degrees(),
        )
    }

    #[test]
    fn the_talking_head_swings_as_it_was_made_to() {
        let measured = measured();
        let swing = |angle: fn(&Pose) -> f32| range(measured.iter().map(|m| angle(&m.pose)));
        // Rendered with ±7°, ±32° and ±6°. Its shape is not the mean head's, and its camera is close.
        for ((low, high), made, tolerance) in [
            (swing(|pose| pose.pitch), 7.0, 2.0),
            (swing(|pose| pose.yaw), 32.0, 6.0),
            (swing(|pose| pose.roll), 6.0, 1.0),
        ] {
            assert!((low + made).abs() < tolerance && (high - made).abs() < tolerance, "{low} to {high}");
        }
    }

    #[test]
    fn the_talking_head_blinks_three_times() {
        let measured = measured();
        let starts: Vec<f32> = (1..measured.len())
            .filter(|&i| measured[i].blink() && !measured[i - 1].blink())
            .map(|i| i as f32 / 24.0)
            .collect();
        assert_eq!(starts.len(), 3, "{starts:?}");
        for (start, made) in starts.iter().zip([0.9, 2.7, 4.4]) {
            assert!((start - made).abs() < 0.1, "{starts:?}");
        }
    }

    #[test]
    fn the_talking_head_opens_its_mouth_only_while_it_talks() {
        for (i, measures) in measured().iter().enumerate() {
            let time = i as f32 / 24.0;
            assert!(measures.mouth < 0.05 || (1.6..4.2).contains(&time), "{} at {time} s", measures.mouth);
        }
        assert!(measured().iter().any(|measures| measures.mouth > 0.3));
    }

    #[test]
    fn ratios_are_height_by_width() {
        let mut points = talker().swap_remove(0);
        let place = |points: &mut [Point], at: usize, places: &[(f32, f32)]| {
            for (point, &(x, y)) in points[at..].iter_mut().zip(places) {
                *point = Point::new(x, y);
            }
        };
        place(&mut points, 36, &[(0.0, 0.0), (3.0, -1.0), (7.0, -2.0), (10.0, 0.0), (7.0, 2.0), (3.0, 1.0)]);
        place(&mut points, 60, &[(0.0, 0.0), (0.0, 0.0), (4.0, -1.0), (0.0, 0.0), (8.0, 0.0)]);
        points[66] = Point::new(4.0, 2.0);
        let measures = Measures::of(&points, Scheme::Ibug68, &CAMERA).unwrap();
        assert!((measures.eyes[0] - 0.3).abs() < 1e-6 && (measures.mouth - 0.375).abs() < 1e-6);
    }

    #[test]
    fn other_schemes_have_no_measures() {
        for scheme in [Scheme::Nose, Scheme::Imm58] {
            assert!(!Measures::has(scheme));
            assert_eq!(Measures::of(&vec![Point::new(1.0, 2.0); scheme.n_points()], scheme, &CAMERA), None);
        }
    }
}
