//! The course's second net: all 58 IMM points from a photo shrunk to 180×240.

use anyhow::Result;
use burn::module::Module;
use burn::nn::Linear;
use burn::nn::conv::Conv2d;
use burn::tensor::Tensor;
use burn::tensor::activation::relu;
use burn::tensor::backend::Backend;
use burn::tensor::module::max_pool2d;

use super::{hidden, shape_head, valid_conv};
use crate::graph::Graph;
use crate::init::Layers;

/// Five 7×7 convolutions with ReLUs, max-pools after some of them, and two fully connected layers.
#[derive(Module, Debug)]
pub struct FullFace<B: Backend> {
    convs: Vec<Conv2d<B>>,
    fc1: Linear<B>,
    fc2: Linear<B>,
}

/// Which of the five convolutions a 2×2 max-pool follows.
const POOLED: [bool; 5] = [false, true, true, false, true];

impl<B: Backend> FullFace<B> {
    /// `mean_shape` holds 116 coordinates in crop sides.
    pub fn new(mean_shape: &[f32], device: &B::Device) -> Self {
        Self {
            convs: vec![
                valid_conv([1, 12], 7, device),  // 180×240 → 174×234
                valid_conv([12, 20], 7, device), // → 168×228, pooled 84×114
                valid_conv([20, 30], 7, device), // → 78×108, pooled 39×54
                valid_conv([30, 40], 7, device), // → 33×48
                valid_conv([40, 50], 7, device), // → 27×42, pooled 13×21
            ],
            fc1: hidden(50 * 13 * 21, 1000, device),
            fc2: shape_head(1000, mean_shape, device),
        }
    }

    /// `[n, 1, 180, 240]` → `[n, 116]`.
    pub fn forward(&self, crops: Tensor<B, 4>) -> Tensor<B, 2> {
        let features = self.convs.iter().zip(POOLED).fold(crops, |x, (conv, pooled)| {
            let x = conv.forward(x);
            // Pooling and ReLU commute; pooling first leaves the ReLU a quarter of the work.
            let x = if pooled { max_pool2d(x, [2, 2], [2, 2], [0, 0], [1, 1], false) } else { x };
            relu(x)
        });
        let x: Tensor<B, 2> = features.flatten(1, 3);
        self.fc2.forward(relu(self.fc1.forward(x)))
    }

    /// See [`Net::import`](super::Net::import).
    pub fn import(mut self, layers: &mut Layers) -> Result<Self> {
        self.convs.iter_mut().try_for_each(|conv| layers.conv_with_bias(conv))?;
        layers.linear(&mut self.fc1)?;
        layers.linear(&mut self.fc2)?;
        Ok(self)
    }

    /// The forward pass as ONNX nodes.
    pub fn export(&self, graph: &mut Graph, input: &str) -> String {
        let features = self.convs.iter().zip(POOLED).fold(input.to_owned(), |x, (conv, pooled)| {
            let x = graph.conv(&x, conv, None);
            let x = if pooled { graph.max_pool(&x, [2, 2], [2, 2], 0) } else { x };
            graph.relu(&x)
        });
        let x = graph.flatten(&features);
        let x = graph.linear(&x, &self.fc1);
        let x = graph.relu(&x);
        graph.linear(&x, &self.fc2)
    }
}
