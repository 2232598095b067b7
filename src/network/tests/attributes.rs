//! Whatever attribute changes, the digest changes.
//!
//! Without an exception: a canonical network has no node that could be left out, so a network with
//! another attribute either has other operations or, where the change lets a node vanish, fewer.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::random::{build, kind, kinds, steps};
use super::*;

/// Every way to change one attribute of `op`, with the attribute's path: whole numbers one up and one
/// down, others a half, all of them doubled and halved; booleans flipped; words replaced by any other
/// that fits. What comes out the same is not among them.
fn mutations(op: &Op) -> Vec<(String, Op)> {
    let json = serde_json::to_value(op).unwrap();
    let mut found = Vec::new();
    for path in leaves(&json, String::new()) {
        for value in others(json.pointer(&path).unwrap()) {
            let mut changed = json.clone();
            *changed.pointer_mut(&path).unwrap() = value;
            found.push((path.clone(), changed));
        }
    }
    // The operation itself, where another has the same attributes.
    for kind in kinds() {
        let other = match &json {
            Value::Object(variant) => json!({ kind: variant.values().next() }),
            _ => json!(kind),
        };
        found.push((String::new(), other));
    }
    let valid = |(path, json)| Some((path, serde_json::from_value::<Op>(json).ok()?));
    let found = found.into_iter().filter_map(valid);
    found.filter(|(_, changed)| changed != op).collect()
}

fn leaves(json: &Value, path: String) -> Vec<String> {
    let below = |(key, value): (String, &Value)| leaves(value, format!("{path}/{key}"));
    match json {
        Value::Object(fields) => {
            let fields = fields.iter().map(|(key, value)| (key.clone(), value));
            fields.flat_map(below).collect()
        }
        Value::Array(items) => {
            let items = items.iter().enumerate();
            items
                .map(|(key, value)| (key.to_string(), value))
                .flat_map(below)
                .collect()
        }
        _ if path.is_empty() => Vec::new(),
        _ => vec![path],
    }
}

fn others(value: &Value) -> Vec<Value> {
    let words = ["same", "valid", "nearest", "bilinear", "constant", "linear"];
    match value {
        Value::Bool(flag) => vec![json!(!flag)],
        Value::Number(number) => match number.as_u64() {
            Some(n) => [n + 1, n.saturating_sub(1), 2 * n, n / 2]
                .map(|n| json!(n))
                .to_vec(),
            None => {
                let x = number.as_f64().unwrap();
                [x + 0.5, x - 0.5, 2.0 * x, x / 2.0]
                    .map(|x| json!(x))
                    .to_vec()
            }
        },
        Value::String(_) => {
            let activations = Activation::ALL.map(Activation::name);
            words
                .iter()
                .chain(&activations)
                .map(|word| json!(word))
                .collect()
        }
        _ => Vec::new(),
    }
}

/// `network` with `op` as node `at`, where such a network is possible.
fn changed(network: &Network, at: usize, op: &Op) -> Option<Network> {
    let mut nodes: Vec<Node> = Vec::new();
    for (index, node) in network.nodes().iter().enumerate() {
        let op = if index == at { op } else { &node.op };
        let inputs = node.inputs.iter().map(|&input| nodes[input].clone());
        nodes.push(Node::apply(op.clone(), inputs.collect()).ok()?);
    }
    Network::from_output(nodes.last()?).ok()
}

/// For each kind of operation, one in whose surroundings every attribute can be another.
fn samples() -> Vec<Network> {
    let x = input(&[8, 12, 12]);
    let y = x.activation(Activation::Tanh);
    let flat = x.global_avg_pool().unwrap();
    let sides = Sides {
        top: 1,
        bottom: 2,
        left: 3,
        right: 4,
    };
    let conv_options = Conv2dOptions {
        stride: [2, 3],
        dilation: [2, 1],
        groups: 2,
        ..Conv2dOptions::default()
    };
    let path = DropPath {
        rate: 0.25,
        schedule: DropSchedule::Linear,
    };
    let nodes = [
        x.conv2d(8, [3, 2], &conv_options),
        x.conv_transpose2d(8, [3, 2], &conv_options),
        x.max_pool2d([2, 3], &PoolOptions::default()),
        x.avg_pool2d([2, 3], &PoolOptions::default()),
        x.flatten(),
        flat.dense(4, &DenseOptions::default()),
        x.batch_norm(&BatchNormOptions::default()),
        x.layer_norm(1e-5),
        x.group_norm(4, 1e-5),
        x.dropout(0.25),
        x.drop_path(path),
        x.add(&y),
        x.multiply(&y),
        Node::concat(&[x.clone(), y.clone()]),
        x.zero_pad2d(sides),
        x.crop2d(sides),
        x.resize([6, 9], Interpolation::Nearest),
        x.channel_shuffle(2),
    ];
    nodes
        .into_iter()
        .map(|node| network(&node.unwrap()))
        .collect()
}

#[test]
fn every_attribute_of_every_operation_counts() {
    let mut seen = BTreeSet::new();
    for net in samples() {
        for (at, node) in net.nodes().iter().enumerate() {
            seen.insert(kind(&node.op));
            let mut counted = BTreeSet::new();
            for (path, op) in mutations(&node.op) {
                if let Some(other) = changed(&net, at, &op) {
                    assert_ne!(other.digest(), net.digest(), "{} {path} in {net}", node.op);
                    counted.insert(path);
                }
            }
            let attributes = leaves(&serde_json::to_value(&node.op).unwrap(), String::new());
            for attribute in attributes {
                assert!(counted.contains(&attribute), "{} {attribute}", node.op);
            }
        }
    }
    assert_eq!(seen, kinds());
}

/// Operations that change nothing about an image of 4 channels and 6×5 pixels.
fn no_ops() -> Vec<Op> {
    let pool = Pool2d {
        kernel: [1, 1],
        stride: [1, 1],
        padding: Padding::Same,
    };
    let path = DropPath {
        rate: 0.0,
        schedule: DropSchedule::Constant,
    };
    vec![
        Op::MaxPool2d(pool),
        Op::AvgPool2d(pool),
        Op::Dropout { rate: 0.0 },
        Op::DropPath(path),
        Op::ZeroPad2d(Sides::default()),
        Op::Crop2d(Sides::default()),
        Op::Resize {
            size: [6, 5],
            mode: Interpolation::Nearest,
        },
        Op::ChannelShuffle { groups: 1 },
        Op::ChannelShuffle { groups: 4 },
    ]
}

#[test]
fn operations_that_change_nothing_count_once_they_change_something() {
    let x = input(&[4, 6, 5]);
    let plain = network(&conv(&x, 4, 3));
    // What may be different about a layer that still changes nothing.
    let free = [
        "/max_pool2d/padding",
        "/avg_pool2d/padding",
        "/drop_path/schedule",
        "/resize/mode",
        // The same nothing by another name.
        "",
    ];
    let mut freed = BTreeSet::new();
    for op in no_ops() {
        let with = |op: &Op| Node::apply(op.clone(), vec![conv(&x, 4, 3)]);
        assert_eq!(network(&with(&op).unwrap()), plain, "{op}");
        let mut counted = 0;
        for (path, other) in mutations(&op) {
            let Ok(node) = with(&other) else { continue };
            let same = network(&node).digest() == plain.digest();
            assert_eq!(same, free.contains(&path.as_str()), "{op} → {other}");
            match same {
                true => _ = freed.insert(path),
                false => counted += 1,
            }
        }
        assert!(counted > 0, "{op}");
    }
    assert_eq!(freed.len(), free.len());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn an_attribute_changes_the_digest(steps in steps(20)) {
        let net = build(&steps);
        for (at, node) in net.nodes().iter().enumerate() {
            for (path, op) in mutations(&node.op) {
                if let Some(other) = changed(&net, at, &op) {
                    prop_assert_ne!(other.digest(), net.digest(), "{} {} in\n{}", node.op, path, net);
                }
            }
        }
    }
}
