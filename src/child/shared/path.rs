//! Which node of one child is which of another: the names that shared arrays go by. Knows networks, not arrays.

use std::collections::HashMap;

use super::Sharing;
use crate::network::{Conv2d, Dense, Network, NetworkNode, Op};

/// The path of each node of `network`; of nodes without weights nothing.
///
/// It is the node's [place](crate::network::Place), its operation with the attributes, and its number among
/// nodes alike in canonical order: "layer 3/1 conv2d 32, kernel 3". Where slices are shared, the number of filters,
/// units or channels is no part of it.
pub(super) fn paths(network: &Network, sharing: Sharing) -> Vec<String> {
    let mut alike: HashMap<String, usize> = HashMap::new();
    let path = |node: &NetworkNode| {
        if !node.op.has_weights() {
            return String::new();
        }
        let op = match sharing {
            Sharing::Shapes => node.op.clone(),
            Sharing::Slices => without_width(&node.op),
        };
        let scope = node.place.scope.as_deref().unwrap_or_default();
        let mut path = format!("{scope}/{} {op}", node.place.depth);
        let number = alike.entry(path.clone()).or_default();
        *number += 1;
        if *number > 1 {
            path += &format!(" #{number}");
        }
        path
    };
    network.nodes().iter().map(path).collect()
}

/// The operation without the number of what it makes.
fn without_width(op: &Op) -> Op {
    let narrow = |conv: &Conv2d| Conv2d {
        filters: 0,
        // As many groups as filters: depthwise, at any width.
        groups: if conv.groups == conv.filters {
            0
        } else {
            conv.groups
        },
        ..*conv
    };
    match op {
        Op::Conv2d(conv) => Op::Conv2d(narrow(conv)),
        Op::ConvTranspose2d(conv) => Op::ConvTranspose2d(narrow(conv)),
        Op::Dense(dense) => Op::Dense(Dense { units: 0, ..*dense }),
        op => op.clone(),
    }
}
