//! The gradient of the weights. Knows nothing of batches.

use pulp::{Simd, WithSimd};

use super::super::Geometry;
use super::super::lanes::walk;
use super::super::simd::{load, store};
use super::image::{padded, pitch};
use super::taps::Reach;

/// The weight gradient of an image, added to sums.
pub struct Correlate<'a> {
    pub g: &'a Geometry,
    pub input_ends: (usize, usize),
    pub output_ends: (usize, usize),
    /// Both in working memory.
    pub x: &'a [f32],
    pub dy: &'a [f32],
    /// `[taps, filters]`, padded; grows.
    pub sums: &'a mut [f32],
}

impl WithSimd for Correlate<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (g, pitch, output) = (self.g, pitch(self.g), self.g.output());
        assert_eq!(self.x.len(), padded(g, g.input, self.input_ends));
        assert_eq!(self.dy.len(), padded(g, output, self.output_ends));
        assert!(self.sums.len() >= g.taps() * pitch);
        let row_of = |width, ends: (usize, usize)| (ends.0 + width + ends.1) * pitch;
        let (input_row, output_row) = (
            row_of(g.input[1], self.input_ends),
            row_of(output[1], self.output_ends),
        );
        let column = (self.input_ends.0 - g.padding[1].0) * pitch;
        for row in 0..output[0] {
            let rows = Reach::Forward.taps(g, 0, row).within(g.input[0]);
            let mut done = 0;
            while done < rows.count {
                let tap = (rows.weight as usize + done) * g.kernel[1];
                let input = (rows.first as usize + done * rows.step) * input_row;
                let mut strip = Strip {
                    simd,
                    channels: g.filters,
                    outputs: output[1],
                    columns: g.kernel[1],
                    dy: self.dy[row * output_row + self.output_ends.0 * pitch..].as_ptr(),
                    x: self.x[input + column..].as_ptr(),
                    steps: [rows.step * input_row, g.dilation[1] * pitch],
                    advance: g.stride[1] * pitch,
                    pitch,
                    sums: self.sums[tap * pitch..].as_mut_ptr(),
                    sums_row: g.kernel[1] * pitch,
                };
                // SAFETY: as many rows of taps are within the image by `within`, their columns by its
                // ends.
                done += unsafe {
                    match (rows.count - done, g.kernel[1]) {
                        (3.., ..=3) => strip.along::<3>(),
                        _ => strip.along::<1>(),
                    }
                };
            }
        }
    }
}

/// The gradient of a few rows of taps from a row of outputs.
struct Strip<S> {
    simd: S,
    channels: usize,
    outputs: usize,
    /// The columns of taps that are left.
    columns: usize,
    dy: *const f32,
    /// The input under the first output and the first tap.
    x: *const f32,
    /// From one row and one column of taps to the next.
    steps: [usize; 2],
    /// From the inputs of an output to those of the next.
    advance: usize,
    /// From one output, and from one sum, to the next.
    pitch: usize,
    sums: *mut f32,
    /// From one row of sums to the next.
    sums_row: usize,
}

impl<S: Simd> Strip<S> {
    /// Computes all columns of `R` rows of taps, and tells how many rows.
    ///
    /// # Safety
    /// All that the pointers and steps name is valid for whole registers.
    #[inline(always)]
    unsafe fn along<const R: usize>(&mut self) -> usize {
        while self.columns > 0 {
            // SAFETY: by the caller; as many columns are left.
            self.columns -= unsafe {
                match self.columns {
                    5 => self.taps::<R, 5>(),
                    4.. => self.taps::<R, 4>(),
                    3 => self.taps::<R, 3>(),
                    2 => self.taps::<R, 2>(),
                    _ => self.taps::<R, 1>(),
                }
            };
        }
        R
    }

    /// Computes `T` columns of `R` rows of taps, moves on to those after them, and tells how many.
    ///
    /// # Safety
    /// As [`Self::along`], and as many columns are left.
    #[inline(always)]
    unsafe fn taps<const R: usize, const T: usize>(&mut self) -> usize {
        let (simd, [down, across]) = (self.simd, self.steps);
        let (advance, pitch, outputs) = (self.advance, self.pitch, self.outputs);
        let (x, dy, to, sums_row) = (self.x, self.dy, self.sums, self.sums_row);
        walk(
            simd,
            self.channels,
            #[inline(always)]
            |channel, _| {
                let mut sums = [[simd.splat_f32s(0.0); T]; R];
                let mut x = x.wrapping_add(channel);
                let mut dy = dy.wrapping_add(channel);
                for _ in 0..outputs {
                    // SAFETY: by the caller.
                    let gradient = unsafe { load::<S>(dy) };
                    for (r, sums) in sums.iter_mut().enumerate() {
                        for (t, sum) in sums.iter_mut().enumerate() {
                            let x = x.wrapping_add(r * down + t * across);
                            // SAFETY: by the caller.
                            *sum = simd.mul_add_e_f32s(unsafe { load::<S>(x) }, gradient, *sum);
                        }
                    }
                    x = x.wrapping_add(advance);
                    dy = dy.wrapping_add(pitch);
                }
                for (r, sums) in sums.iter().enumerate() {
                    for (t, &sum) in sums.iter().enumerate() {
                        let to = to.wrapping_add(r * sums_row + t * pitch + channel);
                        // SAFETY: by the caller.
                        unsafe { store::<S>(to, simd.add_f32s(load::<S>(to), sum)) };
                    }
                }
            },
        );
        self.x = x.wrapping_add(T * across);
        self.sums = to.wrapping_add(T * pitch);
        T
    }
}
