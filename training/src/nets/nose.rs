//! The course's first net: the middle of the nose's lower edge, from a whole photo shrunk to 60×80; and its variant with
//! three convolutions.

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

/// Three or four convolutions, each with a ReLU and a max-pool, and two fully connected layers.
#[derive(Module, Debug)]
pub struct Nose<B: Backend> {
    convs: Vec<Conv2d<B>>,
    fc1: Linear<B>,
    fc2: Linear<B>,
}

impl<B: Backend> Nose<B> {
    /// Four convolutions. `mean_shape` is `[x, y]` in crop sides.
    pub fn four(mean_shape: &[f32], device: &B::Device) -> Self {
        Self {
            convs: vec![
                valid_conv([1, 12], 7, device),  // 60×80 → 54×74, pooled 27×37
                valid_conv([12, 20], 5, device), // → 23×33, pooled 11×16
                valid_conv([20, 28], 3, device), // → 9×14, pooled 4×7
                valid_conv([28, 32], 3, device), // → 2×5, pooled 1×2
            ],
            fc1: hidden(64, 30, device), // 32 channels of 1×2
            fc2: shape_head(30, mean_shape, device),
        }
    }

    /// Three convolutions, the last pool so large that the fully connected layers are those of the other.
    pub fn three(mean_shape: &[f32], device: &B::Device) -> Self {
        let four = Self::four(mean_shape, device);
        let convs = vec![
            valid_conv([1, 12], 7, device),  // 60×80 → 54×74, pooled 27×37
            valid_conv([12, 20], 5, device), // → 23×33, pooled 11×16
            valid_conv([20, 32], 3, device), // → 9×14, pooled 1×2
        ];
        Self { convs, ..four }
    }

    /// Height and width of the pool after a convolution.
    fn pool(&self, conv: usize) -> [usize; 2] {
        if self.convs.len() == 3 && conv == 2 { [9, 7] } else { [2, 2] }
    }

    /// `[n, 1, 60, 80]` → `[n, 2]`.
    pub fn forward(&self, crops: Tensor<B, 4>) -> Tensor<B, 2> {
        let features = self.convs.iter().enumerate().fold(crops, |x, (i, conv)| {
            let pool = self.pool(i);
            max_pool2d(relu(conv.forward(x)), pool, pool, [0, 0], [1, 1], false)
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
        let features = self.convs.iter().enumerate().fold(input.to_owned(), |x, (i, conv)| {
            let x = graph.conv(&x, conv, None);
            let x = graph.relu(&x);
            graph.max_pool(&x, self.pool(i), self.pool(i), 0)
        });
        let x = graph.flatten(&features);
        let x = graph.linear(&x, &self.fc1);
        let x = graph.relu(&x);
        graph.linear(&x, &self.fc2)
    }
}
