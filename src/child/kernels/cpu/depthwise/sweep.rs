//! Sums over taps: outputs from inputs, or gradients of inputs from those of outputs. Knows nothing of
//! batches.

use pulp::{Simd, WithSimd};

use super::super::lanes::{activate, walk};
use super::super::simd::{load, load_first, store_first};
use super::super::{Act, Geometry};
use super::image::{padded, pitch};
use super::taps::Reach;

/// Each target of an image as the sum of its sources by their weights.
pub struct Sweep<'a> {
    pub g: &'a Geometry,
    pub reach: Reach,
    pub weights: &'a [f32],
    pub bias: Option<&'a [f32]>,
    pub act: Act,
    /// In working memory.
    pub from: &'a [f32],
    /// Dense, a channel for each filter.
    pub to: &'a mut [f32],
}

impl WithSimd for Sweep<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (g, reach, pitch) = (self.g, self.reach, pitch(self.g));
        let (source, target) = reach.sizes(g);
        let (period, advance) = reach.period(g, 1);
        let ends = reach.ends(g);
        let source_width = ends.0 + source[1] + ends.1;
        assert_eq!(self.from.len(), padded(g, source, ends));
        assert_eq!(self.to.len(), target[0] * target[1] * g.filters);
        assert_eq!(self.weights.len(), g.taps() * pitch);
        assert!(self.bias.is_none_or(|bias| bias.len() == g.filters));
        for row in 0..target[0] {
            let rows = reach.taps(g, 0, row).within(source[0]);
            for phase in 0..period.min(target[1]) {
                let columns = reach.taps(g, 1, phase);
                let first = rows.first * source_width as isize + columns.first + ends.0 as isize;
                let weight = rows.weight * g.kernel[1] as isize + columns.weight;
                let mut tile = Tile {
                    simd,
                    channels: g.filters,
                    rows: rows.count,
                    columns: columns.count,
                    from: self.from.as_ptr().wrapping_offset(first * pitch as isize),
                    from_steps: [rows.step * source_width, columns.step].map(|n| n * pitch),
                    advance: advance * pitch,
                    weights: self
                        .weights
                        .as_ptr()
                        .wrapping_offset(weight * pitch as isize),
                    weight_steps: [rows.weight_step * g.kernel[1] as isize, columns.weight_step]
                        .map(|n| n * pitch as isize),
                    bias: self.bias.map(<[f32]>::as_ptr),
                    act: self.act,
                    to: self.to[(row * target[1] + phase) * g.filters..].as_mut_ptr(),
                    period: period * g.filters,
                };
                let mut left = (target[1] - phase).div_ceil(period);
                while left > 0 {
                    // SAFETY: as many targets are left in the row. The rows of taps are within the
                    // image by `within`, the columns by its ends.
                    left -= unsafe {
                        match left {
                            8.. => tile.compute::<8>(),
                            4.. => tile.compute::<4>(),
                            2.. => tile.compute::<2>(),
                            _ => tile.compute::<1>(),
                        }
                    };
                }
            }
        }
    }
}

/// A few targets of a row that have the same taps.
struct Tile<S> {
    simd: S,
    channels: usize,
    rows: usize,
    columns: usize,
    /// The source of the first target's first tap.
    from: *const f32,
    /// From one row and one column of taps to the next.
    from_steps: [usize; 2],
    /// From the sources of a target to those of the next.
    advance: usize,
    /// The weights of the first tap.
    weights: *const f32,
    /// From one row and one column of taps to the next.
    weight_steps: [isize; 2],
    bias: Option<*const f32>,
    act: Act,
    to: *mut f32,
    /// From one target to the next.
    period: usize,
}

impl<S: Simd> Tile<S> {
    /// Computes `P` targets, moves on to those after them, and tells how many it were.
    ///
    /// # Safety
    /// All that the pointers and steps name is valid: sources and weights for whole registers, the
    /// bias and the targets for `channels`.
    #[inline(always)]
    unsafe fn compute<const P: usize>(&mut self) -> usize {
        let (simd, rows, columns) = (self.simd, self.rows, self.columns);
        let ([from_row, from_column], advance) = (self.from_steps, self.advance);
        let [weight_row, weight_column] = self.weight_steps;
        let (from, weights, to) = (self.from, self.weights, self.to);
        let (bias, act, period) = (self.bias, self.act, self.period);
        walk(
            simd,
            self.channels,
            #[inline(always)]
            |channel, lanes| {
                let bias = match bias {
                    // SAFETY: the bias is valid for the channels.
                    Some(bias) => unsafe { load_first(simd, bias.wrapping_add(channel), lanes) },
                    None => simd.splat_f32s(0.0),
                };
                let mut sums = [bias; P];
                let mut from = from.wrapping_add(channel);
                let mut weights = weights.wrapping_add(channel);
                for _ in 0..rows {
                    let (mut source, mut weight) = (from, weights);
                    for _ in 0..columns {
                        // SAFETY: the weights are valid for whole registers.
                        let w = unsafe { load::<S>(weight) };
                        let mut x = source;
                        for sum in &mut sums {
                            // SAFETY: the sources are valid for whole registers.
                            *sum = simd.mul_add_e_f32s(unsafe { load::<S>(x) }, w, *sum);
                            x = x.wrapping_add(advance);
                        }
                        source = source.wrapping_add(from_column);
                        weight = weight.wrapping_offset(weight_column);
                    }
                    from = from.wrapping_add(from_row);
                    weights = weights.wrapping_offset(weight_row);
                }
                for (p, &sum) in sums.iter().enumerate() {
                    let to = to.wrapping_add(channel + p * period);
                    // SAFETY: the targets are valid for the channels.
                    unsafe { store_first(simd, to, activate(simd, act, sum), lanes) };
                }
            },
        );
        self.from = from.wrapping_add(P * advance);
        self.to = to.wrapping_add(P * period);
        P
    }
}
