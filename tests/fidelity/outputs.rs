//! Full disks, and outputs that cannot or must not be written.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::fixtures::Bench;
use crate::program::{annotate, finish, frames, lines, talker};
use crate::table::Row;

/// facemark under a limit on the size of files, in blocks of 1024 bytes.
fn limited(blocks: u32, args: &[&Path]) -> Command {
    let mut command = Command::new("bash");
    command.args(["-c", &format!("ulimit -f {blocks}; exec \"$@\""), "-", env!("CARGO_BIN_EXE_facemark")]);
    command.args(["annotate", "--model", "nose", "--quiet"]).args(args);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

#[test]
fn full_disks() {
    let mut row = Row::new("disk full for video, JSONL, CSV (limit on file sizes, /dev/full)");
    let bench = Bench::new();
    bench.ffmpeg(
        "-f lavfi -i testsrc2=size=320x240:rate=30:duration=4 -vf noise=c0s=40:c0f=t -c:v libx264 \
         -preset ultrafast -pix_fmt yuv420p noise.mp4",
    );
    let clip = talker(&bench, "-frames:v 100 -c:v libx264 -preset ultrafast -pix_fmt yuv420p", "in.mp4");
    let noise = bench.path("noise.mp4");
    for (option, input, name, blocks) in [
        ("-o", &noise, "out.mp4", 1500),
        ("-o", &noise, "out.mkv", 1500),
        ("-o", &noise, "out.mov", 1500),
        ("--jsonl", &clip, "out.jsonl", 1),
        ("--csv", &clip, "out.csv", 1),
    ] {
        let out = bench.path(name);
        let run = finish(limited(blocks, &[Path::new(option), &out, input]));
        assert_eq!(run.code, 6, "{run:?}");
        assert!(run.stderr.contains(name) && run.stderr.contains("File too large"), "{run:?}");
        assert!(!out.exists(), "nothing may have the final name");
        let partial = bench.path(&format!("{name}.partial"));
        assert!(run.stderr.contains(&format!("{name}.partial")), "the message names what is left: {run:?}");
        if option == "-o" {
            assert!(frames(&partial) > 10, "{name}: {} frames are left", frames(&partial));
        } else {
            assert!(fs::metadata(&partial).unwrap().len() > 500);
        }
        assert!(!bench.files().iter().any(|name| name.ends_with(".unfinished")), "{:?}", bench.files());
        row.count();
    }
    for option in ["--jsonl", "--csv"] {
        let run = annotate(&clip, &[(option, Path::new("/dev/full"))]);
        assert_eq!(run.code, 6, "{run:?}");
        assert!(run.stderr.contains("/dev/full: No space left on device"), "{run:?}");
        assert!(run.took.as_secs_f64() < 1.5, "{run:?}");
        row.count();
    }
    row.outcome("exit 6, the message names file and cause; what was written is readable as .partial");
}

#[test]
fn devices_and_pipes_are_written_to() {
    let bench = Bench::new();
    let clip = talker(&bench, "-frames:v 9 -c:v libx264 -pix_fmt yuv420p", "in.mp4");
    assert_eq!(annotate(&clip, &[("--jsonl", Path::new("/dev/null"))]).code, 0);
    let pipe = bench.path("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let reader = Command::new("cat").arg(&pipe).stdout(Stdio::piped()).spawn().unwrap();
    assert_eq!(annotate(&clip, &[("--jsonl", &pipe)]).code, 0);
    let text = reader.wait_with_output().unwrap().stdout;
    assert_eq!(lines(&String::from_utf8(text).unwrap()).len(), 9);
    let run = annotate(&clip, &[("-o", Path::new("/dev/null")), ("--overwrite", "--quiet".as_ref())]);
    assert!([2, 6].contains(&run.code), "a video cannot be a device: {run:?}");
}

#[test]
fn refused_before_anything_is_read() {
    let mut row =
        Row::new("missing folder, output = input (also through links), exists without `--overwrite`");
    let bench = Bench::new();
    let clip = bench.video("-frames:v 5 -c:v libx264 -pix_fmt yuv420p", "in.mp4");
    // Whoever opened this first would complain about it.
    fs::write(bench.path("nonsense.mp4"), "no video").unwrap();
    fs::hard_link(&clip, bench.path("hard.mp4")).unwrap();
    symlink(&clip, bench.path("soft.mp4")).unwrap();
    symlink(bench.path("nonsense.mp4"), bench.path("soft-nonsense.mp4")).unwrap();
    symlink("nowhere", bench.path("dangling.mp4")).unwrap();
    fs::create_dir(bench.path("folder.mp4")).unwrap();
    for name in ["old.mp4", "old.jsonl", "old.csv"] {
        fs::write(bench.path(name), "precious").unwrap();
    }
    let before = bench.files();
    for (input, option, out, overwrite, reason) in [
        ("nonsense.mp4", "-o", "nonsense.mp4", true, "is the input itself"),
        ("nonsense.mp4", "-o", "soft-nonsense.mp4", true, "is the input itself"),
        ("nonsense.mp4", "--jsonl", "nonsense.mp4", true, "is the input itself"),
        ("nonsense.mp4", "--csv", "soft-nonsense.mp4", true, "is the input itself"),
        ("in.mp4", "-o", "hard.mp4", true, "is the input itself"),
        ("in.mp4", "-o", "soft.mp4", true, "is the input itself"),
        ("nonsense.mp4", "-o", "old.mp4", false, "exists"),
        ("nonsense.mp4", "--jsonl", "old.jsonl", false, "exists"),
        ("nonsense.mp4", "--csv", "old.csv", false, "exists"),
        ("nonsense.mp4", "-o", "dangling.mp4", false, "exists"),
        ("nonsense.mp4", "-o", "folder.mp4", true, "is a folder"),
        ("nonsense.mp4", "-o", "no/where.mp4", false, "there is no folder"),
        ("nonsense.mp4", "--jsonl", "no/where.jsonl", false, "there is no folder"),
    ] {
        let mut args = vec!["annotate", option, out, input];
        args.extend(overwrite.then_some("--overwrite"));
        let mut command = crate::program::command(args);
        command.current_dir(bench.path(""));
        let run = finish(command);
        assert_eq!(run.code, 6, "{out}: {run:?}");
        assert!(run.stderr.contains(reason) && run.stderr.lines().count() == 1, "{run:?}");
        row.count();
    }
    assert_eq!(bench.files(), before, "nothing may be left");
    assert_eq!(fs::read(bench.path("old.jsonl")).unwrap(), b"precious");
    row.outcome("exit 6 before the input is opened, nothing written");
}

#[test]
fn a_folder_that_must_not_be_written_to() {
    let bench = Bench::new();
    let clip = bench.video("-frames:v 5 -c:v libx264 -pix_fmt yuv420p", "in.mp4");
    // Not even root may write here.
    let run = annotate(&clip, &[("--jsonl", Path::new("/proc/self/out.jsonl"))]);
    assert_eq!(run.code, 6, "{run:?}");
    assert!(run.stderr.contains("/proc/self/out.jsonl"), "{run:?}");
    let run = annotate(&clip, &[("-o", Path::new("/proc/self/out.mp4"))]);
    assert_eq!(run.code, 6, "{run:?}");
}
