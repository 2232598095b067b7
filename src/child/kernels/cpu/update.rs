//! Steps of optimizers, in one pass over each parameter and in place. The formulas are those of
//! burn-optim, rounding included. Knows nothing of which parameters there are.

use pulp::{Simd, WithSimd};

use super::lanes::walk;
use super::parallel::{self, Shared};
use super::simd::{self, load_first, store_first};

/// Values that one part of the work takes.
const CHUNK: usize = 1 << 13;

/// Adam (arXiv 1412.6980), its averages corrected for having begun at 0.
#[derive(Clone, Copy, Debug)]
pub struct Adam {
    /// The learning rate.
    pub rate: f32,
    pub beta_1: f32,
    pub beta_2: f32,
    pub epsilon: f32,
    /// The factor of the parameter that is added to its gradient; 0 for none.
    pub penalty: f32,
}

/// Stochastic gradient descent with momentum, without dampening.
#[derive(Clone, Copy, Debug)]
pub struct Sgd {
    /// The learning rate.
    pub rate: f32,
    pub momentum: f32,
    /// The factor of the parameter that is added to its gradient; 0 for none.
    pub penalty: f32,
}

impl Adam {
    /// The factor of the change, and the epsilon, with which the averages of step `step`, from 1, need
    /// no correction (§2, the last paragraph).
    pub fn corrected(self, step: usize) -> (f32, f32) {
        let step = i32::try_from(step).unwrap_or(i32::MAX);
        let root = (1.0 - self.beta_2.powi(step)).sqrt();
        (root / (1.0 - self.beta_1.powi(step)), self.epsilon * root)
    }

    /// Updates a parameter and its averages, of the gradient and of its square, both 0 before the first
    /// step; `step` counts from 1.
    pub fn update(
        self,
        step: usize,
        gradient: &[f32],
        parameter: &mut [f32],
        averages: [&mut [f32]; 2],
    ) {
        let (factor, epsilon) = self.corrected(step);
        let [first, second] = averages;
        run(
            AdamStep {
                settings: self,
                factor,
                epsilon,
            },
            gradient,
            [parameter, first, second],
        );
    }
}

impl Sgd {
    /// Updates a parameter and its velocity, 0 before the first step; without a velocity, there is no
    /// momentum.
    pub fn update(self, gradient: &[f32], parameter: &mut [f32], velocity: Option<&mut [f32]>) {
        match velocity {
            Some(velocity) => run(self, gradient, [parameter, velocity]),
            None => run(self, gradient, [parameter]),
        }
    }
}

/// A step of an optimizer on one value and its `N` - 1 states.
trait Step<const N: usize>: Copy + Send + Sync {
    fn step<S: Simd>(self, simd: S, gradient: S::f32s, state: [S::f32s; N]) -> [S::f32s; N];
}

#[derive(Clone, Copy)]
struct AdamStep {
    settings: Adam,
    factor: f32,
    epsilon: f32,
}

// Products and sums are rounded one by one, as Burn's are: fused, they would differ in the last bit.
impl Step<3> for AdamStep {
    #[inline(always)]
    fn step<S: Simd>(
        self,
        simd: S,
        gradient: S::f32s,
        [parameter, first, second]: [S::f32s; 3],
    ) -> [S::f32s; 3] {
        let Adam {
            rate,
            beta_1,
            beta_2,
            penalty,
            ..
        } = self.settings;
        let times = |x, factor: f32| simd.mul_f32s(x, simd.splat_f32s(factor));
        let gradient = penalized(simd, gradient, parameter, penalty);
        let square = simd.mul_f32s(gradient, gradient);
        let first = simd.add_f32s(times(first, beta_1), times(gradient, 1.0 - beta_1));
        let second = simd.add_f32s(times(second, beta_2), times(square, 1.0 - beta_2));
        let deviation = simd.add_f32s(simd.sqrt_f32s(second), simd.splat_f32s(self.epsilon));
        let change = simd.div_f32s(times(first, self.factor), deviation);
        [simd.sub_f32s(parameter, times(change, rate)), first, second]
    }
}

impl Step<2> for Sgd {
    #[inline(always)]
    fn step<S: Simd>(
        self,
        simd: S,
        gradient: S::f32s,
        [parameter, velocity]: [S::f32s; 2],
    ) -> [S::f32s; 2] {
        let gradient = penalized(simd, gradient, parameter, self.penalty);
        let kept = simd.mul_f32s(velocity, simd.splat_f32s(self.momentum));
        let velocity = simd.add_f32s(gradient, kept);
        let change = simd.mul_f32s(velocity, simd.splat_f32s(self.rate));
        [simd.sub_f32s(parameter, change), velocity]
    }
}

impl Step<1> for Sgd {
    #[inline(always)]
    fn step<S: Simd>(self, simd: S, gradient: S::f32s, [parameter]: [S::f32s; 1]) -> [S::f32s; 1] {
        let gradient = penalized(simd, gradient, parameter, self.penalty);
        let change = simd.mul_f32s(gradient, simd.splat_f32s(self.rate));
        [simd.sub_f32s(parameter, change)]
    }
}

/// The gradient with that of the penalty.
#[inline(always)]
fn penalized<S: Simd>(simd: S, gradient: S::f32s, parameter: S::f32s, penalty: f32) -> S::f32s {
    match penalty > 0.0 {
        true => simd.add_f32s(simd.mul_f32s(parameter, simd.splat_f32s(penalty)), gradient),
        false => gradient,
    }
}

/// Takes the step on all values.
fn run<const N: usize>(step: impl Step<N>, gradient: &[f32], state: [&mut [f32]; N]) {
    let state = state.map(Shared::new);
    parallel::each(gradient.len().div_ceil(CHUNK), |part| {
        let at = part * CHUNK..gradient.len().min((part + 1) * CHUNK);
        simd::dispatch(Chunk {
            step,
            gradient: &gradient[at.clone()],
            // SAFETY: each part has values of its own.
            state: state
                .each_ref()
                .map(|state| unsafe { state.slice(at.start, at.len()) }),
        });
    });
}

struct Chunk<'a, T, const N: usize> {
    step: T,
    gradient: &'a [f32],
    state: [&'a mut [f32]; N],
}

impl<T: Step<N>, const N: usize> WithSimd for Chunk<'_, T, N> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let len = self.gradient.len();
        assert!(self.state.iter().all(|state| state.len() == len));
        let (gradient, places) = (self.gradient.as_ptr(), self.state.map(<[f32]>::as_mut_ptr));
        walk(
            simd,
            len,
            #[inline(always)]
            |at, lanes| {
                let mut state = [simd.splat_f32s(0.0); N];
                // SAFETY: the slices are equally long.
                unsafe {
                    for (value, place) in state.iter_mut().zip(places) {
                        *value = load_first(simd, place.add(at), lanes);
                    }
                    let gradient = load_first(simd, gradient.add(at), lanes);
                    let state = self.step.step(simd, gradient, state);
                    for (value, place) in state.into_iter().zip(places) {
                        store_first(simd, place.add(at), value, lanes);
                    }
                }
            },
        );
    }
}
