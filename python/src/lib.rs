//! The module `facemark._native`: what the Python package `facemark` takes from the library. The package's own files
//! wrap it, and document it for users.

use std::path::PathBuf;

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

/// The file of a model; `None` for the built-in one, which is called `built_in`.
fn model_file(model: PathBuf, built_in: &str) -> PyResult<Option<PathBuf>> {
    let is_file = model.components().count() > 1 || model.extension().is_some_and(|end| end == "onnx");
    if is_file {
        return Ok(Some(model));
    }
    if model.as_os_str() == built_in {
        return Ok(None);
    }
    let message = format!("unknown model {model:?}; it has to be {built_in:?} or the path of an .onnx file");
    Err(PyValueError::new_err(message))
}
