//! A landmark model: an ONNX file of ours, run by tract.

use std::panic::{AssertUnwindSafe, catch_unwind};

use anyhow::{Context, Result, anyhow, ensure};
use tract_onnx::onnx;
use tract_onnx::pb::ModelProto;
use tract_onnx::prelude::*;
use tract_onnx::tract_core::internal::{RunOptions, multithread::Executor};

use crate::crop::{crop, normalise};
use crate::error::{Blame, Fault};
use crate::face::{Point, Region};
use crate::frame::{Plane, Stage, Timing};
use crate::spec::ModelSpec;
use crate::{vet, weights};

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
    state: TypedSimpleState,
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
        // tract panics on some graphs that make no sense.
        catch_unwind(|| Self::load(bytes, threads))
            .unwrap_or_else(|_| Err(anyhow!("its graph makes no sense")))
            .blame(Fault::Model, || "the model cannot be used")
    }

    fn load(bytes: &[u8], threads: usize) -> Result<Self> {
        let mut proto = onnx()
            .proto_model_for_read(&mut &*bytes)
            .map_err(|_| anyhow!("it is not an ONNX file, or a broken one"))?;
        let spec = read_spec(&proto)?;
        let graph = proto.graph.as_mut().context("it holds no graph")?;
        vet::vet(graph, &spec)?;
        weights::expand(graph)?;
        let parsed = onnx().model_for_proto_model(&proto);
        // The parsed model has its own copy of the weights, and optimising makes another.
        drop(proto);
        let shape = [1, 1, spec.height, spec.width];
        let model = parsed
            .and_then(|model| model.with_input_fact(0, f32::fact(shape).into()))
            .and_then(|model| model.into_typed())
            .map_err(|error| anyhow!("{error:#}"))
            .context("its graph cannot be run")?;
        vet::vet_sizes(&model)?;
        let model = model
            .into_optimized()
            .map_err(|error| anyhow!("{error:#}"))
            .context("its graph cannot be run")?;
        give_back_memory();
        let options = RunOptions { executor: Some(executor(threads)), ..RunOptions::default() };
        let state = model.into_runnable_with_options(&options)?.spawn()?;
        let size = spec.width * spec.height;
        let mut loaded = Self { spec, state, pixels: vec![0; size], numbers: vec![0.0; size] };
        loaded.predict().context("its graph cannot be run")?;
        Ok(loaded)
    }

    /// Runs the net on a normalised crop of `height · width` numbers; landmarks in unit crop coordinates.
    ///
    /// # Errors
    /// If the crop has another size or the net cannot be run.
    pub fn run(&mut self, crop: &[f32]) -> Result<Vec<Point>> {
        ensure!(
            crop.len() == self.numbers.len(),
            "the crop has {} numbers, not {}",
            crop.len(),
            self.numbers.len()
        );
        self.numbers.copy_from_slice(crop);
        self.predict()
    }

    /// Runs the net on `self.numbers`.
    fn predict(&mut self) -> Result<Vec<Point>> {
        let shape = [1, 1, self.spec.height, self.spec.width];
        let input = Tensor::from_shape(&shape, &self.numbers)?;
        let outputs = catch_unwind(AssertUnwindSafe(|| self.state.run(tvec!(input.into()))))
            .map_err(|_| anyhow!("tract failed inside the net"))?
            .map_err(|error| anyhow!("{error:#}"))?;
        let output = outputs.first().context("the net has no output")?;
        let expected = [1, 2 * self.spec.scheme.n_points()];
        ensure!(
            output.shape() == expected,
            "the net's output has shape {:?}, not {expected:?}",
            output.shape()
        );
        let view = output.to_plain_array_view::<f32>()?;
        let values = view.as_slice().context("the net's output is not contiguous")?;
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
        let points = timing.measure(Stage::Infer, || self.predict())?;
        Ok(points.into_iter().map(|point| to_image.apply(point)).collect())
    }
}

fn read_spec(proto: &ModelProto) -> Result<ModelSpec> {
    ModelSpec::from_metadata(
        proto.metadata_props.iter().map(|entry| (entry.key.clone(), entry.value.clone())),
    )
}

/// Returns freed memory to the system: loading has needed several times the weights' size, which glibc would keep.
fn give_back_memory() {
    #[cfg(target_env = "gnu")]
    // SAFETY: malloc_trim may be called at any time from any thread; it only releases pages without live memory.
    unsafe {
        libc::malloc_trim(0);
    }
}

fn executor(threads: usize) -> Executor {
    if threads > 1 { Executor::multithread(threads) } else { Executor::SingleThread }
}
