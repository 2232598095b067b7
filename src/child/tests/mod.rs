//! Tests of the children: each operation against a plain loop and against PyTorch, gradients against
//! differences, and whole trainings on real digits.

mod continuing;
mod gradients;
mod kernels;
mod learning;
mod operations;
mod precision;
mod sharing;
mod stopping;
mod torch;

use burn::tensor::{Device, Tensor, TensorData};

use crate::data::{DataOptions, DataPaths, Dataset, load};
use crate::evaluation::{DataKey, Evaluation, TrainingConfig};
use crate::network::{Activation, Conv2dOptions, DenseOptions, Network, Node, PoolOptions};
use crate::seed::Seed;

fn device() -> Device {
    Device::flex()
}

/// Numbers between -1 and 1 without a pattern.
fn noise(len: usize, seed: u64) -> Vec<f32> {
    let mut rng = Seed(seed).stream("test");
    (0..len)
        .map(|_| 2.0 * super::initial::unit(&mut rng) - 1.0)
        .collect()
}

fn image(values: Vec<f32>, shape: [usize; 4], device: &Device) -> Tensor<4> {
    Tensor::from_data(TensorData::new(values, shape), device)
}

fn host<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.into_data().try_into_vec().unwrap()
}

fn assert_close(found: &[f32], expected: &[f32], tolerance: f32) {
    assert_eq!(found.len(), expected.len());
    for (index, (f, e)) in found.iter().zip(expected).enumerate() {
        assert!(
            (f - e).abs() <= tolerance,
            "element {index}: expected {e}, found {f}"
        );
    }
}

fn digits(train: usize, validation: usize) -> Dataset {
    let options = DataOptions {
        train: Some(train),
        validation: Some(validation),
        ..DataOptions::default()
    };
    load("digits", &options, &DataPaths::new(None)).unwrap()
}

/// A small classifier of digits.
fn classifier() -> Network {
    let x = Node::input(&[1, 8, 8]).unwrap();
    let x = x.conv2d(16, [3, 3], &Conv2dOptions::default()).unwrap();
    let x = x
        .batch_norm(&crate::network::BatchNormOptions::default())
        .unwrap();
    let x = x
        .activation(Activation::Relu)
        .max_pool2d([2, 2], &PoolOptions::default())
        .unwrap();
    let x = x.flatten().unwrap().dropout(0.1).unwrap();
    Network::from_output(&x.dense(10, &DenseOptions::default()).unwrap()).unwrap()
}

fn ask(network: Network, training: TrainingConfig) -> Evaluation {
    Evaluation {
        network,
        data: DataKey {
            name: "digits".into(),
            split: String::new(),
            content: String::new(),
        },
        training,
        seed: Seed(3),
    }
}
