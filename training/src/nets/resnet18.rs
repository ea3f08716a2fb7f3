//! ResNet18 (He et al., "Deep Residual Learning for Image Recognition", CVPR 2016) with one input channel and a
//! regression head.

use super::layer::Layer::{self, MaxPool, Mean, Relu};
use super::layer::{Window, answer, block, normed_conv};

/// A stem, eight residual blocks, the mean over the picture and one fully connected layer. `mean_shape` holds two
/// coordinates a point, in crop sides.
pub fn resnet18(mean_shape: &[f32]) -> Vec<Layer> {
    vec![
        normed_conv([1, 64], 7, 2), // 112×112 → 56×56
        Relu,
        MaxPool(Window::square(3, 2, 1)), // 28×28
        block([64, 64], 1),
        block([64, 64], 1),
        block([64, 128], 2), // 14×14
        block([128, 128], 1),
        block([128, 256], 2), // 7×7
        block([256, 256], 1),
        block([256, 512], 2), // 4×4
        block([512, 512], 1),
        Mean,
        answer(512, mean_shape),
    ]
}
