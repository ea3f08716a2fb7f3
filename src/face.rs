//! Where a face is, and every transform between a net's crop and the picture.
//!
//! Three spaces: the *picture* in pixels (0-based, pixel centres on integers), the *crop* in unit
//! coordinates ([0, 1]² from the outer edge of the first pixel to that of the last, what nets predict in)
//! and the crop's own *pixels*. [`Framing::crop_to_image`] crosses from crop to picture; nobody else does.

use serde::{Deserialize, Serialize};

use crate::measure::Measures;
use crate::scheme::Scheme;

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

    /// The region around landmarks, turned so that the line between the eyes is level.
    ///
    /// `None` for a scheme without eyes, and for points that are not finite or all in one place.
    pub fn from_landmarks(landmarks: &[Point], scheme: Scheme) -> Option<Self> {
        let [left, right] = scheme.eyes()?;
        let left = mean(&landmarks[left]);
        let right = mean(&landmarks[right]);
        let angle = (right.y - left.y).atan2(right.x - left.x);
        let level = Self::from_points(landmarks.iter().map(|p| p.rotated(-angle)));
        let region = Self { center: level.center.rotated(angle), size: level.size, angle };
        region.is_usable().then_some(region)
    }

    /// Where these landmarks, found in this region, say that the face is; `None` if nowhere.
    ///
    /// A scheme without eyes tells neither size nor roll: its landmarks only move the region along.
    pub fn moved_to(&self, landmarks: &[Point], scheme: Scheme) -> Option<Self> {
        if scheme.eyes().is_some() {
            return Self::from_landmarks(landmarks, scheme);
        }
        // The bottom of the nose is the centre of the landmarks' box (mean over IMM: 0.00 ± 0.03 sizes below).
        let region = Self { center: mean(landmarks), ..*self };
        region.is_usable().then_some(region)
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

/// How a net wants a face framed: its crop in units of the region's size.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Framing {
    /// Width of the crop.
    pub width: f32,
    /// Height of the crop.
    pub height: f32,
    /// How far the crop's centre lies to the right of the region's, along the turned axes.
    pub shift_x: f32,
    /// How far it lies below.
    pub shift_y: f32,
}

impl Framing {
    /// The map from unit crop coordinates to image pixels for a face in this region.
    pub fn crop_to_image(&self, region: &Region) -> Affine {
        let (sin, cos) = region.angle.sin_cos();
        let (w, h) = (self.width * region.size, self.height * region.size);
        // The crop's upper left corner, seen from the region's centre along the turned axes.
        let left = self.shift_x * region.size - w / 2.0;
        let top = self.shift_y * region.size - h / 2.0;
        Affine {
            rows: [
                [cos * w, -sin * h, region.center.x + cos * left - sin * top],
                [sin * w, cos * h, region.center.y + sin * left + cos * top],
            ],
        }
    }
}

/// A face in a frame.
#[derive(Clone, Debug)]
pub struct Face {
    /// Stays with a person as long as they are followed; starts at 1.
    pub id: u32,
    /// Where the face is.
    pub region: Region,
    /// Landmarks in image pixels, in the order of the model's scheme.
    pub landmarks: Vec<Point>,
    /// How sure the detector is that there is a face, in this frame, 0 to 1.
    pub score: f32,
    /// What follows from the landmarks, if it was asked for and the scheme has the points.
    pub measures: Option<Measures>,
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

    fn assert_near(a: Point, b: Point) {
        assert!(a.distance(b) < 1e-3, "{a:?} is not {b:?}");
    }

    #[test]
    fn an_upright_crop_spans_the_framing() {
        let region = Region { center: Point::new(100.0, 50.0), size: 40.0, angle: 0.0 };
        let framing = Framing { width: 2.0, height: 1.5, shift_x: 0.25, shift_y: -0.5 };
        let map = framing.crop_to_image(&region);
        assert_near(map.apply(Point::new(0.5, 0.5)), Point::new(110.0, 30.0));
        assert_near(map.apply(Point::new(0.0, 0.0)), Point::new(70.0, 0.0));
        assert_near(map.apply(Point::new(1.0, 1.0)), Point::new(150.0, 60.0));
    }

    #[test]
    fn a_turned_crop_goes_there_and_back() {
        let region = Region { center: Point::new(321.0, 123.0), size: 77.0, angle: 0.6 };
        let framing = Framing { width: 1.3, height: 1.1, shift_x: 0.1, shift_y: 0.2 };
        let map = framing.crop_to_image(&region);
        for p in [Point::new(0.0, 0.0), Point::new(0.3, 0.9), Point::new(1.2, -0.4)] {
            assert_near(map.inverse().apply(map.apply(p)), p);
            assert_near(map.then(&map.inverse()).apply(p), p);
        }
    }

    #[test]
    fn a_rolled_face_gives_the_same_region_rolled() {
        let upright: Vec<Point> = (0..68)
            .map(|i| {
                Point::new((i * 37 % 68) as f32 + if i >= 42 { 30.0 } else { 0.0 }, (i * 53 % 61) as f32)
            })
            .collect();
        let straight = Region::from_landmarks(&upright, Scheme::Ibug68).unwrap();
        let rolled: Vec<Point> = upright.iter().map(|p| p.rotated(0.4)).collect();
        let turned = Region::from_landmarks(&rolled, Scheme::Ibug68).unwrap();
        assert!((turned.angle - straight.angle - 0.4).abs() < 1e-4);
        assert!((turned.size - straight.size).abs() < 1e-2);
        assert_near(turned.center, straight.center.rotated(0.4));
    }

    #[test]
    fn unusable_points_give_no_region() {
        assert!(Region::from_landmarks(&[Point::new(f32::NAN, 0.0); 68], Scheme::Ibug68).is_none());
        assert!(Region::from_landmarks(&[Point::new(3.0, 4.0); 68], Scheme::Ibug68).is_none());
        assert!(Region::from_landmarks(&[Point::new(3.0, 4.0)], Scheme::Nose).is_none());
    }

    #[test]
    fn a_nose_moves_its_region_and_leaves_size_and_roll() {
        let region = Region { center: Point::new(100.0, 50.0), size: 40.0, angle: 0.2 };
        let moved = region.moved_to(&[Point::new(110.0, 45.0)], Scheme::Nose).unwrap();
        assert_eq!(moved, Region { center: Point::new(110.0, 45.0), ..region });
        assert!(region.moved_to(&[Point::new(f32::NAN, 45.0)], Scheme::Nose).is_none());
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
