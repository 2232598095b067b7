//! Random networks written in another way keep their canonical form, and with it their digest.

use std::collections::BTreeSet;

use proptest::prelude::*;
use rand::Rng;

use super::random::{build, steps};
use super::*;
use crate::seed::{Seed, StreamRng};

/// What may be done to a network besides writing it in another order, with commuted sums and
/// products, operations that change nothing, and dead nodes.
#[derive(Clone, Copy, PartialEq)]
enum Also {
    /// Sums and concatenations are taken apart.
    Regroup,
    /// Operations without weights or randomness are written again for each reader.
    Repeat,
}

/// Writes a network anew.
struct Rewriting {
    rng: StreamRng,
    also: Also,
    /// The inputs of every sum and concatenation there is: a part that were one of these would be
    /// that one, and be read by two.
    groups: BTreeSet<(String, Vec<usize>)>,
    parts: usize,
}

impl Rewriting {
    fn below(&mut self, bound: usize) -> usize {
        self.rng.next_u32() as usize % bound
    }

    fn write(&mut self, network: &Network) -> Node {
        let nodes = network.nodes();
        self.groups = nodes.iter().filter_map(group).collect();
        // Each node in all its copies.
        let mut written: Vec<Vec<Node>> = vec![Vec::new(); nodes.len()];
        while written[nodes.len() - 1].is_empty() {
            let ready = |&index: &usize| {
                let mut inputs = nodes[index].inputs.iter();
                written[index].is_empty() && inputs.all(|&input| !written[input].is_empty())
            };
            let ready: Vec<usize> = (0..nodes.len()).filter(ready).collect();
            let index = ready[self.below(ready.len())];
            let copies = match self.also == Also::Repeat && nodes[index].op.is_pure() {
                true => 1 + self.below(3),
                false => 1,
            };
            for _ in 0..copies {
                let copy = self.node(&nodes[index], &written);
                self.dead(&copy);
                written[index].push(copy);
            }
        }
        self.unchanged(&written[nodes.len() - 1][0])
    }

    fn node(&mut self, node: &NetworkNode, written: &[Vec<Node>]) -> Node {
        let mut inputs: Vec<(usize, Node)> = Vec::new();
        for &input in &node.inputs {
            let copy = self.below(written[input].len());
            inputs.push((input, self.unchanged(&written[input][copy])));
        }
        if node.op.is_commutative() {
            for last in (1..inputs.len()).rev() {
                let other = self.below(last + 1);
                inputs.swap(last, other);
            }
        }
        if node.op.is_associative() && self.also == Also::Regroup {
            while inputs.len() > 2 && self.below(3) > 0 {
                self.regroup(&node.op, &mut inputs);
            }
        }
        Node::apply(
            node.op.clone(),
            inputs.into_iter().map(|(_, node)| node).collect(),
        )
        .unwrap()
    }

    /// Takes a run of inputs together, unless there is that sum or concatenation already.
    fn regroup(&mut self, op: &Op, inputs: &mut Vec<(usize, Node)>) {
        let from = self.below(inputs.len() - 1);
        let to = from + 2 + self.below(inputs.len() - from - 1);
        let (indices, run): (Vec<_>, Vec<_>) = inputs[from..to].iter().cloned().unzip();
        let part = NetworkNode {
            op: op.clone(),
            inputs: indices,
            shape: Vec::new(),
            place: Default::default(),
        };
        if run.len() == inputs.len() || !self.groups.insert(group(&part).unwrap()) {
            return;
        }
        let part = Node::apply(op.clone(), run).unwrap();
        self.parts += 1;
        // A name that no other input has.
        let whole = (usize::MAX - self.parts, self.unchanged(&part));
        inputs.splice(from..to, [whole]);
    }

    /// `node`, perhaps with an operation that changes nothing after it.
    fn unchanged(&mut self, node: &Node) -> Node {
        let flat = node.shape().len() == 1;
        let after = |op: Op| Node::apply(op, vec![node.clone()]).unwrap();
        let one = PoolOptions::default();
        let sides = Sides::default();
        let image = |make: &dyn Fn() -> Result<Node>| match flat {
            true => node.clone(),
            false => make().unwrap(),
        };
        match self.below(24) {
            0 => node.dropout(0.0).unwrap(),
            1 => node
                .drop_path(DropPath {
                    rate: 0.0,
                    schedule: DropSchedule::Linear,
                })
                .unwrap(),
            2 => image(&|| node.max_pool2d([1, 1], &one)),
            3 => image(&|| node.avg_pool2d([1, 1], &one)),
            4 => image(&|| node.zero_pad2d(sides)),
            5 => image(&|| node.crop2d(sides)),
            6 => image(&|| {
                let size = [node.shape()[1], node.shape()[2]];
                node.resize(size, Interpolation::Bilinear)
            }),
            7 => image(&|| node.channel_shuffle(1)),
            8 => image(&|| node.channel_shuffle(node.shape()[0])),
            9 => after(Op::Add),
            10 => after(Op::Concat),
            11 if flat => node.flatten().unwrap(),
            12 if matches!(
                node.op(),
                Op::Activation(Activation::Relu | Activation::Sigmoid)
            ) =>
            {
                node.activation(Activation::Relu)
            }
            13 if matches!(node.op(), Op::Activation(Activation::Relu6)) => {
                node.activation(Activation::Relu6)
            }
            _ => node.clone(),
        }
    }

    /// Something that the output does not depend on.
    fn dead(&mut self, node: &Node) {
        if self.below(4) == 0 {
            let _ = node.batch_norm(&BatchNormOptions::default()).unwrap();
        }
    }
}

/// What a sum or a concatenation takes together: all that tells it from another.
fn group(node: &NetworkNode) -> Option<(String, Vec<usize>)> {
    let mut inputs = node.inputs.clone();
    if node.op.is_commutative() {
        inputs.sort_unstable();
    }
    let name = node.op.name().to_string();
    node.op.is_associative().then_some((name, inputs))
}

fn rewritten(network: &Network, seed: u64, also: Also) -> Network {
    let mut rewriting = Rewriting {
        rng: Seed(seed).stream("test"),
        also,
        groups: BTreeSet::new(),
        parts: 0,
    };
    super::network(&rewriting.write(network))
}

proptest! {
    #[test]
    fn the_way_of_writing_does_not_matter(steps in steps(60), seed in any::<u64>()) {
        let net = build(&steps);
        for also in [Also::Regroup, Also::Repeat] {
            let other = rewritten(&net, seed, also);
            prop_assert_eq!(&other, &net);
            prop_assert_eq!(other.digest(), net.digest());
        }
    }

    #[test]
    fn json_keeps_the_canonical_form(steps in steps(24)) {
        let net = build(&steps);
        let json = serde_json::to_string(&net).unwrap();
        prop_assert_eq!(serde_json::from_str::<Network>(&json).unwrap(), net);
    }
}
