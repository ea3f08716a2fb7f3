//! Batches: examples of photos as the numbers that nets take, prepared ahead on a thread of their own.
//!
//! Crops of single faces are cut in [`crops`], pictures for the detector pasted together in [`scene`]; [`targets`] says
//! what the detector is to answer.

pub mod crops;
mod eye;
mod eyelids;
mod gaze;
pub mod masks;
mod pixels;
pub mod regions;
pub mod scene;
pub mod targets;

use std::thread;

use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};
use crossbeam::channel::{Receiver, bounded};
use facemark::crop::normalise;
use facemark::face::BLENDSHAPES;
use facemark::geometry::Region;
use facemark::onnx::spec::ModelSpec;
use rand::SeedableRng;
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rayon::prelude::*;

use crate::dataset::Sample;
use crate::recipe::Recipe;
pub use crops::Example;

/// Batches that wait for the net; a few smooth out the loader's pauses.
const AHEAD: usize = 4;

/// One example: 8-bit pixels, and the numbers that the net is to answer.
pub struct Numbers {
    /// `width * height` grey levels.
    pub pixels: Vec<u8>,
    /// For landmarks x0, y0, x1, y1 … in crop sides, and 1 or 0 for a face or none if the net tells that. For a mesh: x
    /// and y, the depths in crop widths, 1 or 0 for a face or none, the blendshapes, 1 or 0 for each point whose place
    /// is known or not, and 1 or 0 for whether the blendshapes are known.
    pub targets: Vec<f32>,
}

impl Numbers {
    /// A crop with its landmarks.
    pub fn new(example: Example, spec: &ModelSpec) -> Self {
        let Example { pixels, points, mesh, present } = example;
        let number = |yes: bool| f32::from(u8::from(yes));
        let mut targets: Vec<f32> = points.into_iter().flat_map(|p| [p.x, p.y]).collect();
        if !spec.depth {
            targets.extend(spec.presence.then_some(number(present)));
        } else {
            let crops::Mesh { depths, blendshapes, known } = mesh;
            targets.extend(depths);
            targets.push(number(present));
            let knows_blendshapes = !blendshapes.is_empty();
            targets.extend(blendshapes);
            targets.resize(3 * spec.scheme.n_points() + 1 + BLENDSHAPES.len(), 0.0);
            targets.extend(known.into_iter().map(number));
            targets.push(number(knows_blendshapes));
        }
        Self { pixels, targets }
    }
}

/// Some examples, ready for a net.
pub struct Batch {
    /// How many.
    pub len: usize,
    /// Width and height of the net's input.
    size: (usize, usize),
    /// Normalised crops, `len * height * width`.
    crops: Vec<f32>,
    /// What the net is to answer, all examples one after another.
    targets: Vec<f32>,
}

impl Batch {
    /// Normalises the pixels as the net wants them.
    pub fn new(examples: &[Numbers], spec: &ModelSpec) -> Self {
        let pixels = spec.width * spec.height;
        let mut crops = vec![0.0; examples.len() * pixels];
        for (example, crop) in examples.iter().zip(crops.chunks_exact_mut(pixels)) {
            normalise(&example.pixels, spec.width, spec.normalisation, crop);
        }
        let targets = examples.iter().flat_map(|example| &example.targets).copied().collect();
        Self { len: examples.len(), size: (spec.width, spec.height), crops, targets }
    }

    /// Crops `[len, 1, height, width]` and targets `[len, n]` on a device.
    pub fn into_tensors<B: Backend>(self, device: &B::Device) -> (Tensor<B, 4>, Tensor<B, 2>) {
        let (width, height) = self.size;
        let n = self.targets.len() / self.len;
        let crops = TensorData::new(self.crops, [self.len, 1, height, width]);
        let targets = TensorData::new(self.targets, [self.len, n]);
        (Tensor::from_data(crops, device), Tensor::from_data(targets, device))
    }
}

/// Crops of given regions as they are, in batches of at most `size`.
pub fn plain(views: &[(&Sample, Region)], spec: &ModelSpec, size: usize) -> Vec<Batch> {
    let cut = |(sample, region): &(&Sample, Region)| Numbers::new(crops::plain(sample, region, spec), spec);
    views.chunks(size).map(|part| Batch::new(&part.par_iter().map(cut).collect::<Vec<_>>(), spec)).collect()
}

/// Makes the training example of an index below the number of examples in an epoch.
pub trait Maker: Fn(usize, &mut StdRng) -> Numbers + Send + Sync {}

impl<F: Fn(usize, &mut StdRng) -> Numbers + Send + Sync> Maker for F {}

/// A batch as [`training`] makes them, large enough for stable statistics.
pub fn sample_crops(n: usize, make: impl Maker, spec: &ModelSpec, recipe: &Recipe) -> Batch {
    let step = n.div_ceil(256);
    let example = |i: usize| make(i, &mut example_rng(recipe, 0, i));
    let examples: Vec<Numbers> = (0..n).into_par_iter().step_by(step).map(example).collect();
    Batch::new(&examples, spec)
}

/// Steps in an epoch over `n` samples.
pub fn steps_per_epoch(n: usize, recipe: &Recipe) -> usize {
    (n / recipe.batch).max(1)
}

/// The training batches of all epochs from `first_epoch` (0-based) on, in order.
///
/// What they hold depends on seed, epoch and sample alone, so that a resumed run sees what an unbroken one would.
/// Dropping the receiver ends the thread.
pub fn training(
    n: usize,
    make: impl Maker + 'static,
    spec: ModelSpec,
    recipe: Recipe,
    first_epoch: usize,
) -> Receiver<Batch> {
    let (sender, receiver) = bounded(AHEAD);
    thread::spawn(move || {
        let steps = steps_per_epoch(n, &recipe);
        for epoch in first_epoch..recipe.epochs {
            let order = shuffled(n, &recipe, epoch);
            for part in order.chunks(recipe.batch).take(steps) {
                let example = |&i: &usize| make(i, &mut example_rng(&recipe, epoch, i));
                let examples: Vec<Numbers> = part.par_iter().map(example).collect();
                if sender.send(Batch::new(&examples, &spec)).is_err() {
                    return;
                }
            }
        }
    });
    receiver
}

fn shuffled(n: usize, recipe: &Recipe, epoch: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..n).collect();
    // No sample has this index, so no example shares the order's randomness.
    order.shuffle(&mut example_rng(recipe, epoch, n));
    order
}

/// Randomness for one sample in one epoch.
fn example_rng(recipe: &Recipe, epoch: usize, index: usize) -> StdRng {
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&recipe.seed.to_le_bytes());
    seed[8..16].copy_from_slice(&(epoch as u64).to_le_bytes());
    seed[16..24].copy_from_slice(&(index as u64).to_le_bytes());
    StdRng::from_seed(seed)
}
