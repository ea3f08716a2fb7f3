//! Means of nets' weights: over the steps of a training, and over several trainings.

use std::vec::IntoIter;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;

use crate::nets::Net;

/// Moves `average` towards `net`, weights and running statistics alike; `step` counts from 0. Such an average is less noisy
/// than the weights themselves, and so better by a few per cent (Polyak and Juditsky, "Acceleration of stochastic
/// approximation by averaging", 1992).
///
/// Early on the average is kept young, so that it forgets the first random weights.
pub fn moved<B: Backend>(average: Net<B>, net: &Net<B>, decay: f64, step: usize) -> Net<B> {
    let young = (1.0 + step as f64) / (10.0 + step as f64);
    mixed(average, net, decay.min(young))
}

/// The mean of nets of one form, weights and running statistics alike. Nets that learnt on from one another are mostly so
/// near that their mean is better than each (Wortsman et al., "Model soups", ICML 2022).
pub fn mean<B: Backend>(first: Net<B>, others: &[Net<B>]) -> Net<B> {
    others.iter().zip(2..).fold(first, |mean, (net, n)| mixed(mean, net, 1.0 - 1.0 / f64::from(n)))
}

/// The sum of `share` of one net's weights and the rest of another's.
fn mixed<B: Backend>(net: Net<B>, other: &Net<B>, share: f64) -> Net<B> {
    let mut weights = Weights { tensors: GradientsParams::new(), ids: Vec::new() };
    other.visit(&mut weights);
    net.map(&mut Mixer { towards: weights.tensors, ids: weights.ids.into_iter(), share })
}

/// A net's tensors by their parameters' ids, and these in the order of the net. (Burn keeps gradients the same way.)
struct Weights {
    tensors: GradientsParams,
    ids: Vec<ParamId>,
}

impl<B: Backend> ModuleVisitor<B> for Weights {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<B, D>>) {
        self.tensors.register(param.id, param.val());
        self.ids.push(param.id);
    }
}

struct Mixer {
    towards: GradientsParams,
    /// Those of `towards`, in the order in which the other net's parameters come: the nets' forms are the same, their ids
    /// need not be.
    ids: IntoIter<ParamId>,
    share: f64,
}

impl<B: Backend> ModuleMapper<B> for Mixer {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<B, D>>) -> Param<Tensor<B, D>> {
        let new = self.ids.next().and_then(|id| self.towards.remove::<B, D>(id));
        let Some(new) = new else { return param };
        param.map(|old| old * self.share + new * (1.0 - self.share))
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

    #[test]
    fn the_mean_of_nets_counts_each_of_them_the_same() {
        let _alone = test_data::random_numbers();
        let net = |value: f64| {
            let net = Net::<Flex>::new(NetKind::Resnet18, &[0.5; 136], &Default::default());
            net.map(&mut Fill(value))
        };
        let mut range = Range(f32::MAX, f32::MIN);
        mean(net(1.0), &[net(2.0), net(6.0)]).visit(&mut range);
        assert!((range.0 - 3.0).abs() < 1e-5 && (range.1 - 3.0).abs() < 1e-5, "{range:?}");
    }
}
