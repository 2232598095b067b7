//! The operations a network is made of. Knows nothing of shapes beyond its own attributes, nor of how
//! operations are connected.

use std::fmt;

use super::attributes::{
    Activation, BatchNorm, Conv2d, Dense, DropPath, DropSchedule, Interpolation, Padding, Pool2d,
    Sides, side,
};
use crate::error::{Error, Result};

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

    /// Whether it has weights of its own.
    pub fn has_weights(&self) -> bool {
        matches!(
            self,
            Self::Conv2d(_)
                | Self::ConvTranspose2d(_)
                | Self::Dense(_)
                | Self::BatchNorm(_)
                | Self::LayerNorm { .. }
                | Self::GroupNorm { .. }
        )
    }

    /// Whether two applications to the same inputs are the same thing: no weights of its own, and
    /// no randomness.
    pub fn is_pure(&self) -> bool {
        !self.has_weights() && !matches!(self, Self::Dropout { .. } | Self::DropPath(_))
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
