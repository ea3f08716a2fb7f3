//! The face detector: a small dense net that answers for every cell of three grids (see [`facemark::detect::grid`]).
//!
//! Depthwise convolutions would save arithmetic, but not time: tract runs dense ones several times nearer to a core's
//! peak. There is no way back from coarse grids to fine ones either, as feature pyramids have it: each grid sees its
//! own sizes of faces.

use super::layer::Layer::{self, Flatten, Join, Relu, Residual, Weighted};
use super::layer::{conv_answer, normed_conv};

/// A stem and three stages, each with cells that answer.
pub fn face() -> Vec<Layer> {
    let last = [stage([64, 96], 2), cells(96)].concat(); // 12×16 → 6×8
    let middle = [stage([40, 64], 2), vec![Join(vec![cells(64), last])]].concat(); // 24×32 → 12×16
    [
        vec![normed_conv([1, 32], 6, 4), Relu], // 192×256 → 48×64
        stage([32, 40], 1),                     // 24×32
        vec![Join(vec![cells(40), middle])],
    ]
    .concat()
}

/// Halves the size, then looks further around; each further convolution adds to what it is given.
fn stage(channels: [usize; 2], n_more: usize) -> Vec<Layer> {
    let more = Residual(vec![normed_conv([channels[1]; 2], 3, 1)], Vec::new());
    [vec![normed_conv(channels, 3, 2), Relu], vec![more; n_more]].concat()
}

/// A grid's answers. At first every cell gives a face a probability of 1 %, so that the many cells without one do not
/// drown the few with one (Lin et al., "Focal loss for dense object detection", ICCV 2017), and says that it is four cells
/// wide and upright.
fn cells(inputs: usize) -> Vec<Layer> {
    let bias = vec![-(99.0_f32.ln()), 0.0, 0.0, 4.0_f32.ln(), 1.0, 0.0];
    vec![Weighted(conv_answer(inputs, 3, bias, 1e-2)), Flatten]
}
