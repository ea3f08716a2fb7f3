//! The numbers that convolutions multiply.

use burn::nn::PaddingConfig2d;
use burn::nn::conv::Conv2d;
use burn::tensor::backend::Backend;
use burn::tensor::module::conv2d;
use burn::tensor::ops::PaddedConvOptions;
use burn::tensor::{FloatDType, Tensor};

use crate::recipe::Precision;

/// What a convolution makes of `x`, both `[n, channels, height, width]` and of 32 bits.
///
/// With [`Precision::Bf16`] pictures and weights are rounded to bfloat16 before they are multiplied, and so are the
/// gradients on their way back; the processor adds up in 32 bits. The weights themselves keep 32 bits, or small steps
/// would be lost. Layers of 1×1, which most answers come from, are not rounded: they take little time.
pub fn convolve<B: Backend>(conv: &Conv2d<B>, x: Tensor<B, 4>, precision: Precision) -> Tensor<B, 4> {
    let PaddingConfig2d::Explicit(top, left, bottom, right) = conv.padding else { return conv.forward(x) };
    if precision == Precision::F32 || conv.kernel_size == [1, 1] {
        return conv.forward(x);
    }
    let short = |x: Tensor<B, 4>| x.cast(FloatDType::BF16);
    let options =
        PaddedConvOptions::asymmetric(conv.stride, [top, left], [bottom, right], conv.dilation, conv.groups);
    let y = conv2d(short(x), short(conv.weight.val()), None, options).cast(FloatDType::F32);
    match &conv.bias {
        Some(bias) => y + bias.val().reshape([1, -1, 1, 1]),
        None => y,
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use burn::backend::Autodiff;
    use burn::module::Module;
    use burn::optim::GradientsParams;
    use burn::tensor::Distribution;
    use burn_flex::Flex;

    use super::*;
    use crate::nets::{Net, values};
    use crate::recipe::NetKind;
    use crate::test_data;

    #[test]
    fn short_numbers_change_little_and_gradients_pass_through_them() {
        let _alone = test_data::random_numbers();
        let device = Default::default();
        let net = Net::<Flex>::new(NetKind::Nose, &[0.5; 2], &device).map(&mut test_data::Shaken);
        let crops = Tensor::<Flex, 4>::random([4, 1, 60, 80], Distribution::Normal(0.0, 1.0), &device);
        let (whole, short) =
            (values(net.forward(crops.clone())), values(net.forward_in(Precision::Bf16, crops)));
        let largest = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        let (rounding, spread) = (largest(&whole, &short), largest(&whole, &[0.5; 8]));
        assert!(rounding > 0.0 && rounding < 0.05 * spread, "{rounding} of {spread}");

        let device = Default::default();
        let net = Net::<Autodiff<Flex>>::new(NetKind::Nose, &[0.5; 2], &device);
        let crops = Tensor::random([2, 1, 60, 80], Distribution::Normal(0.0, 1.0), &device);
        let gradients = net.forward_in(Precision::Bf16, crops).sum().backward();
        // Weights and biases of four convolutions and two fully connected layers.
        assert_eq!(GradientsParams::from_grads(gradients, &net).len(), 12);
    }
}
