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
}

impl Activation {
    /// The name in scripts.
    pub fn name(self) -> &'static str {
        match self {
            Self::Relu => "relu",
            Self::Gelu => "gelu",
            Self::Silu => "silu",
            Self::Tanh => "tanh",
            Self::Sigmoid => "sigmoid",
        }
    }
}

/// The attributes of a 2D convolution; pairs are `[height, width]`.
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
    /// Inverted dropout: active in training only.
    Dropout {
        /// The share of elements that are dropped, from 0 up to but not including 1.
        rate: f64,
    },
    /// An element-wise function.
    Activation(Activation),
    /// The sum of two equal shapes; commutative.
    Add,
    /// Several inputs side by side along the channels (or the features).
    Concat,
}

impl Op {
    /// The name in scripts.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Input { .. } => "input",
            Self::Conv2d(_) => "conv2d",
            Self::MaxPool2d(_) => "max_pool2d",
            Self::AvgPool2d(_) => "avg_pool2d",
            Self::GlobalAvgPool => "global_avg_pool",
            Self::Flatten => "flatten",
            Self::Dense(_) => "dense",
            Self::BatchNorm(_) => "batch_norm",
            Self::Dropout { .. } => "dropout",
            Self::Activation(activation) => activation.name(),
            Self::Add => "add",
            Self::Concat => "concat",
        }
    }

    /// Whether the order of the inputs does not matter.
    pub fn is_commutative(&self) -> bool {
        matches!(self, Self::Add)
    }

    /// Whether two applications to the same inputs are the same thing: no weights of its own, and
    /// no randomness.
    pub fn is_pure(&self) -> bool {
        !matches!(
            self,
            Self::Conv2d(_) | Self::Dense(_) | Self::BatchNorm(_) | Self::Dropout { .. }
        )
    }

    /// Checks the attributes by themselves.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a zero size, or a rate, momentum or epsilon outside its range.
    pub fn validate(&self) -> Result<()> {
        match self {
            Self::Conv2d(conv) => {
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
                let positive = epsilon.is_finite() && epsilon > 0.0;
                self.within("epsilon", epsilon, "above 0", positive)
            }
            Self::Dropout { rate } => {
                let expected = "from 0 up to but not including 1";
                self.within("rate", *rate, expected, (0.0..1.0).contains(rate))
            }
            Self::Input { .. }
            | Self::GlobalAvgPool
            | Self::Flatten
            | Self::Activation(_)
            | Self::Add
            | Self::Concat => Ok(()),
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
            Self::Conv2d(conv) => {
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
            _ => Ok(()),
        }
    }
}
