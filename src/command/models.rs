//! `facemark models`.

use anyhow::Result;

use super::print;
use crate::catalog::{self, Entry};
use crate::model::Landmarker;

/// Prints the models.
///
/// # Errors
/// If nobody reads standard output. A file that is no model is listed as such.
pub fn models() -> Result<()> {
    let header = format!("{:<12}{:>7}{:>9}{:>8}  validation\n", "model", "points", "input", "MB");
    print(&catalog::list().iter().fold(header, |table, entry| table + &model_row(entry)))
}

fn model_row(entry: &Entry) -> String {
    let name = entry.name();
    let model = match entry.load(1) {
        Ok(model) => model,
        Err(error) => return format!("{error:#}\n"),
    };
    let spec = model.spec();
    let (points, input) = (spec.scheme.n_points(), format!("{}x{}", spec.width, spec.height));
    let validation = spec.training.get("validation").map_or("", String::as_str);
    let mark = if name == catalog::DEFAULT { " (default)" } else { "" };
    let megabytes = entry.size() as f64 / 1e6;
    format!("{name:<12}{points:>7}{input:>9}{megabytes:>8.1}  {validation}{mark}\n")
}
