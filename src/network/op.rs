//! The operations a network is made of, each with its attributes. Knows nothing of shapes beyond its
//! own attributes, nor of how operations are connected.

use std::fmt;

use crate::error::{Error, Result};

/// What happens at the border of an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Padding {
    /// As TensorFlow and Keras: the output has `ceil(input / stride)` pixels a side; where the
    /// padding is odd, the extra pixel is at the bottom and at the right.
    #[default]
    Same,
    /// No padding: windows lie wholly inside the image.
    Valid,
}

impl fmt::Display for Padding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Same => "same",
            Self::Valid => "valid",
        })
    }
}

/// A function applied to each element.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activation {
    /// `max(x, 0)`.
    Relu,
    /// `x · Φ(x)` with the exact normal distribution function (arXiv 1606.08415).
    Gelu,
    /// `x · sigmoid(x)`, also known as swish (arXiv 1710.05941).
    Silu,
    /// The hyperbolic tangent.
    Tanh,
    /// `1 / (1 + exp(-x))`.
    Sigmoid,
    /// `min(max(x, 0), 6)` (arXiv 1704.04861).
    Relu6,
    /// `min(max(x / 6 + 1/2, 0), 1)` (arXiv 1905.02244, §5.2).
    HardSigmoid,
    /// `x · hard_sigmoid(x)` (arXiv 1905.02244, §5.2).
    HardSwish,
}

impl Activation {
    /// Every activation.
    pub const ALL: [Self; 8] = [
        Self::Relu,
        Self::Gelu,
        Self::Silu,
        Self::Tanh,
        Self::Sigmoid,
        Self::Relu6,
        Self::HardSigmoid,
        Self::HardSwish,
    ];

    /// The name in scripts.
    pub fn name(self) -> &'static str {
        match self {
            Self::Relu => "relu",
            Self::Gelu => "gelu",
            Self::Silu => "silu",
            Self::Tanh => "tanh",
            Self::Sigmoid => "sigmoid",
            Self::Relu6 => "relu6",
            Self::HardSigmoid => "hard_sigmoid",
            Self::HardSwish => "hard_swish",
        }
    }
}

/// The attributes of a 2D convolution, or of a transposed one; pairs are `[height, width]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conv2d {
    /// The number of output channels.
    pub filters: usize,
    /// The size of the window.
    pub kernel: [usize; 2],
    /// The step from window to window.
    pub stride: [usize; 2],
    /// What happens at the border.
    pub padding: Padding,
    /// The distance between the taps of the kernel.
    pub dilation: [usize; 2],
    /// How many groups the channels fall into; a group sees its own channels only.
    pub groups: usize,
    /// Whether each filter has a bias.
    pub bias: bool,
}

/// The attributes of a pooling window; pairs are `[height, width]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pool2d {
    /// The size of the window.
    pub kernel: [usize; 2],
    /// The step from window to window.
    pub stride: [usize; 2],
    /// What happens at the border; padding is never part of a maximum or an average.
    pub padding: Padding,
}

/// The attributes of a fully connected layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dense {
    /// The number of output features.
    pub units: usize,
    /// Whether each unit has a bias.
    pub bias: bool,
}

/// The attributes of a batch normalisation (arXiv 1502.03167) over the channels.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BatchNorm {
    /// The weight of the newest batch in the running statistics, as in PyTorch: Keras's `momentum`
    /// is one minus this.
    pub momentum: f64,
    /// What is added to the variance for numerical stability.
    pub epsilon: f64,
}

/// How many pixels an operation adds or takes away on each side of an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sides {
    /// Rows above.
    pub top: usize,
    /// Rows below.
    pub bottom: usize,
    /// Columns on the left.
    pub left: usize,
    /// Columns on the right.
    pub right: usize,
}

impl Sides {
    /// Whether there is nothing to add or to take away.
    pub fn is_none(self) -> bool {
        self == Self::default()
    }
}

/// How pixels between pixels are found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Interpolation {
    /// The pixel at `floor(i · input / output)`, as PyTorch's "nearest".
    #[default]
    Nearest,
    /// Linear in both directions between pixel centres (`align_corners` off), as PyTorch's
    /// "bilinear".
    Bilinear,
}

/// How the rate of a drop path changes while a child is trained.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DropSchedule {
    /// It does not.
    #[default]
    Constant,
    /// It rises in proportion to the updates done, from 0 to the full rate at the end of training:
    /// ScheduledDropPath (arXiv 1707.07012, §3.2 and appendix A.2).
    Linear,
}

/// The attributes of a drop path: each image of a batch loses the whole branch, or keeps it.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DropPath {
    /// The probability that an image loses the branch, from 0 up to but not including 1.
    pub rate: f64,
    /// How the rate changes during training.
    pub schedule: DropSchedule,
}

/// One operation.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Op {
    /// The image, or the feature vector, that enters the network.
    Input {
        /// `[channels, height, width]` or `[features]`.
        shape: Vec<usize>,
    },
    /// A 2D convolution.
    Conv2d(Conv2d),
    /// A transposed 2D convolution: the gradient of a convolution with the same attributes, applied
    /// forwards. `"same"` gives `input · stride` pixels a side, `"valid"`
    /// `(input - 1) · stride + (kernel - 1) · dilation + 1`.
    ConvTranspose2d(Conv2d),
    /// The maximum of each window.
    MaxPool2d(Pool2d),
    /// The average of each window.
    AvgPool2d(Pool2d),
    /// The average of each channel: `[c, h, w]` to `[c]`.
    GlobalAvgPool,
    /// Row-major flattening: `[c, h, w]` to `[c · h · w]`.
    Flatten,
    /// A fully connected layer.
    Dense(Dense),
    /// A batch normalisation.
    BatchNorm(BatchNorm),
    /// A layer normalisation (arXiv 1607.06450) over the channels of each pixel, as Keras's and
    /// ConvNeXt's (arXiv 2201.03545); a scale and a shift per channel.
    LayerNorm {
        /// What is added to the variance for numerical stability.
        epsilon: f64,
    },
    /// A group normalisation (arXiv 1803.08494): each group of channels by its own mean and variance
    /// over channels and pixels; a scale and a shift per channel.
    GroupNorm {
        /// How many groups the channels fall into.
        groups: usize,
        /// What is added to the variance for numerical stability.
        epsilon: f64,
    },
    /// Inverted dropout: active in training only.
    Dropout {
        /// The share of elements that are dropped, from 0 up to but not including 1.
        rate: f64,
    },
    /// Drop path, also known as stochastic depth (arXiv 1603.09382, 1605.07648): active in training
    /// only, where the branches that are kept are scaled by `1 / (1 - rate)`.
    DropPath(DropPath),
    /// An element-wise function.
    Activation(Activation),
    /// The sum of equal shapes; commutative.
    Add,
    /// The product of two equal shapes, or of an image and one factor per channel (`[c]` or
    /// `[c, 1, 1]`); commutative.
    Multiply,
    /// Several inputs side by side along the channels (or the features).
    Concat,
    /// A border of zeros.
    ZeroPad2d(Sides),
    /// A border cut off.
    Crop2d(Sides),
    /// Another height and width.
    Resize {
        /// The new `[height, width]`.
        size: [usize; 2],
        /// How pixels between pixels are found.
        mode: Interpolation,
    },
    /// The channels of `groups` groups interleaved (arXiv 1707.01083, §3.1): channel `g · n + k`
    /// (n channels a group) goes to `k · groups + g`.
    ChannelShuffle {
        /// How many groups the channels fall into.
        groups: usize,
    },
}

impl Op {
    /// The name in scripts.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Input { .. } => "input",
            Self::Conv2d(_) => "conv2d",
            Self::ConvTranspose2d(_) => "conv_transpose2d",
            Self::MaxPool2d(_) => "max_pool2d",
            Self::AvgPool2d(_) => "avg_pool2d",
            Self::GlobalAvgPool => "global_avg_pool",
            Self::Flatten => "flatten",
            Self::Dense(_) => "dense",
            Self::BatchNorm(_) => "batch_norm",
            Self::LayerNorm { .. } => "layer_norm",
            Self::GroupNorm { .. } => "group_norm",
            Self::Dropout { .. } => "dropout",
            Self::DropPath(_) => "drop_path",
            Self::Activation(activation) => activation.name(),
            Self::Add => "add",
            Self::Multiply => "multiply",
            Self::Concat => "concat",
            Self::ZeroPad2d(_) => "zero_pad2d",
            Self::Crop2d(_) => "crop2d",
            Self::Resize { .. } => "resize",
            Self::ChannelShuffle { .. } => "channel_shuffle",
        }
    }

    /// Whether the order of the inputs does not matter.
    pub fn is_commutative(&self) -> bool {
        matches!(self, Self::Add | Self::Multiply)
    }

    /// Whether an operation of this kind on the result of another is one with more inputs.
    pub fn is_associative(&self) -> bool {
        matches!(self, Self::Add | Self::Concat)
    }

    /// Whether this operation changes nothing about the result of `before`, of shape `input`.
    pub fn is_identity(&self, before: &Self, input: &[usize]) -> bool {
        match self {
            Self::MaxPool2d(pool) | Self::AvgPool2d(pool) => {
                pool.kernel == [1, 1] && pool.stride == [1, 1]
            }
            Self::Flatten => input.len() == 1,
            Self::Dropout { rate } | Self::DropPath(DropPath { rate, .. }) => *rate == 0.0,
            Self::Activation(Activation::Relu) => matches!(
                before,
                Self::Activation(
                    Activation::Relu
                        | Activation::Relu6
                        | Activation::Sigmoid
                        | Activation::HardSigmoid
                )
            ),
            Self::Activation(Activation::Relu6) => matches!(
                before,
                Self::Activation(Activation::Relu6 | Activation::Sigmoid | Activation::HardSigmoid)
            ),
            Self::ZeroPad2d(sides) | Self::Crop2d(sides) => sides.is_none(),
            Self::Resize { size, .. } => input[1..] == size[..],
            Self::ChannelShuffle { groups } => *groups == 1 || *groups == input[0],
            _ => false,
        }
    }

    /// Whether two applications to the same inputs are the same thing: no weights of its own, and
    /// no randomness.
    pub fn is_pure(&self) -> bool {
        !matches!(
            self,
            Self::Conv2d(_)
                | Self::ConvTranspose2d(_)
                | Self::Dense(_)
                | Self::BatchNorm(_)
                | Self::LayerNorm { .. }
                | Self::GroupNorm { .. }
                | Self::Dropout { .. }
                | Self::DropPath(_)
        )
    }

    /// Checks the attributes by themselves.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a zero size, or a rate, momentum or epsilon outside its range.
    pub fn validate(&self) -> Result<()> {
        match self {
            Self::Conv2d(conv) | Self::ConvTranspose2d(conv) => {
                self.positive("filters", &[conv.filters])?;
                self.positive("kernel", &conv.kernel)?;
                self.positive("stride", &conv.stride)?;
                self.positive("dilation", &conv.dilation)?;
                self.positive("groups", &[conv.groups])
            }
            Self::MaxPool2d(pool) | Self::AvgPool2d(pool) => {
                self.positive("kernel", &pool.kernel)?;
                self.positive("stride", &pool.stride)
            }
            Self::Dense(dense) => self.positive("units", &[dense.units]),
            Self::BatchNorm(norm) => {
                let BatchNorm { momentum, epsilon } = *norm;
                self.within(
                    "momentum",
                    momentum,
                    "from 0 to 1",
                    (0.0..=1.0).contains(&momentum),
                )?;
                self.epsilon(epsilon)
            }
            Self::LayerNorm { epsilon } => self.epsilon(*epsilon),
            Self::GroupNorm { groups, epsilon } => {
                self.positive("groups", &[*groups])?;
                self.epsilon(*epsilon)
            }
            Self::Resize { size, .. } => self.positive("size", size),
            Self::ChannelShuffle { groups } => self.positive("groups", &[*groups]),
            Self::Dropout { rate } | Self::DropPath(DropPath { rate, .. }) => {
                let expected = "from 0 up to but not including 1";
                self.within("rate", *rate, expected, (0.0..1.0).contains(rate))
            }
            Self::Input { .. }
            | Self::GlobalAvgPool
            | Self::Flatten
            | Self::Activation(_)
            | Self::Add
            | Self::Multiply
            | Self::Concat
            | Self::ZeroPad2d(_)
            | Self::Crop2d(_) => Ok(()),
        }
    }

    fn positive(&self, attribute: &str, values: &[usize]) -> Result<()> {
        if values.contains(&0) {
            return Err(Error::invalid(
                format!("{} {attribute}", self.name()),
                "a positive integer",
                0,
            ));
        }
        Ok(())
    }

    fn epsilon(&self, epsilon: f64) -> Result<()> {
        let positive = epsilon.is_finite() && epsilon > 0.0;
        self.within("epsilon", epsilon, "above 0", positive)
    }

    fn within(&self, attribute: &str, value: f64, expected: &str, holds: bool) -> Result<()> {
        if holds {
            return Ok(());
        }
        Err(Error::invalid(
            format!("{} {attribute}", self.name()),
            format!("a number {expected}"),
            value,
        ))
    }
}

/// A pair as people write it: `3` where both are equal, else `3×5`.
pub(super) fn side(pair: [usize; 2]) -> String {
    if pair[0] == pair[1] {
        pair[0].to_string()
    } else {
        format!("{}×{}", pair[0], pair[1])
    }
}

impl fmt::Display for Op {
    /// The name with the attributes that differ from the defaults.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        match self {
            Self::Conv2d(conv) | Self::ConvTranspose2d(conv) => {
                write!(f, " {}, kernel {}", conv.filters, side(conv.kernel))?;
                if conv.stride != [1, 1] {
                    write!(f, ", stride {}", side(conv.stride))?;
                }
                if conv.dilation != [1, 1] {
                    write!(f, ", dilation {}", side(conv.dilation))?;
                }
                if conv.groups != 1 {
                    write!(f, ", groups {}", conv.groups)?;
                }
                if conv.padding != Padding::Same {
                    write!(f, ", {}", conv.padding)?;
                }
                f.write_str(if conv.bias { "" } else { ", no bias" })
            }
            Self::MaxPool2d(pool) | Self::AvgPool2d(pool) => {
                write!(f, " {}", side(pool.kernel))?;
                if pool.stride != pool.kernel {
                    write!(f, ", stride {}", side(pool.stride))?;
                }
                if pool.padding != Padding::Valid {
                    write!(f, ", {}", pool.padding)?;
                }
                Ok(())
            }
            Self::Dense(dense) => {
                write!(
                    f,
                    " {}{}",
                    dense.units,
                    if dense.bias { "" } else { ", no bias" }
                )
            }
            Self::Dropout { rate } => write!(f, " {rate}"),
            Self::DropPath(drop) => {
                write!(f, " {}", drop.rate)?;
                f.write_str(match drop.schedule {
                    DropSchedule::Constant => "",
                    DropSchedule::Linear => ", linear",
                })
            }
            Self::GroupNorm { groups, .. } | Self::ChannelShuffle { groups } => {
                write!(f, " {groups}")
            }
            Self::ZeroPad2d(sides) | Self::Crop2d(sides) => {
                let Sides {
                    top,
                    bottom,
                    left,
                    right,
                } = sides;
                write!(f, " [{top}, {bottom}], [{left}, {right}]")
            }
            Self::Resize { size, mode } => {
                write!(f, " {}×{}", size[0], size[1])?;
                f.write_str(match mode {
                    Interpolation::Nearest => "",
                    Interpolation::Bilinear => ", bilinear",
                })
            }
            _ => Ok(()),
        }
    }
}
