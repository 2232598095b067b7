//! Winograd convolution, 3x3 at strides 1 and 2: y = A^T [(G w G^T) ⊙ (B^T x B)] A on tiles of 4x4
//! outputs, summed over channels by one matrix product a plane (Lavin & Gray 2016, arXiv 1509.09308).
//! Stride 1 needs 4 times fewer products than the plain sum, stride 2 1.78 times.
//!
//! The backward pass is the exact adjoint of the forward pass: dM = A dy A^T serves both gradients,
//! dU = V^T dM and dV = dM U^T.

#![expect(
    clippy::needless_range_loop,
    reason = "squares of registers are read by row and by column"
)]

mod passes;
mod tiles;
mod transforms;
mod weights;

use super::conv::Gradients;
use super::{Act, Geometry, parallel, scratch, simd};
use passes::{Backward, Forward, Pack, Plan};
use transforms::{Bilinear, Double, Unit};

/// Whether these functions compute this convolution, and faster than the plain sum: with few channels
/// the transforms outweigh the products, and of a tile that hangs over the border most is wasted.
pub fn applies(g: &Geometry) -> bool {
    if !computes(g) {
        return false;
    }
    // At stride 2 there is less to win: 1.78 times the products instead of 4 times.
    let (fewest, useful) = if g.stride[0] == 1 {
        (16, 0.5)
    } else {
        (32, 0.85)
    };
    let [height, width] = g.output();
    let tiled = [height, width].map(|size| size.next_multiple_of(transforms::OUTPUTS));
    let share = (height * width) as f64 / (tiled[0] * tiled[1]) as f64;
    g.channels.min(g.filters) >= fewest && share >= useful
}

/// Whether these functions compute this convolution.
fn computes(g: &Geometry) -> bool {
    g.kernel == [3, 3]
        && matches!(g.stride, [1, 1] | [2, 2])
        && g.dilation == [1, 1]
        && g.groups == 1
}

/// y = act(x * w + bias), with weights `[filter][channel][tap]`.
pub fn forward(
    g: &Geometry,
    x: &[f32],
    weight: &[f32],
    bias: Option<&[f32]>,
    act: Act,
    y: &mut [f32],
) {
    debug_assert!(computes(g));
    match g.stride[0] {
        1 => forward_by(Unit, g, x, weight, bias, act, y),
        _ => forward_by(Double, g, x, weight, bias, act, y),
    }
}

/// The gradients of [`forward`] from that of its result. `y` is the activated result; it is only read
/// where `act` is not the identity. All gradients are overwritten.
pub fn backward(
    g: &Geometry,
    x: &[f32],
    weight: &[f32],
    y: &[f32],
    dy: &[f32],
    act: Act,
    gradients: Gradients,
) {
    debug_assert!(computes(g));
    match g.stride[0] {
        1 => backward_by(Unit, g, x, weight, y, dy, act, gradients),
        _ => backward_by(Double, g, x, weight, y, dy, act, gradients),
    }
}

fn forward_by<A: Bilinear<P>, const P: usize>(
    algorithm: A,
    g: &Geometry,
    x: &[f32],
    weight: &[f32],
    bias: Option<&[f32]>,
    act: Act,
    y: &mut [f32],
) {
    let (channels, filters) = (g.channels, g.filters);
    let (parts, images) = parallel::parts(g.batch);
    let plan = Plan::new(algorithm, g, images);
    let packed = weights::packed_size(channels, filters);
    scratch::with(packed + weights::taps_size(channels, filters), |memory| {
        let (u, taps) = memory.split_at_mut(packed);
        weights::by_filter(weight, filters, channels, taps);
        simd::dispatch(Pack {
            g: &A::G,
            taps,
            rows: channels,
            columns: filters,
            u,
        });
        let (u, shared) = (&*u, parallel::Shared::new(y));
        parallel::each(parts, |part| {
            let (first, count) = (part * images, images.min(g.batch - part * images));
            // SAFETY: the images of this part.
            let y = unsafe { shared.slice(first * g.output_size(), count * g.output_size()) };
            let x = &x[first * g.input_size()..][..count * g.input_size()];
            scratch::with(plan.memory(), |memory| {
                simd::dispatch(Forward {
                    plan: &plan,
                    images: count,
                    x,
                    u,
                    bias,
                    act,
                    y,
                    memory,
                });
            });
        });
    });
}

#[expect(
    clippy::too_many_arguments,
    reason = "those of `backward` and the algorithm"
)]
fn backward_by<A: Bilinear<P>, const P: usize>(
    algorithm: A,
    g: &Geometry,
    x: &[f32],
    weight: &[f32],
    y: &[f32],
    dy: &[f32],
    act: Act,
    gradients: Gradients,
) {
    let Gradients {
        input,
        weight: d_weight,
        bias,
    } = gradients;
    let (channels, filters) = (g.channels, g.filters);
    let (parts, images) = parallel::parts(g.batch);
    let plan = Plan::new(algorithm, g, images);
    let (wants_input, wants_weight) = (input.is_some(), d_weight.is_some());
    let packed = if wants_input {
        weights::packed_size(filters, channels)
    } else {
        0
    };
    let taps = if wants_input {
        weights::taps_size(filters, channels)
    } else {
        0
    };
    // A part's gradient of the weights, by tap, and of the bias.
    let d_taps = if wants_weight {
        weights::taps_size(channels, filters)
    } else {
        0
    };
    let sums = d_taps + weights::pitch(filters);
    let d_packed = if wants_weight {
        weights::packed_size(channels, filters)
    } else {
        0
    };
    scratch::with(packed + taps.max(parts * sums), |memory| {
        let (u, rest) = memory.split_at_mut(packed);
        if wants_input {
            weights::by_channel(weight, filters, channels, rest);
            simd::dispatch(Pack {
                g: &A::G,
                taps: rest,
                rows: filters,
                columns: channels,
                u,
            });
        }
        let u = wants_input.then_some(&*u);
        let rest = &mut rest[..parts * sums];
        let d_input = input.map(parallel::Shared::new);
        let shared = parallel::Shared::new(rest);
        parallel::each(parts, |part| {
            let (first, count) = (part * images, images.min(g.batch - part * images));
            let inputs = first * g.input_size()..(first + count) * g.input_size();
            let outputs = first * g.output_size()..(first + count) * g.output_size();
            // SAFETY: the images and the sums of this part.
            let (dx, sums) = unsafe {
                let dx = d_input
                    .as_ref()
                    .map(|dx| dx.slice(inputs.start, inputs.len()));
                (dx, shared.slice(part * sums, sums))
            };
            let (d_taps, d_bias) = sums.split_at_mut(d_taps);
            let y = if act == Act::Identity {
                y
            } else {
                &y[outputs.clone()]
            };
            scratch::with(plan.memory() + d_packed, |memory| {
                let (du, memory) = memory.split_at_mut(d_packed);
                simd::dispatch(Backward {
                    plan: &plan,
                    images: count,
                    x: &x[inputs],
                    y,
                    dy: &dy[outputs],
                    act,
                    u,
                    dx,
                    du: wants_weight.then_some((du, d_taps)),
                    d_bias,
                    memory,
                });
            });
        });
        let (total, others) = rest.split_at_mut(sums);
        for other in others.chunks_exact(sums) {
            for (total, other) in total.iter_mut().zip(other) {
                *total += other;
            }
        }
        let (d_taps, d_bias) = total.split_at(d_taps);
        if let Some(weight) = d_weight {
            weights::from_taps(d_taps, filters, channels, weight);
        }
        if let Some(bias) = bias {
            bias.copy_from_slice(&d_bias[..filters]);
        }
    });
}
