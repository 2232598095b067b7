//! The kernels against Burn's own operations, forwards and backwards, in whole networks.

use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::RngSeed;

use super::precision::{Step, everything, step};
use super::*;
use crate::child::with_burn_operations;
use crate::evaluation::Precision;
use crate::network::{BatchNormOptions, Padding};

/// Both compute the same step of `network`: each array is no further apart than `tolerance` times its
/// length, or times a hundredth of the longest array. What a normalisation cancels, such as a bias before
/// it, has a gradient of nothing but rounding.
fn agree(network: &Network, tolerance: f32) -> Result<(), TestCaseError> {
    let length = |values: &[f32]| values.iter().map(|v| v * v).sum::<f32>().sqrt();
    let all = |step: Step| {
        [
            vec![vec![step.loss]],
            step.gradients,
            step.biases,
            step.running,
        ]
        .concat()
    };
    let ours = all(step(network, Precision::F32));
    let burns = all(with_burn_operations(|| step(network, Precision::F32)));
    let longest = burns
        .iter()
        .map(|values| length(values))
        .fold(0.0, f32::max);
    for (index, (ours, burns)) in ours.iter().zip(&burns).enumerate() {
        let apart: Vec<f32> = ours.iter().zip(burns).map(|(a, b)| a - b).collect();
        let error = length(&apart) / length(burns).max(longest / 100.0);
        let found = format!("array {index}: {error:e} apart in {network}");
        prop_assert!(error <= tolerance, "{}", found);
    }
    Ok(())
}

#[test]
fn every_operation_agrees_with_burns() {
    agree(&everything(), 1e-5).unwrap();
}

/// A convolution and what follows it, in every geometry that an image of a few pixels allows.
#[derive(Clone, Debug)]
struct Layers {
    image: [usize; 3],
    filters: usize,
    kernel: [usize; 2],
    conv: Conv2dOptions,
    norm: bool,
    activation: Option<Activation>,
    window: [usize; 2],
    pool: PoolOptions,
    maximum: bool,
}

impl Layers {
    fn network(&self) -> Option<Network> {
        let x = Node::input(&self.image).ok()?;
        let mut y = x.conv2d(self.filters, self.kernel, &self.conv).ok()?;
        if self.norm {
            y = y.batch_norm(&BatchNormOptions::default()).ok()?;
        }
        if let Some(activation) = self.activation {
            y = y.activation(activation);
        }
        let other = y.conv2d(self.filters, [3, 3], &Conv2dOptions::default());
        let sum = y.add(&other.ok()?).ok()?.activation(Activation::Relu);
        let pooled = match self.maximum {
            true => sum.max_pool2d(self.window, &self.pool).ok()?,
            false => sum.avg_pool2d(self.window, &self.pool).ok()?,
        };
        let y = Node::concat(&[pooled.clone(), pooled]).ok()?;
        let y = y.global_avg_pool().ok()?;
        Network::from_output(&y.dense(3, &DenseOptions::default()).ok()?).ok()
    }
}

fn layers() -> impl Strategy<Value = Network> {
    let pair = |from: usize, to: usize| [from..=to, from..=to];
    let padding = || select(vec![Padding::Same, Padding::Valid]);
    let activation = || {
        let some = [Activation::Relu, Activation::Relu6, Activation::Silu];
        prop::option::of(select(some.to_vec()))
    };
    let conv = (
        pair(1, 3),
        padding(),
        pair(1, 2),
        select(vec![1, 1, 2, 4, 0]),
        any::<bool>(),
    );
    let pool = (pair(1, 3), pair(1, 3), padding(), any::<bool>());
    let channels = select(vec![1_usize, 3, 4, 16, 24, 36]);
    (
        channels,
        pair(1, 10),
        pair(1, 5),
        conv,
        any::<bool>(),
        activation(),
        pool,
    )
        .prop_filter_map(
            "does not fit",
            |(channels, [height, width], kernel, conv, norm, activation, pool)| {
                let (stride, padding, dilation, groups, bias) = conv;
                let (window, step, pool_padding, maximum) = pool;
                let (groups, filters) = match groups {
                    0 => (channels, channels),
                    groups => (groups, 24),
                };
                let layers = Layers {
                    image: [channels, height, width],
                    filters,
                    kernel,
                    conv: Conv2dOptions {
                        stride,
                        padding,
                        dilation,
                        groups,
                        bias,
                    },
                    norm,
                    activation,
                    window,
                    pool: PoolOptions {
                        stride: Some(step),
                        padding: pool_padding,
                    },
                    maximum,
                };
                layers.network()
            },
        )
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 64,
        rng_seed: RngSeed::Fixed(3),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn any_layers_agree_with_burns(network in layers()) {
        agree(&network, 1e-4)?;
    }
}
