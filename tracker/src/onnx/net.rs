//! A net as tract runs it: read from an ONNX file of ours, checked, and planned for a size of input.

use std::panic::{AssertUnwindSafe, UnwindSafe, catch_unwind};

use tract_onnx::onnx;
use tract_onnx::pb::ModelProto;
use tract_onnx::prelude::*;
use tract_onnx::tract_core::internal::{RunOptions, multithread::Executor};

use super::{limits, weights};
use crate::error::{Error, Result};

/// Runs a model's loader.
///
/// # Errors
/// Its own, and [`Error::Model`] if tract panics, which it does on some graphs that make no sense.
pub fn load<T>(loader: impl FnOnce() -> Result<T> + UnwindSafe) -> Result<T> {
    catch_unwind(loader).unwrap_or_else(|_| Err(Error::Model("its graph makes no sense".to_owned())))
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
        proto.map(Self).map_err(|_| Error::Model("it is not an ONNX file, or a broken one".to_owned()))
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
        let Some(graph) = self.0.graph.as_mut() else {
            return Err(Error::Model("it holds no graph".to_owned()));
        };
        limits::check(graph, size, n_values)?;
        weights::expand(graph)?;
        // The parsed model has its own copy of the weights, and optimising makes another.
        let graph = onnx().model_for_proto_model(&self.0);
        Ok(Graph(graph.map_err(unusable)?))
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
            .map_err(unusable)?;
        limits::check_sizes(&model)?;
        let model = model.into_optimized().map_err(unusable)?;
        give_back_memory();
        let options = RunOptions { executor: Some(executor(threads)), ..RunOptions::default() };
        let state =
            model.into_runnable_with_options(&options).and_then(|model| model.spawn()).map_err(unusable)?;
        let mut net = Net { state, shape, n_values };
        net.run(&vec![0.0; width * height]).map_err(|error| match error {
            Error::Run(why) => Error::Model(format!("its graph cannot be run: {why}")),
            other => other,
        })?;
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
    /// [`Error::Run`] if there are more or fewer of them, or the net cannot be run.
    pub fn run(&mut self, numbers: &[f32]) -> Result<Vec<f32>> {
        let n: usize = self.shape.iter().product();
        if numbers.len() != n {
            return Err(Error::Run(format!("the input has {} numbers, not {n}", numbers.len())));
        }
        let answer = catch_unwind(AssertUnwindSafe(|| self.answer(numbers)))
            .unwrap_or_else(|_| Err(TractError::msg("tract failed inside the net")))
            .map_err(|error| Error::Run(format!("{error:#}")))?;
        if answer.len() != self.n_values {
            let (found, expected) = (answer.len(), self.n_values);
            return Err(Error::Run(format!("it answered {found} numbers, not {expected}")));
        }
        Ok(answer)
    }

    fn answer(&mut self, numbers: &[f32]) -> TractResult<Vec<f32>> {
        let input = Tensor::from_shape(&self.shape, numbers)?;
        let outputs = self.state.run(tvec!(input.into()))?;
        let view = outputs.first().map(|output| output.to_plain_array_view::<f32>()).transpose()?;
        Ok(view.map(|numbers| numbers.iter().copied().collect()).unwrap_or_default())
    }
}

/// tract's error about a graph as one of ours, on one line.
fn unusable(error: TractError) -> Error {
    Error::Model(format!("its graph cannot be run: {error:#}"))
}

/// Returns freed memory to the system: loading has needed several times the weights' size, which glibc would keep.
fn give_back_memory() {
    #[cfg(target_env = "gnu")]
    // SAFETY: malloc_trim may be called at any time from any thread; it only releases pages without live memory.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// More threads than this help no net of ours.
const MAX_THREADS: usize = 256;

fn executor(threads: usize) -> Executor {
    if threads > 1 { Executor::multithread(threads.min(MAX_THREADS)) } else { Executor::SingleThread }
}
