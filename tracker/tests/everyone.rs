//! The built-in detector finds people of all kinds; `tests/faces/SOURCES.md` says who they are.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use facemark::Plane;
use facemark::detect::{Detector, FaceNet};
use facemark::geometry::{Point, Region};
use facemark::models;

/// What the detector reaches.
const LEAST: usize = 58;

/// A photo and the region of its face.
fn faces() -> Vec<(String, Plane, Region)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/faces");
    let list = fs::read_to_string(folder.join("faces.csv")).unwrap();
    let face = |line: &str| {
        let (name, numbers) = line.split_once(',').unwrap();
        let numbers: Vec<f32> = numbers.split(',').map(|number| number.parse().unwrap()).collect();
        let [x, y, size, roll] = numbers[..] else { panic!("{line}") };
        let luma = image::open(folder.join(name)).unwrap().into_luma8();
        let (width, height) = (luma.width() as usize, luma.height() as usize);
        let region = Region { center: Point::new(x, y), size, angle: roll.to_radians() };
        (name.to_owned(), Plane::new(width, height, luma.into_raw()).unwrap(), region)
    };
    list.lines().skip(1).map(face).collect()
}

#[test]
fn everyone_is_found_the_right_way_up() {
    let mut detector = FaceNet::from_bytes(models::FACE, 1).unwrap();
    let faces = faces();
    assert_eq!(faces.len(), 60);
    let is_found = |(_, photo, face): &&(String, Plane, Region)| {
        // As the tracker does in a single picture.
        let mut found = detector.detect(photo.luma(), &[]).unwrap();
        if found.is_empty() {
            found = detector.search(photo.luma()).unwrap();
        }
        found.iter().any(|found| {
            let growth = found.region.size / face.size;
            let is_there = found.region.center.distance(face.center) < 0.25 * face.size;
            is_there && (0.7..1.4).contains(&growth) && found.region.turn(face).to_degrees() < 30.0
        })
    };
    let (found, missed): (Vec<_>, Vec<_>) = faces.iter().partition(is_found);
    let missed: Vec<&str> = missed.iter().map(|(name, ..)| name.as_str()).collect();
    assert!(found.len() >= LEAST, "{} of 60 are found, not {missed:?}", found.len());
}
