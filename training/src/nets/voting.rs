//! Nets for 68 points that are fast where they run: dense convolutions on few, coarse cells, which tract does best, and a
//! head whose cells vote.
//!
//! Each cell of the last, coarse grid tells for every landmark where it believes the landmark to be and how much that
//! opinion is worth; the answer is the weighted mean. It joins what works for few training photos: local regression by
//! the cells that see a landmark (Jin et al., "Pixel-in-Pixel Net", IJCV 2021), and a mean in place of a maximum, so that
//! the coordinates themselves are trained (Sun et al., "Integral Human Pose Regression", ECCV 2018).

use anyhow::{Context, Result};
use burn::module::{Module, Param};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::activation::{relu, softmax};
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};

use super::SMALL;
use super::block::Block;
use super::norm::NormedConv;
use crate::graph::Graph;
use crate::init::Layers;

/// A wide stem, two halvings with residual blocks after each, and the votes.
///
/// The stem takes the place of a first convolution and the layers at 48×48 and 24×24: large pictures with few channels
/// are where tract is slowest.
#[derive(Module, Debug)]
pub struct Voting<B: Backend> {
    stem: NormedConv<B>,
    stages: Vec<Stage<B>>,
    votes: Votes<B>,
    /// The logit of a face being there, from the mean over all cells.
    presence: Option<Linear<B>>,
}

/// A convolution that halves the picture, and residual blocks.
#[derive(Module, Debug)]
struct Stage<B: Backend> {
    halving: NormedConv<B>,
    blocks: Vec<Block<B>>,
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

impl<B: Backend> Voting<B> {
    /// For live pictures. `mean_shape` holds 2 n coordinates in crop sides.
    pub fn compact(mean_shape: &[f32], device: &B::Device) -> Self {
        let presence = LinearConfig::new(128, 1).with_initializer(SMALL).init(device);
        Self { presence: Some(presence), ..Self::new([32, 64, 128], 1, mean_shape, device) }
    }

    /// For recordings: twice as wide and twice as deep.
    pub fn large(mean_shape: &[f32], device: &B::Device) -> Self {
        Self::new([64, 128, 256], 2, mean_shape, device)
    }

    /// `channels` after the stem and after each halving, and how many blocks follow a halving.
    fn new(channels: [usize; 3], n_blocks: usize, mean_shape: &[f32], device: &B::Device) -> Self {
        let [stem, first, second] = channels;
        Self {
            stem: NormedConv::new([1, stem], 8, 4, device), // 112×112 → 28×28, 160×160 → 40×40
            stages: vec![
                Stage::new([stem, first], n_blocks, device),   // → 14×14, 20×20
                Stage::new([first, second], n_blocks, device), // → 7×7, 10×10
            ],
            votes: Votes::new(second, mean_shape, device),
            presence: None,
        }
    }

    /// `[n, 1, height, width]` → `[n, 2 points]`, or one number more.
    pub fn forward(&self, crops: Tensor<B, 4>) -> Tensor<B, 2> {
        let x = relu(self.stem.forward(crops));
        let x = self.stages.iter().fold(x, |x, stage| stage.forward(x));
        let Some(presence) = &self.presence else { return self.votes.forward(x) };
        let mean = x.clone().flatten::<3>(2, 3).mean_dim(2).flatten(1, 2);
        Tensor::cat(vec![self.votes.forward(x), presence.forward(mean)], 1)
    }

    /// See [`Net::import`](super::Net::import). The file's net may be narrower and have fewer blocks: further channels
    /// begin without a part in the answer, further blocks with handing on what they are given.
    pub fn import(mut self, layers: &mut Layers) -> Result<Self> {
        let (n_others, per_block) = (1 + self.stages.len() + 3, 2 * self.stages.len());
        let n_blocks = layers.len().checked_sub(n_others).context("it has fewer layers")? / per_block;
        self.stem.import(layers)?;
        self.stages.iter_mut().try_for_each(|stage| stage.import(layers, n_blocks))?;
        let Votes { worth, x, y } = &mut self.votes;
        [worth, x, y].into_iter().try_for_each(|conv| layers.conv_with_bias(conv))?;
        // Not every net of this form has the last layer.
        match &mut self.presence {
            Some(presence) if layers.len() > 0 => layers.linear(presence)?,
            _ => layers.skip(),
        }
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
        let points = self.votes.export(graph, &x);
        let Some(presence) = &self.presence else { return points };
        let mean = graph.global_average_pool(&x);
        let mean = graph.flatten(&mean);
        let presence = graph.linear(&mean, presence);
        graph.concat(&[points, presence])
    }
}

impl<B: Backend> Stage<B> {
    fn new(channels: [usize; 2], n_blocks: usize, device: &B::Device) -> Self {
        let [_, outputs] = channels;
        Self {
            halving: NormedConv::new(channels, 3, 2, device),
            blocks: (0..n_blocks).map(|_| Block::new([outputs, outputs], 1, device)).collect(),
        }
    }

    fn forward(&self, x: Tensor<B, 4>) -> Tensor<B, 4> {
        let x = relu(self.halving.forward(x));
        self.blocks.iter().fold(x, |x, block| block.forward(x))
    }

    /// The file has `n_blocks` for this stage.
    fn import(&mut self, layers: &mut Layers, n_blocks: usize) -> Result<()> {
        self.halving.import(layers)?;
        let n_known = n_blocks.min(self.blocks.len());
        let (known, further) = self.blocks.split_at_mut(n_known);
        known.iter_mut().try_for_each(|block| block.import(layers))?;
        further.iter_mut().for_each(Block::hand_on);
        Ok(())
    }

    fn take_statistics(&mut self, x: Tensor<B, 4>) -> Tensor<B, 4> {
        let x = relu(self.halving.take_statistics(x));
        self.blocks.iter_mut().fold(x, |x, block| block.take_statistics(x))
    }

    fn export(&self, graph: &mut Graph, input: &str) -> String {
        let x = self.halving.export(graph, input);
        let x = graph.relu(&x);
        self.blocks.iter().fold(x, |x, block| block.export(graph, &x))
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
