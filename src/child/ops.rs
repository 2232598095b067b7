//! Each operation on a batch, but those on windows: by the kernels where they serve, else by Burn. Knows
//! attributes and tensors, not graphs.

use burn::module::Param;
use burn::tensor::ops::PadMode;
use burn::tensor::{DType, Device, Tensor, TensorData, activation, module};

use super::initial::unit;
use super::kernels::{self, Act, Function};
use super::parameters::{Dense, Norm, Running};
use crate::network::{Activation, BatchNorm, DropPath, DropSchedule, Interpolation, Sides};
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

impl Values {
    /// The type of the numbers.
    pub fn dtype(&self) -> DType {
        match self {
            Self::Image(x) => x.dtype(),
            Self::Flat(x) => x.dtype(),
        }
    }

    /// In another type, which gradients come back from.
    pub fn cast(self, dtype: impl Into<DType>) -> Self {
        let dtype = dtype.into();
        each_rank!(self, x => x.cast(dtype))
    }
}

/// The activation that an operation applies to its own result, if it is one of those.
pub(super) fn fused(activation: Activation) -> Option<Act> {
    match activation {
        Activation::Relu => Some(Act::Relu),
        Activation::Relu6 => Some(Act::Relu6),
        _ => None,
    }
}

/// An activation where Burn computed what it belongs to.
pub(super) fn then<const D: usize>(x: Tensor<D>, act: Act) -> Tensor<D> {
    match act {
        Act::Identity => x,
        Act::Relu => activation::relu(x),
        Act::Relu6 => x.clamp(0.0, 6.0),
    }
}

pub(super) fn dense(x: Tensor<2>, weights: &Dense) -> Tensor<2> {
    let weight = weights.weight.val();
    let bias = weights.bias.as_ref().map(Param::val);
    match kernels::serve(&x) {
        true => kernels::dense(x, weight, bias),
        false => module::linear(x, weight, bias),
    }
}

/// Normalises by the running statistics.
pub(super) fn batch_norm(
    x: Values,
    weights: &Norm,
    running: &Running,
    norm: &BatchNorm,
    act: Act,
) -> Values {
    let Running { mean, variance } = running.clone();
    let (scale, shift) = (weights.weight.val(), weights.bias.val());
    each_rank!(x, x => {
        if kernels::serve(&x) && !x.device().is_autodiff() {
            let factor = scale.div(variance.add_scalar(norm.epsilon).sqrt());
            let summand = shift.sub(mean.mul(factor.clone()));
            kernels::affine(x, factor, summand, act)
        } else {
            then(module::batch_norm(x, scale, shift, mean, variance, norm.epsilon), act)
        }
    })
}

/// Normalises by the statistics of the batch, and blends them into the running ones. The variance is
/// the biased one in both places, as in Keras.
pub(super) fn batch_norm_train(
    x: Values,
    weights: &Norm,
    running: &mut Running,
    norm: &BatchNorm,
    act: Act,
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
        if kernels::serve(&x) {
            let (y, mean, variance) = kernels::batch_norm(x, scale, shift, norm.epsilon as f32, act);
            blend(mean, variance);
            y
        } else {
            let result = module::batch_norm_train(x, scale, shift, norm.epsilon);
            blend(result.mean, result.variance);
            then(result.output, act)
        }
    })
}

/// Normalises the channels of each pixel, or the features.
pub(super) fn layer_norm(x: Values, weights: &Norm, epsilon: f64) -> Values {
    let (scale, shift) = (weights.weight.val(), Some(weights.bias.val()));
    match x {
        Values::Image(x) => {
            let last = x.permute([0, 2, 3, 1]);
            let normalised = module::layer_norm(last, scale, shift, epsilon);
            Values::Image(normalised.permute([0, 3, 1, 2]))
        }
        Values::Flat(x) => Values::Flat(module::layer_norm(x, scale, shift, epsilon)),
    }
}

/// Normalises each group of channels over all its pixels, with the biased variance.
pub(super) fn group_norm(x: Values, weights: &Norm, groups: usize, epsilon: f64) -> Values {
    let grouped = |x: Tensor<3>| {
        let centred = x.clone().sub(x.mean_dim(2));
        let variance = centred.clone().square().mean_dim(2);
        centred.div(variance.add_scalar(epsilon).sqrt())
    };
    let (scale, shift) = (weights.weight.val(), weights.bias.val());
    match x {
        Values::Image(x) => {
            let [batch, channels, height, width] = x.dims();
            let area = channels / groups * height * width;
            let normalised = grouped(x.reshape([batch, groups, area]));
            let normalised = normalised.reshape([batch, channels, height, width]);
            let side = [1, channels, 1, 1];
            Values::Image(normalised.mul(scale.reshape(side)).add(shift.reshape(side)))
        }
        Values::Flat(x) => {
            let [batch, features] = x.dims();
            let normalised = grouped(x.reshape([batch, groups, features / groups]));
            let normalised = normalised.reshape([batch, features]);
            let side = [1, features];
            Values::Flat(normalised.mul(scale.reshape(side)).add(shift.reshape(side)))
        }
    }
}

/// Drops elements with probability `rate`; the mask is drawn on the host.
pub(super) fn dropout(x: Values, rate: f64, rng: &mut StreamRng) -> Values {
    let scale = (1.0 / (1.0 - rate)) as f32;
    each_rank!(x, x => {
        let shape = x.dims();
        let draw = |_| if f64::from(unit(rng)) < rate { 0.0 } else { scale };
        let mask: Vec<f32> = (0..shape.iter().product()).map(draw).collect();
        let options = (&x.device(), x.dtype());
        x.mul(Tensor::from_data(TensorData::new(mask, shape), options))
    })
}

/// Drops whole images; the mask is drawn on the host. `progress` is the share of the training that is
/// done, 0 to 1.
pub(super) fn drop_path(x: Values, drop: &DropPath, progress: f64, rng: &mut StreamRng) -> Values {
    let rate = match drop.schedule {
        DropSchedule::Constant => drop.rate,
        DropSchedule::Linear => drop.rate * progress,
    };
    let scale = (1.0 / (1.0 - rate)) as f32;
    each_rank!(x, x => {
        let mut shape = x.dims();
        shape[1..].fill(1);
        let draw = |_| if f64::from(unit(rng)) < rate { 0.0 } else { scale };
        let mask: Vec<f32> = (0..shape[0]).map(draw).collect();
        if kernels::serve(&x) {
            kernels::scale_images(x, mask)
        } else {
            let options = (&x.device(), x.dtype());
            x.mul(Tensor::from_data(TensorData::new(mask, shape), options))
        }
    })
}

pub(super) fn activation(x: Values, activation: Activation) -> Values {
    each_rank!(x, x => match activation {
        _ if kernels::serve(&x) => kernels::function(x, function(activation)),
        Activation::Relu => activation::relu(x),
        Activation::Gelu => activation::gelu(x),
        Activation::Silu => activation::silu(x),
        Activation::Tanh => activation::tanh(x),
        Activation::Sigmoid => activation::sigmoid(x),
        Activation::Relu6 => x.clamp(0.0, 6.0),
        Activation::HardSigmoid => hard_sigmoid(x),
        Activation::HardSwish => x.clone().mul(hard_sigmoid(x)),
    })
}

/// The kernel of an activation.
fn function(activation: Activation) -> Function {
    match activation {
        Activation::Relu => Function::Relu,
        Activation::Gelu => Function::Gelu,
        Activation::Silu => Function::Silu,
        Activation::Tanh => Function::Tanh,
        Activation::Sigmoid => Function::Sigmoid,
        Activation::Relu6 => Function::Relu6,
        Activation::HardSigmoid => Function::HardSigmoid,
        Activation::HardSwish => Function::HardSwish,
    }
}

fn hard_sigmoid<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    x.div_scalar(6.0).add_scalar(0.5).clamp(0.0, 1.0)
}

/// The sum of equal shapes.
pub(super) fn add(parts: Vec<Values>, act: Act) -> Values {
    fn sum<const D: usize>(parts: Vec<Tensor<D>>, act: Act) -> Tensor<D> {
        if kernels::serve(&parts[0]) {
            return kernels::add(parts, act);
        }
        let mut parts = parts.into_iter();
        let first = parts.next().map(|first| parts.fold(first, Tensor::add));
        then(
            first.unwrap_or_else(|| unreachable!("a sum has a part")),
            act,
        )
    }
    match parts.iter().all(|part| matches!(part, Values::Image(_))) {
        true => Values::Image(sum(parts.into_iter().map(Values::image).collect(), act)),
        false => Values::Flat(sum(parts.into_iter().map(Values::flat).collect(), act)),
    }
}

/// The product; a factor per channel meets all pixels of its channel.
pub(super) fn multiply(a: Values, b: Values) -> Values {
    match (a, b) {
        (Values::Flat(a), Values::Flat(b)) => Values::Flat(a.mul(b)),
        (a, b) => {
            let (a, b) = (a.image(), b.image());
            let is_gate = |x: &Tensor<4>| x.dims()[2..] == [1, 1];
            let (image, factors) = if is_gate(&a) { (b, a) } else { (a, b) };
            if kernels::serve(&image) && is_gate(&factors) {
                Values::Image(kernels::gate(image, factors))
            } else {
                Values::Image(image.mul(factors))
            }
        }
    }
}

pub(super) fn concat(parts: Vec<Values>) -> Values {
    if parts.iter().all(|part| matches!(part, Values::Flat(_))) {
        Values::Flat(Tensor::cat(
            parts.into_iter().map(Values::flat).collect(),
            1,
        ))
    } else {
        let parts: Vec<_> = parts.into_iter().map(Values::image).collect();
        Values::Image(match kernels::serve(&parts[0]) {
            true => kernels::concat(parts),
            false => Tensor::cat(parts, 1),
        })
    }
}

pub(super) fn zero_pad2d(x: Tensor<4>, sides: Sides) -> Tensor<4> {
    let pairs = [(sides.top, sides.bottom), (sides.left, sides.right)];
    x.pad(pairs, PadMode::Constant(0.0))
}

pub(super) fn crop2d(x: Tensor<4>, sides: Sides) -> Tensor<4> {
    let [_, _, height, width] = x.dims();
    x.narrow(2, sides.top, height - sides.top - sides.bottom)
        .narrow(3, sides.left, width - sides.left - sides.right)
}

/// Resizes by one matrix for the rows and one for the columns: every backend has its gradient.
pub(super) fn resize(x: Tensor<4>, size: [usize; 2], mode: Interpolation) -> Tensor<4> {
    let (device, dtype) = (x.device(), x.dtype());
    let blend = |from, to| blend(from, to, mode, &device).cast(dtype);
    let [batch, channels, height, width] = x.dims();
    let columns = x.reshape([batch * channels * height, width]);
    let columns = columns.matmul(blend(width, size[1]));
    let rows = columns
        .reshape([batch * channels, height, size[1]])
        .swap_dims(1, 2)
        .reshape([batch * channels * size[1], height]);
    rows.matmul(blend(height, size[0]))
        .reshape([batch * channels, size[1], size[0]])
        .swap_dims(1, 2)
        .reshape([batch, channels, size[0], size[1]])
}

/// The share of each of `from` pixels (rows) in each of `to` pixels (columns).
fn blend(from: usize, to: usize, mode: Interpolation, device: &Device) -> Tensor<2> {
    let mut shares = vec![0.0_f32; from * to];
    let scale = from as f64 / to as f64;
    for target in 0..to {
        let mut give = |pixel: usize, share: f64| shares[pixel * to + target] += share as f32;
        match mode {
            Interpolation::Nearest => give(target * from / to, 1.0),
            Interpolation::Bilinear => {
                let centre = ((target as f64 + 0.5) * scale - 0.5).max(0.0);
                let low = (centre as usize).min(from - 1);
                let share = centre - low as f64;
                give(low, 1.0 - share);
                give((low + 1).min(from - 1), share);
            }
        }
    }
    Tensor::from_data(TensorData::new(shares, [from, to]), device)
}

pub(super) fn channel_shuffle(x: Tensor<4>, groups: usize) -> Tensor<4> {
    let [batch, channels, height, width] = x.dims();
    x.reshape([batch, groups, channels / groups, height, width])
        .swap_dims(1, 2)
        .reshape([batch, channels, height, width])
}
