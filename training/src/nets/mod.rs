//! The nets, one a file: layers with their shapes, the forward pass, and beside it the same pass as an ONNX graph.

mod block;
mod face;
mod full_face;
mod norm;
mod nose;
mod resnet18;
mod voting;

use anyhow::Result;
use burn::module::{Initializer, Module, Param};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};

use crate::graph::Graph;
use crate::init::Layers;
use crate::recipe::NetKind;
use face::Face;
use full_face::FullFace;
use nose::Nose;
use resnet18::Resnet18;
use voting::Voting;

/// Any of the nets. Input `[batch, 1, height, width]`, output `[batch, 2 n]`: x0, y0, x1, y1 … in crop sides, and the
/// logit of a face being there if [`NetKind::has_presence`]; the detector's is described in [`facemark::detect::grid`].
#[allow(clippy::large_enum_variant, reason = "a process holds one net or two")]
#[derive(Module, Debug)]
pub enum Net<B: Backend> {
    /// See [`NetKind::Nose`].
    Nose(Nose<B>),
    /// See [`NetKind::Nose3`].
    Nose3(Nose<B>),
    /// See [`NetKind::FullFace`].
    FullFace(FullFace<B>),
    /// See [`NetKind::Resnet18`].
    Resnet18(Resnet18<B>),
    /// See [`NetKind::Compact`].
    Compact(Voting<B>),
    /// See [`NetKind::Large`].
    Large(Voting<B>),
    /// See [`NetKind::Face`].
    Face(Face<B>),
}

impl<B: Backend> Net<B> {
    /// A net with random weights whose last layer answers `mean_shape` (x0, y0, …) before any training.
    pub fn new(kind: NetKind, mean_shape: &[f32], device: &B::Device) -> Self {
        match kind {
            NetKind::Nose => Self::Nose(Nose::four(mean_shape, device)),
            NetKind::Nose3 => Self::Nose3(Nose::three(mean_shape, device)),
            NetKind::FullFace => Self::FullFace(FullFace::new(mean_shape, device)),
            NetKind::Resnet18 => Self::Resnet18(Resnet18::new(mean_shape, device)),
            NetKind::Compact => Self::Compact(Voting::compact(mean_shape, device)),
            NetKind::Large => Self::Large(Voting::large(mean_shape, device)),
            NetKind::Face => Self::Face(Face::new(device)),
        }
    }

    /// Finds the points in a batch of normalised crops.
    pub fn forward(&self, crops: Tensor<B, 4>) -> Tensor<B, 2> {
        match self {
            Self::Nose(net) | Self::Nose3(net) => net.forward(crops),
            Self::FullFace(net) => net.forward(crops),
            Self::Resnet18(net) => net.forward(crops),
            Self::Compact(net) | Self::Large(net) => net.forward(crops),
            Self::Face(net) => net.forward(crops),
        }
    }

    /// Takes over the weights of an exported net, in the order of [`Net::export`].
    ///
    /// # Errors
    /// If they are another net's.
    pub fn import(self, layers: &mut Layers) -> Result<Self> {
        Ok(match self {
            Self::Nose(net) => Self::Nose(net.import(layers)?),
            Self::Nose3(net) => Self::Nose3(net.import(layers)?),
            Self::FullFace(net) => Self::FullFace(net.import(layers)?),
            Self::Resnet18(net) => Self::Resnet18(net.import(layers)?),
            Self::Compact(net) => Self::Compact(net.import(layers)?),
            Self::Large(net) => Self::Large(net.import(layers)?),
            Self::Face(net) => Self::Face(net.import(layers)?),
        })
    }

    /// The same function with the batch normalisations' statistics taken from `crops`, so that training, which normalises
    /// with each batch's own statistics, goes on where the net stands.
    pub fn with_statistics_of(self, crops: Tensor<B, 4>) -> Self {
        match self {
            Self::Resnet18(net) => Self::Resnet18(net.with_statistics_of(crops)),
            Self::Compact(net) => Self::Compact(net.with_statistics_of(crops)),
            Self::Large(net) => Self::Large(net.with_statistics_of(crops)),
            Self::Face(net) => Self::Face(net.with_statistics_of(crops)),
            net @ (Self::Nose(_) | Self::Nose3(_) | Self::FullFace(_)) => net,
        }
    }

    /// Writes the forward pass into an ONNX graph; `input` and the answer name its tensors.
    pub fn export(&self, graph: &mut Graph, input: &str) -> String {
        match self {
            Self::Nose(net) | Self::Nose3(net) => net.export(graph, input),
            Self::FullFace(net) => net.export(graph, input),
            Self::Resnet18(net) => net.export(graph, input),
            Self::Compact(net) | Self::Large(net) => net.export(graph, input),
            Self::Face(net) => net.export(graph, input),
        }
    }
}

/// A convolution without padding, as in the two course nets. Kaiming's initial weights suit the ReLU after it.
fn valid_conv<B: Backend>(channels: [usize; 2], kernel: usize, device: &B::Device) -> Conv2d<B> {
    Conv2dConfig::new(channels, [kernel, kernel])
        .with_padding(PaddingConfig2d::Valid)
        .with_initializer(KAIMING)
        .init(device)
}

/// A hidden fully connected layer before a ReLU.
fn hidden<B: Backend>(inputs: usize, outputs: usize, device: &B::Device) -> Linear<B> {
    LinearConfig::new(inputs, outputs).with_initializer(KAIMING).init(device)
}

/// A last layer that answers `mean_shape` at first: small weights, the shape as bias.
fn shape_head<B: Backend>(inputs: usize, mean_shape: &[f32], device: &B::Device) -> Linear<B> {
    let mut head = LinearConfig::new(inputs, mean_shape.len()).with_initializer(SMALL).init(device);
    let bias = TensorData::new(mean_shape.to_vec(), [mean_shape.len()]);
    head.bias = Some(Param::from_data(bias, device));
    head
}

/// For last layers, which then answer their bias at first.
const SMALL: Initializer = Initializer::Normal { mean: 0.0, std: 1e-3 };

/// He et al., "Delving Deep into Rectifiers", ICCV 2015; the gain of a ReLU is the square root of 2.
const KAIMING: Initializer =
    Initializer::KaimingUniform { gain: std::f64::consts::SQRT_2, fan_out_only: false };
