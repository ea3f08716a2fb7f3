//! The trainer's readers of annotations and the tracker's of a model's metadata, for libFuzzer. `PARSER` names one of
//! `seeds`.
#![no_main]
#![allow(dead_code, unused_imports, reason = "the trainer uses the rest")]

#[path = "../../training/src/dataset/mod.rs"]
mod dataset;

use std::env;
use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use dataset::formats::Format;
use dataset::{Reading, Source};
use facemark::onnx::spec::Spec;
use libfuzzer_sys::fuzz_target;

/// What is fed, and the file that it is written to; metadata need none.
static PARSER: LazyLock<Option<(Format, PathBuf)>> = LazyLock::new(|| {
    let (format, name) = match env::var("PARSER").expect("PARSER names a seed").as_str() {
        "pts" => (Format::Ibug, "image_1.pts"),
        "asf" => (Format::Imm, "01-1m.asf"),
        "xml" => (Format::IbugXml, "labels_ibug_300W_train.xml"),
        "wflw" => (Format::Wflw, "list_98pt_rect_attr_train.txt"),
        "csv" => (Format::Csv, "faces.csv"),
        "meta" => return None,
        other => panic!("there is no parser {other}"),
    };
    let folder = tempfile::tempdir().expect("a folder can be made").keep();
    let pictures = folder.join("WFLW_images");
    fs::create_dir(&pictures).expect("a folder can be made");
    for path in [folder.join("a.png"), folder.join("image_1.png"), pictures.join("a.png")] {
        image::GrayImage::from_fn(120, 120, |x, y| image::Luma([(x * y) as u8]))
            .save(path)
            .expect("a picture");
    }
    Some((format, folder.join(name)))
});

fuzz_target!(|data: &[u8]| {
    let Some((format, file)) = &*PARSER else {
        let text = String::from_utf8_lossy(data);
        let pairs = text.lines().filter_map(|line| line.split_once('='));
        let _ = Spec::from_metadata(pairs.map(|(key, value)| (key.to_owned(), value.to_owned())));
        return;
    };
    let _ = fs::remove_file(file);
    fs::write(file, data).expect("the file can be written");
    let reading = Reading { format: Some(*format), skip_bad: true };
    let _ = dataset::check::check(&Source::new(file.clone(), reading));
});
