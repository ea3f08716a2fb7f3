//! Runs that are stopped, killed, or not read from.

use std::fs;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

use crate::fixtures::Bench;
use crate::program::{Run, command, ended, frames, records, talker};
use crate::table::{Row, limit, times};

/// A run under way.
struct Job {
    child: Child,
    video: PathBuf,
    jsonl: PathBuf,
    started: Instant,
}

impl Job {
    fn begin(bench: &Bench, input: &Path, name: &str, live: bool) -> Self {
        let (video, jsonl) = (bench.path(name), bench.path("out.jsonl"));
        // Leftovers of an earlier run must not be taken for this one's.
        for old in bench.files().iter().filter(|file| file.starts_with("out.")) {
            fs::remove_file(bench.path(old)).unwrap();
        }
        let mut command = command(["annotate", "--model", "nose", "--quiet"]);
        command.arg(input).arg("-o").arg(&video).arg("--jsonl").arg(&jsonl);
        command.args(live.then_some("--live"));
        Self { child: command.spawn().unwrap(), video, jsonl, started: Instant::now() }
    }

    /// Waits until this many records are written; false if the run has ended before.
    fn reaches(&mut self, n_records: usize) -> bool {
        let mut partial = self.jsonl.clone().into_os_string();
        partial.push(".partial");
        loop {
            let written = fs::read(&partial).unwrap_or_default();
            if written.iter().filter(|&&byte| byte == b'\n').count() >= n_records {
                return true;
            }
            if self.child.try_wait().unwrap().is_some() {
                return false;
            }
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// The shell's own kill: a minimal system has no other.
    fn signal(&self, name: &str) {
        let kill = format!("kill -s {name} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    fn end(self) -> Run {
        ended(self.child, self.started)
    }
}

/// Frames of [`long_clip`]: far more than are processed before a signal arrives, however busy the machine is.
const LONG_CLIP: usize = 21 * 120;

fn long_clip(bench: &Bench) -> PathBuf {
    talker(bench, "-vf scale=240:240 -c:v libx264 -preset ultrafast -c:a copy", "short.mp4");
    bench.ffmpeg("-stream_loop 20 -i short.mp4 -c copy in.mp4");
    bench.path("in.mp4")
}

#[test]
fn ctrl_c_and_sigterm() {
    let mut row = Row::new("Ctrl-C and SIGTERM");
    let bench = Bench::new();
    let clip = long_clip(&bench);
    let mut slowest = Duration::ZERO;
    for moment in 0..times(2, 10) {
        for (signal, code) in [("INT", 130), ("TERM", 143)] {
            let mut job = Job::begin(&bench, &clip, "out.mp4", false);
            assert!(job.reaches(1 + moment as usize * 40), "the clip is too short");
            let sent = Instant::now();
            job.signal(signal);
            let (video, jsonl) = (job.video.clone(), job.jsonl.clone());
            let run = job.end();
            slowest = slowest.max(sent.elapsed());
            assert_eq!(run.code, code, "{run:?}");
            assert!(sent.elapsed().as_secs_f64() < limit(5.0));
            assert_eq!(frames(&video), records(&jsonl).len());
            assert!(frames(&video) > 0);
            row.count();
        }
    }
    row.outcome(format!(
        "130 and 143, file readable, frames = records, {:.1} s at most",
        slowest.as_secs_f64()
    ));
}

#[test]
fn ctrl_c_before_the_first_frame() {
    let bench = Bench::new();
    let clip = long_clip(&bench);
    for pause in [0, 5, 15, 40] {
        let job = Job::begin(&bench, &clip, "out.mp4", false);
        thread::sleep(Duration::from_millis(pause));
        job.signal("INT");
        let (video, jsonl) = (job.video.clone(), job.jsonl.clone());
        let run = job.end();
        assert_eq!(run.code, 130, "{run:?}");
        if video.exists() {
            assert_eq!(frames(&video), records(&jsonl).len());
        }
    }
}

#[test]
fn signals_twice_in_a_row() {
    let mut row = Row::new("Ctrl-C and SIGTERM twice in a row");
    let bench = Bench::new();
    let clip = long_clip(&bench);
    for moment in 0..times(1, 10) {
        for (signal, code) in [("INT", 130), ("TERM", 143)] {
            let mut job = Job::begin(&bench, &clip, "out.mp4", false);
            assert!(job.reaches(90 + moment as usize * 30), "the clip is too short");
            job.signal(signal);
            let sent = Instant::now();
            job.signal(signal);
            let (video, jsonl) = (job.video.clone(), job.jsonl.clone());
            let run = job.end();
            assert_eq!(run.code, code, "{run:?}");
            assert!(sent.elapsed().as_secs_f64() < limit(5.0));
            // Whether the first signal was enough is a matter of milliseconds.
            if video.exists() {
                assert_eq!(frames(&video), records(&jsonl).len());
            } else {
                assert!(frames(&partial(&video)) > 0, "nothing of the video is readable");
            }
            row.count();
        }
    }
    row.outcome("130 and 143 at once; the file or its .partial is readable");
}

#[test]
fn kill() {
    let mut row = Row::new("kill −9 (MP4, Matroska)");
    let bench = Bench::new();
    let clip = long_clip(&bench);
    let mut least: f64 = 100.0;
    for moment in 0..times(1, 10) {
        for name in ["out.mp4", "out.mkv"] {
            let mut job = Job::begin(&bench, &clip, name, false);
            assert!(job.reaches(300 + moment as usize * 30), "the clip is too short");
            job.signal("KILL");
            let (video, jsonl) = (job.video.clone(), job.jsonl.clone());
            assert_eq!(job.end().code, 137);
            assert!(!video.exists() && !jsonl.exists(), "nothing may have the final names");
            let written = records(&partial(&jsonl)).len();
            let readable = frames(&partial(&video));
            let percent = 100.0 * readable as f64 / written as f64;
            assert!(percent >= 80.0, "{name}: {readable} of {written} frames are readable");
            least = least.min(percent);
            row.count();
        }
    }
    row.outcome(format!("at least {least:.0} % of the frames readable, JSONL lines whole"));
}

fn partial(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".partial");
    name.into()
}

#[test]
fn a_reader_that_goes_away() {
    let mut row = Row::new("closed pipe (`\\| head -1`)");
    let bench = Bench::new();
    let clip = long_clip(&bench);
    for option in ["--jsonl", "--csv"] {
        let mut child = command(["annotate", "--model", "nose", option, "-"]).arg(&clip).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert!(line.ends_with('\n'));
        let run = ended(child, Instant::now());
        assert!(run.code == 141 && run.stderr.is_empty(), "{run:?}");
        row.count();
    }
    row.outcome("exit 141 and no message");
}

#[cfg(target_os = "linux")]
#[test]
fn a_slow_reader() {
    let mut row = Row::new("slow reader");
    let bench = Bench::new();
    let clip = long_clip(&bench);
    let short = bench.path("short.mp4");
    for live in [false, true] {
        // Raw pictures: a pipe holds less than one of them, so the program stalls when nothing reads.
        let mut args = vec!["annotate", "--model", "nose", "-o", "-", "--format", "yuv4mpeg"];
        args.extend(live.then_some("--live"));
        let mut child = command(args).arg(if live { &short } else { &clip }).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut header = String::new();
        out.read_line(&mut header).unwrap();
        thread::sleep(Duration::from_millis(500));
        let memory: Vec<u64> = (0..30)
            .map(|_| {
                thread::sleep(Duration::from_millis(50));
                resident_kb(child.id())
            })
            .collect();
        let (least, most) = (*memory.iter().min().unwrap(), *memory.iter().max().unwrap());
        assert!(least > 10_000 && most < least + 5_000, "memory went from {least} to {most} kB");
        let n_bytes = io::copy(&mut out, &mut io::sink()).unwrap();
        let run = ended(child, Instant::now());
        assert_eq!(run.code, 0, "{run:?}");
        if live {
            let dropped = run.stderr.split(", ").find_map(|part| part.split(" dropped").next()?.parse().ok());
            assert!(dropped > Some(20), "two seconds have 48 frames: {run:?}");
        } else {
            let picture = "FRAME\n".len() + 240 * 240 * 3 / 2;
            assert_eq!(n_bytes, (LONG_CLIP * picture) as u64, "a file loses nothing");
        }
        row.count();
    }
    row.outcome(format!("memory flat; a file waits and all its {LONG_CLIP} frames arrive; live drops some"));
}

#[cfg(target_os = "linux")]
fn resident_kb(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.map_or(0, |line| line.trim().trim_end_matches(" kB").trim().parse().unwrap())
}
