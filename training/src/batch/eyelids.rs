//! Moves the upper lids in photos: data sets have few closed eyes, and lids go along where eyes look up or down.

use std::sync::Arc;

use facemark::Plane;
use facemark::face::{Scheme, mesh};
use facemark::geometry::Point;

use super::eye::Eye;
use crate::dataset::Sample;

/// How much skin above the upper lid moves with it, in eye widths: less than up to the brow.
const SKIN: f32 = 0.45;
/// How far from the lid's line a point still is on it, in eye widths.
const ON_LID: f32 = 1e-4;

/// The same face with the upper lids a share `by` of the way down to the lower ones, 0 to 1, or raised by as much if it is
/// negative. A lowered lid slides over the eye; under a raised one, the eye is stretched. What a mesh says with its
/// blendshapes is unknown then. Faces that are not marked with the 68 points or a mesh stay as they are.
pub fn lowered(sample: &Sample, by: f32) -> Sample {
    let mut sample = sample.clone();
    let schemes = [Scheme::Ibug68, Scheme::Mesh478];
    let scheme = schemes.into_iter().find(|scheme| scheme.n_points() == sample.points.len());
    let Some(eyes) = scheme.and_then(Scheme::eyes) else { return sample };
    let mut photo = Plane::clone(&sample.photo);
    let mut changes = false;
    for eye in eyes {
        let lids: Vec<Point> = eye.iter().map(|&i| sample.points[i]).collect();
        let Some(eye) = Eye::of(&lids) else { continue };
        eye.draw(&sample.photo, &mut photo, |place| source(&eye, place, by));
        for (i, point) in sample.points.iter_mut().enumerate() {
            let moved = moved(&eye, eye.to_eye(*point), by, i >= mesh::IRISES[0]);
            *point = moved.map_or(*point, |p| eye.to_photo(p));
        }
        changes = true;
    }
    if changes {
        sample.photo = Arc::new(photo);
        sample.mesh.iter_mut().for_each(|mesh| mesh.blendshapes.clear());
    }
    sample
}

/// The upper lid's y, where it moves to, and the lower lid's; `None` where there is no eye between them.
fn lids(eye: &Eye, x: f32, by: f32) -> Option<[f32; 3]> {
    let (lid, end) = (eye.start(x), eye.end(x));
    ((0.0..=1.0).contains(&x) && lid < end).then_some([lid, lid + by * (end - lid), end])
}

/// Where a point of the face is once the lid has moved; `None` if it stays.
fn moved(eye: &Eye, p: Point, by: f32, is_iris: bool) -> Option<Point> {
    let [lid, lowered, end] = lids(eye, p.x, by)?;
    let start = lid - SKIN;
    let y = if is_iris && by < 0.0 && (start..end).contains(&p.y) {
        end - (end - p.y) * (end - lowered) / (end - lid)
    } else if !is_iris && (start..=lid + ON_LID).contains(&p.y) {
        start + (p.y - start) * (lowered - start) / SKIN
    } else {
        return None;
    };
    Some(Point::new(p.x, y))
}

/// What is seen at `place` once the lid has moved; `None` where nothing changes.
fn source(eye: &Eye, place: Point, by: f32) -> Option<Point> {
    let [lid, lowered, end] = lids(eye, place.x, by)?;
    let start = lid - SKIN;
    if place.y <= start || place.y >= end {
        return None;
    }
    let y = if place.y < lowered {
        start + (place.y - start) * SKIN / (lowered - start)
    } else if by < 0.0 {
        end - (end - place.y) * (end - lid) / (end - lowered)
    } else {
        return None;
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
    fn a_raised_lid_shows_more_of_the_eye_and_takes_its_points_along() {
        for angle in [0.0, 0.5, -2.0] {
            let open = face(angle);
            let wide = lowered(&open, -0.25);
            let more = n_dark(&wide) / n_dark(&open);
            assert!((more - 1.25).abs() < 0.06, "{angle}: {more} times as open");
            let gap = wide.points[37].distance(wide.points[41]);
            assert!((gap - 20.0).abs() < 1e-3, "{angle}: {gap}");
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
