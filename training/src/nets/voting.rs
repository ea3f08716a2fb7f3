//! Nets for landmarks that are fast where they run: dense convolutions on few, coarse cells, which tract does best, and a
//! head whose cells vote.
//!
//! Each cell of the last, coarse grid says where it believes each landmark to be and how much that opinion is worth; the
//! answer is the weighted mean. This joins two ideas that work with few training photos: local regression by the cells
//! that see a landmark (Jin et al., "Pixel-in-Pixel Net", IJCV 2021), and a mean in place of a maximum, so that the
//! coordinates themselves are trained (Sun et al., "Integral Human Pose Regression", ECCV 2018).

use super::layer::Layer::{self, Extra, Join, Mean, Relu, Votes};
use super::layer::{SMALL, answer, block, conv_answer, normed_conv};

/// For live pictures. From the mean over all cells it also answers the logarithms of the landmarks' sigmas, and the logit of a
/// face being there. `mean_shape` holds two coordinates a point, in crop sides.
pub fn compact(mean_shape: &[f32]) -> Vec<Layer> {
    let sigmas = answer(128, &vec![FIRST_SIGMA.ln(); mean_shape.len() / 2]);
    let beyond = Join(vec![vec![Extra(vec![sigmas])], vec![answer(128, &[0.0])]]);
    let answers = Join(vec![vec![votes(128, mean_shape)], vec![Mean, beyond]]);
    [features([32, 64, 128], 1), vec![answers]].concat()
}

/// How far off landmarks are said to be at first, in crop sides: about as far as the mean shape is.
pub const FIRST_SIGMA: f32 = 0.05;

/// For recordings: twice as wide and twice as deep as [`compact`].
pub fn large(mean_shape: &[f32]) -> Vec<Layer> {
    [features([64, 128, 256], 2), vec![votes(256, mean_shape)]].concat()
}

/// A wide stem, and two halvings with `n_blocks` residual blocks after each. `channels` are those after the stem and after
/// each halving.
///
/// The stem takes the place of a first convolution and the layers at 48×48 and 24×24: large pictures with few channels
/// are where tract is slowest.
pub fn features([stem, first, second]: [usize; 3], n_blocks: usize) -> Vec<Layer> {
    let stage = |channels: [usize; 2]| {
        let block = || block([channels[1]; 2], 1);
        let mut layers = vec![normed_conv(channels, 3, 2), Relu, block()];
        layers.extend((1..n_blocks).map(|_| Extra(vec![block()])));
        layers
    };
    [
        vec![normed_conv([1, stem], 8, 4), Relu], // 112×112 → 28×28, 144×144 → 36×36
        stage([stem, first]),                     // 14×14, 18×18
        stage([first, second]),                   // 7×7, 9×9
    ]
    .concat()
}

/// The head. At first all cells are worth the same, and the mean of their opinions is the mean shape.
pub fn votes(inputs: usize, mean_shape: &[f32]) -> Layer {
    let head = |bias| conv_answer(inputs, 1, bias, SMALL);
    // The mean of the cells' centres is the middle of the crop.
    let from_middle = |axis: usize| mean_shape.iter().skip(axis).step_by(2).map(|v| v - 0.5).collect();
    Votes([head(vec![0.0; mean_shape.len() / 2]), head(from_middle(0)), head(from_middle(1))])
}
