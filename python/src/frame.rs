//! A picture in numpy's memory.

use facemark::{Image, Layout};
use numpy::{
    PyArrayDescrMethods, PyArrayDyn, PyArrayMethods, PyReadonlyArrayDyn, PyUntypedArray,
    PyUntypedArrayMethods, dtype,
};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;

use crate::to_python;

/// A picture in a numpy array, which is copied only if its pixels do not lie one after another.
pub struct Frame<'py> {
    array: PyReadonlyArrayDyn<'py, u8>,
    layout: Layout,
    width: usize,
    height: usize,
}

impl<'py> Frame<'py> {
    /// Checks the array's type and shape; `bgr` says in which order it has its colours, if it has any.
    ///
    /// # Errors
    /// `TypeError` for anything but an array, `ValueError` for other numbers than bytes and other shapes than a
    /// picture's.
    pub fn new(frame: &Bound<'py, PyAny>, bgr: bool) -> PyResult<Self> {
        let Ok(array) = frame.cast::<PyUntypedArray>() else {
            let kind = frame.get_type().fully_qualified_name()?;
            let message =
                format!("a frame has to be a numpy array, not {kind}; numpy.asarray may make one of it");
            return Err(PyTypeError::new_err(message));
        };
        if !array.dtype().is_equiv_to(&dtype::<u8>(frame.py())) {
            let message =
                format!("a frame has to hold numbers of type uint8 from 0 to 255, not {}", array.dtype());
            return Err(PyValueError::new_err(message));
        }
        let (height, width, layout) = match *array.shape() {
            [height, width] => (height, width, Layout::Luma),
            [height, width, 3] if bgr => (height, width, Layout::Bgr),
            [height, width, 3] => (height, width, Layout::Rgb),
            _ => {
                let shape = array.getattr("shape")?;
                let message = format!(
                    "a frame has to have the shape (height, width) or (height, width, 3), not {shape}"
                );
                return Err(PyValueError::new_err(message));
            }
        };
        let packed = if array.is_c_contiguous() { frame } else { &frame.call_method1("copy", ("C",))? };
        let array = packed.cast::<PyArrayDyn<u8>>()?.try_readonly()?;
        Ok(Self { array, layout, width, height })
    }

    /// The picture as the library takes it.
    ///
    /// # Errors
    /// `ValueError` if it has no pixels.
    pub fn image(&self) -> PyResult<Image<'_>> {
        let &Self { layout, width, height, .. } = self;
        let pixels = self.array.as_slice()?;
        Image::with_stride(layout, width, height, width * layout.bytes(), pixels)
            .map_err(|error| to_python(&error))
    }
}
