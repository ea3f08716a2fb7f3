//! The weights of a net's layers, as Burn keeps them.

use burn::module::{Initializer, Module, Param};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};

use super::layer::{Kind, Start, Weighted, Window};
use super::norm::NormedConv;
use super::precision::convolve;
use crate::recipe::Precision;

/// A layer that learns, with its weights.
#[allow(clippy::large_enum_variant, reason = "a net has a few dozen of them")]
#[derive(Module, Debug)]
pub enum Weights<B: Backend> {
    /// See [`Kind::Conv`].
    Conv(Conv2d<B>),
    /// See [`Kind::NormedConv`].
    NormedConv(NormedConv<B>),
    /// See [`Kind::Dense`].
    Dense(Linear<B>),
}

impl<B: Backend> Weights<B> {
    /// Random weights, as the layer begins.
    pub fn new(layer: &Weighted, device: &B::Device) -> Self {
        let Weighted { inputs, outputs, kind, start } = layer;
        let conv = |window: Window| {
            let Window { size, stride, pad } = window;
            Conv2dConfig::new([*inputs, *outputs], size)
                .with_stride(stride)
                .with_padding(PaddingConfig2d::Explicit(pad, pad, pad, pad))
                .with_initializer(initializer(start))
        };
        let bias = match start {
            Start::Kaiming => None,
            Start::Bias { bias, .. } => Some(vector(bias.clone(), device)),
        };
        match *kind {
            Kind::Conv(window) => {
                let conv = conv(window).init(device);
                Self::Conv(Conv2d { bias: bias.or_else(|| conv.bias.clone()), ..conv })
            }
            Kind::NormedConv(window) => {
                Self::NormedConv(NormedConv::new(&conv(window).with_bias(false), device))
            }
            Kind::Dense => {
                let dense =
                    LinearConfig::new(*inputs, *outputs).with_initializer(initializer(start)).init(device);
                Self::Dense(Linear { bias: bias.or(dense.bias), weight: dense.weight })
            }
        }
    }

    /// Whether a checkpoint's weights are for the same kind of layer.
    pub fn is_alike(&self, record: &WeightsRecord<B>) -> bool {
        matches!(
            (self, record),
            (Self::Conv(_), WeightsRecord::Conv(_))
                | (Self::NormedConv(_), WeightsRecord::NormedConv(_))
                | (Self::Dense(_), WeightsRecord::Dense(_))
        )
    }

    /// `x` and the result are `[n, channels, height, width]`; a row of values has one pixel.
    pub fn forward(&self, x: Tensor<B, 4>, precision: Precision) -> Tensor<B, 4> {
        match self {
            Self::Conv(conv) => convolve(conv, x, precision),
            Self::NormedConv(conv) => conv.forward(x, precision),
            Self::Dense(dense) => {
                let y: Tensor<B, 2> = dense.forward(x.flatten(1, 3));
                let [n, values] = y.dims();
                y.reshape([n, values, 1, 1])
            }
        }
    }

    /// Moves the statistics of `x` into a batch normalisation without changing the result, which it gives.
    pub fn take_statistics(&mut self, x: Tensor<B, 4>) -> Tensor<B, 4> {
        match self {
            Self::NormedConv(conv) => conv.take_statistics(x),
            other => other.forward(x, Precision::F32),
        }
    }
}

fn initializer(start: &Start) -> Initializer {
    match start {
        // He et al., "Delving Deep into Rectifiers", ICCV 2015; the gain of a ReLU is the square root of 2.
        Start::Kaiming => Initializer::KaimingUniform { gain: std::f64::consts::SQRT_2, fan_out_only: false },
        Start::Bias { deviation, .. } => Initializer::Normal { mean: 0.0, std: f64::from(*deviation) },
    }
}

/// A parameter from plain numbers.
pub fn vector<B: Backend>(values: Vec<f32>, device: &B::Device) -> Param<Tensor<B, 1>> {
    let n = values.len();
    Param::from_data(TensorData::new(values, [n]), device)
}
