//! The one inner loop of all matrix products: a few rows of A, read by broadcast, times a panel of B.
//!
//! A is any set of rows: for a convolution the pixels of padded images, for a weight gradient their
//! channels. What is summed over falls into segments, so that a window over an image needs no copy.

use pulp::{NullaryFnOnce, Simd};

use super::simd::{load, load_first, store_first};

/// Rows that a tile computes at once: 6 x 2 sums, 2 registers of B and a broadcast fill AVX2's 16.
pub const ROWS: usize = 6;

/// Rows of a tile that is 3 registers wide. 4 would fit AVX2 exactly, and the compiler spills.
const ROWS_WIDE: usize = 3;

/// Registers a full panel of B is wide.
pub const VECTORS: usize = 2;

/// The columns of a full panel, the row of a packed B.
pub const fn panel<S: Simd>() -> usize {
    VECTORS * S::F32_LANES
}

/// A run of the sum: where it starts in each row of A, and in B.
#[derive(Clone, Copy, Debug)]
pub struct Segment {
    pub a: usize,
    pub b: usize,
}

/// The sum: `depth` steps in each segment.
#[derive(Clone, Copy)]
pub struct Sum<'a> {
    pub segments: &'a [Segment],
    pub depth: usize,
    /// From one step to the next in a row of A.
    pub a_step: usize,
    /// From one step to the next in B.
    pub b_step: usize,
}

/// What is done with a finished sum.
#[derive(Clone, Copy, Debug)]
pub enum Finish {
    /// C is overwritten.
    Set,
    /// C grows by it. C is added last: the sum of a part is rounded by itself, which is more precise.
    Add,
    /// C becomes the sum plus a bias, the values from here, between two bounds.
    Bias(*const f32, f32, f32),
}

/// The products of many rows of A with one panel of B.
pub struct Rows<'a, S> {
    pub simd: S,
    /// Where each row starts: in A, and in C.
    pub rows: &'a [(u32, u32)],
    pub a: *const f32,
    pub b: *const f32,
    pub c: *mut f32,
    pub sum: Sum<'a>,
    /// The columns of C that are written, at most 3 registers. B is read up to a whole register.
    pub width: usize,
    pub finish: Finish,
}

impl<S: Simd> Rows<'_, S> {
    /// `c[row][j] = Σ a[row][segment.a + k · a_step] · b[segment.b + k · b_step + j]`, over the segments
    /// and over k below `depth`, for j below `width`.
    ///
    /// # Safety
    /// Every place that the rows, the segments and the steps name is valid: A and C for one value and
    /// for `width`, B for `width` rounded up to whole registers, the bias for `width`. C does not
    /// overlap A or B.
    #[inline(always)]
    pub unsafe fn compute(self) {
        // A function of its own: its twelve tiles are compiled once, not at each use.
        self.simd.vectorize(self);
    }
}

impl<S: Simd> NullaryFnOnce for Rows<'_, S> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        // SAFETY: `compute` is the only caller, and its caller promised.
        unsafe {
            match self.width.div_ceil(S::F32_LANES) {
                3 => self.tiles::<3>(ROWS_WIDE),
                2 => self.tiles::<2>(ROWS),
                _ => self.tiles::<1>(ROWS),
            }
        }
    }
}

impl<S: Simd> Rows<'_, S> {
    #[inline(always)]
    unsafe fn tiles<const V: usize>(&self, height: usize) {
        for rows in self.rows.chunks(height) {
            // SAFETY: as `compute`.
            unsafe {
                match rows.len() {
                    6 if height == 6 => self.tile::<6, V>(rows),
                    5 if height == 6 => self.tile::<5, V>(rows),
                    4 if height == 6 => self.tile::<4, V>(rows),
                    3 => self.tile::<3, V>(rows),
                    2 => self.tile::<2, V>(rows),
                    _ => self.tile::<1, V>(rows),
                }
            }
        }
    }

    #[inline(always)]
    #[expect(
        clippy::needless_range_loop,
        reason = "registers are counted everywhere alike"
    )]
    unsafe fn tile<const R: usize, const V: usize>(&self, rows: &[(u32, u32)]) {
        let Sum {
            segments,
            depth,
            a_step,
            b_step,
        } = self.sum;
        let (simd, lanes) = (self.simd, S::F32_LANES);
        let mut sums = [[simd.splat_f32s(0.0); V]; R];
        let mut a = [self.a; R];
        for i in 0..R {
            a[i] = self.a.wrapping_add(rows[i].0 as usize);
        }
        for segment in segments {
            let mut at = segment.a;
            let mut b = self.b.wrapping_add(segment.b);
            for _ in 0..depth {
                let mut panel = [simd.splat_f32s(0.0); V];
                for v in 0..V {
                    // SAFETY: within B by the caller.
                    panel[v] = unsafe { load::<S>(b.wrapping_add(v * lanes)) };
                }
                for i in 0..R {
                    // SAFETY: within A by the caller.
                    let x = simd.splat_f32s(unsafe { *a[i].wrapping_add(at) });
                    for v in 0..V {
                        sums[i][v] = simd.mul_add_e_f32s(x, panel[v], sums[i][v]);
                    }
                }
                at += a_step;
                b = b.wrapping_add(b_step);
            }
        }
        for i in 0..R {
            let c = self.c.wrapping_add(rows[i].1 as usize);
            for v in 0..V {
                let to = c.wrapping_add(v * lanes);
                let count = self.width - v * lanes;
                // SAFETY: C and the bias are valid for `width` values by the caller.
                unsafe {
                    let value = match self.finish {
                        Finish::Set => sums[i][v],
                        Finish::Add => simd.add_f32s(load_first(simd, to, count), sums[i][v]),
                        Finish::Bias(bias, low, high) => {
                            let bias = load_first(simd, bias.wrapping_add(v * lanes), count);
                            let value = simd.add_f32s(sums[i][v], bias);
                            // The bound first: of a bound and NaN, x86 gives the second, NaN.
                            let value = simd.max_f32s(simd.splat_f32s(low), value);
                            simd.min_f32s(simd.splat_f32s(high), value)
                        }
                    };
                    store_first(simd, to, value, count);
                }
            }
        }
    }
}
