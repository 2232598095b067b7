//! Pooling: the maximum or the average of windows, and the average of whole images. Knows nothing of
//! convolutions; a window is a `Geometry` with as many filters as channels.

use pulp::{Simd, WithSimd};

use super::Geometry;
use super::lanes::walk;
use super::parallel::{self, Shared};
use super::simd::{self, load_first, store_first};

/// What is made of the values of a window; padding is none of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pool {
    Max,
    Average,
}

/// `y`, the pooled `x`. A value that is not a number makes its windows so.
pub fn forward(g: &Geometry, pool: Pool, x: &[f32], y: &mut [f32]) {
    let y = Shared::new(y);
    parallel::each(g.batch, |image| {
        simd::dispatch_columns(
            g.channels,
            Forward {
                g,
                pool,
                x: &x[image * g.input_size()..][..g.input_size()],
                // SAFETY: each image is a part.
                y: unsafe { y.slice(image * g.output_size(), g.output_size()) },
            },
        );
    });
}

/// The gradient of `x` from `dy`, that of `y`; of a maximum's taps, the first that equals it gets all.
/// Averages read neither `x` nor `y`.
pub fn backward(g: &Geometry, pool: Pool, x: &[f32], y: &[f32], dy: &[f32], dx: &mut [f32]) {
    let dx = Shared::new(dx);
    parallel::each(g.batch, |image| {
        let input = image * g.input_size()..(image + 1) * g.input_size();
        let output = image * g.output_size()..(image + 1) * g.output_size();
        simd::dispatch_columns(
            g.channels,
            Backward {
                g,
                maximum: (pool == Pool::Max).then(|| (&x[input.clone()], &y[output.clone()])),
                dy: &dy[output],
                // SAFETY: each image is a part.
                dx: unsafe { dx.slice(input.start, input.len()) },
            },
        );
    });
}

/// The averages `[images, channels]` of images `[images, pixels, channels]`.
pub fn global_forward(pixels: usize, channels: usize, x: &[f32], y: &mut [f32]) {
    let y_all = Shared::new(y);
    parallel::each(x.len() / (pixels * channels), |image| {
        simd::dispatch(Mean {
            x: &x[image * pixels * channels..][..pixels * channels],
            // SAFETY: each image is a part.
            y: unsafe { y_all.slice(image * channels, channels) },
        });
    });
}

/// The gradient of the images of [`global_forward`].
pub fn global_backward(pixels: usize, channels: usize, dy: &[f32], dx: &mut [f32]) {
    let images = dy.len() / channels;
    let dx = Shared::new(dx);
    parallel::each(images, |image| {
        // SAFETY: each image is a part.
        let dx = unsafe { dx.slice(image * pixels * channels, pixels * channels) };
        let share = 1.0 / pixels as f32;
        for pixel in dx.chunks_exact_mut(channels) {
            for (dx, dy) in pixel.iter_mut().zip(&dy[image * channels..]) {
                *dx = dy * share;
            }
        }
    });
}

/// The inputs `(first, count)` along an axis that the output at `place` sees, a dilation apart.
fn seen(g: &Geometry, axis: usize, place: usize) -> (usize, usize) {
    let (step, before) = (g.dilation[axis], g.padding[axis].0);
    let first = place * g.stride[axis];
    let skipped = before.saturating_sub(first).div_ceil(step);
    let first = first + skipped * step - before;
    let room = g.input[axis].saturating_sub(first).div_ceil(step);
    (first, room.min(g.kernel[axis].saturating_sub(skipped)))
}

/// Calls `visit(output, inputs)` for each output pixel of an image with where its values start: its own,
/// and those of its taps, in order.
#[inline(always)]
fn windows(g: &Geometry, mut visit: impl FnMut(usize, Taps)) {
    let [height, width] = g.output();
    for row in 0..height {
        let (top, rows) = seen(g, 0, row);
        for column in 0..width {
            let (left, columns) = seen(g, 1, column);
            let taps = Taps {
                first: (top * g.input[1] + left) * g.channels,
                rows,
                columns,
                down: g.dilation[0] * g.input[1] * g.channels,
                across: g.dilation[1] * g.channels,
            };
            visit((row * width + column) * g.channels, taps);
        }
    }
}

/// Where the inputs of a window start.
#[derive(Clone, Copy)]
struct Taps {
    first: usize,
    rows: usize,
    columns: usize,
    down: usize,
    across: usize,
}

impl Taps {
    /// Calls `visit` with where each input starts.
    #[inline(always)]
    fn each(self, mut visit: impl FnMut(usize)) {
        for row in 0..self.rows {
            let mut at = self.first + row * self.down;
            for _ in 0..self.columns {
                visit(at);
                at += self.across;
            }
        }
    }

    /// One over the number of inputs.
    fn share(self) -> f32 {
        1.0 / (self.rows * self.columns) as f32
    }
}

struct Forward<'a> {
    g: &'a Geometry,
    pool: Pool,
    x: &'a [f32],
    y: &'a mut [f32],
}

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (g, pool) = (self.g, self.pool);
        assert!(self.x.len() == g.input_size() && self.y.len() == g.output_size());
        let (x, y) = (self.x.as_ptr(), self.y.as_mut_ptr());
        windows(
            g,
            #[inline(always)]
            |output, taps| {
                walk(
                    simd,
                    g.channels,
                    #[inline(always)]
                    |channel, lanes| {
                        // SAFETY: taps and outputs are within the images.
                        let read =
                            |at: usize| unsafe { load_first(simd, x.add(at + channel), lanes) };
                        let value = match pool {
                            Pool::Max => {
                                let mut most = read(taps.first);
                                taps.each(
                                    #[inline(always)]
                                    |at| most = larger(simd, most, read(at)),
                                );
                                most
                            }
                            Pool::Average => {
                                let mut sum = simd.splat_f32s(0.0);
                                taps.each(
                                    #[inline(always)]
                                    |at| sum = simd.add_f32s(sum, read(at)),
                                );
                                simd.mul_f32s(sum, simd.splat_f32s(taps.share()))
                            }
                        };
                        // SAFETY: as above.
                        unsafe { store_first(simd, y.add(output + channel), value, lanes) };
                    },
                );
            },
        );
    }
}

/// The larger of two values; not a number where one of them is not.
#[inline(always)]
fn larger<S: Simd>(simd: S, a: S::f32s, b: S::f32s) -> S::f32s {
    let larger = simd.select_f32s(simd.less_than_f32s(b, a), a, b);
    simd.select_f32s(simd.equal_f32s(a, a), larger, a)
}

struct Backward<'a> {
    g: &'a Geometry,
    /// The input and the output, for maxima.
    maximum: Option<(&'a [f32], &'a [f32])>,
    dy: &'a [f32],
    dx: &'a mut [f32],
}

impl WithSimd for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let g = self.g;
        assert!(self.dx.len() == g.input_size() && self.dy.len() == g.output_size());
        let fits =
            |(x, y): (&[f32], &[f32])| x.len() == g.input_size() && y.len() == g.output_size();
        assert!(self.maximum.is_none_or(fits));
        self.dx.fill(0.0);
        let (maximum, dy, dx) = (self.maximum, self.dy.as_ptr(), self.dx.as_mut_ptr());
        windows(
            g,
            #[inline(always)]
            |output, taps| {
                walk(
                    simd,
                    g.channels,
                    #[inline(always)]
                    |channel, lanes| {
                        // SAFETY: taps and outputs are within the images.
                        let read = |from: *const f32, at: usize| unsafe {
                            load_first(simd, from.add(at + channel), lanes)
                        };
                        let grow = |at: usize, by: S::f32s| {
                            let value = simd.add_f32s(read(dx, at), by);
                            // SAFETY: as above.
                            unsafe { store_first(simd, dx.add(at + channel), value, lanes) };
                        };
                        let dy = read(dy, output);
                        let Some((x, y)) = maximum else {
                            let share = simd.mul_f32s(dy, simd.splat_f32s(taps.share()));
                            taps.each(
                                #[inline(always)]
                                |at| grow(at, share),
                            );
                            return;
                        };
                        // What no tap has taken yet.
                        let (most, mut left) = (read(y.as_ptr(), output), dy);
                        let none = simd.splat_f32s(0.0);
                        taps.each(
                            #[inline(always)]
                            |at| {
                                let hit = simd.equal_f32s(read(x.as_ptr(), at), most);
                                grow(at, simd.select_f32s(hit, left, none));
                                left = simd.select_f32s(hit, none, left);
                            },
                        );
                    },
                );
            },
        );
    }
}

/// The average of an image's pixels.
struct Mean<'a> {
    x: &'a [f32],
    y: &'a mut [f32],
}

impl WithSimd for Mean<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let channels = self.y.len();
        let share = simd.splat_f32s((self.x.len() as f32 / channels as f32).recip());
        let (x, y) = (self.x, self.y.as_mut_ptr());
        walk(
            simd,
            channels,
            #[inline(always)]
            |channel, lanes| {
                // Several sums: they do not wait for each other, and are rounded less.
                let mut sums = [simd.splat_f32s(0.0); 4];
                for pixels in x.chunks(4 * channels) {
                    for (pixel, sum) in pixels.chunks_exact(channels).zip(&mut sums) {
                        // SAFETY: a pixel's channels.
                        let x = unsafe { load_first(simd, pixel.as_ptr().add(channel), lanes) };
                        *sum = simd.add_f32s(*sum, x);
                    }
                }
                let [a, b, c, d] = sums;
                let sum = simd.add_f32s(simd.add_f32s(a, b), simd.add_f32s(c, d));
                // SAFETY: as above.
                unsafe { store_first(simd, y.add(channel), simd.mul_f32s(sum, share), lanes) };
            },
        );
    }
}
