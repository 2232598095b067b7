//! The one inner loop of all matrix products: a few rows of A, read by broadcast, times a panel of B.
//!
//! A is any set of rows: for a convolution the pixels of padded images, for a weight gradient their
//! channels. What is summed over falls into segments, so that a window over an image needs no copy.

use std::cell::Cell;
use std::ops::Range;

use pulp::{NullaryFnOnce, Simd, WithSimd};

use super::simd::{self, load, load_first, store_first};

/// Rows that a tile computes at once: 6 x 2 sums, 2 registers of B and a broadcast fill AVX2's 16.
pub const ROWS: usize = 6;

/// Rows of a tile that is 3 registers wide. 4 would fit AVX2 exactly, and the compiler spills.
const ROWS_WIDE: usize = 3;

/// Rows between two looks ahead: whole tiles of either kind.
const ROWS_A_TURN: usize = 24;

/// Registers a full panel of B is wide.
const VECTORS: usize = 2;

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

/// How the columns of a B fall into panels: 2 registers each, the first 3 where they are odd.
#[derive(Clone, Copy, Debug)]
pub struct Panels {
    columns: usize,
    lanes: usize,
}

impl Panels {
    /// The panels of `columns`, in registers that [`simd::dispatch_columns`] takes.
    pub fn new(columns: usize) -> Self {
        let lanes = simd::lanes(columns);
        Self { columns, lanes }
    }

    /// The columns up to a whole register.
    pub fn padded(self) -> usize {
        self.columns.next_multiple_of(self.lanes)
    }

    /// The row of a packed panel: all have the widest one's.
    pub fn step(self) -> usize {
        let registers = self.columns.div_ceil(self.lanes);
        self.lanes * if registers == 1 { 1 } else { 2 + registers % 2 }
    }

    /// The columns of each panel.
    pub fn each(self) -> impl Iterator<Item = Range<usize>> {
        let (step, pair) = (self.step(), VECTORS * self.lanes);
        let starts = std::iter::once(0).chain((step..self.columns).step_by(pair));
        starts.map(move |start| {
            let width = if start == 0 { step } else { pair };
            start..self.columns.min(start + width)
        })
    }

    /// The room that `depth` rows take in packed panels.
    pub fn packed(self, depth: usize) -> usize {
        self.each().count() * depth * self.step()
    }

    /// Packs `depth` rows into panels, each dense, zeros beyond the columns. `value(row, column)`.
    pub fn pack(self, depth: usize, to: &mut [f32], value: impl Fn(usize, usize) -> f32) {
        let step = self.step();
        for (columns, panel) in self.each().zip(to.chunks_exact_mut(depth * step)) {
            for (row, to) in panel.chunks_exact_mut(step).enumerate() {
                let (used, unused) = to.split_at_mut(columns.len());
                for (to, column) in used.iter_mut().zip(columns.clone()) {
                    *to = value(row, column);
                }
                unused.fill(0.0);
            }
        }
    }
}

/// Where the panels of B lie.
#[derive(Clone, Copy, Debug)]
pub enum Layout {
    /// One after the other, as [`Panels::pack`] leaves that many rows.
    Packed(usize),
    /// Side by side in rows, this far apart.
    Rows(usize),
}

/// The products of many rows of A with all of B; runs in [`simd::dispatch_columns`].
pub struct Product<'a> {
    pub panels: Panels,
    pub layout: Layout,
    pub rows: &'a [(u32, u32)],
    pub a: *const f32,
    pub a_step: usize,
    pub b: *const f32,
    pub c: *mut f32,
    pub segments: &'a [Segment],
    pub depth: usize,
    pub finish: Finish,
    /// What is read next: fetched from memory meanwhile, a little with each few rows.
    pub ahead: [&'a [f32]; 2],
}

impl Product<'_> {
    /// As [`Rows::compute`], for each panel.
    ///
    /// # Safety
    /// As there, for all columns.
    pub unsafe fn compute(self) {
        simd::dispatch_columns(self.panels.columns, self);
    }
}

impl WithSimd for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let step = self.panels.step();
        // Turns cost a little, and are of no use with nothing ahead.
        let turn = match self.ahead {
            [[], []] => self.rows.len().max(1),
            _ => ROWS_A_TURN,
        };
        let turns = self.panels.each().count() * self.rows.len().div_ceil(turn);
        let share = |values: &[f32]| values.len().div_ceil(turns.max(1)).max(1);
        let mut ahead = self.ahead.map(|values| values.chunks(share(values)));
        for (panel, columns) in self.panels.each().enumerate() {
            let (b, b_step) = match self.layout {
                Layout::Packed(depth) => (panel * depth * step, step),
                Layout::Rows(step) => (columns.start, step),
            };
            let finish = match self.finish {
                Finish::Bias(bias, low, high) => {
                    Finish::Bias(bias.wrapping_add(columns.start), low, high)
                }
                finish => finish,
            };
            for rows in self.rows.chunks(turn) {
                for values in ahead.iter_mut().filter_map(Iterator::next) {
                    simd::prefetch(values);
                }
                let rows = Rows {
                    simd,
                    rows,
                    a: self.a,
                    b: self.b.wrapping_add(b),
                    c: self.c.wrapping_add(columns.start),
                    sum: Sum {
                        segments: self.segments,
                        depth: self.depth,
                        a_step: self.a_step,
                        b_step,
                    },
                    width: columns.len(),
                    finish,
                };
                // SAFETY: `compute` is the only caller, and its caller promised.
                unsafe { rows.compute() };
            }
        }
    }
}

/// The tables of products, kept by the thread from call to call.
#[derive(Default)]
pub struct Tables {
    pub rows: Vec<(u32, u32)>,
    pub segments: Vec<Segment>,
}

impl Tables {
    /// Calls `work` with tables that hold what is left from before.
    pub fn with<R>(work: impl FnOnce(&mut Self) -> R) -> R {
        thread_local! {
            static KEPT: Cell<Tables> = Cell::default();
        }
        let mut tables = KEPT.take();
        let result = work(&mut tables);
        KEPT.set(tables);
        result
    }
}
