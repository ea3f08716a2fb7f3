//! A small net for 68 points that is fast where it runs: dense convolutions on few, coarse cells, which tract does best,
//! and a head whose cells vote.
//!
//! Each cell of the last, coarse grid tells for every landmark where it believes the landmark to be and how much that
//! opinion is worth; the answer is the weighted mean. It joins what works for few training photos: local regression by
//! the cells that see a landmark (Jin et al., "Pixel-in-Pixel Net", IJCV 2021), and a mean in place of a maximum, so that
//! the coordinates themselves are trained (Sun et al., "Integral Human Pose Regression", ECCV 2018).

use anyhow::Result;
use burn::module::{Module, Param};
use burn::nn::PaddingConfig2d;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::tensor::activation::{relu, softmax};
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};

use super::SMALL;
use super::norm::NormedConv;
use super::resnet18::Block;
use crate::graph::Graph;
use crate::init::Layers;

/// A wide stem, two halvings with a residual block after each, and the votes.
///
/// The stem takes the place of a first convolution and the layers at 48×48 and 24×24: large pictures with few channels
/// are where tract is slowest.
#[derive(Module, Debug)]
pub struct Compact<B: Backend> {
    stem: NormedConv<B>,
    stages: Vec<Stage<B>>,
    votes: Votes<B>,
}

/// A convolution that halves the picture, and a residual block.
#[derive(Module, Debug)]
struct Stage<B: Backend> {
    halving: NormedConv<B>,
    block: Block<B>,
}

/// The head: three 1×1 convolutions with a channel per landmark.
#[derive(Module, Debug)]
struct Votes<B: Backend> {
    /// What a cell's opinion is worth, before the softmax over all cells.
    worth: Conv2d<B>,
    /// Where the landmark is, seen from the cell's centre, in crop widths and heights.
    x: Conv2d<B>,
    y: Conv2d<B>,
}

impl<B: Backend> Compact<B> {
    /// `mean_shape` holds 2 n coordinates in crop sides.
    pub fn new(mean_shape: &[f32], device: &B::Device) -> Self {
        let stage = |channels| Stage::new(channels, device);
        Self {
            stem: NormedConv::new([1, 32], 8, 4, device), // 112×112 → 28×28
            stages: vec![
                stage([32, 64]),  // → 14×14
                stage([64, 128]), // → 7×7
            ],
            votes: Votes::new(128, mean_shape, device),
        }
    }

    /// `[n, 1, 112, 112]` → `[n, 2 points]`.
    pub fn forward(&self, crops: Tensor<B, 4>) -> Tensor<B, 2> {
        let x = relu(self.stem.forward(crops));
        let x = self.stages.iter().fold(x, |x, stage| stage.forward(x));
        self.votes.forward(x)
    }

    /// See [`Net::import`](super::Net::import).
    pub fn import(mut self, layers: &mut Layers) -> Result<Self> {
        self.stem.import(layers)?;
        self.stages.iter_mut().try_for_each(|stage| stage.import(layers))?;
        let Votes { worth, x, y } = &mut self.votes;
        [worth, x, y].into_iter().try_for_each(|conv| layers.conv_with_bias(conv))?;
        Ok(self)
    }

    /// See [`Net::with_statistics_of`](super::Net::with_statistics_of).
    pub fn with_statistics_of(mut self, crops: Tensor<B, 4>) -> Self {
        let x = relu(self.stem.take_statistics(crops));
        self.stages.iter_mut().fold(x, |x, stage| stage.take_statistics(x));
        self
    }

    /// The forward pass as ONNX nodes.
    pub fn export(&self, graph: &mut Graph, input: &str) -> String {
        let x = self.stem.export(graph, input);
        let x = graph.relu(&x);
        let x = self.stages.iter().fold(x, |x, stage| stage.export(graph, &x));
        self.votes.export(graph, &x)
    }
}

impl<B: Backend> Stage<B> {
    fn new(channels: [usize; 2], device: &B::Device) -> Self {
        let [_, outputs] = channels;
        Self {
            halving: NormedConv::new(channels, 3, 2, device),
            block: Block::new([outputs, outputs], 1, device),
        }
    }

    fn forward(&self, x: Tensor<B, 4>) -> Tensor<B, 4> {
        self.block.forward(relu(self.halving.forward(x)))
    }

    fn import(&mut self, layers: &mut Layers) -> Result<()> {
        self.halving.import(layers)?;
        self.block.import(layers)
    }

    fn take_statistics(&mut self, x: Tensor<B, 4>) -> Tensor<B, 4> {
        let x = relu(self.halving.take_statistics(x));
        self.block.take_statistics(x)
    }

    fn export(&self, graph: &mut Graph, input: &str) -> String {
        let x = self.halving.export(graph, input);
        let x = graph.relu(&x);
        self.block.export(graph, &x)
    }
}

impl<B: Backend> Votes<B> {
    /// At first all cells are worth the same, and their mean is the mean shape.
    fn new(channels: usize, mean_shape: &[f32], device: &B::Device) -> Self {
        let conv = |first: Vec<f32>| {
            let n = first.len();
            let mut conv = Conv2dConfig::new([channels, n], [1, 1])
                .with_padding(PaddingConfig2d::Valid)
                .with_initializer(SMALL)
                .init(device);
            conv.bias = Some(Param::from_data(TensorData::new(first, [n]), device));
            conv
        };
        // The cells' centres have their own mean in the middle of the crop.
        let from_middle = |axis: usize| mean_shape.iter().skip(axis).step_by(2).map(|v| v - 0.5).collect();
        Self {
            worth: conv(vec![0.0; mean_shape.len() / 2]),
            x: conv(from_middle(0)),
            y: conv(from_middle(1)),
        }
    }

    /// `[n, channels, height, width]` → `[n, 2 points]`.
    fn forward(&self, features: Tensor<B, 4>) -> Tensor<B, 2> {
        let [n, _, height, width] = features.dims();
        let device = features.device();
        let per_cell = |x: Tensor<B, 4>| -> Tensor<B, 3> { x.flatten(2, 3) };
        let worth = softmax(per_cell(self.worth.forward(features.clone())), 2);
        let axis = |conv: &Conv2d<B>, centers: Vec<f32>| {
            let centers = Tensor::from_data(TensorData::new(centers, [1, 1, height * width]), &device);
            let opinions = per_cell(conv.forward(features.clone())) + centers;
            (opinions * worth.clone()).sum_dim(2)
        };
        let (xs, ys) = centers(height, width);
        let points: Tensor<B, 3> = Tensor::cat(vec![axis(&self.x, xs), axis(&self.y, ys)], 2);
        let n_points = points.dims()[1];
        points.reshape([n, 2 * n_points])
    }

    fn export(&self, graph: &mut Graph, input: &str) -> String {
        let worth = graph.conv(input, &self.worth, None);
        let [height, width] = graph.picture_size(&worth);
        let worth = graph.rows(&worth);
        let worth = graph.softmax(&worth);
        let (xs, ys) = centers(height, width);
        let mut axis = |conv, centers: Vec<f32>| {
            let opinions = graph.conv(input, conv, None);
            let opinions = graph.rows(&opinions);
            let opinions = graph.add_row(&opinions, &centers);
            let weighted = graph.multiply(&opinions, &worth);
            graph.row_sums(&weighted)
        };
        let (x, y) = (axis(&self.x, xs), axis(&self.y, ys));
        graph.interleave(&x, &y)
    }
}

/// The x and y of each cell's centre in crop sides, row by row.
fn centers(height: usize, width: usize) -> (Vec<f32>, Vec<f32>) {
    let center = |i: usize, n: usize| (i as f32 + 0.5) / n as f32;
    (0..height * width).map(|i| (center(i % width, width), center(i / width, height))).unzip()
}
