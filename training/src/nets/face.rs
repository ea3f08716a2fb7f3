//! The face detector: a small dense net that answers for every cell of three grids (see [`facemark::detect::grid`]).
//!
//! Depthwise convolutions would save arithmetic, but not time: tract runs dense ones several times nearer to a core's
//! peak. There is no way back from coarse grids to fine ones either, as feature pyramids have it: each grid sees its
//! own sizes of faces.

use anyhow::Result;
use burn::module::{Initializer, Module, Param};
use burn::nn::PaddingConfig2d;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::tensor::activation::relu;
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};
use facemark::detect::grid::VALUES;

use super::norm::NormedConv;
use crate::graph::Graph;
use crate::init::Layers;

/// A stem and three stages, each with a head of its own.
#[derive(Module, Debug)]
pub struct Face<B: Backend> {
    stem: NormedConv<B>,
    stages: Vec<Stage<B>>,
}

/// Halves the size, then looks further around, and answers.
#[derive(Module, Debug)]
pub struct Stage<B: Backend> {
    half: NormedConv<B>,
    /// Each adds to what it is given.
    more: Vec<NormedConv<B>>,
    head: Conv2d<B>,
}

impl<B: Backend> Face<B> {
    /// Random weights; no cell sees a face at first.
    pub fn new(device: &B::Device) -> Self {
        Self {
            stem: NormedConv::new([1, 32], 6, 4, device), // 192×256 → 48×64
            stages: vec![
                Stage::new([32, 40], 1, device), // 24×32
                Stage::new([40, 64], 2, device), // 12×16
                Stage::new([64, 96], 2, device), // 6×8
            ],
        }
    }

    /// `[n, 1, height, width]` → `[n, values]`.
    pub fn forward(&self, pictures: Tensor<B, 4>) -> Tensor<B, 2> {
        let mut x = relu(self.stem.forward(pictures));
        let mut answers = Vec::with_capacity(self.stages.len());
        for stage in &self.stages {
            x = stage.features(x);
            answers.push(stage.head.forward(x.clone()).flatten(1, 3));
        }
        Tensor::cat(answers, 1)
    }

    /// See [`Net::import`](super::Net::import).
    pub fn import(mut self, layers: &mut Layers) -> Result<Self> {
        self.stem.import(layers)?;
        for stage in &mut self.stages {
            stage.half.import(layers)?;
            stage.more.iter_mut().try_for_each(|conv| conv.import(layers))?;
            layers.conv_with_bias(&mut stage.head)?;
        }
        Ok(self)
    }

    /// See [`Net::with_statistics_of`](super::Net::with_statistics_of).
    pub fn with_statistics_of(mut self, pictures: Tensor<B, 4>) -> Self {
        let x = relu(self.stem.take_statistics(pictures));
        self.stages.iter_mut().fold(x, |x, stage| {
            let x = relu(stage.half.take_statistics(x));
            stage.more.iter_mut().fold(x, |x, conv| relu(conv.take_statistics(x.clone()) + x))
        });
        self
    }

    /// The forward pass as ONNX nodes.
    pub fn export(&self, graph: &mut Graph, input: &str) -> String {
        let x = self.stem.export(graph, input);
        let mut x = graph.relu(&x);
        let mut answers = Vec::with_capacity(self.stages.len());
        for stage in &self.stages {
            x = stage.export(graph, &x);
            let answer = graph.conv(&x, &stage.head, None);
            answers.push(graph.flatten(&answer));
        }
        graph.concat(&answers)
    }
}

impl<B: Backend> Stage<B> {
    fn new(channels: [usize; 2], n_more: usize, device: &B::Device) -> Self {
        let [_, outputs] = channels;
        Self {
            half: NormedConv::new(channels, 3, 2, device),
            more: (0..n_more).map(|_| NormedConv::new([outputs, outputs], 3, 1, device)).collect(),
            head: head(outputs, device),
        }
    }

    fn features(&self, x: Tensor<B, 4>) -> Tensor<B, 4> {
        let x = relu(self.half.forward(x));
        self.more.iter().fold(x, |x, conv| relu(conv.forward(x.clone()) + x))
    }

    fn export(&self, graph: &mut Graph, input: &str) -> String {
        let x = self.half.export(graph, input);
        let x = graph.relu(&x);
        self.more.iter().fold(x, |x, conv| {
            let y = conv.export(graph, &x);
            let sum = graph.add(&y, &x);
            graph.relu(&sum)
        })
    }
}

/// A grid's answers. At first every cell gives a face a hundredth, so that the many without one do not drown the few
/// with one (Lin et al., "Focal loss for dense object detection", ICCV 2017), and says that it is as wide as four cells
/// and upright.
fn head<B: Backend>(inputs: usize, device: &B::Device) -> Conv2d<B> {
    let mut head = Conv2dConfig::new([inputs, VALUES], [3, 3])
        .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
        .with_initializer(Initializer::Normal { mean: 0.0, std: 1e-2 })
        .init(device);
    let bias = [-(99.0_f32.ln()), 0.0, 0.0, 4.0_f32.ln(), 1.0, 0.0];
    head.bias = Some(Param::from_data(TensorData::new(bias.to_vec(), [VALUES]), device));
    head
}
