//! The update rules of optimizers, one pass over an array and what is remembered of it. Knows nothing
//! of what the array is.

use pulp::{Simd, WithSimd};

use super::lanes::walk;
use super::simd::{dispatch, load_first, store_first};

/// Adam (Kingma & Ba, arXiv 1412.6980, algorithm 1) with the L2 penalty as a part of the gradient.
#[derive(Clone, Copy, Debug)]
pub struct Adam {
    /// The learning rate.
    pub rate: f32,
    /// The decay rates of the first and the second moment.
    pub betas: (f32, f32),
    /// Added to the root of the second moment, as it is after the correction of its bias.
    pub epsilon: f32,
    /// `penalty · x` is added to the gradient.
    pub penalty: f32,
    /// How many updates there are with this one; from 1.
    pub updates: i32,
}

impl Adam {
    /// The learning rate and the epsilon with which the moments need no correction of their bias
    /// (§2, the last paragraph).
    pub fn corrected(&self) -> (f32, f32) {
        let (first, second) = self.betas;
        let root = (1.0 - second.powi(self.updates)).sqrt();
        let rate = self.rate * root / (1.0 - first.powi(self.updates));
        (rate, self.epsilon * root)
    }
}

/// Stochastic gradient descent with momentum, without dampening.
#[derive(Clone, Copy, Debug)]
pub struct Sgd {
    /// The learning rate.
    pub rate: f32,
    /// The share of the velocity that stays.
    pub momentum: f32,
    /// `penalty · x` is added to the gradient.
    pub penalty: f32,
}

/// Updates `x` and both moments.
pub fn adam(rule: Adam, x: &mut [f32], gradient: &[f32], first: &mut [f32], second: &mut [f32]) {
    struct Pass<'a>(Adam, &'a mut [f32], &'a [f32], &'a mut [f32], &'a mut [f32]);
    impl WithSimd for Pass<'_> {
        type Output = ();
        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) {
            let Self(rule, x, gradient, first, second) = self;
            let (rate, epsilon) = rule.corrected();
            let splat = |value| simd.splat_f32s(value);
            let (beta_1, beta_2) = rule.betas;
            let len = x.len();
            assert!([gradient.len(), first.len(), second.len()] == [len; 3]);
            walk(simd, len, |at, count| {
                // SAFETY: `count` values from `at` are within each array: they are equally long.
                unsafe {
                    let (x, first) = (x.as_mut_ptr().add(at), first.as_mut_ptr().add(at));
                    let second = second.as_mut_ptr().add(at);
                    let value = load_first(simd, x, count);
                    let slope = load_first(simd, gradient.as_ptr().add(at), count);
                    let slope = simd.mul_add_e_f32s(splat(rule.penalty), value, slope);
                    let mean = simd.mul_f32s(splat(beta_1), load_first(simd, first, count));
                    let mean = simd.mul_add_e_f32s(splat(1.0 - beta_1), slope, mean);
                    let square = simd.mul_f32s(splat(beta_2), load_first(simd, second, count));
                    let power = simd.mul_f32s(slope, slope);
                    let square = simd.mul_add_e_f32s(splat(1.0 - beta_2), power, square);
                    let root = simd.add_f32s(simd.sqrt_f32s(square), splat(epsilon));
                    let step = simd.div_f32s(simd.mul_f32s(splat(rate), mean), root);
                    store_first(simd, first, mean, count);
                    store_first(simd, second, square, count);
                    store_first(simd, x, simd.sub_f32s(value, step), count);
                }
            });
        }
    }
    dispatch(Pass(rule, x, gradient, first, second));
}

/// Updates `x` and its velocity; without a velocity the momentum is not read.
pub fn sgd(rule: Sgd, x: &mut [f32], gradient: &[f32], velocity: Option<&mut [f32]>) {
    // Plain loops: the compiler's own registers keep up with memory.
    let slopes = x.iter_mut().zip(gradient);
    match velocity {
        Some(velocity) => {
            for ((x, slope), velocity) in slopes.zip(velocity) {
                *velocity = rule.momentum * *velocity + (slope + rule.penalty * *x);
                *x -= rule.rate * *velocity;
            }
        }
        None => slopes.for_each(|(x, slope)| *x -= rule.rate * (slope + rule.penalty * *x)),
    }
}
