//! Mutated inputs, thousands of them, inside this process: a crash of a library would end the test itself. A few
//! seconds here; `make fuzz` takes as long as it is told.

use std::env;
use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use facemark::face::{Point, Region};
use facemark::frame::{Frame, Plane, Stage, Timing};
use facemark::model::{LandmarkModel, Landmarker as _};
use facemark::source::{Source as _, video::VideoSource};
use facemark::spec::ModelSpec;

use crate::fixtures::Bench;
use crate::table::{Random, Row};

fn duration() -> Duration {
    let seconds = env::var("FACEMARK_FUZZ").ok().and_then(|text| text.parse().ok()).unwrap_or(2);
    Duration::from_secs(seconds)
}

/// Bytes that parsers trip over: the ends of the number ranges.
const EDGES: [u8; 7] = [0x00, 0x01, 0x7f, 0x80, 0xff, 0xfe, 0x40];

/// Changes a few places: flips bits, overwrites, removes, repeats, moves.
fn mutate(bytes: &mut Vec<u8>, random: &mut Random) {
    for _ in 0..=random.below(8) {
        if bytes.len() < 2 {
            return;
        }
        let at = random.below(bytes.len());
        let length = 1 + random.below((bytes.len() - at).min(64));
        match random.below(6) {
            0 => bytes[at] ^= 1 << random.below(8),
            1 => bytes[at..at + length].fill(EDGES[random.below(EDGES.len())]),
            2 => drop(bytes.drain(at..at + length)),
            3 => {
                let part = bytes[at..at + length].to_vec();
                let to = random.below(bytes.len());
                bytes.splice(to..to, part);
            }
            4 => bytes.truncate(bytes.len() - random.below(bytes.len() / 4 + 1)),
            _ => bytes[at] = random.below(256) as u8,
        }
    }
}

/// Runs `check` on mutations of `seeds` until the time is over; `check` says whether the input was taken.
fn fuzz(row: &mut Row, seeds: &[Vec<u8>], mut check: impl FnMut(&[u8]) -> bool) -> u32 {
    let start = Instant::now();
    let (mut number, mut taken) = (0, 0);
    while start.elapsed() < duration() {
        let mut random = Random::new(number);
        let mut bytes = seeds[random.below(seeds.len())].clone();
        mutate(&mut bytes, &mut random);
        let begun = Instant::now();
        taken += u32::from(check(&bytes));
        assert!(begun.elapsed() < Duration::from_secs(5), "mutation {number} took {:?}", begun.elapsed());
        number += 1;
        row.count();
    }
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
        let Ok(mut model) = LandmarkModel::from_bytes(bytes, 1) else { return false };
        // Whatever it says, it must say it.
        let _ = model.landmarks(&luma, &region, &mut Timing::default());
        true
    });
    row.outcome(format!("0 crashes; {taken} could still be loaded"));
}

#[test]
fn fuzz_metadata() {
    let mut row = Row::new("fuzz: metadata of models (mutations)");
    let text = "facemark.format=1\nfacemark.name=x\nfacemark.input=112x96\nfacemark.channel=luma\n\
        facemark.scheme=ibug68\nfacemark.normalisation=fixed 0.5 0.25\nfacemark.framing=1.3 1.1 0 -0.05\n\
        facemark.training.data=300-W";
    let per_crop = text.replace("fixed 0.5 0.25", "per-crop").replace("ibug68", "nose");
    let seeds = [text.as_bytes().to_vec(), per_crop.into_bytes()];
    let taken = fuzz(&mut row, &seeds, |bytes| {
        let text = String::from_utf8_lossy(bytes).into_owned();
        let pairs = text.lines().filter_map(|line| line.split_once('='));
        let spec = ModelSpec::from_metadata(pairs.map(|(key, value)| (key.to_owned(), value.to_owned())));
        // What is taken must be sound.
        spec.is_ok_and(|spec| {
            assert!(spec.width > 0 && spec.height > 0 && spec.framing.width > 0.0, "{spec:?}");
            ModelSpec::from_metadata(spec.to_metadata()).unwrap() == spec
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
        fs::File::create(&path).and_then(|mut file| file.write_all(bytes)).unwrap();
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
