//! The detector's loss.

use burn::nn::loss::SmoothL1LossConfig;
use burn::tensor::Tensor;
use burn::tensor::activation::{log_sigmoid, sigmoid};
use burn::tensor::backend::Backend;
use facemark::detect::grid::{STRIDES, VALUES};

use crate::batch::targets::NONE;

/// Focal loss for the scores and smooth L1 for the rest, see [`crate::recipe::Loss::Focal`].
#[derive(Clone, Copy, Debug)]
pub struct Focal {
    /// How much less a cell counts the surer it is.
    pub gamma: f32,
    /// The weight of cells with a face; that of the others is the rest to 1.
    pub alpha: f32,
    /// Where smooth L1 turns into a line, in sizes of the face.
    pub beta: f32,
    /// Weight of smooth L1.
    pub place: f32,
}

impl Focal {
    /// The loss over all cells per face; `found` and `targets` are `[n, values]`, `size` the input's width and
    /// height.
    pub fn of<B: Backend>(
        &self,
        found: Tensor<B, 2>,
        targets: Tensor<B, 2>,
        size: (usize, usize),
    ) -> Tensor<B, 1> {
        let (found, targets) = (by_cell(found, size), by_cell(targets, size));
        let label = targets.clone().narrow(1, 0, 1);
        let share = label.clone().clamp_min(0.0);
        let is_none = label.equal_elem(NONE).float();
        let scores = self.scores(found.clone().narrow(1, 0, 1), share.clone(), is_none);
        let places = self.places(found, targets, share.clone());
        let n_faces = share.sum().clamp_min(1.0);
        (scores + places * self.place) / n_faces
    }

    /// All arguments are `[n, 1, cells]`.
    fn scores<B: Backend>(
        &self,
        logit: Tensor<B, 3>,
        share: Tensor<B, 3>,
        is_none: Tensor<B, 3>,
    ) -> Tensor<B, 1> {
        let p = sigmoid(logit.clone());
        // -ln p and -ln(1 - p).
        let (if_face, if_none) = (-log_sigmoid(logit.clone()), -log_sigmoid(-logit));
        let faces = share * (-p.clone() + 1.0).powf_scalar(self.gamma) * if_face * self.alpha;
        let others = is_none * p.powf_scalar(self.gamma) * if_none * (1.0 - self.alpha);
        (faces + others).sum()
    }

    /// `found` and `targets` are `[n, values, cells]`.
    fn places<B: Backend>(
        &self,
        found: Tensor<B, 3>,
        targets: Tensor<B, 3>,
        share: Tensor<B, 3>,
    ) -> Tensor<B, 1> {
        let error = found - targets.clone();
        // Strides per size of the face: a pixel counts the more the smaller the face is.
        let unit = (-targets.clone().narrow(1, 3, 1)).exp();
        let roll = targets.narrow(1, 4, 2);
        let has_roll = (roll.clone() * roll).sum_dim(1).greater_elem(0.5).float();
        let smooth = SmoothL1LossConfig::new().with_beta(self.beta).init();
        let smooth_l1 = |error: Tensor<B, 3>| smooth.forward(error.clone(), error.zeros_like());
        let way = smooth_l1(error.clone().narrow(1, 1, 2) * unit);
        let size = smooth_l1(error.clone().narrow(1, 3, 1));
        let roll = smooth_l1(error.narrow(1, 4, 2) * has_roll);
        ((way.sum_dim(1) + size + roll.sum_dim(1)) * share).sum()
    }
}

/// `[n, values]` of all grids → `[n, numbers per cell, cells]`.
fn by_cell<B: Backend>(x: Tensor<B, 2>, (width, height): (usize, usize)) -> Tensor<B, 3> {
    let n = x.dims()[0];
    let mut start = 0;
    let grids = STRIDES.map(|stride| {
        let n_cells = (width / stride) * (height / stride);
        let grid = x.clone().narrow(1, start, VALUES * n_cells).reshape([n, VALUES, n_cells]);
        start += VALUES * n_cells;
        grid
    });
    Tensor::cat(grids.to_vec(), 2)
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use burn_flex::Flex;
    use facemark::detect::grid::{Cell, cells, n_values};

    use super::*;
    use crate::batch::targets::EITHER;

    const FOCAL: Focal = Focal { gamma: 2.0, alpha: 0.25, beta: 0.1, place: 2.0 };

    fn put(answer: &mut [f32], cell: &Cell, values: [f32; VALUES]) {
        values.into_iter().enumerate().for_each(|(i, v)| answer[cell.index + i * cell.step] = v);
    }

    fn loss(found: &[f32], targets: &[f32]) -> f32 {
        let tensor =
            |values: &[f32]| Tensor::<Flex, 1>::from_floats(values, &Default::default()).reshape([1, -1]);
        FOCAL.of(tensor(found), tensor(targets), (64, 32)).into_scalar()
    }

    #[test]
    fn a_made_up_answer_costs_what_it_should() {
        let n = n_values(64, 32);
        // Sure that nothing is there: such cells cost nothing.
        let (mut found, mut targets) = (vec![-30.0; n], vec![0.0; n]);
        let all: Vec<Cell> = cells(64, 32).collect();
        assert!(loss(&found, &targets) < 1e-9);
        // A face of twice its cell's stride that is given 0.5, half a stride too far right, 20 % too large, with its roll
        // unknown: 0.25 · 0.5² · ln 2, and smooth L1 of a quarter size and of 0.2.
        let two = 2.0_f32.ln();
        put(&mut found, &all[3], [0.0, 0.5, 0.0, two + 0.2, 5.0, 5.0]);
        put(&mut targets, &all[3], [1.0, 0.0, 0.0, two, 0.0, 0.0]);
        let expected = 0.25 * 0.25 * two + 2.0 * ((0.25 - 0.05) + (0.2 - 0.05));
        assert!((loss(&found, &targets) - expected).abs() < 1e-5);
        // With the roll known, and off by 0.05 in both numbers.
        put(&mut found, &all[3], [0.0, 0.5, 0.0, two + 0.2, 0.85, 0.65]);
        put(&mut targets, &all[3], [1.0, 0.0, 0.0, two, 0.8, 0.6]);
        let expected = expected + 2.0 * 2.0 * 0.05 * 0.05 / 0.2;
        assert!((loss(&found, &targets) - expected).abs() < 1e-5);
        // A false alarm in a cell of another grid: 0.75 · 0.5² · ln 2. Where both answers are right it costs nothing.
        found[all[34].index] = 0.0;
        assert!((loss(&found, &targets) - expected - 0.75 * 0.25 * two).abs() < 1e-5);
        targets[all[34].index] = EITHER;
        assert!((loss(&found, &targets) - expected).abs() < 1e-5);
    }

    #[test]
    fn absurd_scores_have_a_finite_loss() {
        let (mut found, mut targets) = (vec![500.0; n_values(64, 32)], vec![0.0; n_values(64, 32)]);
        assert!(loss(&found, &targets).is_finite());
        found.fill(-500.0);
        targets[0] = 1.0;
        assert!(loss(&found, &targets).is_finite());
    }
}
