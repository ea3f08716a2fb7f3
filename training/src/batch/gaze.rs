//! Turns the eyes in photos, since people in data sets look into the camera: the irises are moved between the lids.

use std::sync::Arc;

use facemark::Plane;
use facemark::face::{Scheme, mesh};
use facemark::geometry::Point;

use super::eye::Eye;
use crate::dataset::Sample;

/// Where an iris ends, its dark rim included, in radii.
const RIM: f32 = 1.15;
/// The least white that is left on either side of an iris, in eye widths.
const WHITE: f32 = 0.03;
/// How far from a lid a place takes its colour, so that no lash gets into the eye, in eye widths.
const FROM_LID: f32 = 0.03;

/// The same face looking elsewhere: its irises are moved by `by`, in eye widths along each eye and downwards, or as far as
/// its corners allow. What it says with its blendshapes is unknown then. Faces that are not marked with a mesh, and eyes
/// that are nearly shut, stay as they are.
pub fn turned(sample: &Sample, by: Point) -> Sample {
    let mut sample = sample.clone();
    let Some(eyes) = Scheme::Mesh478.eyes().filter(|_| sample.points.len() == mesh::N_POINTS) else {
        return sample;
    };
    let mut photo = Plane::clone(&sample.photo);
    let mut changes = false;
    for (lids, center) in eyes.into_iter().zip(mesh::IRISES) {
        let lids: Vec<Point> = lids.iter().map(|&i| sample.points[i]).collect();
        let iris = &mut sample.points[center..center + 5];
        let Some(eye) = Eye::of(&lids) else { continue };
        let Some(look) = Look::new(&eye, iris, by) else { continue };
        eye.draw(&sample.photo, &mut photo, |place| look.source(place));
        for point in iris {
            let p = eye.to_eye(*point);
            *point = eye.to_photo(Point::new(p.x + look.to.x - look.from.x, p.y + look.to.y - look.from.y));
        }
        changes = true;
    }
    if changes {
        sample.photo = Arc::new(photo);
        sample.mesh.iter_mut().for_each(|mesh| mesh.blendshapes.clear());
    }
    sample
}

/// An iris on its way, in the eye's axes.
struct Look<'a> {
    eye: &'a Eye,
    from: Point,
    to: Point,
    radius: f32,
}

impl<'a> Look<'a> {
    /// `None` if there is too little of the iris to move.
    fn new(eye: &'a Eye, iris: &[Point], by: Point) -> Option<Self> {
        let (&center, edge) = iris.split_first()?;
        let from = eye.to_eye(center);
        let radius =
            RIM * edge.iter().map(|&p| eye.to_eye(p).distance(from)).sum::<f32>() / edge.len() as f32;
        let [first, last] = [radius + WHITE, 1.0 - radius - WHITE];
        let is_seen = first <= from.x && from.x <= last && eye.end(from.x) - eye.start(from.x) > radius;
        if !is_seen {
            return None;
        }
        let x = (from.x + by.x).clamp(first, last);
        // A third of the iris stays between the lids.
        let most = radius / 3.0;
        let y = (from.y + by.y).clamp(eye.start(x) - most, eye.end(x) + most);
        Some(Self { eye, from, to: Point::new(x, y), radius })
    }

    /// Where a place of the moved eye gets its colour from: the white is stretched and squeezed along the eye, and what lids
    /// hid of the iris is taken from its other half.
    fn source(&self, place: Point) -> Option<Point> {
        let Self { eye, from, to, radius } = *self;
        if place.y <= eye.start(place.x) || place.y >= eye.end(place.x) {
            return None;
        }
        let q = Point::new(place.x - to.x, place.y - to.y);
        if q.x.hypot(q.y) < radius {
            let (plain, flipped) =
                (Point::new(from.x + q.x, from.y + q.y), Point::new(from.x + q.x, from.y - q.y));
            let source = if self.is_clear(plain) || !self.is_clear(flipped) { plain } else { flipped };
            return Some(self.between_lids(source));
        }
        let x = stretched(place.x, [to.x - radius, to.x + radius], [from.x - radius, from.x + radius]);
        let source = self.between_lids(Point::new(x, place.y));
        // Above and below the moved iris there was no white.
        Some(if source.distance(from) < radius { self.beside_iris(source) } else { source })
    }

    fn is_clear(&self, p: Point) -> bool {
        p.y > self.eye.start(p.x) + FROM_LID && p.y < self.eye.end(p.x) - FROM_LID
    }

    fn between_lids(&self, p: Point) -> Point {
        let (start, end) = (self.eye.start(p.x) + FROM_LID, self.eye.end(p.x) - FROM_LID);
        Point::new(p.x, if start < end { p.y.clamp(start, end) } else { (start + end) / 2.0 })
    }

    /// The white next to the iris, on the side with more of it.
    fn beside_iris(&self, p: Point) -> Point {
        let away = self.radius + WHITE;
        let x = if self.from.x > 0.5 { self.from.x - away } else { self.from.x + away };
        self.between_lids(Point::new(x, p.y))
    }
}

/// Maps 0 to 1 onto itself so that one part of it becomes another.
fn stretched(x: f32, part: [f32; 2], becomes: [f32; 2]) -> f32 {
    let between = |[a, b]: [f32; 2], [c, d]: [f32; 2]| c + (x - a) / (b - a) * (d - c);
    if x < part[0] {
        between([0.0, part[0]], [0.0, becomes[0]])
    } else if x < part[1] {
        between(part, becomes)
    } else {
        between([part[1], 1.0], [becomes[1], 1.0])
    }
}

#[cfg(test)]
mod tests {
    use facemark::geometry::Region;

    use super::super::eyelids::lowered;
    use super::*;
    use crate::dataset::Mesh;

    const CENTERS: [Point; 2] = [Point::new(60.0, 60.0), Point::new(140.0, 60.0)];

    /// Two white eyes, 50 px wide and 24 high, with black irises of 16 px in grey skin, in a face turned by an angle.
    fn face(angle: f32) -> Sample {
        let mut points = vec![Point::new(100.0, 150.0); mesh::N_POINTS];
        for ((lids, iris), center) in
            Scheme::Mesh478.eyes().unwrap().into_iter().zip(mesh::IRISES).zip(CENTERS)
        {
            for (i, &point) in lids.iter().enumerate() {
                let (sin, cos) = (std::f32::consts::PI * (1.0 + i as f32 / 8.0)).sin_cos();
                points[point] = Point::new(center.x + 25.0 * cos, center.y + 12.0 * sin);
            }
            for (i, (x, y)) in
                [(0.0, 0.0), (8.0, 0.0), (0.0, -8.0), (-8.0, 0.0), (0.0, 8.0)].into_iter().enumerate()
            {
                points[iris + i] = Point::new(center.x + x, center.y + y);
            }
        }
        let middle = Point::new(100.0, 60.0);
        let turn = |p: Point, angle: f32| {
            let q = Point::new(p.x - middle.x, p.y - middle.y).rotated(angle);
            Point::new(q.x + middle.x, q.y + middle.y)
        };
        let colour = |p: Point| {
            let inside = |c: Point| ((p.x - c.x) / 25.0).powi(2) + ((p.y - c.y) / 12.0).powi(2) < 1.0;
            let is_iris = CENTERS.iter().any(|&c| inside(c) && p.distance(c) < 8.0);
            if is_iris {
                0
            } else if CENTERS.into_iter().any(inside) {
                250
            } else {
                128
            }
        };
        let pixel = |i: usize| colour(turn(Point::new((i % 200) as f32, (i / 200) as f32), -angle));
        let mesh = Mesh { depths: vec![0.0; mesh::N_POINTS], blendshapes: vec![0.5; 52] };
        Sample {
            name: "eyes".to_owned(),
            picture: "eyes.png".into(),
            face_box: None,
            photo: Arc::new(Plane::new(200, 160, (0..200 * 160).map(pixel).collect()).unwrap()),
            points: points.into_iter().map(|p| turn(p, angle)).collect(),
            region: Region { center: middle, size: 150.0, angle },
            held_out: false,
            mesh: Some(mesh),
        }
    }

    /// The middle of what is black around a point.
    fn black_spot(sample: &Sample, around: Point) -> Point {
        let places = (0..200 * 160).map(|i| (i, Point::new((i % 200) as f32, (i / 200) as f32)));
        let black: Vec<Point> = places
            .filter(|(i, p)| sample.photo.data()[*i] < 60 && p.distance(around) < 30.0)
            .map(|(_, p)| p)
            .collect();
        facemark::geometry::mean(&black)
    }

    #[test]
    fn irises_and_their_points_move_together() {
        for angle in [0.0, 0.6, -2.5] {
            let ahead = face(angle);
            for by in
                [Point::new(0.15, 0.0), Point::new(-0.2, 0.0), Point::new(0.1, 0.04), Point::new(0.0, -0.05)]
            {
                let turned = turned(&ahead, by);
                for iris in mesh::IRISES {
                    let (was, is) = (ahead.points[iris], turned.points[iris]);
                    let way = by.rotated(angle);
                    let expected = Point::new(was.x + 50.0 * way.x, was.y + 50.0 * way.y);
                    assert!(is.distance(expected) < 0.1, "{angle} {by:?}: {is:?} {expected:?}");
                    let edge = |sample: &Sample| sample.points[iris + 2].distance(sample.points[iris]);
                    assert!((edge(&ahead) - edge(&turned)).abs() < 1e-3);
                    let spot = black_spot(&turned, was);
                    // What the lids hide of a moved iris moves its visible middle.
                    assert!(
                        spot.distance(is) < 1.0 + 50.0 * by.y.abs() / 2.0,
                        "{angle} {by:?}: {spot:?} {is:?}"
                    );
                }
                assert!(turned.mesh.unwrap().blendshapes.is_empty());
            }
        }
    }

    #[test]
    fn lids_slide_over_irises_and_a_raised_lid_stretches_the_eye() {
        let open = face(0.0);
        let lids = Scheme::Mesh478.eyes().unwrap()[0];
        let gap = |sample: &Sample| sample.points[lids[12]].y - sample.points[lids[4]].y;
        assert!((gap(&open) - 24.0).abs() < 1e-3);
        let iris = |sample: &Sample| sample.points[mesh::IRISES[0]].y;
        let (low, high) = (lowered(&open, 0.5), lowered(&open, -0.25));
        assert!((gap(&low) - 12.0).abs() < 1e-3 && (gap(&high) - 30.0).abs() < 1e-3);
        assert!(iris(&low) == iris(&open) && (iris(&high) - (iris(&open) - 3.0)).abs() < 1e-3);
        assert!(low.mesh.unwrap().blendshapes.is_empty());
    }

    #[test]
    fn no_iris_leaves_its_eye_and_nothing_outside_changes() {
        let ahead = face(0.0);
        let turned = turned(&ahead, Point::new(3.0, -2.0));
        for (iris, center) in mesh::IRISES.into_iter().zip(CENTERS) {
            assert!(turned.points[iris].distance(center) < 20.0);
        }
        let changed = |i: &usize| turned.photo.data()[*i] != ahead.photo.data()[*i];
        let outside = |i: &usize| ahead.photo.data()[*i] == 128;
        assert_eq!((0..200 * 160).filter(|i| changed(i) && outside(i)).count(), 0);
    }

    #[test]
    fn shut_eyes_and_other_points_stay() {
        let mut shut = face(0.0);
        for (lids, center) in Scheme::Mesh478.eyes().unwrap().into_iter().zip(CENTERS) {
            lids.iter().for_each(|&i| shut.points[i].y = center.y + (shut.points[i].y - center.y) / 10.0);
        }
        let mut few = face(0.0);
        few.points.truncate(68);
        for sample in [shut, few] {
            let same = turned(&sample, Point::new(0.2, 0.0));
            assert!(same.photo.data() == sample.photo.data() && same.points == sample.points);
            assert_eq!(same.mesh.unwrap().blendshapes.len(), 52);
        }
    }
}
