//! Batch normalisation with fewer passes over the activations than Burn's own.
//!
//! Burn 0.21 copies the activations twice to reduce them and then applies mean, deviation, gain and bias one by
//! one. On a CPU these passes cost as much as ResNet18's convolutions. The result is the same up to rounding.

use burn::module::Param;
use burn::nn::BatchNorm;
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

/// Normalises `x`, `[n, channels, height, width]`, with the batch's own statistics while training (and moves the
/// running ones), with the running ones otherwise.
pub fn batch_norm<B: Backend>(norm: &BatchNorm<B>, x: Tensor<B, 4>) -> Tensor<B, 4> {
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
pub fn with_statistics_of<B: Backend>(mut norm: BatchNorm<B>, x: Tensor<B, 4>) -> BatchNorm<B> {
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
