//! Inputs and environments that no other row covers.

use std::fs;
use std::os::unix::fs::symlink;
use std::process::{Command, Stdio};

use crate::fixtures::Bench;
use crate::program::{Run, command, finish, lines, talker};
use crate::table::Row;

struct Place {
    bench: Bench,
    row: Row,
}

impl Place {
    /// Runs facemark in the folder, its arguments split at spaces, after a shell's commands.
    #[track_caller]
    fn run(&mut self, before: &str, args: &str) -> Run {
        let mut shell = Command::new("bash");
        shell.args(["-c", &format!("{before} exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_facemark")]);
        shell.args(args.split(' ')).current_dir(self.bench.path(""));
        shell.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        self.row.count();
        finish(shell)
    }

    /// A run that ends with this code and one line that contains the word.
    #[track_caller]
    fn refuse(&mut self, args: &str, code: i32, word: &str) {
        let run = self.run("", args);
        assert!(run.code == code && run.stderr.contains(word), "{args}: {run:?}");
        assert_eq!(run.stderr.lines().count(), 1, "{args}: {run:?}");
    }
}

#[test]
fn odd_inputs_and_surroundings() {
    let row = Row::new(
        "pipes, folders, loops of links, `-`, no environment, closed and full standard streams, few files",
    );
    let mut place = Place { bench: Bench::new(), row };
    let path = |place: &Place, name: &str| place.bench.path(name);
    talker(&place.bench, "-frames:v 9 -vf scale=240:240 -c:v libx264 -pix_fmt yuv420p", "in.mp4");
    for name in ["pipe", "pipe.jpg", "pipe.onnx"] {
        assert!(Command::new("mkfifo").arg(path(&place, name)).status().unwrap().success());
    }
    for name in ["folder.mp4", "folder.onnx"] {
        fs::create_dir(path(&place, name)).unwrap();
    }
    symlink("b.mp4", path(&place, "a.mp4")).unwrap();
    symlink("a.mp4", path(&place, "b.mp4")).unwrap();
    fs::write(path(&place, "empty.onnx"), "").unwrap();
    place.refuse("annotate pipe --jsonl -", 3, "not a plain file");
    place.refuse("annotate folder.mp4 --jsonl -", 3, "folder.mp4");
    place.refuse("annotate a.mp4 --jsonl -", 3, "symbolic links");
    place.refuse("annotate - --jsonl -", 3, "standard input");
    place.refuse("annotate /dev/zero --jsonl -", 3, "not a plain file");
    place.refuse("annotate in.mp4 --jsonl - --model empty.onnx", 5, "empty.onnx");
    place.refuse("annotate in.mp4 --jsonl - --model folder.onnx", 5, "folder.onnx");
    place.refuse("annotate in.mp4 --jsonl - --model pipe.onnx", 5, "pipe.onnx");
    place.refuse("annotate in.mp4 -o out..", 2, "out..");
    place.refuse("annotate in.mp4 -o a.mp4", 6, "exists");
    // A picture that is not a file is reported and skipped, whatever it is.
    let run = place.run("", "annotate pipe.jpg --jsonl -");
    assert!(run.code == 3 && run.stderr.contains("pipe.jpg is not a plain file"), "{run:?}");
    for (before, args) in [
        ("export LC_ALL=C; unset HOME PATH;", "annotate in.mp4 --model nose --jsonl out.jsonl"),
        ("exec 0<&- 2>&-;", "annotate in.mp4 --model nose --jsonl out.jsonl"),
        ("exec 2>/dev/full;", "annotate in.mp4 --model nose --jsonl out.jsonl -vv"),
        ("", "annotate in.mp4 --model nose --jsonl out.jsonl --max-faces 65535 --threads 256"),
    ] {
        let run = place.run(before, args);
        let out = path(&place, "out.jsonl");
        assert_eq!(run.code, 0, "{before} {args}: {run:?}");
        assert_eq!(lines(&fs::read_to_string(&out).unwrap()).len(), 9);
        fs::remove_file(out).unwrap();
    }
    assert_eq!(
        place.run("exec 2>/dev/full;", "annotate a.mp4 --jsonl -").code,
        3,
        "no message, but its code"
    );
    let run = place.run("exec >/dev/full;", "bench in.mp4 --model nose");
    assert!([3, 6].contains(&run.code), "{run:?}");
    assert_eq!(place.run("exec >/dev/full;", "models").code, 6);
    let run = place.run("ulimit -n 7;", "annotate in.mp4 --model nose -o out.mp4");
    assert!([3, 6].contains(&run.code) && run.stderr.contains("Too many open files"), "{run:?}");
    assert!(!path(&place, "out.mp4").exists());
    place.row.outcome("exit 0 with all frames, or one line and its exit code");
}

#[test]
fn an_input_that_goes_away() {
    let mut row = Row::new("input deleted and cut off while it is read");
    let bench = Bench::new();
    talker(&bench, "-vf scale=240:240 -c:v libx264 -preset ultrafast -an", "short.mp4");
    bench.ffmpeg("-stream_loop 9 -i short.mp4 -c copy in.mkv");
    for cut in [false, true] {
        let (input, out) = (bench.path("gone.mkv"), bench.path("out.jsonl"));
        fs::copy(bench.path("in.mkv"), &input).unwrap();
        let mut command = command(["annotate", "--model", "nose", "--jsonl"]);
        let mut child = command.arg(&out).arg(&input).spawn().unwrap();
        while fs::metadata(bench.path("out.jsonl.partial")).map_or(0, |file| file.len()) == 0 {
            assert!(child.try_wait().unwrap().is_none(), "the clip is too short");
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        if cut {
            let file = fs::File::options().write(true).open(&input).unwrap();
            file.set_len(file.metadata().unwrap().len() / 2).unwrap();
        } else {
            fs::remove_file(&input).unwrap();
        }
        let run = crate::program::ended(child, std::time::Instant::now());
        let n_records = lines(&fs::read_to_string(&out).unwrap()).len();
        // A deleted file exists until its last reader closes it.
        let expected = if cut { 7 } else { 0 };
        assert_eq!(run.code, expected, "{run:?}");
        assert!(if cut { n_records < 10 * 120 } else { n_records == 10 * 120 }, "{n_records} frames");
        fs::remove_file(out).unwrap();
        row.count();
    }
    row.outcome("deleted: all frames; cut off: exit 7 and the frames that were left");
}
