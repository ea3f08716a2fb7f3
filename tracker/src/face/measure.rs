//! What follows from a face's landmarks: where the head is turned to, how far eyes and mouth are open.

use super::{Pose, Scheme};
use crate::geometry::Point;

/// Measures of a face.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measures {
    /// Where the head is turned to.
    pub pose: Pose,
    /// Aspect ratio of the left and the right eye, as seen in the picture: height by width, about 0.3 when open
    /// (Soukupová and Čech, "Real-Time Eye Blink Detection using Facial Landmarks", CVWW 2016).
    pub eyes: [f32; 2],
    /// Gap between the lips by the mouth's width, both at the inner lips; 0 when closed.
    pub mouth: f32,
}

/// Mean aspect ratio of the eyes below which they are closed: Soukupová and Čech's.
const CLOSED: f32 = 0.2;

impl Measures {
    /// Whether faces of this scheme can be measured: it takes the 68 points.
    pub fn has(scheme: Scheme) -> bool {
        scheme == Scheme::Ibug68
    }

    /// The measures of these landmarks; `None` for another scheme and for points that make no face.
    pub fn of(landmarks: &[Point], scheme: Scheme) -> Option<Self> {
        let pose = Pose::of(landmarks, scheme)?;
        let [left, right] = scheme.eyes()?;
        let eyes = [eye(&landmarks[left]), eye(&landmarks[right])];
        // Upper and lower inner lip in the middle; inner corners.
        let mouth = landmarks[62].distance(landmarks[66]) / landmarks[60].distance(landmarks[64]);
        eyes.iter().chain([&mouth]).all(|v| v.is_finite()).then_some(Self { pose, eyes, mouth })
    }

    /// Whether both eyes are closed.
    pub fn blink(&self) -> bool {
        (self.eyes[0] + self.eyes[1]) / 2.0 < CLOSED
    }
}

/// Aspect ratio of an eye: corner, two points above, corner, two below.
fn eye(points: &[Point]) -> f32 {
    let heights = points[1].distance(points[5]) + points[2].distance(points[4]);
    heights / (2.0 * points[0].distance(points[3]))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// The true landmarks of each frame of the talking head, 24 a second.
    fn talker() -> Vec<Vec<Point>> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../media/talker.csv");
        let row = |line: &str| {
            let numbers: Vec<f32> = line.split(',').skip(1).map(|v| v.parse().unwrap()).collect();
            numbers.chunks_exact(2).map(|pair| Point::new(pair[0], pair[1])).collect()
        };
        std::fs::read_to_string(path).unwrap().lines().skip(1).map(row).collect()
    }

    fn measured() -> Vec<Measures> {
        talker().iter().map(|points| Measures::of(points, Scheme::Ibug68).unwrap()).collect()
    }

    /// Smallest and largest of some radians, in degrees.
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
        // Made with ±7°, ±32° and ±6°; its shape is not the mean head's, and its camera is near.
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
    fn ratios_are_heights_by_widths() {
        let mut points = talker().swap_remove(0);
        let place = |points: &mut [Point], at: usize, places: &[(f32, f32)]| {
            for (point, &(x, y)) in points[at..].iter_mut().zip(places) {
                *point = Point::new(x, y);
            }
        };
        place(&mut points, 36, &[(0.0, 0.0), (3.0, -1.0), (7.0, -2.0), (10.0, 0.0), (7.0, 2.0), (3.0, 1.0)]);
        place(&mut points, 60, &[(0.0, 0.0), (0.0, 0.0), (4.0, -1.0), (0.0, 0.0), (8.0, 0.0)]);
        points[66] = Point::new(4.0, 2.0);
        let measures = Measures::of(&points, Scheme::Ibug68).unwrap();
        assert!((measures.eyes[0] - 0.3).abs() < 1e-6 && (measures.mouth - 0.375).abs() < 1e-6);
    }

    #[test]
    fn other_schemes_have_no_measures() {
        for scheme in [Scheme::Nose, Scheme::Imm58] {
            assert!(!Measures::has(scheme));
            assert_eq!(Measures::of(&vec![Point::new(1.0, 2.0); scheme.n_points()], scheme), None);
        }
    }
}
