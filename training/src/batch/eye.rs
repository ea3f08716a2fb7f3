//! An eye in a photo, in its own axes.

use std::ops::Range;

use facemark::Plane;
use facemark::crop::bilinear;
use facemark::geometry::Point;

/// Eyes narrower than this, in pixels, have too few to move.
const NARROWEST: f32 = 4.0;
/// How far from its middle an eye is drawn, in its widths.
const REACH: f32 = 1.5;

/// An eye's lids as lines in its own axes: x from corner to corner, 0 to 1; y in the same unit, downwards.
pub struct Eye {
    corner: Point,
    /// From corner to corner, in pixels.
    axis: Point,
    /// Points of the lids between the corners, by x.
    pub upper: Vec<Point>,
    pub lower: Vec<Point>,
}

impl Eye {
    /// The eye of a circle of points: a corner, those above, the other corner, and as many below. `None` if they do not form
    /// an open eye.
    pub fn of(points: &[Point]) -> Option<Self> {
        let (&corner, &other) = (points.first()?, points.get(points.len() / 2)?);
        let axis = Point::new(other.x - corner.x, other.y - corner.y);
        let mut eye = Self { corner, axis, upper: Vec::new(), lower: Vec::new() };
        let lid = |points: &[Point]| points.iter().map(|&p| eye.to_eye(p)).collect::<Vec<_>>();
        let (upper, mut lower) = (lid(&points[1..points.len() / 2]), lid(&points[points.len() / 2 + 1..]));
        lower.reverse();
        (eye.upper, eye.lower) = (upper, lower);
        let is_between = |p: &Point| p.x > 0.0 && p.x < 1.0;
        let is_line = |line: &[Point]| {
            !line.is_empty() && line.iter().all(is_between) && line.is_sorted_by(|a, b| a.x < b.x)
        };
        let is_wide = axis.x.hypot(axis.y) >= NARROWEST;
        let is_eye = is_wide && is_line(&eye.upper) && is_line(&eye.lower);
        (is_eye && eye.upper.iter().all(|p| p.y < eye.end(p.x))).then_some(eye)
    }

    /// From pixels to the eye's axes.
    pub fn to_eye(&self, p: Point) -> Point {
        let (x, y) = (p.x - self.corner.x, p.y - self.corner.y);
        let square = self.axis.x.powi(2) + self.axis.y.powi(2);
        Point::new((x * self.axis.x + y * self.axis.y) / square, (y * self.axis.x - x * self.axis.y) / square)
    }

    /// From the eye's axes to pixels.
    pub fn to_photo(&self, p: Point) -> Point {
        let Point { x, y } = self.axis;
        Point::new(self.corner.x + p.x * x - p.y * y, self.corner.y + p.x * y + p.y * x)
    }

    /// The y of the upper lid at x.
    pub fn start(&self, x: f32) -> f32 {
        height(&self.upper, x)
    }

    /// The y of the lower lid at x.
    pub fn end(&self, x: f32) -> f32 {
        height(&self.lower, x)
    }

    /// Draws the eye and what is around it anew: `source` says from where in the photo a place gets its colour, and `None`
    /// where nothing changes.
    pub fn draw(&self, from: &Plane, to: &mut Plane, source: impl Fn(Point) -> Option<Point>) {
        let reach = REACH * self.axis.x.hypot(self.axis.y);
        let middle = self.to_photo(Point::new(0.5, 0.0));
        let width = to.width();
        for y in span(middle.y, reach, from.height()) {
            for x in span(middle.x, reach, from.width()) {
                let place = self.to_eye(Point::new(x as f32, y as f32));
                if let Some(source) = source(place).filter(|_| (0.0..=1.0).contains(&place.x)) {
                    to.data_mut()[y * width + x] = bilinear(from.luma(), self.to_photo(source));
                }
            }
        }
    }
}

/// The pixels of a row of `n` that are within reach.
fn span(center: f32, reach: f32, n: usize) -> Range<usize> {
    let end = |v: f32| (v.max(0.0) as usize).min(n);
    end(center - reach)..end(center + reach + 1.0)
}

/// The y at x of the line from corner to corner through some points.
fn height(line: &[Point], x: f32) -> f32 {
    let i = line.partition_point(|p| p.x <= x);
    let a = i.checked_sub(1).map_or(Point::new(0.0, 0.0), |i| line[i]);
    let b = line.get(i).copied().unwrap_or(Point::new(1.0, 0.0));
    a.y + (x - a.x) / (b.x - a.x) * (b.y - a.y)
}
