//! The moving average of a net's weights over the steps of its training: less noisy than the weights themselves, and
//! so better by a few per cent (Polyak and Juditsky, "Acceleration of stochastic approximation by averaging", 1992).

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use crate::nets::Net;

/// Moves `average` towards `net`, weights and running statistics alike; `step` counts from 0.
///
/// Early on the average is kept young, so that it forgets the first random weights.
pub fn moved<B: Backend>(average: Net<B>, net: &Net<B>, decay: f64, step: usize) -> Net<B> {
    let young = (1.0 + step as f64) / (10.0 + step as f64);
    let mut weights = Weights(GradientsParams::new());
    net.visit(&mut weights);
    average.map(&mut Mixer { towards: weights.0, decay: decay.min(young) })
}

/// A net's tensors by their parameters' ids. (Burn keeps gradients the same way.)
struct Weights(GradientsParams);

impl<B: Backend> ModuleVisitor<B> for Weights {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        self.0.register(param.id, param.val());
    }
}

struct Mixer {
    towards: GradientsParams,
    decay: f64,
}

impl<B: Backend> ModuleMapper<B> for Mixer {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
        let Some(new) = self.towards.remove::<B, D>(param.id) else { return param };
        param.map(|old| old * self.decay + new * (1.0 - self.decay))
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use burn_flex::Flex;

    use super::*;
    use crate::recipe::NetKind;
    use crate::test_data;

    /// Sets every number of a net.
    struct Fill(f64);

    impl ModuleMapper<Flex> for Fill {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<Flex, D>>) -> Param<Tensor<Flex, D>> {
            param.map(|tensor| tensor.zeros_like() + self.0)
        }
    }

    /// The smallest and largest number of a net.
    #[derive(Debug)]
    struct Range(f32, f32);

    impl ModuleVisitor<Flex> for Range {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<Flex, D>>) {
            self.0 = self.0.min(param.val().min().into_scalar());
            self.1 = self.1.max(param.val().max().into_scalar());
        }
    }

    #[test]
    fn every_number_moves_by_the_share_that_is_not_kept() {
        let _alone = test_data::random_numbers();
        let net = || Net::<Flex>::new(NetKind::Resnet18, &[0.5; 136], &Default::default());
        let old = net().map(&mut Fill(1.0));
        // By way of a record: a plain copy would share the running statistics.
        let new = net().load_record(old.clone().into_record()).map(&mut Fill(2.0));
        // Late, by 1 - 0.75; at the first step, by 1 - 1/10.
        for (step, expected) in [(1000, 1.25), (0, 1.9)] {
            let mut range = Range(f32::MAX, f32::MIN);
            let old = net().load_record(old.clone().into_record());
            moved(old, &new, 0.75, step).visit(&mut range);
            assert!((range.0 - expected).abs() < 1e-6 && (range.1 - expected).abs() < 1e-6, "{range:?}");
        }
    }
}
