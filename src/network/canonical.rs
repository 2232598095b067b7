//! The canonical form of a graph: what it computes, whatever way it was written. Knows nodes and
//! operations, not what the form is for.
//!
//! Nodes that the output does not depend on are gone, and so are operations that change nothing.
//! Operations without weights or randomness that are applied twice to the same inputs are one. Sums of
//! sums, and concatenations of concatenations, are one where nobody else reads the inner one: a sum of
//! which another reads a part stays different from the sum of all parts.
//!
//! The order is that of a depth-first walk from the output, inputs first. It would be unique but for
//! sums and products, whose inputs come in no order of their own; they are told apart by colour
//! refinement (Weisfeiler & Leman): a node's colour is its operation, the colours of what it reads
//! and the colours of what reads it, over and over. Where two inputs still look alike, one is
//! singled out and the refinement goes on.
//!
//! Two graphs that get the same nodes in the same order are the same graph, always. The reverse, that
//! the same graph gets the same order however it was written, could fail only for graphs as regular
//! as refinement's known counter-examples, or beyond [`REFINEMENT_BUDGET`]; the price would be
//! training a child twice.

use std::collections::{HashMap, HashSet};

use super::digest::Digest;
use super::graph::NetworkNode;
use super::node::Node;
use super::op::Op;
use crate::error::{Error, Result};

/// The most nodes a network may have; a guard against runaway scripts and hostile files.
pub(super) const MAX_NODES: usize = 100_000;

/// The most nodes that refinement visits before it accepts the order that it has.
const REFINEMENT_BUDGET: usize = 20_000_000;

/// The nodes that `output` depends on, in canonical order: each after its inputs, the output last.
///
/// # Errors
/// [`Error::Invalid`] for inputs of different shapes or more than [`MAX_NODES`] nodes.
pub(super) fn order(output: &Node) -> Result<Vec<NetworkNode>> {
    // First what is the same, so that a sum that is written twice is one that two read.
    let mut graph = merge(gather(output)?);
    loop {
        let before = graph.len();
        graph = merge(flatten(graph));
        if graph.len() == before {
            break;
        }
    }
    let colours = Colours::of(&graph).settle();
    Ok(walk(&graph, &colours))
}

/// The graph as lists, inputs before readers, the output last, without operations that change
/// nothing.
fn gather(output: &Node) -> Result<Vec<NetworkNode>> {
    let mut graph: Vec<NetworkNode> = Vec::new();
    let mut place: HashMap<usize, usize> = HashMap::new();
    let mut input: Option<&Node> = None;
    // A node is met twice: first to push what it reads, then to be placed after it.
    let mut stack = vec![(output, false)];
    while let Some((node, inputs_placed)) = stack.pop() {
        if place.contains_key(&node.identity()) {
            continue;
        }
        if !inputs_placed {
            stack.push((node, true));
            stack.extend(node.inputs().iter().rev().map(|input| (input, false)));
            continue;
        }
        if matches!(node.op(), Op::Input { .. }) {
            let first = *input.get_or_insert(node);
            if first.shape() != node.shape() {
                return Err(Error::invalid(
                    "network inputs",
                    "one shape",
                    format!("{:?} and {:?}", first.shape(), node.shape()),
                ));
            }
        }
        let inputs: Vec<usize> = node
            .inputs()
            .iter()
            .map(|input| place[&input.identity()])
            .collect();
        let index = match inputs[..] {
            [only] if changes_nothing(node.op(), &graph[only]) => only,
            _ => {
                graph.push(NetworkNode {
                    op: node.op().clone(),
                    inputs,
                    shape: node.shape().to_vec(),
                    place: node.place().clone(),
                });
                graph.len() - 1
            }
        };
        if graph.len() > MAX_NODES {
            return Err(Error::invalid(
                "network",
                format!("at most {MAX_NODES} nodes"),
                "more",
            ));
        }
        place.insert(node.identity(), index);
    }
    Ok(graph)
}

fn changes_nothing(op: &Op, input: &NetworkNode) -> bool {
    op.is_associative() || op.is_identity(&input.op, &input.shape)
}

/// Takes sums of sums, and concatenations of concatenations, together where nobody else reads the
/// inner one.
fn flatten(mut graph: Vec<NetworkNode>) -> Vec<NetworkNode> {
    let mut readings = vec![0_usize; graph.len()];
    for &input in graph.iter().flat_map(|node| &node.inputs) {
        readings[input] += 1;
    }
    let mut kept = vec![true; graph.len()];
    // From the output down: an inner node is taken in once, with all that it has taken in.
    for index in (0..graph.len()).rev() {
        if !kept[index] || !graph[index].op.is_associative() {
            continue;
        }
        let mut flat = Vec::new();
        let mut stack: Vec<usize> = graph[index].inputs.iter().rev().copied().collect();
        while let Some(input) = stack.pop() {
            if graph[input].op == graph[index].op && readings[input] == 1 {
                kept[input] = false;
                stack.extend(graph[input].inputs.iter().rev());
            } else {
                flat.push(input);
            }
        }
        graph[index].inputs = flat;
    }
    let mut place = vec![0; graph.len()];
    let mut compact: Vec<NetworkNode> = Vec::with_capacity(graph.len());
    for (index, mut node) in graph.into_iter().enumerate() {
        if kept[index] {
            node.inputs
                .iter_mut()
                .for_each(|input| *input = place[*input]);
            place[index] = compact.len();
            compact.push(node);
        }
    }
    compact
}

/// Makes one node of pure operations that read the same.
fn merge(graph: Vec<NetworkNode>) -> Vec<NetworkNode> {
    let mut place = Vec::with_capacity(graph.len());
    let mut merged: Vec<NetworkNode> = Vec::with_capacity(graph.len());
    let mut pure: HashMap<(String, Vec<usize>), usize> = HashMap::new();
    for mut node in graph {
        node.inputs
            .iter_mut()
            .for_each(|input| *input = place[*input]);
        if node.op.is_commutative() {
            node.inputs.sort_unstable();
        }
        let next = merged.len();
        let index = if node.op.is_pure() {
            let key = (format!("{:?}", node.op), node.inputs.clone());
            *pure.entry(key).or_insert(next)
        } else {
            next
        };
        if index == next {
            merged.push(node);
        }
        place.push(index);
    }
    merged
}

/// What refinement knows of each node so far.
struct Colours<'a> {
    graph: &'a [NetworkNode],
    /// For each node, who reads it at which position; the position is 0 where it does not matter.
    readers: Vec<Vec<(usize, u64)>>,
    colours: Vec<u64>,
    visits: usize,
}

impl<'a> Colours<'a> {
    fn of(graph: &'a [NetworkNode]) -> Self {
        let mut readers = vec![Vec::new(); graph.len()];
        for (reader, node) in graph.iter().enumerate() {
            for (position, &input) in node.inputs.iter().enumerate() {
                let position = if node.op.is_commutative() {
                    0
                } else {
                    position as u64
                };
                readers[input].push((reader, position));
            }
        }
        let colours = graph
            .iter()
            .map(|node| {
                let mut first = [0; 8];
                first.copy_from_slice(&Digest::of_json(&node.op).as_bytes()[..8]);
                u64::from_le_bytes(first)
            })
            .collect();
        Self {
            graph,
            readers,
            colours,
            visits: 0,
        }
    }

    /// Refines until the inputs of every sum and product differ in colour.
    fn settle(mut self) -> Vec<u64> {
        self.refine();
        while let Some(node) = self.tied() {
            if self.visits > REFINEMENT_BUDGET {
                break;
            }
            self.colours[node] = mix(self.colours[node], 1);
            self.refine();
        }
        self.colours
    }

    /// Sweeps up and down until no more nodes can be told apart.
    fn refine(&mut self) {
        let mut told_apart = 0;
        loop {
            for index in 0..self.graph.len() {
                self.sweep_up(index);
            }
            for index in (0..self.graph.len()).rev() {
                self.sweep_down(index);
            }
            self.visits += 2 * self.graph.len();
            let distinct = self.colours.iter().collect::<HashSet<_>>().len();
            if distinct == told_apart {
                return;
            }
            told_apart = distinct;
        }
    }

    /// Blends the colours of what a node reads into its own.
    fn sweep_up(&mut self, index: usize) {
        let node = &self.graph[index];
        let mut read: Vec<u64> = node
            .inputs
            .iter()
            .map(|&input| self.colours[input])
            .collect();
        if node.op.is_commutative() {
            read.sort_unstable();
        }
        self.colours[index] = read.into_iter().fold(mix(self.colours[index], 2), mix);
    }

    /// Blends the colours of a node's readers into its own.
    fn sweep_down(&mut self, index: usize) {
        let mut read_by: Vec<u64> = self.readers[index]
            .iter()
            .map(|&(reader, position)| mix(self.colours[reader], position))
            .collect();
        read_by.sort_unstable();
        self.colours[index] = read_by.into_iter().fold(mix(self.colours[index], 3), mix);
    }

    /// One of two inputs of a sum or a product that look alike, of those with the least colour.
    fn tied(&self) -> Option<usize> {
        let unordered = self.graph.iter().filter(|node| node.op.is_commutative());
        let twin = |node: &NetworkNode| {
            let inputs = node.inputs.iter();
            let mut inputs: Vec<_> = inputs.map(|&input| (self.colours[input], input)).collect();
            inputs.sort_unstable();
            inputs.dedup();
            let pair = inputs.windows(2).find(|pair| pair[0].0 == pair[1].0);
            pair.map(|pair| pair[0])
        };
        unordered.filter_map(twin).min().map(|(_, node)| node)
    }
}

/// Combines two colours, unlike when swapped: the finaliser of SplitMix64 (Steele, Lea & Flood 2014).
/// Fixed here because stored digests depend on it.
fn mix(a: u64, b: u64) -> u64 {
    let mut z = a
        .rotate_left(25)
        .wrapping_add(b)
        .wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Numbers the nodes by a depth-first walk from the output, the inputs of a sum or a product by colour.
fn walk(graph: &[NetworkNode], colours: &[u64]) -> Vec<NetworkNode> {
    let mut place: Vec<Option<usize>> = vec![None; graph.len()];
    let mut ordered = Vec::with_capacity(graph.len());
    let mut stack = vec![(graph.len() - 1, false)];
    while let Some((index, inputs_placed)) = stack.pop() {
        if place[index].is_some() {
            continue;
        }
        let node = &graph[index];
        if !inputs_placed {
            let mut inputs = node.inputs.clone();
            if node.op.is_commutative() {
                inputs.sort_by_key(|&input| (colours[input], input));
            }
            stack.push((index, true));
            stack.extend(inputs.into_iter().rev().map(|input| (input, false)));
            continue;
        }
        let mut inputs: Vec<usize> = node
            .inputs
            .iter()
            .filter_map(|&input| place[input])
            .collect();
        if node.op.is_commutative() {
            inputs.sort_unstable();
        }
        place[index] = Some(ordered.len());
        ordered.push(NetworkNode {
            op: node.op.clone(),
            inputs,
            shape: node.shape.clone(),
            place: node.place.clone(),
        });
    }
    ordered
}
