//! Full disks, and outputs that cannot or must not be written.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::SystemTime;

use crate::fixtures::Bench;
use crate::program::{annotate, command, finish, frames, lines, talker};
use crate::table::{Row, limit};

/// facemark under a limit on the size of files, in blocks of 1024 bytes.
fn limited(blocks: u32, args: &[&Path]) -> Command {
    let mut command = Command::new("bash");
    command.args(["-c", &format!("ulimit -f {blocks}; exec \"$@\""), "-", env!("CARGO_BIN_EXE_facemark")]);
    command.args(["annotate", "--model", "nose", "--quiet"]).args(args);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// What has to be written along with an output that cannot stand alone, such as a trace.
fn beside(option: &str) -> &'static [&'static str] {
    if option == "--trace" { &["--jsonl", "/dev/null"] } else { &[] }
}

/// An output that does not fit: exit 6, a message with file and cause, nothing under the final name, and what was
/// written under its temporary one. Returns the seconds from the last successful write to the end.
#[track_caller]
fn does_not_fit(command: Command, out: &Path, cause: &str) -> f64 {
    let run = finish(command);
    let end = SystemTime::now();
    let name = out.file_name().unwrap().to_str().unwrap();
    assert_eq!(run.code, 6, "{run:?}");
    assert!(run.stderr.contains(name) && run.stderr.contains(cause), "{run:?}");
    assert!(!out.exists(), "nothing may have the final name");
    assert!(run.stderr.contains(&format!("{name}.partial")), "the message names what is left: {run:?}");
    let partial = out.with_file_name(format!("{name}.partial"));
    if ["mp4", "mov", "mkv"].iter().any(|ending| name.ends_with(ending)) {
        assert!(frames(&partial) > 10, "{name}: {} frames are left", frames(&partial));
    } else {
        assert!(fs::metadata(&partial).unwrap().len() > 500);
    }
    let files = fs::read_dir(out.parent().unwrap()).unwrap().map(|entry| entry.unwrap().file_name());
    let left: Vec<_> = files.filter(|file| file.to_string_lossy().ends_with(".unfinished")).collect();
    assert!(left.is_empty(), "{left:?}");
    let written = fs::metadata(&partial).unwrap().modified().unwrap();
    end.duration_since(written).unwrap_or_default().as_secs_f64()
}

/// A clip whose annotated copy is large.
fn noise(bench: &Bench) -> PathBuf {
    bench.ffmpeg(
        "-f lavfi -i testsrc2=size=320x240:rate=30:duration=4 -vf noise=c0s=40:c0f=t -c:v libx264 \
         -preset ultrafast -pix_fmt yuv420p noise.mp4",
    );
    bench.path("noise.mp4")
}

fn face(bench: &Bench) -> PathBuf {
    talker(bench, "-frames:v 100 -c:v libx264 -preset ultrafast -pix_fmt yuv420p", "in.mp4")
}

#[test]
fn full_disks() {
    let mut row = Row::new("disk full for video, JSONL, CSV, trace (limit on file sizes, /dev/full)");
    let bench = Bench::new();
    let (noise, clip) = (noise(&bench), face(&bench));
    let mut slowest: f64 = 0.0;
    for (option, input, name, blocks) in [
        ("-o", &noise, "out.mp4", 1500),
        ("-o", &noise, "out.mkv", 1500),
        ("-o", &noise, "out.mov", 1500),
        ("--jsonl", &clip, "out.jsonl", 1),
        ("--csv", &clip, "out.csv", 1),
        ("--trace", &clip, "out.json", 1),
    ] {
        let out = bench.path(name);
        let mut command = limited(blocks, &[Path::new(option), &out, input]);
        command.args(beside(option));
        let took = does_not_fit(command, &out, "File too large");
        assert!(took < limit(1.0), "{name}: {took} s");
        slowest = slowest.max(took);
        row.count();
    }
    for option in ["--jsonl", "--csv", "--trace"] {
        let mut to_full = command(["annotate", "--model", "nose", option, "/dev/full"]);
        to_full.arg(&clip).args(beside(option));
        let run = finish(to_full);
        assert_eq!(run.code, 6, "{run:?}");
        assert!(run.stderr.contains("/dev/full: No space left on device"), "{run:?}");
        assert!(run.took.as_secs_f64() < limit(1.0), "{run:?}");
        row.count();
    }
    row.outcome(format!(
        "exit 6 within {slowest:.1} s, the message names file and cause; what was written is readable as .partial"
    ));
}

/// A small file system in memory, unmounted when dropped.
struct Small(PathBuf);

impl Small {
    /// `None` without permission to mount.
    fn mount(folder: PathBuf, size: &str) -> Option<Self> {
        fs::create_dir(&folder).unwrap();
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={size}"), "none"]).arg(&folder);
        mount.stderr(Stdio::null()).status().is_ok_and(|status| status.success()).then_some(Self(folder))
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn disks_that_are_really_full() {
    let mut row = Row::new("disk full for video, JSONL, CSV, trace (small tmpfs)");
    let bench = Bench::new();
    let mut slowest: f64 = 0.0;
    for (option, name, size) in [
        ("-o", "out.mp4", "2m"),
        ("-o", "out.mkv", "1m"),
        ("--jsonl", "out.jsonl", "4k"),
        ("--csv", "out.csv", "4k"),
        ("--trace", "out.json", "4k"),
    ] {
        let Some(disk) = Small::mount(bench.path(name), size) else {
            return row.skip("only root may mount a file system");
        };
        let (input, out) = (if option == "-o" { noise(&bench) } else { face(&bench) }, disk.0.join(name));
        let mut command = command(["annotate", "--model", "nose", "--quiet", option]);
        command.arg(&out).arg(input);
        command.args(beside(option));
        let took = does_not_fit(command, &out, "No space left on device");
        assert!(took < limit(1.0), "{name}: {took} s");
        slowest = slowest.max(took);
        row.count();
    }
    row.outcome(format!("exit 6 within {slowest:.1} s, the same"));
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
    // Opening this first would cause a complaint.
    fs::write(bench.path("nonsense.mp4"), "no video").unwrap();
    fs::hard_link(&clip, bench.path("hard.mp4")).unwrap();
    symlink(&clip, bench.path("soft.mp4")).unwrap();
    symlink(bench.path("nonsense.mp4"), bench.path("soft-nonsense.mp4")).unwrap();
    symlink("nowhere", bench.path("dangling.mp4")).unwrap();
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
        ("nonsense.mp4", "-o", "no/where.mp4", false, "there is no folder"),
        ("nonsense.mp4", "--jsonl", "no/where.jsonl", false, "there is no folder"),
    ] {
        let mut args = vec!["annotate", option, out, input];
        args.extend(overwrite.then_some("--overwrite"));
        let mut command = command(args);
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
    let mut row = Row::new("unwritable folder");
    let bench = Bench::new();
    let clip = bench.video("-frames:v 5 -c:v libx264 -pix_fmt yuv420p", "in.mp4");
    // Not even root can write here.
    for (option, out) in [("--jsonl", "/proc/self/out.jsonl"), ("-o", "/proc/self/out.mp4")] {
        let run = annotate(&clip, &[(option, Path::new(out))]);
        assert!(run.code == 6 && run.stderr.contains(out), "{run:?}");
        row.count();
    }
    let folder = bench.path("folder");
    fs::create_dir(&folder).unwrap();
    fs::write(bench.path("nonsense.mp4"), "no video").unwrap();
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o555)).unwrap();
    fs::set_permissions(bench.path(""), fs::Permissions::from_mode(0o755)).unwrap();
    // Root can write anywhere else, so it runs a copy of the program as `nobody`.
    let program = bench.path("program");
    // Not written by this process: a child that another test starts meanwhile would hold it open, and it would be busy.
    let copied = Command::new("cp").arg(env!("CARGO_BIN_EXE_facemark")).arg(&program).status();
    assert!(copied.unwrap().success());
    let mut command = Command::new("setpriv");
    command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]).arg(program);
    if fs::metadata(&folder).unwrap().uid() != 0 {
        command = Command::new(env!("CARGO_BIN_EXE_facemark"));
    }
    command.args(["annotate", "nonsense.mp4", "-o", "folder/out.mp4", "--jsonl", "folder/out.jsonl"]);
    command.current_dir(bench.path("")).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let run = finish(command);
    assert!(run.code == 6 && run.stderr.contains("you may not write to the folder"), "{run:?}");
    row.count();
    row.outcome("exit 6, before the input is opened where the system tells in advance");
}
