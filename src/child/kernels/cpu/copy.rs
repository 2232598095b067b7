//! Copies of images with room between their pixels and around them, on the way past an activation's
//! mask. Knows nothing of what is computed from them.

use pulp::{Simd, WithSimd};

use super::Act;
use super::simd::{self, load_first, store_first};

/// The distance of pixels in a copy: an odd number of cache lines where the channels fill lines, so
/// that one channel of many pixels spreads over all of L1. Powers of two would share a few sets.
pub fn pitch(channels: usize) -> usize {
    match channels % 32 {
        0 => channels + 16,
        _ => channels,
    }
}

/// Rows of pixels, and how far apart they are in the copy, in values.
#[derive(Clone, Copy, Debug)]
pub struct Extent {
    pub rows: usize,
    /// The pixels of a row that are copied.
    pub pixels: usize,
    pub channels: usize,
    /// From row to row of the source; its pixels are dense.
    pub from_row: usize,
    pub to_row: usize,
    pub to_pixel: usize,
}

impl Extent {
    /// Copies `from` to `to`.
    pub fn copy(self, from: &[f32], to: &mut [f32]) {
        let len = self.pixels * self.channels;
        for row in 0..self.rows {
            let from = &from[row * self.from_row..][..len];
            let to = &mut to[row * self.to_row..];
            match self.to_pixel == self.channels {
                true => to[..len].copy_from_slice(from),
                false => simd::dispatch(Spread {
                    from,
                    to: &mut to[..(self.pixels - 1) * self.to_pixel + self.channels],
                    extent: self,
                }),
            }
        }
    }

    /// Copies the gradient `dy` of an activated `y` to `to`, with zeros where the activation let
    /// nothing through, and adds what it copies to `sums`, one for each channel. `y` is not read
    /// where `act` is the identity.
    pub fn copy_masked(self, dy: &[f32], y: &[f32], act: Act, to: &mut [f32], sums: &mut [f32]) {
        let len = self.pixels * self.channels;
        for row in 0..self.rows {
            let start = row * self.from_row;
            let masked = Masked {
                dy: &dy[start..][..len],
                y: match act {
                    Act::Identity => None,
                    _ => Some(&y[start..][..len]),
                },
                high: act.bounds().1,
                to: &mut to[row * self.to_row..]
                    [..(self.pixels - 1) * self.to_pixel + self.channels],
                sums: &mut sums[..self.channels],
                extent: self,
            };
            simd::dispatch(masked);
        }
    }
}

/// A row of pixels, further apart in the copy.
struct Spread<'a> {
    from: &'a [f32],
    to: &'a mut [f32],
    extent: Extent,
}

impl WithSimd for Spread<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let channels = self.extent.channels;
        let to = self.to.chunks_mut(self.extent.to_pixel);
        for (from, to) in self.from.chunks_exact(channels).zip(to) {
            for at in (0..channels).step_by(S::F32_LANES) {
                // SAFETY: both have `channels - at` values from here.
                unsafe {
                    let value = load_first(simd, from.as_ptr().add(at), channels - at);
                    store_first(simd, to.as_mut_ptr().add(at), value, channels - at);
                }
            }
        }
    }
}

/// A row of a gradient, masked.
struct Masked<'a> {
    dy: &'a [f32],
    y: Option<&'a [f32]>,
    high: f32,
    to: &'a mut [f32],
    sums: &'a mut [f32],
    extent: Extent,
}

impl WithSimd for Masked<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let (channels, lanes) = (self.extent.channels, S::F32_LANES);
        for first in (0..channels).step_by(4 * lanes) {
            // SAFETY: these registers hold channels of each pixel; `copy_masked` made `dy`, `y`, `to`
            // and `sums` long enough for them.
            unsafe {
                match channels - first {
                    rest if rest >= 4 * lanes => self.registers::<S, 4>(simd, first, lanes),
                    rest if rest > 3 * lanes => self.registers::<S, 4>(simd, first, rest % lanes),
                    rest if rest == 3 * lanes => self.registers::<S, 3>(simd, first, lanes),
                    rest if rest > 2 * lanes => self.registers::<S, 3>(simd, first, rest % lanes),
                    rest if rest == 2 * lanes => self.registers::<S, 2>(simd, first, lanes),
                    rest if rest > lanes => self.registers::<S, 2>(simd, first, rest % lanes),
                    rest if rest == lanes => self.registers::<S, 1>(simd, first, lanes),
                    rest => self.registers::<S, 1>(simd, first, rest),
                }
            }
        }
    }
}

impl Masked<'_> {
    /// `V` registers from channel `first`, of all pixels; the last holds `count` channels.
    ///
    /// # Safety
    /// The channels exist, and the slices hold `extent.pixels` pixels.
    #[inline(always)]
    #[expect(
        clippy::needless_range_loop,
        reason = "registers are counted everywhere alike"
    )]
    unsafe fn registers<S: Simd, const V: usize>(&mut self, simd: S, first: usize, count: usize) {
        let Extent {
            pixels,
            channels,
            to_pixel,
            ..
        } = self.extent;
        let lanes = S::F32_LANES;
        let (zero, high) = (simd.splat_f32s(0.0), simd.splat_f32s(self.high));
        let mut sums = [zero; V];
        for pixel in 0..pixels {
            for v in 0..V {
                let count = if v + 1 < V { lanes } else { count };
                let at = pixel * channels + first + v * lanes;
                // SAFETY: by the caller.
                unsafe {
                    let mut value = load_first(simd, self.dy.as_ptr().add(at), count);
                    if let Some(y) = self.y {
                        let y = load_first(simd, y.as_ptr().add(at), count);
                        let above = simd.less_than_f32s(zero, y);
                        let below = simd.less_than_f32s(y, high);
                        value = simd.select_f32s(simd.and_m32s(above, below), value, zero);
                    }
                    let to = pixel * to_pixel + first + v * lanes;
                    store_first(simd, self.to.as_mut_ptr().add(to), value, count);
                    sums[v] = simd.add_f32s(sums[v], value);
                }
            }
        }
        for v in 0..V {
            let count = if v + 1 < V { lanes } else { count };
            // SAFETY: by the caller.
            unsafe {
                let to = self.sums.as_mut_ptr().add(first + v * lanes);
                let sum = simd.add_f32s(load_first(simd, to, count), sums[v]);
                store_first(simd, to, sum, count);
            }
        }
    }
}
