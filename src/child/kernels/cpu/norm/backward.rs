//! The gradients of a normalisation by the statistics of the batch, in two passes: sums over the batch,
//! then the input's gradient.

use pulp::{Simd, WithSimd};

use super::super::lanes::{WIDEST, gate, walk};
use super::super::parallel::{self, Shared};
use super::super::simd::{self, load, load_first, store, store_first};
use super::super::{Act, scratch};
use super::{Channels, Gradients, affine};

/// Pixels whose sums stay in a register.
const BLOCK: usize = 8;

/// The gradients of [`forward_train`](super::forward_train), given `dy`, that of the activated output, and the statistics
/// found. What the activation let through is computed again from `x`: that is cheaper than to read it.
pub fn backward(x: &[f32], dy: &[f32], of: Channels, act: Act, gradients: Gradients) {
    let Gradients {
        input,
        scale: dscale,
        shift: dshift,
    } = gradients;
    let channels = of.scale.len();
    let pitch = channels.next_multiple_of(WIDEST);
    let pixels = x.len() / channels;
    let (parts, rows) = parallel::parts(pixels);
    let span = |part: usize| part * rows * channels..pixels.min((part + 1) * rows) * channels;
    scratch::with((TABLES + 2 * parts) * pitch, |memory| {
        let (table, sums) = memory.split_at_mut(TABLES * pitch);
        affine(of, &mut table[..2 * pitch]);
        table[MEAN * pitch..].fill(0.0);
        table[MEAN * pitch..][..channels].copy_from_slice(of.mean);
        let shared = Shared::new(sums);
        parallel::each(parts, |part| {
            simd::dispatch(Sums {
                channels,
                table,
                act,
                x: &x[span(part)],
                dy: &dy[span(part)],
                // SAFETY: each part has a place of its own.
                sums: unsafe { shared.slice(part * 2 * pitch, 2 * pitch) },
            });
        });
        for channel in 0..channels {
            let sum = |at: usize| -> f64 {
                let of_parts = sums[at * pitch + channel..].iter().step_by(2 * pitch);
                of_parts.map(|&sum| f64::from(sum)).sum()
            };
            let inverse = f64::from(of.inverse_deviation[channel]);
            let (shift, scaled) = (sum(0), sum(1) * inverse);
            dshift[channel] = shift as f32;
            dscale[channel] = scaled as f32;
            // dx = inverse · scale · (dy - mean(dy) - normal · mean(dy · normal))
            let share = -inverse * f64::from(of.scale[channel]) / pixels as f64;
            table[SLOPE * pitch + channel] = (share * inverse * scaled) as f32;
            table[CONSTANT * pitch + channel] = (share * shift) as f32;
        }
        let dx = Shared::new(input);
        parallel::each(parts, |part| {
            simd::dispatch(Inputs {
                channels,
                table,
                act,
                x: &x[span(part)],
                dy: &dy[span(part)],
                // SAFETY: each part has pixels of its own.
                dx: unsafe { dx.slice(span(part).start, span(part).len()) },
            });
        });
    });
}

/// The tables of the backward pass, one value a channel; the first two as [`affine`] writes them.
const TABLES: usize = 5;
const FACTOR: usize = 0;
const ADDEND: usize = 1;
const MEAN: usize = 2;
const SLOPE: usize = 3;
const CONSTANT: usize = 4;

/// Σ dy and Σ dy · (x - mean) of a part, dy before the activation.
struct Sums<'a> {
    channels: usize,
    /// `[TABLES, channels]`, padded.
    table: &'a [f32],
    act: Act,
    x: &'a [f32],
    dy: &'a [f32],
    /// `[2, channels]`, padded.
    sums: &'a mut [f32],
}

impl WithSimd for Sums<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (channels, act, pitch) = (self.channels, self.act, self.table.len() / TABLES);
        assert!(self.x.len() == self.dy.len() && self.sums.len() == 2 * pitch);
        self.sums.fill(0.0);
        let (table, sums) = (self.table.as_ptr(), self.sums.as_mut_ptr());
        // A few pixels at a time: their partial sum stays in a register.
        let size = BLOCK * channels;
        for (x, dy) in self.x.chunks(size).zip(self.dy.chunks(size)) {
            let pixels = x.len() / channels;
            let (x, dy) = (x.as_ptr(), dy.as_ptr());
            walk(
                simd,
                channels,
                #[inline(always)]
                |channel, lanes| {
                    // SAFETY: the channels of these pixels; the tables are padded to whole registers.
                    unsafe {
                        let row = |row: usize| load::<S>(table.add(row * pitch + channel));
                        let (factor, addend, mean) = (row(FACTOR), row(ADDEND), row(MEAN));
                        let (mut shift, mut scale) = (simd.splat_f32s(0.0), simd.splat_f32s(0.0));
                        for pixel in 0..pixels {
                            let at = pixel * channels + channel;
                            let x = load_first(simd, x.add(at), lanes);
                            let dy = load_first(simd, dy.add(at), lanes);
                            let y = simd.mul_add_e_f32s(x, factor, addend);
                            let dy = gate(simd, act, y, dy);
                            shift = simd.add_f32s(shift, dy);
                            scale = simd.mul_add_e_f32s(simd.sub_f32s(x, mean), dy, scale);
                        }
                        for (at, sum) in [(channel, shift), (pitch + channel, scale)] {
                            let to = sums.add(at);
                            store::<S>(to, simd.add_f32s(load::<S>(to), sum));
                        }
                    }
                },
            );
        }
    }
}

/// `dx = dy * factor + (x - mean) * slope + constant`, dy before the activation.
struct Inputs<'a> {
    channels: usize,
    /// `[TABLES, channels]`, padded.
    table: &'a [f32],
    act: Act,
    x: &'a [f32],
    dy: &'a [f32],
    dx: &'a mut [f32],
}

impl WithSimd for Inputs<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (channels, act, pitch) = (self.channels, self.act, self.table.len() / TABLES);
        let len = self.dx.len();
        assert!(self.x.len() == len && self.dy.len() == len);
        let table = self.table.as_ptr();
        let (x, dy, dx) = (self.x.as_ptr(), self.dy.as_ptr(), self.dx.as_mut_ptr());
        for pixel in (0..len).step_by(channels) {
            walk(
                simd,
                channels,
                #[inline(always)]
                |channel, lanes| {
                    let at = pixel + channel;
                    // SAFETY: a pixel's channels; the tables are padded to whole registers.
                    unsafe {
                        let row = |row: usize| load::<S>(table.add(row * pitch + channel));
                        let x = load_first(simd, x.add(at), lanes);
                        let dy = load_first(simd, dy.add(at), lanes);
                        let y = simd.mul_add_e_f32s(x, row(FACTOR), row(ADDEND));
                        let dy = gate(simd, act, y, dy);
                        let apart = simd.sub_f32s(x, row(MEAN));
                        let value = simd.mul_add_e_f32s(apart, row(SLOPE), row(CONSTANT));
                        let value = simd.mul_add_e_f32s(dy, row(FACTOR), value);
                        store_first(simd, dx.add(at), value, lanes);
                    }
                },
            );
        }
    }
}
