//! The walk over a network: each operation becomes ONNX operators (opset 18), at inference. Knows
//! which operator does what; those that take more than a line are in `windows`, `norms`, `elements`
//! and `pixels`.

use super::graph::{Graph, float, int};
use super::proto::AttributeProto;
use crate::child::{Weights, parameters};
use crate::error::{Error, Result};
use crate::network::{Network, Op};

/// A network on its way to ONNX.
pub(super) struct Lowering<'a> {
    network: &'a Network,
    weights: &'a Weights,
    /// How many arrays were taken from the weights.
    taken: usize,
    /// The name of the value of each node so far.
    values: Vec<String>,
    pub graph: Graph,
}

/// The node that is being lowered.
pub(super) struct At<'a> {
    /// Its index in the network.
    index: usize,
    op: &'a Op,
    /// What its value is called: "3.conv2d".
    name: String,
    /// The names of the values that it reads.
    pub inputs: Vec<String>,
    /// Their shapes.
    pub shapes: Vec<&'a [usize]>,
    /// The shape of its own value.
    pub shape: &'a [usize],
}

impl<'a> Lowering<'a> {
    /// Lowers every node of `network`. Returns the graph, and the name of the output's value in it.
    ///
    /// # Errors
    /// [`Error::Invalid`] where an array of `weights` is missing, has another shape, or is not the
    /// network's.
    pub fn of(network: &'a Network, weights: &'a Weights, input: &str) -> Result<(Graph, String)> {
        let mut lowering = Self {
            network,
            weights,
            taken: 0,
            values: Vec::with_capacity(network.nodes().len()),
            graph: Graph::default(),
        };
        for index in 0..network.nodes().len() {
            let value = lowering.node(index, input)?;
            lowering.values.push(value);
        }
        if lowering.taken != weights.len() {
            let expected = format!("{} arrays", lowering.taken);
            return Err(Error::invalid("weights", expected, weights.len()));
        }
        let last = lowering.values.pop().unwrap_or_default();
        Ok((lowering.graph, last))
    }

    fn node(&mut self, index: usize, input: &str) -> Result<String> {
        let nodes = self.network.nodes();
        let node = &nodes[index];
        let read = node.inputs.iter();
        let at = At {
            index,
            op: &node.op,
            name: format!("{index}.{}", node.op.name()),
            inputs: read.clone().map(|&i| self.values[i].clone()).collect(),
            shapes: read.map(|&i| &nodes[i].shape[..]).collect(),
            shape: &node.shape,
        };
        match &node.op {
            Op::Input { .. } => Ok(input.to_string()),
            Op::Conv2d(conv) => self.conv2d(&at, conv),
            Op::ConvTranspose2d(conv) => self.conv_transpose2d(&at, conv),
            Op::MaxPool2d(pool) => self.max_pool2d(&at, pool),
            Op::AvgPool2d(pool) => self.avg_pool2d(&at, pool),
            Op::GlobalAvgPool => {
                let average = self.part(&at, "average", "GlobalAveragePool", at.reads(), []);
                Ok(self.whole(&at, "Flatten", vec![average], [int("axis", 1)]))
            }
            Op::Flatten => Ok(self.whole(&at, "Flatten", at.reads(), [int("axis", 1)])),
            Op::Dense(dense) => {
                let mut inputs = at.reads();
                inputs.push(self.array(&at, "weight", &[at.channels(), dense.units])?);
                if dense.bias {
                    inputs.push(self.array(&at, "bias", &[dense.units])?);
                }
                Ok(self.whole(&at, "Gemm", inputs, []))
            }
            Op::BatchNorm(norm) => {
                let mut inputs = at.reads();
                for part in ["weight", "bias", "running_mean", "running_var"] {
                    inputs.push(self.array(&at, part, &[at.channels()])?);
                }
                let epsilon = float("epsilon", norm.epsilon);
                Ok(self.whole(&at, "BatchNormalization", inputs, [epsilon]))
            }
            Op::LayerNorm { epsilon } => self.layer_norm(&at, *epsilon),
            Op::GroupNorm { groups, epsilon } => self.group_norm(&at, *groups, *epsilon),
            Op::Dropout { .. } | Op::DropPath(_) => Ok(at.x()),
            Op::Activation(activation) => Ok(self.activation(&at, *activation)),
            Op::Add => Ok(match at.inputs.len() {
                2 => self.whole(&at, "Add", at.reads(), []),
                _ => self.whole(&at, "Sum", at.reads(), []),
            }),
            Op::Multiply => self.multiply(&at),
            Op::Concat => Ok(self.whole(&at, "Concat", at.reads(), [int("axis", 1)])),
            Op::ZeroPad2d(sides) => self.zero_pad2d(&at, *sides),
            Op::Crop2d(sides) => self.crop2d(&at, *sides),
            Op::Resize { size, mode } => self.resize(&at, *size, *mode),
            Op::ChannelShuffle { groups } => self.channel_shuffle(&at, *groups),
        }
    }

    /// The last operator of a node, which bears its name.
    pub fn whole<const N: usize>(
        &mut self,
        at: &At,
        op: &str,
        inputs: Vec<String>,
        attributes: [AttributeProto; N],
    ) -> String {
        self.graph.node(at.name.clone(), op, inputs, attributes)
    }

    /// An operator on the way to the last of a node, called "3.gelu.erf" for the part "erf".
    pub fn part<const N: usize>(
        &mut self,
        at: &At,
        part: &str,
        op: &str,
        inputs: Vec<String>,
        attributes: [AttributeProto; N],
    ) -> String {
        self.graph.node(at.part(part), op, inputs, attributes)
    }

    /// The node's array `part`, which must have the given shape.
    ///
    /// # Errors
    /// [`Error::Invalid`] where there is no such array.
    pub fn array(&mut self, at: &At, part: &str, shape: &[usize]) -> Result<String> {
        self.array_as(at, part, shape, shape)
    }

    /// As [`array`](Self::array), with the same numbers under another shape.
    ///
    /// # Errors
    /// As [`array`](Self::array).
    pub fn array_as(
        &mut self,
        at: &At,
        part: &str,
        shape: &[usize],
        seen_as: &[usize],
    ) -> Result<String> {
        let name = parameters::name(at.index, at.op, part);
        let values = self.weights.values(&name, shape)?;
        self.taken += 1;
        self.graph.floats(name, seen_as, &values)
    }
}

impl At<'_> {
    /// The name of the first value that is read.
    pub fn x(&self) -> String {
        self.inputs.first().cloned().unwrap_or_default()
    }

    /// The names of all values that are read.
    pub fn reads(&self) -> Vec<String> {
        self.inputs.clone()
    }

    /// The name of a part: "3.gelu.erf".
    pub fn part(&self, part: &str) -> String {
        format!("{}.{part}", self.name)
    }

    /// The channels, or the features, of the first value that is read.
    pub fn channels(&self) -> usize {
        self.shapes.first().map_or(0, |shape| shape[0])
    }

    /// The shape of the first value that is read, an image.
    ///
    /// # Errors
    /// [`Error::Shape`] for a flat value; no network has one there.
    pub fn image(&self) -> Result<[usize; 3]> {
        let shape = self.shapes.first().copied().unwrap_or_default();
        let flat = |_| {
            Error::shape(
                self.op.name(),
                format!("expected an image, found {shape:?}"),
            )
        };
        shape.try_into().map_err(flat)
    }
}
