//! A net as tract runs it: read from an ONNX file of ours, checked, and planned for a size of input.

use std::panic::{AssertUnwindSafe, UnwindSafe, catch_unwind};

use anyhow::{Context, Result, anyhow, ensure};
use tract_onnx::onnx;
use tract_onnx::pb::ModelProto;
use tract_onnx::prelude::*;
use tract_onnx::tract_core::internal::{RunOptions, multithread::Executor};

use crate::error::{Blame, Fault};
use crate::{vet, weights};

/// Runs a model's loader.
///
/// # Errors
/// [`Fault::Model`] for any of its errors, and if tract panics, which it does on some graphs that make no sense.
pub fn load<T>(loader: impl FnOnce() -> Result<T> + UnwindSafe) -> Result<T> {
    catch_unwind(loader)
        .unwrap_or_else(|_| Err(anyhow!("its graph makes no sense")))
        .blame(Fault::Model, || "the model cannot be used")
}

/// An ONNX file, nothing of which has been believed yet.
pub struct NetFile(ModelProto);

impl NetFile {
    /// Decodes a file's bytes.
    ///
    /// # Errors
    /// If they are no ONNX file.
    pub fn read(bytes: &[u8]) -> Result<Self> {
        let proto = onnx().proto_model_for_read(&mut &*bytes);
        proto.map(Self).map_err(|_| anyhow!("it is not an ONNX file, or a broken one"))
    }

    /// Its key-value pairs.
    pub fn metadata(&self) -> impl Iterator<Item = (String, String)> {
        self.0.metadata_props.iter().map(|entry| (entry.key.clone(), entry.value.clone()))
    }

    /// Checks the graph, which has to answer `n_values` numbers for an input of this width and height, and unpacks
    /// its weights.
    ///
    /// # Errors
    /// Says what is strange.
    pub fn parse(mut self, size: [usize; 2], n_values: usize) -> Result<Graph> {
        let graph = self.0.graph.as_mut().context("it holds no graph")?;
        vet::vet(graph, size, n_values)?;
        weights::expand(graph)?;
        // The parsed model has its own copy of the weights, and optimising makes another.
        let graph = onnx().model_for_proto_model(&self.0);
        Ok(Graph(graph.map_err(our_error).context("its graph cannot be run")?))
    }
}

/// A checked graph with its weights.
pub struct Graph(InferenceModel);

impl Graph {
    /// Lays the graph out for an input of this width and height, for which it answers `n_values` numbers.
    ///
    /// # Errors
    /// If it cannot be run.
    pub fn plan(&self, size: [usize; 2], n_values: usize, threads: usize) -> Result<Net> {
        let [width, height] = size;
        let shape = [1, 1, height, width];
        let graph = self.0.clone().with_output_fact(0, InferenceFact::default());
        let model = graph
            .and_then(|graph| graph.with_input_fact(0, f32::fact(shape).into()))
            .and_then(InferenceModel::into_typed)
            .map_err(our_error)
            .context("its graph cannot be run")?;
        vet::vet_sizes(&model)?;
        let model = model.into_optimized().map_err(our_error).context("its graph cannot be run")?;
        give_back_memory();
        let options = RunOptions { executor: Some(executor(threads)), ..RunOptions::default() };
        let state = model.into_runnable_with_options(&options)?.spawn()?;
        let mut net = Net { state, shape, n_values };
        net.run(&vec![0.0; width * height]).context("its graph cannot be run")?;
        Ok(net)
    }
}

/// A net that is ready to run.
pub struct Net {
    state: TypedSimpleState,
    shape: [usize; 4],
    n_values: usize,
}

impl Net {
    /// The net's answer to `height · width` normalised numbers.
    ///
    /// # Errors
    /// If there are more or fewer of them, or the net cannot be run.
    pub fn run(&mut self, numbers: &[f32]) -> Result<Vec<f32>> {
        let n: usize = self.shape.iter().product();
        ensure!(numbers.len() == n, "the input has {} numbers, not {n}", numbers.len());
        let input = Tensor::from_shape(&self.shape, numbers)?;
        let outputs = catch_unwind(AssertUnwindSafe(|| self.state.run(tvec!(input.into()))))
            .map_err(|_| anyhow!("tract failed inside the net"))?
            .map_err(our_error)?;
        let output = outputs.first().context("the net has no output")?;
        let expected = [1, self.n_values];
        ensure!(
            output.shape() == expected,
            "the net's output has shape {:?}, not {expected:?}",
            output.shape()
        );
        let view = output.to_plain_array_view::<f32>()?;
        Ok(view.as_slice().context("the net's output is not contiguous")?.to_vec())
    }
}

/// tract's error as one of ours, on one line.
fn our_error(error: TractError) -> anyhow::Error {
    anyhow!("{error:#}")
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
