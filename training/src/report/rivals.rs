//! Other models on the same held-out faces.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use burn::tensor::backend::AutodiffBackend;
use facemark::face::Scheme;
use facemark::model::{LandmarkModel, Landmarker};

use crate::dataset::Sample;
use crate::eval::find::{find_all, grouped, summary};
use crate::eval::looks::{Given, look};
use crate::export::{self, Which};
use crate::metrics::Summary;
use crate::metrics::groups::Group;
use crate::nets::Storage;
use crate::run_dir::{Epoch, RunDir};

/// Another model's errors.
pub struct Rival {
    /// Its folder's or file's name.
    pub name: String,
    /// The course of its training, if it is a run.
    pub epochs: Vec<Epoch>,
    pub summary: Summary,
    pub groups: Vec<Group>,
}

/// Tries the best net of a run, or an exported file, on the faces; all are given the same.
///
/// # Errors
/// If it cannot be read or finds other points.
pub fn rival<B: AutodiffBackend>(
    path: &Path,
    faces: &[Sample],
    given: Given,
    scheme: Scheme,
    device: &B::Device,
) -> Result<Rival> {
    let (bytes, epochs) = if path.is_dir() {
        let exported = export::read::<B>(path, Which::Best, device)?;
        (exported.net.to_onnx(&exported.spec, Storage::F32), RunDir::open(path)?.0.metrics()?)
    } else {
        (fs::read(path).with_context(|| format!("cannot read {}", path.display()))?, Vec::new())
    };
    let mut model = LandmarkModel::from_bytes(&bytes, 1).with_context(|| path.display().to_string())?;
    let spec = model.spec().clone();
    ensure!(spec.scheme == scheme, "{} finds other points than the run", path.display());
    let looks = faces.iter().map(|sample| look(sample, &spec, given, false).map(Some));
    let found = find_all(&mut model, faces, &looks.collect::<Result<Vec<_>>>()?, scheme)?;
    let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
    Ok(Rival { name, epochs, summary: summary(&found, scheme), groups: grouped(faces, &found, scheme) })
}
