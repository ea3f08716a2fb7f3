//! Several videos in one run.

use std::fs;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use crate::fixtures::Bench;
use crate::program::{command, ended, facemark, finish, frames, records};
use crate::table::Row;

#[test]
fn folders_go_on_after_a_broken_file_and_after_a_break() {
    let mut row = Row::new("batch of videos with a broken one, `--resume`");
    let bench = Bench::new();
    fs::create_dir(bench.path("in")).unwrap();
    bench.video("-frames:v 8 -c:v libx264 -pix_fmt yuv420p", "in/a.mp4");
    bench.video("-frames:v 9 -c:v mpeg4", "in/c.avi");
    fs::write(bench.path("in/b.mp4"), "no video").unwrap();
    fs::write(bench.path("in/notes.txt"), "no video either").unwrap();
    let (input, out) = (bench.path("in"), bench.path("out"));
    let text = |path: &std::path::Path| path.to_str().unwrap().to_owned();
    let args = ["annotate", "--model", "nose", &text(&input), "-o", &text(&out), "--jsonl", &text(&out)]
        .map(str::to_owned);
    let run = facemark(&args);
    assert_eq!(run.code, 3, "{run:?}");
    assert!(run.stderr.contains("b.mp4") && run.stderr.contains("3 videos: 2 annotated"), "{run:?}");
    assert!(run.stderr.ends_with("1 of 3 videos failed; the messages above name them\n"), "{run:?}");
    assert_eq!((frames(&out.join("a.mp4")), frames(&out.join("c.mkv"))), (8, 9));
    assert_eq!((records(&out.join("a.jsonl")).len(), records(&out.join("c.jsonl")).len()), (8, 9));
    assert_eq!(fs::read_dir(&out).unwrap().count(), 4);
    row.count();
    // Without --resume, existing files are not touched.
    assert_eq!(facemark(&args).code, 6);
    let old = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
    fs::File::options().append(true).open(out.join("a.mp4")).unwrap().set_modified(old).unwrap();
    fs::remove_file(out.join("c.jsonl")).unwrap();
    bench.video("-frames:v 7 -c:v libx264 -pix_fmt yuv420p", "in/b.mp4");
    let run = facemark(args.iter().map(String::as_str).chain(["--resume"]));
    assert_eq!(run.code, 0, "{run:?}");
    assert!(run.stderr.contains("3 videos: 2 annotated, 1 done before, 0 failed"), "{run:?}");
    assert_eq!(fs::metadata(out.join("a.mp4")).unwrap().modified().unwrap(), old, "a.mp4 was done again");
    assert_eq!((frames(&out.join("b.mp4")), records(&out.join("c.jsonl")).len()), (7, 9));
    row.count();
    row.outcome(
        "the others are annotated, the exit code is the broken one's; only what is missing is done again",
    );
}

#[test]
fn several_videos_cannot_become_one_file() {
    let bench = Bench::new();
    bench.video("-frames:v 3 -c:v libx264 -pix_fmt yuv420p", "a.mp4");
    fs::copy(bench.path("a.mp4"), bench.path("a.mov")).unwrap();
    fs::copy(bench.path("a.mp4"), bench.path("b.mp4")).unwrap();
    let path = |name: &str| bench.path(name).to_str().unwrap().to_owned();
    let before = bench.files();
    let run = facemark(["annotate", &path("a.mp4"), &path("a.mov"), "--jsonl", &path("")]);
    assert!(run.code == 2 && run.stderr.contains("two videos would become"), "{run:?}");
    let run = facemark(["annotate", &path("a.mp4"), &path("b.mp4"), "-o", &path("a.mov")]);
    assert!(run.code == 6 && run.stderr.contains("need folders"), "{run:?}");
    let run = facemark(["annotate", &path("a.mp4"), &path("b.mp4"), "-o", &path(""), "--overwrite"]);
    assert!(run.code == 6 && run.stderr.contains("is the input itself"), "{run:?}");
    let run = facemark(["annotate", &path("a.mp4"), "-o", &path("o.mp4"), "--resume"]);
    assert_eq!(run.code, 2, "{run:?}");
    assert_eq!(bench.files(), before);
    let run = facemark(["annotate", "--model", "nose", &path("a.mp4"), &path("b.mp4"), "--jsonl", "-"]);
    assert_eq!((run.code, run.stdout.lines().count()), (0, 6), "{run:?}");
}

#[test]
fn a_batch_that_is_stopped_goes_on_where_it_was() {
    let bench = Bench::new();
    fs::create_dir(bench.path("in")).unwrap();
    bench.video("-frames:v 3 -c:v libx264 -pix_fmt yuv420p", "in/a.mp4");
    bench.video("-c:v libx264 -pix_fmt yuv420p", "b.mp4");
    bench.ffmpeg("-stream_loop 40 -i b.mp4 -c copy in/b.mp4");
    let (input, out) = (bench.path("in"), bench.path("out"));
    let arguments = |resume: bool| {
        let mut command = command(["annotate", "--model", "nose", "--quiet"]);
        command.arg(&input).arg("-o").arg(&out).arg("--jsonl").arg(&out).args(resume.then_some("--resume"));
        command
    };
    let mut child = arguments(false).args(["--jobs", "1"]).spawn().unwrap();
    while fs::metadata(out.join("b.jsonl.partial")).map_or(0, |file| file.len()) == 0 {
        assert!(child.try_wait().unwrap().is_none(), "the second video is too short");
        thread::sleep(Duration::from_millis(2));
    }
    let kill = format!("kill -s INT {}", child.id());
    assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    let run = ended(child, Instant::now());
    assert_eq!(run.code, 130, "{run:?}");
    assert_eq!(frames(&out.join("a.mp4")), 3);
    assert!(!out.join("b.mp4").exists() && !out.join("b.jsonl").exists(), "half a video counts as done");
    assert!(frames(&out.join("b.mp4.partial")) > 0);
    let run = finish(arguments(true));
    assert_eq!(run.code, 0, "{run:?}");
    assert_eq!(records(&out.join("b.jsonl")).len(), 41 * 60);
    assert_eq!(frames(&out.join("b.mp4")), 41 * 60);
    assert_eq!(fs::read_dir(&out).unwrap().count(), 4, "what was partial is gone");
}

#[test]
fn several_at_once_are_all_completed_by_ctrl_c() {
    let bench = Bench::new();
    bench.video("-c:v libx264 -pix_fmt yuv420p", "once.mp4");
    fs::create_dir(bench.path("in")).unwrap();
    bench.ffmpeg("-stream_loop 40 -i once.mp4 -c copy in/a.mp4");
    bench.ffmpeg("-stream_loop 40 -i once.mp4 -c copy in/b.mp4");
    let out = bench.path("out");
    let mut run = command(["annotate", "--model", "nose", "--jobs", "2"]);
    let mut child = run.arg(bench.path("in")).arg("-o").arg(&out).arg("--jsonl").arg(&out).spawn().unwrap();
    let partials = ["a", "b"].map(|name| out.join(format!("{name}.jsonl.partial")));
    while !partials.iter().all(|partial| fs::metadata(partial).is_ok_and(|file| file.len() > 0)) {
        assert!(child.try_wait().unwrap().is_none(), "they are not annotated at once");
        thread::sleep(Duration::from_millis(2));
    }
    let kill = format!("kill -s INT {}", child.id());
    assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    let run = ended(child, Instant::now());
    assert!(run.code == 130 && run.stderr.contains("2 not begun or stopped"), "{run:?}");
    for (name, partial) in ["a", "b"].iter().zip(&partials) {
        let video = out.join(format!("{name}.mp4.partial"));
        assert_eq!(frames(&video), records(partial).len(), "complete up to the same frame");
    }
    assert_eq!(fs::read_dir(&out).unwrap().count(), 4);
}
