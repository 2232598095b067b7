//! Each operation of a network as the operations of Burn that compute it, in the order in which
//! `child/ops.rs` applies them. Knows sizes, not numbers.

use super::kernels::{Convolution, size};
use super::tape::{Tape, Value};
use crate::network::attributes::{Activation, Conv2d, Padding, Pool2d};
use crate::network::op::Op;
use crate::network::shape::same_padding;

/// Runs operations on a batch of images.
pub(super) struct Replay {
    pub tape: Tape,
    pub batch: u64,
    pub threads: u64,
}

/// The shape of an image's activation, a flat one as `[features, 1, 1]`.
fn sides(shape: &[usize]) -> [u64; 3] {
    let side = |axis: usize| shape.get(axis).map_or(1, |&side| side as u64);
    [side(0), side(1), side(2)]
}

fn pair(sides: [usize; 2]) -> [u64; 2] {
    sides.map(|side| side as u64)
}

impl Replay {
    fn batched(&self, shape: &[usize]) -> [u64; 4] {
        let [channels, height, width] = sides(shape);
        [self.batch, channels, height, width]
    }

    /// A tensor that is made anew for the operation and wants no gradient, such as a mask.
    fn constant(&mut self, elements: u64) -> Value {
        self.tape.leaf(elements, false)
    }

    /// The result of `op` on `inputs`, the first of which has the shape `input`; `weights` are the
    /// arrays of this operation.
    pub fn apply(
        &mut self,
        op: &Op,
        mut inputs: Vec<Value>,
        weights: &[Value],
        input: &[usize],
        output: &[usize],
    ) -> Option<Value> {
        let elements = size(&self.batched(output));
        if matches!(op, Op::Concat) {
            return Some(match inputs.len() {
                1 => inputs.pop()?,
                _ => self.tape.concat(inputs),
            });
        }
        if matches!(op, Op::Add) {
            let tape = &mut self.tape;
            return inputs.into_iter().reduce(|a, b| tape.add(a, b));
        }
        let x = inputs.pop()?;
        Some(match op {
            Op::Conv2d(conv) => self.conv2d(x, conv, weights, input),
            Op::ConvTranspose2d(conv) => self.conv_transpose2d(x, conv, weights, input),
            Op::MaxPool2d(pool) => self.pool(x, pool, input, output, true),
            Op::AvgPool2d(pool) => self.pool(x, pool, input, output, false),
            Op::GlobalAvgPool => {
                let flat = self.tape.reshape(x);
                self.tape.mean(flat, elements)
            }
            Op::Flatten => self.tape.reshape(x),
            Op::Dense(_) => {
                let product = self.tape.matmul(x, weights.first()?.clone(), elements);
                match weights.get(1) {
                    Some(bias) => self.tape.shift(product, bias),
                    None => product,
                }
            }
            Op::BatchNorm(_) => self.tape.batch_norm(x, weights.first()?, weights.get(1)?),
            Op::LayerNorm { .. } if output.len() == 3 => {
                let last = self.tape.permute(x);
                let rows = elements / output[0] as u64;
                let normalised = self.normalised(last, rows, weights)?;
                self.tape.permute(normalised)
            }
            Op::LayerNorm { .. } => self.normalised(x, self.batch, weights)?,
            Op::GroupNorm { groups, .. } => {
                let x = self.tape.reshape(x);
                self.normalised(x, self.batch * *groups as u64, weights)?
            }
            Op::Dropout { .. } => {
                let mask = self.constant(elements);
                self.tape.mul(x, mask)
            }
            Op::DropPath(_) => {
                let mask = self.constant(self.batch);
                self.tape.mul(x, mask)
            }
            Op::Activation(activation) => self.activation(x, *activation),
            Op::Multiply => match inputs.pop() {
                Some(a) if a.array.elements() < x.array.elements() => self.tape.mul(x, a),
                Some(a) => self.tape.mul(a, x),
                None => x,
            },
            Op::ZeroPad2d(_) => self.tape.pad(x, elements),
            Op::Crop2d(_) => {
                let [channels, _, width] = sides(input);
                let rows = self.batch * channels * width * sides(output)[1];
                let rows = self.tape.slice(x, rows);
                self.tape.slice(rows, elements)
            }
            Op::Resize { size: to, .. } => self.resize(x, input, pair(*to)),
            Op::ChannelShuffle { .. } => {
                let grouped = self.tape.reshape(x);
                let swapped = self.tape.permute(grouped);
                self.tape.reshape(swapped)
            }
            Op::Input { .. } | Op::Concat | Op::Add => return None,
        })
    }

    fn convolution(&self, conv: &Conv2d, input: &[usize], weight: [u64; 4]) -> Convolution {
        let side = |axis: usize| match conv.padding {
            Padding::Valid => [0, 0],
            Padding::Same => pair(same_padding(
                input[1 + axis],
                conv.kernel[axis],
                conv.stride[axis],
                conv.dilation[axis],
            )),
        };
        Convolution {
            input: self.batched(input),
            weight,
            stride: pair(conv.stride),
            dilation: pair(conv.dilation),
            padding: [side(0), side(1)],
            groups: conv.groups as u64,
            threads: self.threads,
        }
    }

    fn conv2d(&mut self, x: Value, conv: &Conv2d, weights: &[Value], input: &[usize]) -> Value {
        let [rows, columns] = pair(conv.kernel);
        let depth = (input[0] / conv.groups) as u64;
        let shape = [conv.filters as u64, depth, rows, columns];
        let convolution = self.convolution(conv, input, shape);
        let (weight, bias) = (weights[0].clone(), weights.get(1));
        self.tape.convolve(x, weight, bias, convolution, false)
    }

    /// What `"same"` leaves over is cut off, rows first.
    fn conv_transpose2d(
        &mut self,
        x: Value,
        conv: &Conv2d,
        weights: &[Value],
        input: &[usize],
    ) -> Value {
        let [rows, columns] = pair(conv.kernel);
        let depth = (conv.filters / conv.groups) as u64;
        let shape = [input[0] as u64, depth, rows, columns];
        let convolution = Convolution {
            padding: [[0; 2]; 2],
            ..self.convolution(conv, input, shape)
        };
        let (weight, bias) = (weights[0].clone(), weights.get(1));
        let full = self.tape.convolve(x, weight, bias, convolution, true);
        if conv.padding == Padding::Valid {
            return full;
        }
        let [batch, filters, _, width] = convolution.transposed_output();
        let [rows, columns] = [0, 1].map(|axis| (input[1 + axis] * conv.stride[axis]) as u64);
        let rows = size(&[batch, filters, rows, width]);
        let columns = rows / width.max(1) * columns;
        let cut = self.tape.slice(full, rows);
        self.tape.slice(cut, columns)
    }

    /// Padding that differs between two sides is made part of the image; an average is then
    /// corrected by a factor.
    fn pool(
        &mut self,
        x: Value,
        pool: &Pool2d,
        input: &[usize],
        output: &[usize],
        maximum: bool,
    ) -> Value {
        let padding = [0, 1].map(|axis| match pool.padding {
            Padding::Valid => [0, 0],
            Padding::Same => same_padding(input[1 + axis], pool.kernel[axis], pool.stride[axis], 1),
        });
        let output = self.batched(output);
        if padding.iter().all(|[before, after]| before == after) {
            return self.tape.pool(x, output, maximum);
        }
        let [batch, channels, mut height, mut width] = self.batched(input);
        height += padding[0].iter().sum::<usize>() as u64;
        width += padding[1].iter().sum::<usize>() as u64;
        let padded = self.tape.pad(x, size(&[batch, channels, height, width]));
        let pooled = self.tape.pool(padded, output, maximum);
        if maximum {
            return pooled;
        }
        let shares = self.constant(output[2] * output[3]);
        self.tape.div(pooled, &shares)
    }

    /// A layer or group normalisation: `means` of them, then scale and shift.
    fn normalised(&mut self, x: Value, means: u64, weights: &[Value]) -> Option<Value> {
        let [scale, shift] = weights else {
            return None;
        };
        let mean = self.tape.mean(x.clone(), means);
        let centred = self.tape.shift(x, &mean);
        let square = self.tape.mul(centred.clone(), centred.clone());
        let variance = self.tape.mean(square, means);
        let deviation = self.tape.function(variance, true);
        let normalised = self.tape.div(centred, &deviation);
        let scaled = self.tape.mul(normalised, scale.clone());
        Some(self.tape.shift(scaled, shift))
    }

    fn activation(&mut self, x: Value, activation: Activation) -> Value {
        let tape = &mut self.tape;
        match activation {
            Activation::Relu | Activation::Gelu => tape.function(x, false),
            Activation::Sigmoid => tape.function(x, true),
            Activation::Tanh => tape.tanh(x),
            Activation::Silu => {
                let gate = tape.function(x.clone(), true);
                tape.mul(x, gate)
            }
            Activation::Relu6 => tape.clamp(x),
            Activation::HardSigmoid => {
                let line = tape.scaled(x);
                let line = tape.scaled(line);
                tape.clamp(line)
            }
            Activation::HardSwish => {
                let line = tape.scaled(x.clone());
                let line = tape.scaled(line);
                let gate = tape.clamp(line);
                tape.mul(x, gate)
            }
        }
    }

    /// Two matrix products, with the axes exchanged in between.
    fn resize(&mut self, x: Value, input: &[usize], to: [u64; 2]) -> Value {
        let [batch, channels, height, width] = self.batched(input);
        let flat = self.tape.reshape(x);
        let blend = self.constant(width * to[1]);
        let wide = size(&[batch, channels, height, to[1]]);
        let columns = self.tape.matmul(flat, blend, wide);
        let columns = self.tape.reshape(columns);
        let columns = self.tape.permute(columns);
        let rows = self.tape.reshape(columns);
        let blend = self.constant(height * to[0]);
        let resized = size(&[batch, channels, to[0], to[1]]);
        let rows = self.tape.matmul(rows, blend, resized);
        let rows = self.tape.reshape(rows);
        let rows = self.tape.permute(rows);
        self.tape.reshape(rows)
    }
}
