//! Closes the eyes in photos, since data sets have few closed eyes: the upper lid's skin is drawn down over the eye.

use std::sync::Arc;

use facemark::Plane;
use facemark::face::Scheme;
use facemark::geometry::Point;

use super::eye::Eye;
use crate::dataset::Sample;

/// How much skin above the upper lid is drawn down with it, in eye widths: less than up to the brow.
const SKIN: f32 = 0.45;

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
        if let Some(eye) = Eye::of(points) {
            eye.draw(&sample.photo, &mut photo, |place| source(&eye, place, by));
            lower(&eye, points, by);
        }
    }
    sample.photo = Arc::new(photo);
    sample
}

/// Moves the upper lid's points.
fn lower(eye: &Eye, points: &mut [Point], by: f32) {
    for (point, lid) in points[1..].iter_mut().zip(&eye.upper) {
        let y = lid.y + by * (eye.end(lid.x) - lid.y);
        *point = eye.to_photo(Point::new(lid.x, y));
    }
}

/// What is seen at `place` once the lid is lowered, where skin is stretched, and what is still open of the eye squeezed; `None`
/// where nothing moves.
fn source(eye: &Eye, place: Point, by: f32) -> Option<Point> {
    let (lid, end) = (eye.start(place.x), eye.end(place.x));
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

#[cfg(test)]
pub mod tests {
    use facemark::crop::bilinear;
    use facemark::geometry::Region;

    use super::*;

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
        let eye = Eye::of(&points[36..42]).expect("it is an eye");
        let mut photo = Plane::new(200, 160, vec![200; 200 * 160]).unwrap();
        for (i, pixel) in photo.data_mut().iter_mut().enumerate() {
            let place = eye.to_eye(Point::new((i % 200) as f32, (i / 200) as f32));
            if (0.0..=1.0).contains(&place.x) && (eye.start(place.x)..eye.end(place.x)).contains(&place.y) {
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
