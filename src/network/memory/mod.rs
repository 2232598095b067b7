//! How many bytes the training of a network takes at its peak, found by replaying one step with
//! arrays that have sizes but no numbers. Knows nothing of Burn but what it allocates.
//!
//! - [`ledger`]: arrays, their holders, the peak.
//! - [`working`]: the working memory that the CPU's kernels keep.
//! - [`kernels`]: what Burn's transposed convolutions allocate beside their result.
//! - [`tape`]: the forward pass as it is recorded, and the backward pass over it.
//! - [`operations`]: what a kernel, and each of Burn's operations that are left, keeps, and what its
//!   gradient makes.
//! - [`rules`]: each operation of a network as those.

mod kernels;
mod ledger;
mod operations;
mod rules;
mod tape;
mod working;

use ledger::{Ledger, NUMBER};
use rules::Replay;
use tape::{Tape, Value};

use super::attributes::Activation;
use super::graph::{Network, NetworkNode};
use super::op::Op;
use super::shape::MAX_ELEMENTS;

/// How a network is trained, as far as memory goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrainingStep {
    /// Images per update. Default 128.
    pub batch: usize,
    /// How many arrays the optimizer keeps for each weight array: 2 for Adam, the default, 1 for SGD
    /// with momentum, 0 without.
    pub moments: usize,
    /// The threads of the child, each of which has its own working space in a convolution. Default 4,
    /// whatever the machine has: the same network costs the same everywhere. Of small networks on
    /// many threads, that is too little.
    pub threads: usize,
}

impl Default for TrainingStep {
    fn default() -> Self {
        Self {
            batch: 128,
            moments: 2,
            threads: 4,
        }
    }
}

impl Network {
    /// The bytes that training takes at its peak on the CPU: weights, the copy of those of the best
    /// epoch, the optimizer's arrays, the batch, the activations that the backward pass needs, the
    /// gradients that are alive at a time, what is kept free for later arrays, and the working space of
    /// the kernels.
    ///
    /// An estimate, within 25 % of what the allocator sees (`tests/memory`) where the threads are as
    /// given. Not counted are the data set, the program itself with its threads, and the measurement
    /// of the validation data, which keeps no activations but takes 256 images at a time. Other
    /// devices keep the same arrays, but have a working space of their own.
    pub fn memory(&self, step: &TrainingStep) -> u64 {
        let ledger = Ledger::default();
        let params = self.params();
        let copies = 1 + step.moments as u64;
        let _kept = ledger.block(params.saturating_mul(copies).saturating_mul(NUMBER));
        // The second step finds what the first has left free, some of it too large or too small.
        for _ in 0..2 {
            self.replay(step, &ledger);
        }
        ledger
            .peak()
            .saturating_add(ledger.working(step.threads.max(1) as u64))
    }

    /// One step of training, on paper.
    fn replay(&self, step: &TrainingStep, ledger: &Ledger) {
        let mut replay = Replay {
            tape: Tape::new(ledger.clone()),
            batch: (step.batch as u64).min(MAX_ELEMENTS),
            threads: step.threads.max(1) as u64,
        };
        let weights: Vec<Vec<Value>> = self
            .nodes()
            .iter()
            .map(|node| {
                let sizes = self.weights(node);
                let mut leaf = |n| {
                    let mut array = ledger.array(n);
                    array.flatten();
                    replay.tape.leaf(array, true)
                };
                sizes.map(&mut leaf).collect()
            })
            .collect();
        let Some(logits) = forward(self, &mut replay, &weights) else {
            return;
        };
        drop(weights);
        // The cross-entropy keeps the logits. Weights are updated where they are.
        let loss = replay.tape.kernel(vec![logits], 1, true, (&[true], false));
        drop(replay.tape.backward(&loss));
    }

    /// The sizes of the weight arrays of `node`.
    fn weights(&self, node: &NetworkNode) -> impl Iterator<Item = u64> {
        let channels = node.inputs.first().map_or(0, |&i| self.nodes()[i].shape[0]) as u64;
        let [first, second] = match &node.op {
            Op::Conv2d(conv) | Op::ConvTranspose2d(conv) => {
                let window = (conv.kernel[0] * conv.kernel[1]) as u64;
                let filters = conv.filters as u64;
                let weight = filters * (channels / conv.groups as u64) * window;
                [Some(weight), conv.bias.then_some(filters)]
            }
            Op::Dense(dense) => {
                let units = dense.units as u64;
                [Some(units * channels), dense.bias.then_some(units)]
            }
            Op::BatchNorm(_) | Op::LayerNorm { .. } | Op::GroupNorm { .. } => {
                [Some(channels), Some(channels)]
            }
            _ => [None, None],
        };
        first.into_iter().chain(second)
    }
}

/// The forward pass, in which an activation is let go when its last reader takes it.
fn forward(network: &Network, replay: &mut Replay, weights: &[Vec<Value>]) -> Option<Value> {
    let nodes = network.nodes();
    let mut last_reader = vec![usize::MAX; nodes.len()];
    let mut readers = vec![0; nodes.len()];
    for (index, node) in nodes.iter().enumerate() {
        for &input in &node.inputs {
            last_reader[input] = index;
            readers[input] += 1;
        }
    }
    let image: usize = network.input_shape().iter().product();
    let images = replay.batch.saturating_mul(image as u64);
    let images = replay.tape.ledger.pooled(images, false);
    let images = replay.tape.leaf(images, false);
    let mut values: Vec<Option<Value>> = Vec::with_capacity(nodes.len());
    for (index, node) in nodes.iter().enumerate() {
        let mut inputs = Vec::with_capacity(node.inputs.len());
        for (position, &input) in node.inputs.iter().enumerate() {
            let again = node.inputs[position + 1..].contains(&input);
            inputs.push(match last_reader[input] == index && !again {
                true => values[input].take()?,
                false => values[input].clone()?,
            });
        }
        let fused = |index: usize| {
            let reader = nodes.get(last_reader[index]).map(|reader| &reader.op);
            let clip = matches!(
                reader,
                Some(Op::Activation(Activation::Relu | Activation::Relu6))
            );
            let op = matches!(nodes[index].op, Op::Conv2d(_) | Op::BatchNorm(_) | Op::Add);
            clip && op && readers[index] == 1
        };
        let value = match (&node.op, node.inputs.first()) {
            (Op::Activation(_), Some(&first)) if fused(first) => inputs.pop(),
            (Op::Input { .. }, _) | (_, None) => Some(images.clone()),
            (op, Some(&first)) => {
                let shapes = [&nodes[first].shape[..], &node.shape];
                replay.apply(op, inputs, &weights[index], shapes, fused(index))
            }
        };
        values.push(value);
    }
    values.pop().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::{Activation, Conv2dOptions, DenseOptions, Node};

    fn step(batch: usize, moments: usize) -> TrainingStep {
        TrainingStep {
            batch,
            moments,
            threads: 1,
        }
    }

    fn network(output: &Node) -> Network {
        Network::from_output(output).unwrap()
    }

    /// `depth` convolutions of 16 filters on 16×16 pixels.
    fn chain(depth: usize) -> Network {
        let mut x = Node::input(&[16, 16, 16]).unwrap();
        for _ in 0..depth {
            let conv = x.conv2d(16, [3, 3], &Conv2dOptions::default()).unwrap();
            x = conv.activation(Activation::Relu);
        }
        let x = x.global_avg_pool().unwrap();
        network(&x.dense(10, &DenseOptions::default()).unwrap())
    }

    #[test]
    fn every_layer_keeps_what_its_gradient_needs() {
        // A convolution keeps its input and its activated output, which is the next one's input.
        let images = 64;
        let activation = images * 16 * 16 * 16 * NUMBER;
        let weights = 5 * (16 * 16 * 9 + 16) * NUMBER;
        let at = |depth| chain(depth).memory(&step(images as usize, 2));
        for depth in 3..6 {
            let added = at(depth + 1) - at(depth);
            let expected = activation + weights;
            assert!(
                added.abs_diff(expected) <= weights,
                "layer {depth}: {added} instead of {expected} bytes"
            );
        }
    }

    #[test]
    fn wide_dense_layers_cost_their_weights_several_times() {
        let x = Node::input(&[1, 64, 64]).unwrap().flatten().unwrap();
        let dense = DenseOptions { bias: false };
        let net = network(&x.dense(512, &dense).unwrap().dense(10, &dense).unwrap());
        let weights = (4096 * 512 + 512 * 10) * NUMBER;
        // Weights, those of the best epoch, the moments, the gradient, and a packed copy.
        for moments in 0..3 {
            let bytes = net.memory(&step(1, moments as usize));
            let copies = bytes as f64 / weights as f64;
            let expected = 4.0 + moments as f64;
            assert!((copies - expected).abs() < 0.05, "{copies} copies");
        }
    }

    #[test]
    fn threads_have_working_spaces_of_their_own() {
        let bytes = |threads| {
            let step = step(16, 2);
            chain(1).memory(&TrainingStep { threads, ..step })
        };
        // Each transforms 2 tiles of 16 images of 4x4 tiles, 16 channels wide on both sides, at 36 points,
        // and keeps the weights' gradient there.
        let (tiles, wide) = (32, 32);
        let own = 36 * tiles * 2 * 16 + 36 * 16 * wide;
        assert_eq!(bytes(3) - bytes(2), own * NUMBER);
        assert_eq!(bytes(0), bytes(1));
    }

    #[test]
    fn no_size_overflows() {
        let x = Node::input(&[1, 1 << 15, 1 << 15]).unwrap();
        let x = x.conv2d(2, [1, 1], &Conv2dOptions::default()).unwrap();
        let net = network(&x.global_avg_pool().unwrap());
        assert!(net.memory(&step(usize::MAX, 2)) > 1 << 60);
    }
}
