//! How fast tract runs single convolutions: what a fast net should be built from.
//!
//! ```sh
//! cargo run --release --example layers            # add a word to see only the rows that contain it
//! ```
//!
//! Each row is a graph of one convolution with bias and ReLU, run on one thread by the tracker's tract. The
//! time is the smallest of many runs. Peak is how fast the core multiplies and adds 16 numbers at once, measured first.

use std::env;
use std::hint::black_box;
use std::time::{Duration, Instant};

use anyhow::Result;
use tract_onnx::prelude::*;
use tract_onnx::tract_core::ops::cnn::{Conv, KernelFormat, PaddingSpec, PoolSpec};
use tract_onnx::tract_core::ops::math;
use tract_onnx::tract_core::ops::nn::DataFormat;

/// How long each row is repeated.
const BUDGET: Duration = Duration::from_millis(150);
/// How long the peak is measured, which all rows are compared with.
const PEAK_BUDGET: Duration = Duration::from_millis(1500);

/// A convolution of a square picture.
#[derive(Clone, Copy)]
struct Layer {
    channels: [usize; 2],
    /// Height and width.
    kernel: [usize; 2],
    stride: usize,
    groups: usize,
    /// Side of the input.
    side: usize,
    padded: bool,
    /// Whether pictures and weights are 8-bit integers instead of floats.
    eight_bit: bool,
}

/// A dense layer whose output size is the input's divided by the stride, rounded up.
const fn conv(channels: [usize; 2], kernel: usize, stride: usize, side: usize) -> Layer {
    Layer { channels, kernel: [kernel, kernel], stride, groups: 1, side, padded: true, eight_bit: false }
}

const fn depthwise(channels: usize, kernel: usize, side: usize) -> Layer {
    Layer { groups: channels, ..conv([channels, channels], kernel, 1, side) }
}

const fn grouped(channels: usize, groups: usize, side: usize) -> Layer {
    Layer { groups, ..conv([channels, channels], 3, 1, side) }
}

const fn flat(channels: usize, kernel: [usize; 2], side: usize) -> Layer {
    Layer { kernel, ..conv([channels, channels], 1, 1, side) }
}

const fn valid(channels: [usize; 2], kernel: usize, side: usize) -> Layer {
    Layer { padded: false, ..conv(channels, kernel, 1, side) }
}

const fn eight_bit(layer: Layer) -> Layer {
    Layer { eight_bit: true, ..layer }
}

const LAYERS: &[(&str, &[Layer])] = &[
    ("largest", &[conv([512, 512], 1, 1, 48), conv([256, 256], 3, 1, 28)]),
    (
        "stem",
        &[
            conv([1, 16], 3, 2, 112),
            conv([1, 16], 5, 2, 112),
            conv([1, 32], 5, 2, 112),
            conv([1, 16], 7, 4, 112),
            conv([1, 32], 4, 4, 112),
            conv([1, 32], 7, 4, 112),
            conv([1, 32], 8, 4, 112),
            conv([1, 48], 8, 4, 112),
            conv([1, 64], 8, 4, 112),
            conv([1, 32], 12, 4, 112),
            conv([1, 64], 8, 8, 112),
            conv([1, 64], 16, 8, 112),
        ],
    ),
    (
        "stem after space-to-depth",
        &[
            conv([4, 16], 3, 1, 56),
            conv([4, 32], 3, 2, 56),
            conv([16, 32], 1, 1, 28),
            conv([16, 32], 2, 1, 28),
            conv([16, 32], 3, 1, 28),
            conv([16, 64], 3, 2, 28),
        ],
    ),
    (
        "output channels",
        &[
            conv([64, 8], 3, 1, 14),
            conv([64, 12], 3, 1, 14),
            conv([64, 16], 3, 1, 14),
            conv([64, 24], 3, 1, 14),
            conv([64, 32], 3, 1, 14),
            conv([64, 40], 3, 1, 14),
            conv([64, 48], 3, 1, 14),
            conv([64, 56], 3, 1, 14),
            conv([64, 64], 3, 1, 14),
            conv([64, 80], 3, 1, 14),
            conv([64, 96], 3, 1, 14),
            conv([64, 128], 3, 1, 14),
        ],
    ),
    (
        "input channels",
        &[
            conv([4, 64], 3, 1, 14),
            conv([8, 64], 3, 1, 14),
            conv([16, 64], 3, 1, 14),
            conv([32, 64], 3, 1, 14),
            conv([48, 64], 3, 1, 14),
            conv([128, 64], 3, 1, 14),
        ],
    ),
    (
        "resolution",
        &[
            conv([64, 64], 3, 1, 56),
            conv([64, 64], 3, 1, 28),
            conv([64, 64], 3, 1, 24),
            conv([64, 64], 3, 1, 16),
            conv([64, 64], 3, 1, 12),
            conv([64, 64], 3, 1, 10),
            conv([64, 64], 3, 1, 8),
            conv([64, 64], 3, 1, 7),
            conv([64, 64], 3, 1, 6),
            conv([64, 64], 3, 1, 4),
        ],
    ),
    (
        "small pictures, many channels",
        &[
            conv([128, 128], 3, 1, 14),
            conv([128, 128], 3, 1, 8),
            conv([128, 128], 3, 1, 7),
            conv([128, 128], 3, 1, 6),
            conv([256, 256], 3, 1, 7),
            conv([256, 256], 3, 1, 4),
            conv([32, 32], 3, 1, 28),
            conv([16, 16], 3, 1, 56),
        ],
    ),
    (
        "halving",
        &[
            conv([32, 64], 3, 2, 28),
            conv([32, 64], 2, 2, 28),
            conv([32, 64], 4, 2, 28),
            conv([64, 128], 3, 2, 14),
            conv([64, 128], 2, 2, 14),
            conv([64, 128], 4, 2, 14),
            conv([32, 128], 4, 4, 28),
        ],
    ),
    (
        "1×1",
        &[
            conv([32, 32], 1, 1, 28),
            conv([64, 64], 1, 1, 28),
            conv([64, 64], 1, 1, 14),
            conv([64, 128], 1, 1, 14),
            conv([128, 64], 1, 1, 14),
            conv([128, 128], 1, 1, 14),
            conv([128, 128], 1, 1, 7),
            conv([256, 256], 1, 1, 7),
            conv([128, 512], 1, 1, 7),
            conv([64, 128], 1, 2, 14),
        ],
    ),
    (
        "kernel",
        &[
            conv([64, 64], 2, 1, 14),
            conv([64, 64], 5, 1, 14),
            conv([64, 64], 7, 1, 14),
            flat(64, [1, 3], 14),
            flat(64, [3, 1], 14),
            flat(64, [1, 5], 14),
        ],
    ),
    (
        "groups",
        &[
            depthwise(32, 3, 28),
            depthwise(64, 3, 14),
            depthwise(128, 3, 14),
            depthwise(128, 3, 7),
            depthwise(128, 5, 7),
            depthwise(256, 3, 7),
            grouped(64, 2, 14),
            grouped(64, 4, 14),
            grouped(128, 4, 14),
        ],
    ),
    (
        "head",
        &[
            conv([128, 68], 1, 1, 7),
            conv([128, 136], 1, 1, 7),
            conv([128, 204], 1, 1, 7),
            conv([128, 204], 1, 1, 14),
            valid([128, 136], 7, 7),
            valid([256, 136], 4, 4),
            valid([1024, 136], 1, 1),
        ],
    ),
    (
        "8 bits",
        &[
            eight_bit(conv([1, 32], 8, 4, 112)),
            eight_bit(conv([32, 64], 3, 2, 28)),
            eight_bit(conv([64, 64], 3, 1, 28)),
            eight_bit(conv([64, 64], 3, 1, 14)),
            eight_bit(conv([64, 64], 1, 1, 14)),
            eight_bit(conv([64, 128], 3, 2, 14)),
            eight_bit(conv([128, 128], 3, 1, 7)),
            eight_bit(conv([128, 204], 1, 1, 7)),
        ],
    ),
];

/// The value of one step of the 8-bit integers. Any will do: the time does not depend on it.
const STEP: f32 = 0.02;

impl Layer {
    fn name(self) -> String {
        let Self { channels: [from, to], kernel: [height, width], stride, groups, eight_bit, .. } = self;
        let step = if stride > 1 { format!(", stride {stride}") } else { String::new() };
        let kind = match groups {
            1 => String::new(),
            n if n == from => ", depthwise".to_owned(),
            n => format!(", {n} groups"),
        };
        let bits = if eight_bit { ", 8 bits" } else { "" };
        format!("{from} → {to}, {height}×{width}{step}{kind}{bits}")
    }

    fn side_out(self) -> usize {
        if self.padded { self.side.div_ceil(self.stride) } else { self.side - self.kernel[0] + 1 }
    }

    /// Multiplications, including those by padding.
    fn macs(self) -> usize {
        let [from, to] = self.channels;
        to * from / self.groups * self.kernel.iter().product::<usize>() * self.side_out().pow(2)
    }

    /// The smallest time of a run.
    fn time(self) -> Result<Duration> {
        let mut state = self.graph()?.into_optimized()?.into_runnable()?.spawn()?;
        let input = self.numbers(&self.shape())?.cast_to_dt(self.number())?.into_owned().into_tvalue();
        let run = || -> Result<Duration> {
            let start = Instant::now();
            black_box(state.run(tvec!(input.clone()))?);
            Ok(start.elapsed())
        };
        smallest(BUDGET, run)
    }

    fn shape(self) -> [usize; 4] {
        [1, self.channels[0], self.side, self.side]
    }

    /// The number type of the pictures.
    fn number(self) -> DatumType {
        let steps = QParams::ZpScale { zero_point: 0, scale: STEP };
        if self.eight_bit { i8::datum_type().quantize(steps) } else { f32::datum_type() }
    }

    /// A picture or weights: floats, or integers over the whole range.
    fn numbers(self, shape: &[usize]) -> Result<Tensor> {
        let noise = noise(shape.iter().product());
        if !self.eight_bit {
            return Tensor::from_shape(shape, &noise);
        }
        let integers: Vec<i8> = noise.iter().map(|v| (v * 254.0) as i8).collect();
        Tensor::from_shape(shape, &integers)
    }

    /// The layer and a ReLU, which tract joins with it.
    fn graph(self) -> Result<TypedModel> {
        let [from, to] = self.channels;
        let [height, width] = self.kernel;
        let mut graph = TypedModel::default();
        let x = graph.add_source("x", self.number().fact(self.shape()))?;
        let kernel = self.numbers(&[to, from / self.groups, height, width])?;
        let kernel = graph.add_const("kernel", kernel)?;
        let bias = Tensor::from_shape(&[to], &noise(to))?;
        let bias = if self.eight_bit { bias.cast_to::<i32>()?.into_owned() } else { bias };
        let bias = graph.add_const("bias", bias)?;
        let mut inputs = tvec!(x, kernel, bias);
        if self.eight_bit {
            // Of the picture, the weights and the result.
            for name in ["x", "kernel", "y"] {
                inputs.push(graph.add_const(format!("{name}.zero"), tensor0(0_i32))?);
                inputs.push(graph.add_const(format!("{name}.step"), tensor0(STEP))?);
            }
        }
        let op = Conv {
            pool_spec: PoolSpec {
                data_format: DataFormat::NCHW,
                kernel_shape: tvec!(height, width),
                padding: if self.padded { PaddingSpec::SameUpper } else { PaddingSpec::Valid },
                dilations: None,
                strides: Some(tvec!(self.stride, self.stride)),
                input_channels: from,
                output_channels: to,
            },
            kernel_fmt: KernelFormat::OIHW,
            group: self.groups,
            q_params: self.eight_bit.then_some(self.number()),
        };
        let y = graph.wire_node("conv", op, &inputs)?[0];
        let zero = Tensor::from_shape(&[1, 1, 1, 1], &[0_f32])?.cast_to_dt(self.number())?.into_owned();
        let zero = graph.add_const("zero", zero)?;
        let y = graph.wire_node("relu", math::max(), &[y, zero])?;
        graph.select_output_outlets(&y)?;
        Ok(graph)
    }
}

/// Numbers that are neither zero nor so small that a processor would slow down.
fn noise(n: usize) -> Vec<f32> {
    (0..n).map(|i| (i * 7919 % 1009) as f32 / 1009.0 - 0.5003).collect()
}

fn smallest(budget: Duration, mut run: impl FnMut() -> Result<Duration>) -> Result<Duration> {
    let start = Instant::now();
    let mut least = run()?;
    while start.elapsed() < budget {
        least = least.min(run()?);
    }
    Ok(least)
}

/// Billions of multiply-adds per second on this core, if it takes 16 numbers at once.
fn peak() -> Result<Option<f64>> {
    #[cfg(target_arch = "x86_64")]
    if is_x86_feature_detected!("avx512f") {
        const ROUNDS: u32 = 100_000;
        let run = || {
            let start = Instant::now();
            // SAFETY: the processor has AVX-512, as was just checked.
            black_box(unsafe { multiply_add(ROUNDS) });
            Ok(start.elapsed())
        };
        let macs = f64::from(ROUNDS) * (16 * ACCUMULATORS) as f64;
        return Ok(Some(macs / smallest(PEAK_BUDGET, run)?.as_nanos() as f64));
    }
    Ok(None)
}

/// Enough that none waits for its own previous result.
#[cfg(target_arch = "x86_64")]
const ACCUMULATORS: usize = 16;

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn multiply_add(rounds: u32) -> f32 {
    use std::arch::x86_64::{_mm512_fmadd_ps, _mm512_reduce_add_ps, _mm512_set1_ps};
    let (factor, term) = (_mm512_set1_ps(black_box(0.999)), _mm512_set1_ps(black_box(0.001)));
    let mut sums = [_mm512_set1_ps(1.0); ACCUMULATORS];
    for _ in 0..rounds {
        for sum in &mut sums {
            *sum = _mm512_fmadd_ps(*sum, factor, term);
        }
    }
    sums.into_iter().map(|sum| _mm512_reduce_add_ps(sum)).sum()
}

fn main() -> Result<()> {
    let wanted = env::args().nth(1).unwrap_or_default();
    let peak = peak()?;
    let shown = peak.map_or("not known".to_owned(), |peak| format!("{peak:.0} GMAC/s"));
    println!("One core's peak: {shown}\n");
    println!("| | layer | input | output | MMAC | µs | GMAC/s | of the peak |");
    println!("|---|---|---|---|---|---|---|---|");
    for (group, layers) in LAYERS {
        for layer in layers.iter().filter(|layer| group.contains(&wanted) || layer.name().contains(&wanted)) {
            let time = layer.time()?;
            let rate = layer.macs() as f64 / time.as_nanos() as f64;
            let (side, out) = (layer.side, layer.side_out());
            println!(
                "| {group} | {} | {side}×{side} | {out}×{out} | {:.2} | {:.1} | {rate:.1} | {} |",
                layer.name(),
                layer.macs() as f64 / 1e6,
                time.as_nanos() as f64 / 1e3,
                peak.map_or("-".to_owned(), |peak| format!("{:.0} %", 100.0 * rate / peak)),
            );
        }
    }
    Ok(())
}
