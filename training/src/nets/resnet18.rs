//! ResNet18 (He et al., "Deep Residual Learning for Image Recognition", CVPR 2016) with one input channel and a
//! regression head.

use anyhow::Result;
use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::Tensor;
use burn::tensor::activation::relu;
use burn::tensor::backend::Backend;
use burn::tensor::module::max_pool2d;

use super::block::Block;
use super::norm::NormedConv;
use super::shape_head;
use crate::graph::Graph;
use crate::init::Layers;

/// A stem, eight residual blocks, the mean over the picture and one fully connected layer.
#[derive(Module, Debug)]
pub struct Resnet18<B: Backend> {
    stem: NormedConv<B>,
    blocks: Vec<Block<B>>,
    fc: Linear<B>,
}

impl<B: Backend> Resnet18<B> {
    /// `mean_shape` holds 2 n coordinates in crop sides.
    pub fn new(mean_shape: &[f32], device: &B::Device) -> Self {
        let stage = |inputs, outputs, stride| {
            [Block::new([inputs, outputs], stride, device), Block::new([outputs, outputs], 1, device)]
        };
        Self {
            stem: NormedConv::new([1, 64], 7, 2, device), // 112×112 → 56×56, pooled 28×28
            blocks: [
                stage(64, 64, 1),   // 28×28
                stage(64, 128, 2),  // 14×14
                stage(128, 256, 2), // 7×7
                stage(256, 512, 2), // 4×4
            ]
            .into_iter()
            .flatten()
            .collect(),
            fc: shape_head(512, mean_shape, device),
        }
    }

    /// `[n, 1, 112, 112]` → `[n, 2 points]`.
    pub fn forward(&self, crops: Tensor<B, 4>) -> Tensor<B, 2> {
        let x = pooled(self.stem.forward(crops));
        let x = self.blocks.iter().fold(x, |x, block| block.forward(x));
        let [n, channels, height, width] = x.dims();
        let mean = x.reshape([n, channels, height * width]).mean_dim(2);
        self.fc.forward(mean.reshape([n, channels]))
    }

    /// See [`Net::import`](super::Net::import).
    pub fn import(mut self, layers: &mut Layers) -> Result<Self> {
        self.stem.import(layers)?;
        self.blocks.iter_mut().try_for_each(|block| block.import(layers))?;
        layers.linear(&mut self.fc)?;
        Ok(self)
    }

    /// See [`Net::with_statistics_of`](super::Net::with_statistics_of).
    pub fn with_statistics_of(mut self, crops: Tensor<B, 4>) -> Self {
        let x = pooled(self.stem.take_statistics(crops));
        self.blocks.iter_mut().fold(x, |x, block| block.take_statistics(x));
        self
    }

    /// The forward pass as ONNX nodes.
    pub fn export(&self, graph: &mut Graph, input: &str) -> String {
        let x = self.stem.export(graph, input);
        let x = graph.relu(&x);
        let x = graph.max_pool(&x, [3, 3], [2, 2], 1);
        let x = self.blocks.iter().fold(x, |x, block| block.export(graph, &x));
        let x = graph.global_average_pool(&x);
        let x = graph.flatten(&x);
        graph.linear(&x, &self.fc)
    }
}

/// What follows the stem.
fn pooled<B: Backend>(x: Tensor<B, 4>) -> Tensor<B, 4> {
    max_pool2d(relu(x), [3, 3], [2, 2], [1, 1], [1, 1], false)
}
