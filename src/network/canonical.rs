//! The canonical order of a graph's nodes. Knows nodes and operations, not what the order is for.
//!
//! The order is that of a depth-first walk from the output, inputs first. It would be unique but for
//! additions, whose two inputs come in no order of their own; they are told apart by colour
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
/// Operations without weights or randomness that are applied twice to the same inputs become one
/// node, and so do all inputs.
///
/// # Errors
/// [`Error::Invalid`] for inputs of different shapes or more than [`MAX_NODES`] nodes.
pub(super) fn order(output: &Node) -> Result<Vec<NetworkNode>> {
    let graph = gather(output)?;
    let colours = Colours::of(&graph).settle();
    Ok(walk(&graph, &colours))
}

/// The graph as lists, inputs before readers, the output last.
fn gather(output: &Node) -> Result<Vec<NetworkNode>> {
    let mut graph: Vec<NetworkNode> = Vec::new();
    let mut place: HashMap<usize, usize> = HashMap::new();
    let mut pure: HashMap<(String, Vec<usize>), usize> = HashMap::new();
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
        let mut inputs: Vec<usize> = node
            .inputs()
            .iter()
            .map(|input| place[&input.identity()])
            .collect();
        if node.op().is_commutative() {
            inputs.sort_unstable();
        }
        let next = graph.len();
        let index = if node.op().is_pure() {
            let key = (format!("{:?}", node.op()), inputs.clone());
            *pure.entry(key).or_insert(next)
        } else {
            next
        };
        if index == next {
            graph.push(NetworkNode {
                op: node.op().clone(),
                inputs,
                shape: node.shape().to_vec(),
            });
        }
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

    /// Refines until the inputs of every addition differ in colour.
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

    /// One of two inputs of an addition that look alike, of those with the least colour.
    fn tied(&self) -> Option<usize> {
        let pairs = self.graph.iter().filter(|node| node.op.is_commutative());
        pairs
            .filter_map(|node| match node.inputs[..] {
                [a, b] if a != b && self.colours[a] == self.colours[b] => Some(a.min(b)),
                _ => None,
            })
            .min_by_key(|&node| (self.colours[node], node))
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

/// Numbers the nodes by a depth-first walk from the output, the inputs of an addition by colour.
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
        });
    }
    ordered
}
