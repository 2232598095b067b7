//! Random networks over every operation.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

/// One step of a random graph: what it does, and which earlier nodes it reads.
#[derive(Clone, Debug)]
pub struct Step {
    kind: usize,
    value: usize,
    reads: [usize; 3],
}

/// How many kinds of steps there are.
const KINDS: usize = 18;

pub fn steps(most: usize) -> impl Strategy<Value = Vec<Step>> {
    let step = (0..KINDS, any::<u8>(), any::<[u8; 3]>());
    let step = step.prop_map(|(kind, value, reads)| Step {
        kind,
        value: value.into(),
        reads: reads.map(usize::from),
    });
    prop::collection::vec(step, 1..most)
}

/// Builds the graph of `steps`. All steps lead from images of one shape to such an image, so that any
/// can read any.
pub fn build(steps: &[Step]) -> Network {
    let mut nodes = vec![input(&[4, 4, 4])];
    for step in steps {
        // Recent nodes are preferred, so that graphs are deep and mostly alive.
        let reads = step.reads.map(|seed| {
            let back = seed % 4.min(nodes.len());
            nodes[nodes.len() - 1 - back].clone()
        });
        let node = apply(step, &reads).unwrap();
        assert_eq!(node.shape(), [4, 4, 4]);
        nodes.push(node);
    }
    network(nodes.last().unwrap())
}

fn apply(step: &Step, [a, b, c]: &[Node; 3]) -> Result<Node> {
    let value = step.value;
    let one_of = |choices: [usize; 2]| choices[value % 2];
    let bias = value % 4 < 2;
    let conv_options = Conv2dOptions {
        dilation: [one_of([1, 2]), 1],
        groups: one_of([1, 2]),
        bias,
        ..Conv2dOptions::default()
    };
    let kernel = [1 + value % 3, 1 + value / 3 % 3];
    let same = PoolOptions {
        stride: Some([1, 1]),
        padding: Padding::Same,
    };
    let dense = DenseOptions { bias };
    let rate = [0.25, 0.5, 0.75][value % 3];
    match step.kind {
        0 => a.conv2d(4, kernel, &conv_options),
        1 => a.conv_transpose2d(4, kernel, &conv_options),
        2 => a.max_pool2d([2, 1 + value % 3], &same),
        3 => a.avg_pool2d([2, 1 + value % 3], &same),
        4 => a.multiply(&b.global_avg_pool()?),
        5 => a.multiply(&b.flatten()?.dense(4, &dense)?),
        6 => a.batch_norm(&BatchNormOptions {
            momentum: rate,
            ..BatchNormOptions::default()
        }),
        7 => a.layer_norm(1e-5 * rate),
        8 => a.group_norm(one_of([2, 4]), 1e-5),
        9 => a.dropout(rate),
        10 => a.drop_path(DropPath {
            rate,
            schedule: match value % 2 {
                0 => DropSchedule::Constant,
                _ => DropSchedule::Linear,
            },
        }),
        11 => Ok(a.activation(Activation::ALL[value % Activation::ALL.len()])),
        12 => Node::sum(&[a.clone(), b.clone(), c.clone()][..one_of([2, 3])]),
        13 => a.multiply(b),
        14 => Node::concat(&[a.clone(), b.clone(), c.clone()][..one_of([2, 3])])?.conv2d(
            4,
            [1, 1],
            &Conv2dOptions::default(),
        ),
        15 => {
            let (more, less) = (one_of([1, 2]), value / 2 % 3);
            let pad = Sides {
                top: more,
                right: less,
                ..Sides::default()
            };
            let crop = Sides {
                bottom: more,
                left: less,
                ..Sides::default()
            };
            a.zero_pad2d(pad)?.crop2d(crop)
        }
        16 => {
            let modes = [Interpolation::Nearest, Interpolation::Bilinear];
            a.resize([5 + value % 3, 3], modes[value % 2])?
                .resize([4, 4], modes[value / 2 % 2])
        }
        _ => a.channel_shuffle(2),
    }
}

/// The names of all variants of [`Op`]: serde lists them in the error for one that there is not.
pub fn kinds() -> BTreeSet<String> {
    let error = serde_json::from_str::<Op>(r#""none""#).unwrap_err();
    let error = error.to_string();
    let kinds: BTreeSet<_> = error
        .split('`')
        .skip(3)
        .step_by(2)
        .map(Into::into)
        .collect();
    assert!(kinds.len() > 20, "{error}");
    kinds
}

/// The name of `op`'s variant.
pub fn kind(op: &Op) -> String {
    match serde_json::to_value(op).unwrap() {
        serde_json::Value::Object(variant) => variant.keys().next().unwrap().clone(),
        name => name.as_str().unwrap().into(),
    }
}

#[test]
fn random_networks_have_every_operation() {
    let step = |kind| Step {
        kind,
        value: 1,
        reads: [0, 1, 2],
    };
    let steps: Vec<_> = (0..KINDS).map(step).collect();
    let network = build(&steps);
    let found: BTreeSet<_> = network.nodes().iter().map(|node| kind(&node.op)).collect();
    assert_eq!(found, kinds());
}
