//! Closes the eyes in photos, since data sets have few closed eyes: the upper lid's skin is drawn down over the eye.

use std::sync::Arc;

use facemark::Plane;
use facemark::crop::bilinear;
use facemark::face::Scheme;
use facemark::geometry::Point;

use crate::dataset::Sample;

/// How much skin above the upper lid is drawn down with it, in eye widths: less than up to the brow.
const SKIN: f32 = 0.45;
/// Eyes narrower than this, in pixels, have too few to move.
const NARROWEST: f32 = 4.0;

/// The same face with the upper lids a share `by` of the way down to the lower ones, 0 to 1. Faces that are not marked
/// with the 68 points stay as they are.
pub fn lowered(sample: &Sample, by: f32) -> Sample {
    let mut sample = sample.clone();
    let Some(eyes) = Scheme::Ibug68.eyes().filter(|_| sample.points.len() == Scheme::Ibug68.n_points())
    else {
        return sample;
    };
    let mut photo = Plane::clone(&sample.photo);
    for eye in eyes {
        let Some(points) = sample.points.get_mut(eye[0]..eye[0] + eye.len()) else { continue };
        if let Some(lids) = Lids::of(points) {
            lids.draw(&sample.photo, by, &mut photo);
            lids.lower(points, by);
        }
    }
    sample.photo = Arc::new(photo);
    sample
}

/// An eye's lids as lines in its own axes: x from corner to corner, 0 to 1; y in the same unit, downwards.
struct Lids {
    corner: Point,
    /// From corner to corner, in pixels.
    axis: Point,
    /// Points of the lid between the corners, by x.
    upper: [Point; 2],
    lower: [Point; 2],
}

impl Lids {
    /// The lids of an eye's six points: corner, two above, corner, two below, in a circle. `None` if they do not form an eye.
    fn of(points: &[Point]) -> Option<Self> {
        let &[corner, above1, above2, other, below2, below1] = points else { return None };
        let axis = Point::new(other.x - corner.x, other.y - corner.y);
        let mut lids = Self { corner, axis, upper: [corner; 2], lower: [corner; 2] };
        lids.upper = [above1, above2].map(|p| lids.to_eye(p));
        lids.lower = [below1, below2].map(|p| lids.to_eye(p));
        let is_between = |p: &Point| p.x > 0.0 && p.x < 1.0;
        let is_line = |line: &[Point; 2]| line.iter().all(is_between) && line[0].x < line[1].x;
        let is_open = lids.upper.iter().all(|p| p.y < lids.gap_end(p.x));
        let is_wide = axis.x.hypot(axis.y) >= NARROWEST;
        (is_wide && is_line(&lids.upper) && is_line(&lids.lower) && is_open).then_some(lids)
    }

    fn to_eye(&self, p: Point) -> Point {
        let (x, y) = (p.x - self.corner.x, p.y - self.corner.y);
        let square = self.axis.x.powi(2) + self.axis.y.powi(2);
        Point::new((x * self.axis.x + y * self.axis.y) / square, (y * self.axis.x - x * self.axis.y) / square)
    }

    fn to_photo(&self, p: Point) -> Point {
        let Point { x, y } = self.axis;
        Point::new(self.corner.x + p.x * x - p.y * y, self.corner.y + p.x * y + p.y * x)
    }

    /// The y of the lower lid at x.
    fn gap_end(&self, x: f32) -> f32 {
        height(&self.lower, x)
    }

    /// Moves the upper lid's points.
    fn lower(&self, points: &mut [Point], by: f32) {
        for (point, lid) in points[1..3].iter_mut().zip(self.upper) {
            let y = lid.y + by * (self.gap_end(lid.x) - lid.y);
            *point = self.to_photo(Point::new(lid.x, y));
        }
    }

    /// Draws the lowered lid: skin is stretched, what is still open of the eye is squeezed.
    fn draw(&self, from: &Plane, by: f32, to: &mut Plane) {
        let reach = 1.5 * self.axis.x.hypot(self.axis.y);
        let span = |center: f32, n: usize| {
            let end = |v: f32| (v.max(0.0) as usize).min(n);
            end(center - reach)..end(center + reach + 1.0)
        };
        let middle = self.to_photo(Point::new(0.5, 0.0));
        for y in span(middle.y, from.height()) {
            for x in span(middle.x, from.width()) {
                let place = self.to_eye(Point::new(x as f32, y as f32));
                if let Some(source) = self.source(place, by) {
                    let width = to.width();
                    to.data_mut()[y * width + x] = bilinear(from.luma(), self.to_photo(source));
                }
            }
        }
    }

    /// What is seen at `place` once the lid is lowered; `None` where nothing moves.
    fn source(&self, place: Point, by: f32) -> Option<Point> {
        if !(0.0..=1.0).contains(&place.x) {
            return None;
        }
        let (lid, end) = (height(&self.upper, place.x), self.gap_end(place.x));
        let lowered = lid + by * (end - lid);
        let start = lid - SKIN;
        if place.y <= start || place.y >= end || lid >= end {
            return None;
        }
        let y = if place.y < lowered {
            start + (place.y - start) * SKIN / (lowered - start)
        } else {
            lid + (place.y - lowered) * (end - lid) / (end - lowered)
        };
        Some(Point::new(place.x, y))
    }
}

/// The y at x of the line from corner to corner through two points.
fn height([first, second]: &[Point; 2], x: f32) -> f32 {
    let between = |a: Point, b: Point| a.y + (x - a.x) / (b.x - a.x) * (b.y - a.y);
    if x < first.x {
        between(Point::new(0.0, 0.0), *first)
    } else if x < second.x {
        between(*first, *second)
    } else {
        between(*second, Point::new(1.0, 0.0))
    }
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use facemark::geometry::Region;

    /// A grey face with a black left eye, 40 px wide and 16 high, turned by an angle; the right eye is no eye.
    pub fn face(angle: f32) -> Sample {
        let (sin, cos) = angle.sin_cos();
        let turned = |x: f32, y: f32| Point::new(100.0 + x * cos - y * sin, 80.0 + x * sin + y * cos);
        let mut points = vec![Point::new(0.0, 0.0); 68];
        for (i, (x, y)) in [(-20.0, 0.0), (-10.0, -8.0), (10.0, -8.0), (20.0, 0.0), (10.0, 8.0), (-10.0, 8.0)]
            .into_iter()
            .enumerate()
        {
            points[36 + i] = turned(x, y);
        }
        let lids = Lids::of(&points[36..42]).expect("it is an eye");
        let mut photo = Plane::new(200, 160, vec![200; 200 * 160]).unwrap();
        for (i, pixel) in photo.data_mut().iter_mut().enumerate() {
            let place = lids.to_eye(Point::new((i % 200) as f32, (i / 200) as f32));
            if (0.0..=1.0).contains(&place.x)
                && (height(&lids.upper, place.x)..height(&lids.lower, place.x)).contains(&place.y)
            {
                *pixel = 0;
            }
        }
        Sample {
            name: "eye".to_owned(),
            picture: "eye.png".into(),
            face_box: None,
            photo: Arc::new(photo),
            points,
            region: Region { center: Point::new(100.0, 80.0), size: 60.0, angle },
            held_out: false,
            mesh: None,
        }
    }

    fn n_dark(sample: &Sample) -> f32 {
        sample.photo.data().iter().filter(|&&v| v < 100).count() as f32
    }

    #[test]
    fn a_lowered_lid_hides_its_share_of_the_eye() {
        for angle in [0.0, 0.5, -2.0] {
            let open = face(angle);
            for by in [0.25, 0.5, 0.75] {
                let closed = lowered(&open, by);
                let left = n_dark(&closed) / n_dark(&open);
                assert!((left - (1.0 - by)).abs() < 0.06, "{angle} {by}: {left} is left");
            }
        }
    }

    #[test]
    fn the_points_go_with_the_lid() {
        for angle in [0.0, 0.5, -2.0] {
            let open = face(angle);
            let closed = lowered(&open, 0.75);
            for (upper, lower) in [(37, 41), (38, 40)] {
                let gap = |sample: &Sample| sample.points[upper].distance(sample.points[lower]);
                assert!((gap(&open) - 16.0).abs() < 1e-3 && (gap(&closed) - 4.0).abs() < 1e-3);
                // Just below the point it is dark, just above it is skin.
                let down = |by: f32| {
                    let (p, q) = (closed.points[upper], closed.points[lower]);
                    let step = by / p.distance(q);
                    bilinear(
                        closed.photo.luma(),
                        Point::new(p.x + step * (q.x - p.x), p.y + step * (q.y - p.y)),
                    )
                };
                assert!(down(1.5) < 60 && down(-1.5) > 140, "{angle}: {} {}", down(1.5), down(-1.5));
            }
            let fixed = (0..68).filter(|i| ![37, 38].contains(i));
            assert!(fixed.into_iter().all(|i| open.points[i] == closed.points[i]));
        }
    }

    #[test]
    fn nothing_else_changes() {
        let open = face(0.0);
        assert_eq!(lowered(&open, 0.0).photo.data(), open.photo.data());
        let closed = lowered(&open, 1.0);
        let changed = |i: &usize| open.photo.data()[*i] != closed.photo.data()[*i];
        let places = (0..open.photo.data().len()).filter(changed);
        assert!(
            places.into_iter().all(|i| (80..=120).contains(&(i % 200)) && (60..=88).contains(&(i / 200)))
        );
    }

    #[test]
    fn what_is_no_eye_stays() {
        let mut face = face(0.0);
        face.points[36] = face.points[39];
        let same = lowered(&face, 0.8);
        assert_eq!((&same.photo, &same.points), (&face.photo, &face.points));
        face.points.truncate(5);
        assert_eq!(lowered(&face, 0.8).points, face.points);
    }
}
