//! Mutated annotations and recipes: whatever a file holds, it is read, or an error says what is wrong with it.
//!
//! The tracker's mutations and table are used, so that `make fuzz` runs and prints both crates' parsers.

use std::fs;

use facemark::frame::Plane;
use image::GrayImage;

use super::{Format, Reading, Source, annotations, read_sample};
use crate::config::Recipe;
use crate::nets::NetKind;

#[path = "../../../tests/fidelity/mutate.rs"]
mod mutate;
#[allow(dead_code, reason = "other tests need the rest")]
#[path = "../../../tests/fidelity/table.rs"]
mod table;

use mutate::{feed, put};
use table::Row;

/// A line for each of `n` points on a circle, made of its number and coordinates.
fn circle(n: u32, line: impl Fn(u32, f32, f32) -> String) -> String {
    let point = |i: u32| {
        let angle = std::f32::consts::TAU * i as f32 / n as f32;
        line(i, 60.0 + 40.0 * angle.cos(), 60.0 + 40.0 * angle.sin())
    };
    (0..n).map(point).collect()
}

/// Feeds mutations of `text`, as a file called `name`, to a format's reader, and what it reads to the checks that all
/// formats share.
fn fuzz_format(case: &'static str, format: Format, name: &str, text: &str) {
    let mut row = Row::new(case);
    let folder = tempfile::tempdir().unwrap();
    let pictures = folder.path().join("WFLW_images");
    fs::create_dir(&pictures).unwrap();
    let file = folder.path().join(name);
    let picture = GrayImage::from_fn(120, 120, |x, y| image::Luma([(x * y) as u8]));
    for path in [folder.path().join("a.png"), pictures.join("a.png"), file.with_extension("png")] {
        picture.save(path).unwrap();
    }
    let data = Source { path: file.clone(), reading: Reading { format: Some(format), skip_bad: true } };
    let (fed, taken) = feed(&[text.as_bytes().to_vec()], |bytes| {
        put(&file, bytes);
        let Ok((_, found)) = annotations(&data, None) else { return false };
        let samples = found.into_iter().filter_map(|face| read_sample(folder.path(), face.ok()?, None).ok());
        let check = |sample: super::Sample| {
            let Plane { width, height, .. } = *sample.photo;
            assert!(sample.region.is_usable() && width * height > 0, "{}", sample.name);
            assert!(sample.points.iter().all(|p| p.x.is_finite() && p.y.is_finite()), "{}", sample.name);
        };
        samples.map(check).count() > 0
    });
    row.runs(fed);
    row.outcome(format!("0 crashes; {taken} held a face that can be used"));
}

#[test]
fn fuzz_pts() {
    let points = circle(68, |_, x, y| format!("{x:.3} {y:.3}\n"));
    let text = format!("version: 1\nn_points: 68\n{{\n{points}}}\n");
    fuzz_format("fuzz: .pts (mutations)", Format::Ibug, "image_1.pts", &text);
}

#[test]
fn fuzz_asf() {
    let points = circle(58, |i, x, y| format!("0 4 {:.4} {:.4} {i} {i} {}\n", x / 120.0, y / 120.0, i + 1));
    fuzz_format("fuzz: .asf (mutations)", Format::Imm, "01-1m.asf", &format!("# IMM\n58\n{points}a.png\n"));
}

#[test]
fn fuzz_xml() {
    let parts = circle(68, |i, x, y| format!("<part name='{i:02}' x='{x:.0}' y='{y:.0}'/>\n"));
    let face = format!("<box top='20' left='20' width='80' height='80'>\n{parts}</box>\n");
    let image = format!("<image file='a.png'>\n{face}</image>\n");
    let text = format!("<?xml version='1.0'?>\n<dataset>\n<images>\n{image}{image}</images>\n</dataset>\n");
    fuzz_format("fuzz: dlib's XML (mutations)", Format::IbugXml, "labels_ibug_300W_train.xml", &text);
}

#[test]
fn fuzz_wflw() {
    let line = circle(98, |_, x, y| format!("{x:.3} {y:.3} ")) + "20 20 100 100 0 0 0 0 0 0 a.png\n";
    fuzz_format("fuzz: WFLW's lists (mutations)", Format::Wflw, "list_98pt_rect_attr_train.txt", &line.repeat(2));
}

#[test]
fn fuzz_csv() {
    let header = circle(58, |i, _, _| format!(",x{i},y{i}"));
    let row = circle(58, |_, x, y| format!(",{x:.2},{y:.2}"));
    let text = format!("file,x,y,w,h{header}\na.png,20,20,80,80{row}\n\"a.png\",,,,{row}\n");
    fuzz_format("fuzz: CSV (mutations)", Format::Csv, "faces.csv", &text);
}

#[test]
fn fuzz_recipes() {
    let mut row = Row::new("fuzz: recipes in TOML (mutations)");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("recipe.toml");
    let recipes = [Recipe::best(NetKind::Nose), Recipe::course(NetKind::Nose), Recipe::best(NetKind::Resnet18)];
    let seeds = recipes.map(|recipe| recipe.to_toml().unwrap().into_bytes());
    let (fed, taken) = feed(&seeds, |bytes| {
        put(&file, bytes);
        let _ = Recipe::custom(NetKind::Nose, &file);
        let Ok(recipe) = Recipe::load(&file) else { return false };
        // What is taken can be written, read again and followed.
        assert_eq!(toml::from_str::<Recipe>(&recipe.to_toml().unwrap()).unwrap(), recipe);
        assert!((0..3).all(|step| recipe.learning_rate(step, 3).is_finite()), "{recipe:?}");
        true
    });
    row.runs(fed);
    row.outcome(format!("0 crashes; {taken} made sense"));
}
