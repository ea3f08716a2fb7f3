//! Sizes, pixel aspects, rotated and mirrored pictures.

use std::process::Command;

use crate::fixtures::{Bench, probe, set_matrix};
use crate::program::{annotate, command, distance, ended, facemark, landmarks, lines, mean_distance, talker};
use crate::table::Row;

fn find(bench: &Bench, name: &str) -> Vec<Vec<[f64; 2]>> {
    let run = facemark(["annotate", "--jsonl", "-", bench.path(name).to_str().unwrap()]);
    assert_eq!(run.code, 0, "{run:?}");
    landmarks(&lines(&run.stdout))
}

#[test]
fn odd_and_small_sizes_and_flat_pixels() {
    let mut row = Row::new("641×361, 16×16, 2:1 pixel aspect");
    let bench = Bench::new();
    // The head at one place in pictures of different sizes must be found at that place.
    let place = "scale=320:320,format=yuv444p,pad=w={}:h=361:x=161:y=20";
    for (name, width) in [("even.mkv", "642"), ("odd.mkv", "641")] {
        let args = format!("-frames:v 4 -vf {} -c:v ffv1 -pix_fmt yuv420p", place.replace("{}", width));
        talker(&bench, &args, name);
    }
    let off = distance(&find(&bench, "odd.mkv"), &find(&bench, "even.mkv"));
    // The detector starts from other rectangles.
    assert!(off < 2.0, "{off} px");
    let size = "-select_streams v -show_entries stream=width,height,sample_aspect_ratio";
    let run = annotate(&bench.path("odd.mkv"), &[("-o", &bench.path("odd.mp4"))]);
    assert!(run.code == 0 && run.stderr.contains("642×362 pixels instead of 641×361"), "{run:?}");
    assert!(probe(&bench.path("odd.mp4"), size)[0].starts_with("642,362"));
    bench.ffmpeg(
        "-f lavfi -i color=black:size=16x16:rate=30:duration=1 -c:v libx264 -pix_fmt yuv420p tiny.mp4",
    );
    talker(&bench, "-frames:v 4 -vf scale=160:320,setsar=2/1 -c:v libx264 -pix_fmt yuv420p", "flat.mp4");
    talker(&bench, "-frames:v 4 -vf scale=320:320 -c:v libx264 -pix_fmt yuv420p", "square.mp4");
    // There are half as many wide pixels across; the face is the same.
    let mut flat = find(&bench, "flat.mp4");
    flat.iter_mut().flatten().for_each(|point| point[0] = 2.0 * point[0] + 0.5);
    let flat_off = mean_distance(&flat, &find(&bench, "square.mp4"));
    assert!(flat_off < 3.0, "{flat_off} px");
    for name in ["tiny.mp4", "flat.mp4"] {
        let (input, out) = (bench.path(name), bench.path("out.mp4"));
        let run = annotate(&input, &[("-o", &out), ("--overwrite", "--quiet".as_ref())]);
        assert_eq!(run.code, 0, "{run:?}");
        assert_eq!(probe(&out, size), probe(&input, size), "{name}");
    }
    for _ in 0..4 {
        row.count();
    }
    row.outcome(format!(
        "landmarks at most {off:.2} px off at odd sizes, {flat_off:.2} px of 320 on average with flat pixels; size and \
         aspect kept; a warning tells of padding to even sizes"
    ));
}

#[cfg(target_os = "linux")]
#[test]
fn pictures_of_8k() {
    let mut row = Row::new("8K");
    let bench = Bench::new();
    talker(
        &bench,
        "-frames:v 2 -vf scale=7680:4320 -c:v libx264 -preset ultrafast -pix_fmt yuv420p",
        "two.mp4",
    );
    bench.ffmpeg("-stream_loop 6 -i two.mp4 -c copy in.mp4");
    let (input, out) = (bench.path("in.mp4"), bench.path("out.mp4"));
    let mut command = command(["annotate", "--model", "nose", "-o"]);
    let mut child = command.arg(&out).arg(&input).spawn().unwrap();
    let mut megabytes = 0.0_f64;
    while child.try_wait().unwrap().is_none() {
        megabytes = megabytes.max(peak_megabytes(child.id()).unwrap_or(0.0));
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    let run = ended(child, std::time::Instant::now());
    assert_eq!(run.code, 0, "{run:?}");
    assert!((300.0..1500.0).contains(&megabytes), "{megabytes} MB");
    assert_eq!(probe(&out, "-select_streams v -show_entries stream=width,height"), ["7680,4320"]);
    row.count();
    // That no queue holds more than two frames is tested in `pipeline`.
    row.outcome(format!("{megabytes:.0} MB at most, size kept"));
}

#[test]
fn turned_and_mirrored_pictures() {
    let mut row = Row::new("rotation 90/180/270, mirrored matrices");
    let bench = Bench::new();
    let coded = "-c:v libx264 -preset ultrafast -qp 4 -pix_fmt yuv420p";
    talker(&bench, &format!("-frames:v 6 -vf scale=320:320,pad=w=400:h=320:x=40 {coded}"), "upright.mp4");
    bench.ffmpeg(&format!("-f lavfi -i testsrc2=size=160x120:rate=30:duration=0.5 {coded} pattern.mp4"));
    let reference = find(&bench, "upright.mp4");
    let (mut furthest, mut worst): (f64, f64) = (0.0, f64::INFINITY);
    // What a camera does to the picture, and the matrix that undoes it.
    for (turn, matrix) in [
        ("transpose=cclock", [0, 1, -1, 0]),
        ("hflip,vflip", [-1, 0, 0, -1]),
        ("transpose=clock", [0, -1, 1, 0]),
        ("hflip", [-1, 0, 0, 1]),
        ("vflip", [1, 0, 0, -1]),
        ("transpose=cclock_flip", [0, 1, 1, 0]),
    ] {
        for name in ["upright", "pattern"] {
            bench.ffmpeg(&format!("-i {name}.mp4 -vf {turn} {coded} {name}-turned.mp4"));
            set_matrix(&bench.path(&format!("{name}-turned.mp4")), matrix);
        }
        let off = distance(&find(&bench, "upright-turned.mp4"), &reference);
        assert!(off <= 1.0, "{turn}: {off} px");
        let run = annotate(
            &bench.path("pattern-turned.mp4"),
            &[("-o", &bench.path("out.mp4")), ("--overwrite", "--quiet".as_ref())],
        );
        assert_eq!(run.code, 0, "{run:?}");
        let psnr = psnr(&bench, "out.mp4", "pattern.mp4");
        assert!(psnr >= 30.0, "{turn}: {psnr} dB");
        (furthest, worst) = (furthest.max(off), worst.min(psnr));
        row.count();
    }
    row.outcome(format!("landmarks at most {furthest:.2} px off, PSNR at least {worst:.1} dB"));
}

/// The most memory that a process has held so far.
fn peak_megabytes(pid: u32) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse::<f64>().ok().map(|kb| kb / 1000.0)
}

/// The signal-to-noise ratio of a video relative to a reference, in dB.
fn psnr(bench: &Bench, name: &str, reference: &str) -> f64 {
    let output = Command::new("ffmpeg")
        .args(["-nostdin", "-hide_banner", "-i", name, "-i", reference, "-lavfi", "psnr", "-f", "null", "-"])
        .current_dir(bench.path(""))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let average = said.split("average:").nth(1).and_then(|rest| rest.split(' ').next());
    let average = average.unwrap_or_else(|| panic!("{said}"));
    if average == "inf" { f64::INFINITY } else { average.parse().unwrap() }
}
