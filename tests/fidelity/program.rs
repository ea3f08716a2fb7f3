//! Running facemark and checking what it leaves behind.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::fixtures::{Bench, probe};
use crate::hear;

/// Longer than any run of these tests may take; anything more is a hang.
const HANG: Duration = Duration::from_secs(120);

/// How a run ended.
#[derive(Debug)]
pub struct Run {
    /// The exit code as a shell reports it: 128 plus the number for a signal.
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
    pub took: Duration,
}

/// `facemark` with arguments. It receives signals even if this test run was started with them ignored, as by nohup.
pub fn command<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Command {
    hear::signals();
    let mut command = Command::new(env!("CARGO_BIN_EXE_facemark"));
    command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs facemark; a panic, an abort, a memory fault or a hang fails the test here.
#[track_caller]
pub fn facemark<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Run {
    finish(command(args))
}

/// Runs a command that ends in facemark.
#[track_caller]
pub fn finish(mut command: Command) -> Run {
    let start = Instant::now();
    let child = command.spawn().unwrap();
    ended(child, start)
}

/// Waits for a run to end.
#[track_caller]
pub fn ended(child: Child, start: Instant) -> Run {
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap());
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("the program writes UTF-8");
    let run = Run { code, stdout: text(&stdout), stderr: text(&stderr), took: start.elapsed() };
    let is_ordinary = [0, 2, 3, 4, 5, 6, 7, 130, 137, 141, 143].contains(&code);
    assert!(is_ordinary && !run.stderr.contains("defect"), "{run:?}");
    assert!(run.took < HANG, "{run:?}");
    run
}

/// Annotates with the small model.
#[track_caller]
pub fn annotate(input: &Path, outputs: &[(&str, &Path)]) -> Run {
    let mut args = vec![OsStr::new("annotate"), OsStr::new("--model"), OsStr::new("nose")];
    for (option, path) in outputs {
        args.extend([OsStr::new(*option), path.as_os_str()]);
    }
    args.extend([OsStr::new("--"), input.as_os_str()]);
    facemark(args)
}

/// The lines of a JSONL file, each of which must be complete.
#[track_caller]
pub fn records(file: &Path) -> Vec<Value> {
    lines(&String::from_utf8(fs::read(file).unwrap()).expect("JSON is UTF-8"))
}

/// The lines of a text as JSON.
#[track_caller]
pub fn lines(text: &str) -> Vec<Value> {
    assert!(text.is_empty() || text.ends_with('\n'), "the last line is not whole");
    text.lines().map(|line| serde_json::from_str(line).expect("a line is not whole")).collect()
}

/// The landmarks of the first face in each frame; every frame must have one.
#[track_caller]
pub fn landmarks(records: &[Value]) -> Vec<Vec<[f64; 2]>> {
    records
        .iter()
        .map(|record| serde_json::from_value(record["faces"][0]["points"].clone()).expect("a face"))
        .collect()
}

/// The largest distance between landmarks of the same number.
#[track_caller]
pub fn distance(a: &[Vec<[f64; 2]>], b: &[Vec<[f64; 2]>]) -> f64 {
    assert_eq!(a.len(), b.len(), "number of frames");
    let pairs = a.iter().flatten().zip(b.iter().flatten());
    pairs.map(|(a, b)| (a[0] - b[0]).hypot(a[1] - b[1])).fold(0.0, f64::max)
}

/// The mean distance between landmarks of the same number in the frame where it is largest.
#[track_caller]
pub fn mean_distance(a: &[Vec<[f64; 2]>], b: &[Vec<[f64; 2]>]) -> f64 {
    assert_eq!(a.len(), b.len(), "number of frames");
    let mean = |(a, b): (&Vec<[f64; 2]>, &Vec<[f64; 2]>)| {
        a.iter().zip(b).map(|(a, b)| (a[0] - b[0]).hypot(a[1] - b[1])).sum::<f64>() / a.len() as f64
    };
    a.iter().zip(b).map(mean).fold(0.0, f64::max)
}

/// How many frames ffprobe can read and decode.
#[track_caller]
pub fn frames(video: &Path) -> usize {
    let found = probe(video, "-select_streams v:0 -count_frames -show_entries stream=nb_read_frames");
    found.first().map_or(0, |count| count.parse().unwrap_or(0))
}

/// A file of the repository's `media`.
pub fn media(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("media").join(name)
}

/// The first frames of the talking head as a small file: `args` are ffmpeg's, after the input.
#[track_caller]
pub fn talker(bench: &Bench, args: &str, name: &str) -> PathBuf {
    let clip = media("talker.mp4");
    let link = bench.path("talker.mp4");
    if !link.exists() {
        std::os::unix::fs::symlink(clip, link).unwrap();
    }
    bench.ffmpeg(&format!("-i talker.mp4 {args} {name}"));
    bench.path(name)
}
