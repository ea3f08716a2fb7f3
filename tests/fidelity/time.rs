//! Time stamps.

use std::path::Path;

use crate::fixtures::{Bench, assert_times, probe, times};
use crate::program::{annotate, records};
use crate::table::Row;

#[test]
fn time_stamps_are_the_inputs() {
    let mut row = Row::new("variable frame rate, B-frames, negative and offset start, edit lists");
    let bench = Bench::new();
    bench.movie("b-frames.mp4");
    bench.ffmpeg(
        "-i b-frames.mp4 -vf select=not(mod(n\\,3))+lt(n\\,20) -fps_mode vfr -c:v libx264 -c:a copy vfr.mp4",
    );
    bench.ffmpeg("-i b-frames.mp4 -itsoffset 0.5 -i b-frames.mp4 -map 0:v -map 1:a -c copy sound-late.mp4");
    bench.ffmpeg(
        "-itsoffset 0.7531 -i b-frames.mp4 -i b-frames.mp4 -map 0:v -map 1:a -c copy pictures-late.mp4",
    );
    bench.ffmpeg("-ss 0.7 -i b-frames.mp4 -c copy edit-list.mp4");
    bench.ffmpeg("-i b-frames.mp4 -c copy -output_ts_offset 5 late.mkv");
    bench.ffmpeg("-i b-frames.mp4 -c copy late.ts");
    bench.ffmpeg("-i b-frames.mp4 -c copy -output_ts_offset -0.3 -avoid_negative_ts disabled early.mp4");
    bench.ffmpeg("-r 30000/1001 -i b-frames.mp4 -an -c:v libx264 -video_track_timescale 30000 ntsc.mp4");
    let inputs = [
        "b-frames.mp4",
        "vfr.mp4",
        "sound-late.mp4",
        "pictures-late.mp4",
        "edit-list.mp4",
        "late.mkv",
        "late.ts",
        "early.mp4",
        "ntsc.mp4",
    ];
    for name in inputs {
        for out in ["out.mp4", "out.mkv"] {
            let (input, out, jsonl) = (bench.path(name), bench.path(out), bench.path("out.jsonl"));
            let run = annotate(&input, &[("-o", &out), ("--jsonl", &jsonl)]);
            assert_eq!(run.code, 0, "{name}: {run:?}");
            let told: Vec<f64> =
                records(&jsonl).iter().map(|record| record["time"].as_f64().unwrap()).collect();
            let written = times(&out, "v");
            assert_times(&written, &told, 0.001);
            assert!(written.windows(2).all(|pair| pair[0] < pair[1]), "{name}: times do not rise");
            assert_times(&told, &shown(&input), 0.001);
            assert_times(&times(&out, "a"), &times(&input, "a"), 0.001_01);
            std::fs::remove_file(out).unwrap();
            std::fs::remove_file(jsonl).unwrap();
            row.count();
        }
    }
    row.outcome("pictures and sound at the input's times ± 1 ms, strictly rising");
}

/// The times of the frames that are shown: what lies before an edit list's begin is in the file, too, and is not.
fn shown(video: &Path) -> Vec<f64> {
    let frames = probe(video, "-select_streams v -show_entries frame=best_effort_timestamp_time");
    frames.iter().map(|line| line.split(',').next().unwrap().parse().unwrap()).collect()
}
