//! Points, regions, and maps between coordinate systems.
//!
//! There are three coordinate systems, all with x to the right and y downwards:
//!
//! - *image pixels*: (0, 0) is the centre of the top left pixel;
//! - *unit crop coordinates*, in which nets predict: (0, 0) is the outer corner of a crop's top left pixel,
//!   (1, 1) that of its bottom right one;
//! - a *crop's pixels*, like those of an image.
//!
//! [`Framing::crop_to_image`](crate::crop::Framing::crop_to_image) maps unit crop coordinates to image
//! pixels.
//!
//! Values that are not finite, or of no size, give results that are not finite; nothing here panics.

use std::f32::consts::TAU;

use serde::{Deserialize, Serialize};

/// A position. Whoever holds it says in which coordinate system it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// To the right.
    pub x: f32,
    /// Downwards.
    pub y: f32,
}

impl Point {
    /// The point (x, y).
    pub const fn new(x: f32, y: f32) -> Self {
        Self { x, y }
    }

    /// Whether both coordinates are finite.
    pub fn is_finite(self) -> bool {
        self.x.is_finite() && self.y.is_finite()
    }

    /// The distance to another point.
    pub fn distance(self, other: Self) -> f32 {
        (self.x - other.x).hypot(self.y - other.y)
    }

    /// The point rotated by `angle` radians around the origin, clockwise as seen on the screen.
    pub fn rotated(self, angle: f32) -> Self {
        let (sin, cos) = angle.sin_cos();
        Self { x: cos * self.x - sin * self.y, y: sin * self.x + cos * self.y }
    }
}

/// An affine map `x' = a·x + b·y + c`, `y' = d·x + e·y + f`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Affine {
    /// The rows `[a, b, c]` and `[d, e, f]`.
    pub rows: [[f32; 3]; 2],
}

impl Affine {
    /// Maps a point.
    pub fn apply(&self, p: Point) -> Point {
        let [[a, b, c], [d, e, f]] = self.rows;
        Point { x: a * p.x + b * p.y + c, y: d * p.x + e * p.y + f }
    }

    /// The map that applies `self` first and `next` second.
    pub fn then(&self, next: &Self) -> Self {
        let [[a, b, c], [d, e, f]] = self.rows;
        let [[p, q, r], [s, t, u]] = next.rows;
        Self {
            rows: [
                [p * a + q * d, p * b + q * e, p * c + q * f + r],
                [s * a + t * d, s * b + t * e, s * c + t * f + u],
            ],
        }
    }

    /// The inverse map. Its numbers are not finite if there is none.
    pub fn inverse(&self) -> Self {
        let [[a, b, c], [d, e, f]] = self.rows;
        let k = 1.0 / (a * e - b * d);
        Self { rows: [[e * k, -b * k, (b * f - c * e) * k], [-d * k, a * k, (c * d - a * f) * k]] }
    }

    /// The map that takes `p` to `((p.x - dx)·x, (p.y - dy)·y)`.
    pub fn shift_then_scale(dx: f32, dy: f32, x: f32, y: f32) -> Self {
        Self { rows: [[x, 0.0, -dx * x], [0.0, y, -dy * y]] }
    }
}

/// Where a face is: the bounding square of its landmarks, rotated with the head.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Region {
    /// Centre of the square in image pixels.
    pub center: Point,
    /// Side of the square in image pixels: the longer side of the landmarks' bounding box.
    pub size: f32,
    /// Roll of the head in radians; positive is clockwise on the screen.
    pub angle: f32,
}

impl Region {
    /// The upright region around some points: a square with the centre and the longer side of their bounding
    /// box. Not [usable](Self::is_usable) if there are no points.
    pub fn from_points(points: impl IntoIterator<Item = Point>) -> Self {
        let (min, max) = bounds(points.into_iter());
        Self {
            center: Point::new((min.x + max.x) / 2.0, (min.y + max.y) / 2.0),
            size: (max.x - min.x).max(max.y - min.y),
            angle: 0.0,
        }
    }

    /// Whether all numbers are finite and the size is positive.
    pub fn is_usable(&self) -> bool {
        self.center.is_finite() && self.size.is_finite() && self.angle.is_finite() && self.size > 0.0
    }

    /// By how much the two are turned against each other, 0 to π.
    pub fn turn(&self, other: &Self) -> f32 {
        let turn = (self.angle - other.angle).rem_euclid(TAU);
        turn.min(TAU - turn)
    }

    /// The four corners, clockwise from the face's top left.
    pub fn corners(&self) -> [Point; 4] {
        let half = self.size / 2.0;
        [(-half, -half), (half, -half), (half, half), (-half, half)].map(|(x, y)| {
            let p = Point::new(x, y).rotated(self.angle);
            Point::new(self.center.x + p.x, self.center.y + p.y)
        })
    }

    /// The share of the smaller region's area that lies within the other, 0 to 1; both count as upright
    /// squares. NaN if a size is 0.
    ///
    /// This is not intersection over union, because a detector's false alarms are often small squares inside
    /// a face.
    pub fn overlap(&self, other: &Self) -> f32 {
        let side = |a: f32, b: f32| {
            let low = (a - self.size / 2.0).max(b - other.size / 2.0);
            let high = (a + self.size / 2.0).min(b + other.size / 2.0);
            (high - low).max(0.0)
        };
        let common = side(self.center.x, other.center.x) * side(self.center.y, other.center.y);
        common / self.size.min(other.size).powi(2)
    }
}

/// The mean of some points; NaN for none.
pub fn mean(points: &[Point]) -> Point {
    let n = points.len() as f32;
    Point::new(points.iter().map(|p| p.x).sum::<f32>() / n, points.iter().map(|p| p.y).sum::<f32>() / n)
}

/// The top left and bottom right corners of the points' bounding box; (∞, ∞) and (-∞, -∞) for none.
pub fn bounds(points: impl Iterator<Item = Point>) -> (Point, Point) {
    let start = (Point::new(f32::INFINITY, f32::INFINITY), Point::new(f32::NEG_INFINITY, f32::NEG_INFINITY));
    points.fold(start, |(min, max), p| {
        (Point::new(min.x.min(p.x), min.y.min(p.y)), Point::new(max.x.max(p.x), max.y.max(p.y)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_are_measured_the_shorter_way_round() {
        let at = |angle: f32| Region { center: Point::default(), size: 1.0, angle };
        assert!((at(3.0).turn(&at(-3.0)) - (TAU - 6.0)).abs() < 1e-5);
        assert!((at(0.5).turn(&at(-0.2)) - 0.7).abs() < 1e-5 && at(7.0).turn(&at(7.0 - 2.0 * TAU)) < 1e-5);
    }

    #[test]
    fn overlap_is_the_smaller_regions_share() {
        let a = Region { center: Point::new(0.0, 0.0), size: 10.0, angle: 0.0 };
        let shifted = Region { center: Point::new(5.0, 0.0), ..a };
        assert!((a.overlap(&shifted) - 0.5).abs() < 1e-6);
        let inside = Region { center: Point::new(2.0, -2.0), size: 4.0, ..a };
        assert_eq!((a.overlap(&inside), inside.overlap(&a)), (1.0, 1.0));
        assert_eq!(a.overlap(&Region { center: Point::new(50.0, 0.0), ..a }), 0.0);
    }
}
