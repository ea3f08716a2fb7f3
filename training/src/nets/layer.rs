//! What nets are made of: a net is a list of [`Layer`]s.

/// A step of a net, or several side by side.
#[derive(Clone, Debug)]
pub enum Layer {
    /// A convolution or a fully connected layer.
    Weighted(Weighted),
    /// `max(x, 0)`.
    Relu,
    /// The largest value in each position of a window.
    MaxPool(Window),
    /// The mean over each channel's pixels: one value a channel.
    Mean,
    /// A picture's values in a row, channel by channel.
    Flatten,
    /// The ReLU of the sum of what two lists make of the same input. An empty list hands on its input.
    Residual(Vec<Layer>, Vec<Layer>),
    /// The sum of what two lists make of the same input.
    Sum(Vec<Layer>, Vec<Layer>),
    /// What several lists make of the same input, each a row of values, one after the other.
    Join(Vec<Vec<Layer>>),
    /// Adds a constant to each value of a row.
    Shift(Vec<f32>),
    /// The values of a row in another order: those with these indices.
    Pick(Vec<usize>),
    /// The answer of cells that vote, see [`voting`](super::voting): what a cell's opinion is worth, then x and y of
    /// each landmark as seen from the cell's centre, in crop widths and heights.
    Votes([Weighted; 3]),
    /// Layers that a smaller net of the same form lacks. When such a net's weights are imported, these begin by handing
    /// on their input.
    Extra(Vec<Layer>),
}

/// A layer that learns.
#[derive(Clone, Debug)]
pub struct Weighted {
    /// Channels, or values, that it takes.
    pub inputs: usize,
    /// Channels, or values, that it gives.
    pub outputs: usize,
    /// What it does.
    pub kind: Kind,
    /// Its first weights.
    pub start: Start,
}

/// What a layer that learns does.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// A convolution with a bias.
    Conv(Window),
    /// A convolution without a bias, and batch normalisation.
    NormedConv(Window),
    /// Fully connected.
    Dense,
}

/// A window that moves over a picture.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// Height and width.
    pub size: [usize; 2],
    /// Steps down and to the right.
    pub stride: [usize; 2],
    /// How far it begins and ends beyond each edge.
    pub pad: usize,
}

/// The first weights of a layer.
#[derive(Clone, Debug)]
pub enum Start {
    /// Large enough that a ReLU after the layer keeps the spread of the values.
    Kaiming,
    /// So small that the layer gives its bias whatever it sees.
    Bias {
        /// One value per output.
        bias: Vec<f32>,
        /// Standard deviation of the weights.
        deviation: f32,
    },
}

impl Window {
    /// A square window.
    pub fn square(side: usize, stride: usize, pad: usize) -> Self {
        Self { size: [side; 2], stride: [stride; 2], pad }
    }
}

/// A convolution without padding, before a ReLU. `channels` are those that it takes and gives.
pub fn conv([inputs, outputs]: [usize; 2], side: usize) -> Layer {
    let kind = Kind::Conv(Window::square(side, 1, 0));
    Layer::Weighted(Weighted { inputs, outputs, kind, start: Start::Kaiming })
}

/// A convolution with batch normalisation, padded so that the picture shrinks by the stride exactly.
pub fn normed_conv([inputs, outputs]: [usize; 2], side: usize, stride: usize) -> Layer {
    let pad = side.saturating_sub(stride).div_ceil(2);
    let kind = Kind::NormedConv(Window::square(side, stride, pad));
    Layer::Weighted(Weighted { inputs, outputs, kind, start: Start::Kaiming })
}

/// A last convolution, which keeps the picture's size and answers `bias` in each cell before any training.
pub fn conv_answer(inputs: usize, side: usize, bias: Vec<f32>, deviation: f32) -> Weighted {
    let kind = Kind::Conv(Window::square(side, 1, side / 2));
    Weighted { inputs, outputs: bias.len(), kind, start: Start::Bias { bias, deviation } }
}

/// A hidden fully connected layer, before a ReLU.
pub fn dense(inputs: usize, outputs: usize) -> Layer {
    Layer::Weighted(Weighted { inputs, outputs, kind: Kind::Dense, start: Start::Kaiming })
}

/// A last fully connected layer, which answers `bias` before any training.
pub fn answer(inputs: usize, bias: &[f32]) -> Layer {
    let start = Start::Bias { bias: bias.to_vec(), deviation: SMALL };
    Layer::Weighted(Weighted { inputs, outputs: bias.len(), kind: Kind::Dense, start })
}

/// Standard deviation of a last layer's first weights.
pub const SMALL: f32 = 1e-3;

/// A max-pool whose windows lie side by side, of this height and width.
pub fn max_pool(height: usize, width: usize) -> Layer {
    Layer::MaxPool(Window { size: [height, width], stride: [height, width], pad: 0 })
}

/// The residual block of He et al., "Deep Residual Learning for Image Recognition", CVPR 2016: two 3×3 convolutions and
/// the short cut around them. The first has the stride; a block that changes the shape has a convolution in its short cut.
pub fn block(channels: [usize; 2], stride: usize) -> Layer {
    let [inputs, outputs] = channels;
    let main = vec![normed_conv(channels, 3, stride), Layer::Relu, normed_conv([outputs, outputs], 3, 1)];
    let changes_shape = stride != 1 || inputs != outputs;
    Layer::Residual(main, if changes_shape { vec![normed_conv(channels, 1, stride)] } else { Vec::new() })
}
