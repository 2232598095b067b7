//! RMSProp as TensorFlow computes it, for Burn. Burn's own adds ε outside the root and starts its
//! accumulators at the first gradient, which is another algorithm.

use burn::optim::{LearningRate, Optimizer, RecordState, StateSink, StateSource};
use burn::tensor::{Device, Tensor};

/// TensorFlow's `RMSPropOptimizer` at its defaults, without momentum:
/// m ← m + (1 − 0.9)(g² − m), θ ← θ − λ g / √(m + 1e-10), with m = 1 at the start.
#[derive(Clone, Debug)]
pub(super) struct RmsProp;

const DECAY: f64 = 0.9;
const EPSILON: f64 = 1e-10;

/// The accumulator of one weight.
#[derive(Clone, Debug)]
pub(super) struct RmsPropState<const D: usize> {
    /// The moving average m of the squared gradient.
    mean_square: Tensor<D>,
}

/// The name of the accumulator in a snapshot.
const LEAF: &str = "mean_square";

// Burn 0.22's derive of this trait works inside Burn only.
impl<const D: usize> RecordState for RmsPropState<D> {
    fn state_flatten(&self, prefix: &str, out: &mut StateSink) {
        out.push_tensor(prefix, LEAF, self.mean_square.to_data());
    }

    fn state_unflatten(prefix: &str, src: &mut StateSource, device: &Device) -> Option<Self> {
        let data = src.take_tensor(prefix, LEAF)?;
        let mean_square = Tensor::from_data(data, device);
        Some(Self { mean_square })
    }
}

impl Optimizer for RmsProp {
    type State<const D: usize> = RmsPropState<D>;

    fn step<const D: usize>(
        &self,
        rate: LearningRate,
        weight: Tensor<D>,
        gradient: Tensor<D>,
        state: Option<Self::State<D>>,
    ) -> (Tensor<D>, Option<Self::State<D>>) {
        let m = match state {
            Some(state) => state.mean_square,
            None => weight.ones_like(),
        };
        let change = (gradient.clone().square() - m.clone()).mul_scalar(1.0 - DECAY);
        let mean_square = m + change;
        let root = mean_square.clone().add_scalar(EPSILON).sqrt();
        let weight = weight - gradient.mul_scalar(rate) / root;
        (weight, Some(RmsPropState { mean_square }))
    }

    fn to_device<const D: usize>(state: Self::State<D>, device: &Device) -> Self::State<D> {
        RmsPropState {
            mean_square: state.mean_square.to_device(device),
        }
    }
}
