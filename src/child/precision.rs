//! Mixed precision (arXiv 1710.03740): what is computed in bf16 and what stays in f32. Knows of a child
//! that it has parameters, not what its operations are.
//!
//! The weights of convolutions and dense layers are rounded to bf16 for each forward pass; activations
//! and their gradients are bf16. In f32 stay the weights themselves and the optimizer, which sees their
//! gradients, the normalisations with their statistics, and the loss. bf16 has the range of f32, so the
//! loss needs no scaling. Validation and scoring compute in f32.

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Device, FloatDType, Tensor};

use super::forward::Child;
use super::ops::Values;
use crate::error::{Error, Result};
use crate::evaluation::Precision;
use crate::seed::StreamRng;

/// Checks that `device` computes in `precision`.
///
/// # Errors
/// [`Error::Invalid`] where it does not.
pub fn check_precision(precision: Precision, device: &Device) -> Result<()> {
    let computes = match precision {
        Precision::F32 => true,
        Precision::Bf16 => device.supports_dtype(FloatDType::BF16),
    };
    match computes {
        true => Ok(()),
        false => Err(Error::invalid(
            "option 'precision'",
            "f32 on a device that does not compute in bf16",
            "bf16",
        )),
    }
}

/// The logits of [`Child::forward_train`] in f32, computed in `precision`.
pub(super) fn forward_train(
    child: &mut Child,
    precision: Precision,
    images: Tensor<4>,
    progress: f64,
    dropout: &mut StreamRng,
) -> Tensor<2> {
    if precision == Precision::F32 {
        return child.forward_train(images, progress, dropout);
    }
    let mut rounded = child.clone();
    rounded.parameters.convs = rounded.parameters.convs.map(&mut Rounded);
    rounded.parameters.denses = rounded.parameters.denses.map(&mut Rounded);
    let images = images.cast(FloatDType::BF16);
    let logits = rounded.forward_train(images, progress, dropout);
    child.running = rounded.running;
    logits.cast(FloatDType::F32)
}

/// Rounds parameters to bf16; gradients flow back to what they were rounded from.
struct Rounded;

impl ModuleMapper for Rounded {
    fn map_float<const D: usize>(&mut self, parameter: Param<Tensor<D>>) -> Param<Tensor<D>> {
        parameter.map(|value| value.cast(FloatDType::BF16))
    }
}

/// Applies `f` to `x` in f32: a statistic of many values loses too much in bf16.
pub(super) fn in_f32(x: Values, f: impl FnOnce(Values) -> Values) -> Values {
    let dtype = x.dtype();
    f(x.cast(FloatDType::F32)).cast(dtype)
}
