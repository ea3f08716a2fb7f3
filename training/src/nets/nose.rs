//! The course's first net: the middle of the nose's lower edge, from a whole photo shrunk to 60×80; and its variant with
//! three convolutions.

use super::layer::Layer::{self, Flatten, Relu};
use super::layer::{answer, conv, dense, max_pool};

/// Four convolutions. `mean_shape` is `[x, y]` in crop sides.
pub fn four(mean_shape: &[f32]) -> Vec<Layer> {
    vec![
        conv([1, 12], 7), // 60×80 → 54×74
        Relu,
        max_pool(2, 2),    // 27×37
        conv([12, 20], 5), // 23×33
        Relu,
        max_pool(2, 2),    // 11×16
        conv([20, 28], 3), // 9×14
        Relu,
        max_pool(2, 2),    // 4×7
        conv([28, 32], 3), // 2×5
        Relu,
        max_pool(2, 2), // 1×2
        Flatten,
        dense(64, 30),
        Relu,
        answer(30, mean_shape),
    ]
}

/// Three convolutions, the last pool so large that the fully connected layers are those of [`four`].
pub fn three(mean_shape: &[f32]) -> Vec<Layer> {
    vec![
        conv([1, 12], 7), // 60×80 → 54×74
        Relu,
        max_pool(2, 2),    // 27×37
        conv([12, 20], 5), // 23×33
        Relu,
        max_pool(2, 2),    // 11×16
        conv([20, 32], 3), // 9×14
        Relu,
        max_pool(9, 7), // 1×2
        Flatten,
        dense(64, 30),
        Relu,
        answer(30, mean_shape),
    ]
}
