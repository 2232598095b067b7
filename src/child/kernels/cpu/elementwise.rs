//! Operations on each value by itself: activations, sums, products with a factor for each image or
//! channel, and channels put beside each other. Knows nothing of windows.

use pulp::{Simd, WithSimd};

use super::Act;
use super::functions::Function;
use super::lanes::{activate, gate, walk};
use super::parallel::{self, Shared};
use super::simd::{self, load_first, store_first};

/// Values that one part of the work takes: they stay in the L1 cache.
const CHUNK: usize = 1 << 13;

/// `y = function(x)`.
pub fn apply(function: Function, x: &[f32], y: &mut [f32]) {
    map(Apply(function), [x], y);
}

/// The gradient of `x` from `dy`, that of [`apply`]'s `y`; `kept` is what
/// [`Function::keeps_output`] says, `y` or `x`.
pub fn apply_backward(function: Function, kept: &[f32], dy: &[f32], dx: &mut [f32]) {
    map(Slope(function), [kept, dy], dx);
}

/// The gradient before an activation from `dy`, that of its result `y`.
pub fn before(act: Act, y: &[f32], dy: &[f32], dx: &mut [f32]) {
    map(Gate(act), [y, dy], dx);
}

/// `y = act(Σ inputs)`.
pub fn add(inputs: &[&[f32]], act: Act, y: &mut [f32]) {
    assert!(inputs.iter().all(|input| input.len() == y.len()));
    let len = y.len();
    let y = Shared::new(y);
    parallel::each(len.div_ceil(CHUNK), |part| {
        let start = part * CHUNK;
        // SAFETY: each part has values of its own.
        let y = unsafe { y.slice(start, CHUNK.min(len - start)) };
        simd::dispatch(Add {
            inputs,
            start,
            act,
            y,
        });
    });
}

/// `y = x * factors`, one factor an image.
pub fn scale_images(x: &[f32], factors: &[f32], y: &mut [f32]) {
    let size = x.len() / factors.len();
    let y = Shared::new(y);
    parallel::each(factors.len(), |image| {
        simd::dispatch(Values {
            map: Factor(factors[image]),
            inputs: [&x[image * size..][..size]],
            // SAFETY: each image is a part.
            y: unsafe { y.slice(image * size, size) },
        });
    });
}

/// `y = x * factors`, for `x` `[batch, pixels, channels]` one factor `[batch, channels]` an image and
/// channel.
pub fn scale_channels(pixels: usize, channels: usize, x: &[f32], factors: &[f32], y: &mut [f32]) {
    let size = pixels * channels;
    let y = Shared::new(y);
    parallel::each(x.len() / size, |image| {
        simd::dispatch(Channels {
            from: &x[image * size..][..size],
            factors: &factors[image * channels..][..channels],
            // SAFETY: each image is a part.
            to: unsafe { y.slice(image * size, size) },
            products: None,
        });
    });
}

/// The gradients of [`scale_channels`], given that of `y`.
pub fn scale_channels_backward(
    [pixels, channels]: [usize; 2],
    x: &[f32],
    factors: &[f32],
    dy: &[f32],
    dx: &mut [f32],
    dfactors: &mut [f32],
) {
    let size = pixels * channels;
    let (dx, dfactors) = (Shared::new(dx), Shared::new(dfactors));
    parallel::each(x.len() / size, |image| {
        // SAFETY: each image is a part.
        let (dx, dfactors) = unsafe {
            let dfactors = dfactors.slice(image * channels, channels);
            (dx.slice(image * size, size), dfactors)
        };
        simd::dispatch(Channels {
            from: &dy[image * size..][..size],
            factors: &factors[image * channels..][..channels],
            to: dx,
            products: Some((&x[image * size..][..size], dfactors)),
        });
    });
}

/// Puts the channels of the inputs, `(values, channels)`, beside each other.
pub fn concat(inputs: &[(&[f32], usize)], y: &mut [f32]) {
    let channels: usize = inputs.iter().map(|(_, channels)| channels).sum();
    for (pixel, y) in y.chunks_exact_mut(channels).enumerate() {
        let mut rest = y;
        for &(input, channels) in inputs {
            let (to, others) = rest.split_at_mut(channels);
            to.copy_from_slice(&input[pixel * channels..][..channels]);
            rest = others;
        }
    }
}

/// Takes channels apart again: the gradients of [`concat`]'s inputs, `(values, channels)`.
pub fn split(dy: &[f32], gradients: &mut [(&mut [f32], usize)]) {
    let channels: usize = gradients.iter().map(|(_, channels)| channels).sum();
    for (pixel, dy) in dy.chunks_exact(channels).enumerate() {
        let mut rest = dy;
        for (gradient, channels) in gradients.iter_mut() {
            let (from, others) = rest.split_at(*channels);
            gradient[pixel * *channels..][..*channels].copy_from_slice(from);
            rest = others;
        }
    }
}

/// A value from `N` values.
trait Map<const N: usize>: Copy + Send + Sync {
    fn value<S: Simd>(self, simd: S, inputs: [S::f32s; N]) -> S::f32s;
}

#[derive(Clone, Copy)]
struct Apply(Function);

impl Map<1> for Apply {
    #[inline(always)]
    fn value<S: Simd>(self, simd: S, [x]: [S::f32s; 1]) -> S::f32s {
        self.0.value(simd, x)
    }
}

#[derive(Clone, Copy)]
struct Slope(Function);

impl Map<2> for Slope {
    #[inline(always)]
    fn value<S: Simd>(self, simd: S, [kept, dy]: [S::f32s; 2]) -> S::f32s {
        simd.mul_f32s(self.0.slope(simd, kept), dy)
    }
}

#[derive(Clone, Copy)]
struct Gate(Act);

impl Map<2> for Gate {
    #[inline(always)]
    fn value<S: Simd>(self, simd: S, [y, dy]: [S::f32s; 2]) -> S::f32s {
        gate(simd, self.0, y, dy)
    }
}

#[derive(Clone, Copy)]
struct Factor(f32);

impl Map<1> for Factor {
    #[inline(always)]
    fn value<S: Simd>(self, simd: S, [x]: [S::f32s; 1]) -> S::f32s {
        simd.mul_f32s(x, simd.splat_f32s(self.0))
    }
}

/// `y = map(inputs)`, value by value.
fn map<const N: usize>(map: impl Map<N>, inputs: [&[f32]; N], y: &mut [f32]) {
    let len = y.len();
    let y = Shared::new(y);
    parallel::each(len.div_ceil(CHUNK), |part| {
        let at = part * CHUNK..len.min((part + 1) * CHUNK);
        simd::dispatch(Values {
            map,
            inputs: inputs.map(|input| &input[at.clone()]),
            // SAFETY: each part has values of its own.
            y: unsafe { y.slice(at.start, at.len()) },
        });
    });
}

struct Values<'a, M, const N: usize> {
    map: M,
    inputs: [&'a [f32]; N],
    y: &'a mut [f32],
}

impl<M: Map<N>, const N: usize> WithSimd for Values<'_, M, N> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        assert!(self.inputs.iter().all(|input| input.len() == self.y.len()));
        let (inputs, y) = (self.inputs, self.y.as_mut_ptr());
        walk(
            simd,
            self.y.len(),
            #[inline(always)]
            |at, lanes| {
                let mut values = [simd.splat_f32s(0.0); N];
                // SAFETY: the slices are equally long.
                unsafe {
                    for (value, input) in values.iter_mut().zip(inputs) {
                        *value = load_first(simd, input.as_ptr().add(at), lanes);
                    }
                    store_first(simd, y.add(at), self.map.value(simd, values), lanes);
                }
            },
        );
    }
}

struct Add<'a> {
    inputs: &'a [&'a [f32]],
    start: usize,
    act: Act,
    y: &'a mut [f32],
}

impl WithSimd for Add<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let y = self.y.as_mut_ptr();
        walk(
            simd,
            self.y.len(),
            #[inline(always)]
            |at, lanes| {
                let mut sum = simd.splat_f32s(0.0);
                // SAFETY: the inputs are as long as the whole sum.
                unsafe {
                    for input in self.inputs {
                        let value = load_first(simd, input.as_ptr().add(self.start + at), lanes);
                        sum = simd.add_f32s(sum, value);
                    }
                    store_first(simd, y.add(at), activate(simd, self.act, sum), lanes);
                }
            },
        );
    }
}

/// `to = from * factors`, one a channel, and Σ from · x for each channel.
struct Channels<'a> {
    from: &'a [f32],
    factors: &'a [f32],
    to: &'a mut [f32],
    /// The other values of the products, and their sums, which are overwritten.
    products: Option<(&'a [f32], &'a mut [f32])>,
}

impl WithSimd for Channels<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let channels = self.factors.len();
        assert!(self.from.len() == self.to.len() && self.to.len().is_multiple_of(channels));
        if let Some((x, sums)) = &mut self.products {
            assert!(x.len() == self.to.len() && sums.len() == channels);
            sums.fill(0.0);
        }
        let (from, to) = (self.from.as_ptr(), self.to.as_mut_ptr());
        let factors = self.factors.as_ptr();
        let products = self
            .products
            .map(|(x, sums)| (x.as_ptr(), sums.as_mut_ptr()));
        // A few pixels at a time: their partial sum stays in a register.
        for start in (0..self.to.len()).step_by(8 * channels) {
            let end = self.to.len().min(start + 8 * channels);
            walk(
                simd,
                channels,
                #[inline(always)]
                |channel, lanes| {
                    // SAFETY: the channels of these pixels.
                    unsafe {
                        let factor = load_first(simd, factors.add(channel), lanes);
                        let mut sum = simd.splat_f32s(0.0);
                        for at in (start..end).step_by(channels).map(|pixel| pixel + channel) {
                            let value = load_first(simd, from.add(at), lanes);
                            store_first(simd, to.add(at), simd.mul_f32s(value, factor), lanes);
                            if let Some((x, _)) = products {
                                let x = load_first(simd, x.add(at), lanes);
                                sum = simd.mul_add_e_f32s(value, x, sum);
                            }
                        }
                        if let Some((_, sums)) = products {
                            let before = load_first(simd, sums.add(channel), lanes);
                            store_first(simd, sums.add(channel), simd.add_f32s(before, sum), lanes);
                        }
                    }
                },
            );
        }
    }
}
