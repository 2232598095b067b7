use burn::tensor::Int;

use super::*;
use crate::child::loss::cross_entropy;
use crate::child::{Child, Weights};
use crate::network::{BatchNormOptions, Padding};

/// Two branches, strided and grouped convolutions, both pools, a normalisation: smooth throughout.
fn network() -> Network {
    let same = PoolOptions {
        stride: Some([1, 1]),
        padding: Padding::Same,
    };
    let strided = Conv2dOptions {
        stride: [2, 2],
        ..Conv2dOptions::default()
    };
    let grouped = Conv2dOptions {
        groups: 2,
        bias: false,
        ..Conv2dOptions::default()
    };
    let x = Node::input(&[2, 7, 7]).unwrap();
    let a = x
        .conv2d(4, [4, 3], &strided)
        .unwrap()
        .activation(Activation::Silu);
    let b = a.conv2d(4, [3, 3], &grouped).unwrap();
    let b = b
        .batch_norm(&BatchNormOptions::default())
        .unwrap()
        .activation(Activation::Tanh);
    let sum = a.add(&b).unwrap().avg_pool2d([2, 2], &same).unwrap();
    let x = Node::concat(&[sum, b])
        .unwrap()
        .activation(Activation::Gelu);
    let x = x.global_avg_pool().unwrap();
    Network::from_output(&x.dense(3, &DenseOptions::default()).unwrap()).unwrap()
}

fn loss(child: &mut Child, device: &Device) -> Tensor<1> {
    let images = image(noise(4 * 2 * 7 * 7, 5), [4, 2, 7, 7], device);
    let labels = Tensor::<1, Int>::from_data([0_i64, 1, 2, 1], device);
    let logits = child.forward_train(images, 0.5, &mut Seed(0).stream("dropout"));
    cross_entropy(logits, &labels, 0.1)
}

#[test]
fn gradients_match_finite_differences() {
    let network = network();
    let device = device();
    let trained = device.clone().autodiff();
    let mut child = Child::build(&network, Seed(9), &trained).unwrap();
    let weights = child.weights().unwrap();
    let gradients = loss(&mut child, &trained).backward();
    let parameters = &child.parameters;
    let conv = |slot: usize| {
        host(
            parameters.convs[slot]
                .weight
                .val()
                .grad(&gradients)
                .unwrap(),
        )
    };
    let norm = &parameters.norms[0];
    let checks = [
        ("conv2d.weight", 0, conv(0)),
        ("conv2d.weight", 1, conv(1)),
        (
            "conv2d.bias",
            0,
            host(
                parameters.convs[0]
                    .bias
                    .as_ref()
                    .unwrap()
                    .val()
                    .grad(&gradients)
                    .unwrap(),
            ),
        ),
        (
            "batch_norm.weight",
            0,
            host(norm.weight.val().grad(&gradients).unwrap()),
        ),
        (
            "batch_norm.bias",
            0,
            host(norm.bias.val().grad(&gradients).unwrap()),
        ),
        (
            "dense.weight",
            0,
            host(parameters.denses[0].weight.val().grad(&gradients).unwrap()),
        ),
        (
            "dense.bias",
            0,
            host(
                parameters.denses[0]
                    .bias
                    .as_ref()
                    .unwrap()
                    .val()
                    .grad(&gradients)
                    .unwrap(),
            ),
        ),
    ];
    for (part, slot, gradient) in checks {
        let mut names: Vec<&String> = weights
            .arrays()
            .keys()
            .filter(|name| name.ends_with(part))
            .collect();
        names.sort_by_key(|name| name.split('.').next().unwrap().parse::<usize>().unwrap());
        let name = names[slot];
        // A handful of elements of each array.
        for index in (0..gradient.len()).step_by(gradient.len().div_ceil(5)) {
            let at = |delta: f32| {
                let mut child =
                    Child::with_weights(&network, &nudged(&weights, name, index, delta), &device)
                        .unwrap();
                f64::from(loss(&mut child, &device).into_scalar::<f32>())
            };
            let step = 1e-2_f32;
            let expected = (at(step) - at(-step)) / (2.0 * f64::from(step));
            let found = f64::from(gradient[index]);
            assert!(
                (found - expected).abs() < 1e-3,
                "{name}[{index}]: expected {expected}, found {found}"
            );
        }
    }
}

fn nudged(weights: &Weights, name: &str, index: usize, delta: f32) -> Weights {
    let mut copy = Weights::default();
    for (key, array) in weights.arrays() {
        let mut values = array.values.clone();
        if key == name {
            values[index] += delta;
        }
        copy.insert(key.clone(), TensorData::new(values, array.shape.clone()))
            .unwrap();
    }
    copy
}
