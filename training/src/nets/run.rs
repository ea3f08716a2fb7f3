//! Runs a net's layers with Burn.

use burn::tensor::activation;
use burn::tensor::backend::Backend;
use burn::tensor::module::max_pool2d;
use burn::tensor::{Int, Tensor, TensorData};

use super::layer::Window;
use super::walk::{Runner, cell_centers};

/// Layers as tensors `[n, channels, height, width]`; a row of values has one pixel. The function runs the next layer that
/// learns.
pub struct Forward<'a, B: Backend>(pub &'a mut dyn FnMut(Tensor<B, 4>) -> Tensor<B, 4>);

impl<B: Backend> Runner for Forward<'_, B> {
    type Value = Tensor<B, 4>;

    fn weighted(&mut self, x: Tensor<B, 4>) -> Tensor<B, 4> {
        (self.0)(x)
    }

    fn relu(&mut self, x: Tensor<B, 4>) -> Tensor<B, 4> {
        activation::relu(x)
    }

    fn max_pool(&mut self, x: Tensor<B, 4>, window: Window) -> Tensor<B, 4> {
        let Window { size, stride, pad } = window;
        max_pool2d(x, size, stride, [pad, pad], [1, 1], false)
    }

    fn mean(&mut self, x: Tensor<B, 4>) -> Tensor<B, 4> {
        let [n, channels, ..] = x.dims();
        per_cell(x).mean_dim(2).reshape([n, channels, 1, 1])
    }

    fn flatten(&mut self, x: Tensor<B, 4>) -> Tensor<B, 4> {
        row(x.flatten::<2>(1, 3))
    }

    fn add(&mut self, a: Tensor<B, 4>, b: Tensor<B, 4>) -> Tensor<B, 4> {
        a + b
    }

    fn join(&mut self, parts: Vec<Tensor<B, 4>>) -> Tensor<B, 4> {
        Tensor::cat(parts, 1)
    }

    fn shift(&mut self, x: Tensor<B, 4>, by: &[f32]) -> Tensor<B, 4> {
        let by = Tensor::from_data(TensorData::new(by.to_vec(), [1, by.len(), 1, 1]), &x.device());
        x + by
    }

    fn pick(&mut self, x: Tensor<B, 4>, indices: &[usize]) -> Tensor<B, 4> {
        let indices: Vec<i64> = indices.iter().map(|&i| i as i64).collect();
        let n = indices.len();
        let indices = Tensor::<B, 1, Int>::from_data(TensorData::new(indices, [n]), &x.device());
        x.select(1, indices)
    }

    fn votes(&mut self, [worth, x, y]: [Tensor<B, 4>; 3]) -> Tensor<B, 4> {
        let [n, n_points, height, width] = worth.dims();
        let device = worth.device();
        let worth = activation::softmax(per_cell(worth), 2);
        let [xs, ys] = cell_centers([height, width]);
        let mean = |opinions: Tensor<B, 4>, centers: Vec<f32>| {
            let centers = Tensor::from_data(TensorData::new(centers, [1, 1, height * width]), &device);
            ((per_cell(opinions) + centers) * worth.clone()).sum_dim(2)
        };
        let points: Tensor<B, 3> = Tensor::cat(vec![mean(x, xs), mean(y, ys)], 2);
        row(points.reshape([n, 2 * n_points]))
    }
}

/// `[n, channels, height, width]` → `[n, channels, height · width]`.
fn per_cell<B: Backend>(x: Tensor<B, 4>) -> Tensor<B, 3> {
    x.flatten(2, 3)
}

/// `[n, values]` → `[n, values, 1, 1]`.
fn row<B: Backend>(x: Tensor<B, 2>) -> Tensor<B, 4> {
    let [n, values] = x.dims();
    x.reshape([n, values, 1, 1])
}
