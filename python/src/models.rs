//! What the built-in models and the landmark schemes say about themselves.

use facemark::Scheme;
use facemark::onnx::spec::{RESEARCH_ONLY, Spec, TERMS};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::to_python;

/// The names under which the built-in models are chosen.
pub const COMPACT: &str = "compact";
/// The mesh's.
pub const MESH: &str = "mesh";
/// The detector's.
pub const FACE: &str = "face";

/// A dictionary for each built-in model.
#[pyfunction]
pub fn models(py: Python<'_>) -> PyResult<Vec<Bound<'_, PyDict>>> {
    [(COMPACT, facemark::models::COMPACT), (MESH, facemark::models::MESH), (FACE, facemark::models::FACE)]
        .into_iter()
        .map(|(name, bytes)| {
            let model = PyDict::new(py);
            model.set_item("name", name)?;
            let (width, height, training) = match Spec::of_file(bytes).map_err(|error| to_python(&error))? {
                Spec::Landmarks(spec) => {
                    model.set_item("finds", "landmarks")?;
                    model.set_item("scheme", spec.scheme.name())?;
                    model.set_item("points", spec.scheme.n_points())?;
                    (spec.width, spec.height, spec.training)
                }
                Spec::FaceDetector(spec) => {
                    model.set_item("finds", "faces")?;
                    (spec.width, spec.height, spec.training)
                }
            };
            model.set_item("input", (width, height))?;
            model.set_item("bytes", bytes.len())?;
            model.set_item("error", training.get("test"))?;
            model.set_item("terms", training.get(TERMS).map_or(RESEARCH_ONLY, String::as_str))?;
            Ok(model)
        })
        .collect()
}

/// The contours of a scheme: for each its points' indices in the line's order, and whether it is closed.
#[pyfunction]
pub fn contours(scheme: &str) -> PyResult<Vec<(Vec<usize>, bool)>> {
    let Some(scheme) = Scheme::from_name(scheme) else {
        return Err(PyValueError::new_err(format!("there is no landmark scheme {scheme:?}")));
    };
    Ok(scheme.contours().iter().map(|contour| (contour.points.to_vec(), contour.closed)).collect())
}
