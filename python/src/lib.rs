//! The module `facemark._native`: what the Python package `facemark` takes from the library. The package's own files
//! wrap it, and document it for users.

use std::path::{Path, PathBuf};

use facemark::Model;
use pyo3::exceptions::{PyOSError, PyRuntimeError, PyValueError};
use pyo3::prelude::*;

mod frame;
mod models;
mod tracker;

/// The compiled part of the package.
#[pymodule]
mod _native {
    use pyo3::prelude::*;

    #[pymodule_export]
    use crate::models::{contours, models};
    #[pymodule_export]
    use crate::tracker::Tracker;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("BLENDSHAPES", facemark::face::BLENDSHAPES.to_vec())?;
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}

/// The library's error as Python's. A net that fails to run is a `RuntimeError`, a file that cannot be read an
/// `OSError`; everything else is a wrong argument, a `ValueError`.
fn to_python(error: &facemark::Error) -> PyErr {
    let message = error.to_string();
    match error {
        facemark::Error::Run(_) => PyRuntimeError::new_err(message),
        facemark::Error::Read { .. } => PyOSError::new_err(message),
        _ => PyValueError::new_err(message),
    }
}

/// The landmark model of this name or in this file.
fn landmark_model(model: PathBuf) -> PyResult<Model> {
    match model.to_str() {
        _ if is_file(&model) => Ok(Model::File(model)),
        Some(models::COMPACT) => Ok(Model::Compact),
        Some(models::MESH) => Ok(Model::Mesh),
        _ => Err(unknown(&model, "\"compact\", \"mesh\"")),
    }
}

/// The detector's file; `None` for the built-in one.
fn detector(model: PathBuf) -> PyResult<Option<PathBuf>> {
    match model.to_str() {
        _ if is_file(&model) => Ok(Some(model)),
        Some(models::FACE) => Ok(None),
        _ => Err(unknown(&model, "\"face\"")),
    }
}

fn is_file(model: &Path) -> bool {
    model.components().count() > 1 || model.extension().is_some_and(|end| end == "onnx")
}

fn unknown(model: &Path, known: &str) -> PyErr {
    let message = format!("unknown model {model:?}; it has to be {known} or the path of an .onnx file");
    PyValueError::new_err(message)
}
