//! A net: its layers and their weights.

use anyhow::{Result, ensure};
use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use super::layer::Layer;
use super::run::Forward;
use super::walk::{next, walk, weighted};
use super::weights::Weights;
use super::{face, full_face, mesh, nose, resnet18, voting};
use crate::recipe::{NetKind, Precision};

/// Any of the nets. Input `[batch, 1, height, width]`, output `[batch, n]`: what
/// [`ModelSpec::layout`](facemark::onnx::spec::ModelSpec::layout) says; the detector's is described in
/// [`facemark::detect::grid`].
#[derive(Module, Debug)]
pub struct Net<B: Backend> {
    /// Which.
    #[module(skip)]
    pub(super) kind: NetKind,
    #[module(skip)]
    pub(super) layers: Vec<Layer>,
    /// One for each of [`weighted`].
    pub(super) weights: Vec<Weights<B>>,
}

/// The layers of a net whose answer is `mean_shape` (x0, y0, …) before any training.
fn layers(kind: NetKind, mean_shape: &[f32]) -> Vec<Layer> {
    match kind {
        NetKind::Nose => nose::four(mean_shape),
        NetKind::Nose3 => nose::three(mean_shape),
        NetKind::FullFace => full_face::full_face(mean_shape),
        NetKind::Resnet18 => resnet18::resnet18(mean_shape),
        NetKind::Compact => voting::compact(mean_shape),
        NetKind::Large => voting::large(mean_shape),
        NetKind::Mesh => mesh::mesh(mean_shape),
        NetKind::Face => face::face(),
    }
}

impl<B: Backend> Net<B> {
    /// A net with random weights that answers `mean_shape` (x0, y0, …) before any training.
    pub fn new(kind: NetKind, mean_shape: &[f32], device: &B::Device) -> Self {
        let layers = layers(kind, mean_shape);
        let weights = weighted(&layers).into_iter().map(|(layer, _)| Weights::new(layer, device)).collect();
        Self { kind, layers, weights }
    }

    /// Finds the points in a batch of normalised crops.
    pub fn forward(&self, crops: Tensor<B, 4>) -> Tensor<B, 2> {
        self.forward_in(Precision::F32, crops)
    }

    /// The same with convolutions that multiply such numbers.
    pub fn forward_in(&self, precision: Precision, crops: Tensor<B, 4>) -> Tensor<B, 2> {
        let mut weights = self.weights.iter();
        let mut apply = |x| next(&mut weights).forward(x, precision);
        walk(&self.layers, crops, &mut Forward(&mut apply)).flatten(1, 3)
    }

    /// The same function with the batch normalisations' statistics taken from `crops`, so that training, which normalises
    /// with each batch's own statistics, goes on where the net stands.
    pub fn with_statistics_of(mut self, crops: Tensor<B, 4>) -> Self {
        let mut weights = self.weights.iter_mut();
        let mut apply = |x| next(&mut weights).take_statistics(x);
        walk(&self.layers, crops, &mut Forward(&mut apply));
        self
    }

    /// The same net with the weights of a checkpoint.
    ///
    /// # Errors
    /// If they are another net's.
    pub fn with_record(self, record: NetRecord<B>) -> Result<Self> {
        let is_alike = self.weights.len() == record.weights.len()
            && self.weights.iter().zip(&record.weights).all(|(own, other)| own.is_alike(other));
        ensure!(is_alike, "it has other layers");
        let own = self.shapes();
        let net = self.load_record(record);
        ensure!(net.shapes() == own, "its layers have other sizes");
        Ok(net)
    }

    /// The shape of each parameter.
    fn shapes(&self) -> Vec<Vec<usize>> {
        let mut shapes = Shapes(Vec::new());
        self.visit(&mut shapes);
        shapes.0
    }
}

struct Shapes(Vec<Vec<usize>>);

impl<B: Backend> ModuleVisitor<B> for Shapes {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        self.0.push(param.dims().to_vec());
    }
}
