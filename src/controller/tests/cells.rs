//! One step of each cell against the equations written out for scalars.

use burn::tensor::{Tensor, TensorData};
use rand::RngExt;

use super::*;
use crate::controller::cell::State;

const INPUTS: usize = 3;
const CELLS: usize = 2;

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// A row vector times a matrix of `columns` columns, given row by row.
fn product(row: &[f64], matrix: &[f64], columns: usize) -> Vec<f64> {
    let column = |c: usize| {
        row.iter()
            .enumerate()
            .map(|(r, x)| x * matrix[r * columns + c])
            .sum()
    };
    (0..columns).map(column).collect()
}

/// Two steps of `cell` with random weights; returns the weights, the inputs and both outputs.
#[allow(clippy::type_complexity)]
fn two_steps(cell: CellKind) -> (Vec<Vec<f64>>, [Vec<f64>; 2], [Vec<f64>; 2]) {
    let mut rng = Seed(5).stream("cells");
    let mut draw = |n: usize| -> Vec<f64> {
        (0..n)
            .map(|_| f64::from(rng.random_range(-1.0f32..1.0)))
            .collect()
    };
    let specs = cell.specs(INPUTS, CELLS);
    let weights: Vec<Vec<f64>> = specs
        .iter()
        .map(|s| draw(s.matrix_shape().iter().product()))
        .collect();
    let inputs = [draw(INPUTS), draw(INPUTS)];
    let device = Device::flex();
    let tensor = |values: &[f64], shape: [usize; 2]| {
        let values: Vec<f32> = values.iter().map(|v| *v as f32).collect();
        Tensor::<2>::from_data(TensorData::new(values, shape), &device)
    };
    let tensors: Vec<_> = specs
        .iter()
        .zip(&weights)
        .map(|(s, w)| tensor(w, s.matrix_shape()))
        .collect();
    let mut state = State::zero(1, CELLS, &device);
    let outputs = [0, 1].map(|i| {
        state = cell.step(&tensors, tensor(&inputs[i], [1, INPUTS]), state.clone());
        let data = state.output.clone().into_data();
        let values = data.try_into_vec::<f32>().unwrap();
        values.into_iter().map(f64::from).collect()
    });
    (weights, inputs, outputs)
}

fn check(cell: CellKind, step: impl Fn(&[Vec<f64>], &[f64], &mut Vec<f64>, &mut Vec<f64>)) {
    let (weights, inputs, outputs) = two_steps(cell);
    let (mut h, mut c) = (vec![0.0; CELLS], vec![0.0; CELLS]);
    for (input, output) in inputs.iter().zip(outputs) {
        step(&weights, input, &mut h, &mut c);
        for (expected, found) in h.iter().zip(&output) {
            assert!(
                (expected - found).abs() < 1e-6,
                "{cell:?}: {found} for {expected}"
            );
        }
    }
}

#[test]
fn lstm_is_tensorflows() {
    check(CellKind::Lstm, |weights, x, h, c| {
        let joint = [x, h].concat();
        let gates = product(&joint, &weights[0], 4 * CELLS);
        let gate = |g: usize, k: usize| gates[g * CELLS + k] + weights[1][g * CELLS + k];
        for k in 0..CELLS {
            let (i, j, f, o) = (gate(0, k), gate(1, k), gate(2, k), gate(3, k));
            c[k] = sigmoid(f + 1.0) * c[k] + sigmoid(i) * j.tanh();
            h[k] = sigmoid(o) * c[k].tanh();
        }
    });
}

#[test]
fn gru_is_tensorflows() {
    check(CellKind::Gru, |weights, x, h, _| {
        let gates = product(&[x, h].concat(), &weights[0], 2 * CELLS);
        let gate = |g: usize, k: usize| sigmoid(gates[g * CELLS + k] + weights[1][g * CELLS + k]);
        let reset: Vec<f64> = (0..CELLS).map(|k| gate(0, k) * h[k]).collect();
        let candidate = product(&[x, &reset].concat(), &weights[2], CELLS);
        for k in 0..CELLS {
            let candidate = (candidate[k] + weights[3][k]).tanh();
            h[k] = gate(1, k) * h[k] + (1.0 - gate(1, k)) * candidate;
        }
    });
}

#[test]
fn nas_is_the_tree_of_the_paper() {
    check(CellKind::Nas, |weights, x, h, c| {
        let from_x = product(x, &weights[0], 8 * CELLS);
        let from_h = product(h, &weights[1], 8 * CELLS);
        for k in 0..CELLS {
            let x = |g: usize| from_x[g * CELLS + k];
            let m = |g: usize| from_h[g * CELLS + k];
            let first = [
                sigmoid(x(0) + m(0)),
                (x(1) + m(1)).max(0.0),
                sigmoid(x(2) + m(2)),
                (x(3) * m(3)).max(0.0),
                (x(4) + m(4)).tanh(),
                sigmoid(x(5) + m(5)),
                (x(6) + m(6)).tanh(),
                sigmoid(x(7) + m(7)),
            ];
            let second = [
                (first[0] * first[1]).tanh(),
                (first[2] + first[3]).tanh(),
                (first[4] * first[5]).tanh(),
                sigmoid(first[6] + first[7]),
            ];
            c[k] = (second[0] + c[k]).tanh() * second[1];
            h[k] = (c[k] * (second[2] + second[3]).tanh()).tanh();
        }
    });
}
