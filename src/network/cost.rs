//! Cost rules: the parameters and the multiply-accumulates of each operation. Knows nothing of graphs.
//!
//! Convention: one MAC is one weight times one input, added up. Convolutions and dense layers count;
//! biases, normalisations, activations, pooling, resizing, additions and products do not. Windows that
//! overlap the padding count in full, as in the papers' tables.

use super::op::Op;

/// The trainable parameters of `op` on an input of shape `input`. The running statistics of a batch
/// normalisation are not trainable and not counted.
pub(super) fn params(op: &Op, input: &[usize]) -> u64 {
    match op {
        Op::Conv2d(conv) | Op::ConvTranspose2d(conv) => {
            weights(op, input) + if conv.bias { wide(conv.filters) } else { 0 }
        }
        Op::Dense(dense) => weights(op, input) + if dense.bias { wide(dense.units) } else { 0 },
        // A scale and a shift per channel.
        Op::BatchNorm(_) | Op::LayerNorm { .. } | Op::GroupNorm { .. } => 2 * wide(channels(input)),
        _ => 0,
    }
}

/// The multiply-accumulates of `op` for one image.
pub(super) fn macs(op: &Op, input: &[usize], output: &[usize]) -> u64 {
    let positions = match op {
        Op::Conv2d(_) => area(output),
        // Each pixel of the input meets every weight once.
        Op::ConvTranspose2d(_) => area(input),
        _ => 1,
    };
    weights(op, input) * positions
}

/// The weights that multiply inputs. At most 2³¹ of them, at most 2³¹ times: within 64 bits.
fn weights(op: &Op, input: &[usize]) -> u64 {
    match op {
        Op::Conv2d(conv) | Op::ConvTranspose2d(conv) => {
            let per_filter = channels(input) / conv.groups * conv.kernel[0] * conv.kernel[1];
            wide(conv.filters) * wide(per_filter)
        }
        Op::Dense(dense) => wide(dense.units) * wide(channels(input)),
        _ => 0,
    }
}

/// The pixels of an image of shape `[channels, height, width]`.
fn area(shape: &[usize]) -> u64 {
    shape[1..].iter().map(|&size| wide(size)).product()
}

fn channels(shape: &[usize]) -> usize {
    shape.first().copied().unwrap_or(0)
}

/// Lossless on every platform that Rust supports.
fn wide(size: usize) -> u64 {
    size as u64
}
