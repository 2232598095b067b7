//! A dense layer: `y = x W + bias` with weights `[inputs, outputs]`, as they are stored. Knows nothing
//! of images.

use super::conv::Gradients;
use super::panels::{Layout, Panels, Product, Tables};
use super::parallel::{self, Shared};
use super::product::{Finish, Segment};
use super::scratch;

const WHOLE: [Segment; 1] = [Segment { a: 0, b: 0 }];

/// Calls `work` with tables of `rows` rows, cut for the threads: a row is computed by itself, so that
/// the cut changes nothing.
fn cut(rows: usize, from: usize, to: usize, work: impl Fn(&Tables) + Sync + Send) {
    let share = rows.div_ceil(rayon::current_num_threads()).max(1);
    parallel::each(rows.div_ceil(share), |part| {
        let rows = part * share..rows.min((part + 1) * share);
        Tables::with(|tables| {
            tables.rows.clear();
            let row = |row| ((row * from) as u32, (row * to) as u32);
            tables.rows.extend(rows.map(row));
            work(tables);
        });
    });
}

/// Writes `x W + bias` to `y`.
pub(crate) fn forward(
    x: &[f32],
    weight: &[f32],
    bias: Option<&[f32]>,
    sides: [usize; 2],
    y: &mut [f32],
) {
    let [inputs, outputs] = sides;
    let panels = Panels::new(outputs);
    let packed = panels.packed(inputs);
    scratch::with(packed + outputs, |memory| {
        let (weights, no_bias) = memory.split_at_mut(packed);
        panels.pack(inputs, weights, |row, column| {
            weight[row * outputs + column]
        });
        no_bias.fill(0.0);
        let (weights, bias) = (&*weights, bias.unwrap_or(no_bias));
        let (rows, y) = (y.len() / outputs, Shared::new(y));
        assert!(x.len() == rows * inputs && bias.len() == outputs, "shapes");
        cut(rows, inputs, outputs, |tables| {
            let product = Product {
                panels,
                layout: Layout::Packed(inputs),
                rows: &tables.rows,
                a: x.as_ptr(),
                a_step: 1,
                b: weights.as_ptr(),
                // SAFETY: all of it; each part writes its own rows.
                c: unsafe { y.slice(0, rows * outputs) }.as_mut_ptr(),
                segments: &WHOLE,
                depth: inputs,
                finish: Finish::Bias(bias.as_ptr(), f32::NEG_INFINITY, f32::INFINITY),
                ahead: [&[], &[]],
            };
            // SAFETY: `rows` rows of `inputs` and of `outputs`, and a bias for each output.
            unsafe { product.compute() };
        });
    });
}

/// Overwrites the gradients, given `dy`, that of the output.
pub(crate) fn backward(
    x: &[f32],
    weight: &[f32],
    dy: &[f32],
    sides: [usize; 2],
    gradients: Gradients,
) {
    let [inputs, outputs] = sides;
    let rows = dy.len() / outputs;
    assert!(
        x.len() == rows * inputs && weight.len() == inputs * outputs,
        "shapes"
    );
    if let Some(db) = gradients.bias {
        db.fill(0.0);
        for dy in dy.chunks_exact(outputs) {
            db.iter_mut().zip(dy).for_each(|(db, dy)| *db += dy);
        }
    }
    if let Some(dw) = gradients.weight {
        // Whole registers are read of each row.
        let panels = Panels::new(outputs);
        let pitch = panels.padded();
        assert_eq!(dw.len(), weight.len());
        scratch::with(rows * pitch + 64, |copy| {
            for (dy, copy) in dy.chunks_exact(outputs).zip(copy.chunks_exact_mut(pitch)) {
                copy[..outputs].copy_from_slice(dy);
            }
            let (copy, dw) = (&*copy, Shared::new(dw));
            cut(inputs, 1, outputs, |tables| {
                let product = Product {
                    panels,
                    layout: Layout::Rows(pitch),
                    rows: &tables.rows,
                    a: x.as_ptr(),
                    a_step: inputs,
                    b: copy.as_ptr(),
                    // SAFETY: all of it; each part writes its own rows.
                    c: unsafe { dw.slice(0, inputs * outputs) }.as_mut_ptr(),
                    segments: &WHOLE,
                    depth: rows,
                    finish: Finish::Set,
                    ahead: [&[], &[]],
                };
                // SAFETY: an input of each row; the copy has room for three registers at its end.
                unsafe { product.compute() };
            });
        });
    }
    if let Some(dx) = gradients.input {
        let panels = Panels::new(inputs);
        assert_eq!(dx.len(), x.len());
        scratch::with(panels.packed(outputs), |weights| {
            panels.pack(outputs, weights, |row, column| {
                weight[column * outputs + row]
            });
            let (weights, dx) = (&*weights, Shared::new(dx));
            cut(rows, outputs, inputs, |tables| {
                let product = Product {
                    panels,
                    layout: Layout::Packed(outputs),
                    rows: &tables.rows,
                    a: dy.as_ptr(),
                    a_step: 1,
                    b: weights.as_ptr(),
                    // SAFETY: all of it; each part writes its own rows.
                    c: unsafe { dx.slice(0, rows * inputs) }.as_mut_ptr(),
                    segments: &WHOLE,
                    depth: outputs,
                    finish: Finish::Set,
                    ahead: [&[], &[]],
                };
                // SAFETY: `rows` rows of `outputs` and of `inputs`.
                unsafe { product.compute() };
            });
        });
    }
}
