//! What a diagram shows as one box: an operation with what is done to each of its elements after it,
//! such as convolution, normalisation, activation. Knows nothing of places and pictures.

use crate::network::summary::grouped;
use crate::network::{Network, NetworkNode, Op};

/// One box of a diagram.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Block {
    /// The indices of the network's nodes in it, in order.
    pub nodes: Vec<usize>,
    /// The boxes that it reads, each once, in ascending order.
    pub inputs: Vec<usize>,
    /// The operations with their attributes, in order.
    pub operations: Vec<String>,
    /// The shape that it gives.
    pub shape: Vec<usize>,
    /// The trainable parameters of all its operations.
    pub params: u64,
}

impl Block {
    /// The shape and the parameters in a line: "16×32×32 · 4,640 parameters".
    pub fn facts(&self) -> String {
        let sides: Vec<_> = self.shape.iter().map(usize::to_string).collect();
        let shape = sides.join("×");
        match self.params {
            0 => shape,
            1 => format!("{shape} · 1 parameter"),
            params => format!("{shape} · {} parameters", grouped(params)),
        }
    }
}

/// The boxes of `network`, each after what it reads; the last gives the output.
pub(super) fn blocks(network: &Network) -> Vec<Block> {
    let nodes = network.nodes();
    let mut readings = vec![0_usize; nodes.len()];
    for &input in nodes.iter().flat_map(|node| &node.inputs) {
        readings[input] += 1;
    }
    let mut home = Vec::with_capacity(nodes.len());
    let mut blocks: Vec<Block> = Vec::new();
    for (index, (node, (params, _))) in nodes.iter().zip(network.costs()).enumerate() {
        let grown = joined(node, &readings).map(|input: usize| home[input]);
        let place = grown.unwrap_or_else(|| {
            let mut inputs: Vec<usize> = node.inputs.iter().map(|&input| home[input]).collect();
            inputs.sort_unstable();
            inputs.dedup();
            blocks.push(Block {
                nodes: Vec::new(),
                inputs,
                operations: Vec::new(),
                shape: Vec::new(),
                params: 0,
            });
            blocks.len() - 1
        });
        let block = &mut blocks[place];
        block.nodes.push(index);
        block.operations.push(node.op.to_string());
        block.shape.clone_from(&node.shape);
        block.params = block.params.saturating_add(params);
        home.push(place);
    }
    blocks
}

/// The node whose box `node` joins: it changes the elements of one input that nobody else reads.
fn joined(node: &NetworkNode, readings: &[usize]) -> Option<usize> {
    let changes_elements = matches!(
        node.op,
        Op::BatchNorm(_)
            | Op::LayerNorm { .. }
            | Op::GroupNorm { .. }
            | Op::Dropout { .. }
            | Op::DropPath(_)
            | Op::Activation(_)
    );
    match node.inputs[..] {
        [only] if changes_elements && readings[only] == 1 => Some(only),
        _ => None,
    }
}
