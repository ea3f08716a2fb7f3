//! `facemark models`.

use anyhow::Result;
use facemark::onnx::spec::Spec;

use super::common::print;
use crate::catalog::{self, Entry};

/// Prints the models.
///
/// # Errors
/// If standard output has no reader. A file that is not a model is listed as such.
pub fn models() -> Result<()> {
    let header =
        format!("{:<12}{:>7}{:>9}{:>8}  {:<40}validation\n", "model", "finds", "input", "MB", "terms");
    print(catalog::list().iter().fold(header, |table, entry| table + &model_row(entry)))
}

fn model_row(entry: &Entry) -> String {
    let (spec, terms) = match entry.spec().and_then(|spec| Ok((spec, entry.terms()?))) {
        Ok(known) => known,
        Err(error) => return format!("{error:#}\n"),
    };
    let validation = spec.training().get("validation_nme").or_else(|| spec.training().get("test")).cloned();
    let (points, (width, height), measure) = match spec {
        Spec::FaceDetector(spec) => ("faces".to_owned(), (spec.width, spec.height), "1 - IoU"),
        Spec::Landmarks(spec) => (spec.scheme.n_points().to_string(), (spec.width, spec.height), "NME"),
    };
    let (name, input) = (entry.name(), format!("{width}x{height}"));
    let validation = validation.map_or("-".to_owned(), |error| format!("{measure} {error}"));
    let mark = if [catalog::DEFAULT, catalog::DETECTOR].contains(&name.as_str()) { " (default)" } else { "" };
    let megabytes = entry.size() as f64 / 1e6;
    format!("{name:<12}{points:>7}{input:>9}{megabytes:>8.1}  {terms:<40}{validation}{mark}\n")
}
