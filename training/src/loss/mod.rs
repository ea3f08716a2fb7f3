//! What training minimises.

pub mod focal;
pub mod mesh;

use burn::nn::loss::{BinaryCrossEntropyLossConfig, MseLoss, Reduction, SmoothL1LossConfig};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use facemark::onnx::spec::ModelSpec;

use crate::recipe::Loss;
use mesh::Mesh;

/// The mean loss over all coordinates, and over the certainty that there is a face for nets that say so. Points do not count
/// where there is no face.
pub fn landmark_loss<B: Backend>(
    found: Tensor<B, 2>,
    targets: Tensor<B, 2>,
    kind: Loss,
    spec: &ModelSpec,
) -> Tensor<B, 1> {
    if let Loss::Mesh { width, curvature, depth, sigma, blendshapes } = kind {
        return Mesh { width, curvature, depth, sigma, blendshapes }.of(found, targets, spec);
    }
    if !spec.presence {
        return loss(found, targets, kind);
    }
    let n = 2 * spec.scheme.n_points();
    let (points, present) = (targets.clone().narrow(1, 0, n), targets.narrow(1, n, 1));
    let part = |range: std::ops::Range<usize>| found.clone().narrow(1, range.start, range.len());
    let layout = spec.layout();
    let absent = -present.clone() + 1.0;
    let places = part(layout.points.clone()) * present.clone() + points.clone() * absent;
    let share = present.clone().mean().clamp_min(0.1);
    let sum = loss(places.clone(), points.clone(), kind) / share.clone()
        + certainty(part(layout.presence), present.clone());
    if !spec.sigma {
        return sum;
    }
    let surprise = (surprise(places - points, part(layout.sigma)) * present).mean() / share;
    sum + surprise * SIGMA_WEIGHT
}

/// What it costs to expect other distances than there are: the negative logarithm of exponential distributions' densities, up
/// to a constant. `error` is `[n, 2 · points]`, `sigma`, the logarithms of the expected distances, and the result are
/// `[n, points]`.
///
/// The distances are what the net is to know, not what it is to change for it.
fn surprise<B: Backend>(error: Tensor<B, 2>, sigma: Tensor<B, 2>) -> Tensor<B, 2> {
    let [n, n_points] = sigma.dims();
    let squares = error.detach().square().reshape([n, n_points, 2]);
    let distances = squares.sum_dim(2).sqrt().reshape([n, n_points]);
    distances * (-sigma.clone()).clamp_max(12.0).exp() + sigma
}

/// What a wrong certainty costs. `logit` and `present`, 0 or 1, are `[n, 1]`.
fn certainty<B: Backend>(logit: Tensor<B, 2>, present: Tensor<B, 2>) -> Tensor<B, 1> {
    let entropy = BinaryCrossEntropyLossConfig::new().with_logits(true).init(&logit.device());
    entropy.forward(logit, present.int()) * PRESENCE_WEIGHT
}

/// Keeps the cost of a new net's certainty, ln 2, below the cost of good landmarks, about 0.03.
const PRESENCE_WEIGHT: f32 = 0.02;

/// Keeps what the net learns for its sigmas from changing its landmarks: the same as the mesh's.
const SIGMA_WEIGHT: f32 = 2e-3;

/// The mean loss over all coordinates.
fn loss<B: Backend>(found: Tensor<B, 2>, targets: Tensor<B, 2>, loss: Loss) -> Tensor<B, 1> {
    match loss {
        Loss::Mse => MseLoss::new().forward(found, targets, Reduction::Mean),
        Loss::SmoothL1 { beta } => {
            let loss = SmoothL1LossConfig::new().with_beta(beta).init();
            loss.forward_with_reduction(found, targets, Reduction::Mean)
        }
        Loss::Wing { width, curvature } => wing(found - targets, width.into(), curvature.into()).mean(),
        Loss::Mesh { .. } => unreachable!("it has been taken care of"),
        Loss::Focal { .. } => unreachable!("recipes are checked: this loss is for detectors"),
    }
}

/// Of each error; see [`Loss::Wing`].
fn wing<B: Backend, const D: usize>(error: Tensor<B, D>, width: f64, curvature: f64) -> Tensor<B, D> {
    let size = error.abs();
    // Chosen so that both pieces meet at the width.
    let offset = width - width * (1.0 + width / curvature).ln();
    let bent = (size.clone() / curvature + 1.0).log() * width;
    let straight = size.clone() - offset;
    bent.mask_where(size.greater_elem(width), straight)
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use burn::tensor::TensorData;
    use burn_flex::Flex;

    use super::*;
    use crate::recipe::{NetKind, Recipe};

    #[test]
    fn smooth_l1_is_a_parabola_and_then_a_line() {
        let device = Default::default();
        let at = |error: f32| -> f32 {
            let found = Tensor::<Flex, 2>::from_data([[error]], &device);
            loss(found, Tensor::zeros([1, 1], &device), Loss::SmoothL1 { beta: 0.02 }).into_scalar()
        };
        assert!((at(-0.01) - 0.0025).abs() < 1e-7);
        assert!((at(0.02) - 0.01).abs() < 1e-7);
        assert!((at(0.12) - 0.11).abs() < 1e-7);
    }

    #[test]
    fn where_there_is_no_face_only_the_certainty_counts() {
        let device = Default::default();
        let spec = NetKind::Compact.spec(Recipe::best(NetKind::Compact).framing);
        // Landmarks that are off by half a crop, a certainty of this logit, and whether there is a face. The sigmas are as
        // far off and one crop's side.
        let of = |logit: f32, present: f32| -> f32 {
            let row = |point: f32, sigmas: usize, last: f32| {
                let numbers = [vec![point; 136], vec![0.0; sigmas], vec![last]].concat();
                let n = numbers.len();
                Tensor::<Flex, 2>::from_data(TensorData::new(numbers, [1, n]), &device)
            };
            let off = if present == 1.0 { SIGMA_WEIGHT * 0.5_f32.sqrt() } else { 0.0 };
            landmark_loss(row(0.5, 68, logit), row(0.0, 0, present), Loss::Mse, &spec).into_scalar() - off
        };
        assert!(of(-9.0, 0.0) < 1e-4, "it says that there is none");
        assert!((of(9.0, 0.0) - 9.0 * PRESENCE_WEIGHT).abs() < 1e-4);
        assert!((of(9.0, 1.0) - 0.25).abs() < 1e-4, "it says that there is one, but not where");
        assert!((of(-9.0, 1.0) - 0.25 - 9.0 * PRESENCE_WEIGHT).abs() < 1e-4);
    }

    #[test]
    fn wing_is_continuous_and_bent() {
        let device = Default::default();
        let wing = Loss::Wing { width: 0.04, curvature: 0.008 };
        let at = |error: f32| -> f32 {
            let found = Tensor::<Flex, 2>::from_data([[error]], &device);
            loss(found, Tensor::zeros([1, 1], &device), wing).into_scalar()
        };
        assert_eq!(at(0.0), 0.0);
        assert!((at(0.0399) - at(0.0401)).abs() < 3e-4);
        assert!((at(-0.02) - 0.04 * (1.0_f32 + 2.5).ln()).abs() < 1e-6);
        // Slope 1 in the straight part.
        assert!((at(0.3) - at(0.2) - 0.1).abs() < 1e-6);
    }
}
