//! The residual block that several nets are made of (He et al., "Deep Residual Learning for Image Recognition", CVPR 2016).

use anyhow::Result;
use burn::module::Module;
use burn::tensor::Tensor;
use burn::tensor::activation::relu;
use burn::tensor::backend::Backend;

use super::norm::NormedConv;
use crate::graph::Graph;
use crate::init::Layers;

/// Two 3×3 convolutions and the short cut around them.
#[derive(Module, Debug)]
pub struct Block<B: Backend> {
    conv1: NormedConv<B>,
    conv2: NormedConv<B>,
    /// A 1×1 convolution where the block changes the shape.
    shortcut: Option<NormedConv<B>>,
}

impl<B: Backend> Block<B> {
    /// Random weights; the first convolution has the stride.
    pub fn new(channels: [usize; 2], stride: usize, device: &B::Device) -> Self {
        let [inputs, outputs] = channels;
        let changes_shape = stride != 1 || inputs != outputs;
        Self {
            conv1: NormedConv::new(channels, 3, stride, device),
            conv2: NormedConv::new([outputs, outputs], 3, 1, device),
            shortcut: changes_shape.then(|| NormedConv::new(channels, 1, stride, device)),
        }
    }

    pub fn forward(&self, x: Tensor<B, 4>) -> Tensor<B, 4> {
        let y = relu(self.conv1.forward(x.clone()));
        let y = self.conv2.forward(y);
        let x = match &self.shortcut {
            Some(shortcut) => shortcut.forward(x),
            None => x,
        };
        relu(y + x)
    }

    pub fn import(&mut self, layers: &mut Layers) -> Result<()> {
        self.conv1.import(layers)?;
        self.conv2.import(layers)?;
        self.shortcut.iter_mut().try_for_each(|shortcut| shortcut.import(layers))
    }

    /// Lets a block that keeps the shape give what it is given (it follows a ReLU), until it has learnt better.
    pub fn hand_on(&mut self) {
        self.conv2.fade();
    }

    pub fn take_statistics(&mut self, x: Tensor<B, 4>) -> Tensor<B, 4> {
        let y = relu(self.conv1.take_statistics(x.clone()));
        let y = self.conv2.take_statistics(y);
        let x = match &mut self.shortcut {
            Some(shortcut) => shortcut.take_statistics(x),
            None => x,
        };
        relu(y + x)
    }

    pub fn export(&self, graph: &mut Graph, input: &str) -> String {
        let y = self.conv1.export(graph, input);
        let y = graph.relu(&y);
        let y = self.conv2.export(graph, &y);
        let x = match &self.shortcut {
            Some(shortcut) => shortcut.export(graph, input),
            None => input.to_owned(),
        };
        let sum = graph.add(&y, &x);
        graph.relu(&sum)
    }
}
