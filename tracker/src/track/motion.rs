//! Predicts where a face is going, to tell apart two faces that meet.

use crate::geometry::{Point, Region};

/// How a face has moved recently.
pub struct Motion {
    last: Option<(Region, f64)>,
    /// Pixels per second.
    velocity: Point,
    surprise: f32,
}

/// The surprise of a new face, whose movement is not known yet. Faces that move steadily have less than 0.1.
const INITIAL: f32 = 1.0;
/// How much of the surprise remains from frame to frame.
const DECAY: f32 = 0.8;
/// The weight of the newest velocity in the mean.
const NEW_WEIGHT: f32 = 0.2;

impl Motion {
    /// The motion of a new face.
    pub fn new() -> Self {
        Self { last: None, velocity: Point::default(), surprise: INITIAL }
    }

    /// How far the face was from where it was expected, in its sizes, summed over the recent frames with
    /// decaying weights.
    ///
    /// Of two tracks on one face, the one with the larger surprise has come over from another face.
    pub fn surprise(&self) -> f32 {
        self.surprise
    }

    /// Takes the face's next position, at `time` seconds.
    pub fn step(&mut self, region: &Region, time: f64) {
        let Some((last, then)) = self.last.replace((*region, time)) else { return };
        let dt = (time - then) as f32;
        if dt <= 0.0 {
            return;
        }
        let (from, to) = (last.center, region.center);
        let expected = Point::new(from.x + dt * self.velocity.x, from.y + dt * self.velocity.y);
        self.surprise = DECAY * self.surprise + expected.distance(to) / region.size;
        self.velocity.x += NEW_WEIGHT * ((to.x - from.x) / dt - self.velocity.x);
        self.velocity.y += NEW_WEIGHT * ((to.y - from.y) / dt - self.velocity.y);
        // Absurd times must not spoil all later sums.
        if !self.surprise.is_finite() {
            *self = Self::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The surprise of a face of 50 px at these positions, 25 per second.
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
    fn absurd_times_do_not_last() {
        let region = Region { center: Point::new(9.0, 80.0), size: 50.0, angle: 0.0 };
        let mut motion = Motion::new();
        for time in [-f64::MAX, f64::MAX, 0.0, 1e-30, 0.04] {
            motion.step(&region, time);
            motion.step(&Region { size: 60.0, ..region }, time + 0.04);
            assert!(motion.surprise().is_finite());
        }
    }

    #[test]
    fn one_that_turns_round_surprises() {
        let mut places: Vec<f32> = (0..40).map(|i| 4.0 * i as f32).collect();
        places.extend([152.0, 148.0]);
        // Twice 8 px from where it was expected, minus what it has adapted and what has decayed.
        let s = surprise(&places);
        assert!((0.2..0.3).contains(&s), "{s}");
    }
}
