//! Measures an exported model the way that the tracker uses it: tract, and the tracker's own crop.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use facemark::detect::FaceNet;
use facemark::model::LandmarkModel;
use facemark::{Options, Tracker, models};

pub mod bins;
pub mod calibrate;
pub mod faces;
pub mod find;
pub mod groups;
pub mod hard;
pub mod landmarks;
pub mod looks;
pub mod mistakes;
pub mod record;

/// A tracker of all faces with this detector and a landmark model, the built-in one if no file is given.
pub fn tracker(detector: FaceNet, landmarks: Option<&Path>) -> Result<Tracker> {
    let bytes = match landmarks {
        Some(file) => fs::read(file).with_context(|| format!("cannot read {}", file.display()))?,
        None => models::COMPACT.to_vec(),
    };
    let name = landmarks.unwrap_or(Path::new("the built-in model"));
    let model = LandmarkModel::from_bytes(&bytes, 1).with_context(|| name.display().to_string())?;
    let options = Options { smoothing: None, max_faces: usize::MAX, as_68: true, ..Options::default() };
    Ok(Tracker::with(Box::new(detector), Box::new(model), options))
}
