//! Clocks.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use crate::fixtures::Bench;
use crate::program::{command, ended, facemark, lines, talker};
use crate::table::Row;

/// nokhwa converts the drivers' monotonic time stamps to the wall clock. Here they are converted back at once, and one
/// that was spoilt by a jump in between is not used.
const EXCEPT: &str = "camera/driver.rs";

#[test]
fn only_the_monotonic_clock_is_read() {
    let mut row = Row::new("wall-clock jump (sources)");
    let mut files = 0;
    let mut folders = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path: PathBuf = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            if path.ends_with(EXCEPT) {
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            for clock in ["SystemTime", "UNIX_EPOCH", "CLOCK_REALTIME", "gettimeofday", "chrono"] {
                assert!(!text.contains(clock), "{} reads the wall clock: {clock}", path.display());
            }
            files += 1;
        }
    }
    assert!(files > 20);
    row.count();
    row.outcome(format!("none of {files} source files reads the wall clock"));
}

/// libfaketime, which shows a program a different wall clock, where Debian's package faketime puts it.
#[cfg(target_os = "linux")]
fn faketime() -> Option<PathBuf> {
    let multiarch = format!("/usr/lib/{}-linux-gnu/faketime/libfaketimeMT.so.1", std::env::consts::ARCH);
    Some(PathBuf::from(multiarch)).filter(|library| library.exists())
}

#[cfg(target_os = "linux")]
#[test]
fn the_wall_clock_jumps() {
    let mut row = Row::new("wall-clock jump (libfaketime)");
    let Some(library) = faketime() else { return row.skip("Debian's package faketime is not installed") };
    let bench = Bench::new();
    let clip = talker(&bench, "-vf scale=240:240 -c:v libx264 -preset ultrafast -an", "in.mp4");
    let offset = bench.path("offset");
    let fake = |command: &mut Command| {
        let switches = ["FAKETIME_DONT_FAKE_MONOTONIC", "DONT_FAKE_MONOTONIC", "FAKETIME_NO_CACHE"];
        command.envs(switches.map(|switch| (switch, "1")));
        command.env("LD_PRELOAD", &library).env("FAKETIME_TIMESTAMP_FILE", &offset);
    };
    fs::write(&offset, "+3h").unwrap();
    let mut date = Command::new("date");
    fake(date.arg("+%s"));
    let shown: u64 = String::from_utf8(date.output().unwrap().stdout).unwrap().trim().parse().unwrap();
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    assert!(shown > now + 10_000, "libfaketime does not work here");
    let annotated = facemark(["annotate", "--model", "nose", "--jsonl", "-", clip.to_str().unwrap()]);
    let mut steps = 0;
    for live in [false, true] {
        fs::write(&offset, "+0").unwrap();
        let args = if live { ["bench", "--json", "--live"] } else { ["annotate", "--jsonl", "-"] };
        let mut command = command(args);
        fake(command.args(["--model", "nose"]).arg(&clip));
        let start = Instant::now();
        let mut child = command.spawn().unwrap();
        // Hours forward and back, ten times a second.
        while child.try_wait().unwrap().is_none() {
            fs::write(&offset, if steps % 2 == 0 { "+3h" } else { "-5h" }).unwrap();
            steps += 1;
            thread::sleep(Duration::from_millis(100));
        }
        let run = ended(child, start);
        assert_eq!(run.code, 0, "{run:?}");
        if live {
            assert!((4.0..60.0).contains(&run.took.as_secs_f64()), "five seconds of film: {run:?}");
            let report: serde_json::Value = serde_json::from_str(&run.stdout).unwrap();
            let times: Vec<f64> = report["stages"]
                .as_object()
                .unwrap()
                .values()
                .filter_map(|stage| stage["max"].as_f64())
                .collect();
            assert!(times.len() > 3 && times.iter().all(|ms| (0.0..60_000.0).contains(ms)), "{report}");
        } else {
            assert_eq!(lines(&run.stdout), lines(&annotated.stdout));
        }
        row.count();
    }
    assert!(steps > 20);
    row.outcome(format!(
        "{steps} jumps of hours: the same landmarks, a film of 5 s takes 5 s, no stage takes hours"
    ));
}
