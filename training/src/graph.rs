//! An ONNX graph, layer by layer: batch normalisation folded into the convolutions, weights stored small.

use std::collections::HashMap;

use burn::nn::conv::Conv2d;
use burn::nn::{BatchNorm, Linear, PaddingConfig2d};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use clap::ValueEnum;
use half::f16;

use crate::onnx::{self, Attribute, DataType, Message};

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

/// An ONNX graph under construction. Each method adds a layer to what its first argument names and names the result.
pub struct Graph {
    nodes: Vec<Message>,
    tensors: Vec<Message>,
    weights: Weights,
    layers: Vec<Layer>,
    /// Sizes of what the layers give, by name, without the batch.
    sizes: HashMap<String, Vec<usize>>,
}

/// A line of the architecture's listing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layer {
    /// ONNX's name of the operator.
    pub operator: String,
    /// Kernel and stride, where there are any.
    pub window: String,
    /// What it gives, without the batch: channels, height, width, or the number of values.
    pub size: Vec<usize>,
    /// Weights and biases, batch normalisation folded in.
    pub n_parameters: usize,
}

impl Graph {
    /// An empty graph whose input has a name and channels, height and width.
    pub fn new(weights: Weights, input: &str, size: [usize; 3]) -> Self {
        let sizes = HashMap::from([(input.to_owned(), size.to_vec())]);
        Self { nodes: Vec::new(), tensors: Vec::new(), weights, layers: Vec::new(), sizes }
    }

    /// The layers so far, in order.
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// The finished graph (`GraphProto`) from `input` to `output`, each a name and a shape.
    pub fn into_message(self, name: &str, input: (&str, &[usize]), output: (&str, &[usize])) -> Message {
        Message::default()
            .messages(1, &self.nodes)
            .text(2, name)
            .messages(5, &self.tensors)
            .message(11, &onnx::value_info(input.0, input.1))
            .message(12, &onnx::value_info(output.0, output.1))
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
        let y = self.node("Conv", &[x, &weight, &bias], &attributes);
        let pads = pads(conv);
        let mut size =
            self.windowed(x, conv.kernel_size, conv.stride, [pads[0] + pads[2], pads[1] + pads[3]]);
        size[0] = dims[0];
        let window = window(conv.kernel_size, conv.stride);
        self.list("Conv", window, size, dims.iter().product::<usize>() + dims[0], y)
    }

    /// A fully connected layer.
    pub fn linear<B: Backend>(&mut self, x: &str, linear: &Linear<B>) -> String {
        let dims = linear.weight.val().dims();
        // Burn keeps [inputs, outputs], which is Gemm's own order.
        let weight = self.weight(&values(linear.weight.val()), &dims, 1);
        let bias = linear.bias.as_ref().map_or_else(|| vec![0.0; dims[1]], |bias| values(bias.val()));
        let bias = self.floats(&bias, &[dims[1]]);
        let y = self.node("Gemm", &[x, &weight, &bias], &[]);
        self.list("Gemm", String::new(), vec![dims[1]], dims[0] * dims[1] + dims[1], y)
    }

    /// `max(x, 0)`.
    pub fn relu(&mut self, x: &str) -> String {
        let y = self.node("Relu", &[x], &[]);
        self.list("Relu", String::new(), self.size(x), 0, y)
    }

    /// The sum of two tensors of one shape.
    pub fn add(&mut self, a: &str, b: &str) -> String {
        let y = self.node("Add", &[a, b], &[]);
        self.list("Add", String::new(), self.size(a), 0, y)
    }

    /// A max-pool with a window and steps of height and width, padded by `pad` on every side.
    pub fn max_pool(&mut self, x: &str, kernel: [usize; 2], stride: [usize; 2], pad: usize) -> String {
        let attributes = [
            Attribute::Ints("kernel_shape", &kernel),
            Attribute::Ints("strides", &stride),
            Attribute::Ints("pads", &[pad; 4]),
        ];
        let y = self.node("MaxPool", &[x], &attributes);
        let size = self.windowed(x, kernel, stride, [2 * pad; 2]);
        self.list("MaxPool", window(kernel, stride), size, 0, y)
    }

    /// The mean over all pixels of each channel.
    pub fn global_average_pool(&mut self, x: &str) -> String {
        let y = self.node("GlobalAveragePool", &[x], &[]);
        let size = vec![self.size(x)[0], 1, 1];
        self.list("GlobalAveragePool", String::new(), size, 0, y)
    }

    /// `[n, c, h, w]` → `[n, c h w]`.
    pub fn flatten(&mut self, x: &str) -> String {
        let y = self.node("Flatten", &[x], &[Attribute::Int("axis", 1)]);
        let size = vec![self.size(x).iter().product()];
        self.list("Flatten", String::new(), size, 0, y)
    }

    /// `[n, a]`, `[n, b]` … → `[n, a + b + …]`.
    pub fn concat(&mut self, parts: &[String]) -> String {
        let names: Vec<&str> = parts.iter().map(String::as_str).collect();
        let y = self.node("Concat", &names, &[Attribute::Int("axis", 1)]);
        let size = vec![parts.iter().map(|part| self.size(part)[0]).sum()];
        self.list("Concat", String::new(), size, 0, y)
    }

    fn size(&self, name: &str) -> Vec<usize> {
        self.sizes.get(name).cloned().unwrap_or_default()
    }

    /// What a window that moves over `x` gives; `pads` are the sums of both sides.
    fn windowed(&self, x: &str, kernel: [usize; 2], stride: [usize; 2], pads: [usize; 2]) -> Vec<usize> {
        let mut size = self.size(x);
        for (i, side) in size.iter_mut().skip(1).enumerate() {
            *side = (*side + pads[i] - kernel[i]) / stride[i] + 1;
        }
        size
    }

    /// Lists the layer that gives `y`.
    fn list(
        &mut self,
        operator: &str,
        window: String,
        size: Vec<usize>,
        n_parameters: usize,
        y: String,
    ) -> String {
        self.sizes.insert(y.clone(), size.clone());
        self.layers.push(Layer { operator: operator.to_owned(), window, size, n_parameters });
        y
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
    ///
    /// The tracker's loader knows the nodes that unpack them, and does so once. (tract would do it for every face where
    /// the result is larger than 4 MiB.)
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

fn window([height, width]: [usize; 2], stride: [usize; 2]) -> String {
    format!("{height}×{width}, step {}", stride.iter().max().unwrap_or(&1))
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

/// A tensor's elements, row by row.
pub fn values<B: Backend, const D: usize>(tensor: Tensor<B, D>) -> Vec<f32> {
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

#[cfg(test)]
mod tests {
    use super::*;

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
