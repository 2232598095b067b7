//! Batch normalization (arXiv 1502.03167) and an activation after it, over `[pixels, channels]`: the
//! pixels of a batch of images, or the rows of a batch of features. Knows nothing of running averages.

use pulp::{Simd, WithSimd};

use super::lanes::{WIDEST, activate, gate, walk};
use super::parallel::{self, Shared};
use super::simd::{self, load, load_first, store, store_first};
use super::{Act, scratch};

/// Pixels whose deviations are taken from their own mean.
const BLOCK: usize = 8;

/// The parameters and statistics of each channel.
#[derive(Clone, Copy)]
pub struct Channels<'a> {
    pub scale: &'a [f32],
    pub shift: &'a [f32],
    pub mean: &'a [f32],
    /// `1 / sqrt(variance + epsilon)`.
    pub inverse_deviation: &'a [f32],
}

/// What [`forward_train`] finds in a batch, for each channel.
pub struct Statistics<'a> {
    pub mean: &'a mut [f32],
    /// Biased: over the number of pixels.
    pub variance: &'a mut [f32],
    /// `1 / sqrt(variance + epsilon)`.
    pub inverse_deviation: &'a mut [f32],
}

/// The gradients; each is overwritten.
pub struct Gradients<'a> {
    pub input: &'a mut [f32],
    pub scale: &'a mut [f32],
    pub shift: &'a mut [f32],
}

/// `y = act((x - mean) / sqrt(variance + epsilon) * scale + shift)` with the statistics of `x`, which
/// are written to `statistics`.
pub fn forward_train(
    x: &[f32],
    scale: &[f32],
    shift: &[f32],
    epsilon: f32,
    act: Act,
    y: &mut [f32],
    statistics: Statistics,
) {
    let Statistics {
        mean: means,
        variance: variances,
        inverse_deviation,
    } = statistics;
    let channels = scale.len();
    let pixels = x.len() / channels;
    let (parts, rows) = parallel::parts(pixels);
    let pitch = channels.next_multiple_of(WIDEST);
    scratch::with(parts * SUMS * pitch, |memory| {
        let shared = Shared::new(memory);
        parallel::each(parts, |part| {
            let x = &x[part * rows * channels..pixels.min((part + 1) * rows) * channels];
            // SAFETY: each part has a place of its own.
            let sums = unsafe { shared.slice(part * SUMS * pitch, SUMS * pitch) };
            simd::dispatch(Moments { x, channels, sums });
        });
        for channel in 0..channels {
            // Parts are joined as in Chan, Golub and LeVeque (1979).
            let (mut count, mut mean, mut squares) = (0.0, 0.0, 0.0);
            for (part, sums) in memory.chunks_exact(SUMS * pitch).enumerate() {
                let at = |sum: usize| f64::from(sums[sum * pitch + channel]);
                let more = (pixels.min((part + 1) * rows) - part * rows) as f64;
                let offset = at(OFFSETS) / more;
                let apart = at(ORIGIN) + offset - mean;
                squares += at(WITHIN) + at(BETWEEN) - more * offset * offset;
                squares += apart * apart * count * more / (count + more);
                mean += apart * more / (count + more);
                count += more;
            }
            let variance = (squares / count).max(0.0);
            means[channel] = mean as f32;
            variances[channel] = variance as f32;
            inverse_deviation[channel] = (variance + f64::from(epsilon)).sqrt().recip() as f32;
        }
    });
    let channels = Channels {
        scale,
        shift,
        mean: means,
        inverse_deviation,
    };
    forward(x, channels, act, y);
}

/// `y = act((x - mean) * inverse_deviation * scale + shift)` with given statistics.
pub fn forward(x: &[f32], of: Channels, act: Act, y: &mut [f32]) {
    let channels = of.scale.len();
    let pitch = channels.next_multiple_of(WIDEST);
    let pixels = x.len() / channels;
    let (parts, rows) = parallel::parts(pixels);
    scratch::with(2 * pitch, |table| {
        affine(of, table);
        let y = Shared::new(y);
        parallel::each(parts, |part| {
            let at = part * rows * channels..pixels.min((part + 1) * rows) * channels;
            simd::dispatch(Scale {
                channels,
                table,
                act,
                x: &x[at.clone()],
                // SAFETY: each part has pixels of its own.
                y: unsafe { y.slice(at.start, at.len()) },
            });
        });
    });
}

/// Writes the `[2, channels]` factors and addends, padded, that take `x` to before the activation.
fn affine(of: Channels, table: &mut [f32]) {
    table.fill(0.0);
    let (factors, addends) = table.split_at_mut(table.len() / 2);
    for channel in 0..of.scale.len() {
        let factor = of.inverse_deviation[channel] * of.scale[channel];
        factors[channel] = factor;
        // In double precision: the product may be large, and the rest of it small.
        let product = f64::from(of.mean[channel]) * f64::from(factor);
        addends[channel] = (f64::from(of.shift[channel]) - product) as f32;
    }
}

/// The gradients of [`forward_train`], given `dy`, that of the activated output, and the statistics
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

/// The sums of a part: where its offsets count from, Σ of the offsets of blocks' means (times the block's
/// size), the same of their squares, and Σ of the squared deviations within blocks.
const SUMS: usize = 4;
const ORIGIN: usize = 0;
const OFFSETS: usize = 1;
const BETWEEN: usize = 2;
const WITHIN: usize = 3;

/// The sums of a part: single precision is enough, as only differences between near values are squared.
struct Moments<'a> {
    x: &'a [f32],
    channels: usize,
    /// `[SUMS, channels]`, padded.
    sums: &'a mut [f32],
}

impl WithSimd for Moments<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let channels = self.channels;
        let pixels = self.x.len() / channels;
        let whole = pixels - pixels % BLOCK;
        self.sums.fill(0.0);
        self.sums[..channels].copy_from_slice(&self.x[..channels]);
        let mut blocks = Blocks {
            simd,
            channels,
            sums: self.sums.as_mut_ptr(),
            pitch: self.sums.len() / SUMS,
        };
        // SAFETY: so many pixels follow, and the sums are padded to whole registers.
        unsafe {
            for pixel in (0..whole).step_by(BLOCK) {
                blocks.add::<BLOCK>(self.x[pixel * channels..].as_ptr());
            }
            for pixel in whole..pixels {
                blocks.add::<1>(self.x[pixel * channels..].as_ptr());
            }
        }
    }
}

struct Blocks<S> {
    simd: S,
    channels: usize,
    sums: *mut f32,
    pitch: usize,
}

impl<S: Simd> Blocks<S> {
    /// Adds `N` pixels to the sums.
    ///
    /// # Safety
    /// `x` is valid for `N` pixels, the sums for whole registers.
    #[inline(always)]
    unsafe fn add<const N: usize>(&mut self, x: *const f32) {
        let (simd, channels, sums, pitch) = (self.simd, self.channels, self.sums, self.pitch);
        let (size, share) = (simd.splat_f32s(N as f32), simd.splat_f32s(1.0 / N as f32));
        walk(
            simd,
            channels,
            #[inline(always)]
            |channel, lanes| {
                let mut values = [simd.splat_f32s(0.0); N];
                let mut total = simd.splat_f32s(0.0);
                for (i, value) in values.iter_mut().enumerate() {
                    // SAFETY: by the caller.
                    *value =
                        unsafe { load_first(simd, x.wrapping_add(i * channels + channel), lanes) };
                    total = simd.add_f32s(total, *value);
                }
                let mean = simd.mul_f32s(total, share);
                let sum = |which: usize| sums.wrapping_add(which * pitch + channel);
                // SAFETY: by the caller.
                unsafe {
                    let offset = simd.sub_f32s(mean, load::<S>(sum(ORIGIN)));
                    let weighted = simd.mul_f32s(size, offset);
                    let offsets = simd.add_f32s(load::<S>(sum(OFFSETS)), weighted);
                    store::<S>(sum(OFFSETS), offsets);
                    let between = simd.mul_add_e_f32s(weighted, offset, load::<S>(sum(BETWEEN)));
                    store::<S>(sum(BETWEEN), between);
                    if N > 1 {
                        let mut squares = simd.splat_f32s(0.0);
                        for &value in &values {
                            let deviation = simd.sub_f32s(value, mean);
                            squares = simd.mul_add_e_f32s(deviation, deviation, squares);
                        }
                        store::<S>(sum(WITHIN), simd.add_f32s(load::<S>(sum(WITHIN)), squares));
                    }
                }
            },
        );
    }
}

/// `y = act(x * factor + addend)`.
struct Scale<'a> {
    channels: usize,
    /// `[2, channels]`, padded: the factors and the addends.
    table: &'a [f32],
    act: Act,
    x: &'a [f32],
    y: &'a mut [f32],
}

impl WithSimd for Scale<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (channels, act, pitch) = (self.channels, self.act, self.table.len() / 2);
        assert_eq!(self.x.len(), self.y.len());
        let table = self.table.as_ptr();
        let pixels = self
            .x
            .chunks_exact(channels)
            .zip(self.y.chunks_exact_mut(channels));
        for (x, y) in pixels {
            let (x, y) = (x.as_ptr(), y.as_mut_ptr());
            walk(
                simd,
                channels,
                #[inline(always)]
                |channel, lanes| {
                    // SAFETY: a pixel's channels; the table is padded to whole registers.
                    unsafe {
                        let x = load_first(simd, x.add(channel), lanes);
                        let factor = load::<S>(table.add(channel));
                        let addend = load::<S>(table.add(pitch + channel));
                        let value = activate(simd, act, simd.mul_add_e_f32s(x, factor, addend));
                        store_first(simd, y.add(channel), value, lanes);
                    }
                },
            );
        }
    }
}

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
                            let dy = gate(simd, act, simd.mul_add_e_f32s(x, factor, addend), dy);
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
