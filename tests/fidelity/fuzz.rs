//! Mutated inputs, thousands of them, inside this process: a crash of a library would end the test itself. A few
//! seconds here; `make fuzz` runs for as long as requested.

use std::fs;
use std::path::Path;

use facemark::geometry::{Point, Region};
use facemark::model::{LandmarkModel, Landmarker as _};
use facemark::onnx::spec::Spec;
use facemark::onnx::weights;
use facemark::{Plane, Timing};
use facemark_cli::frame::{Frame, Stage};
use facemark_cli::source::{Source as _, video::VideoSource};

use crate::fixtures::Bench;
use crate::mutate::{feed, put};
use crate::table::Row;

/// Feeds mutations and counts them in the row; returns how many were accepted.
fn fuzz(row: &mut Row, seeds: &[Vec<u8>], check: impl FnMut(&[u8]) -> bool) -> u32 {
    let (fed, taken) = feed(seeds, check);
    row.runs(fed);
    taken
}

#[test]
fn fuzz_models() {
    let mut row = Row::new("fuzz: ONNX models (mutations)");
    let whole = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("models/nose.onnx")).unwrap();
    let mut luma = Plane::default();
    luma.resize(64, 64);
    let region = Region { center: Point::new(32.0, 32.0), size: 40.0, angle: 0.0 };
    let taken = fuzz(&mut row, &[whole], |bytes| {
        // What the trainer starts from.
        let _ = weights::layers(bytes);
        let Ok(mut model) = LandmarkModel::from_bytes(bytes, 1) else { return false };
        // Any result is fine, but it must return.
        let _ = model.landmarks(luma.luma(), &region, &mut Timing::default());
        true
    });
    row.outcome(format!("0 crashes; {taken} could still be loaded"));
}

#[test]
fn fuzz_metadata() {
    let mut row = Row::new("fuzz: metadata of models (mutations)");
    let text = include_str!("../../fuzz/seeds/meta");
    let per_crop =
        text.replace(r#"{"fixed":{"mean":0.5,"std":0.25}}"#, "\"per-crop\"").replace("ibug68", "nose");
    let seeds = [text.as_bytes().to_vec(), per_crop.into_bytes()];
    let taken = fuzz(&mut row, &seeds, |bytes| {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let pairs = text.lines().filter_map(|line| line.split_once('='));
        let spec = Spec::from_metadata(pairs.map(|(key, value)| (key.to_owned(), value.to_owned())));
        // What is accepted must be valid.
        spec.is_ok_and(|spec| {
            let Spec::Landmarks(model) = &spec else { return true };
            assert!(model.width > 0 && model.height > 0 && model.framing.width > 0.0, "{spec:?}");
            Spec::from_metadata([spec.to_metadata()]).unwrap() == spec
        })
    });
    row.outcome(format!("0 crashes; {taken} made sense"));
}

#[test]
fn fuzz_videos() {
    let mut row = Row::new("fuzz: MP4, Matroska, MPEG-TS, AVI (mutations)");
    let bench = Bench::new();
    bench.video("-frames:v 6 -c:v libx264 -preset ultrafast -pix_fmt yuv420p", "a.mp4");
    bench.ffmpeg("-i a.mp4 -c copy a.mkv");
    bench.ffmpeg("-i a.mp4 -c copy a.ts");
    bench.ffmpeg("-i a.mp4 -c:v mpeg4 a.avi");
    let seeds = ["a.mp4", "a.mkv", "a.ts", "a.avi"].map(|name| fs::read(bench.path(name)).unwrap());
    let path = bench.path("mutated");
    let mut frame = Frame::empty();
    let taken = fuzz(&mut row, &seeds, |bytes| {
        put(&path, bytes);
        let Ok(mut source) = VideoSource::open(&path, 1) else { return false };
        let mut n_frames = 0;
        while let Ok(true) = source.next(&mut frame) {
            assert!(frame.timing.get(Stage::Decode).is_some());
            n_frames += 1;
        }
        n_frames > 0
    });
    row.outcome(format!("0 crashes; {taken} still showed something"));
}
