//! The operations of a child on the CPU, as an extension of Burn's flex backend: activations stay
//! channels-last between them, and memory is reused from step to step (`buffers`). Knows tensors and
//! autodiff, not networks.
//!
//! - [`cpu`]: the arithmetic, on slices.
//! - [`flex`]: a [`Kernel`] and its gradients on flex's tensors.
//! - [`layout`]: the tensors, as kernels read and write them.
//! - [`extension`]: the door from Burn, and autodiff.
//!
//! A tensor of images has the shape `[batch, channels, height, width]` all the same, as everywhere in
//! Burn; only its memory is in another order (as PyTorch's `channels_last`). So every operation of
//! Burn's works on it, and whatever its order is on the way in, results here are right.

#[expect(
    unsafe_code,
    reason = "registers and parts of slices; each use is argued"
)]
pub(super) mod cpu;
mod display;
mod extension;
mod flex;
mod layout;

use std::cell::Cell;
use std::sync::Arc;

use burn::backend::Dispatch;
use burn::tensor::{DType, Device, Tensor};

pub(super) use cpu::functions::Function;
pub(super) use cpu::update::{Adam, Sgd};
pub(super) use cpu::{Act, Geometry};
use extension::{Kernels, Updates};

use crate::buffers;

/// An operation with everything but its tensors.
#[derive(Clone, Debug)]
enum Kernel {
    /// Of images, weights `[filters, channels / groups, height, width]` and maybe a bias.
    Conv2d(Geometry, Act),
    /// Of values `[batch, inputs]`, weights `[inputs, outputs]` and maybe a bias.
    Dense,
    /// Of images.
    MaxPool2d(Geometry),
    /// Of images.
    AvgPool2d(Geometry),
    /// Of images of this height and width.
    GlobalAvgPool([usize; 2]),
    /// Of values, scale and shift: the result, and the batch's mean and biased variance.
    BatchNorm(f32, Act),
    /// Of values, a factor per channel and a summand per channel. Has no gradient.
    Affine(Act),
    /// Of values.
    Function(Function),
    /// Of two to four tensors of one shape.
    Add(Act),
    /// Of two to four images with so many channels each.
    Concat([usize; 4]),
    /// Of images, each with a factor of its own.
    ScaleImages(Arc<[f32]>),
    /// Of images and a factor for each of their channels, `[batch, channels, 1, 1]`.
    Gate,
    /// Of logits: their mean cross-entropy, with label smoothing.
    CrossEntropy(Arc<[i64]>, f32),
}

thread_local! {
    static OFF: Cell<bool> = const { Cell::new(false) };
}

/// The instruction set that the kernels use on this CPU: "AVX-512", "AVX2", "NEON" or "scalar".
pub fn instruction_set() -> &'static str {
    cpu::simd::level()
}

/// Runs `work` without the kernels on this thread: Burn's own operations compute all children, as
/// they do on other devices. For comparisons.
pub fn with_burn_operations<R>(work: impl FnOnce() -> R) -> R {
    /// Restores what was before, also when `work` panics.
    struct Before(bool);
    impl Drop for Before {
        fn drop(&mut self) {
            OFF.set(self.0);
        }
    }
    let _before = Before(OFF.replace(true));
    work()
}

/// Lets go of the memory that was kept on this thread from step to step.
pub(super) fn release() {
    buffers::release();
    cpu::release();
}

/// Whether the kernels compute what is asked of `x`: f32 on the CPU.
pub(super) fn serve<const D: usize>(x: &Tensor<D>) -> bool {
    !OFF.get() && x.dtype() == DType::F32 && x.device() == Device::flex()
}

/// A convolution, `[batch, channels, height, width]` to `[batch, filters, …]`, with its activation.
pub(super) fn conv2d(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    geometry: Geometry,
    act: Act,
) -> Tensor<4> {
    let kernel = Kernel::Conv2d(geometry, act);
    let (x, weight) = (x.into_dispatch(), weight.into_dispatch());
    Tensor::from_dispatch(match bias {
        Some(bias) => Dispatch::of_three(kernel, x, weight, bias.into_dispatch()),
        None => Dispatch::of_two(kernel, x, weight),
    })
}

/// A dense layer, `[batch, inputs]` to `[batch, outputs]`, with weights `[inputs, outputs]`.
pub(super) fn dense(x: Tensor<2>, weight: Tensor<2>, bias: Option<Tensor<1>>) -> Tensor<2> {
    let (x, weight) = (x.into_dispatch(), weight.into_dispatch());
    Tensor::from_dispatch(match bias {
        Some(bias) => Dispatch::of_three(Kernel::Dense, x, weight, bias.into_dispatch()),
        None => Dispatch::of_two(Kernel::Dense, x, weight),
    })
}

/// The maximum of each window.
pub(super) fn max_pool2d(x: Tensor<4>, geometry: Geometry) -> Tensor<4> {
    of_one(Kernel::MaxPool2d(geometry), x)
}

/// The average of what each window sees of the image.
pub(super) fn avg_pool2d(x: Tensor<4>, geometry: Geometry) -> Tensor<4> {
    of_one(Kernel::AvgPool2d(geometry), x)
}

/// `[batch, channels, height, width]` to `[batch, channels]`.
pub(super) fn global_avg_pool(x: Tensor<4>) -> Tensor<2> {
    let [_, _, height, width] = x.dims();
    of_one(Kernel::GlobalAvgPool([height, width]), x)
}

/// The batch normalised per channel (the second axis), with its activation; its mean and its biased
/// variance, which have no gradient.
pub(super) fn batch_norm<const D: usize>(
    x: Tensor<D>,
    scale: Tensor<1>,
    shift: Tensor<1>,
    epsilon: f32,
    act: Act,
) -> (Tensor<D>, Tensor<1>, Tensor<1>) {
    let kernel = Kernel::BatchNorm(epsilon, act);
    let (x, scale, shift) = (
        x.into_dispatch(),
        scale.into_dispatch(),
        shift.into_dispatch(),
    );
    let (y, mean, variance) = Dispatch::three_of_three(kernel, x, scale, shift);
    let plain = |x| Tensor::<1>::from_dispatch(x).without_autodiff();
    (Tensor::from_dispatch(y), plain(mean), plain(variance))
}

/// `x · factor + summand` per channel (the second axis), with its activation. Has no gradient.
pub(super) fn affine<const D: usize>(
    x: Tensor<D>,
    factor: Tensor<1>,
    summand: Tensor<1>,
    act: Act,
) -> Tensor<D> {
    let (factor, summand) = (factor.into_dispatch(), summand.into_dispatch());
    let x = x.into_dispatch();
    Tensor::from_dispatch(Dispatch::of_three(Kernel::Affine(act), x, factor, summand))
}

/// An element-wise function.
pub(super) fn function<const D: usize>(x: Tensor<D>, function: Function) -> Tensor<D> {
    of_one(Kernel::Function(function), x)
}

/// The sum of tensors of one shape, with its activation.
pub(super) fn add<const D: usize>(parts: Vec<Tensor<D>>, act: Act) -> Tensor<D> {
    combine(parts, |_, last| {
        Kernel::Add(if last { act } else { Act::Identity })
    })
}

/// Batches of images side by side along the channels.
pub(super) fn concat(parts: Vec<Tensor<4>>) -> Tensor<4> {
    combine(parts, |parts, _| {
        let channels = |i: usize| parts.get(i).map_or(0, |part| part.dims()[1]);
        Kernel::Concat([0, 1, 2, 3].map(channels))
    })
}

/// Images times a factor each.
pub(super) fn scale_images<const D: usize>(x: Tensor<D>, factors: Vec<f32>) -> Tensor<D> {
    of_one(Kernel::ScaleImages(factors.into()), x)
}

/// Images times one factor for each of their channels, `[batch, channels, 1, 1]`.
pub(super) fn gate(x: Tensor<4>, factors: Tensor<4>) -> Tensor<4> {
    let (x, factors) = (x.into_dispatch(), factors.into_dispatch());
    Tensor::from_dispatch(Dispatch::of_two(Kernel::Gate, x, factors))
}

/// The mean cross-entropy of `logits`, `[batch, classes]`, against `labels`, `[batch]`.
pub(super) fn cross_entropy(logits: Tensor<2>, labels: &[i64], smoothing: f32) -> Tensor<1> {
    of_one(Kernel::CrossEntropy(labels.into(), smoothing), logits)
}

/// An array and its moments after an update, counted from 1.
pub(super) fn adam(
    rule: Adam,
    step: usize,
    x: Tensor<1>,
    gradient: Tensor<1>,
    first: Tensor<1>,
    second: Tensor<1>,
) -> (Tensor<1>, Tensor<1>, Tensor<1>) {
    let [x, gradient, first, second] = [x, gradient, first, second].map(Tensor::into_dispatch);
    let (x, first, second) = Dispatch::adam(rule, step, x, gradient, first, second);
    let tensor = Tensor::from_dispatch;
    (tensor(x), tensor(first), tensor(second))
}

/// An array and its velocity after an update.
pub(super) fn sgd(
    rule: Sgd,
    x: Tensor<1>,
    gradient: Tensor<1>,
    velocity: Tensor<1>,
) -> (Tensor<1>, Tensor<1>) {
    let [x, gradient, velocity] = [x, gradient, velocity].map(Tensor::into_dispatch);
    let (x, velocity) = Dispatch::sgd(rule, x, gradient, velocity);
    (Tensor::from_dispatch(x), Tensor::from_dispatch(velocity))
}

/// An array after an update without momentum.
pub(super) fn descend(rule: Sgd, x: Tensor<1>, gradient: Tensor<1>) -> Tensor<1> {
    let [x, gradient] = [x, gradient].map(Tensor::into_dispatch);
    Tensor::from_dispatch(Dispatch::descend(rule, x, gradient))
}

fn of_one<const D: usize, const E: usize>(kernel: Kernel, x: Tensor<D>) -> Tensor<E> {
    Tensor::from_dispatch(Dispatch::of_one(kernel, x.into_dispatch()))
}

/// Joins neighbours, four at a time, until one is left. `kernel` is told who is joined, and whether
/// they are all.
fn combine<const D: usize>(
    mut parts: Vec<Tensor<D>>,
    kernel: impl Fn(&[Tensor<D>], bool) -> Kernel,
) -> Tensor<D> {
    loop {
        let last = parts.len() <= 4;
        let mut joined: Vec<Tensor<D>> = Vec::with_capacity(parts.len().div_ceil(4));
        let mut rest = parts.into_iter();
        while rest.len() > 0 {
            let group: Vec<_> = rest.by_ref().take(4).collect();
            let kernel = kernel(&group, last);
            let mut group = group.into_iter().map(Tensor::into_dispatch);
            let next = [(); 4].map(|()| group.next());
            joined.push(Tensor::from_dispatch(match next {
                [Some(a), Some(b), Some(c), Some(d)] => Dispatch::of_four(kernel, a, b, c, d),
                [Some(a), Some(b), Some(c), None] => Dispatch::of_three(kernel, a, b, c),
                [Some(a), Some(b), ..] => Dispatch::of_two(kernel, a, b),
                [Some(a), ..] => Dispatch::of_one(kernel, a),
                [None, ..] => unreachable!("a group has a first"),
            }));
        }
        if last && let Some(joined) = joined.pop() {
            return joined;
        }
        parts = joined;
    }
}
