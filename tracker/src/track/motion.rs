//! Where a face is going, to tell it from another one that it meets.

use crate::geometry::{Point, Region};

/// How a face has moved of late.
pub struct Motion {
    last: Option<(Region, f64)>,
    /// Pixels per second.
    velocity: Point,
    surprise: f32,
}

/// What a newcomer begins with: it has yet to show where it is going. Faces that move steadily have less than 0.1.
const NEWCOMER: f32 = 1.0;
/// What stays of the surprise from frame to frame …
const FADING: f32 = 0.8;
/// … and how much of the velocity is new.
const NEW_SHARE: f32 = 0.2;

impl Motion {
    /// Has seen nothing.
    pub fn new() -> Self {
        Self { last: None, velocity: Point::default(), surprise: NEWCOMER }
    }

    /// How far the face has lately been from where it was going, summed up over some frames, in its sizes.
    ///
    /// Of two tracks on one face, the one with more has come over from another face.
    pub fn surprise(&self) -> f32 {
        self.surprise
    }

    /// Takes the face's next place, at `time` seconds.
    pub fn step(&mut self, region: &Region, time: f64) {
        let Some((last, then)) = self.last.replace((*region, time)) else { return };
        let dt = (time - then) as f32;
        if dt <= 0.0 {
            return;
        }
        let (from, to) = (last.center, region.center);
        let expected = Point::new(from.x + dt * self.velocity.x, from.y + dt * self.velocity.y);
        self.surprise = FADING * self.surprise + expected.distance(to) / region.size;
        self.velocity.x += NEW_SHARE * ((to.x - from.x) / dt - self.velocity.x);
        self.velocity.y += NEW_SHARE * ((to.y - from.y) / dt - self.velocity.y);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The surprise of a face of 50 px at these places, 25 a second.
    fn surprise(places: &[f32]) -> f32 {
        let mut motion = Motion::new();
        for (i, &x) in places.iter().enumerate() {
            let region = Region { center: Point::new(x, 80.0), size: 50.0, angle: 0.0 };
            motion.step(&region, i as f64 * 0.04);
        }
        motion.surprise()
    }

    #[test]
    fn a_steady_face_surprises_less_and_less() {
        assert_eq!(surprise(&[]), 1.0);
        assert!((surprise(&[100.0; 3]) - 0.64).abs() < 1e-6);
        let moving: Vec<f32> = (0..40).map(|i| 4.0 * i as f32).collect();
        assert!(surprise(&moving) < 0.01);
    }

    #[test]
    fn one_that_turns_round_surprises() {
        let mut places: Vec<f32> = (0..40).map(|i| 4.0 * i as f32).collect();
        places.extend([152.0, 148.0]);
        // Twice 8 px from where it was going, less what it has learnt and what has faded.
        let s = surprise(&places);
        assert!((0.2..0.3).contains(&s), "{s}");
    }
}
