use burn::tensor::{DType, Gradients, Int};

use super::learning::{control, settings};
use super::*;
use crate::child::loss::cross_entropy;
use crate::child::parameters::Running;
use crate::child::precision::forward_train;
use crate::child::{Child, train};
use crate::evaluation::Precision;
use crate::network::{BatchNormOptions, DropPath, DropSchedule, Interpolation, Sides};

/// Every operation, on images of `[2, 8, 8]`.
pub(super) fn everything() -> Network {
    let x = Node::input(&[2, 8, 8]).unwrap();
    let pool = PoolOptions::default();
    let conv = Conv2dOptions::default();
    let x = x.conv2d(8, [3, 3], &conv).unwrap();
    let x = x.batch_norm(&BatchNormOptions::default()).unwrap();
    let a = x.activation(Activation::Gelu).drop_path(DropPath {
        rate: 0.3,
        schedule: DropSchedule::Constant,
    });
    let a = a.unwrap().conv_transpose2d(8, [3, 3], &conv).unwrap();
    let a = a.group_norm(2, 1e-3).unwrap();
    let b = x.activation(Activation::HardSwish);
    let b = b.layer_norm(1e-3).unwrap().channel_shuffle(2).unwrap();
    let x = a.add(&b).unwrap();
    let x = x.squeeze_excite(4, Activation::Sigmoid).unwrap();
    let x = x.resize([6, 6], Interpolation::Bilinear).unwrap();
    let one = Sides {
        top: 1,
        bottom: 1,
        left: 1,
        right: 1,
    };
    let x = x.crop2d(one).unwrap().zero_pad2d(one).unwrap();
    let max = x.max_pool2d([2, 2], &pool).unwrap();
    let average = x.avg_pool2d([2, 2], &pool).unwrap();
    let x = Node::concat(&[max, average]).unwrap();
    let flat = x.flatten().unwrap().dropout(0.2).unwrap();
    let x = Node::concat(&[flat, x.global_avg_pool().unwrap()]).unwrap();
    Network::from_output(&x.dense(3, &DenseOptions::default()).unwrap()).unwrap()
}

/// What one step of training computes.
pub(super) struct Step {
    pub loss: f32,
    pub gradients: Vec<Vec<f32>>,
    /// Of the convolutions' biases; before a normalisation they are nothing but rounding.
    pub biases: Vec<Vec<f32>>,
    pub running: Vec<Vec<f32>>,
}

/// A step of `network` on 16 images.
pub(super) fn step(network: &Network, precision: Precision) -> Step {
    let device = device().autodiff();
    let mut child = Child::build(network, Seed(4), &device).unwrap();
    let [channels, height, width] = network.input_shape().try_into().unwrap();
    let pixels = noise(16 * channels * height * width, 5);
    let images = image(pixels, [16, channels, height, width], &device);
    let labels: Vec<i64> = (0..16).map(|i| i % 3).collect();
    let labels = Tensor::<1, Int>::from_data(labels.as_slice(), &device);
    let mut dropout = Seed(0).stream("dropout");
    let logits = forward_train(&mut child, precision, images, 0.5, &mut dropout);
    assert_eq!(logits.dtype(), DType::F32);
    let loss = cross_entropy(logits, &labels, 0.1);
    let all = loss.clone().backward();
    let (mut gradients, mut biases) = (Vec::new(), Vec::new());
    fn add<const D: usize>(into: &mut Vec<Vec<f32>>, of: &Tensor<D>, all: &Gradients) {
        // `host` refuses anything but f32.
        into.push(host(of.grad(all).unwrap()));
    }
    for conv in &child.parameters.convs {
        add(&mut gradients, &conv.weight.val(), &all);
        if let Some(bias) = &conv.bias {
            add(&mut biases, &bias.val(), &all);
        }
    }
    for dense in &child.parameters.denses {
        add(&mut gradients, &dense.weight.val(), &all);
    }
    for norm in child
        .parameters
        .norms
        .iter()
        .chain(&child.parameters.scales)
    {
        add(&mut gradients, &norm.weight.val(), &all);
        add(&mut gradients, &norm.bias.val(), &all);
    }
    let running = child.running.iter().flat_map(|running| {
        let Running { mean, variance } = running.clone();
        [host(mean), host(variance)]
    });
    Step {
        loss: host(loss)[0],
        gradients,
        biases,
        running: running.collect(),
    }
}

/// The length of the difference, as a share of the length of `b`.
fn apart(a: &[f32], b: &[f32]) -> f32 {
    let length = |values: &mut dyn Iterator<Item = f32>| values.map(|v| v * v).sum::<f32>().sqrt();
    length(&mut a.iter().zip(b).map(|(a, b)| a - b)) / length(&mut b.iter().copied())
}

#[test]
fn a_step_in_bf16_is_that_in_f32_but_for_rounding() {
    let (exact, rounded) = (
        step(&everything(), Precision::F32),
        step(&everything(), Precision::Bf16),
    );
    assert_ne!(rounded.loss, exact.loss);
    assert!(
        (rounded.loss - exact.loss).abs() < 0.02,
        "{} {}",
        rounded.loss,
        exact.loss
    );
    assert_eq!(rounded.gradients.len(), exact.gradients.len());
    for (index, (rounded, exact)) in rounded.gradients.iter().zip(&exact.gradients).enumerate() {
        let apart = apart(rounded, exact);
        assert!(apart < 0.15, "gradient {index} is {apart} off");
    }
    for (rounded, exact) in rounded.running.iter().zip(&exact.running) {
        assert!(apart(rounded, exact) < 0.005);
    }
}

#[test]
fn digits_are_learned_in_bf16() {
    let data = digits(600, 200);
    let run = |precision| {
        let config = TrainingConfig {
            epochs: 3,
            precision,
            ..settings()
        };
        train(&ask(classifier(), config), &data, &device(), &control()).unwrap()
    };
    let (rounded, exact) = (run(Precision::Bf16), run(Precision::F32));
    let accuracy = |trained: &crate::child::Trained| trained.outcome.accuracy.unwrap();
    assert_ne!(rounded.outcome.loss, exact.outcome.loss);
    assert!(
        (accuracy(&rounded) - accuracy(&exact)).abs() < 0.05 && accuracy(&rounded) > 0.8,
        "{} in bf16, {} in f32",
        accuracy(&rounded),
        accuracy(&exact)
    );
    // The weights are not rounded: their updates are smaller than what bf16 tells apart.
    let weights = rounded.weights.unwrap();
    let of_conv = &weights.arrays()["1.conv2d.weight"].values;
    assert!(of_conv.iter().any(|w| w.to_bits() & 0xffff != 0));
}
