//! Batch normalisation with fewer passes over the activations than Burn's own.
//!
//! Burn 0.21 copies the activations twice to reduce them and then applies mean, deviation, gain and bias one by
//! one. On a CPU these passes cost as much as ResNet18's convolutions. The result is the same up to rounding.

use burn::module::{Module, Param};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use super::precision::convolve;
use crate::recipe::Precision;

/// A convolution without bias and the batch normalisation after it.
#[derive(Module, Debug)]
pub struct NormedConv<B: Backend> {
    pub(super) conv: Conv2d<B>,
    pub(super) norm: BatchNorm<B>,
}

impl<B: Backend> NormedConv<B> {
    /// A convolution, and a normalisation that has seen nothing yet.
    pub fn new(conv: &Conv2dConfig, device: &B::Device) -> Self {
        Self { conv: conv.init(device), norm: BatchNormConfig::new(conv.channels[1]).init(device) }
    }

    /// Both, one after the other.
    pub fn forward(&self, x: Tensor<B, 4>, precision: Precision) -> Tensor<B, 4> {
        batch_norm(&self.norm, convolve(&self.conv, x, precision))
    }

    /// Begins again with a normalisation that changes nothing but adds `offset`, a value per channel.
    pub fn offset_by(&mut self, offset: Param<Tensor<B, 1>>) {
        let (n, device) = (offset.dims(), self.conv.weight.device());
        self.norm = BatchNormConfig::new(n[0]).init(&device);
        self.norm.running_var.update(Tensor::full(n, 1.0 - self.norm.epsilon, &device));
        self.norm.beta = offset;
    }

    /// Lets the answer be 0 until training changes the weights.
    pub fn fade(&mut self) {
        let n = self.conv.weight.dims()[0];
        self.norm.gamma = Param::from_tensor(Tensor::zeros([n], &self.conv.weight.device()));
    }

    /// Moves the statistics of `x`, `[n, channels, height, width]`, into the normalisation without changing the output,
    /// which it gives.
    pub fn take_statistics(&mut self, x: Tensor<B, 4>) -> Tensor<B, 4> {
        let before = self.conv.forward(x).detach();
        self.norm = with_statistics_of(self.norm.clone(), before.clone());
        batch_norm(&self.norm, before)
    }
}

/// Normalises `x`, `[n, channels, height, width]`, with the batch's own statistics while training (and moves the
/// running ones), with the running ones otherwise.
fn batch_norm<B: Backend>(norm: &BatchNorm<B>, x: Tensor<B, 4>) -> Tensor<B, 4> {
    let [n, channels, height, width] = x.dims();
    let x = x.reshape([n, channels, height * width]);
    let y = if B::ad_enabled(&x.device()) { train(norm, x) } else { infer(norm, x) };
    y.reshape([n, channels, height, width])
}

/// `x` is `[n, channels, pixels]`.
fn train<B: Backend>(norm: &BatchNorm<B>, x: Tensor<B, 3>) -> Tensor<B, 3> {
    let channels = x.dims()[1];
    let mean = x.clone().mean_dim(2).mean_dim(0);
    let centred = x - mean.clone();
    let var = (centred.clone() * centred.clone()).mean_dim(2).mean_dim(0);

    let momentum = norm.momentum;
    let moved = |old: Tensor<B, 1>, new: Tensor<B, 3>| {
        (old * (1.0 - momentum) + new.detach().reshape([channels]) * momentum).detach()
    };
    norm.running_mean.update(moved(norm.running_mean.value_sync(), mean));
    norm.running_var.update(moved(norm.running_var.value_sync(), var.clone()));

    let gain = per_channel(norm.gamma.val()) / (var + norm.epsilon).sqrt();
    centred * gain + per_channel(norm.beta.val())
}

/// The same function of `x`, `[n, channels, height, width]`, written with the statistics of `x` as the running ones.
fn with_statistics_of<B: Backend>(mut norm: BatchNorm<B>, x: Tensor<B, 4>) -> BatchNorm<B> {
    let [n, channels, height, width] = x.dims();
    let x = x.reshape([n, channels, height * width]);
    let mean = x.clone().mean_dim(2).mean_dim(0);
    let var = (x - mean.clone()).square().mean_dim(2).mean_dim(0).reshape([channels]);
    let mean = mean.reshape([channels]);
    let (gain, offset) = gain_and_offset(&norm);
    let deviation = (var.clone() + norm.epsilon).sqrt();
    norm.gamma = Param::from_tensor((gain.clone() * deviation).detach());
    norm.beta = Param::from_tensor((offset + mean.clone() * gain).detach());
    norm.running_mean.update(mean);
    norm.running_var.update(var);
    norm
}

/// What a trained normalisation does to each channel.
fn gain_and_offset<B: Backend>(norm: &BatchNorm<B>) -> (Tensor<B, 1>, Tensor<B, 1>) {
    let gain = norm.gamma.val() / (norm.running_var.value_sync() + norm.epsilon).sqrt();
    let offset = norm.beta.val() - norm.running_mean.value_sync() * gain.clone();
    (gain, offset)
}

/// `x` is `[n, channels, pixels]`.
fn infer<B: Backend>(norm: &BatchNorm<B>, x: Tensor<B, 3>) -> Tensor<B, 3> {
    let (gain, offset) = gain_and_offset(norm);
    x * per_channel(gain) + per_channel(offset)
}

/// `[channels]` → `[1, channels, 1]`.
fn per_channel<B: Backend>(values: Tensor<B, 1>) -> Tensor<B, 3> {
    let channels = values.dims()[0];
    values.reshape([1, channels, 1])
}
