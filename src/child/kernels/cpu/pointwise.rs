//! Convolution by a window of one pixel: a product of all pixels with the weights, read where they lie.

use super::conv::Gradients;
use super::copy::{Extent, pitch};
use super::panels::{Layout, Panels, Product, Tables};
use super::parallel::{self, Shared};
use super::product::{Finish, Segment};
use super::{Act, Geometry, scratch};

/// The values of A in a block of pixels of the forward: they stay in L1 while B's panels pass.
const BLOCK: usize = 6_144;

/// The pixels in a block of the backward: their lines of A and B fit L1.
const SUMMED: usize = 120;

/// Whether this algorithm computes `g`.
pub(crate) fn applies(g: &Geometry) -> bool {
    let one = [1, 1];
    g.kernel == one && g.stride == one && g.padding == [(0, 0); 2] && g.groups == 1
}

/// The tables of a product of `pixels` dense rows.
fn dense(tables: &mut Tables, pixels: usize, a: usize, c: usize) {
    let rows = (0..pixels).map(|pixel| ((pixel * a) as u32, (pixel * c) as u32));
    tables.rows.clear();
    tables.rows.extend(rows);
}

/// The values of `count` pixels from `start`, as far as there are any.
fn next(values: &[f32], channels: usize, start: usize, count: usize) -> &[f32] {
    let rest = values.get(start * channels..).unwrap_or_default();
    &rest[..rest.len().min(count * channels)]
}

const WHOLE: [Segment; 1] = [Segment { a: 0, b: 0 }];

/// As [`super::conv::forward`].
pub(crate) fn forward(
    g: &Geometry,
    x: &[f32],
    weight: &[f32],
    bias: Option<&[f32]>,
    act: Act,
    y: &mut [f32],
) {
    let (channels, filters) = (g.channels, g.filters);
    let panels = Panels::new(filters);
    let packed = panels.packed(channels);
    let (parts, images) = parallel::parts(g.batch);
    let image = g.input[0] * g.input[1];
    let block = (BLOCK / channels).clamp(48, 384) / 12 * 12;
    scratch::with(packed + filters, |memory| {
        let (weights, no_bias) = memory.split_at_mut(packed);
        panels.pack(channels, weights, |row, column| {
            weight[column * channels + row]
        });
        no_bias.fill(0.0);
        let (weights, bias) = (&*weights, bias.unwrap_or(no_bias));
        let (low, high) = act.bounds();
        let y = Shared::new(y);
        parallel::each(parts, |part| {
            let last = g.batch.min((part + 1) * images) * image;
            Tables::with(|tables| {
                dense(tables, block, channels, filters);
                for start in (part * images * image..last).step_by(block) {
                    let count = block.min(last - start);
                    // SAFETY: each part writes its own pixels.
                    let y = unsafe { y.slice(start * filters, count * filters) };
                    let product = Product {
                        panels,
                        layout: Layout::Packed(channels),
                        rows: &tables.rows[..count],
                        a: x[start * channels..][..count * channels].as_ptr(),
                        a_step: 1,
                        b: weights.as_ptr(),
                        c: y.as_mut_ptr(),
                        segments: &WHOLE,
                        depth: channels,
                        finish: Finish::Bias(bias.as_ptr(), low, high),
                        ahead: [&[], &[]],
                    };
                    // SAFETY: `count` pixels of each.
                    unsafe { product.compute() };
                }
            });
        });
    });
}

/// As [`super::conv::backward`].
pub(crate) fn backward(
    g: &Geometry,
    x: &[f32],
    weight: &[f32],
    y: &[f32],
    dy: &[f32],
    act: Act,
    gradients: Gradients,
) {
    let Gradients {
        input: dx,
        weight: dw,
        bias: db,
    } = gradients;
    let (channels, filters) = (g.channels, g.filters);
    let (to_x, to_w) = (Panels::new(channels), Panels::new(filters));
    let packed = if dx.is_some() {
        to_x.packed(filters)
    } else {
        0
    };
    let row = to_w.padded();
    let with_weight = dw.is_some();
    let sums = if with_weight { channels * row } else { 0 };
    // Nothing is copied where the gradient can be read as it is: whole registers, nothing to mask.
    let copied = act != Act::Identity || db.is_some() || row != filters;
    let slope = if copied { pitch(filters) } else { filters };
    let (parts, images) = parallel::parts(g.batch);
    let image = g.input[0] * g.input[1];
    scratch::with(packed + sums + filters, |memory| {
        let (weights, total) = memory.split_at_mut(packed);
        if dx.is_some() {
            to_x.pack(filters, weights, |row, column| {
                weight[row * channels + column]
            });
        }
        let weights = &*weights;
        let dx = dx.map(Shared::new);
        let block = |start: usize,
                     count: usize,
                     copy: &mut [f32],
                     sums: &mut [f32],
                     tables: &mut Tables| {
            let (dw, db) = sums.split_at_mut(sums.len() - filters);
            let after = start + count;
            let mut b = dy[start * filters..][..count * filters].as_ptr();
            if copied {
                let extent = Extent {
                    rows: 1,
                    pixels: count,
                    channels: filters,
                    from_row: 0,
                    to_row: 0,
                    to_pixel: slope,
                };
                let y = y.get(start * filters..).unwrap_or_default();
                extent.copy_masked(&dy[start * filters..], y, act, copy, db);
                b = copy.as_ptr();
            }
            if with_weight {
                dense(tables, channels, 1, row);
                let product = Product {
                    panels: to_w,
                    layout: Layout::Rows(slope),
                    rows: &tables.rows,
                    a: x[start * channels..][..count * channels].as_ptr(),
                    a_step: channels,
                    b,
                    c: dw.as_mut_ptr(),
                    segments: &WHOLE,
                    depth: count,
                    finish: Finish::Add,
                    ahead: [
                        next(dy, filters, after, SUMMED),
                        next(y, filters, after, SUMMED),
                    ],
                };
                // SAFETY: `count` pixels of each, and whole registers of B: it has no column beyond
                // them, or is a copy with room for three after its last pixel.
                unsafe { product.compute() };
            }
            if let Some(dx) = dx {
                dense(tables, count, slope, channels);
                // SAFETY: each part writes its own pixels.
                let dx = unsafe { dx.slice(start * channels, count * channels) };
                let product = Product {
                    panels: to_x,
                    layout: Layout::Packed(filters),
                    rows: &tables.rows,
                    a: b,
                    a_step: 1,
                    b: weights.as_ptr(),
                    c: dx.as_mut_ptr(),
                    segments: &WHOLE,
                    depth: filters,
                    finish: Finish::Set,
                    ahead: match with_weight {
                        true => [next(x, channels, after, SUMMED), &[]],
                        false => [&[], &[]],
                    },
                };
                // SAFETY: `count` pixels of each.
                unsafe { product.compute() };
            }
        };
        parallel::sum(parts, total, |part, sums| {
            let last = g.batch.min((part + 1) * images) * image;
            scratch::with(SUMMED * slope + 64, |copy| {
                Tables::with(|tables| {
                    for start in (part * images * image..last).step_by(SUMMED) {
                        block(start, SUMMED.min(last - start), copy, sums, tables);
                    }
                });
            });
        });
        let (total, bias) = total.split_at(sums);
        if let Some(db) = db {
            db.copy_from_slice(bias);
        }
        if let Some(dw) = dw {
            for (filter, dw) in dw.chunks_exact_mut(channels).enumerate() {
                for (channel, dw) in dw.iter_mut().enumerate() {
                    *dw = total[channel * row + filter];
                }
            }
        }
    });
}
