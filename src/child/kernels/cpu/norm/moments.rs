//! The sums that a batch's mean and variance are made of, robust beside a large mean: deviations are taken
//! block by block and the blocks combined (Chan et al. 1979). Knows nothing of normalisation.

use pulp::{Simd, WithSimd};

use super::super::lanes::walk;
use super::super::simd::{load, load_first, store};

/// Pixels whose deviations are taken from their own mean.
const BLOCK: usize = 8;

/// The sums of a part: where its offsets count from, Σ of the offsets of blocks' means (times the block's
/// size), the same of their squares, and Σ of the squared deviations within blocks.
pub const SUMS: usize = 4;
pub const ORIGIN: usize = 0;
pub const OFFSETS: usize = 1;
pub const BETWEEN: usize = 2;
pub const WITHIN: usize = 3;

/// The sums of a part: single precision is enough, as only differences between near values are squared.
pub struct Moments<'a> {
    pub x: &'a [f32],
    pub channels: usize,
    /// `[SUMS, channels]`, padded.
    pub sums: &'a mut [f32],
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
