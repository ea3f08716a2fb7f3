//! Lists of videos that several processes share, as machines would.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::fixtures::Bench;
use crate::program::{Run, command, ended, facemark, finish, lines, talker};
use crate::table::Row;

/// A folder with videos of the talking head, `list`, which names them, and `one/`, what one run makes of them.
fn shared(names: &[&str], args: &str) -> Bench {
    let bench = Bench::new();
    talker(&bench, &format!("{args} -an -vf scale=240:-2 -c:v libx264 -pix_fmt yuv420p"), "first.mp4");
    for name in names {
        fs::hard_link(bench.path("first.mp4"), bench.path(name)).unwrap();
    }
    fs::write(bench.path("list"), names.join("\0")).unwrap();
    bench
}

/// `annotate` in the folder, with outputs of all kinds into `out`.
fn annotate(bench: &Bench, out: &str, args: &[&str]) -> Command {
    let kinds = ["-o", out, "--jsonl", out, "--csv", out];
    let mut command = command(["annotate", "--model", "nose"].iter().chain(&kinds).chain(args));
    command.current_dir(bench.path(""));
    command
}

fn status(bench: &Bench, out: &str) -> Value {
    let run = facemark([OsStr::new("status"), bench.path(out).as_os_str(), OsStr::new("--json")]);
    assert_eq!(run.code, 0, "{run:?}");
    lines(&run.stdout).remove(0)
}

fn counts(status: &Value) -> [u64; 5] {
    ["done", "running", "failed", "interrupted", "waiting"].map(|key| status[key].as_u64().unwrap())
}

/// The names and contents of all files but states and the list.
fn contents(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .filter(|entry| !entry.file_name().to_str().unwrap().ends_with(".json"))
        .map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()))
        .collect();
    found.sort();
    found
}

/// Waits until a video's data has grown under a temporary name.
fn under_way(child: &mut Child, out: &Path) {
    let is_growing = || {
        fs::read_dir(out).is_ok_and(|entries| {
            entries.flatten().any(|entry| {
                let name = entry.file_name();
                name.to_str().unwrap().contains(".jsonl.")
                    && entry.metadata().is_ok_and(|file| file.len() > 2000)
            })
        })
    };
    while !is_growing() {
        assert!(child.try_wait().unwrap().is_none(), "it ended too early");
        thread::sleep(Duration::from_millis(2));
    }
}

fn signal(child: &Child, name: &str) {
    let kill = format!("kill -s {name} {}", child.id());
    assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
}

#[test]
fn shards_make_what_one_run_makes_and_a_second_time_nothing() {
    let names = ["a.mp4", "b b.mp4", "c\nc.mp4", "d.mp4", "e.mp4"];
    let bench = shared(&names, "-frames:v 12");
    assert_eq!(
        finish(annotate(
            &bench,
            "one",
            &["--jobs", "1", "--", "a.mp4", "b b.mp4", "c\nc.mp4", "d.mp4", "e.mp4"]
        ))
        .code,
        0
    );
    for shard in ["0/3", "2/3"] {
        let run = finish(annotate(&bench, "out", &["--list", "list", "--shard", shard]));
        assert_eq!(run.code, 0, "{run:?}");
    }
    assert_eq!(counts(&status(&bench, "out")), [3, 0, 0, 0, 2]);
    let task = ["--list", "list", "--shard", "auto"];
    let mut slurm = annotate(&bench, "out", &task);
    let variables = ["ID", "MIN", "COUNT"].map(|name| format!("SLURM_ARRAY_TASK_{name}"));
    slurm.envs(variables.iter().zip(["8", "7", "3"]));
    assert_eq!(finish(slurm).code, 0);
    assert_eq!(counts(&status(&bench, "out")), [5, 0, 0, 0, 0]);
    assert_eq!(contents(&bench.path("out")), contents(&bench.path("one")));
    let run = finish(annotate(&bench, "out", &["--list", "list", "--jobs", "3"]));
    assert!(run.code == 0 && run.stderr.contains("5 videos: 0 annotated, 5 done before"), "{run:?}");
    assert_eq!(finish(annotate(&bench, "again", &["--list", "list", "--jobs", "3"])).code, 0);
    assert_eq!(contents(&bench.path("again")), contents(&bench.path("one")), "several at once");
}

#[test]
fn what_is_wrong_with_a_list_is_said_and_stops_nothing() {
    let mut row =
        Row::new("lists: missing, broken and double videos, odd names, empty, no such shard, no folder");
    let bench = shared(&["a b.mp4", "x\ny.mp4"], "-frames:v 4");
    fs::write(bench.path("text.mp4"), "no video").unwrap();
    fs::write(bench.path("bad"), "a b.mp4\0none\n.mp4\0./a b.mp4\0text.mp4\0x\ny.mp4\0").unwrap();
    let bad = |args: &[&str]| finish(annotate(&bench, "out", &[&["--list", "bad"], args].concat()));
    let run = bad(&["--retries", "1"]);
    assert!(
        run.code == 3 && run.stderr.contains("4 videos: 2 annotated, 0 done before, 2 failed"),
        "{run:?}"
    );
    assert!(run.stderr.contains("named more than once in the list: 1;"), "{run:?}");
    assert_eq!(run.stderr.matches("none\\n.mp4: No such file").count(), 2, "{run:?}");
    let known = status(&bench, "out");
    assert_eq!(counts(&known), [2, 0, 2, 0, 0]);
    assert_eq!(known["quarantine"], serde_json::json!(["none\n.mp4", "text.mp4"]));
    let failed =
        known["videos"].as_array().unwrap().iter().find(|video| video["video"] == "text.mp4").unwrap();
    assert_eq!((&failed["attempts"], &failed["code"]), (&2.into(), &3.into()));
    // Only a change of the input, or more retries, make another attempt.
    let run = bad(&["--retries", "1"]);
    assert!(run.code == 3 && run.stderr.contains("--retries 2 tries again"), "{run:?}");
    fs::copy(bench.path("first.mp4"), bench.path("text.mp4")).unwrap();
    assert!(bad(&[]).stderr.contains("1 annotated, 2 done before, 1 failed"));
    row.runs(3);
    fs::write(bench.path("empty"), "\n").unwrap();
    fs::create_dir(bench.path("sub")).unwrap();
    fs::copy(bench.path("first.mp4"), bench.path("sub/text.mp4")).unwrap();
    fs::write(bench.path("twins"), "a b.mp4\nsub/text.mp4\ntext.mp4\n").unwrap();
    for (out, args, code, word) in [
        ("new", &["--list", "empty"][..], 3, "is empty"),
        ("new", &["--list", "nothing"], 3, "cannot read the list"),
        ("new", &["--list", "list", "--shard", "2/2"], 2, "the last one is 1/2"),
        ("new", &["--list", "list", "--shard", "auto"], 2, "is set"),
        ("new", &["--list", "twins"], 2, "would both have"),
        ("empty", &["--list", "list"], 6, "cannot make the folder"),
        ("/proc", &["--list", "list"], 6, "/proc"),
    ] {
        let run = finish(annotate(&bench, out, args));
        assert!(run.code == code && run.stderr.contains(word), "{run:?}");
        assert!(run.stderr.lines().count() == 1 && !bench.path("new").exists(), "{run:?}");
        row.count();
    }
    row.outcome("the others are annotated, one line and its exit code for the rest; `status` names what to quarantine");
}

/// Runs the list with files limited to so many kilobytes, as on a disk that gets full.
fn limited(bench: &Bench, kilobytes: u32) -> Run {
    let mut limited = Command::new("bash");
    let script = format!("ulimit -f {kilobytes}; exec \"$0\" \"$@\"");
    let inner = annotate(bench, "out", &["--list", "list", "--jobs", "2"]);
    limited.args(["-c", &script]).arg(inner.get_program()).args(inner.get_args()).current_dir(bench.path(""));
    limited.stderr(std::process::Stdio::piped()).stdout(std::process::Stdio::piped());
    finish(limited)
}

#[test]
fn a_full_disk_loses_nothing() {
    let bench = shared(&["a.mp4", "b.mp4"], "-frames:v 60");
    let run = limited(&bench, 4);
    assert!(run.code == 6 && run.stderr.contains("2 failed"), "{run:?}");
    assert_eq!(counts(&status(&bench, "out")), [0, 0, 2, 0, 0]);
    assert_eq!(contents(&bench.path("out")), [], "nothing half-written stays");
    assert_eq!(status(&bench, "out")["quarantine"], serde_json::json!([]));
    let run = finish(annotate(&bench, "out", &["--list", "list"]));
    assert!(run.code == 0 && run.stderr.contains("2 annotated"), "{run:?}");
}

#[test]
fn what_was_killed_or_stopped_is_begun_again_and_two_at_once_do_no_harm() {
    let mut row = Row::new("shards: kill −9, SIGTERM, the same shard twice at once");
    let names = ["a.mp4", "b.mp4", "c.mp4"];
    let bench = shared(&names, "-frames:v 120");
    assert_eq!(finish(annotate(&bench, "one", &["--", "a.mp4", "b.mp4", "c.mp4"])).code, 0);
    let all = contents(&bench.path("one"));
    let args = ["--list", "list", "--jobs", "2"];
    for (name, code) in [("KILL", 137), ("TERM", 143)] {
        let out = name.to_lowercase();
        let folder = bench.path(&out);
        let mut child = annotate(&bench, &out, &args).process_group(0).spawn().unwrap();
        under_way(&mut child, &folder);
        assert!(status(&bench, &out)["running"].as_u64().unwrap() >= 1);
        signal(&child, name);
        let run = ended(child, Instant::now());
        assert_eq!(run.code, code, "{run:?}");
        let [done, running, failed, interrupted, waiting] = counts(&status(&bench, &out));
        assert_eq!((running, failed, done + interrupted + waiting), (0, 0, 3));
        assert_eq!(interrupted > 0, name == "KILL");
        for (file, bytes) in contents(&folder) {
            let is_whole = all.contains(&(file.clone(), bytes));
            assert!(
                is_whole || name == "KILL" && file.ends_with(".partial") | file.ends_with(".unfinished"),
                "{file}"
            );
        }
        let run = finish(annotate(&bench, &out, &args));
        assert_eq!(run.code, 0, "{run:?}");
        assert!(contents(&folder) == all, "not what one run makes");
        row.count();
    }
    let twins = [(); 2].map(|()| annotate(&bench, "twins", &args).spawn().unwrap());
    for twin in twins {
        let run = ended(twin, Instant::now());
        assert_eq!(run.code, 0, "{run:?}");
    }
    assert!(contents(&bench.path("twins")) == all, "not what one run makes");
    assert_eq!(counts(&status(&bench, "twins")), [3, 0, 0, 0, 0]);
    row.count();
    row.outcome("each output once, to the byte what one run writes; nothing half-written under a final name or left over");
}
