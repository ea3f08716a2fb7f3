//! Films that are annotated in ranges and merged.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::fixtures::Bench;
use crate::program::{distance, facemark, landmarks, media, records, talker};
use crate::table::Row;

/// Twenty seconds of two faces that move, with a key frame every two seconds. They look into the camera: where a face is
/// nearly lost, two runs that begin at different times may differ for a while.
fn film(bench: &Bench) {
    let photo = media("astronaut.jpg");
    std::os::unix::fs::symlink(photo, bench.path("photo.jpg")).unwrap();
    let filter = "scale=320:-2,split[a][b];[b]hflip[c];[a][c]hstack,crop=480:240:80+60*sin(t):10+10*cos(t)";
    let encoding = "-c:v libx264 -pix_fmt yuv420p -g 48 -keyint_min 48 -sc_threshold 0";
    bench.ffmpeg(&format!("-loop 1 -r 24 -i photo.jpg -t 20 -filter_complex {filter} {encoding} film.mp4"));
    fs::write(bench.path("list"), bench.path("film.mp4").to_str().unwrap()).unwrap();
}

fn ids(records: &[Value]) -> Vec<Vec<u64>> {
    let of = |record: &Value| {
        record["faces"].as_array().unwrap().iter().map(|face| face["id"].as_u64().unwrap()).collect()
    };
    records.iter().map(of).collect()
}

fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

#[test]
fn merged_ranges_are_what_one_run_makes() {
    let mut row = Row::new("a film in ranges, merged");
    let bench = Bench::new();
    film(&bench);
    let (film, list, out) =
        (text(&bench.path("film.mp4")), text(&bench.path("list")), text(&bench.path("out")));
    let data = ["--jsonl", &out, "--csv", &out];
    // It is sure of the rendered heads, whichever way they turn.
    let detector = ["--detector", "face-research"];
    let split = ["annotate", "--list", &list, "--split", "6s", "--shard"];
    let run = |shard| facemark([&split[..], &[shard], &data, &detector].concat());
    assert_eq!(run("0/2").code, 0);
    let merge = facemark(["merge", &out]);
    assert!(merge.code == 3 && merge.stderr.contains("ranges these are missing"), "{merge:?}");
    assert_eq!(run("1/2").code, 0);
    let merge = facemark(["merge", &out]);
    assert_eq!(merge.code, 0, "{merge:?}");
    let (one, table) = (text(&bench.path("one.jsonl")), text(&bench.path("one.csv")));
    let single = ["annotate", &film, "--jsonl", &one, "--csv", &table];
    assert_eq!(facemark([&single[..], &detector].concat()).code, 0);
    let (whole, merged) = (records(Path::new(&one)), records(&bench.path("out/film.jsonl")));
    for key in ["frame", "time", "file"] {
        let of = |records: &[Value]| records.iter().map(|record| record[key].clone()).collect::<Vec<_>>();
        assert_eq!(of(&merged), of(&whole), "{key}");
    }
    assert!(ids(&whole)[100].len() == 2, "two faces are in view");
    assert_eq!(ids(&merged), ids(&whole));
    let off = distance(&landmarks(&merged), &landmarks(&whole));
    assert!(off <= 0.5, "{off} px");
    let columns = |path: &Path| -> Vec<String> {
        let rows = fs::read_to_string(path).unwrap();
        rows.lines().map(|row| row.split(',').take(3).collect::<Vec<_>>().join(",")).collect()
    };
    assert_eq!(columns(&bench.path("out/film.csv")), columns(Path::new(&table)));
    // Merged ranges are complete, even if they are gone.
    for entry in fs::read_dir(&out).unwrap().flatten() {
        if entry.file_name().to_str().unwrap().contains(".part-") {
            fs::remove_file(entry.path()).unwrap();
        }
    }
    let again = run("0/1");
    assert!(again.code == 0 && again.stderr.contains(" 0 annotated"), "{again:?}");
    row.count();
    row.outcome(format!("frames, times and IDs equal, landmarks at most {off:.2} px off"));
}

#[test]
fn ranges_without_a_key_frame_are_empty_and_nothing_is_lost() {
    let bench = Bench::new();
    talker(&bench, "-an -vf scale=240:-2 -c:v libx264 -pix_fmt yuv420p -g 1000 -sc_threshold 0", "film.mp4");
    let (film, out) = (text(&bench.path("film.mp4")), text(&bench.path("out")));
    fs::write(bench.path("list"), &film).unwrap();
    let data = ["--model", "nose", "--jsonl", &out, "--csv", &out];
    let list = text(&bench.path("list"));
    assert_eq!(facemark([&["annotate", "--list", &list, "--split", "1"], &data[..]].concat()).code, 0);
    assert_eq!(facemark(["merge", &out]).code, 0);
    let one = text(&bench.path("one.jsonl"));
    assert_eq!(facemark(["annotate", "--model", "nose", &film, "--jsonl", &one]).code, 0);
    assert_eq!(fs::read(bench.path("out/film.jsonl")).unwrap(), fs::read(&one).unwrap());
    assert!(fs::read_to_string(bench.path("out/film.csv")).unwrap().starts_with("frame,timestamp,"));
}
