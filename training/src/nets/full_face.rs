//! The course's second net: all 58 IMM points from a photo shrunk to 180×240.

use super::layer::Layer::{self, Flatten, Relu};
use super::layer::{answer, conv, dense, max_pool};

/// Five convolutions, some with a max-pool, and two fully connected layers. `mean_shape` holds 116 coordinates in crop
/// sides.
///
/// ReLU and max-pool may change places; the pool comes first, since it leaves the ReLU a quarter of the work.
pub fn full_face(mean_shape: &[f32]) -> Vec<Layer> {
    vec![
        conv([1, 12], 7), // 180×240 → 174×234
        Relu,
        conv([12, 20], 7), // 168×228
        max_pool(2, 2),    // 84×114
        Relu,
        conv([20, 30], 7), // 78×108
        max_pool(2, 2),    // 39×54
        Relu,
        conv([30, 40], 7), // 33×48
        Relu,
        conv([40, 50], 7), // 27×42
        max_pool(2, 2),    // 13×21
        Relu,
        Flatten,
        dense(50 * 13 * 21, 1000),
        Relu,
        answer(1000, mean_shape),
    ]
}
