//! The net for MediaPipe's mesh: the features of [`compact`](super::voting::compact) and its voting cells, for those points
//! alone that the eye can place.
//!
//! These are the points of the contours: eyes, irises, lips, brows, nose, face oval. All others lie on skin that shows
//! nothing, and follow them: a linear map from the contours' true places leaves them 0.2 % of the distance between the outer
//! eye corners off. So one layer derives them, and the depths, from the points that were voted on and from values that
//! also tell the blendshapes. Votes on all 478 would take a quarter of the time.

use std::collections::BTreeSet;

use facemark::face::{BLENDSHAPES, Scheme, mesh as points};

use super::layer::Layer::{self, Flatten, Join, Mean, Pick, Relu, Shift};
use super::layer::{answer, conv, dense};
use super::voting::{features, votes};

/// Channels of the features.
const CHANNELS: usize = 128;
/// Their cells.
const CELLS: usize = 7 * 7;
/// Channels, and then values, that tell the expression.
const EXPRESSION: [usize; 2] = [24, 96];
/// How far off landmarks are said to be at first, in crop sides: about as far as the mean shape is.
const FIRST_SIGMA: f32 = 0.05;

/// Answers points, depths, logarithms of sigmas, presence and blendshapes, as
/// [`ModelSpec::layout`](facemark::onnx::spec::ModelSpec::layout) has them. `mean_shape` holds two coordinates a point, in
/// crop sides.
pub fn mesh(mean_shape: &[f32]) -> Vec<Layer> {
    let shape = |points: &[usize]| -> Vec<f32> {
        points.iter().flat_map(|&i| [mean_shape[2 * i], mean_shape[2 * i + 1]]).collect()
    };
    let (voted, others) = points_by_contour();
    let voted_shape = shape(&voted);
    let seen =
        vec![vec![votes(CHANNELS, &voted_shape, &[])], expression(), vec![Mean, answer(CHANNELS, &[0.0])]];
    let n_seen = voted_shape.len() + EXPRESSION[1] + 1;
    // Around 0, so that a step of the training moves the answers little.
    let mut from_mean: Vec<f32> = voted_shape.iter().map(|v| -v).collect();
    from_mean.resize(n_seen, 0.0);
    let n = points::N_POINTS;
    let first = [shape(&others), vec![0.0; n], vec![FIRST_SIGMA.ln(); n], vec![0.0; BLENDSHAPES.len()]];
    let derived = Join(vec![Vec::new(), vec![Shift(from_mean), answer(n_seen, &first.concat())]]);
    let order = Pick(order(&voted, &others, n_seen));
    [features([32, 64, CHANNELS], 1), vec![Join(seen), derived, order]].concat()
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

/// Where each number of the answer is among those that were seen, of which the last is the presence, and those that were
/// derived.
fn order(voted: &[usize], others: &[usize], n_seen: usize) -> Vec<usize> {
    let n = voted.len() + others.len();
    let mut order = vec![0; 2 * n];
    let places = voted.iter().enumerate().map(|(at, &i)| (2 * at, i));
    let derived = others.iter().enumerate().map(|(at, &i)| (n_seen + 2 * at, i));
    for (at, i) in places.chain(derived) {
        (order[2 * i], order[2 * i + 1]) = (at, at + 1);
    }
    let depths = n_seen + 2 * others.len();
    order.extend(depths..depths + 2 * n);
    order.push(n_seen - 1);
    order.extend(depths + 2 * n..depths + 2 * n + BLENDSHAPES.len());
    order
}
