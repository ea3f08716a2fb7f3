//! Weights to begin a training with: those of another run, or of an ONNX file that `facemark-train export` wrote.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use facemark::crop::Framing;
use facemark::onnx::spec::{ModelSpec, Spec};
use facemark::onnx::weights;

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

impl Init {
    /// The mean shape around which the net was made, which its weights belong to; `None` if it is not known, or if it is one
    /// of crops that are framed otherwise.
    ///
    /// # Errors
    /// If the run or the file cannot be read.
    pub fn mean_shape(&self, framing: Framing) -> Result<Option<Vec<f32>>> {
        match self {
            Self::Run(path) => {
                let (_, recipe, record) = RunDir::open(path)?;
                Ok((recipe.framing == framing).then_some(record.mean_shape))
            }
            Self::Onnx(path) => match Spec::of_file(&read(path)?)? {
                Spec::Landmarks(spec) if spec.framing == framing => Ok(mean_shape(&spec)),
                _ => Ok(None),
            },
        }
    }
}

/// The mean shape in crop sides that the exporter leaves in a file's training record.
pub fn mean_shape(spec: &ModelSpec) -> Option<Vec<f32>> {
    let numbers: Vec<f32> =
        spec.training.get("mean_shape")?.split(' ').map(str::parse).collect::<Result<_, _>>().ok()?;
    (numbers.len() == 2 * spec.scheme.n_points()).then_some(numbers)
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

/// Puts the weights of `init` into `net`. `crops`, `[n, 1, height, width]`, are such as the training will begin with.
///
/// # Errors
/// If the weights cannot be read or belong to another net.
pub fn load<B: Backend>(init: &Init, net: Net<B>, crops: Tensor<B, 4>, device: &B::Device) -> Result<Net<B>> {
    match init {
        Init::Run(path) => RunDir::open(path)?.0.load_best(net, device),
        Init::Onnx(path) => {
            let layers = weights::layers(&read(path)?).with_context(|| path.display().to_string())?;
            let net = net.import(layers).with_context(|| format!("{} holds another net", path.display()))?;
            Ok(net.with_statistics_of(crops))
        }
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use burn::module::Module;
    use burn::tensor::Distribution;
    use burn_flex::Flex;

    use super::*;
    use crate::nets::{Storage, values};
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
            fs::write(&path, net.to_onnx(&spec, Storage::F32))?;
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
        fs::write(&path, small.to_onnx(&spec, Storage::F32))?;
        let crops = Tensor::<Flex, 4>::random([8, 1, 112, 112], Distribution::Normal(0.0, 1.0), &device);
        let large = load(&Init::from(path.clone()), new(NetKind::Large), crops.clone(), &device)?;
        let points = |net: &Net<Flex>| values(net.forward(crops.clone()).narrow(1, 0, 136));
        let (old, grown) = (points(&small), points(&large));
        let largest = old.iter().zip(&grown).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(largest < 1e-3, "{largest}");
        // The other way round something would be lost.
        let spec = NetKind::Large.spec(spec.framing);
        fs::write(&path, large.to_onnx(&spec, Storage::F32))?;
        assert!(load(&Init::from(path), new(NetKind::Compact), crops, &device).is_err());
        Ok(())
    }
}
