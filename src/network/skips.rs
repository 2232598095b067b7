//! Skip connections by anchor points: how chosen layers become one input (arXiv 1611.01578, §3.3).
//! Knows nodes, not who chose.

use std::collections::HashSet;

use super::attributes::Sides;
use super::node::Node;
use crate::error::{Error, Result};

impl Node {
    /// The input of a layer that reads the layers `chosen`: they are padded and concatenated; a layer
    /// that chose none reads the image.
    ///
    /// `nodes` are the image and then the outputs of all earlier layers, so that layer `j` is
    /// `nodes[j + 1]`.
    ///
    /// # Errors
    /// [`Error::Invalid`] for no nodes, or a layer that is not among them; as
    /// [`concat_padded`](Self::concat_padded).
    pub fn skips(nodes: &[Self], chosen: &[usize]) -> Result<Self> {
        let Some((image, layers)) = nodes.split_first() else {
            let expected = "the image and the earlier layers";
            return Err(Error::invalid("skips", expected, "no nodes"));
        };
        let layer = |&index: &usize| {
            layers.get(index).cloned().ok_or_else(|| {
                let expected = match layers.len() {
                    0 => "no chosen layer, as there is no earlier one".into(),
                    n => format!("earlier layers from 0 to {}", n - 1),
                };
                Error::invalid("skips", expected, index)
            })
        };
        let chosen = chosen.iter().map(layer).collect::<Result<Vec<_>>>()?;
        match chosen[..] {
            [] => Ok(image.clone()),
            _ => Self::concat_padded(&chosen),
        }
    }

    /// Concatenates images along their channels, each padded with zeros to the largest height and
    /// width; an odd row or column of zeros comes at the bottom or at the right.
    ///
    /// # Errors
    /// [`Error::Shape`] where there is no node, or one that is no image beside others.
    pub fn concat_padded(nodes: &[Self]) -> Result<Self> {
        let side = |axis: usize| nodes.iter().filter_map(|n| n.shape().get(axis)).max();
        let (Some(&height), Some(&width)) = (side(1), side(2)) else {
            return Self::concat(nodes);
        };
        let padded = |node: &Self| match *node.shape() {
            [_, h, w] if (h, w) != (height, width) => {
                let (rows, columns) = (height - h, width - w);
                node.zero_pad2d(Sides {
                    top: rows / 2,
                    bottom: rows - rows / 2,
                    left: columns / 2,
                    right: columns - columns / 2,
                })
            }
            _ => Ok(node.clone()),
        };
        Self::concat(&nodes.iter().map(padded).collect::<Result<Vec<_>>>()?)
    }

    /// Those of `nodes` that no other of them depends on, each once, in their order: what is
    /// concatenated before the head.
    pub fn unread(nodes: &[Self]) -> Vec<Self> {
        let mut read = HashSet::new();
        let mut stack: Vec<&Self> = nodes.iter().flat_map(Self::inputs).collect();
        while let Some(node) = stack.pop() {
            if read.insert(node.identity()) {
                stack.extend(node.inputs());
            }
        }
        let mut listed = HashSet::new();
        let fresh =
            |node: &&Self| !read.contains(&node.identity()) && listed.insert(node.identity());
        nodes.iter().filter(fresh).cloned().collect()
    }
}
