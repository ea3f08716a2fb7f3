//! Files that are broken, truncated, or not videos.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use crate::fixtures::Bench;
use crate::mutate::Random;
use crate::program::{annotate, frames, records};
use crate::table::{Row, times};

/// What a damaged file can lead to: as much as can be read and exit code 7, or nothing and exit code 3. `Some` is the
/// number of frames.
#[track_caller]
fn salvaged(bench: &Bench, input: &str) -> (i32, usize) {
    let (video, jsonl) = (bench.path("out.mp4"), bench.path("out.jsonl"));
    let run = annotate(&bench.path(input), &[("-o", &video), ("--jsonl", &jsonl)]);
    let n_frames = match run.code {
        0 | 7 => {
            let n_records = records(&jsonl).len();
            assert_eq!(frames(&video), n_records, "{run:?}");
            assert!(n_records > 0, "success without a frame: {run:?}");
            fs::remove_file(&video).unwrap();
            fs::remove_file(&jsonl).unwrap();
            n_records
        }
        _ => 0,
    };
    assert!([0, 3, 7].contains(&run.code), "{run:?}");
    assert!(!bench.files().iter().any(|name| name.starts_with("out.")), "{:?}", bench.files());
    (run.code, n_frames)
}

/// How many frames ffprobe reads from a broken file.
fn decodable(video: &Path) -> usize {
    let args = "-v quiet -of csv=p=0 -select_streams v:0 -count_frames -show_entries stream=nb_read_frames";
    let output = Command::new("ffprobe").args(args.split(' ')).arg(video).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.trim().trim_end_matches(',').parse().unwrap_or(0)
}

#[test]
fn truncated_files() {
    let mut row = Row::new("truncated file (MP4 with its index first, Matroska, MPEG-TS)");
    let bench = Bench::new();
    bench.movie("a.mp4");
    bench.ffmpeg("-i a.mp4 -c copy -movflags +faststart whole.mp4");
    bench.ffmpeg("-i a.mp4 -c copy whole.mkv");
    bench.ffmpeg("-i a.mp4 -c copy whole.ts");
    let n_cuts = times(3, 20);
    let mut least = usize::MAX;
    for ending in ["mp4", "mkv", "ts"] {
        let whole = fs::read(bench.path(&format!("whole.{ending}"))).unwrap();
        let name = format!("cut.{ending}");
        for cut in 1..=n_cuts {
            // From 20 to 90 per cent: before that is the header, after it little more than the end of the sound.
            let part = 0.2 + 0.7 * f64::from(cut) / f64::from(n_cuts);
            fs::write(bench.path(&name), &whole[..(whole.len() as f64 * part) as usize]).unwrap();
            let (code, n_frames) = salvaged(&bench, &name);
            // MPEG-TS has no header that promises a length, so an end between two packets is an end.
            assert!(code == 7 || (ending == "ts" && code == 0), "{name} at {part:.2}: exit {code}");
            let decodable = decodable(&bench.path(&name));
            assert!(
                n_frames >= decodable,
                "{name} at {part:.2}: {n_frames} frames, ffprobe gets {decodable}"
            );
            least = least.min(n_frames);
            row.count();
        }
    }
    row.outcome(format!(
        "exit 7; all frames that ffprobe can read are annotated and recorded, at least {least} of 60"
    ));
}

#[test]
fn corrupt_packets() {
    let mut row = Row::new("corrupt packets (seeds)");
    let bench = Bench::new();
    bench.movie("whole.mkv");
    let whole = fs::read(bench.path("whole.mkv")).unwrap();
    let mut codes: BTreeMap<i32, u32> = BTreeMap::new();
    let mut least = usize::MAX;
    for seed in 0..times(6, 200) {
        let mut random = Random::new(seed);
        let mut bytes = whole.clone();
        // The header is damaged by other tests.
        let (from, n_hits) = (4096, 1 + random.below(60));
        for _ in 0..n_hits {
            let at = from + random.below(bytes.len() - from);
            bytes[at] ^= 1 + random.below(255) as u8;
        }
        fs::write(bench.path("noisy.mkv"), bytes).unwrap();
        let (code, n_frames) = salvaged(&bench, "noisy.mkv");
        // Damage to the sound, or damage that a decoder cannot tell from a picture, loses no frame.
        assert!(code != 0 || n_frames == 60, "seed {seed}: exit 0 with {n_frames} of 60 frames");
        assert_ne!(code, 3, "seed {seed}: nothing was read");
        let decodable = decodable(&bench.path("noisy.mkv"));
        assert!(n_frames >= decodable, "seed {seed}: {n_frames} frames, ffprobe gets {decodable}");
        *codes.entry(code).or_default() += 1;
        least = least.min(n_frames);
        row.count();
    }
    let codes: Vec<String> = codes.iter().map(|(code, count)| format!("{count} × exit {code}")).collect();
    row.outcome(format!(
        "{}; all frames that ffprobe can read, at least {least} of 60, exit 0 only with all",
        codes.join(", ")
    ));
}

#[test]
fn files_without_a_picture() {
    let mut row = Row::new("no moov, empty, random bytes, zero frames, audio only");
    let bench = Bench::new();
    let whole = fs::read(bench.movie("a.mp4")).unwrap();
    bench.ffmpeg("-i a.mp4 -vn -c copy sound.m4a");
    bench.ffmpeg("-i a.mp4 -c copy -an -movflags empty_moov+frag_keyframe fragments.mp4");
    let fragments = fs::read(bench.path("fragments.mp4")).unwrap();
    let header = fragments.windows(4).position(|name| name == b"moof").unwrap() - 4;
    let mut random = Random::new(1);
    let noise: Vec<u8> = (0..300_000).map(|_| random.below(256) as u8).collect();
    for (name, bytes) in [
        ("no-moov.mp4", &whole[..whole.len() * 2 / 3]),
        ("empty.mp4", b""),
        ("random.mp4", &noise),
        ("no-frames.mp4", &fragments[..header]),
    ] {
        fs::write(bench.path(name), bytes).unwrap();
    }
    let mut reasons = HashSet::new();
    for name in ["no-moov.mp4", "empty.mp4", "random.mp4", "no-frames.mp4", "sound.m4a"] {
        let (video, jsonl) = (bench.path("out.mp4"), bench.path("out.jsonl"));
        let run = annotate(&bench.path(name), &[("-o", &video), ("--jsonl", &jsonl)]);
        assert_eq!(run.code, 3, "{run:?}");
        assert_eq!(run.stderr.lines().count(), 1, "{run:?}");
        assert!(reasons.insert(run.stderr.replace(name, "")), "{run:?}");
        assert!(!bench.files().iter().any(|name| name.starts_with("out.")), "{:?}", bench.files());
        row.count();
    }
    row.outcome("exit 3, each with a reason of its own, no output");
}

#[test]
fn a_change_of_size() {
    let mut row = Row::new("size change in the middle of a stream");
    let bench = Bench::new();
    let mut least = usize::MAX;
    for codec in ["mpeg2video", "libx264"] {
        let coded = format!("-c:v {codec} -pix_fmt yuv420p -f mpegts");
        bench.video(&coded, "large.ts");
        bench.ffmpeg(&format!("-f lavfi -i testsrc2=size=96x64:rate=30:duration=1 {coded} small.ts"));
        let [large, small] = ["large.ts", "small.ts"].map(|name| fs::read(bench.path(name)).unwrap());
        fs::write(bench.path("both.ts"), [large, small].concat()).unwrap();
        let (code, n_frames) = salvaged(&bench, "both.ts");
        assert!(code == 7 && (58..=60).contains(&n_frames), "{codec}: exit {code} with {n_frames} frames");
        least = least.min(n_frames);
        row.count();
    }
    row.outcome(format!(
        "exit 7 and at least {least} of the 60 frames of the first size, none of the second"
    ));
}
