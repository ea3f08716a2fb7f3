//! Faces that are hard to find, made of annotated photos: in the dark before a window, cut off, masked, turned, small.

use anyhow::Result;
use facemark::crop::{Framing, crop};
use facemark::face::{Face, Scheme};
use facemark::geometry::{Affine, Point, Region};
use facemark::{Image, Plane, Tracker};
use serde::Serialize;

use super::faces::Recall;
use crate::dataset::{FaceBox, Sample};
use crate::polygon::is_inside;

/// Landmarks are right if those inside the picture are less than this share of the outer eye corners' distance off.
const RIGHT: f32 = 0.1;
/// A face lies where the true one is if their squares overlap by this share of the smaller one.
const THERE: f32 = 0.3;
/// Side of the pictures of most kinds, in pixels.
const SIDE: usize = 480;

/// What is done to a photo.
#[derive(Clone, Copy)]
enum Kind {
    /// Nothing.
    Plain,
    /// The face at a fifth of its light, the ground bright.
    BackLight,
    /// The lower edge of the picture is just below the nose.
    NoMouth,
    /// The picture is the middle 0.85 of the points' box.
    Larger,
    /// A quarter of the points' box is outside, on the left or on the right.
    QuarterOutside,
    /// A polygon from the bridge of the nose to the chin; the points below do not count.
    Mask,
    /// The photo is turned by this many degrees.
    Turned(f32),
    /// The face is this many pixels large in the middle of 640×480.
    Sized(f32),
}

const KINDS: [(&str, Kind); 13] = [
    ("upright", Kind::Plain),
    ("turned by 90°", Kind::Turned(90.0)),
    ("turned by 180°", Kind::Turned(180.0)),
    ("turned by 270°", Kind::Turned(270.0)),
    ("a fifth of its light before a bright ground", Kind::BackLight),
    ("cut off below the nose", Kind::NoMouth),
    ("larger than the picture", Kind::Larger),
    ("a quarter outside", Kind::QuarterOutside),
    ("painted mask", Kind::Mask),
    ("20 px in 640×480", Kind::Sized(20.0)),
    ("30 px", Kind::Sized(30.0)),
    ("60 px", Kind::Sized(60.0)),
    ("400 px", Kind::Sized(400.0)),
];

/// A picture and the points that its landmarks are compared with.
struct Hard {
    picture: Plane,
    points: Vec<Point>,
    /// Which points count.
    counts: Vec<bool>,
}

/// How many faces of each kind were found.
#[derive(Serialize)]
pub struct Row {
    kind: &'static str,
    /// Faces that the tracker reports where one is.
    found: Recall,
    /// Those of them with right landmarks.
    right: Recall,
    /// Of pictures, those in which a face is reported there and its landmarks are wrong.
    wrong: Recall,
}

/// Makes the hard faces and looks for them with [`Tracker::still`].
pub fn evaluate(tracker: &mut Tracker, samples: &[Sample]) -> Result<Vec<Row>> {
    KINDS.iter().map(|&(name, kind)| row(tracker, samples, name, kind)).collect()
}

fn row(tracker: &mut Tracker, samples: &[Sample], kind: &'static str, how: Kind) -> Result<Row> {
    let mut row = Row { kind, found: Recall::default(), right: Recall::default(), wrong: Recall::default() };
    for (i, sample) in samples.iter().enumerate() {
        let hard = make(sample, how, i);
        let (width, height) = (hard.picture.width(), hard.picture.height());
        let faces = tracker.still(&Image::luma(width, height, hard.picture.data())?)?;
        let there: Vec<&Face> = faces.iter().filter(|face| hard.holds(&face.region)).collect();
        let is_right = there.iter().any(|face| hard.error(&face.landmarks) < RIGHT);
        row.found.count(!there.is_empty());
        row.right.count(is_right);
        row.wrong.count(!there.is_empty() && !is_right);
    }
    Ok(row)
}

impl Hard {
    /// Whether a face is reported where this one is.
    fn holds(&self, region: &Region) -> bool {
        Region::from_landmarks(&self.points, Scheme::Ibug68)
            .is_some_and(|truth| truth.overlap(region) >= THERE)
    }

    /// The mean distance from the true points that count, in distances of the outer eye corners.
    fn error(&self, found: &[Point]) -> f32 {
        let pairs = || self.points.iter().zip(found).zip(&self.counts).filter(|(_, counts)| **counts);
        let total: f32 = pairs().map(|((a, b), _)| a.distance(*b)).sum();
        total / pairs().count() as f32 / self.points[36].distance(self.points[45])
    }
}

impl Row {
    /// Prints some rows for people.
    pub fn print(rows: &[Self]) {
        println!("{:<44} {:>22} {:>22}  wrong landmarks", "", "found", "found and right");
        for Self { kind, found, right, wrong } in rows {
            println!("{kind:<44} {:>22} {:>22}  {}", found.text(), right.text(), wrong.text());
        }
    }
}

fn make(sample: &Sample, how: Kind, index: usize) -> Hard {
    let region = Region::from_landmarks(&sample.points, Scheme::Ibug68).unwrap_or(sample.region);
    let bounds = FaceBox::around(&sample.points);
    let square = bounds.region();
    let middle = square.center;
    match how {
        Kind::Plain => framed(sample, &Region { size: 3.0 * region.size, angle: 0.0, ..region }, SIDE, SIDE),
        Kind::Turned(degrees) => {
            let angle = -degrees.to_radians();
            framed(sample, &Region { size: 3.0 * region.size, angle, ..region }, SIDE, SIDE)
        }
        Kind::BackLight => back_lit(make(sample, Kind::Plain, index)),
        Kind::Mask => masked(make(sample, Kind::Plain, index)),
        Kind::NoMouth => {
            let size = 2.2 * square.size;
            let bottom = sample.points[33].y + 0.04 * square.size;
            let center = Point::new(middle.x, bottom - size / 2.0);
            framed(sample, &Region { center, size, angle: 0.0 }, SIDE, SIDE)
        }
        Kind::Larger => {
            let size = 0.85 * bounds.width.min(bounds.height);
            framed(sample, &Region { center: middle, size, angle: 0.0 }, SIDE, SIDE)
        }
        Kind::QuarterOutside => {
            let size = 2.2 * square.size;
            // From the box's middle to the picture's edge is a quarter of the box's width.
            let way = size / 2.0 - bounds.width / 4.0;
            let center = Point::new(middle.x + if index.is_multiple_of(2) { way } else { -way }, middle.y);
            framed(sample, &Region { center, size, angle: 0.0 }, SIDE, SIDE)
        }
        Kind::Sized(pixels) => {
            let size = 640.0 * region.size / pixels;
            framed(sample, &Region { size, angle: 0.0, ..region }, 640, 480)
        }
    }
}

/// The part of a photo in a region as wide as the picture.
fn framed(sample: &Sample, region: &Region, width: usize, height: usize) -> Hard {
    let mut picture = Plane::default();
    picture.resize(width, height);
    let framing = Framing { width: 1.0, height: height as f32 / width as f32, shift_x: 0.0, shift_y: 0.0 };
    let to_photo: Affine = framing.crop_to_image(region);
    crop(sample.photo.luma(), &to_photo, width, picture.data_mut());
    let to_unit = to_photo.inverse();
    let point = |&p: &Point| {
        let p = to_unit.apply(p);
        Point::new(p.x * width as f32 - 0.5, p.y * height as f32 - 0.5)
    };
    let points: Vec<Point> = sample.points.iter().map(point).collect();
    let is_inside = |p: &Point| (0.0..width as f32).contains(&p.x) && (0.0..height as f32).contains(&p.y);
    let counts = points.iter().map(is_inside).collect();
    Hard { picture, points, counts }
}

/// The head dark, all around it bright, with a soft outline.
fn back_lit(mut hard: Hard) -> Hard {
    let width = hard.picture.width();
    let Some(face) = Region::from_landmarks(&hard.points, Scheme::Ibug68) else { return hard };
    for (i, pixel) in hard.picture.data_mut().iter_mut().enumerate() {
        let p = Point::new((i % width) as f32 - face.center.x, (i / width) as f32 - face.center.y);
        let p = p.rotated(-face.angle);
        // The head reaches further up than the points.
        let far = (p.x / (0.68 * face.size)).hypot((p.y + 0.18 * face.size) / (0.9 * face.size));
        let outside = ((far - 0.95) / 0.1).clamp(0.0, 1.0);
        let (dark, bright) = (f32::from(*pixel) / 5.0, 250.0);
        *pixel = (dark + outside * (bright - dark)).round() as u8;
    }
    hard
}

/// A light polygon over nose, mouth and chin.
fn masked(mut hard: Hard) -> Hard {
    let outline: Vec<Point> = hard.points[2..=14].iter().chain([&hard.points[28]]).copied().collect();
    let width = hard.picture.width();
    for (i, pixel) in hard.picture.data_mut().iter_mut().enumerate() {
        if is_inside(&outline, Point::new((i % width) as f32, (i / width) as f32)) {
            *pixel = 205;
        }
    }
    for (i, counts) in hard.counts.iter_mut().enumerate() {
        *counts &= matches!(i, 0 | 1 | 15..=28 | 36..=47);
    }
    hard
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::Arc;

    use super::*;

    /// A grey photo with a face whose points lie on a circle of 100 px.
    fn sample() -> Sample {
        let point = |i: usize| {
            let way = std::f32::consts::TAU * i as f32 / 68.0;
            Point::new(200.0 + 50.0 * way.cos(), 150.0 + 50.0 * way.sin())
        };
        let points: Vec<Point> = (0..68).map(point).collect();
        Sample {
            name: String::new(),
            picture: PathBuf::new(),
            photo: Arc::new(Plane::new(400, 300, vec![100; 400 * 300]).unwrap()),
            region: Region::from_points(points.iter().copied()),
            points,
            face_box: None,
            held_out: false,
            mesh: None,
        }
    }

    #[test]
    fn cut_faces_lie_as_far_outside_as_they_should() {
        let share_inside = |how, index| {
            let hard = make(&sample(), how, index);
            hard.counts.iter().filter(|&&counts| counts).count() as f32 / 68.0
        };
        assert_eq!(share_inside(Kind::Plain, 0), 1.0);
        // Two thirds of a circle are left of the line through the middle of its right half.
        for index in 0..2 {
            assert!((share_inside(Kind::QuarterOutside, index) - 2.0 / 3.0).abs() < 0.03);
        }
        assert!(share_inside(Kind::Larger, 0) < 0.4);
    }

    #[test]
    fn the_true_points_are_right_and_shifted_ones_are_not() {
        for (_, how) in KINDS {
            let hard = make(&sample(), how, 0);
            assert!(hard.error(&hard.points) < 1e-6);
            let eyes = hard.points[36].distance(hard.points[45]);
            let off: Vec<Point> = hard.points.iter().map(|p| Point::new(p.x + 0.11 * eyes, p.y)).collect();
            assert!(hard.error(&off) > RIGHT);
        }
    }

    #[test]
    fn a_head_before_a_window_is_dark_and_the_rest_bright() {
        let hard = make(&sample(), Kind::BackLight, 0);
        assert_eq!(hard.picture.data()[240 * SIDE + 240], 20);
        assert_eq!(hard.picture.data()[5], 250);
    }
}
