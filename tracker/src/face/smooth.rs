//! The One-Euro filter: keeps still points still without letting moving points lag.
//!
//! Casiez, Roussel and Vogel, "1 € Filter", CHI 2012. Speeds are in face sizes per second, so that distant
//! faces are smoothed like close ones.

use super::More;
use crate::geometry::Point;

/// How much to smooth. Negative numbers and NaN count as 0.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Smoothing {
    /// The cut-off frequency for a point at rest, in Hz. Lower is calmer; 0 freezes it.
    pub min_cutoff: f32,
    /// How much the cut-off rises with speed, in Hz per face size per second. Higher lags less.
    pub beta: f32,
}

impl Smoothing {
    /// Removes most of the jitter and adds hardly any lag. docs/tracking.md in the repository has the
    /// measurements for both.
    pub const LOW: Self = Self { min_cutoff: 1.0, beta: 30.0 };
    /// For calm faces, when steadiness matters more than lag.
    pub const HIGH: Self = Self { min_cutoff: 0.5, beta: 10.0 };
}

/// The cut-off frequency for the speed estimate, in Hz; the paper's default.
const SPEED_CUTOFF: f32 = 1.0;

/// A pause longer than this, in seconds, restarts the filter.
const MAX_GAP: f64 = 0.5;

/// The filter for the landmarks of one face.
#[derive(Clone, Debug)]
pub struct Smoother {
    smoothing: Smoothing,
    /// The time of the states, in seconds.
    time: f64,
    /// One per point. Empty before the first call.
    states: Vec<State>,
}

/// The filter's state for one point.
#[derive(Clone, Debug)]
struct State {
    /// The smoothed position.
    point: Point,
    /// The filtered velocity in image pixels per second.
    speed: Point,
}

impl Smoother {
    /// A filter that has not seen any points.
    pub fn new(smoothing: Smoothing) -> Self {
        Self { smoothing, time: 0.0, states: Vec::new() }
    }

    /// Smooths `points` in place: the landmarks at `time` seconds of a face of `size` pixels.
    ///
    /// The filter restarts, leaving the points as they are, in the first call, after a pause of more than
    /// half a second, if time does not increase, and if the number of points changes. For a single point it
    /// restarts if the result is not finite.
    pub fn apply(&mut self, points: &mut [Point], time: f64, size: f32) {
        self.apply_surely(points, &[], time, size);
    }

    /// The same, with each point's cut-off lowered by its factor in `sureness`; 1 for points beyond its end.
    fn apply_surely(&mut self, points: &mut [Point], sureness: &[f32], time: f64, size: f32) {
        let sureness = sureness.iter().copied().chain(std::iter::repeat(1.0));
        let gap = time - self.time;
        if self.states.len() == points.len() && gap > 0.0 && gap <= MAX_GAP {
            for ((state, point), sure) in self.states.iter_mut().zip(&mut *points).zip(sureness) {
                let Smoothing { min_cutoff, beta } = self.smoothing;
                let smoothing = Smoothing { min_cutoff: sure * min_cutoff, beta: sure * beta };
                *point = state.step(*point, gap as f32, size, smoothing);
            }
        } else {
            self.states.clear();
            self.states.extend(points.iter().map(|&point| State::at(point)));
        }
        self.time = time;
    }

    /// The same for plain numbers.
    fn apply_to_values(&mut self, values: &mut [f32], time: f64, size: f32) {
        let mut points: Vec<Point> = values.iter().map(|&value| Point::new(value, 0.0)).collect();
        self.apply(&mut points, time, size);
        values.iter_mut().zip(points).for_each(|(value, point)| *value = point.x);
    }
}

/// The filters for all that the landmark model says of one face.
#[derive(Clone, Debug)]
pub struct FaceSmoother {
    landmarks: Smoother,
    depths: Smoother,
    blendshapes: Smoother,
}

/// Points are smoothed more the less sure the model is of them, but not more than this many times.
const MOST_SMOOTHED: f32 = 4.0;
/// A blendshape that goes from 0 to 1 counts like a movement by this many sizes of the face.
const EXPRESSION: f32 = 0.2;

impl FaceSmoother {
    /// Filters that have not seen the face.
    pub fn new(smoothing: Smoothing) -> Self {
        let new = || Smoother::new(smoothing);
        Self { landmarks: new(), depths: new(), blendshapes: new() }
    }

    /// Smooths, as [`Smoother::apply`] does, the landmarks of a face of `size` pixels and what else is known of it.
    pub fn apply(&mut self, landmarks: &mut [Point], more: &mut More, time: f64, size: f32) {
        self.landmarks.apply_surely(landmarks, &sureness(&more.sigmas), time, size);
        self.depths.apply_to_values(&mut more.depths, time, size);
        self.blendshapes.apply_to_values(&mut more.blendshapes, time, 1.0 / EXPRESSION);
    }
}

/// How much surer the model is of the face's middling point than of each that it is less sure of: at most 1.
fn sureness(sigmas: &[f32]) -> Vec<f32> {
    let mut sorted = sigmas.to_vec();
    sorted.sort_by(f32::total_cmp);
    let Some(middling) = sorted.get(sorted.len() / 2) else { return Vec::new() };
    sigmas.iter().map(|sigma| (middling / sigma).clamp(1.0 / MOST_SMOOTHED, 1.0)).collect()
}

impl State {
    /// A point of which nothing else is known.
    fn at(point: Point) -> Self {
        Self { point, speed: Point::default() }
    }

    /// Takes the point's position `dt` seconds later and returns the smoothed one.
    fn step(&mut self, new: Point, dt: f32, size: f32, smoothing: Smoothing) -> Point {
        let old = self.point;
        let measured = Point::new((new.x - old.x) / dt, (new.y - old.y) / dt);
        self.speed = blend(self.speed, measured, weight(SPEED_CUTOFF, dt));
        let faces_per_second = self.speed.x.hypot(self.speed.y) / size;
        let cutoff = smoothing.min_cutoff + smoothing.beta * faces_per_second;
        self.point = blend(old, new, weight(cutoff.max(0.0), dt));
        if !self.point.is_finite() {
            *self = Self::at(new);
        }
        self.point
    }
}

/// The weight of the new value in a first-order low-pass with this cut-off in Hz (the paper's alpha).
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

    /// The smoothed x of one point at x = `values`, 25 per second, on a face of 100 px.
    fn run(values: &[f32], smoothing: Smoothing) -> Vec<f32> {
        let mut smoother = Smoother::new(smoothing);
        let step = |(i, &x): (usize, &f32)| {
            let mut points = [Point::new(x, 0.0)];
            smoother.apply(&mut points, i as f64 * 0.04, 100.0);
            points[0].x
        };
        values.iter().enumerate().map(step).collect()
    }

    #[test]
    fn jitter_shrinks() {
        let noisy: Vec<f32> = (0..100).map(|i| if i % 2 == 0 { 50.0 } else { 51.0 }).collect();
        let calm = run(&noisy, Smoothing::LOW);
        let swing = (calm[98] - calm[99]).abs();
        assert!(swing < 0.6, "low: {swing}");
        let calm = run(&noisy, Smoothing::HIGH);
        assert!((calm[98] - calm[99]).abs() < swing / 2.0);
    }

    #[test]
    fn a_fast_face_is_followed() {
        // Two face sizes per second.
        let moving: Vec<f32> = (0..50).map(|i| i as f32 * 8.0).collect();
        let lag = 49.0 * 8.0 - run(&moving, Smoothing::LOW)[49];
        assert!((0.0..2.0).contains(&lag), "lag of {lag} px at 8 px a frame");
    }

    #[test]
    fn one_step_follows_the_papers_formula() {
        let out = run(&[0.0, 1.0], Smoothing { min_cutoff: 1.0, beta: 0.0 });
        // alpha = 1 / (1 + 1 / (2π · 1 Hz · 0.04 s)) = 0.2008.
        assert!((out[1] - 0.200_8).abs() < 1e-4, "{}", out[1]);
    }

    #[test]
    fn points_that_the_model_is_unsure_of_are_calmer() {
        assert_eq!(sureness(&[2.0, 1.0, 4.0, 2.0, 100.0]), [1.0, 1.0, 0.5, 1.0, 0.25]);
        assert!(sureness(&[]).is_empty());
        let swing = |sigma: f32| {
            let mut smoother = FaceSmoother::new(Smoothing::LOW);
            let step = |i: usize| {
                let mut points = [Point::new(50.0 + (i % 2) as f32, 0.0); 3];
                let mut more = More { sigmas: vec![1.0, 1.0, sigma], ..More::default() };
                smoother.apply(&mut points, &mut more, i as f64 * 0.04, 100.0);
                points[2].x
            };
            let last: Vec<f32> = (0..100).map(step).skip(98).collect();
            (last[0] - last[1]).abs()
        };
        assert_eq!(swing(0.5), swing(1.0));
        assert!(swing(3.0) < 0.5 * swing(1.0), "{} of {}", swing(3.0), swing(1.0));
    }

    #[test]
    fn gaps_and_steps_back_restart_the_filter() {
        let mut smoother = Smoother::new(Smoothing::HIGH);
        let mut at = |x, time| {
            let mut points = [Point::new(x, 0.0)];
            smoother.apply(&mut points, time, 100.0);
            points[0].x
        };
        at(0.0, 1.0);
        assert_eq!(at(9.0, 2.0), 9.0);
        assert_eq!(at(3.0, 0.0), 3.0);
        assert_ne!(at(9.0, 0.04), 9.0);
        smoother.apply(&mut [Point::default(); 2], 0.08, 100.0);
        let mut one = [Point::new(5.0, 0.0)];
        smoother.apply(&mut one, 0.12, 100.0);
        assert_eq!(one[0].x, 5.0, "another number of points");
    }
}
