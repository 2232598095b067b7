//! The policy network: a recurrent cell that decides one state after another (arXiv 1611.01578,
//! §3.1 and figure 2), and skips by anchor points (§3.3). Knows nothing of rewards or updates.

use burn::tensor::activation::{log_softmax, softmax, tanh};
use burn::tensor::{Int, Tensor, TensorData};

use super::cell::State;
use super::config::{CellKind, ControllerConfig};
use super::steps::{Head, Step, Steps};
use super::weights::{Weights, read};
use crate::error::Result;
use crate::space::StateSpace;

/// The shape of the network; its weights are passed in, so that one policy serves sampling (plain
/// weights) and training (tracked ones).
#[derive(Clone, Debug)]
pub(super) struct Policy {
    cell: CellKind,
    cells: usize,
    pub sequence: Steps,
}

/// A path through the decisions: the index taken and the distribution met at each.
#[derive(Default)]
pub(super) struct Path {
    pub indices: Vec<usize>,
    pub probabilities: Vec<Vec<f64>>,
}

impl Path {
    /// log π of the path. A probability too small for an f32 counts as the smallest f64, so that the
    /// sum is finite.
    pub fn log_prob(&self) -> f64 {
        let taken = self.probabilities.iter().zip(&self.indices);
        taken
            .map(|(p, &index)| p[index].max(f64::MIN_POSITIVE).ln())
            .sum()
    }

    /// Σ over the decisions of −Σ π log π, in nats.
    pub fn entropy(&self) -> f64 {
        let all = self.probabilities.iter().flatten();
        -all.filter(|p| **p > 0.0).map(|p| p * p.ln()).sum::<f64>()
    }
}

impl Policy {
    pub fn new(space: &StateSpace, layers: usize, config: &ControllerConfig) -> Self {
        Self {
            cell: config.cell,
            cells: config.controller_cells,
            sequence: Steps::new(space, layers),
        }
    }

    /// Runs the network over the decision sequence and returns the logits of each step that
    /// decides anything, `[batch · decisions of the step, size]`, the decisions changing fastest.
    ///
    /// `start` holds rows of the first state's table, `[steps][batch]`, fed one after another
    /// before the first decision. `decide` names the indices taken at a step, `[batch · decisions
    /// of the step]`; their embedding is the next input.
    pub fn unroll(
        &self,
        weights: &Weights,
        start: &[Vec<usize>],
        mut decide: impl FnMut(&Step, &Tensor<2>) -> Result<Tensor<1, Int>>,
    ) -> Result<Vec<Tensor<2>>> {
        let device = weights.device();
        let batch = start[0].len();
        let mut state = State::zero(batch, self.cells, &device);
        let steps = &self.sequence.steps;
        let table = weights.table(steps[0].state);
        let rows = start.iter().map(|rows| integers(rows, weights));
        let mut inputs: Vec<_> = rows.map(|rows| table.clone().select(0, rows)).collect();
        let mut attended: Vec<Attended> = Vec::new();
        let mut logits = Vec::with_capacity(steps.len());
        for step in steps {
            for input in inputs.drain(..) {
                state = self.cell.step(weights.cell(), input, state); // [batch, embedding_dim]
            }
            let output = state.output.clone();
            let table = weights.table(step.state).clone();
            inputs.push(match &step.head {
                Head::Classifier { number, rows } => {
                    let (kernel, bias) = weights.classifier(*number);
                    let found = output.matmul(kernel.clone()) + bias.clone();
                    let taken = decide(step, &found)?;
                    logits.push(found);
                    let rows = match rows {
                        None => taken.add_scalar(1), // row 0 is "not decided"
                        Some(rows) => integers(rows, weights).select(0, taken),
                    };
                    table.select(0, rows)
                }
                Head::Anchor { number } => {
                    if attended.len() <= *number {
                        attended.resize_with(number + 1, Attended::default);
                    }
                    let earlier = &mut attended[*number];
                    let mut chosen = Tensor::ones([batch, 1], &device); // row 0, "none"
                    if let Some(found) = earlier.logits(weights, *number, &output) {
                        let taken = decide(step, &found)?.float().reshape([batch as i64, -1]);
                        logits.push(found);
                        chosen = Tensor::cat(vec![chosen, taken], 1);
                    }
                    earlier.push(weights, *number, output);
                    mean(table, chosen)
                }
            });
        }
        Ok(logits)
    }

    /// Walks one path, `pick` choosing an index from each decision's distribution.
    pub fn walk(
        &self,
        weights: &Weights,
        start: &[Vec<usize>],
        mut pick: impl FnMut(usize, &[f64]) -> usize,
    ) -> Result<Path> {
        let mut paths = self.walk_all(weights, start, |_, d, p| pick(d, p))?;
        Ok(paths.pop().unwrap_or_default())
    }

    /// Walks a path for each of the batch that `start` holds, `pick` choosing an index by the
    /// numbers of path and decision and by the decision's distribution.
    pub fn walk_all(
        &self,
        weights: &Weights,
        start: &[Vec<usize>],
        mut pick: impl FnMut(usize, usize, &[f64]) -> usize,
    ) -> Result<Vec<Path>> {
        let mut paths: Vec<Path> = start[0].iter().map(|_| Path::default()).collect();
        self.unroll(weights, start, |step, logits| {
            let size = logits.dims()[1];
            let probabilities = read(softmax(logits.clone(), 1).reshape([-1]))?;
            let mut rows = probabilities.chunks(size);
            let mut taken = Vec::with_capacity(paths.len() * step.decisions.len());
            for (number, path) in paths.iter_mut().enumerate() {
                for (d, own) in step.decisions.clone().zip(&mut rows) {
                    let own: Vec<_> = own.iter().map(|p| f64::from(*p)).collect();
                    let index = pick(number, d, &own);
                    taken.push(index);
                    path.indices.push(index);
                    path.probabilities.push(own);
                }
            }
            Ok(integers(&taken, weights))
        })?;
        Ok(paths)
    }
}

/// An anchor's outputs at the layers so far, as its attention sees them.
#[derive(Default)]
struct Attended {
    /// `W_prev` h_j of each layer j, `[batch, 1, cells]`.
    previous: Vec<Tensor<3>>,
}

impl Attended {
    /// The logits of leaving and taking each earlier layer j, `[batch · layers, 2]`: 0 and
    /// vᵀ tanh(`W_prev` h_j + `W_curr` h_i), whose softmax is the paper's sigmoid. `None` where
    /// there is no earlier layer.
    fn logits(&self, weights: &Weights, number: usize, output: &Tensor<2>) -> Option<Tensor<2>> {
        if self.previous.is_empty() {
            return None;
        }
        let own = weights.anchor(number);
        let current = output.clone().matmul(own.current.clone());
        let previous = Tensor::cat(self.previous.clone(), 1); // [batch, layers, cells]
        let hidden = tanh(previous + current.unsqueeze_dim(1));
        let hidden: Tensor<2> = hidden.flatten(0, 1); // [batch · layers, cells]
        let take = hidden.matmul(own.v.clone());
        Some(Tensor::cat(vec![take.zeros_like(), take], 1))
    }

    /// Adds the output at the next layer, `[batch, cells]`.
    fn push(&mut self, weights: &Weights, number: usize, output: Tensor<2>) {
        let previous = output.matmul(weights.anchor(number).previous.clone());
        self.previous.push(previous.unsqueeze_dim(1));
    }
}

/// The mean of the first rows of `table` that `chosen` marks with 1, `[batch, rows]` →
/// `[batch, embedding_dim]`. The paper leaves open how an anchor's decision is fed back.
fn mean(table: Tensor<2>, chosen: Tensor<2>) -> Tensor<2> {
    let rows = table.narrow(0, 0, chosen.dims()[1]);
    chosen.clone().matmul(rows) / chosen.sum_dim(1)
}

/// The statistics of one step's decisions over a batch, from its logits and the indices taken.
pub(super) struct Decided {
    /// log π of the index taken, `[batch, decisions]`.
    pub log_prob: Tensor<2>,
    /// −Σ π log π, `[batch, decisions]`.
    pub entropy: Tensor<2>,
}

impl Decided {
    /// `logits` are those of [`Policy::unroll`], `taken` the indices in the same order.
    pub fn new(logits: Tensor<2>, taken: Tensor<1, Int>, batch: usize) -> Self {
        let log_probs = log_softmax(logits, 1);
        let entropy = (log_probs.clone().exp() * log_probs.clone())
            .sum_dim(1)
            .neg();
        Self {
            log_prob: log_probs
                .gather(1, taken.unsqueeze_dim(1))
                .reshape([batch as i64, -1]),
            entropy: entropy.reshape([batch as i64, -1]),
        }
    }
}

/// The largest entry's index; the first of equals.
pub(super) fn argmax(values: &[f64]) -> usize {
    let better = |best: usize, i: usize| if values[i] > values[best] { i } else { best };
    (1..values.len()).fold(0, better)
}

/// Indices as a tensor beside the weights.
pub(super) fn integers(values: &[usize], weights: &Weights) -> Tensor<1, Int> {
    let values: Vec<i64> = values.iter().map(|&v| v as i64).collect();
    let shape = [values.len()];
    Tensor::from_data(TensorData::new(values, shape), &weights.device())
}
