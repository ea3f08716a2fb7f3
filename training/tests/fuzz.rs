//! Mutated annotations and recipes: whatever a file holds, the trainer reads it or says what is wrong with it.
//!
//! A few hundred here; `make fuzz` takes as long as it is told.
// The helpers are tests too; clippy only sees the functions that are marked so.
#![allow(clippy::unwrap_used)]

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

/// Files that one run of the program reads.
const FILES_A_RUN: u32 = 100;

fn duration() -> Duration {
    let seconds = std::env::var("FACEMARK_FUZZ").ok().and_then(|text| text.parse().ok()).unwrap_or(1);
    Duration::from_secs(seconds)
}

/// Numbers that look random and are the same every time: xorshift64, Marsaglia 2003.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % end as u64) as usize
    }
}

/// What numbers, names and markup can turn into.
const WORDS: [&str; 16] = [
    "nan",
    "inf",
    "-1",
    "1e39",
    "99999999999999999999",
    "",
    " ",
    "\n",
    "{",
    "}",
    "<",
    "&#0;",
    "../..",
    "\0",
    "ü",
    "\"",
];

fn mutated(text: &str, random: &mut Random) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    for _ in 0..=random.below(6) {
        let at = random.below(bytes.len() + 1);
        let end = (at + random.below(24)).min(bytes.len());
        match random.below(4) {
            0 => drop(bytes.drain(at..end)),
            1 => drop(bytes.splice(at..end, WORDS[random.below(WORDS.len())].bytes())),
            2 => bytes.splice(at..at, text.bytes().skip(at).take(random.below(64))).for_each(drop),
            _ => bytes.splice(at..end, [random.below(256) as u8]).for_each(drop),
        }
    }
    bytes
}

fn trainer(args: &[&Path]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_facemark-train")).args(args).output().unwrap()
}

#[track_caller]
fn assert_sane(output: &Output, kept: &Path) {
    let said = String::from_utf8_lossy(&output.stderr);
    let is_sane = output.status.code().is_some_and(|code| code < 100) && !said.contains("panicked");
    assert!(is_sane, "{}: {said}, with the files in {}", output.status, kept.display());
}

/// Checks folders of mutations of `text`, named by `name`, until the time is over.
fn fuzz_data(name: impl Fn(u32) -> String, text: &str) {
    let start = Instant::now();
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    let mut number = 0;
    while number == 0 || start.elapsed() < duration() {
        let folder = tempfile::tempdir().unwrap();
        for _ in 0..FILES_A_RUN {
            let file = folder.path().join(name(number));
            fs::write(&file, mutated(text, &mut random)).unwrap();
            image::GrayImage::new(8, 8).save(file.with_extension("png")).unwrap();
            number += 1;
        }
        let output = trainer(&["data".as_ref(), "check".as_ref(), folder.path(), "--skip-bad".as_ref()]);
        // Kept when something is found, to be looked at.
        let kept = folder.keep();
        assert_sane(&output, &kept);
        fs::remove_dir_all(kept).unwrap();
    }
    println!("{number} mutations, 0 crashes");
}

fn lines(n: u32, line: impl Fn(u32) -> String) -> String {
    (0..n).fold(String::new(), |mut text, i| {
        let _ = writeln!(text, "{}", line(i));
        text
    })
}

#[test]
fn fuzz_pts() {
    let points = lines(68, |i| format!("{}.5 {i}.25", i + 1));
    fuzz_data(|i| format!("image_{i:06}.pts"), &format!("version: 1\nn_points: 68\n{{\n{points}}}\n"));
}

#[test]
fn fuzz_asf() {
    let points = lines(58, |i| format!("0 0 0.{i:02} 0.5 {i} 1 2"));
    fuzz_data(|i| format!("{:02}-{}m.asf", i % 40 + 1, i), &format!("# IMM\n58\n{points}01-1m.png\n"));
}

#[test]
fn fuzz_xml() {
    let parts = lines(68, |i| format!("<part name='{i:02}' x='{i}' y='{}'/>", i + 1));
    let face = format!("<box top='1' left='2' width='90' height='80'>\n{parts}</box>\n");
    let text = format!(
        "<?xml version='1.0'?>\n<dataset>\n<images>\n<image file='a.png'>\n{face}</image>\n</images>\n</dataset>\n"
    );
    fuzz_data(|i| format!("labels_ibug_300W_{i}.xml"), &text);
}

#[test]
fn fuzz_wflw() {
    let line = lines(98, |i| format!("{i}.5 {i}.25")).replace('\n', " ");
    fuzz_data(
        |i| format!("list_98pt_rect_attr_{i}.txt"),
        &format!("{line} 1 2 90 80 0 0 0 0 0 0 0--a/a.png\n").repeat(2),
    );
}

#[test]
fn fuzz_csv() {
    let text = "file,x,y,w,h,x0,y0\na.png,1,2,30,40,5.5,6.5\n\"b,c.png\",,,,,5,6\n";
    fuzz_data(|i| format!("faces{i}.csv"), text);
}

#[test]
fn fuzz_recipes() {
    let start = Instant::now();
    let mut random = Random(7);
    let folder = tempfile::tempdir().unwrap();
    let recipe = folder.path().join("recipe.toml");
    let text = "epochs = 3\nbatch = 8\nlearning_rate = 1e-3\nseed = 1\n[augment]\nrotation = 10.0\n";
    let mut number = 0;
    while number == 0 || start.elapsed() < duration() {
        fs::write(&recipe, mutated(text, &mut random)).unwrap();
        let [train, nose, data, out] = ["train", "nose", "--data", "--out"].map(Path::new);
        let (nowhere, run) = (folder.path().join("nowhere"), folder.path().join("run"));
        assert_sane(
            &trainer(&[train, nose, data, &nowhere, out, &run, "--recipe".as_ref(), &recipe]),
            &recipe,
        );
        // A run's own recipe is read by everything that goes on with it.
        assert_sane(&trainer(&["export".as_ref(), folder.path(), "-o".as_ref(), &run]), &recipe);
        number += 1;
    }
    println!("{number} mutations, 0 crashes");
}
