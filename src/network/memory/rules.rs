//! Each operation of a network as the kernel or the operations of Burn that compute it, in the order in which
//! `child/ops.rs` applies them. Knows sizes, not numbers.

use super::kernels::{Convolution, size};
use super::tape::{Tape, Value};
use super::working;
use crate::network::attributes::{Activation, Conv2d, Padding};
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
        let array = self.tape.ledger.array(elements);
        self.tape.leaf(array, false)
    }

    /// The result of `op` on `inputs`, the first of which has the shape `input`; `weights` are the
    /// arrays of this operation, and `clips` is whether an activation is part of it.
    pub fn apply(
        &mut self,
        op: &Op,
        mut inputs: Vec<Value>,
        weights: &[Value],
        [input, output]: [&[usize]; 2],
        clips: bool,
    ) -> Option<Value> {
        let elements = size(&self.batched(output));
        let flat = sides(output)[1..] == [1, 1];
        match op {
            Op::Concat => return Some(self.tape.kernel(inputs, elements, flat, (&[], false))),
            Op::Add if clips => return Some(self.tape.kernel(inputs, elements, flat, (&[], true))),
            Op::Add => return Some(self.tape.add(inputs, elements, flat)),
            _ => {}
        }
        let x = inputs.pop()?;
        Some(match op {
            Op::Conv2d(conv) => {
                let working = self.plain(conv, input).working();
                self.tape.ledger.work(working);
                self.weighted(x, weights, elements, flat, clips)
            }
            Op::ConvTranspose2d(conv) => self.conv_transpose2d(x, conv, weights, input),
            Op::MaxPool2d(_) => self.tape.kernel(vec![x], elements, flat, (&[true], true)),
            Op::AvgPool2d(_) | Op::GlobalAvgPool | Op::DropPath(_) => {
                self.tape.kernel(vec![x], elements, flat, (&[], false))
            }
            Op::Flatten => self.tape.reshape(x),
            Op::Dense(_) => {
                let [inputs, outputs] = [input, output].map(|shape| sides(shape)[0]);
                let working = working::dense(self.batch, inputs, outputs);
                self.tape.ledger.work(working);
                self.weighted(x, weights, elements, flat, false)
            }
            Op::BatchNorm(_) => {
                let mut inputs = vec![x];
                inputs.extend(weights.iter().cloned());
                self.tape
                    .kernel(inputs, elements, flat, (&[true; 3], false))
            }
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
            Op::Activation(Activation::Gelu | Activation::Silu | Activation::HardSwish) => {
                self.tape.kernel(vec![x], elements, flat, (&[true], false))
            }
            Op::Activation(_) => self.tape.kernel(vec![x], elements, flat, (&[], true)),
            Op::Multiply => match inputs.pop() {
                Some(a) if a.array.elements() != x.array.elements() => {
                    self.tape
                        .kernel(vec![a, x], elements, flat, (&[true; 2], false))
                }
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

    fn plain(&self, conv: &Conv2d, input: &[usize]) -> Convolution {
        let [rows, columns] = pair(conv.kernel);
        let depth = (input[0] / conv.groups) as u64;
        self.convolution(conv, input, [conv.filters as u64, depth, rows, columns])
    }

    /// A kernel with weights, which are kept, and maybe a bias, which is not.
    fn weighted(
        &mut self,
        x: Value,
        weights: &[Value],
        elements: u64,
        flat: bool,
        clips: bool,
    ) -> Value {
        let mut inputs = vec![x];
        inputs.extend(weights.iter().cloned());
        let keeps = (&[true, true][..], clips);
        self.tape.kernel(inputs, elements, flat, keeps)
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
        let full = self.tape.convolve_transposed(x, weight, bias, convolution);
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
