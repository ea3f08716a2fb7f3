//! Running for a long time. A few seconds here; `make soak` runs for two hours.
#![cfg(target_os = "linux")]

use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::process::Child;
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::fixtures::Bench;
use crate::program::{command, ended, talker};
use crate::table::Row;

/// Latencies are compared between this many seconds at the start and at the end; memory is checked after the first.
const WINDOW: f64 = 600.0;
/// Shorter runs have no limits on slopes and latencies: they say nothing about hours of running.
const LONG: f64 = 1800.0;

/// What the process uses at a moment.
struct Look {
    time: f64,
    kilobytes: f64,
    threads: usize,
    files: usize,
}

/// Looks at a process; `None` once it has ended.
fn look(pid: u32, time: f64) -> Option<Look> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let number = |key: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(key))?;
        line.split_whitespace().next()?.parse::<f64>().ok()
    };
    let files = fs::read_dir(format!("/proc/{pid}/fd")).ok()?.count();
    Some(Look { time, kilobytes: number("VmRSS:")?, threads: number("Threads:")? as usize, files })
}

/// The slope of a line through the points, by least squares.
fn slope(points: &[(f64, f64)]) -> f64 {
    let n = points.len() as f64;
    let mean = |pick: fn(&(f64, f64)) -> f64| points.iter().map(pick).sum::<f64>() / n;
    let (x, y) = (mean(|point| point.0), mean(|point| point.1));
    let covariance: f64 = points.iter().map(|point| (point.0 - x) * (point.1 - y)).sum();
    covariance / points.iter().map(|point| (point.0 - x).powi(2)).sum::<f64>()
}

/// A frame as the page reports it: seconds since the start, milliseconds since its capture, frames dropped so far.
type Shown = (f64, f64, u64);

/// Watches the page of a run that has just begun, and records its frames.
fn watch(child: &mut Child, start: Instant, shown: Arc<Mutex<Vec<Shown>>>) -> JoinHandle<()> {
    let mut line = String::new();
    BufReader::new(child.stderr.as_mut().unwrap()).read_line(&mut line).unwrap();
    let address = line.split("http://").nth(1).and_then(|rest| rest.split('/').next()).expect(&line);
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET /events HTTP/1.1\r\nHost: {address}\r\n\r\n").unwrap();
    thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            let Some(event) = line.strip_prefix("data: ") else { continue };
            let event: Value = serde_json::from_str(event).unwrap();
            let (latency, dropped) = (event["latency_ms"].as_f64().unwrap(), event["dropped"].as_u64());
            shown.lock().unwrap().push((start.elapsed().as_secs_f64(), latency, dropped.unwrap()));
        }
    })
}

/// Median and 99th percentile of the latencies of the frames between two times.
fn percentiles(shown: &[Shown], from: f64, to: f64) -> [f64; 2] {
    let within = shown.iter().filter(|(time, ..)| (from..to).contains(time));
    let mut latencies: Vec<f64> = within.map(|(_, latency, _)| *latency).collect();
    assert!(!latencies.is_empty(), "no frame between {from:.0} and {to:.0} s");
    latencies.sort_by(f64::total_cmp);
    [0.50, 0.99].map(|share| latencies[(share * (latencies.len() - 1) as f64).round() as usize])
}

#[test]
fn memory_threads_files_and_latencies_stay_what_they_are() {
    let seconds = env::var("FACEMARK_SOAK").ok().and_then(|text| text.parse().ok()).unwrap_or(8.0);
    let window = f64::min(WINDOW, seconds / 4.0);
    let mut row = Row::new("soak: paced loop");
    let bench = Bench::new();
    talker(&bench, "-vf scale=240:240 -c:v libx264 -preset ultrafast -crf 30 -c:a copy", "short.mp4");
    let loops = (seconds / 5.0) as u32;
    bench.ffmpeg(&format!("-stream_loop {loops} -i short.mp4 -c copy in.mp4"));
    let outputs = ["--serve", "127.0.0.1:0", "--jsonl", "/dev/null", "--csv", "/dev/null"];
    let mut command = command(["live", "--model", "nose", "--quiet"]);
    let mut child =
        command.args(outputs).arg("-o").arg(bench.path("out.mkv")).arg(bench.path("in.mp4")).spawn().unwrap();
    let pid = child.id();
    let start = Instant::now();
    let shown = Arc::default();
    let watcher = watch(&mut child, start, Arc::clone(&shown));
    let mut looks = Vec::new();
    let mut told = 0.0;
    while start.elapsed().as_secs_f64() < seconds {
        thread::sleep(Duration::from_secs_f64(f64::min(window / 20.0, 5.0)));
        let time = start.elapsed().as_secs_f64();
        let seen = look(pid, time).expect("the run is over too early");
        if time >= told + 60.0 {
            let [p50, p99] = percentiles(&shown.lock().unwrap(), told, time);
            let Look { kilobytes, threads, files, .. } = seen;
            println!(
                "{time:5.0} s: {kilobytes:.0} kB, {threads} threads, {files} files, p50 {p50} ms, p99 {p99} ms"
            );
            told = time;
        }
        looks.push(seen);
    }
    // Ending must not take long.
    let run = ended(child, Instant::now());
    assert_eq!(run.code, 0, "{run:?}");
    watcher.join().unwrap();
    let shown = shown.lock().unwrap();
    looks.retain(|look| look.time > window);
    let memory: Vec<(f64, f64)> = looks.iter().map(|look| (look.time, look.kilobytes)).collect();
    let growth = slope(&memory) * 3600.0 / 1000.0;
    let counts: Vec<(usize, usize)> = looks.iter().map(|look| (look.threads, look.files)).collect();
    let (first, last) = (percentiles(&shown, 0.0, window), percentiles(&shown, seconds - window, seconds));
    let (n_shown, dropped) = (shown.len(), shown.last().map_or(0, |(_, _, dropped)| *dropped));
    row.count();
    row.outcome(format!(
        "{seconds:.0} s: {growth:.1} MB/h after {window:.0} s, {} threads and {} files throughout, {n_shown} frames \
         shown, {dropped} dropped; from capture to page p50 {:.1} and p99 {:.1} ms in the first {window:.0} s, \
         {:.1} and {:.1} ms in the last",
        counts[0].0, counts[0].1, first[0], first[1], last[0], last[1]
    ));
    assert!(counts.windows(2).all(|pair| pair[0] == pair[1]), "threads and files: {counts:?}");
    assert!(seconds < LONG || growth < 1.0, "{growth} MB an hour");
    // On a machine with other work, this measures that work, too.
    assert!(seconds < LONG || last[1] <= 1.1 * first[1], "p50 and p99 went from {first:?} to {last:?} ms");
}
