//! The way through a net's layers, whether they are run or written to a file.

use super::layer::{Layer, Weighted, Window};

/// What can be done with a net's layers, one after the other: they are run, or written to a file.
pub trait Runner {
    /// What layers take and give.
    type Value: Clone;

    /// The next layer that learns.
    fn weighted(&mut self, x: Self::Value) -> Self::Value;
    /// See [`Layer::Relu`].
    fn relu(&mut self, x: Self::Value) -> Self::Value;
    /// See [`Layer::MaxPool`].
    fn max_pool(&mut self, x: Self::Value, window: Window) -> Self::Value;
    /// See [`Layer::Mean`].
    fn mean(&mut self, x: Self::Value) -> Self::Value;
    /// See [`Layer::Flatten`].
    fn flatten(&mut self, x: Self::Value) -> Self::Value;
    /// The sum of two values of the same shape.
    fn add(&mut self, a: Self::Value, b: Self::Value) -> Self::Value;
    /// Rows of values, one after the other.
    fn join(&mut self, parts: Vec<Self::Value>) -> Self::Value;
    /// See [`Layer::Shift`].
    fn shift(&mut self, x: Self::Value, by: &[f32]) -> Self::Value;
    /// See [`Layer::Pick`].
    fn pick(&mut self, x: Self::Value, indices: &[usize]) -> Self::Value;
    /// See [`Layer::Votes`].
    fn votes(&mut self, parts: [Self::Value; 3]) -> Self::Value;
}

/// What the layers make of `x`.
pub fn walk<R: Runner>(layers: &[Layer], x: R::Value, runner: &mut R) -> R::Value {
    layers.iter().fold(x, |x, layer| match layer {
        Layer::Weighted(_) => runner.weighted(x),
        Layer::Relu => runner.relu(x),
        Layer::MaxPool(window) => runner.max_pool(x, *window),
        Layer::Mean => runner.mean(x),
        Layer::Flatten => runner.flatten(x),
        Layer::Residual(main, short_cut) => {
            let y = walk(main, x.clone(), runner);
            let x = walk(short_cut, x, runner);
            let sum = runner.add(y, x);
            runner.relu(sum)
        }
        Layer::Sum(one, other) => {
            let y = walk(one, x.clone(), runner);
            let x = walk(other, x, runner);
            runner.add(y, x)
        }
        Layer::Join(lists) => {
            let parts = lists.iter().map(|list| walk(list, x.clone(), runner)).collect();
            runner.join(parts)
        }
        Layer::Shift(by) => runner.shift(x, by),
        Layer::Pick(indices) => runner.pick(x, indices),
        Layer::Votes(parts) => {
            let parts = parts.each_ref().map(|_| runner.weighted(x.clone()));
            runner.votes(parts)
        }
        Layer::Extra(layers) => walk(layers, x, runner),
    })
}

/// The next of a net's weights, of which there are as many as [`walk`] asks for.
pub fn next<W>(weights: &mut impl Iterator<Item = W>) -> W {
    weights.next().unwrap_or_else(|| unreachable!("a net has weights for all its layers"))
}

/// When a net's file has no weights for a layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Never.
    Common,
    /// If the file's net is a smaller one: see [`Layer::Extra`].
    Extra,
    /// The same, and this is the last of these layers.
    LastExtra,
}

/// The layers that learn, in the order in which [`walk`] comes to them.
pub fn weighted<'a>(layers: &'a [Layer]) -> Vec<(&'a Weighted, Role)> {
    let list = |layer: &'a Layer| match layer {
        Layer::Weighted(layer) => vec![(layer, Role::Common)],
        Layer::Relu | Layer::MaxPool(_) | Layer::Mean | Layer::Flatten => Vec::new(),
        Layer::Shift(_) | Layer::Pick(_) => Vec::new(),
        Layer::Residual(one, other) | Layer::Sum(one, other) => [weighted(one), weighted(other)].concat(),
        Layer::Join(lists) => lists.iter().flat_map(|list| weighted(list)).collect(),
        Layer::Votes(parts) => parts.iter().map(|part| (part, Role::Common)).collect(),
        Layer::Extra(layers) => {
            let mut layers: Vec<_> =
                weighted(layers).into_iter().map(|(layer, _)| (layer, Role::Extra)).collect();
            layers.last_mut().into_iter().for_each(|(_, role)| *role = Role::LastExtra);
            layers
        }
    };
    layers.iter().flat_map(list).collect()
}

/// The x and y of each cell's centre in crop sides, row by row.
pub fn cell_centers([height, width]: [usize; 2]) -> [Vec<f32>; 2] {
    let center = |i: usize, n: usize| (i as f32 + 0.5) / n as f32;
    let cells = 0..height * width;
    [
        cells.clone().map(|i| center(i % width, width)).collect(),
        cells.map(|i| center(i / width, height)).collect(),
    ]
}
