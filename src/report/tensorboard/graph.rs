//! A network for TensorBoard: as a graph, and as text.

use std::collections::BTreeMap;

use prost::Message;

use super::proto::{
    AttrValue, Dimension, GraphDef, NodeDef, PluginData, Shape, Shapes, SummaryMetadata,
    SummaryValue, TensorProto,
};
use crate::network::Network;
use crate::study::Trial;

/// `network` as an encoded `GraphDef`: a node for each of its nodes, with the shape of what it gives (without the batch).
pub(super) fn graph(network: &Network) -> Vec<u8> {
    let names: Vec<String> = network
        .nodes()
        .iter()
        .enumerate()
        .map(|(index, node)| format!("{index}_{}", plain(&node.op.to_string())))
        .collect();
    let node = |(index, node): (usize, &crate::network::NetworkNode)| {
        let dims = node
            .shape
            .iter()
            .map(|size| Dimension { size: *size as i64 });
        let shapes = Shapes {
            shape: vec![Shape {
                dim: dims.collect(),
            }],
        };
        let text = node.op.to_string();
        let attr = BTreeMap::from([
            (
                "_output_shapes".into(),
                AttrValue {
                    list: Some(shapes),
                    s: None,
                },
            ),
            (
                "operation".into(),
                AttrValue {
                    list: None,
                    s: Some(text.clone().into_bytes()),
                },
            ),
        ]);
        NodeDef {
            name: names[index].clone(),
            op: text.split(' ').next().unwrap_or_default().into(),
            input: node
                .inputs
                .iter()
                .filter_map(|input| names.get(*input).cloned())
                .collect(),
            attr,
        }
    };
    let nodes = network.nodes().iter().enumerate().map(node);
    GraphDef {
        node: nodes.collect(),
    }
    .encode_to_vec()
}

/// A name as graphs have it: letters, digits and `_`.
fn plain(text: &str) -> String {
    let mut name = String::new();
    for sign in text.chars() {
        match sign.is_ascii_alphanumeric() {
            true => name.push(sign),
            false if name.ends_with('_') => {}
            false => name.push('_'),
        }
    }
    name.trim_end_matches('_').into()
}

/// A trial's decisions, costs and network as Markdown, for the TEXT tab.
pub(super) fn text(tag: &str, trial: &Trial, network: &Network) -> SummaryValue {
    let (number, outcome) = (trial.number, &trial.outcome);
    let indented = |text: &str| {
        // Markdown breaks lines at a carriage return as well.
        text.split(['\n', '\r'])
            .map(|line| format!("    {line}\n"))
            .collect::<String>()
    };
    let text = format!(
        "trial {number}, {} parameters, {} multiply-accumulates\n\n{}\n{}",
        outcome.params,
        outcome.macs,
        // Indented text is no markup, whatever it holds.
        indented(&trial.architecture()),
        indented(&network.to_string())
    );
    let plugin = PluginData {
        plugin_name: "text".into(),
        content: Vec::new(),
    };
    SummaryValue {
        tag: tag.into(),
        tensor: Some(TensorProto {
            dtype: 7,
            tensor_shape: Some(Shape::default()),
            string_val: vec![text.into_bytes()],
        }),
        metadata: Some(SummaryMetadata {
            plugin_data: Some(plugin),
            data_class: 2,
        }),
        ..SummaryValue::default()
    }
}
