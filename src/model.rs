//! A landmark model: an ONNX file of ours, run by tract.

use anyhow::Result;

use crate::crop::{crop, normalise};
use crate::face::{Point, Region};
use crate::frame::{Plane, Stage, Timing};
use crate::net::{self, Net, NetFile};
use crate::spec::ModelSpec;

/// Predicts the landmarks of a face in a region.
pub trait Landmarker: Send {
    /// What the model says of itself.
    fn spec(&self) -> &ModelSpec;

    /// The landmarks in image pixels, in the scheme's order; times go to [`Stage::Crop`] and [`Stage::Infer`].
    ///
    /// # Errors
    /// If the net cannot be run.
    fn landmarks(&mut self, luma: &Plane, region: &Region, timing: &mut Timing) -> Result<Vec<Point>>;
}

/// A loaded model with its buffers.
pub struct LandmarkModel {
    spec: ModelSpec,
    net: Net,
    pixels: Vec<u8>,
    numbers: Vec<f32>,
}

impl LandmarkModel {
    /// Loads a model from an ONNX file's bytes; `threads` is how many the net may use.
    ///
    /// # Errors
    /// [`Fault::Model`] if the bytes are no ONNX file, were not exported by facemark-train, or the graph does
    /// not do what its metadata says.
    pub fn from_bytes(bytes: &[u8], threads: usize) -> Result<Self> {
        net::load(|| Self::load(bytes, threads))
    }

    fn load(bytes: &[u8], threads: usize) -> Result<Self> {
        let file = NetFile::read(bytes)?;
        let spec = ModelSpec::from_metadata(file.metadata())?;
        let size = [spec.width, spec.height];
        let n_values = 2 * spec.scheme.n_points();
        let net = file.parse(size, n_values)?.plan(size, n_values, threads)?;
        let n_pixels = spec.width * spec.height;
        Ok(Self { spec, net, pixels: vec![0; n_pixels], numbers: vec![0.0; n_pixels] })
    }

    /// Runs the net on a normalised crop of `height · width` numbers; landmarks in unit crop coordinates.
    ///
    /// # Errors
    /// If the crop has another size or the net cannot be run.
    pub fn run(&mut self, crop: &[f32]) -> Result<Vec<Point>> {
        let values = self.net.run(crop)?;
        Ok(values.chunks_exact(2).map(|pair| Point::new(pair[0], pair[1])).collect())
    }
}

impl Landmarker for LandmarkModel {
    fn spec(&self) -> &ModelSpec {
        &self.spec
    }

    fn landmarks(&mut self, luma: &Plane, region: &Region, timing: &mut Timing) -> Result<Vec<Point>> {
        let to_image = self.spec.framing.crop_to_image(region);
        timing.measure(Stage::Crop, || {
            crop(luma, &to_image, self.spec.width, self.spec.height, &mut self.pixels);
            normalise(&self.pixels, self.spec.normalisation, &mut self.numbers);
        });
        let values = timing.measure(Stage::Infer, || self.net.run(&self.numbers))?;
        Ok(values.chunks_exact(2).map(|pair| to_image.apply(Point::new(pair[0], pair[1]))).collect())
    }
}
