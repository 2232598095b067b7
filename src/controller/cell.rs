//! The recurrent cells: their weights and one step of each. Knows nothing of spaces or decisions.
//!
//! Weights are laid out and named as TensorFlow does, so that recorded weights load directly.
//! Shapes: input `[batch, embedding_dim]`, output and memory `[batch, cells]`.

use burn::tensor::activation::{relu, sigmoid, tanh};
use burn::tensor::{Device, Tensor};

use super::config::CellKind;
use super::weights::{Init, Spec};

/// What a cell carries from one step to the next.
#[derive(Clone, Debug)]
pub(super) struct State {
    /// The output h.
    pub output: Tensor<2>,
    /// The memory c; the GRU has none and leaves it zero.
    memory: Tensor<2>,
}

impl State {
    /// The zero state that every sequence starts from.
    pub fn zero(batch: usize, cells: usize, device: &Device) -> Self {
        let zeros = Tensor::zeros([batch, cells], device);
        Self {
            output: zeros.clone(),
            memory: zeros,
        }
    }
}

impl CellKind {
    /// The weights of a cell with `inputs` inputs and `cells` units, in the order
    /// [`step`](Self::step) takes them.
    pub(super) fn specs(self, inputs: usize, cells: usize) -> Vec<Spec> {
        let kernel = |name, rows, gates| Spec::matrix(name, rows, gates * cells, Init::Glorot);
        let bias = |name, gates, value| Spec::bias(name, gates * cells, value);
        let joint = inputs + cells;
        match self {
            Self::Lstm => vec![
                kernel("rnn/lstm_cell/kernel", joint, 4),
                bias("rnn/lstm_cell/bias", 4, 0.0),
            ],
            Self::Gru => vec![
                kernel("rnn/gru_cell/gates/kernel", joint, 2),
                bias("rnn/gru_cell/gates/bias", 2, 1.0),
                kernel("rnn/gru_cell/candidate/kernel", joint, 1),
                bias("rnn/gru_cell/candidate/bias", 1, 0.0),
            ],
            Self::Nas => vec![
                kernel("rnn/nas_cell/kernel", inputs, 8),
                kernel("rnn/nas_cell/recurrent_kernel", cells, 8),
            ],
        }
    }

    /// Feeds one input through the cell. `weights` are those of [`specs`](Self::specs).
    pub(super) fn step(self, weights: &[Tensor<2>], input: Tensor<2>, state: State) -> State {
        match self {
            Self::Lstm => lstm(weights, input, state),
            Self::Gru => gru(weights, input, state),
            Self::Nas => nas(weights, input, state),
        }
    }
}

/// One matrix product for all four gates, in TensorFlow's order i, j, f, o:
/// c' = σ(f + 1)∘c + σ(i)∘tanh(j), h' = σ(o)∘tanh(c').
fn lstm(weights: &[Tensor<2>], input: Tensor<2>, state: State) -> State {
    let gates = joint(input, state.output, &weights[0]) + weights[1].clone();
    let [i, j, f, o] = gate(&gates);
    let memory = sigmoid(f.add_scalar(1.0)) * state.memory + sigmoid(i) * tanh(j);
    let output = sigmoid(o) * tanh(memory.clone());
    State { output, memory }
}

/// Gates r and u; h' = u∘h + (1 − u)∘tanh(W[x, r∘h] + b).
fn gru(weights: &[Tensor<2>], input: Tensor<2>, state: State) -> State {
    let h = state.output;
    let gates = joint(input.clone(), h.clone(), &weights[0]) + weights[1].clone();
    let [r, u] = gate(&sigmoid(gates));
    let candidate = tanh(joint(input, r * h.clone(), &weights[2]) + weights[3].clone());
    State {
        output: u.clone() * (h - candidate.clone()) + candidate,
        memory: state.memory,
    }
}

/// The tree of arXiv 1611.01578, appendix A, as TensorFlow's `contrib.rnn.NASCell` reads it
/// (without bias, its default): eight gates of x and h, combined pairwise, with the memory let in
/// at the first node of the second layer.
fn nas(weights: &[Tensor<2>], input: Tensor<2>, state: State) -> State {
    let x: [_; 8] = gate(&input.matmul(weights[0].clone()));
    let h: [_; 8] = gate(&state.output.matmul(weights[1].clone()));
    let [x0, x1, x2, x3, x4, x5, x6, x7] = x;
    let [h0, h1, h2, h3, h4, h5, h6, h7] = h;
    let a = tanh(sigmoid(x0 + h0) * relu(x1 + h1));
    let b = tanh(sigmoid(x2 + h2) + relu(x3 * h3));
    let c = tanh(tanh(x4 + h4) * sigmoid(x5 + h5));
    let d = sigmoid(tanh(x6 + h6) + sigmoid(x7 + h7));
    let memory = tanh(a + state.memory) * b;
    let output = tanh(memory.clone() * tanh(c + d));
    State { output, memory }
}

/// [x, h] · kernel.
fn joint(x: Tensor<2>, h: Tensor<2>, kernel: &Tensor<2>) -> Tensor<2> {
    Tensor::cat(vec![x, h], 1).matmul(kernel.clone())
}

/// Splits `[batch, N · cells]` into its N gates.
fn gate<const N: usize>(gates: &Tensor<2>) -> [Tensor<2>; N] {
    let cells = gates.dims()[1] / N;
    std::array::from_fn(|k| gates.clone().narrow(1, k * cells, cells))
}
