//! The net for MediaPipe's mesh: the features of [`compact`](super::voting::compact), whose cells also vote on how deep each
//! landmark lies and how far off they may be, and a head for the blendshapes.

use facemark::face::BLENDSHAPES;

use super::layer::Layer::{self, Flatten, Join, Mean, Relu};
use super::layer::{answer, conv, dense};
use super::voting::{features, votes};

/// Channels of the features.
const CHANNELS: usize = 128;
/// Their cells.
const CELLS: usize = 7 * 7;
/// Channels, and then values, that the blendshapes are told from.
const EXPRESSION: [usize; 2] = [24, 96];
/// How far off landmarks are said to be at first, in crop sides: about as far as the mean shape is.
const FIRST_SIGMA: f32 = 0.05;

/// Answers points, depths, logarithms of sigmas, presence and blendshapes, as
/// [`ModelSpec::layout`](facemark::onnx::spec::ModelSpec::layout) has them. `mean_shape` holds two coordinates a point, in
/// crop sides.
pub fn mesh(mean_shape: &[f32]) -> Vec<Layer> {
    let answers = vec![
        vec![votes(CHANNELS, mean_shape, &[0.0, FIRST_SIGMA.ln()])],
        vec![Mean, answer(CHANNELS, &[0.0])],
        expression(),
    ];
    [features([32, 64, CHANNELS], 1), vec![Join(answers)]].concat()
}

/// The blendshapes, from features of fewer channels that keep their places.
fn expression() -> Vec<Layer> {
    let [channels, values] = EXPRESSION;
    vec![
        conv([CHANNELS, channels], 1),
        Relu,
        Flatten,
        dense(channels * CELLS, values),
        Relu,
        answer(values, &[0.0; BLENDSHAPES.len()]),
    ]
}
