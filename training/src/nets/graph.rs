//! An ONNX graph, layer by layer: batch normalisation folded into the convolutions, weights stored small.

use std::slice::Iter;

use burn::module::Param;
use burn::nn::conv::Conv2d;
use burn::nn::{BatchNorm, Linear, PaddingConfig2d};
use burn::tensor::Tensor;
use burn::tensor::backend::Backend;
use clap::ValueEnum;
use half::f16;
use tract_onnx::pb::tensor_proto::DataType;
use tract_onnx::pb::{AttributeProto, GraphProto, NodeProto, TensorProto};

use super::layer::Window;
use super::proto::{Value, int, value_info, window_attributes};
use super::quantise::{quantise, uneven_axis};
use super::walk::{Runner, cell_centers, next};
use super::weights::Weights;

/// How the file stores large weight tensors. The tracker turns them into 32-bit floats once, when it loads the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Storage {
    /// As they are, four bytes each.
    F32,
    /// Half precision, two bytes each.
    F16,
    /// A byte each, with a scale per output channel.
    Int8,
}

/// What a node of the graph does.
#[derive(Clone, Debug, Default)]
pub struct Step {
    /// ONNX's name of the operator.
    pub operator: &'static str,
    /// Kernel and stride, where there are any.
    pub window: String,
    /// What it gives, without the batch: channels, height, width, or the number of values.
    pub size: Vec<usize>,
    /// Weights and biases, batch normalisation folded in.
    pub n_parameters: usize,
    /// Multiplications with weights.
    pub n_multiplications: usize,
}

/// An ONNX graph. [`Runner`]'s methods add layers to it.
pub struct Graph<'a, B: Backend> {
    /// Of the layers to come.
    weights: Iter<'a, Weights<B>>,
    storage: Storage,
    nodes: Vec<NodeProto>,
    tensors: Vec<TensorProto>,
    steps: Vec<Step>,
}

impl<'a, B: Backend> Graph<'a, B> {
    /// An empty graph, to which layers with these weights will be added.
    pub fn new(weights: &'a [Weights<B>], storage: Storage) -> Self {
        Self { weights: weights.iter(), storage, nodes: Vec::new(), tensors: Vec::new(), steps: Vec::new() }
    }

    /// What its layers do, in order.
    pub fn into_steps(self) -> Vec<Step> {
        self.steps
    }

    /// The finished graph from `input` to `output`, for one crop.
    pub fn finish(self, name: &str, input: &Value, output: &Value) -> GraphProto {
        GraphProto {
            name: name.to_owned(),
            node: self.nodes,
            initializer: self.tensors,
            input: vec![value_info(input)],
            output: vec![value_info(output)],
            ..GraphProto::default()
        }
    }

    fn conv(&mut self, x: &Value, conv: &Conv2d<B>, norm: Option<&BatchNorm<B>>) -> Value {
        let dims = conv.weight.dims();
        let mut weight = values(conv.weight.val());
        let mut bias = bias(conv.bias.as_ref(), dims[0]);
        if let Some(norm) = norm {
            fold(norm, &mut weight, &mut bias);
        }
        let weight = self.weight(&weight, &dims, 0);
        let n_bias = bias.len();
        let bias = self.floats(&bias, &[n_bias]);
        let window = Window { size: conv.kernel_size, stride: conv.stride, pad: pad(conv) };
        let mut size = windowed(x, window);
        size[0] = dims[0];
        let n_weights = dims.iter().product::<usize>();
        let step = Step {
            operator: "Conv",
            window: title(window),
            n_parameters: n_weights + n_bias,
            n_multiplications: n_weights * size[1] * size[2],
            size,
        };
        self.step(step, &[&x.name, &weight, &bias], window_attributes(window))
    }

    fn dense(&mut self, x: &Value, dense: &Linear<B>) -> Value {
        let dims @ [inputs, outputs] = dense.weight.dims();
        // Burn keeps [inputs, outputs], which is Gemm's own order.
        let weight = values(dense.weight.val());
        let weight = self.weight(&weight, &dims, uneven_axis(&weight, &dims));
        let bias = self.floats(&bias(dense.bias.as_ref(), outputs), &[outputs]);
        let n_multiplications = inputs * outputs;
        let n_parameters = n_multiplications + outputs;
        let step = Step {
            operator: "Gemm",
            n_parameters,
            n_multiplications,
            size: vec![outputs],
            ..Step::default()
        };
        self.step(step, &[&x.name, &weight, &bias], Vec::new())
    }

    /// An operator without weights that gives `size`.
    fn plain(
        &mut self,
        operator: &'static str,
        inputs: &[&str],
        attributes: Vec<AttributeProto>,
        size: Vec<usize>,
    ) -> Value {
        self.step(Step { operator, size, ..Step::default() }, inputs, attributes)
    }

    fn step(&mut self, step: Step, inputs: &[&str], attributes: Vec<AttributeProto>) -> Value {
        let value = Value { name: self.node(step.operator, inputs, attributes), size: step.size.clone() };
        self.steps.push(step);
        value
    }

    /// Names the result.
    fn node(&mut self, operator: &str, inputs: &[&str], attribute: Vec<AttributeProto>) -> String {
        let output = format!("{}{}", operator.to_lowercase(), self.nodes.len());
        self.nodes.push(NodeProto {
            input: inputs.iter().map(|&name| name.to_owned()).collect(),
            output: vec![output.clone()],
            name: output.clone(),
            op_type: operator.to_owned(),
            attribute,
            ..NodeProto::default()
        });
        output
    }

    /// `size` is what the result is called in [`Step`]s.
    fn reshape(&mut self, x: &Value, shape: &[usize], size: Vec<usize>) -> Value {
        let shape = self.integers(shape);
        self.plain("Reshape", &[&x.name, &shape], Vec::new(), size)
    }

    /// A constant of 32-bit floats.
    fn floats(&mut self, values: &[f32], dims: &[usize]) -> String {
        self.tensor(DataType::Float, dims, values.iter().flat_map(|v| v.to_le_bytes()).collect())
    }

    /// A constant of 64-bit integers, as shapes and axes are.
    fn integers(&mut self, values: &[usize]) -> String {
        let raw = values.iter().flat_map(|&v| (v as i64).to_le_bytes()).collect();
        self.tensor(DataType::Int64, &[values.len()], raw)
    }

    /// A layer's weights, stored as [`Storage`] says; 8-bit levels have one scale per channel along `axis`.
    ///
    /// The tracker's loader knows the nodes that unpack them, and does so once. (tract would do it for every face where
    /// the result is larger than 4 MiB.)
    fn weight(&mut self, values: &[f32], dims: &[usize], axis: usize) -> String {
        match self.storage {
            Storage::F32 => self.floats(values, dims),
            Storage::F16 => {
                let raw = values.iter().flat_map(|&v| f16::from_f32(v).to_le_bytes()).collect();
                let half = self.tensor(DataType::Float16, dims, raw);
                self.node("Cast", &[&half], vec![int("to", DataType::Float as usize)])
            }
            Storage::Int8 => {
                let (levels, scales) = quantise(values, dims, axis);
                let levels = self.tensor(DataType::Int8, dims, levels.iter().map(|&v| v as u8).collect());
                let n_channels = scales.len();
                let scales = self.floats(&scales, &[n_channels]);
                let zeros = self.tensor(DataType::Int8, &[n_channels], vec![0; n_channels]);
                self.node("DequantizeLinear", &[&levels, &scales, &zeros], vec![int("axis", axis)])
            }
        }
    }

    fn tensor(&mut self, data_type: DataType, dims: &[usize], raw_data: Vec<u8>) -> String {
        let name = format!("constant{}", self.tensors.len());
        self.tensors.push(TensorProto {
            name: name.clone(),
            dims: dims.iter().map(|&dim| dim as i64).collect(),
            data_type: data_type as i32,
            raw_data,
            ..TensorProto::default()
        });
        name
    }
}

impl<B: Backend> Runner for Graph<'_, B> {
    type Value = Value;

    fn weighted(&mut self, x: Value) -> Value {
        match next(&mut self.weights) {
            Weights::Conv(conv) => self.conv(&x, conv, None),
            Weights::NormedConv(conv) => self.conv(&x, &conv.conv, Some(&conv.norm)),
            Weights::Dense(dense) => self.dense(&x, dense),
        }
    }

    fn relu(&mut self, x: Value) -> Value {
        self.plain("Relu", &[&x.name], Vec::new(), x.size)
    }

    fn max_pool(&mut self, x: Value, window: Window) -> Value {
        let step = Step {
            operator: "MaxPool",
            window: title(window),
            size: windowed(&x, window),
            ..Step::default()
        };
        self.step(step, &[&x.name], window_attributes(window))
    }

    fn mean(&mut self, x: Value) -> Value {
        let mean = self.plain("GlobalAveragePool", &[&x.name], Vec::new(), vec![x.size[0], 1, 1]);
        self.flatten(mean)
    }

    fn flatten(&mut self, x: Value) -> Value {
        self.plain("Flatten", &[&x.name], vec![int("axis", 1)], vec![x.size.iter().product()])
    }

    fn add(&mut self, a: Value, b: Value) -> Value {
        self.plain("Add", &[&a.name, &b.name], Vec::new(), a.size)
    }

    fn join(&mut self, parts: Vec<Value>) -> Value {
        let names: Vec<&str> = parts.iter().map(|part| part.name.as_str()).collect();
        self.plain("Concat", &names, vec![int("axis", 1)], vec![parts.iter().map(|part| part.size[0]).sum()])
    }

    fn shift(&mut self, x: Value, by: &[f32]) -> Value {
        let by = self.floats(by, &[1, by.len()]);
        self.plain("Add", &[&x.name, &by], Vec::new(), x.size)
    }

    fn pick(&mut self, x: Value, indices: &[usize]) -> Value {
        let n = indices.len();
        let indices = self.integers(indices);
        self.plain("Gather", &[&x.name, &indices], vec![int("axis", 1)], vec![n])
    }

    fn votes(&mut self, parts: [Value; 3]) -> Value {
        let [n, height, width] = [0, 1, 2].map(|i| parts[0].size[i]);
        let rows = vec![n, height * width];
        let [worth, x, y] = parts.map(|part| self.reshape(&part, &rows, rows.clone()));
        let worth = self.plain("Softmax", &[&worth.name], vec![int("axis", 1)], rows.clone());
        let [xs, ys] = cell_centers([height, width]);
        let mut mean = |opinions: Value, centers: Vec<f32>| {
            let centers = self.floats(&centers, &[1, height * width]);
            let opinions = self.plain("Add", &[&opinions.name, &centers], Vec::new(), rows.clone());
            let weighted = self.plain("Mul", &[&opinions.name, &worth.name], Vec::new(), rows.clone());
            let axes = self.integers(&[1]);
            self.plain("ReduceSum", &[&weighted.name, &axes], vec![int("keepdims", 1)], vec![n, 1])
        };
        let (x, y) = (mean(x, xs), mean(y, ys));
        let points = self.plain("Concat", &[&x.name, &y.name], vec![int("axis", 1)], vec![n, 2]);
        self.reshape(&points, &[1, 2 * n], vec![2 * n])
    }
}

/// What a window that moves over `x` gives.
fn windowed(x: &Value, Window { size, stride, pad }: Window) -> Vec<usize> {
    let side = |i: usize| (x.size[i + 1] + 2 * pad - size[i]) / stride[i] + 1;
    vec![x.size[0], side(0), side(1)]
}

fn title(Window { size: [height, width], stride, .. }: Window) -> String {
    format!("{height}×{width}, step {}", stride[0].max(stride[1]))
}

/// The padding on every side.
fn pad<B: Backend>(conv: &Conv2d<B>) -> usize {
    match conv.padding {
        PaddingConfig2d::Explicit(pad, ..) => pad,
        PaddingConfig2d::Valid | PaddingConfig2d::Same => unreachable!("Weights::new pads explicitly"),
    }
}

fn bias<B: Backend>(bias: Option<&Param<Tensor<B, 1>>>, n: usize) -> Vec<f32> {
    bias.map_or_else(|| vec![0.0; n], |bias| values(bias.val()))
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
