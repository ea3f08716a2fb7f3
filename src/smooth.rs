//! The One-Euro filter, one per face: still points stand still, moving points do not lag.
//!
//! Casiez, Roussel and Vogel, "1 € Filter", CHI 2012. Speeds are taken in face sizes per second, so that a
//! face far away is smoothed like one near by.

use crate::face::Point;

/// How much to smooth.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Smoothing {
    /// Cut-off frequency for a point at rest, in Hz. Lower is calmer.
    pub min_cutoff: f32,
    /// How fast the cut-off rises with speed, in Hz per face size per second. Higher lags less.
    pub beta: f32,
}

impl Smoothing {
    /// Takes the tremble off and adds hardly any lag.
    pub const LOW: Self = Self { min_cutoff: 4.0, beta: 20.0 };
    /// For calm faces, when steadiness counts more than the present.
    pub const HIGH: Self = Self { min_cutoff: 1.0, beta: 10.0 };
}

/// Cut-off of the speed estimate in Hz; the paper's own default.
const SPEED_CUTOFF: f32 = 1.0;

/// A pause longer than this, in seconds, starts the filter anew.
const MAX_GAP: f64 = 0.5;

/// The filter's memory for the landmarks of one face.
#[derive(Clone, Debug)]
pub struct Smoother {
    smoothing: Smoothing,
    last: Option<State>,
}

#[derive(Clone, Debug)]
struct State {
    time: f64,
    points: Vec<Point>,
    /// Filtered speed in image pixels per second.
    speeds: Vec<Point>,
}

impl Smoother {
    /// A filter that has seen nothing.
    pub fn new(smoothing: Smoothing) -> Self {
        Self { smoothing, last: None }
    }

    /// The smoothed positions of `points` at `time` seconds, for a face of `size` pixels.
    ///
    /// The first call, one after a gap, after a step back in time or with another number of points returns
    /// the points as they are.
    pub fn apply(&mut self, points: &[Point], time: f64, size: f32) -> Vec<Point> {
        let last = self.last.take().filter(|last| {
            let gap = time - last.time;
            gap > 0.0 && gap <= MAX_GAP && last.points.len() == points.len()
        });
        let state = match last {
            Some(last) => self.step(last, points, time, size),
            None => State { time, points: points.to_vec(), speeds: vec![Point::default(); points.len()] },
        };
        self.last.insert(state).points.clone()
    }

    fn step(&self, mut state: State, points: &[Point], time: f64, size: f32) -> State {
        let dt = (time - state.time) as f32;
        for ((old, speed), &new) in state.points.iter_mut().zip(&mut state.speeds).zip(points) {
            let measured = Point::new((new.x - old.x) / dt, (new.y - old.y) / dt);
            *speed = blend(*speed, measured, weight(SPEED_CUTOFF, dt));
            let faces_per_second = speed.x.hypot(speed.y) / size;
            let cutoff = self.smoothing.min_cutoff + self.smoothing.beta * faces_per_second;
            *old = blend(*old, new, weight(cutoff, dt));
        }
        State { time, ..state }
    }
}

/// Weight of the new value in a first-order low-pass of this cut-off (the paper's alpha).
fn weight(cutoff: f32, dt: f32) -> f32 {
    let tau = 1.0 / (std::f32::consts::TAU * cutoff);
    1.0 / (1.0 + tau / dt)
}

fn blend(old: Point, new: Point, weight: f32) -> Point {
    Point::new(old.x + weight * (new.x - old.x), old.y + weight * (new.y - old.y))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(values: &[f32], smoothing: Smoothing) -> Vec<f32> {
        let mut smoother = Smoother::new(smoothing);
        let step =
            |(i, &x): (usize, &f32)| smoother.apply(&[Point::new(x, 0.0)], i as f64 * 0.04, 100.0)[0].x;
        values.iter().enumerate().map(step).collect()
    }

    #[test]
    fn tremble_shrinks() {
        let noisy: Vec<f32> = (0..100).map(|i| if i % 2 == 0 { 50.0 } else { 51.0 }).collect();
        let calm = run(&noisy, Smoothing::LOW);
        let swing = (calm[98] - calm[99]).abs();
        assert!(swing < 0.6, "low: {swing}");
        let calm = run(&noisy, Smoothing::HIGH);
        assert!((calm[98] - calm[99]).abs() < swing / 2.0);
    }

    #[test]
    fn a_fast_face_is_followed() {
        // Two face widths a second.
        let moving: Vec<f32> = (0..50).map(|i| i as f32 * 8.0).collect();
        let lag = 49.0 * 8.0 - run(&moving, Smoothing::LOW)[49];
        assert!((0.0..2.0).contains(&lag), "lag of {lag} px at 8 px a frame");
    }

    #[test]
    fn one_step_has_the_papers_numbers() {
        let out = run(&[0.0, 1.0], Smoothing { min_cutoff: 1.0, beta: 0.0 });
        // alpha = 1 / (1 + 1 / (2π · 1 Hz · 0.04 s)) = 0.2008.
        assert!((out[1] - 0.200_8).abs() < 1e-4, "{}", out[1]);
    }

    #[test]
    fn gaps_and_steps_back_start_anew() {
        let mut smoother = Smoother::new(Smoothing::HIGH);
        let at = |x| [Point::new(x, 0.0)];
        smoother.apply(&at(0.0), 1.0, 100.0);
        assert_eq!(smoother.apply(&at(9.0), 2.0, 100.0), at(9.0));
        assert_eq!(smoother.apply(&at(3.0), 0.0, 100.0), at(3.0));
        assert_ne!(smoother.apply(&at(9.0), 0.04, 100.0), at(9.0));
    }
}
