//! The built-in models on a photo.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use facemark::crop::{Framing, crop};
use facemark::detect::{Detection, Detector, FaceNet};
use facemark::geometry::{Point, Region};
use facemark::{Image, Layout, Options, Plane, Tracker};

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name)
}

fn detector() -> FaceNet {
    FaceNet::from_bytes(&fs::read(path("models/face.onnx")).unwrap(), 1).unwrap()
}

/// A NASA portrait of 512×512.
fn astronaut() -> Plane {
    let luma = image::open(path("media/astronaut.jpg")).unwrap().into_luma8();
    let (width, height) = (luma.width() as usize, luma.height() as usize);
    Plane::new(width, height, luma.into_raw()).unwrap()
}

/// Her face, from brows to chin.
const FACE: Region = Region { center: Point { x: 225.0, y: 131.8 }, size: 92.5, angle: 0.0 };

/// The photo, shifted, scaled and rotated into a picture of `width × height`: her face is in the middle,
/// `size` pixels large and rolled by `roll`.
fn framed(width: usize, height: usize, size: f32, roll: f32) -> Plane {
    let mut picture = Plane::default();
    picture.resize(width, height);
    let framing =
        Framing { width: width as f32 / size, height: height as f32 / size, shift_x: 0.0, shift_y: 0.0 };
    let to_photo = framing.crop_to_image(&Region { angle: -roll, ..FACE });
    crop(astronaut().luma(), &to_photo, width, picture.data_mut());
    picture
}

#[track_caller]
fn assert_found(found: &[Detection], center: Point, size: f32) {
    let [face] = found else { panic!("not one face: {found:?}") };
    let off = face.region.center.distance(center) / size;
    let growth = face.region.size / size;
    assert!(off < 0.15 && (0.8..1.25).contains(&growth), "{face:?} is not at {center:?}, {size} px");
}

#[test]
fn a_face_is_found_where_it_is_and_nowhere_else() {
    assert_found(&detector().detect(astronaut().luma(), &[]).unwrap(), FACE.center, FACE.size);
}

#[test]
fn its_size_its_roll_and_the_pictures_shape_do_not_matter() {
    let mut detector = detector();
    for (width, height) in [(640, 480), (1280, 720), (480, 640)] {
        for size in [80.0, 120.0, 250.0] {
            let found = detector.detect(framed(width, height, size, 0.0).luma(), &[]).unwrap();
            assert_found(&found, Point::new(width as f32 / 2.0 - 0.5, height as f32 / 2.0 - 0.5), size);
        }
    }
    for roll in [-0.5, 0.5_f32] {
        let found = detector.detect(framed(640, 480, 120.0, roll).luma(), &[]).unwrap();
        assert_found(&found, Point::new(319.5, 239.5), 120.0);
        assert!((found[0].region.angle - roll).abs() < 0.2, "{roll}: {found:?}");
    }
}

#[test]
fn small_faces_are_found_if_asked_for_and_large_ones_still() {
    let mut detector = detector().with_small_faces();
    for size in [24.0, 40.0, 120.0, 400.0] {
        let found = detector.detect(framed(640, 480, size, 0.0).luma(), &[]).unwrap();
        assert_found(&found, Point::new(319.5, 239.5), size);
    }
    // A picture that has too few pixels for the second look.
    assert_found(
        &detector.detect(framed(200, 150, 60.0, 0.0).luma(), &[]).unwrap(),
        Point::new(99.5, 74.5),
        60.0,
    );
}

#[test]
fn known_faces_are_left_out() {
    let (mut detector, photo) = (detector(), astronaut());
    let near = Region { center: Point::new(230.0, 120.0), size: 84.0, angle: 0.1 };
    assert_eq!(detector.detect(photo.luma(), &[near]).unwrap(), []);
    let elsewhere = Region { center: Point::new(400.0, 400.0), ..near };
    assert_eq!(detector.detect(photo.luma(), &[elsewhere]).unwrap().len(), 1);
}

#[test]
fn a_second_look_confirms_a_face_and_nothing_else() {
    let (mut detector, photo) = (detector(), astronaut());
    let near = Region { center: Point::new(230.0, 120.0), size: 84.0, angle: 0.1 };
    let face = detector.confirm(photo.luma(), &near).unwrap();
    assert_found(face.as_slice(), FACE.center, FACE.size);
    for elsewhere in [Point::new(60.0, 400.0), Point::new(440.0, 80.0), Point::new(240.0, 400.0)] {
        assert_eq!(detector.confirm(photo.luma(), &Region { center: elsewhere, ..near }).unwrap(), None);
    }
}

#[test]
fn uniform_pictures_have_no_face() {
    let mut detector = detector();
    for (width, height) in [(640, 480), (1, 1), (3000, 7), (2, 900)] {
        let picture = Plane::new(width, height, vec![90; width * height]).unwrap();
        assert_eq!(detector.detect(picture.luma(), &[]).unwrap(), [], "{width}×{height}");
    }
}

#[test]
fn every_layout_gives_the_same_faces() {
    let photo = image::open(path("media/astronaut.jpg")).unwrap().into_rgb8();
    let (width, height) = (photo.width() as usize, photo.height() as usize);
    let pixels: Vec<[u8; 3]> = photo.pixels().map(|pixel| pixel.0).collect();
    let bytes = |convert: fn(&[u8; 3]) -> Vec<u8>| pixels.iter().flat_map(convert).collect::<Vec<u8>>();
    let bgr = bytes(|&[r, g, b]| vec![b, g, r]);
    let rgba = bytes(|&[r, g, b]| vec![r, g, b, r]);
    let luma = bytes(|rgb| {
        let [r, g, b] = rgb.map(f32::from);
        vec![(0.299 * r + 0.587 * g + 0.114 * b).round() as u8]
    });
    // Rows that are followed by other bytes.
    let padded = |row: usize, data: &[u8]| -> Vec<u8> {
        data.chunks(row).flat_map(|row| row.iter().copied().chain([255; 9])).collect()
    };
    let (padded_luma, padded_rgb) = (padded(width, &luma), padded(3 * width, &photo));
    let chroma = vec![128; width * height / 4];
    let mut tracker = Tracker::new(Options::default()).unwrap();
    let mut faces = |image: facemark::Result<Image>| tracker.still(&image.unwrap()).unwrap();

    let expected = faces(Image::luma(width, height, &luma));
    assert_found(&[Detection { region: expected[0].region, score: 1.0 }], FACE.center, FACE.size);
    let planes = [(&luma[..], width), (&chroma[..], width / 2), (&chroma[..], width / 2)];
    assert_eq!(faces(Image::yuv420(width, height, planes)), expected);
    let stride = width + 9;
    assert_eq!(faces(Image::with_stride(Layout::Luma, width, height, stride, &padded_luma)), expected);

    // Luma is computed with weights of 1/256, so it may differ by a grey level.
    let in_colour = faces(Image::rgb(width, height, &photo));
    let pairs = in_colour[0].landmarks.iter().zip(&expected[0].landmarks);
    assert!(in_colour.len() == 1 && pairs.clone().all(|(a, b)| a.distance(*b) < 0.1));
    assert_eq!(faces(Image::bgr(width, height, &bgr)), in_colour);
    assert_eq!(faces(Image::rgba(width, height, &rgba)), in_colour);
    let stride = 3 * width + 9;
    assert_eq!(faces(Image::with_stride(Layout::Rgb, width, height, stride, &padded_rgb)), in_colour);
}
