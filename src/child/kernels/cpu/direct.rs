//! Convolution of any window, stride, dilation, padding and groups, as products of pixels with
//! weights: each row of A is a window over a padded copy of a few images, read where it lies.

mod backward;

use super::copy::{Extent, pitch};
use super::panels::{Layout, Panels, Product, Tables};
use super::parallel::{self, Shared};
use super::product::{Finish, Segment};
use super::{Act, Geometry, scratch};

pub(crate) use backward::backward;

/// The values of images that are copied at once: half of a small L2.
const COPIED: usize = 48_000;

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
