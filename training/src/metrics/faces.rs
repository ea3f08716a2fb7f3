//! How well a detector finds faces.

use facemark::detect::Detection;

use crate::batch::scene::Placed;
use crate::dataset::FaceBox;

/// A face is found if a detection's square and its own have at least this intersection over union.
pub const FOUND: f32 = 0.5;

/// How detections and true faces agree over some pictures.
///
/// A face's error is 1 less the intersection over union of the true square and the detected one, and 1 if it was missed;
/// its mean in per cent is what a run's best net has least of.
#[derive(Debug, Default)]
pub struct Detections {
    /// True faces.
    pub faces: usize,
    /// Those that were found.
    pub found: usize,
    /// Detections that lie on no face, not even on a hidden one.
    pub false_alarms: usize,
    /// Sum of 1 - intersection over union.
    error: f64,
    /// Sum of the found faces' distances in pixels.
    distance: f64,
}

impl Detections {
    /// Counts a picture's.
    pub fn add(&mut self, found: &[Detection], faces: &[Placed]) {
        for face in faces.iter().filter(|face| face.is_clear) {
            let iou = |detection: &&Detection| iou(detection, face);
            let best = found.iter().max_by(|a, b| iou(a).total_cmp(&iou(b)));
            self.faces += 1;
            match best.filter(|best| iou(best) >= FOUND) {
                Some(best) => {
                    self.found += 1;
                    self.error += f64::from(1.0 - iou(&best));
                    self.distance += f64::from(best.region.center.distance(face.region.center));
                }
                None => self.error += 1.0,
            }
        }
        let is_false = |detection: &&Detection| {
            faces.iter().all(|face| detection.region.overlap(&face.region) < LIES_ON)
        };
        self.false_alarms += found.iter().filter(is_false).count();
    }

    /// Mean error in per cent, and mean distance in pixels.
    pub fn errors(&self) -> Option<(f64, f64)> {
        let n = Some(self.faces as f64).filter(|&n| n > 0.0)?;
        Some((100.0 * self.error / n, self.distance / (self.found as f64).max(1.0)))
    }
}

/// A detection is a false alarm if less than this share of it overlaps any face.
pub const LIES_ON: f32 = 0.3;

/// Intersection over union of the squares of a detection and a face, 0 to 1.
pub fn iou(detection: &Detection, face: &Placed) -> f32 {
    FaceBox::square(&detection.region).iou(&FaceBox::square(&face.region))
}

#[cfg(test)]
mod tests {
    use facemark::geometry::{Point, Region};

    use super::*;

    fn face(x: f32, is_clear: bool) -> Placed {
        let region = Region { center: Point::new(x, 50.0), size: 20.0, angle: 0.0 };
        Placed { region, has_roll: true, is_clear }
    }

    fn found(x: f32) -> Detection {
        Detection { region: face(x, true).region, score: 0.9 }
    }

    #[test]
    fn found_missed_hidden_and_false_faces_are_told_apart() {
        let mut all = Detections::default();
        // The first is found 2 px off, the second missed by far, the third is hidden and may be found, the last is none.
        all.add(
            &[found(22.0), found(150.0), found(100.0)],
            &[face(20.0, true), face(60.0, true), face(100.0, false)],
        );
        assert_eq!((all.faces, all.found, all.false_alarms), (2, 1, 1));
        let (error, pixels) = all.errors().expect("there are faces");
        // 18 of 22 columns are common.
        assert!((error - 100.0 * ((1.0 - 18.0 / 22.0) + 1.0) / 2.0).abs() < 1e-3);
        assert!((pixels - 2.0).abs() < 1e-6);
        assert!(Detections::default().errors().is_none());
    }
}
