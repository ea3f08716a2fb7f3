//! Points, regions and the maps between them. Nothing here knows what a face is.
//!
//! Three spaces: the *picture* in pixels (0-based, pixel centres on integers), the *crop* in unit
//! coordinates ([0, 1]² from the outer edge of the first pixel to that of the last, what nets predict in)
//! and the crop's own *pixels*. [`Framing::crop_to_image`](crate::crop::Framing::crop_to_image) leads from crop to
//! picture, for the detector's letterbox, too.

use serde::{Deserialize, Serialize};

/// A position; in which space is the owner's business.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// To the right.
    pub x: f32,
    /// Downwards.
    pub y: f32,
}

impl Point {
    /// A point at (x, y).
    pub const fn new(x: f32, y: f32) -> Self {
        Self { x, y }
    }

    /// Distance to another point.
    pub fn distance(self, other: Self) -> f32 {
        (self.x - other.x).hypot(self.y - other.y)
    }

    /// Turned by `angle` radians around the origin, clockwise as seen on the screen.
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
    /// The image of a point.
    pub fn apply(&self, p: Point) -> Point {
        let [[a, b, c], [d, e, f]] = self.rows;
        Point { x: a * p.x + b * p.y + c, y: d * p.x + e * p.y + f }
    }

    /// First `self`, then `next`.
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

    /// The map back. Not finite if the map flattens the plane.
    pub fn inverse(&self) -> Self {
        let [[a, b, c], [d, e, f]] = self.rows;
        let k = 1.0 / (a * e - b * d);
        Self { rows: [[e * k, -b * k, (b * f - c * e) * k], [-d * k, a * k, (c * d - a * f) * k]] }
    }

    /// Scaling by `(x, y)` after moving by `(-dx, -dy)`: `((p.x - dx)·x, (p.y - dy)·y)`.
    pub fn shift_then_scale(dx: f32, dy: f32, x: f32, y: f32) -> Self {
        Self { rows: [[x, 0.0, -dx * x], [0.0, y, -dy * y]] }
    }
}

/// A face's place: the bounding square of its landmarks, turned with the head.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Region {
    /// Centre of the square in image pixels.
    pub center: Point,
    /// Side of the square in image pixels: the longer side of the landmarks' bounding box.
    pub size: f32,
    /// Roll of the head in radians; positive turns clockwise on the screen.
    pub angle: f32,
}

impl Region {
    /// The upright region around some points: the square with their box's centre and longer side.
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
        let numbers = [self.center.x, self.center.y, self.size, self.angle];
        numbers.iter().all(|v| v.is_finite()) && self.size > 0.0
    }

    /// The four corners, clockwise from the face's upper left.
    pub fn corners(&self) -> [Point; 4] {
        let half = self.size / 2.0;
        [(-half, -half), (half, -half), (half, half), (-half, half)].map(|(x, y)| {
            let p = Point::new(x, y).rotated(self.angle);
            Point::new(self.center.x + p.x, self.center.y + p.y)
        })
    }

    /// How much of the smaller of two regions lies within the other, both taken as upright squares; 0 to 1.
    ///
    /// Not intersection over union: a detector's false alarm often is a small square inside a face.
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

/// Mean of some points. Not finite for none.
pub fn mean(points: &[Point]) -> Point {
    let n = points.len() as f32;
    Point::new(points.iter().map(|p| p.x).sum::<f32>() / n, points.iter().map(|p| p.y).sum::<f32>() / n)
}

/// Upper left and lower right corner of the points' bounding box.
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
    fn overlap_is_the_smaller_regions_share() {
        let a = Region { center: Point::new(0.0, 0.0), size: 10.0, angle: 0.0 };
        let shifted = Region { center: Point::new(5.0, 0.0), ..a };
        assert!((a.overlap(&shifted) - 0.5).abs() < 1e-6);
        let inside = Region { center: Point::new(2.0, -2.0), size: 4.0, ..a };
        assert_eq!((a.overlap(&inside), inside.overlap(&a)), (1.0, 1.0));
        assert_eq!(a.overlap(&Region { center: Point::new(50.0, 0.0), ..a }), 0.0);
    }
}
