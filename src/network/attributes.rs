//! The attributes of operations, each with its meaning. Knows nothing of the operations themselves.

use std::fmt;

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

/// A pair as people write it: `3` where both are equal, else `3×5`.
pub(super) fn side(pair: [usize; 2]) -> String {
    if pair[0] == pair[1] {
        pair[0].to_string()
    } else {
        format!("{}×{}", pair[0], pair[1])
    }
}
