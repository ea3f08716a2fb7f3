//! How to track, and with which models.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::detect::FaceNet;
use crate::error::{Error, Result};
use crate::face::Smoothing;
use crate::model::LandmarkModel;
use crate::models;
use crate::onnx::MAX_FILE;

/// A landmark model.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Model {
    /// [`models::COMPACT`]: the 68 landmarks of 300-W.
    #[default]
    Compact,
    /// [`models::MESH`]: the 478 landmarks of MediaPipe's face mesh, and what else it says of a face.
    Mesh,
    /// An ONNX file that facemark-train exported.
    File(PathBuf),
}

/// How to track.
///
/// Later versions may have more fields, so end with the defaults:
///
/// ```
/// let options = facemark::Options { max_faces: 1, measures: true, ..Default::default() };
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Options {
    /// The landmark model. Default: [`Model::Compact`].
    pub model: Model,
    /// The face detector's ONNX file. Default: `None`, which is [`models::FACE`].
    pub detector: Option<PathBuf>,
    /// How many threads each net may use; 0 counts as 1, more than there are cores as the number of cores.
    /// Default: 1, which is best for all but the largest nets.
    pub threads: usize,
    /// Whether to look for small faces, too: 15 px and more in a picture of 640×480 instead of 30 px. Looking
    /// for faces then takes seven times as long. Default: false.
    pub small_faces: bool,
    /// How many faces to follow at most, [`usize::MAX`] for all; the detector's highest scores come first. Default: 4.
    pub max_faces: usize,
    /// While all known faces are in view, the detector looks for new ones once in this many frames; 0 counts
    /// as 1. While [`max_faces`](Self::max_faces) are followed, it does so 15 times more rarely. Default: 10.
    pub redetect_every: u32,
    /// How to smooth the landmarks over time, if at all. Default: [`Smoothing::LOW`].
    pub smoothing: Option<Smoothing>,
    /// Whether to give the 68 landmarks of 300-W in place of a mesh, for programs that know no others. Landmarks of
    /// other schemes stay as they are. Default: false.
    pub as_68: bool,
    /// Whether to compute [`Measures`](crate::Measures), if the scheme [has](crate::Measures::has) them. Default: false.
    pub measures: bool,
    /// The horizontal field of view of the camera in degrees, for where heads are in space. Default: 60, about that of a
    /// webcam.
    pub fov: f32,
    /// A pixel's width / height. Values below 1/4 and above 4 are taken for mistakes and count as 1.
    /// Default: 1.
    pub pixel_aspect: f32,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            model: Model::Compact,
            detector: None,
            threads: 1,
            small_faces: false,
            max_faces: 4,
            redetect_every: 10,
            smoothing: Some(Smoothing::LOW),
            as_68: false,
            measures: false,
            fov: 60.0,
            pixel_aspect: 1.0,
        }
    }
}

impl Options {
    /// Loads the models.
    pub(super) fn load(&self) -> Result<(FaceNet, LandmarkModel)> {
        let (file, built_in) = match &self.model {
            Model::Compact => (None, models::COMPACT),
            Model::Mesh => (None, models::MESH),
            Model::File(path) => (Some(path.as_path()), models::COMPACT),
        };
        let model = with_bytes(file, built_in, |bytes| LandmarkModel::from_bytes(bytes, self.threads))?;
        let detector = with_bytes(self.detector.as_deref(), models::FACE, |bytes| {
            FaceNet::from_bytes(bytes, self.threads)
        })?;
        Ok((if self.small_faces { detector.with_small_faces() } else { detector }, model))
    }
}

/// Loads a model's bytes, read from a file or the built-in ones.
fn with_bytes<T>(path: Option<&Path>, built_in: &[u8], load: impl FnOnce(&[u8]) -> Result<T>) -> Result<T> {
    let Some(path) = path else { return load(built_in) };
    let mut bytes = Vec::new();
    // Devices have no size, so reading itself has to stop at the limit.
    File::open(path)
        .and_then(|file| file.take(MAX_FILE + 1).read_to_end(&mut bytes))
        .map_err(|source| Error::Read { path: path.to_owned(), source })?;
    if bytes.len() as u64 > MAX_FILE {
        let message = format!("{} has more than {MAX_FILE} bytes, so it is not one of ours", path.display());
        return Err(Error::Model(message));
    }
    load(&bytes).map_err(|error| match error {
        Error::Model(why) => Error::Model(format!("{}: {why}", path.display())),
        other => other,
    })
}
