//! Finding faces in a whole picture.

use crate::error::Result;
use crate::geometry::Region;
use crate::image::Luma;

mod equalise;
mod face_net;
pub mod grid;

pub use face_net::{FaceNet, MIN_SCORE};

/// A face that a detector sees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Detection {
    /// Where the face is, in image pixels.
    pub region: Region,
    /// How sure the detector is, 0 to 1.
    pub score: f32,
}

/// Finds faces in a picture. [`FaceNet`] does; implement it to use another detector with
/// [`Tracker::with`](crate::Tracker::with).
pub trait Detector: Send {
    /// The faces in the picture except the `known` ones, highest score first. Finding none is not an error.
    ///
    /// # Errors
    /// If the detector fails.
    fn detect(&mut self, luma: Luma, known: &[Region]) -> Result<Vec<Detection>>;

    /// Looks harder for faces in a picture where [`detect`](Self::detect) finds none, or the landmark model refuses all: in
    /// another light, turned. That takes several times longer, so the tracker only asks for it in the first picture and now
    /// and then. A detector that has no such way finds none.
    ///
    /// # Errors
    /// If the detector fails.
    fn search(&mut self, _luma: Luma) -> Result<Vec<Detection>> {
        Ok(Vec::new())
    }

    /// Looks at one place only, which is much cheaper. Returns the face that is there, however low its score,
    /// or `None`.
    ///
    /// # Errors
    /// If the detector fails.
    fn confirm(&mut self, luma: Luma, near: &Region) -> Result<Option<Detection>>;
}

/// Two regions show the same face if the larger one covers more than this share of the smaller one. If they
/// were two people, more than half of one would be hidden.
const SAME_FACE: f32 = 0.5;

/// Whether two regions show the same face: one covers more than half of the other.
pub fn is_same(a: &Region, b: &Region) -> bool {
    a.overlap(b) > SAME_FACE
}

/// Non-maximum suppression: of detections of the [same face](is_same), keeps the one with the highest score.
/// Sorts by score, highest first.
pub fn suppress(mut found: Vec<Detection>) -> Vec<Detection> {
    found.sort_by(|a, b| b.score.total_cmp(&a.score));
    let mut kept: Vec<Detection> = Vec::new();
    for face in found {
        if !kept.iter().any(|other| is_same(&other.region, &face.region)) {
            kept.push(face);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Point;

    fn face(x: f32, size: f32, score: f32) -> Detection {
        Detection { region: Region { center: Point::new(x, 50.0), size, angle: 0.0 }, score }
    }

    #[test]
    fn of_overlapping_detections_the_most_certain_stays() {
        let best = face(100.0, 40.0, 0.9);
        let shifted = face(110.0, 44.0, 0.7);
        let inside = face(95.0, 10.0, 0.8);
        let beside = face(130.0, 40.0, 0.6);
        assert_eq!(suppress(vec![shifted, beside, best, inside]), [best, beside]);
        assert_eq!(suppress(Vec::new()), []);
    }

    #[test]
    fn regions_show_the_same_face_if_one_hides_the_other() {
        let same = |a: Detection, b: Detection| is_same(&a.region, &b.region);
        let one = face(100.0, 60.0, 0.5);
        assert!(same(one, face(129.0, 60.0, 0.5)) && !same(one, face(130.0, 60.0, 0.5)));
        assert!(same(one, face(110.0, 20.0, 0.5)), "inside");
    }

    #[test]
    fn a_suppressed_detection_suppresses_nothing() {
        // Three in a row, 15 px apart: the middle one overlaps both others, which hardly touch.
        let row = [face(100.0, 40.0, 0.9), face(115.0, 40.0, 0.8), face(130.0, 40.0, 0.7)];
        assert_eq!(suppress(row.to_vec()), [row[0], row[2]]);
    }
}
