//! Activation functions and their derivatives in registers. Knows nothing of where the values are.

use pulp::Simd;

use super::Act;
use super::lanes::{activate, gate};

/// An activation function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    /// max(0, x).
    Relu,
    /// min(6, max(0, x)).
    Relu6,
    /// 1 / (1 + e^-x).
    Sigmoid,
    /// x · sigmoid(x) (arXiv 1702.03118).
    Silu,
    Tanh,
    /// x · Φ(x), by the error function (arXiv 1606.08415).
    Gelu,
    /// x / 6 + 1/2 between 0 and 1 (arXiv 1905.02244, §5.2).
    HardSigmoid,
    /// x · hard_sigmoid(x).
    HardSwish,
}

impl Function {
    /// Whether the derivative is computed from the output; from the input where not.
    pub fn keeps_output(self) -> bool {
        !matches!(self, Self::Silu | Self::Gelu | Self::HardSwish)
    }

    /// The function of `x`.
    #[inline(always)]
    pub fn value<S: Simd>(self, simd: S, x: S::f32s) -> S::f32s {
        let number = |value: f32| simd.splat_f32s(value);
        match self {
            Self::Relu => activate(simd, Act::Relu, x),
            Self::Relu6 => activate(simd, Act::Relu6, x),
            Self::Sigmoid => sigmoid(simd, x),
            Self::Silu => simd.mul_f32s(x, sigmoid(simd, x)),
            Self::Tanh => {
                let twice = simd.add_f32s(x, x);
                simd.mul_add_e_f32s(number(2.0), sigmoid(simd, twice), number(-1.0))
            }
            Self::Gelu => simd.mul_f32s(x, normal(simd, x).0),
            Self::HardSigmoid => hard_sigmoid(simd, x),
            Self::HardSwish => simd.mul_f32s(x, hard_sigmoid(simd, x)),
        }
    }

    /// The derivative, from the output or the input as [`Self::keeps_output`] says.
    #[inline(always)]
    pub fn slope<S: Simd>(self, simd: S, kept: S::f32s) -> S::f32s {
        let number = |value: f32| simd.splat_f32s(value);
        let (none, one) = (number(0.0), number(1.0));
        match self {
            Self::Relu => gate(simd, Act::Relu, kept, one),
            Self::Relu6 => gate(simd, Act::Relu6, kept, one),
            Self::Sigmoid => simd.mul_f32s(kept, simd.sub_f32s(one, kept)),
            Self::Silu => {
                let share = sigmoid(simd, kept);
                let rest = simd.mul_f32s(kept, simd.sub_f32s(one, share));
                simd.mul_f32s(share, simd.add_f32s(one, rest))
            }
            Self::Tanh => simd.sub_f32s(one, simd.mul_f32s(kept, kept)),
            Self::Gelu => {
                let (share, density) = normal(simd, kept);
                simd.mul_add_e_f32s(kept, density, share)
            }
            Self::HardSigmoid => {
                let inside = simd.and_m32s(
                    simd.less_than_f32s(none, kept),
                    simd.less_than_f32s(kept, one),
                );
                simd.select_f32s(inside, number(1.0 / 6.0), none)
            }
            Self::HardSwish => {
                let slope = simd.mul_add_e_f32s(kept, number(1.0 / 3.0), number(0.5));
                let slope = simd.select_f32s(simd.less_than_f32s(kept, number(3.0)), slope, one);
                simd.select_f32s(simd.less_than_f32s(number(-3.0), kept), slope, none)
            }
        }
    }
}

#[inline(always)]
fn sigmoid<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let one = simd.splat_f32s(1.0);
    simd.div_f32s(one, simd.add_f32s(one, exp(simd, simd.neg_f32s(x))))
}

#[inline(always)]
fn hard_sigmoid<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let x = simd.mul_add_e_f32s(x, simd.splat_f32s(1.0 / 6.0), simd.splat_f32s(0.5));
    // The bound first: of a bound and NaN, x86 gives the second, NaN.
    simd.min_f32s(simd.splat_f32s(1.0), simd.max_f32s(simd.splat_f32s(0.0), x))
}

/// The normal distribution Φ and its density, to 1e-7: Abramowitz and Stegun 7.1.26.
#[inline(always)]
fn normal<S: Simd>(simd: S, x: S::f32s) -> (S::f32s, S::f32s) {
    let number = |value: f32| simd.splat_f32s(value);
    let bell = exp(simd, simd.mul_f32s(number(-0.5), simd.mul_f32s(x, x)));
    let distance = simd.mul_f32s(number(std::f32::consts::FRAC_1_SQRT_2), simd.abs_f32s(x));
    let below = simd.mul_add_e_f32s(number(0.327_591_1), distance, number(1.0));
    let t = simd.div_f32s(number(1.0), below);
    let mut tail = number(1.061_405_4);
    for coefficient in [-1.453_152, 1.421_413_7, -0.284_496_74, 0.254_829_6] {
        tail = simd.mul_add_e_f32s(tail, t, number(coefficient));
    }
    // Half of 1 - erf: what lies beyond |x|.
    let tail = simd.mul_f32s(number(0.5), simd.mul_f32s(simd.mul_f32s(tail, t), bell));
    let negative = simd.less_than_f32s(x, number(0.0));
    let share = simd.select_f32s(negative, tail, simd.sub_f32s(number(1.0), tail));
    (share, simd.mul_f32s(number(0.398_942_3), bell))
}

/// e^x, to 2e-7 of itself: a power of two by its bits, times a polynomial of what is left.
#[inline(always)]
fn exp<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let number = |value: f32| simd.splat_f32s(value);
    let x = simd.min_f32s(number(88.0), simd.max_f32s(number(-87.0), x));
    // Adding 1.5 · 2^23 rounds to whole numbers and leaves them in the lowest bits.
    let shift = number(12_582_912.0);
    let shifted = simd.mul_add_e_f32s(x, number(std::f32::consts::LOG2_E), shift);
    let whole = simd.sub_f32s(shifted, shift);
    // ln 2 in two parts, the first so short that its product is exact.
    let rest = simd.mul_add_e_f32s(whole, number(-0.693_359_4), x);
    let rest = simd.mul_add_e_f32s(whole, number(2.121_944_4e-4), rest);
    let mut sum = number(1.0 / 720.0);
    for coefficient in [1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
        sum = simd.mul_add_e_f32s(sum, rest, number(coefficient));
    }
    let exponent = simd.add_u32s(simd.transmute_u32s_f32s(shifted), simd.splat_u32s(127));
    let power = simd.wrapping_dyn_shl_u32s(exponent, simd.splat_u32s(23));
    simd.mul_f32s(sum, simd.transmute_f32s_u32s(power))
}
