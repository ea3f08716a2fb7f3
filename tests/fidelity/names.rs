//! Odd file names.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt;

use crate::fixtures::Bench;
use crate::program::{annotate, command, finish, frames, records};
use crate::table::Row;

#[test]
fn any_name_that_a_file_can_have() {
    let mut row = Row::new("names: spaces, quotes, leading dash, `%d`, line feed, non-UTF-8, 255 bytes");
    let bench = Bench::new();
    let clip = bench.video("-frames:v 5 -c:v libx264 -pix_fmt yuv420p", "a.mp4");
    let long = format!("{}.mp4", "x".repeat(251));
    let names: Vec<OsString> = [
        "sp ace.mp4",
        "qu'o\"te.mp4",
        "-dash.mp4",
        "%d.mp4",
        "%03d.mp4",
        "line\nfeed.mp4",
        "ünï.mp4",
        "http:x.mp4",
    ]
    .into_iter()
    .chain([&*long])
    .map(OsString::from)
    .chain([OsStr::from_bytes(b"bad\xff\xfe.mp4").to_owned()])
    .collect();
    for name in names {
        let input = bench.path("").join(&name);
        fs::copy(&clip, &input).unwrap();
        let folder = bench.path("out");
        fs::create_dir(&folder).unwrap();
        let outputs = [folder.join(&name), folder.join("o.jsonl"), folder.join("o.csv")];
        let run = annotate(&input, &[("-o", &outputs[0]), ("--jsonl", &outputs[1]), ("--csv", &outputs[2])]);
        assert_eq!(run.code, 0, "{name:?}: {run:?}");
        let file = records(&outputs[1])[0]["file"].as_str().unwrap().to_owned();
        assert!(file.ends_with(&*name.to_string_lossy()), "{file}");
        assert!(String::from_utf8(fs::read(&outputs[2]).unwrap()).is_ok(), "the CSV is UTF-8");
        // ffprobe mistakes some of these names for something else.
        fs::rename(&outputs[0], bench.path("again.mp4")).unwrap();
        assert_eq!(frames(&bench.path("again.mp4")), 5);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 2, "only the outputs are left");
        fs::remove_dir_all(folder).unwrap();
        fs::remove_file(input).unwrap();
        row.count();
    }
    // A name that begins with a dash as it is typed, in the current folder.
    fs::copy(&clip, bench.path("-v.mp4")).unwrap();
    let mut plain = command(["annotate", "--model", "nose", "-o", "o.mp4", "--", "-v.mp4"]);
    plain.current_dir(bench.path(""));
    let run = finish(plain);
    assert_eq!(run.code, 0, "{run:?}");
    row.count();
    row.outcome("all processed; JSON and CSV are UTF-8");
}
