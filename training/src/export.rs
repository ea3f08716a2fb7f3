//! A trained net as an ONNX file: batch normalisation folded into the convolutions, weights stored small.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use burn::module::AutodiffModule;
use burn::nn::conv::Conv2d;
use burn::nn::{BatchNorm, Linear, PaddingConfig2d};
use burn::tensor::Tensor;
use burn::tensor::backend::{AutodiffBackend, Backend};
use clap::ValueEnum;
use facemark::spec::ModelSpec;
use half::f16;

use crate::config::Recipe;
use crate::nets::Net;
use crate::onnx::{self, Attribute, DataType, Message};
use crate::run_dir::{Epoch, Record, RunDir, write_atomically};
use crate::train::optimiser;

/// How the file stores large weight tensors; whoever loads it turns them into 32-bit floats once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Weights {
    /// As they are, four bytes each.
    F32,
    /// Half precision, two bytes each.
    F16,
    /// A byte each, with a scale per output channel.
    Int8,
}

/// Which of a run's nets to take.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Which {
    /// The one with the smallest validation error.
    Best,
    /// The one after the last epoch.
    Last,
}

/// Writes a run's net to an ONNX file; its size in bytes.
pub fn export<B: AutodiffBackend>(
    run: &Path,
    output: &Path,
    which: Which,
    weights: Weights,
    device: &B::Device,
) -> Result<usize> {
    let (dir, recipe, record) = RunDir::open(run)?;
    let net = match which {
        Which::Best => dir.load_best(Net::<B>::new(recipe.net, &record.mean_shape, device), device)?,
        Which::Last => {
            dir.load(Net::<B>::new(recipe.net, &record.mean_shape, device), optimiser(&recipe), device)?.net
        }
    };
    let mut spec = recipe.net.spec(recipe.framing);
    spec.training = training_record(&dir.metrics()?, &recipe, &record, which)?;
    let bytes = onnx_file(&net.valid(), &spec, weights);
    write_atomically(output, &bytes)?;
    Ok(bytes.len())
}

/// How the model came about, for its metadata.
fn training_record(
    epochs: &[Epoch],
    recipe: &Recipe,
    record: &Record,
    which: Which,
) -> Result<BTreeMap<String, String>> {
    let epoch = match which {
        Which::Best => epochs.iter().min_by(|a, b| a.validation_nme.total_cmp(&b.validation_nme)),
        Which::Last => epochs.last(),
    };
    let epoch = epoch.context("the run has not finished an epoch")?;
    let mean_shape: Vec<String> = record.mean_shape.iter().map(|v| format!("{v:.5}")).collect();
    let entries = [
        ("data", record.data.clone()),
        ("faces", format!("{} trained on, {} held out", record.n_training, record.n_validation)),
        ("seed", recipe.seed.to_string()),
        ("epochs", format!("{} of {}", epoch.epoch, recipe.epochs)),
        ("commit", record.commit.clone()),
        ("loss", format!("{:.6}", epoch.loss)),
        ("validation_nme", format!("{:.3} %", epoch.validation_nme)),
        ("validation_pixels", format!("{:.2}", epoch.validation_pixels)),
        ("recipe", recipe.to_toml()?),
        ("mean_shape", mean_shape.join(" ")),
    ];
    Ok(entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

/// The ONNX file of a net.
pub fn onnx_file<B: Backend>(net: &Net<B>, spec: &ModelSpec, weights: Weights) -> Vec<u8> {
    let mut graph = Graph::new(weights);
    let output = net.export(&mut graph, "crop");
    let message = Message::default()
        .messages(1, &graph.nodes)
        .text(2, &spec.name)
        .messages(5, &graph.tensors)
        .message(11, &onnx::value_info("crop", &[1, 1, spec.height, spec.width]))
        .message(12, &onnx::value_info(&output, &[1, 2 * spec.scheme.n_points()]));
    onnx::model(&message, &spec.to_metadata()).into_bytes()
}

/// An ONNX graph under construction. Each method adds a layer to what its first argument names and names the result.
pub struct Graph {
    nodes: Vec<Message>,
    tensors: Vec<Message>,
    weights: Weights,
}

impl Graph {
    fn new(weights: Weights) -> Self {
        Self { nodes: Vec::new(), tensors: Vec::new(), weights }
    }

    /// A convolution, with the batch normalisation after it folded in.
    pub fn conv<B: Backend>(&mut self, x: &str, conv: &Conv2d<B>, norm: Option<&BatchNorm<B>>) -> String {
        let dims = conv.weight.val().dims();
        let mut weight = values(conv.weight.val());
        let mut bias = conv.bias.as_ref().map_or_else(|| vec![0.0; dims[0]], |bias| values(bias.val()));
        if let Some(norm) = norm {
            fold(norm, &mut weight, &mut bias);
        }
        let weight = self.weight(&weight, &dims, 0);
        let bias = self.floats(&bias, &[dims[0]]);
        let attributes = [
            Attribute::Ints("kernel_shape", &conv.kernel_size),
            Attribute::Ints("strides", &conv.stride),
            Attribute::Ints("pads", &pads(conv)),
        ];
        self.node("Conv", &[x, &weight, &bias], &attributes)
    }

    /// A fully connected layer.
    pub fn linear<B: Backend>(&mut self, x: &str, linear: &Linear<B>) -> String {
        let dims = linear.weight.val().dims();
        // Burn keeps [inputs, outputs], which is Gemm's own order.
        let weight = self.weight(&values(linear.weight.val()), &dims, 1);
        let bias = linear.bias.as_ref().map_or_else(|| vec![0.0; dims[1]], |bias| values(bias.val()));
        let bias = self.floats(&bias, &[dims[1]]);
        self.node("Gemm", &[x, &weight, &bias], &[])
    }

    /// `max(x, 0)`.
    pub fn relu(&mut self, x: &str) -> String {
        self.node("Relu", &[x], &[])
    }

    /// The sum of two tensors of one shape.
    pub fn add(&mut self, a: &str, b: &str) -> String {
        self.node("Add", &[a, b], &[])
    }

    /// A square max-pool.
    pub fn max_pool(&mut self, x: &str, kernel: usize, stride: usize, pad: usize) -> String {
        let attributes = [
            Attribute::Ints("kernel_shape", &[kernel; 2]),
            Attribute::Ints("strides", &[stride; 2]),
            Attribute::Ints("pads", &[pad; 4]),
        ];
        self.node("MaxPool", &[x], &attributes)
    }

    /// The mean over all pixels of each channel.
    pub fn global_average_pool(&mut self, x: &str) -> String {
        self.node("GlobalAveragePool", &[x], &[])
    }

    /// `[n, c, h, w]` → `[n, c h w]`.
    pub fn flatten(&mut self, x: &str) -> String {
        self.node("Flatten", &[x], &[Attribute::Int("axis", 1)])
    }

    fn node(&mut self, operator: &str, inputs: &[&str], attributes: &[Attribute<'_>]) -> String {
        let output = format!("{}{}", operator.to_lowercase(), self.nodes.len());
        self.nodes.push(onnx::node(operator, inputs, &output, attributes));
        output
    }

    /// A constant of 32-bit floats.
    fn floats(&mut self, values: &[f32], dims: &[usize]) -> String {
        let raw: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.tensor(DataType::Float, dims, &raw)
    }

    /// A layer's weights, stored as the graph's [`Weights`] say; `channel_axis` is that of the output channels.
    fn weight(&mut self, values: &[f32], dims: &[usize], channel_axis: usize) -> String {
        match self.weights {
            Weights::F32 => self.floats(values, dims),
            Weights::F16 => {
                let raw: Vec<u8> = values.iter().flat_map(|&v| f16::from_f32(v).to_le_bytes()).collect();
                let half = self.tensor(DataType::Float16, dims, &raw);
                self.node("Cast", &[&half], &[Attribute::Int("to", DataType::Float as u64)])
            }
            Weights::Int8 => {
                let (levels, scales) = quantise(values, dims, channel_axis);
                let raw: Vec<u8> = levels.iter().map(|&level| level as u8).collect();
                let levels = self.tensor(DataType::Int8, dims, &raw);
                let n_channels = scales.len();
                let scales = self.floats(&scales, &[n_channels]);
                let zeros = self.tensor(DataType::Int8, &[n_channels], &vec![0; n_channels]);
                let axis = Attribute::Int("axis", channel_axis as u64);
                self.node("DequantizeLinear", &[&levels, &scales, &zeros], &[axis])
            }
        }
    }

    fn tensor(&mut self, data_type: DataType, dims: &[usize], raw: &[u8]) -> String {
        let name = format!("constant{}", self.tensors.len());
        self.tensors.push(onnx::tensor(&name, data_type, dims, raw));
        name
    }
}

/// Padding as ONNX orders it: top, left, bottom, right.
fn pads<B: Backend>(conv: &Conv2d<B>) -> [usize; 4] {
    match conv.padding {
        PaddingConfig2d::Explicit(top, left, bottom, right) => [top, left, bottom, right],
        PaddingConfig2d::Valid => [0; 4],
        PaddingConfig2d::Same => unreachable!("no net here pads by PaddingConfig2d::Same"),
    }
}

/// Folds `gamma * (x - mean) / sqrt(var + epsilon) + beta` into the convolution before it.
fn fold<B: Backend>(norm: &BatchNorm<B>, weight: &mut [f32], bias: &mut [f32]) {
    let gamma = values(norm.gamma.val());
    let beta = values(norm.beta.val());
    let mean = values(norm.running_mean.value());
    let var = values(norm.running_var.value());
    let per_channel = weight.len() / bias.len();
    for (c, kernel) in weight.chunks_exact_mut(per_channel).enumerate() {
        let gain = gamma[c] / (var[c] + norm.epsilon as f32).sqrt();
        kernel.iter_mut().for_each(|w| *w *= gain);
        bias[c] = (bias[c] - mean[c]) * gain + beta[c];
    }
}

fn values<B: Backend, const D: usize>(tensor: Tensor<B, D>) -> Vec<f32> {
    tensor.into_data().iter::<f32>().collect()
}

/// Rounds weights to -127..=127 times a scale per output channel.
fn quantise(values: &[f32], dims: &[usize], channel_axis: usize) -> (Vec<i8>, Vec<f32>) {
    let n_channels = dims[channel_axis];
    let stride: usize = dims[channel_axis + 1..].iter().product();
    let channel = |i: usize| i / stride % n_channels;
    let mut channels = vec![Vec::new(); n_channels];
    values.iter().enumerate().for_each(|(i, &v)| channels[channel(i)].push(v));
    let scales: Vec<f32> = channels.iter().map(|values| best_scale(values)).collect();
    let levels = values.iter().enumerate().map(|(i, &v)| level(v, scales[channel(i)])).collect();
    (levels, scales)
}

/// The scale with the smallest squared rounding error: a few large weights may be clipped for the good of the rest.
fn best_scale(values: &[f32]) -> f32 {
    let largest = values.iter().fold(0.0_f32, |largest, v| largest.max(v.abs()));
    if largest == 0.0 {
        return 1.0;
    }
    let error = |scale: f32| -> f32 {
        values.iter().map(|&v| (f32::from(level(v, scale)) * scale - v).powi(2)).sum()
    };
    let candidates = (10..=20).map(|i| largest / 127.0 * i as f32 / 20.0);
    candidates.min_by(|&a, &b| error(a).total_cmp(&error(b))).unwrap_or(largest / 127.0)
}

fn level(value: f32, scale: f32) -> i8 {
    (value / scale).round().clamp(-127.0, 127.0) as i8
}

#[cfg(all(test, feature = "flex"))]
mod tests {
    use burn::module::{Module, ModuleMapper, Param};
    use burn::tensor::Distribution;
    use burn_flex::Flex;
    use facemark::face::Framing;
    use facemark::model::{LandmarkModel, Landmarker};

    use super::*;
    use crate::nets::NetKind;
    use crate::test_data;

    /// Moves all weights away from their initial values, so that a forgotten bias or statistic is noticed.
    struct Shaken;

    impl ModuleMapper<Flex> for Shaken {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<Flex, D>>) -> Param<Tensor<Flex, D>> {
            param.map(|tensor| match D {
                // Biases, gains and running statistics; upwards, since variances must stay positive.
                1 => tensor.clone() + tensor.random_like(Distribution::Uniform(0.0, 0.2)),
                // The heads start so small that every crop would give the mean shape.
                2 => tensor * 5.0,
                _ => tensor,
            })
        }
    }

    /// Mean and largest distance between Burn's and tract's points over some random crops, in crop sides, and how far
    /// the crops' points are from each other.
    fn compare(kind: NetKind, weights: Weights) -> (f32, f32, f32) {
        let device = Default::default();
        let mean_shape: Vec<f32> =
            (0..2 * kind.scheme().n_points()).map(|i| 0.2 + 0.004 * i as f32).collect();
        let net = Net::<Flex>::new(kind, &mean_shape, &device).map(&mut Shaken);
        let spec = kind.spec(Framing { width: 1.0, height: 1.0, shift_x: 0.0, shift_y: 0.0 });
        let mut model = LandmarkModel::from_bytes(&onnx_file(&net, &spec, weights), 1).unwrap();
        assert_eq!(model.spec(), &spec);
        let shape = [3, 1, spec.height, spec.width];
        let crops = Tensor::<Flex, 4>::random(shape, Distribution::Normal(0.0, 1.0), &device);
        let burn: Vec<f32> = values(net.forward(crops.clone()));
        let crops = values(crops);
        let tract: Vec<f32> = crops
            .chunks_exact(spec.width * spec.height)
            .flat_map(|crop| model.run(crop).unwrap())
            .flat_map(|p| [p.x, p.y])
            .collect();
        assert_eq!(burn.len(), tract.len());
        let n = mean_shape.len();
        let difference =
            |a: &[f32], b: &[f32]| -> Vec<f32> { a.iter().zip(b).map(|(a, b)| (a - b).abs()).collect() };
        let errors = difference(&burn, &tract);
        let spread = difference(&burn[..n], &burn[n..2 * n]);
        let max = |values: &[f32]| values.iter().fold(0.0_f32, |a, &b| a.max(b));
        (errors.iter().sum::<f32>() / errors.len() as f32, max(&errors), max(&spread))
    }

    #[test]
    fn tract_finds_the_points_that_burn_finds() {
        let _alone = test_data::random_numbers();
        for kind in [NetKind::Nose, NetKind::FullFace, NetKind::Resnet18] {
            let (mean, largest, spread) = compare(kind, Weights::F32);
            println!("{} f32: mean {mean:.1e}, largest {largest:.1e} of the crop side", kind.name());
            assert!(spread > 0.01, "{}: crops differ by {spread} alone, which tests nothing", kind.name());
            assert!(largest <= 1e-4, "{}: {largest}", kind.name());
            for (weights, limit) in [(Weights::F16, 0.01), (Weights::Int8, 0.1)] {
                let (mean, largest, spread) = compare(kind, weights);
                println!("{} {weights:?}: mean {mean:.1e}, largest {largest:.1e}", kind.name());
                assert!(largest <= limit * spread.max(1.0), "{} {weights:?}: {largest}", kind.name());
            }
        }
    }

    #[test]
    fn quantised_weights_stay_within_half_a_level() {
        // Two input and three output channels with very different ranges.
        let weights = [1.0, -100.0, 0.01, -0.5, 50.0, 0.003];
        let (levels, scales) = quantise(&weights, &[2, 3], 1);
        for (i, weight) in weights.iter().enumerate() {
            let scale = scales[i % 3];
            assert!((f32::from(levels[i]) * scale - weight).abs() <= 0.51 * scale, "weight {i}");
            assert!(scale * 127.0 <= weights[i % 3].abs().max(weights[i % 3 + 3].abs()) * 1.0001);
        }
    }

    #[test]
    fn a_channel_of_zeros_stays_zero() {
        assert_eq!(quantise(&[0.0; 4], &[2, 2], 0), (vec![0; 4], vec![1.0; 2]));
    }
}
