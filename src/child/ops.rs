//! Each operation as Burn computes it, on a batch. Knows attributes and tensors, not graphs.

use burn::module::Param;
use burn::tensor::ops::{AvgPoolOptions, ConvOptions, MaxPoolOptions};
use burn::tensor::{Device, Tensor, TensorData, activation, module};

use super::initial::unit;
use super::parameters::{Conv, Dense, Norm, Running};
use crate::network::{self, Activation, BatchNorm, Conv2d, Padding, Pool2d};
use crate::seed::StreamRng;

/// A batch of activations: images, or flat feature vectors.
#[derive(Clone, Debug)]
pub(super) enum Values {
    /// `[batch, channels, height, width]`.
    Image(Tensor<4>),
    /// `[batch, features]`.
    Flat(Tensor<2>),
}

impl Values {
    /// As images; a flat vector is an image of one pixel with as many channels.
    pub fn image(self) -> Tensor<4> {
        match self {
            Self::Image(x) => x,
            Self::Flat(x) => {
                let [batch, features] = x.dims();
                x.reshape([batch, features, 1, 1])
            }
        }
    }

    /// As flat vectors, row by row.
    pub fn flat(self) -> Tensor<2> {
        match self {
            Self::Image(x) => x.flatten(1, 3),
            Self::Flat(x) => x,
        }
    }
}

/// Applies the same code to a tensor of either rank.
macro_rules! each_rank {
    ($values:expr, $x:ident => $body:expr) => {
        match $values {
            Values::Image($x) => Values::Image($body),
            Values::Flat($x) => Values::Flat($body),
        }
    };
}

/// A convolution: the one place that computes it.
pub(super) fn conv2d(x: Tensor<4>, weights: &Conv, conv: &Conv2d) -> Tensor<4> {
    let bias = weights.bias.as_ref().map(Param::val);
    let options = ConvOptions {
        stride: conv.stride,
        padding: padding(&x, conv.padding, conv.kernel, conv.stride, conv.dilation),
        dilation: conv.dilation,
        groups: conv.groups,
    };
    module::conv2d(x, weights.weight.val(), bias, options)
}

pub(super) fn max_pool2d(x: Tensor<4>, pool: &Pool2d) -> Tensor<4> {
    let options = MaxPoolOptions {
        kernel_size: pool.kernel,
        stride: pool.stride,
        padding: padding(&x, pool.padding, pool.kernel, pool.stride, [1, 1]),
        dilation: [1, 1],
        ceil_mode: false,
    };
    module::max_pool2d(x, options)
}

pub(super) fn avg_pool2d(x: Tensor<4>, pool: &Pool2d) -> Tensor<4> {
    let options = AvgPoolOptions {
        kernel_size: pool.kernel,
        stride: pool.stride,
        padding: padding(&x, pool.padding, pool.kernel, pool.stride, [1, 1]),
        count_include_pad: false,
        ceil_mode: false,
    };
    module::avg_pool2d(x, options)
}

/// `[batch, channels, height, width]` to `[batch, channels]`.
pub(super) fn global_avg_pool(x: Tensor<4>) -> Tensor<2> {
    let [batch, channels, height, width] = x.dims();
    let mean = x.reshape([batch, channels, height * width]).mean_dim(2);
    mean.reshape([batch, channels])
}

pub(super) fn dense(x: Tensor<2>, weights: &Dense) -> Tensor<2> {
    module::linear(
        x,
        weights.weight.val(),
        weights.bias.as_ref().map(Param::val),
    )
}

/// Normalises by the running statistics.
pub(super) fn batch_norm(x: Values, weights: &Norm, running: &Running, norm: &BatchNorm) -> Values {
    let Running { mean, variance } = running.clone();
    let (scale, shift) = (weights.weight.val(), weights.bias.val());
    each_rank!(x, x => module::batch_norm(x, scale, shift, mean, variance, norm.epsilon))
}

/// Normalises by the statistics of the batch, and blends them into the running ones. The variance is
/// the biased one in both places, as in Keras.
pub(super) fn batch_norm_train(
    x: Values,
    weights: &Norm,
    running: &mut Running,
    norm: &BatchNorm,
) -> Values {
    let (scale, shift) = (weights.weight.val(), weights.bias.val());
    let mut blend = |mean: Tensor<1>, variance: Tensor<1>| {
        let blend = |old: &Tensor<1>, new: Tensor<1>| {
            let new = new.without_autodiff().mul_scalar(norm.momentum);
            old.clone().mul_scalar(1.0 - norm.momentum).add(new)
        };
        *running = Running {
            mean: blend(&running.mean, mean),
            variance: blend(&running.variance, variance),
        };
    };
    each_rank!(x, x => {
        let result = module::batch_norm_train(x, scale, shift, norm.epsilon);
        blend(result.mean, result.variance);
        result.output
    })
}

/// Drops elements with probability `rate`; the mask is drawn on the host.
pub(super) fn dropout(x: Values, rate: f64, rng: &mut StreamRng) -> Values {
    let scale = (1.0 / (1.0 - rate)) as f32;
    each_rank!(x, x => {
        let shape = x.dims();
        let draw = |_| if f64::from(unit(rng)) < rate { 0.0 } else { scale };
        let mask: Vec<f32> = (0..shape.iter().product()).map(draw).collect();
        let device: Device = x.device();
        x.mul(Tensor::from_data(TensorData::new(mask, shape), &device))
    })
}

pub(super) fn activation(x: Values, activation: Activation) -> Values {
    each_rank!(x, x => match activation {
        Activation::Relu => activation::relu(x),
        Activation::Gelu => activation::gelu(x),
        Activation::Silu => activation::silu(x),
        Activation::Tanh => activation::tanh(x),
        Activation::Sigmoid => activation::sigmoid(x),
    })
}

pub(super) fn add(a: Values, b: Values) -> Values {
    match (a, b) {
        (Values::Image(a), Values::Image(b)) => Values::Image(a.add(b)),
        (a, b) => Values::Flat(a.flat().add(b.flat())),
    }
}

pub(super) fn concat(parts: Vec<Values>) -> Values {
    if parts.iter().all(|part| matches!(part, Values::Flat(_))) {
        Values::Flat(Tensor::cat(
            parts.into_iter().map(Values::flat).collect(),
            1,
        ))
    } else {
        Values::Image(Tensor::cat(
            parts.into_iter().map(Values::image).collect(),
            1,
        ))
    }
}

/// The padding of `x` as `(before, after)` down and across. Burn takes odd padding as it is, so
/// nothing is copied where the backend can do without.
fn padding(
    x: &Tensor<4>,
    padding: Padding,
    kernel: [usize; 2],
    stride: [usize; 2],
    dilation: [usize; 2],
) -> [(usize, usize); 2] {
    let [_, _, height, width] = x.dims();
    let side = |axis: usize, size| match padding {
        Padding::Valid => (0, 0),
        Padding::Same => {
            network::same_padding(size, kernel[axis], stride[axis], dilation[axis]).into()
        }
    };
    [side(0, height), side(1, width)]
}
