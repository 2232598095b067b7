//! The gradients of a direct convolution. That of the weights multiplies channels of the input with the
//! gradient of the output; that of the input is a convolution with the weights turned around, apart for
//! each class of pixels that the stride makes.

use super::super::conv::Gradients;
use super::super::copy::{Extent, pitch};
use super::super::panels::{Layout, Panels, Product, Tables};
use super::super::parallel::{self, Shared};
use super::super::product::{Finish, Segment};
use super::super::{Act, Geometry, scratch};
use super::{COPIED, Grid, Input, extent};

/// The pixels that a product of a weight gradient sums over: their lines of A and B fit L1.
const SUMMED: usize = 128;

/// The gradient of the output, masked, as both products of the backward read it: with zeros around
/// it for the windows of the input gradient.
struct Slope {
    grid: Grid,
    /// Zeros before the first pixel, down and across.
    before: [usize; 2],
}

impl Slope {
    fn new(g: &Geometry, with_input: bool) -> Self {
        let output = g.output();
        let (before, size) = match with_input {
            true => {
                let before = [0, 1].map(|i| (extent(g, i) - 1) / g.stride[i]);
                let last = [0, 1].map(|i| (g.input[i] - 1 + g.padding[i].0) / g.stride[i]);
                (
                    before,
                    [0, 1].map(|i| before[i] + output[i].max(last[i] + 1)),
                )
            }
            false => ([0; 2], output),
        };
        let grid = Grid::new(pitch(g.filters), size);
        Self { grid, before }
    }

    /// Where the first pixel lies.
    fn start(&self) -> usize {
        self.grid.at(0, self.before[0], self.before[1])
    }
}

/// As [`super::super::conv::backward`].
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
    let (channels, filters, taps) = (g.channels / g.groups, g.filters / g.groups, g.taps());
    let (input, slope) = (Input::new(g), Slope::new(g, dx.is_some()));
    let (to_x, to_w) = (Panels::new(channels), Panels::new(filters));
    let packed = to_x.packed(taps * filters);
    let packed_all = if dx.is_some() { g.groups * packed } else { 0 };
    let row = to_w.padded();
    let sums = if dw.is_some() {
        g.groups * taps * channels * row
    } else {
        0
    };
    scratch::with(packed_all + sums + g.filters, |memory| {
        let (weights, total) = memory.split_at_mut(packed_all);
        for (group, weights) in weights.chunks_exact_mut(packed).enumerate() {
            to_x.pack(taps * filters, weights, |row, column| {
                let filter = group * filters + row % filters;
                weight[(filter * channels + column) * taps + row / filters]
            });
        }
        let (parts, images) = parallel::parts(g.batch);
        let dx = dx.map(Shared::new);
        let part = Part {
            g,
            input,
            slope,
            to_x,
            to_w,
            weights,
            with_weight: dw.is_some(),
        };
        let chunk = (COPIED / (part.input.grid.image + part.slope.grid.image)).clamp(1, images);
        parallel::sum(parts, total, |index, sums| {
            let last = g.batch.min((index + 1) * images);
            // B is read up to three whole registers.
            let copies = if part.with_weight {
                part.input.memory(chunk)
            } else {
                0
            };
            let len = copies + chunk * part.slope.grid.image + 64;
            scratch::with(len, |memory| {
                memory.fill(0.0);
                let (xs, dys) = memory.split_at_mut(copies);
                let (dw, db) = sums.split_at_mut(sums.len() - g.filters);
                Tables::with(|tables| {
                    for start in (index * images..last).step_by(chunk) {
                        let count = chunk.min(last - start);
                        let outputs = start * g.output_size()..(start + count) * g.output_size();
                        let y = y.get(outputs.clone()).unwrap_or_default();
                        part.mask(&dy[outputs], y, act, dys, db);
                        let inputs = start * g.input_size()..(start + count) * g.input_size();
                        if part.with_weight {
                            part.weight(&x[inputs.clone()], count, xs, dys, dw, tables);
                        }
                        if let Some(dx) = dx {
                            // SAFETY: each part writes its own images.
                            let dx = unsafe { dx.slice(inputs.start, inputs.len()) };
                            part.input(count, dys, dx, tables);
                        }
                    }
                });
            });
        });
        let (total, bias) = total.split_at(sums);
        if let Some(db) = db {
            db.copy_from_slice(bias);
        }
        if let Some(dw) = dw {
            for (filter, dw) in dw.chunks_exact_mut(channels * taps).enumerate() {
                let (group, column) = (filter / filters, filter % filters);
                let total = &total[group * taps * channels * row + column..];
                for (channel, dw) in dw.chunks_exact_mut(taps).enumerate() {
                    for (tap, dw) in dw.iter_mut().enumerate() {
                        *dw = total[(tap * channels + channel) * row];
                    }
                }
            }
        }
    });
}

/// What the parts of a backward share.
struct Part<'a> {
    g: &'a Geometry,
    input: Input,
    slope: Slope,
    to_x: Panels,
    to_w: Panels,
    weights: &'a [f32],
    with_weight: bool,
}

impl Part<'_> {
    /// Copies the gradient of a few outputs, masked, and adds them to the bias gradient.
    fn mask(&self, dy: &[f32], y: &[f32], act: Act, to: &mut [f32], db: &mut [f32]) {
        let (g, grid, [height, width]) = (self.g, self.slope.grid, self.g.output());
        let extent = Extent {
            rows: height,
            pixels: width,
            channels: g.filters,
            from_row: width * g.filters,
            to_row: grid.row,
            to_pixel: grid.pixel,
        };
        let size = g.output_size();
        for (image, dy) in dy.chunks_exact(size).enumerate() {
            let y = y.get(image * size..).unwrap_or_default();
            let to = &mut to[image * grid.image + self.slope.start()..];
            extent.copy_masked(dy, y, act, to, db);
        }
    }

    /// Adds the weight gradient of `images`: A is a channel of a tap, B the masked gradient.
    fn weight(
        &self,
        x: &[f32],
        images: usize,
        copies: &mut [f32],
        dy: &[f32],
        dw: &mut [f32],
        tables: &mut Tables,
    ) {
        let (g, xs, dys) = (self.g, self.input.grid, self.slope.grid);
        let [height, width] = g.output();
        let (channels, filters) = (g.channels / g.groups, g.filters / g.groups);
        let row = self.to_w.padded();
        let a = self.input.read(g, x, copies);
        tables.rows.clear();
        for y in 0..g.kernel[0] {
            for x in 0..g.kernel[1] {
                let tap = xs.at(0, y * g.dilation[0], x * g.dilation[1]);
                for a in tap..tap + channels {
                    tables
                        .rows
                        .push((a as u32, (tables.rows.len() * row) as u32));
                }
            }
        }
        tables.segments.clear();
        for image in 0..images {
            for y in 0..height {
                tables.segments.push(Segment {
                    a: xs.at(image, y * g.stride[0], 0),
                    b: dys.at(image, y, 0),
                });
            }
        }
        for segments in tables.segments.chunks((SUMMED / width).max(1)) {
            for group in 0..g.groups {
                let product = Product {
                    panels: self.to_w,
                    layout: Layout::Rows(dys.pixel),
                    rows: &tables.rows,
                    a: a.wrapping_add(group * channels),
                    a_step: g.stride[1] * xs.pixel,
                    b: dy[self.slope.start() + group * filters..].as_ptr(),
                    c: dw[group * tables.rows.len() * row..].as_mut_ptr(),
                    segments,
                    depth: width,
                    finish: Finish::Add,
                    ahead: [&[], &[]],
                };
                // SAFETY: windows stay within the images that are read; `dy` has room for three
                // registers beyond its last pixel; `dw` has a row for each tap and channel.
                unsafe { product.compute() };
            }
        }
    }

    /// Writes the input gradient of `images`. Pixels whose places agree modulo the stride are reached
    /// by the same taps: one product for each such class.
    fn input(&self, images: usize, dy: &[f32], dx: &mut [f32], tables: &mut Tables) {
        let g = self.g;
        let (channels, filters, taps) = (g.channels / g.groups, g.filters / g.groups, g.taps());
        for y in 0..g.stride[0] {
            for x in 0..g.stride[1] {
                self.class([y, x], images, tables);
                for group in 0..g.groups {
                    let product = Product {
                        panels: self.to_x,
                        layout: Layout::Packed(taps * filters),
                        rows: &tables.rows,
                        a: dy[group * filters..].as_ptr(),
                        a_step: 1,
                        b: self.weights[group * self.to_x.packed(taps * filters)..].as_ptr(),
                        c: dx[group * channels..].as_mut_ptr(),
                        segments: &tables.segments,
                        depth: filters,
                        finish: Finish::Set,
                        ahead: [&[], &[]],
                    };
                    // SAFETY: the border of `dy` is as wide as windows reach; each group has weights
                    // and gradients for its channels.
                    unsafe { product.compute() };
                }
            }
        }
    }

    /// The tables of the class of pixels whose place in the padded input is `class` modulo the stride.
    fn class(&self, class: [usize; 2], images: usize, to: &mut Tables) {
        let (g, grid) = (self.g, self.slope.grid);
        // Tap k reaches the pixel at `class + stride · u` from output `u - dilation · k / stride`.
        let taps = |axis: usize| {
            (0..g.kernel[axis]).filter_map(move |tap| {
                let reach = g.dilation[axis] * tap;
                let back = self.slope.before[axis].checked_sub(reach / g.stride[axis])?;
                (reach % g.stride[axis] == class[axis]).then_some((tap, back))
            })
        };
        to.segments.clear();
        for (ky, y) in taps(0) {
            for (kx, x) in taps(1) {
                to.segments.push(Segment {
                    a: grid.at(0, y, x),
                    b: (ky * g.kernel[1] + kx) * (g.filters / g.groups) * self.to_x.step(),
                });
            }
        }
        let pixels = |axis: usize| {
            let (stride, before) = (g.stride[axis], g.padding[axis].0);
            let first = (class[axis] + stride - before % stride) % stride;
            (first..g.input[axis])
                .step_by(stride)
                .map(move |at| (at, (at + before) / stride))
        };
        to.rows.clear();
        for image in 0..images {
            for (y, v) in pixels(0) {
                for (x, u) in pixels(1) {
                    let c = ((image * g.input[0] + y) * g.input[1] + x) * g.channels;
                    to.rows.push((grid.at(image, v, u) as u32, c as u32));
                }
            }
        }
    }
}
