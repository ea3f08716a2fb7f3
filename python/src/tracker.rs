//! The tracker, and what it hands over for each face.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use facemark::face::{Place, Pose};
use facemark::geometry::bounds;
use facemark::{Face, Image, Measures, Options, Smoothing};
use numpy::{PyArray1, PyArray2, PyArrayMethods};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::frame::Frame;
use crate::{landmark_model, to_python};

/// The library's tracker. Calls from several threads wait for one another.
#[pyclass(frozen)]
pub struct Tracker {
    tracker: Mutex<facemark::Tracker>,
}

/// What `facemark.Face` is made of: the ID, the score, the box, the points and their scheme, what else the model says,
/// and what is measured.
type Found<'py> = (
    u32,
    f32,
    [f32; 4],
    Bound<'py, PyArray2<f32>>,
    &'static str,
    More<'py>,
    Option<Measured>,
    Option<Placed>,
    Option<Gazing<'py>>,
);
/// Depths and expected errors in pixels, and the shares of the blendshapes; empty if the model has none.
type More<'py> = (Bound<'py, PyArray1<f32>>, Bound<'py, PyArray1<f32>>, Vec<f32>);
/// Pitch, yaw and roll in degrees; the eyes on the left and on the right; whether they are closed; the mouth.
type Measured = ([f32; 3], [f32; 2], bool, f32);
/// The camera's field of view in degrees, the head's place in millimetres, and its rotation in degrees.
type Placed = (f32, [f32; 3], [f32; 3]);
/// The eyes' directions in the camera's axes and in the head's, which eyes are closed, and the mean direction's angles in
/// radians.
type Gazing<'py> = (Bound<'py, PyArray2<f32>>, Bound<'py, PyArray2<f32>>, [bool; 2], [f32; 2]);

#[pymethods]
impl Tracker {
    #[new]
    #[pyo3(signature = (*, model, detector, max_faces, smooth, small_faces, redetect_every, threads, pixel_aspect, fov, as_68))]
    #[expect(clippy::too_many_arguments, reason = "they are keywords in Python")]
    fn new(
        py: Python,
        model: PathBuf,
        detector: PathBuf,
        max_faces: Option<i64>,
        smooth: &str,
        small_faces: bool,
        redetect_every: i64,
        threads: i64,
        pixel_aspect: f32,
        fov: f32,
        as_68: bool,
    ) -> PyResult<Self> {
        if !(1.0..=179.0).contains(&fov) {
            let message =
                format!("fov is what the camera sees from left to right, from 1 to 179 degrees, not {fov}");
            return Err(PyValueError::new_err(message));
        }
        if !(0.25..=4.0).contains(&pixel_aspect) {
            let message =
                format!("pixel_aspect is a pixel's width / height, from 0.25 to 4, not {pixel_aspect}");
            return Err(PyValueError::new_err(message));
        }
        #[allow(clippy::needless_update, reason = "the library may get more options")]
        let options = Options {
            model: landmark_model(model)?,
            detector: crate::detector(detector)?,
            threads: positive("threads", threads)?,
            small_faces,
            max_faces: max_faces.map_or(Ok(usize::MAX), |n| positive("max_faces", n))?,
            redetect_every: u32::try_from(positive("redetect_every", redetect_every)?).unwrap_or(u32::MAX),
            smoothing: smoothing(smooth)?,
            measures: true,
            pixel_aspect,
            fov,
            as_68,
            ..Options::default()
        };
        let tracker = py.detach(|| facemark::Tracker::new(options)).map_err(|error| to_python(&error))?;
        Ok(Self { tracker: Mutex::new(tracker) })
    }

    fn track<'py>(&self, frame: &Bound<'py, PyAny>, time: f64, bgr: bool) -> PyResult<Vec<Found<'py>>> {
        self.faces(frame, bgr, |tracker, image| tracker.track(image, time))
    }

    fn find<'py>(&self, photo: &Bound<'py, PyAny>, bgr: bool) -> PyResult<Vec<Found<'py>>> {
        self.faces(photo, bgr, facemark::Tracker::still)
    }

    fn reset(&self, py: Python) {
        py.detach(|| self.lock().reset());
    }
}

impl Tracker {
    fn faces<'py>(
        &self,
        frame: &Bound<'py, PyAny>,
        bgr: bool,
        find: impl FnOnce(&mut facemark::Tracker, &Image) -> facemark::Result<Vec<Face>> + Send,
    ) -> PyResult<Vec<Found<'py>>> {
        let py = frame.py();
        let frame = Frame::new(frame, bgr)?;
        let image = frame.image()?;
        let (faces, scheme) = py.detach(|| {
            let mut tracker = self.lock();
            (find(&mut tracker, &image), tracker.scheme())
        });
        let faces = faces.map_err(|error| to_python(&error))?;
        faces.iter().map(|face| found(py, face, scheme.name())).collect()
    }

    /// Only a panic inside the library poisons the lock; the tracker forgets the last frame's faces and goes on.
    fn lock(&self) -> MutexGuard<'_, facemark::Tracker> {
        self.tracker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn found<'py>(py: Python<'py>, face: &Face, scheme: &'static str) -> PyResult<Found<'py>> {
    let (min, max) = bounds(face.landmarks.iter().copied());
    let bounds = [min.x, min.y, max.x - min.x, max.y - min.y];
    let points = array(py, face.landmarks.iter().map(|point| [point.x, point.y]))?;
    let facemark::face::More { depths, sigmas, blendshapes } = &face.more;
    let more = (PyArray1::from_slice(py, depths), PyArray1::from_slice(py, sigmas), blendshapes.clone());
    let measures = face.measures.as_ref();
    let gazing = measures.and_then(|measures| gazing(py, measures)).transpose()?;
    let placed = measures.and_then(|measures| measures.place).map(placed);
    Ok((face.id, face.score, bounds, points, scheme, more, measures.map(measured), placed, gazing))
}

fn array<const N: usize>(
    py: Python<'_>,
    rows: impl Iterator<Item = [f32; N]>,
) -> PyResult<Bound<'_, PyArray2<f32>>> {
    let numbers: Vec<f32> = rows.flatten().collect();
    let n_rows = numbers.len() / N;
    PyArray1::from_vec(py, numbers).reshape([n_rows, N])
}

fn placed(Place { translation, rotation, camera }: Place) -> Placed {
    (camera.fov().to_degrees(), translation, degrees(rotation))
}

fn gazing<'py>(py: Python<'py>, measures: &Measures) -> Option<PyResult<Gazing<'py>>> {
    let gaze = measures.gaze?;
    let arrays = || Ok((array(py, gaze.eyes.into_iter())?, array(py, gaze.in_head.into_iter())?));
    Some(arrays().map(|(eyes, in_head)| (eyes, in_head, measures.closed(), gaze.angles())))
}

fn degrees(pose: Pose) -> [f32; 3] {
    [pose.pitch, pose.yaw, pose.roll].map(f32::to_degrees)
}

fn measured(measures: &Measures) -> Measured {
    (degrees(measures.pose), measures.eyes, measures.blink(), measures.mouth)
}

fn positive(name: &str, value: i64) -> PyResult<usize> {
    let message = || PyValueError::new_err(format!("{name} has to be at least 1, not {value}"));
    usize::try_from(value).ok().filter(|&value| value > 0).ok_or_else(message)
}

fn smoothing(name: &str) -> PyResult<Option<Smoothing>> {
    match name {
        "off" => Ok(None),
        "low" => Ok(Some(Smoothing::LOW)),
        "high" => Ok(Some(Smoothing::HIGH)),
        _ => {
            Err(PyValueError::new_err(format!("smooth has to be \"off\", \"low\" or \"high\", not {name:?}")))
        }
    }
}
