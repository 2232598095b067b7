//! A whole network in canonical form, with its cost, its digest and its JSON. Knows nothing of weights.

use super::canonical;
use super::cost;
use super::digest::Digest;
use super::node::Node;
use super::op::Op;
use super::place::Place;
use crate::error::{Error, Result};

/// One operation of a [`Network`].
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkNode {
    /// The operation.
    pub op: Op,
    /// The nodes it reads, as indices of earlier nodes; those of a sum or a product in ascending order.
    pub inputs: Vec<usize>,
    /// The shape of one image's activation: `[channels, height, width]` or `[features]`.
    pub shape: Vec<usize>,
    /// Where it stands; [not a part](Place) of what the network is.
    #[serde(skip)]
    pub place: Place,
}

/// A child network in canonical form.
///
/// However a script wrote it, the same network has the same nodes in the same order: nodes that the
/// output does not depend on are gone, and so are operations that change nothing; sums of sums are
/// one sum, the inputs of sums and products are ordered, and operations without weights or randomness
/// that were applied twice to the same inputs are one.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(into = "Graph", try_from = "Graph")]
pub struct Network {
    nodes: Vec<NetworkNode>,
    input: usize,
    digest: Digest,
}

/// The JSON of a network: its nodes, the output last.
#[derive(serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Graph {
    nodes: Vec<NetworkNode>,
}

impl Network {
    /// Takes everything that `output` depends on.
    ///
    /// # Errors
    /// [`Error::Invalid`] where inputs of different shapes are used, or where there are more than
    /// 100,000 nodes.
    pub fn from_output(output: &Node) -> Result<Self> {
        let nodes = canonical::order(output)?;
        let input = nodes
            .iter()
            .position(|node| matches!(node.op, Op::Input { .. }))
            .ok_or_else(|| Error::invalid("network", "an input", "none"))?;
        Ok(Self {
            digest: Digest::of_json(&nodes),
            nodes,
            input,
        })
    }

    /// The nodes, each after what it reads; the last is the output.
    pub fn nodes(&self) -> &[NetworkNode] {
        &self.nodes
    }

    /// The shape of an input image: `[channels, height, width]` or `[features]`.
    pub fn input_shape(&self) -> &[usize] {
        &self.nodes[self.input].shape
    }

    /// The shape of the output.
    pub fn shape(&self) -> &[usize] {
        self.nodes.last().map_or(&[], |node| &node.shape)
    }

    /// The number of trainable parameters. The running statistics of batch normalisations are not
    /// trainable and not counted.
    pub fn params(&self) -> u64 {
        self.costs()
            .fold(0, |sum, (params, _)| sum.saturating_add(params))
    }

    /// The multiply-accumulates for one image, of convolutions and dense layers.
    pub fn macs(&self) -> u64 {
        self.costs()
            .fold(0, |sum, (_, macs)| sum.saturating_add(macs))
    }

    /// The SHA-256 of the canonical form.
    ///
    /// Equal for graphs that differ only in the order of writing, in dead nodes, in operations that
    /// change nothing or in the order of sums; different where weights are shared in one and not in the other.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// The network as an expression that can be grown further.
    ///
    /// # Errors
    /// None for a network made by [`from_output`](Self::from_output).
    pub fn to_node(&self) -> Result<Node> {
        expression(self.nodes.clone())
    }

    /// The parameters and the MACs of each node.
    pub(super) fn costs(&self) -> impl Iterator<Item = (u64, u64)> {
        self.nodes.iter().map(|node| {
            let input = node
                .inputs
                .first()
                .map_or(&[][..], |&first| &self.nodes[first].shape);
            (
                cost::params(&node.op, input),
                cost::macs(&node.op, input, &node.shape),
            )
        })
    }
}

impl From<Network> for Graph {
    fn from(network: Network) -> Self {
        Self {
            nodes: network.nodes,
        }
    }
}

impl TryFrom<Graph> for Network {
    type Error = Error;

    /// Builds the network anew, so that nothing in a file is taken on trust.
    fn try_from(graph: Graph) -> Result<Self> {
        Self::from_output(&expression(graph.nodes)?)
    }
}

/// Grows the expression that `nodes` describe, checking each; the output is the last.
fn expression(nodes: Vec<NetworkNode>) -> Result<Node> {
    let mut built: Vec<Node> = Vec::with_capacity(nodes.len());
    for (index, node) in nodes.into_iter().enumerate() {
        let NetworkNode {
            op, inputs, shape, ..
        } = node;
        let earlier = |&input: &usize| {
            built.get(input).cloned().ok_or_else(|| {
                let what = format!("network node {index}");
                Error::invalid(what, "inputs among the nodes before it", input)
            })
        };
        let inputs = inputs.iter().map(earlier).collect::<Result<Vec<_>>>()?;
        let node = Node::apply(op, inputs)?;
        if node.shape() != shape {
            return Err(Error::invalid(
                format!("network node {index}"),
                format!("shape {:?}, as its operation gives", node.shape()),
                format!("{shape:?}"),
            ));
        }
        built.push(node);
    }
    let missing = || Error::invalid("network", "at least one node", "none");
    built.pop().ok_or_else(missing)
}
