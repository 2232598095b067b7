//! The policy network: a recurrent cell that decides one state after another (arXiv 1611.01578,
//! §3.1 and figure 2). Knows nothing of rewards or updates.

use burn::tensor::activation::{log_softmax, softmax};
use burn::tensor::{Int, Tensor, TensorData};

use super::cell::State;
use super::config::{CellKind, ControllerConfig};
use super::weights::{Weights, read};
use crate::error::Result;
use crate::space::StateSpace;

/// One step of the decision sequence, as the network sees it.
#[derive(Clone, Debug)]
pub(super) struct Step {
    /// The id of the state that is decided.
    pub state: usize,
    /// The number of its values.
    pub size: usize,
    /// `layer_1/kernel`, or the state's name where it is decided once.
    pub name: String,
}

/// The shape of the network; its weights are passed in, so that one policy serves sampling (plain
/// weights) and training (tracked ones).
#[derive(Clone, Debug)]
pub(super) struct Policy {
    cell: CellKind,
    cells: usize,
    pub steps: Vec<Step>,
}

/// A path through the decisions: the index taken and the distribution met at each.
pub(super) struct Path {
    pub indices: Vec<usize>,
    pub probabilities: Vec<Vec<f64>>,
}

impl Policy {
    pub fn new(space: &StateSpace, layers: usize, config: &ControllerConfig) -> Self {
        let steps = space.decisions(layers).map(|d| Step {
            state: d.state.id,
            size: d.state.size(),
            name: match d.layer {
                Some(layer) => format!("layer_{}/{}", layer + 1, d.state.name),
                None => d.state.name.clone(),
            },
        });
        Self {
            cell: config.cell,
            cells: config.controller_cells,
            steps: steps.collect(),
        }
    }

    /// Runs the network over the decision sequence and returns the logits of each decision,
    /// `[batch, size]`.
    ///
    /// `start` holds rows of the first state's table, `[steps][batch]`, fed one after another
    /// before the first decision. `decide` names the indices taken at a decision, `[batch]`; their
    /// embeddings are the next input.
    pub fn unroll(
        &self,
        weights: &Weights,
        start: &[Vec<usize>],
        mut decide: impl FnMut(usize, &Tensor<2>) -> Result<Tensor<1, Int>>,
    ) -> Result<Vec<Tensor<2>>> {
        let device = weights.device();
        let batch = start[0].len();
        let mut state = State::zero(batch, self.cells, &device);
        let mut table = weights.table(self.steps[0].state);
        let mut rows: Vec<_> = start.iter().map(|r| integers(r, weights)).collect();
        let mut logits = Vec::with_capacity(self.steps.len());
        for (d, step) in self.steps.iter().enumerate() {
            for rows in rows.drain(..) {
                let input = table.clone().select(0, rows); // [batch, embedding_dim]
                state = self.cell.step(weights.cell(), input, state);
            }
            let (kernel, bias) = weights.classifier(d);
            let output = state.output.clone().matmul(kernel.clone()) + bias.clone();
            table = weights.table(step.state);
            rows.push(decide(d, &output)?.add_scalar(1)); // row 0 is "not decided"
            logits.push(output);
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
        let mut path = Path {
            indices: Vec::with_capacity(self.steps.len()),
            probabilities: Vec::with_capacity(self.steps.len()),
        };
        self.unroll(weights, start, |d, logits| {
            let probabilities = read(softmax(logits.clone(), 1).reshape([-1]))?;
            let probabilities: Vec<_> = probabilities.into_iter().map(f64::from).collect();
            let index = pick(d, &probabilities);
            path.indices.push(index);
            path.probabilities.push(probabilities);
            Ok(integers(&[index], weights))
        })?;
        Ok(path)
    }
}

/// The statistics of one decision over a batch, from its logits and the indices taken.
pub(super) struct Decided {
    /// log π of the index taken, `[batch, 1]`.
    pub log_prob: Tensor<2>,
    /// −Σ π log π, `[batch, 1]`.
    pub entropy: Tensor<2>,
}

impl Decided {
    pub fn new(logits: Tensor<2>, taken: Tensor<1, Int>) -> Self {
        let log_probs = log_softmax(logits, 1);
        let entropy = (log_probs.clone().exp() * log_probs.clone())
            .sum_dim(1)
            .neg();
        Self {
            log_prob: log_probs.gather(1, taken.unsqueeze_dim(1)),
            entropy,
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
