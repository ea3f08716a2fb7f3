//! Nets and how tract runs them: a file is read and checked, and its graph prepared for an input size.

use std::num::NonZero;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::available_parallelism;

use tract_onnx::onnx;
use tract_onnx::pb::ModelProto;
use tract_onnx::prelude::*;
use tract_onnx::tract_core::internal::{RunOptions, multithread::Executor};

use super::{limits, weights};
use crate::error::{Error, Result};

/// Runs `loader`, which reads or prepares a model. It must change nothing that is used after a panic.
///
/// # Errors
/// Its own, and [`Error::Model`] if tract panics, as it does on some invalid graphs.
pub fn load<T>(loader: impl FnOnce() -> Result<T>) -> Result<T> {
    let invalid = |_| Err(Error::Model("its graph is invalid".to_owned()));
    catch_unwind(AssertUnwindSafe(loader)).unwrap_or_else(invalid)
}

/// A decoded ONNX file, not checked yet.
pub struct NetFile(ModelProto);

impl NetFile {
    /// Decodes a file's bytes.
    ///
    /// # Errors
    /// If they are not an ONNX file.
    pub fn read(bytes: &[u8]) -> Result<Self> {
        let proto = onnx().proto_model_for_read(&mut &*bytes);
        proto.map(Self).map_err(|_| Error::Model("it is not an ONNX file, or a broken one".to_owned()))
    }

    /// The file's key-value pairs.
    pub fn metadata(&self) -> impl Iterator<Item = (String, String)> {
        self.0.metadata_props.iter().map(|entry| (entry.key.clone(), entry.value.clone()))
    }

    /// Checks the graph, which has to output `n_values` numbers for an input of this width and height, and
    /// unpacks its weights.
    ///
    /// # Errors
    /// Says what is wrong.
    pub fn parse(mut self, size: [usize; 2], n_values: usize) -> Result<Graph> {
        let Some(graph) = self.0.graph.as_mut() else {
            return Err(Error::Model("it has no graph".to_owned()));
        };
        limits::check(graph, size, n_values)?;
        weights::expand(graph)?;
        let graph = onnx().model_for_proto_model(&self.0);
        Ok(Graph(graph.map_err(unusable)?))
    }
}

/// A checked graph with its weights.
pub struct Graph(InferenceModel);

impl Graph {
    /// Prepares the graph for an input of this width and height, for which it outputs `n_values` numbers.
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
    /// The net's output for `height · width` normalised numbers.
    ///
    /// # Errors
    /// [`Error::Run`] if there are more or fewer numbers, or the net fails.
    pub fn run(&mut self, numbers: &[f32]) -> Result<Vec<f32>> {
        let n: usize = self.shape.iter().product();
        if numbers.len() != n {
            return Err(Error::Run(format!("its input has {n} numbers, not {}", numbers.len())));
        }
        let output = catch_unwind(AssertUnwindSafe(|| self.output(numbers)))
            .unwrap_or_else(|_| Err(TractError::msg("tract panicked")))
            .map_err(|error| Error::Run(format!("{error:#}")))?;
        if output.len() != self.n_values {
            let (found, expected) = (output.len(), self.n_values);
            return Err(Error::Run(format!("its output has {found} numbers, not {expected}")));
        }
        Ok(output)
    }

    fn output(&mut self, numbers: &[f32]) -> TractResult<Vec<f32>> {
        let input = Tensor::from_shape(&self.shape, numbers)?;
        let outputs = self.state.run(tvec!(input.into()))?;
        let view = outputs.first().map(|output| output.to_plain_array_view::<f32>()).transpose()?;
        Ok(view.map(|numbers| numbers.iter().copied().collect()).unwrap_or_default())
    }
}

/// Converts tract's error about a graph to ours, on one line.
fn unusable(error: TractError) -> Error {
    Error::Model(format!("its graph cannot be run: {error:#}"))
}

/// Returns freed memory to the system: loading needs several times the weights' size, and glibc would keep
/// it.
fn give_back_memory() {
    #[cfg(target_env = "gnu")]
    // SAFETY: malloc_trim may be called at any time from any thread; it only releases pages without live
    // memory.
    unsafe {
        libc::malloc_trim(0);
    }
}

/// More threads than cores only cost time and memory.
fn executor(threads: usize) -> Executor {
    let threads = threads.min(available_parallelism().map_or(1, NonZero::get));
    if threads > 1 { Executor::multithread(threads) } else { Executor::SingleThread }
}
