//! Batch normalization (arXiv 1502.03167) and an activation after it, over `[pixels, channels]`: the
//! pixels of a batch of images, or the rows of a batch of features. Knows nothing of running averages.

mod backward;
mod moments;

use pulp::{Simd, WithSimd};

use self::moments::{BETWEEN, Moments, OFFSETS, ORIGIN, SUMS, WITHIN};
use super::lanes::{WIDEST, activate, walk};
use super::parallel::{self, Shared};
use super::simd::{self, load, load_first, store_first};
use super::{Act, scratch};

pub use self::backward::backward;

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
