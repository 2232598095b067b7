//! Convolution of any window, stride, dilation, padding and groups, as products of pixels with
//! weights: each row of A is a window over a padded copy of a few images, read where it lies.

use super::conv::Gradients;
use super::copy::{Extent, pitch};
use super::parallel::{self, Shared};
use super::product::{Finish, Layout, Panels, Product, Segment, Tables};
use super::{Act, Geometry, scratch};

/// The values of images that are copied at once: half of a small L2.
const COPIED: usize = 48_000;

/// The pixels that a product of a weight gradient sums over: their lines of A and B fit L1.
const SUMMED: usize = 128;

/// Where images lie, in values from pixel to pixel, row to row, image to image.
#[derive(Clone, Copy)]
struct Grid {
    pixel: usize,
    row: usize,
    image: usize,
}

impl Grid {
    fn new(pixel: usize, [height, width]: [usize; 2]) -> Self {
        let row = width * pixel;
        let image = height * row;
        Self { pixel, row, image }
    }

    fn at(self, image: usize, y: usize, x: usize) -> usize {
        image * self.image + y * self.row + x * self.pixel
    }
}

/// The input as windows read it: as it is where nothing is padded, else a copy.
struct Input {
    grid: Grid,
    /// Where pixels come from and go, if they are copied.
    copy: Option<(Extent, usize)>,
}

impl Input {
    fn new(g: &Geometry) -> Self {
        if g.padding == [(0, 0); 2] {
            let grid = Grid::new(g.channels, g.input);
            return Self { grid, copy: None };
        }
        let output = g.output();
        // Only what a window sees.
        let seen = [0, 1].map(|i| (output[i] - 1) * g.stride[i] + extent(g, i));
        let before = [0, 1].map(|i| g.padding[i].0.min(seen[i]));
        let copied = [0, 1].map(|i| g.input[i].min(seen[i] - before[i]));
        let grid = Grid::new(pitch(g.channels), seen);
        let extent = Extent {
            rows: if copied[1] == 0 { 0 } else { copied[0] },
            pixels: copied[1],
            channels: g.channels,
            from_row: g.input[1] * g.channels,
            to_row: grid.row,
            to_pixel: grid.pixel,
        };
        let start = grid.at(0, before[0], before[1]);
        let copy = Some((extent, start));
        Self { grid, copy }
    }

    /// The memory that `images` take.
    fn memory(&self, images: usize) -> usize {
        self.copy.map_or(0, |_| images * self.grid.image)
    }

    /// Where the images of `x` are read, once copied to `memory`, whose borders are zeros.
    fn read(&self, g: &Geometry, x: &[f32], memory: &mut [f32]) -> *const f32 {
        let Some((extent, start)) = self.copy else {
            return x.as_ptr();
        };
        let copies = memory.chunks_exact_mut(self.grid.image);
        for (from, to) in x.chunks_exact(g.input_size()).zip(copies) {
            if let Some(to) = to.get_mut(start..) {
                extent.copy(from, to);
            }
        }
        memory.as_ptr()
    }
}

/// How far the window reaches along an axis.
fn extent(g: &Geometry, axis: usize) -> usize {
    g.dilation[axis] * (g.kernel[axis] - 1) + 1
}

/// Whether a product applies `act` and a bias, the values from `bias`.
fn finish(bias: &[f32], act: Act) -> Finish {
    let (low, high) = act.bounds();
    Finish::Bias(bias.as_ptr(), low, high)
}

/// As [`super::conv::forward`].
pub(crate) fn forward(
    g: &Geometry,
    x: &[f32],
    weight: &[f32],
    bias: Option<&[f32]>,
    act: Act,
    y: &mut [f32],
) {
    let (channels, filters, taps) = (g.channels / g.groups, g.filters / g.groups, g.taps());
    let depth = taps * channels;
    let panels = Panels::new(filters);
    let packed = panels.packed(depth);
    let input = Input::new(g);
    let (parts, images) = parallel::parts(g.batch);
    let chunk = (COPIED / input.grid.image).clamp(1, images);
    scratch::with(g.groups * packed + g.filters, |memory| {
        let (weights, no_bias) = memory.split_at_mut(g.groups * packed);
        for (group, weights) in weights.chunks_exact_mut(packed).enumerate() {
            panels.pack(depth, weights, |row, column| {
                let filter = group * filters + column;
                weight[(filter * channels + row % channels) * taps + row / channels]
            });
        }
        no_bias.fill(0.0);
        let (weights, bias) = (&*weights, bias.unwrap_or(no_bias));
        let y = Shared::new(y);
        let work = |tables: &mut Tables, memory: &mut [f32], first: usize, last: usize| {
            let depth = windows(g, &input, panels, chunk, tables);
            memory.fill(0.0);
            for start in (first..last).step_by(chunk) {
                let count = chunk.min(last - start);
                let x = &x[start * g.input_size()..][..count * g.input_size()];
                let a = input.read(g, x, memory);
                // SAFETY: each part writes its own images.
                let y = unsafe { y.slice(start * g.output_size(), count * g.output_size()) };
                for group in 0..g.groups {
                    let product = Product {
                        panels,
                        layout: Layout::Packed(taps * channels),
                        rows: &tables.rows[..y.len() / g.filters],
                        a: a.wrapping_add(group * channels),
                        a_step: 1,
                        b: weights[group * packed..].as_ptr(),
                        c: y[group * filters..].as_mut_ptr(),
                        segments: &tables.segments,
                        depth,
                        finish: finish(&bias[group * filters..], act),
                        ahead: [&[], &[]],
                    };
                    // SAFETY: windows stay within the images that are read, `count` of them; each
                    // group has weights, biases and outputs for its filters.
                    unsafe { product.compute() };
                }
            }
        };
        parallel::each(parts, |part| {
            let last = g.batch.min((part + 1) * images);
            scratch::with(input.memory(chunk), |memory| {
                Tables::with(|tables| work(tables, memory, part * images, last));
            });
        });
    });
}

/// The tables of a forward product over `images`: a row for each window, a segment for each run of
/// taps that lie together. Returns how long those are.
fn windows(g: &Geometry, input: &Input, panels: Panels, images: usize, to: &mut Tables) -> usize {
    let ([height, width], grid) = (g.output(), input.grid);
    to.rows.clear();
    for image in 0..images {
        for y in 0..height {
            let first = grid.at(image, y * g.stride[0], 0);
            for x in 0..width {
                let a = first + x * g.stride[1] * grid.pixel;
                to.rows.push((a as u32, (to.rows.len() * g.filters) as u32));
            }
        }
    }
    let channels = g.channels / g.groups;
    let run = match grid.pixel == channels && g.dilation[1] == 1 {
        true => g.kernel[1],
        false => 1,
    };
    to.segments.clear();
    for y in 0..g.kernel[0] {
        for x in (0..g.kernel[1]).step_by(run) {
            to.segments.push(Segment {
                a: grid.at(0, y * g.dilation[0], x * g.dilation[1]),
                b: (y * g.kernel[1] + x) * channels * panels.step(),
            });
        }
    }
    run * channels
}

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
