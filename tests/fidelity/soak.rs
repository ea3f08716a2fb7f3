//! Running for a long time. A few seconds here; `make soak` runs two hours.
#![cfg(target_os = "linux")]

use std::env;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use crate::fixtures::Bench;
use crate::program::{command, ended, talker};
use crate::table::Row;

/// Memory in kB, threads and open files of a process.
fn look(pid: u32) -> Option<(f64, usize, usize)> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let number = |key: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(key))?;
        line.split_whitespace().next()?.parse::<f64>().ok()
    };
    let files = fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count();
    Some((number("VmRSS:")?, number("Threads:")? as usize, files))
}

/// The slope of a line through the points, by least squares.
fn slope(points: &[(f64, f64)]) -> f64 {
    let n = points.len() as f64;
    let mean = |pick: fn(&(f64, f64)) -> f64| points.iter().map(pick).sum::<f64>() / n;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let covariance: f64 = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum();
    covariance / points.iter().map(|point| (point.0 - x).powi(2)).sum::<f64>()
}

#[test]
fn memory_threads_and_files_stay_what_they_are() {
    let seconds = env::var("FACEMARK_SOAK").ok().and_then(|text| text.parse().ok()).unwrap_or(8.0);
    let warm_up = f64::min(600.0, seconds / 2.0);
    let mut row = Row::new("soak: paced loop");
    let bench = Bench::new();
    talker(&bench, "-vf scale=240:240 -c:v libx264 -preset ultrafast -crf 30 -c:a copy", "short.mp4");
    let loops = (seconds / 5.0).ceil() as u32 + 1;
    bench.ffmpeg(&format!("-stream_loop {loops} -i short.mp4 -c copy in.mp4"));
    let mut command = command([
        "annotate",
        "--model",
        "nose",
        "--live",
        "--quiet",
        "--jsonl",
        "/dev/null",
        "--csv",
        "/dev/null",
    ]);
    let child = command.arg("-o").arg(bench.path("out.mkv")).arg(bench.path("in.mp4")).spawn().unwrap();
    let pid = child.id();
    let start = Instant::now();
    let mut looks = Vec::new();
    while start.elapsed().as_secs_f64() < seconds {
        thread::sleep(Duration::from_millis(250));
        let time = start.elapsed().as_secs_f64();
        let Some(seen) = look(pid).filter(|_| time > warm_up) else { continue };
        looks.push((time, seen));
    }
    let run = ended(child, start);
    assert_eq!(run.code, 0, "{run:?}");
    assert!(looks.len() > 8, "the run was over after {} looks", looks.len());
    let memory: Vec<(f64, f64)> = looks.iter().map(|(time, (kb, ..))| (*time, *kb)).collect();
    let growth = slope(&memory) * 3600.0 / 1000.0;
    let counts: Vec<(usize, usize)> =
        looks.iter().map(|(_, (_, threads, files))| (*threads, *files)).collect();
    assert!(counts.windows(2).all(|pair| pair[0] == pair[1]), "threads and files: {counts:?}");
    // A slope over seconds says nothing about hours.
    assert!(seconds < 1800.0 || growth < 1.0, "{growth} MB an hour");
    row.count();
    let memory =
        if seconds < 1800.0 { "too short for memory".to_owned() } else { format!("{growth:.2} MB/h") };
    row.outcome(format!(
        "{seconds:.0} s: {memory}, {} threads, {} files throughout",
        counts[0].0, counts[0].1
    ));
}
