//! What nets are trained for.

pub mod faces;
pub mod landmarks;

use anyhow::Result;
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use crossbeam::channel::Receiver;

use crate::batch::Batch;
use crate::nets::Net;

/// What a net is trained for: its batches, what is minimised, and how well it does.
pub trait Task {
    /// How many photos or faces are trained on, and how many are held out.
    fn counts(&self) -> (usize, usize);

    /// What a landmark net answers at first.
    fn mean_shape(&self) -> Vec<f32>;

    /// The batches of all epochs from this one on, 0-based.
    fn batches(&self, first_epoch: usize) -> Receiver<Batch>;

    /// One batch of the same kind, large enough for stable statistics.
    fn sample_batch(&self) -> Batch;

    /// The mean loss over a batch.
    fn loss<B: Backend>(&self, found: Tensor<B, 2>, targets: Tensor<B, 2>) -> Tensor<B, 1>;

    /// How well a net does on what is held out.
    fn validate<B: Backend>(&self, net: &Net<B>, device: &B::Device) -> Result<Validation>;
}

/// How well a net does on what is held out.
pub struct Validation {
    /// Mean loss.
    pub loss: f64,
    /// Mean normalised error in per cent: the smaller, the better the net.
    pub nme: f64,
    /// Mean error in pixels.
    pub pixels: f64,
    /// The same and more, for people.
    pub text: String,
}
