//! Pixel formats and colours.

use crate::fixtures::{Bench, probe};
use crate::program::{annotate, distance, facemark, landmarks, lines, mean_distance, records, talker};
use crate::table::Row;

/// How far landmarks may be off on average if ffmpeg has changed the range for the test: its rounding alone moves the
/// detector's box a little.
const OTHER_RANGE: f64 = 0.8;

#[test]
fn formats_and_colours() {
    let mut row =
        Row::new("10 bit, 4:2:2, 4:4:4, alpha, gray, 16-bit gray, full range, BT.601/709/2020, HDR tags");
    let bench = Bench::new();
    let first = "-frames:v 6 -vf scale=320:320";
    let find = |name: &str| {
        let run = facemark(["annotate", "--jsonl", "-", bench.path(name).to_str().unwrap()]);
        assert_eq!(run.code, 0, "{run:?}");
        landmarks(&lines(&run.stdout))
    };
    talker(&bench, &format!("{first} -c:v ffv1 -pix_fmt yuv420p"), "reference.mkv");
    let reference = find("reference.mkv");
    let (mut furthest, mut changed): (f64, Vec<String>) = (0.0, Vec::new());
    for format in
        ["yuv420p10le", "yuv422p", "yuv444p", "yuva420p", "gray", "gray16le", "yuv422p10le", "yuv444p12le"]
    {
        bench.ffmpeg(&format!("-i reference.mkv -c:v ffv1 -pix_fmt {format} in.mkv"));
        let found = find("in.mkv");
        let off = mean_distance(&found, &reference);
        println!("{format}: {off:.3} px, worst point {:.3} px", distance(&found, &reference));
        if format.starts_with("gray") {
            assert!(off <= OTHER_RANGE, "{format}: {off} px");
            changed.push(format!("{format} {off:.2}"));
        } else {
            assert!(off <= 0.5, "{format}: {off} px");
            furthest = furthest.max(off);
        }
        row.count();
    }
    bench.ffmpeg(
        "-i reference.mkv -vf scale=out_range=pc -color_range pc -c:v libx264 -qp 0 -pix_fmt yuv420p in.mkv",
    );
    let off = mean_distance(&find("in.mkv"), &reference);
    assert!(off <= OTHER_RANGE, "full range: {off} px");
    changed.push(format!("full range {off:.2}"));
    row.count();
    let tags =
        "-select_streams v -show_entries stream=color_range,color_space,color_transfer,color_primaries";
    for case in [
        "-color_range tv -colorspace smpte170m -color_trc smpte170m -color_primaries smpte170m",
        "-color_range tv -colorspace bt709 -color_trc bt709 -color_primaries bt709",
        "-color_range tv -colorspace bt2020nc -color_trc smpte2084 -color_primaries bt2020",
        "-color_range tv -colorspace bt2020nc -color_trc arib-std-b67 -color_primaries bt2020",
        "-color_range pc",
    ] {
        for format in ["yuv420p", "yuv420p10le"] {
            bench.ffmpeg(&format!(
                "-i reference.mkv -frames:v 2 {case} -c:v libx264 -preset ultrafast -pix_fmt {format} in.mp4"
            ));
            for out in if format == "yuv420p" { &["out.mp4", "out.mkv"][..] } else { &["out.mp4"] } {
                let (input, out) = (bench.path("in.mp4"), bench.path(out));
                let run = annotate(&input, &[("-o", &out)]);
                assert_eq!(run.code, 0, "{run:?}");
                assert_eq!(probe(&out, tags), probe(&input, tags), "{case}, {format}");
                std::fs::remove_file(out).unwrap();
                row.count();
            }
        }
    }
    row.outcome(format!(
        "landmarks on average at most {furthest:.2} px from those of 8 bit ({}), all tags as in the input",
        changed.join(", ")
    ));
}

#[test]
fn the_same_twice() {
    let mut row = Row::new("same file twice; 1 and 2 threads");
    let bench = Bench::new();
    let clip = talker(&bench, "-frames:v 25 -vf scale=320:320 -c:v libx264 -pix_fmt yuv420p", "in.mp4");
    let mut texts = Vec::new();
    for threads in ["1", "1", "2", "2"] {
        let run = facemark(["annotate", "--threads", threads, "--jsonl", "-", clip.to_str().unwrap()]);
        assert_eq!(run.code, 0, "{run:?}");
        texts.push(run.stdout);
        row.count();
    }
    assert!(texts.iter().all(|text| *text == texts[0] && text.lines().count() == 25), "the runs differ");
    row.outcome("JSONL equal to the byte");
}

#[test]
fn every_line_tells_a_frame_of_the_video() {
    let bench = Bench::new();
    let clip = talker(&bench, "-frames:v 20 -c:v libx264 -pix_fmt yuv420p", "in.mp4");
    let jsonl = bench.path("out.jsonl");
    assert_eq!(annotate(&clip, &[("--jsonl", &jsonl)]).code, 0);
    let indices: Vec<u64> = records(&jsonl).iter().map(|record| record["frame"].as_u64().unwrap()).collect();
    assert_eq!(indices, (0..20).collect::<Vec<_>>());
}
