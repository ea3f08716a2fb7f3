//! Mutated annotations and recipes: whatever a file holds, it is read, or an error says what is wrong with it.
//!
//! The tracker's mutations and table are used, so that `make fuzz` runs and prints both crates' parsers.

use std::fs;

use image::GrayImage;

use crate::dataset::formats::Format;
use crate::dataset::load::annotations;
use crate::dataset::sample::read_sample;
use crate::dataset::{Reading, Sample, Source};
use crate::recipe::{NetKind, Recipe};
use crate::test_data;

#[path = "../../tests/fidelity/mutate.rs"]
mod mutate;
#[allow(dead_code, reason = "other tests need the rest")]
#[path = "../../tests/fidelity/table.rs"]
mod table;

use mutate::{feed, put};
use table::Row;

/// The files that are mutated; `make fuzz` begins with them, too.
macro_rules! seed {
    ($name:literal) => {
        include_bytes!(concat!("../../fuzz/seeds/", $name))
    };
}

/// Feeds mutations of `seed`, as a file called `name`, to a format's reader, and what it reads to the checks that all
/// formats share.
fn fuzz_format(case: &'static str, format: Format, name: &str, seed: &[u8]) {
    let mut row = Row::new(case);
    let folder = tempfile::tempdir().unwrap();
    let pictures = folder.path().join("WFLW_images");
    fs::create_dir(&pictures).unwrap();
    let file = folder.path().join(name);
    let picture = GrayImage::from_fn(120, 120, |x, y| image::Luma([(x * y) as u8]));
    for path in [folder.path().join("a.png"), pictures.join("a.png"), file.with_extension("png")] {
        picture.save(path).unwrap();
    }
    if format == Format::Open {
        test_data::open(folder.path(), 2).unwrap();
    }
    let data = Source::new(file.clone(), Reading { format: Some(format), skip_bad: true });
    let (fed, taken) = feed(&[seed.to_vec()], |bytes| {
        put(&file, bytes);
        let Ok((_, found)) = annotations(&data, None) else { return false };
        let samples = found.into_iter().filter_map(|face| read_sample(folder.path(), face.ok()?, None).ok());
        let check = |sample: Sample| {
            assert!(sample.region.is_usable() && !sample.photo.data().is_empty(), "{}", sample.name);
            assert!(sample.points.iter().all(|p| p.x.is_finite() && p.y.is_finite()), "{}", sample.name);
        };
        samples.map(check).count() > 0
    });
    row.runs(fed);
    row.outcome(format!("0 crashes; {taken} held a face that can be used"));
}

#[test]
fn fuzz_pts() {
    fuzz_format("fuzz: .pts (mutations)", Format::Ibug, "image_1.pts", seed!("pts"));
}

#[test]
fn fuzz_asf() {
    fuzz_format("fuzz: .asf (mutations)", Format::Imm, "01-1m.asf", seed!("asf"));
}

#[test]
fn fuzz_xml() {
    fuzz_format("fuzz: dlib's XML (mutations)", Format::IbugXml, "labels_ibug_300W_train.xml", seed!("xml"));
}

#[test]
fn fuzz_wflw() {
    fuzz_format(
        "fuzz: WFLW's lists (mutations)",
        Format::Wflw,
        "list_98pt_rect_attr_train.txt",
        seed!("wflw"),
    );
}

#[test]
fn fuzz_csv() {
    fuzz_format("fuzz: CSV (mutations)", Format::Csv, "faces.csv", seed!("csv"));
}

#[test]
fn fuzz_meshes() {
    let dir = tempfile::tempdir().unwrap();
    test_data::open(dir.path(), 2).unwrap();
    let seed = fs::read(dir.path().join("mesh478.npy")).unwrap();
    fuzz_format("fuzz: meshes in NumPy's format (mutations)", Format::Open, "mesh478.npy", &seed);
}

#[test]
fn fuzz_recipes() {
    let mut row = Row::new("fuzz: recipes in TOML (mutations)");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("recipe.toml");
    let recipes =
        [Recipe::best(NetKind::Nose), Recipe::course(NetKind::Nose), Recipe::best(NetKind::Resnet18)];
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
