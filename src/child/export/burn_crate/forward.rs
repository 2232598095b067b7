//! The forward pass of a network as Rust statements. Knows operations and the names of layers, not how
//! layers are made.
//!
//! A value keeps its name for as long as one operation follows the other: `x`. A second value that is
//! needed later on is `x1`, and so on.

use std::collections::BTreeSet;
use std::fmt::Write;

use super::layers::{Layers, transposed_padding};
use crate::network::{Activation, Network, NetworkNode, Op, Padding, Sides};

/// The body of `forward`, and what it uses.
#[derive(Default)]
pub(super) struct Forward {
    /// Statements, indented by two levels.
    pub body: String,
    /// Functions of `burn::tensor::activation`.
    pub activations: BTreeSet<&'static str>,
    /// Functions that the model's file has to define.
    pub helpers: BTreeSet<Helper>,
    /// Whether `PadMode` is used.
    pub pads: bool,
    /// Whether the macro `s!` is used.
    pub slices: bool,
}

/// A function for what is no layer of `burn::nn`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Helper {
    ChannelShuffle,
    GlobalAvgPool,
    NormChannels,
    PerChannel,
    ResizeNearest,
}

impl Helper {
    /// The function's definition.
    pub fn source(self) -> &'static str {
        match self {
            Self::ChannelShuffle => {
                "\
/// Interleaves the channels of `groups` groups.
fn channel_shuffle(x: Tensor<4>, groups: usize) -> Tensor<4> {
    let [batch, channels, height, width] = x.dims();
    x.reshape([batch, groups, channels / groups, height, width])
        .swap_dims(1, 2)
        .reshape([batch, channels, height, width])
}
"
            }
            Self::GlobalAvgPool => {
                "\
/// The average of each channel: `[batch, channels]`.
fn global_avg_pool(x: Tensor<4>) -> Tensor<2> {
    adaptive_avg_pool2d(x, [1, 1]).flatten(1, 3)
}
"
            }
            Self::NormChannels => {
                "\
/// Normalises the channels of each pixel.
fn norm_channels(norm: &LayerNorm, x: Tensor<4>) -> Tensor<4> {
    let x = norm.forward(x.permute([0, 2, 3, 1])); // [batch, height, width, channels]
    x.permute([0, 3, 1, 2])
}
"
            }
            Self::PerChannel => {
                "\
/// One factor a channel, for all pixels: `[batch, channels, 1, 1]`.
fn per_channel(factors: Tensor<2>) -> Tensor<4> {
    factors.unsqueeze_dims(&[2, 3])
}
"
            }
            Self::ResizeNearest => {
                "\
/// Takes the pixel at `floor(i * input / output)` for each pixel of the new `[height, width]`.
fn resize_nearest(x: Tensor<4>, size: [usize; 2]) -> Tensor<4> {
    let [_, _, height, width] = x.dims();
    let device = x.device();
    let nearest = |from: usize, to: usize| {
        let pixels: Vec<i32> = (0..to).map(|i| (i * from / to) as i32).collect();
        Tensor::<1, Int>::from_data(pixels.as_slice(), &device)
    };
    x.select(2, nearest(height, size[0]))
        .select(3, nearest(width, size[1]))
}
"
            }
        }
    }
}

/// The widest line, as `rustfmt` has it.
pub(super) const WIDTH: usize = 100;
/// The longest element of a list that shares its line.
const SHORT: usize = 10;

/// The longest list of arguments that stands in one line, as `rustfmt` has it.
const ARGUMENTS: usize = 60;
/// How many values are added in one line.
const SUMMANDS: usize = 5;

pub(super) fn forward(network: &Network, layers: &Layers) -> Forward {
    let mut writer = Writer::new(network, layers);
    for index in 0..network.nodes().len() {
        writer.node(index);
    }
    writer.finish()
}

struct Writer<'a> {
    nodes: &'a [NetworkNode],
    layers: &'a Layers,
    /// The node whose value each node's is: its own, but for what inference leaves out.
    source: Vec<usize>,
    /// How often each node's value is still read.
    readings: Vec<usize>,
    /// The name of each node's value.
    names: Vec<String>,
    /// Names of values that are still needed.
    live: BTreeSet<String>,
    /// Each statement: the name, the expression, and a comment.
    statements: Vec<(String, String, String)>,
    forward: Forward,
}

impl<'a> Writer<'a> {
    fn new(network: &'a Network, layers: &'a Layers) -> Self {
        let nodes = network.nodes();
        let mut source: Vec<usize> = Vec::with_capacity(nodes.len());
        let mut readings = vec![0; nodes.len()];
        for (index, node) in nodes.iter().enumerate() {
            let passes = matches!(node.op, Op::Dropout { .. } | Op::DropPath(_));
            match node.inputs[..] {
                [only] if passes => source.push(source[only]),
                _ => {
                    source.push(index);
                    node.inputs.iter().for_each(|&i| readings[source[i]] += 1);
                }
            }
        }
        Self {
            nodes,
            layers,
            source,
            readings,
            names: vec![String::new(); nodes.len()],
            live: BTreeSet::new(),
            statements: Vec::new(),
            forward: Forward::default(),
        }
    }

    fn node(&mut self, index: usize) {
        let node = &self.nodes[index];
        if self.source[index] != index {
            return;
        }
        if matches!(node.op, Op::Input { .. }) {
            self.names[index] = "images".into();
            return;
        }
        let values: Vec<String> = node.inputs.iter().map(|&input| self.value(input)).collect();
        let name = self.name(index);
        self.write(index, &name, &values);
        self.live.insert(name.clone());
        self.names[index] = name;
    }

    /// The expression for the value of `node`, which is given away by the last reading.
    fn value(&mut self, node: usize) -> String {
        let source = self.source[node];
        self.readings[source] -= 1;
        let name = self.names[source].clone();
        if self.readings[source] > 0 {
            return format!("{name}.clone()");
        }
        self.live.remove(&name);
        name
    }

    /// The name of a new value: that of the first input that is used up, if any.
    fn name(&self, index: usize) -> String {
        let inputs = self.nodes[index].inputs.iter().map(|&i| self.source[i]);
        let mut used_up = inputs.filter(|&i| self.readings[i] == 0 && self.names[i] != "images");
        if let Some(input) = used_up.next() {
            return self.names[input].clone();
        }
        let mut candidates = std::iter::once("x".to_string())
            .chain((1..).map(|n| format!("x{n}")))
            .filter(|name| !self.live.contains(name));
        candidates.next().unwrap_or_default()
    }

    /// Writes the statements that give the value of `index` the name `name`.
    fn write(&mut self, index: usize, name: &str, values: &[String]) {
        let node = &self.nodes[index];
        let layer = self.layers.path(index);
        let x = values.first().map_or("", String::as_str);
        let applied = || format!("self.{layer}.forward({x})");
        let flat = node.shape.len() == 1;
        let expression = match &node.op {
            Op::Input { .. } | Op::Dropout { .. } | Op::DropPath(_) => x.to_string(),
            Op::Conv2d(_)
            | Op::MaxPool2d(_)
            | Op::AvgPool2d(_)
            | Op::Dense(_)
            | Op::BatchNorm(_)
            | Op::GroupNorm { .. } => applied(),
            Op::ConvTranspose2d(conv) => {
                let odd = |axis: usize| {
                    let extent = (conv.kernel[axis] - 1) * conv.dilation[axis] + 1;
                    let cut = extent.saturating_sub(conv.stride[axis]);
                    cut > 2 * transposed_padding(conv).0[axis]
                };
                if conv.padding == Padding::Same && (odd(0) || odd(1)) {
                    self.push(index, name, applied(), false);
                    self.forward.slices = true;
                    let (rows, columns) = (node.shape[1], node.shape[2]);
                    format!("{name}.slice(s![.., .., ..{rows}, ..{columns}])")
                } else {
                    applied()
                }
            }
            Op::GlobalAvgPool => {
                self.helped(Helper::GlobalAvgPool, format!("global_avg_pool({x})"))
            }
            Op::Flatten => format!("{x}.flatten(1, 3)"),
            Op::LayerNorm { .. } if flat => applied(),
            Op::LayerNorm { .. } => {
                let call = format!("norm_channels(&self.{layer}, {x})");
                self.helped(Helper::NormChannels, call)
            }
            Op::Activation(activation) => self.activation(*activation, x),
            Op::Add => return self.add(index, name, values),
            Op::Multiply => self.multiply(index, values),
            Op::Concat => concat(values),
            Op::ZeroPad2d(sides) => {
                self.forward.pads = true;
                let Sides {
                    top,
                    bottom,
                    left,
                    right,
                } = sides;
                let pairs = format!("[({top}, {bottom}), ({left}, {right})]");
                format!("{x}.pad({pairs}, PadMode::Constant(0.0))")
            }
            Op::Crop2d(sides) => {
                self.forward.slices = true;
                let (top, left) = (sides.top, sides.left);
                let (bottom, right) = (top + node.shape[1], left + node.shape[2]);
                format!("{x}.slice(s![.., .., {top}..{bottom}, {left}..{right}])")
            }
            Op::Resize { .. } if !layer.is_empty() => applied(),
            Op::Resize { size, .. } => self.helped(
                Helper::ResizeNearest,
                format!("resize_nearest({x}, {size:?})"),
            ),
            Op::ChannelShuffle { groups } => self.helped(
                Helper::ChannelShuffle,
                format!("channel_shuffle({x}, {groups})"),
            ),
        };
        self.push(index, name, expression, true);
    }

    fn helped(&mut self, helper: Helper, call: String) -> String {
        self.forward.helpers.insert(helper);
        call
    }

    fn activation(&mut self, activation: Activation, x: &str) -> String {
        let function = activation.name();
        self.forward.activations.insert(function);
        match activation {
            Activation::HardSigmoid => format!("hard_sigmoid({x}, 1.0 / 6.0, 0.5)"),
            _ => format!("{function}({x})"),
        }
    }

    /// A sum; a long one takes several lines.
    fn add(&mut self, index: usize, name: &str, values: &[String]) {
        let mut lines = values.chunks(SUMMANDS).map(|part| part.join(" + "));
        let mut sum = lines.next().unwrap_or_default();
        for line in lines {
            self.push(index, name, sum, false);
            sum = format!("{name} + {line}");
        }
        self.push(index, name, sum, true);
    }

    fn multiply(&mut self, index: usize, values: &[String]) -> String {
        let node = &self.nodes[index];
        let factors = node.inputs.iter().zip(values).map(|(&input, value)| {
            if self.nodes[input].shape.len() < node.shape.len() {
                self.forward.helpers.insert(Helper::PerChannel);
                format!("per_channel({value})")
            } else {
                value.clone()
            }
        });
        factors.collect::<Vec<_>>().join(" * ")
    }

    /// Adds a statement; `done` tells that the node's value is complete. Its shape is a comment where it
    /// is another than before.
    fn push(&mut self, index: usize, name: &str, expression: String, done: bool) {
        let node = &self.nodes[index];
        let first = node.inputs.first().map(|&input| &self.nodes[input]);
        let comment = match first {
            Some(first) if done && first.shape != node.shape => {
                let sides: Vec<_> = node.shape.iter().map(usize::to_string).collect();
                format!(" // [batch, {}]", sides.join(", "))
            }
            _ => String::new(),
        };
        self.statements.push((name.into(), expression, comment));
    }

    fn finish(mut self) -> Forward {
        let last = self.statements.pop();
        // Writing to a string does not fail.
        for (name, expression, comment) in &self.statements {
            let typed = match expression.ends_with(".flatten(1, 3)") {
                true => format!("{name}: Tensor<2>"),
                false => name.clone(),
            };
            let _ = writeln!(
                self.forward.body,
                "        let {typed} = {expression};{comment}"
            );
        }
        if let Some((_, expression, comment)) = last {
            let _ = writeln!(self.forward.body, "        {expression}{comment}");
        }
        self.forward
    }
}

/// Values side by side, in one line if it is short.
fn concat(values: &[String]) -> String {
    let list = values.join(", ");
    if "vec![], 1".len() + list.len() <= ARGUMENTS {
        return format!("Tensor::cat(vec![{list}], 1)");
    }
    let indent = " ".repeat(12);
    let parts = match list.len() <= ARGUMENTS {
        true => format!("vec![{list}]"),
        // Short elements share lines, long ones do not.
        false if values.iter().all(|value| value.len() <= SHORT) => {
            format!("vec![\n{}{indent}]", fill(values, 16))
        }
        false => {
            let lines: Vec<_> = values
                .iter()
                .map(|value| format!("{indent}    {value},\n"))
                .collect();
            format!("vec![\n{}{indent}]", lines.concat())
        }
    };
    format!("Tensor::cat(\n{indent}{parts},\n{indent}1,\n        )")
}

/// Lines of `items` with a comma after each, `indent` wide on the left and as full as `rustfmt` fills
/// them.
pub(super) fn fill(items: &[impl AsRef<str>], indent: usize) -> String {
    let mut lines: Vec<String> = Vec::new();
    for item in items {
        let item = format!("{},", item.as_ref());
        match lines.last_mut() {
            Some(line) if indent + line.len() + 1 + item.len() <= WIDTH => {
                line.push(' ');
                line.push_str(&item);
            }
            _ => lines.push(item),
        }
    }
    let margin = " ".repeat(indent);
    lines
        .iter()
        .map(|line| format!("{margin}{line}\n"))
        .collect()
}
