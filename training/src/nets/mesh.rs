//! The net for MediaPipe's mesh: the features of [`compact`](super::voting::compact) and its voting cells, for those points
//! alone that the eye can place.
//!
//! These are the points of the contours: eyes, irises, lips, brows, nose, face oval. All others lie on skin that shows
//! nothing, and follow them: a linear map from the contours' true places leaves them 0.2 % of the distance between the outer
//! eye corners off. So one layer derives them, and the depths, from the points that were voted on and from values that
//! also tell the blendshapes. Votes on all 478 would take a quarter of the time. The voted points are corrected in the same
//! way, since each is voted on by itself: a face's outline would be jagged.

use std::collections::BTreeSet;

use facemark::face::{BLENDSHAPES, Scheme, mesh as points};

use super::layer::Layer::{self, Extra, Flatten, Join, Mean, Pick, Relu, Shift, Sum};
use super::layer::{answer, conv, dense};
use super::voting::{FIRST_SIGMA, features, votes};

/// Channels of the features.
const CHANNELS: usize = 128;
/// Their cells.
const CELLS: usize = 7 * 7;
/// Channels, and then values, that tell the expression.
const EXPRESSION: [usize; 2] = [24, 96];
/// Values between what is seen and the blendshapes, which do not depend on it linearly: from true points, one layer gives
/// them with a mean error of 0.035, two layers with 0.020 (training/EXPERIMENTS.md).
const HIDDEN: usize = 128;

/// Answers points, depths, logarithms of sigmas, presence and blendshapes, as
/// [`ModelSpec::layout`](facemark::onnx::spec::ModelSpec::layout) has them. `mean_shape` holds two coordinates a point, in
/// crop sides.
pub fn mesh(mean_shape: &[f32]) -> Vec<Layer> {
    let shape = |points: &[usize]| -> Vec<f32> {
        points.iter().flat_map(|&i| [mean_shape[2 * i], mean_shape[2 * i + 1]]).collect()
    };
    let (voted, others) = points_by_contour();
    let voted_shape = shape(&voted);
    let seen = vec![vec![votes(CHANNELS, &voted_shape)], expression(), vec![Mean, answer(CHANNELS, &[0.0])]];
    let n_voted = voted_shape.len();
    let n_seen = n_voted + EXPRESSION[1] + 1;
    // Around 0, so that a step of the training moves the answers little, and so do weights that are stored as 8-bit levels.
    let mut from_mean: Vec<f32> = voted_shape.iter().map(|v| -v).collect();
    from_mean.resize(n_seen, 0.0);
    let n = points::N_POINTS;
    let first = [shape(&others), vec![0.0; n], vec![FIRST_SIGMA.ln(); n]];
    let from_all = |first: &[f32]| vec![Shift(from_mean.clone()), answer(n_seen, first)];
    let agreed = Sum(vec![Extra(from_all(&vec![0.0; n_voted]))], vec![Pick((0..n_voted).collect())]);
    let presence = Pick(vec![n_seen - 1]);
    let hidden = dense(n_seen, HIDDEN);
    let blendshapes = vec![Shift(from_mean.clone()), hidden, Relu, answer(HIDDEN, &[0.0; BLENDSHAPES.len()])];
    let answers = Join(vec![vec![agreed], vec![presence], from_all(&first.concat()), blendshapes]);
    [features([32, 64, CHANNELS], 1), vec![Join(seen), answers, Pick(order(&voted, &others))]].concat()
}

/// The points that are voted on, and all others.
fn points_by_contour() -> (Vec<usize>, Vec<usize>) {
    let contours = Scheme::Mesh478.contours().iter().flat_map(|contour| contour.points);
    let voted: BTreeSet<usize> = contours.copied().chain(points::IRISES).collect();
    (0..points::N_POINTS).partition(|i| voted.contains(i))
}

/// The expression, from features of fewer channels that keep their places.
fn expression() -> Vec<Layer> {
    let [channels, values] = EXPRESSION;
    vec![conv([CHANNELS, channels], 1), Relu, Flatten, dense(channels * CELLS, values), Relu]
}

/// Where each number of the answer is among the voted points, the presence, and what is derived.
fn order(voted: &[usize], others: &[usize]) -> Vec<usize> {
    let n = voted.len() + others.len();
    let mut order = vec![0; 2 * n];
    let presence = 2 * voted.len();
    let places = voted.iter().enumerate().map(|(at, &i)| (2 * at, i));
    let derived = others.iter().enumerate().map(|(at, &i)| (presence + 1 + 2 * at, i));
    for (at, i) in places.chain(derived) {
        (order[2 * i], order[2 * i + 1]) = (at, at + 1);
    }
    let depths = 2 * n + 1;
    order.extend(depths..depths + 2 * n);
    order.push(presence);
    order.extend(depths + 2 * n..depths + 2 * n + BLENDSHAPES.len());
    order
}
