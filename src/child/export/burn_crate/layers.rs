//! The layers of a network as fields of a Burn module: their names, types and configurations, and what
//! each array of weights is called there. Knows nothing of the forward pass.

use std::collections::BTreeMap;

use crate::arrays::Arrays;
use crate::child::parameters;
use crate::child::weights::Weights;
use crate::network::{
    BatchNorm, Conv2d, Interpolation, Network, NetworkNode, Op, Padding, Pool2d, same_padding,
};

/// The most layers of one struct. What Burn derives for a struct takes a compiler more than twice as
/// long for twice the fields: minutes for 500.
const PART: usize = 40;

/// A field of the module.
pub(super) struct Layer {
    /// The field's name: "conv1".
    pub field: String,
    /// Where it is in the model: "conv1", or "part2.conv1" in a model of several parts.
    pub path: String,
    /// Its type in `burn::nn`: "Conv2d".
    pub kind: &'static str,
    /// What makes it, as a chain of calls: `Conv2dConfig::new([3, 16], [3, 3])` and so on.
    pub made: Vec<String>,
}

/// The layers of a network.
pub(super) struct Layers {
    /// In the order of the network's nodes.
    pub all: Vec<Layer>,
    /// The index of each node's layer.
    pub of_node: Vec<Option<usize>>,
}

impl Layers {
    pub fn of(network: &Network) -> Self {
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        let mut layers = Self {
            all: Vec::new(),
            of_node: Vec::new(),
        };
        for node in network.nodes() {
            let input = node.inputs.first();
            let input = input.map_or(&[][..], |&input| &network.nodes()[input].shape);
            let layer = layer(node, input).map(|(name, kind, made)| {
                let count = counts.entry(name).or_default();
                *count += 1;
                let field = format!("{name}{count}");
                layers.all.push(Layer {
                    path: field.clone(),
                    field,
                    kind,
                    made,
                });
                layers.all.len() - 1
            });
            layers.of_node.push(layer);
        }
        if layers.all.len() > PART {
            for (index, layer) in layers.all.iter_mut().enumerate() {
                layer.path = format!("part{}.{}", index / PART + 1, layer.field);
            }
        }
        layers
    }

    /// The layers of each part of the model, in order; a model of few layers has no parts.
    pub fn parts(&self) -> Vec<&[Layer]> {
        match self.all.len() > PART {
            true => self.all.chunks(PART).collect(),
            false => Vec::new(),
        }
    }

    /// Where in the model a node's layer is; empty for a node without one.
    pub fn path(&self, node: usize) -> &str {
        self.of_node[node].map_or("", |layer| &self.all[layer].path)
    }

    /// `weights` under the names that Burn's modules give them: "conv1.weight", "batch_norm1.gamma".
    pub fn arrays(&self, network: &Network, weights: &Weights) -> Arrays {
        let mut arrays = Arrays::new();
        for (index, node) in network.nodes().iter().enumerate() {
            let normalises = matches!(
                node.op,
                Op::BatchNorm(_) | Op::LayerNorm { .. } | Op::GroupNorm { .. }
            );
            for part in ["weight", "bias", "running_mean", "running_var"] {
                let named = match (part, normalises) {
                    ("weight", true) => "gamma",
                    ("bias", true) => "beta",
                    _ => part,
                };
                let array = weights
                    .arrays()
                    .get(&parameters::name(index, &node.op, part));
                if let Some(array) = array {
                    arrays.insert(format!("{}.{named}", self.path(index)), array.clone());
                }
            }
        }
        arrays
    }
}

/// The name, type and making of the layer of `node`, which reads the shape `input`; `None` for
/// operations that are functions.
fn layer(node: &NetworkNode, input: &[usize]) -> Option<(&'static str, &'static str, Vec<String>)> {
    let channels = input.first().copied().unwrap_or(0);
    let init = || "init(device)".to_string();
    Some(match &node.op {
        Op::Conv2d(conv) => {
            let mut made = convolution("Conv2dConfig", channels, conv);
            let padding = padding(conv.padding, input, conv.kernel, conv.stride, conv.dilation);
            made.extend(padding);
            ("conv", "Conv2d", finished(made, conv))
        }
        Op::ConvTranspose2d(conv) => {
            let mut made = convolution("ConvTranspose2dConfig", channels, conv);
            if conv.padding == Padding::Same {
                let (extra, lacking) = transposed_padding(conv);
                made.extend(call_unless("with_padding", extra, [0, 0]));
                made.extend(call_unless("with_padding_out", lacking, [0, 0]));
            }
            let made = finished(made, conv);
            ("conv_transpose", "ConvTranspose2d", made)
        }
        Op::MaxPool2d(pool) => {
            let made = pooling("MaxPool2dConfig", pool, input);
            (
                "max_pool",
                "MaxPool2d",
                [made, vec!["init()".into()]].concat(),
            )
        }
        Op::AvgPool2d(pool) => {
            let mut made = pooling("AvgPool2dConfig", pool, input);
            if made.iter().any(|call| call.starts_with("with_padding")) {
                made.push("with_count_include_pad(false)".into());
            }
            (
                "avg_pool",
                "AvgPool2d",
                [made, vec!["init()".into()]].concat(),
            )
        }
        Op::Dense(dense) => {
            let mut made = vec![format!("LinearConfig::new({channels}, {})", dense.units)];
            if !dense.bias {
                made.push("with_bias(false)".into());
            }
            made.push(init());
            ("linear", "Linear", made)
        }
        Op::BatchNorm(BatchNorm { momentum, epsilon }) => {
            let mut made = vec![format!("BatchNormConfig::new({channels})")];
            made.extend(with_epsilon(*epsilon));
            if *momentum != 0.1 {
                made.push(format!("with_momentum({momentum:?})"));
            }
            made.push(init());
            ("batch_norm", "BatchNorm", made)
        }
        Op::LayerNorm { epsilon } => {
            let mut made = vec![format!("LayerNormConfig::new({channels})")];
            made.extend(with_epsilon(*epsilon));
            made.push(init());
            ("layer_norm", "LayerNorm", made)
        }
        Op::GroupNorm { groups, epsilon } => {
            let mut made = vec![format!("GroupNormConfig::new({groups}, {channels})")];
            made.extend(with_epsilon(*epsilon));
            made.push(init());
            ("group_norm", "GroupNorm", made)
        }
        Op::Resize { size, mode } if interpolates(*mode, &input[1..], *size) => {
            let mode = match mode {
                Interpolation::Nearest => "Nearest",
                Interpolation::Bilinear => "Linear",
            };
            let made = vec![
                "Interpolate2dConfig::new()".into(),
                format!("with_output_size(Some({size:?}))"),
                format!("with_mode(InterpolateMode::{mode})"),
                "with_align_corners(false)".into(),
                "init()".into(),
            ];
            ("resize", "Interpolate2d", made)
        }
        _ => return None,
    })
}

/// Whether Burn's interpolation finds exactly the pixels that the network has. It multiplies by a
/// rounded ratio, so the nearest pixel is certain only where the ratio is whole or a power of two.
pub(super) fn interpolates(mode: Interpolation, from: &[usize], to: [usize; 2]) -> bool {
    let exact = |(&from, to): (&usize, usize)| {
        from.is_multiple_of(to) || to.is_multiple_of(from) && (to / from).is_power_of_two()
    };
    mode == Interpolation::Bilinear || from.iter().zip(to).all(exact)
}

/// The padding of a transposed convolution that pads "same", and what it lacks at the end where the
/// stride is longer than the kernel. Where the padding is odd, a row and a column too many are left.
pub(super) fn transposed_padding(conv: &Conv2d) -> ([usize; 2], [usize; 2]) {
    let extent = |axis: usize| (conv.kernel[axis] - 1) * conv.dilation[axis] + 1;
    let half = |axis: usize| extent(axis).saturating_sub(conv.stride[axis]) / 2;
    let lacking = |axis: usize| conv.stride[axis].saturating_sub(extent(axis));
    ([half(0), half(1)], [lacking(0), lacking(1)])
}

fn convolution(config: &str, channels: usize, conv: &Conv2d) -> Vec<String> {
    let (filters, kernel) = (conv.filters, conv.kernel);
    let mut made = vec![format!(
        "{config}::new([{channels}, {filters}], {kernel:?})"
    )];
    made.extend(call_unless("with_stride", conv.stride, [1, 1]));
    made.extend(call_unless("with_dilation", conv.dilation, [1, 1]));
    if conv.groups != 1 {
        made.push(format!("with_groups({})", conv.groups));
    }
    made
}

fn finished(mut made: Vec<String>, conv: &Conv2d) -> Vec<String> {
    if !conv.bias {
        made.push("with_bias(false)".into());
    }
    made.push("init(device)".into());
    made
}

fn pooling(config: &str, pool: &Pool2d, input: &[usize]) -> Vec<String> {
    let Pool2d { kernel, stride, .. } = *pool;
    let mut made = vec![format!("{config}::new({kernel:?})")];
    made.extend(call_unless("with_strides", stride, kernel));
    made.extend(padding(pool.padding, input, kernel, stride, [1, 1]));
    made
}

/// The padding of windows over an image of shape `input`. Burn's own "same" knows no dilation.
fn padding(
    padding: Padding,
    input: &[usize],
    kernel: [usize; 2],
    stride: [usize; 2],
    dilation: [usize; 2],
) -> Option<String> {
    let side =
        |axis: usize| same_padding(input[axis + 1], kernel[axis], stride[axis], dilation[axis]);
    let ([top, bottom], [left, right]) = match padding {
        Padding::Valid => return None,
        Padding::Same => (side(0), side(1)),
    };
    match [top, left, bottom, right] {
        [0, 0, 0, 0] => None,
        _ if dilation == [1, 1] => Some("with_padding(PaddingConfig2d::Same)".into()),
        _ => Some(format!(
            "with_padding(PaddingConfig2d::Explicit({top}, {left}, {bottom}, {right}))"
        )),
    }
}

fn call_unless(name: &str, pair: [usize; 2], default: [usize; 2]) -> Option<String> {
    (pair != default).then(|| format!("{name}({pair:?})"))
}

/// Burn's default is the same as ours.
fn with_epsilon(epsilon: f64) -> Option<String> {
    (epsilon != 1e-5).then(|| format!("with_epsilon({epsilon:?})"))
}
