//! Products with a whole matrix B: its columns in panels, packed or as they lie. Knows the inner loop
//! ([`super::product`]), but nothing of what is multiplied.

use std::cell::Cell;
use std::ops::Range;

use pulp::{Simd, WithSimd};

use super::product::{Finish, Rows, Segment, Sum, VECTORS};
use super::simd;

/// Rows between two looks ahead: whole tiles of either kind.
const ROWS_A_TURN: usize = 24;

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

thread_local! {
    static KEPT: Cell<Tables> = Cell::default();
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
        let mut tables = KEPT.take();
        let result = work(&mut tables);
        KEPT.set(tables);
        result
    }

    /// Lets the tables of this thread go.
    pub fn release() {
        KEPT.take();
    }
}
