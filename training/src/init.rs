//! Weights to begin a training with: those of another run, or of an ONNX file that `facemark-train export` wrote.

use std::fmt;
use std::fs;
use std::path::PathBuf;
use std::vec;

use anyhow::{Context, Result, ensure};
use burn::module::Param;
use burn::nn::Linear;
use burn::nn::conv::Conv2d;
use burn::tensor::backend::Backend;
use burn::tensor::{Tensor, TensorData};

use facemark::onnx::weights::{self, Layer};

use crate::nets::Net;
use crate::run_dir::RunDir;

/// Where a training's first weights come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Init {
    /// The best net of a run's folder.
    Run(PathBuf),
    /// An exported file. It has no batch normalisation any more, which is put back.
    Onnx(PathBuf),
}

impl From<PathBuf> for Init {
    fn from(path: PathBuf) -> Self {
        if path.is_dir() { Self::Run(path) } else { Self::Onnx(path) }
    }
}

impl fmt::Display for Init {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Run(path) | Self::Onnx(path)) = self;
        write!(f, "{}", path.file_name().unwrap_or(path.as_os_str()).display())
    }
}

/// Puts the weights of `init` into `net`. `crops`, `[n, 1, height, width]`, are such as the training will begin with.
///
/// # Errors
/// If the weights cannot be read or belong to another net.
pub fn load<B: Backend>(init: &Init, net: Net<B>, crops: Tensor<B, 4>, device: &B::Device) -> Result<Net<B>> {
    match init {
        Init::Run(path) => RunDir::open(path)?.0.load_best(net, device),
        Init::Onnx(path) => {
            let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
            let mut layers = Layers::read(&bytes).with_context(|| path.display().to_string())?;
            let net = net.import(&mut layers).and_then(|net| layers.end().map(|()| net));
            let net = net.with_context(|| format!("{} holds another net", path.display()))?;
            Ok(net.with_statistics_of(crops))
        }
    }
}

/// The convolutions and fully connected layers of an ONNX file, in the order in which they were exported.
pub struct Layers(vec::IntoIter<Layer>);

impl Layers {
    /// Reads the bytes of an ONNX file.
    pub fn read(bytes: &[u8]) -> Result<Self> {
        Ok(Self(weights::layers(bytes)?.into_iter()))
    }

    /// How many are left.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// The next layer's bias; its weights go into the convolution, which may have more channels than the layer: those
    /// that it gives keep their weights, those that it is given have no effect on the layer's own until they learn one.
    pub fn conv<B: Backend>(&mut self, conv: &mut Conv2d<B>) -> Result<Vec<f32>> {
        let own = conv.weight.dims();
        if let Some(layer) = self.0.as_mut_slice().first_mut()
            && let [outputs, inputs, height, width] = layer.shape[..]
            && [height, width] == own[2..]
            && outputs <= own[0]
            && inputs <= own[1]
        {
            widen(layer, conv);
        }
        self.next(&mut conv.weight)
    }

    /// The next layer's weights and bias go into the convolution.
    pub fn conv_with_bias<B: Backend>(&mut self, conv: &mut Conv2d<B>) -> Result<()> {
        conv.bias = Some(vector(self.conv(conv)?, &conv.weight.device()));
        Ok(())
    }

    /// The next layer's weights and bias go into the fully connected layer.
    pub fn linear<B: Backend>(&mut self, linear: &mut Linear<B>) -> Result<()> {
        linear.bias = Some(vector(self.next(&mut linear.weight)?, &linear.weight.device()));
        Ok(())
    }

    /// Leaves out the next one, if there is one.
    pub fn skip(&mut self) {
        drop(self.0.next());
    }

    /// Checks that no layer is left.
    pub fn end(mut self) -> Result<()> {
        ensure!(self.0.next().is_none(), "it has more layers");
        Ok(())
    }

    fn next<B: Backend, const D: usize>(&mut self, weight: &mut Param<Tensor<B, D>>) -> Result<Vec<f32>> {
        let layer = self.0.next().context("it has fewer layers")?;
        let shape = weight.dims();
        ensure!(layer.shape == shape, "a layer's weights are {:?} instead of {shape:?}", layer.shape);
        *weight = Param::from_data(TensorData::new(layer.weights, shape), &weight.device());
        Ok(layer.bias)
    }
}

/// Gives a convolution's layer as many channels as `conv` has.
fn widen<B: Backend>(layer: &mut Layer, conv: &Conv2d<B>) {
    let own @ [own_outputs, own_inputs, ..] = conv.weight.dims();
    let (outputs, inputs) = (layer.shape[0], layer.shape[1]);
    let size: usize = own[2..].iter().product();
    let mut weights: Vec<f32> = conv.weight.to_data().iter().collect();
    for (output, of_output) in weights.chunks_exact_mut(own_inputs * size).take(outputs).enumerate() {
        let (known, further) = of_output.split_at_mut(inputs * size);
        known.copy_from_slice(&layer.weights[output * inputs * size..][..inputs * size]);
        further.fill(0.0);
    }
    layer.weights = weights;
    layer.shape = own.to_vec();
    layer.bias.resize(own_outputs, 0.0);
}

/// A parameter from plain numbers.
pub fn vector<B: Backend>(values: Vec<f32>, device: &B::Device) -> Param<Tensor<B, 1>> {
    let n = values.len();
    Param::from_data(TensorData::new(values, [n]), device)
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use burn::module::Module;
    use burn::tensor::Distribution;
    use burn_flex::Flex;
    use facemark::crop::Framing;

    use super::*;
    use crate::export::onnx_file;
    use crate::graph::{Weights, values};
    use crate::recipe::NetKind;
    use crate::test_data;
    use clap::ValueEnum;

    #[test]
    fn a_net_read_from_its_file_answers_as_before_and_with_batch_statistics_too() -> Result<()> {
        let _alone = test_data::random_numbers();
        let device = Default::default();
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("net.onnx");
        for &kind in NetKind::value_variants() {
            let new = || Net::<Flex>::new(kind, &vec![0.5; 2 * kind.scheme().n_points()], &device);
            let net = new().map(&mut test_data::Shaken);
            let spec = kind.spec(Framing { width: 1.0, height: 1.0, shift_x: 0.0, shift_y: 0.0 });
            fs::write(&path, onnx_file(&net, &spec, Weights::F32))?;
            let shape = [8, 1, spec.height, spec.width];
            let crops = Tensor::<Flex, 4>::random(shape, Distribution::Normal(0.0, 1.0), &device);
            let init = Init::from(path.clone());
            let read = load(&init, new(), crops.clone(), &device)?;
            let (old, new) = (values(net.forward(crops.clone())), values(read.forward(crops)));
            let largest = old.iter().zip(&new).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(largest < 1e-3, "{}: {largest}", kind.name());
            let other = if kind == NetKind::Nose { NetKind::FullFace } else { NetKind::Nose };
            let other = Net::<Flex>::new(other, &vec![0.5; 2 * other.scheme().n_points()], &device);
            let crops = Tensor::<Flex, 4>::zeros([1, 1, 4, 4], &device);
            let error = load(&init, other, crops, &device).expect_err("it is another net");
            assert!(format!("{error:#}").contains("net.onnx holds another net"), "{error:#}");
        }
        Ok(())
    }

    #[test]
    fn a_wider_and_deeper_net_begins_with_what_a_smaller_one_answers() -> Result<()> {
        let _alone = test_data::random_numbers();
        let device = Default::default();
        let dir = tempfile::tempdir()?;
        let path = dir.path().join("compact.onnx");
        let new = |kind| Net::<Flex>::new(kind, &[0.5; 136], &device);
        let small = new(NetKind::Compact).map(&mut test_data::Shaken);
        let spec = NetKind::Compact.spec(Framing { width: 1.0, height: 1.0, shift_x: 0.0, shift_y: 0.0 });
        fs::write(&path, onnx_file(&small, &spec, Weights::F32))?;
        let crops = Tensor::<Flex, 4>::random([8, 1, 112, 112], Distribution::Normal(0.0, 1.0), &device);
        let large = load(&Init::from(path.clone()), new(NetKind::Large), crops.clone(), &device)?;
        let points = |net: &Net<Flex>| values(net.forward(crops.clone()).narrow(1, 0, 136));
        let (old, grown) = (points(&small), points(&large));
        let largest = old.iter().zip(&grown).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(largest < 1e-3, "{largest}");
        // The other way round something would be lost.
        let spec = NetKind::Large.spec(spec.framing);
        fs::write(&path, onnx_file(&large, &spec, Weights::F32))?;
        assert!(load(&Init::from(path), new(NetKind::Compact), crops, &device).is_err());
        Ok(())
    }
}
