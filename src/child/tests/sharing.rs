//! Children that share their weights: what is the same in two of them, what a training leaves alone, and that they
//! learn.

use super::{classifier, device, digits};
use crate::child::shared::{SharedWeights, Sharing};
use crate::data::Dataset;
use crate::evaluation::{FailureKind, TrainingConfig};
use crate::network::{Activation, BatchNormOptions, Conv2dOptions, DenseOptions, Network, Node};
use crate::seed::Seed;

fn bank(sharing: Sharing) -> SharedWeights {
    let config = TrainingConfig {
        batch_size: 32,
        learning_rate: 3e-3,
        ..TrainingConfig::default()
    };
    SharedWeights::new(sharing, config, Seed(5), &device())
}

/// Convolutions of so many filters and such kernels, one after another, and a classifier.
fn stack(layers: &[(usize, usize)]) -> Network {
    let mut x = Node::input(&[1, 8, 8]).unwrap();
    for (filters, kernel) in layers {
        let conv = x.conv2d(*filters, [*kernel; 2], &Conv2dOptions::default());
        let norm = conv.unwrap().batch_norm(&BatchNormOptions::default());
        x = norm.unwrap().activation(Activation::Relu);
    }
    let x = x.global_avg_pool().unwrap();
    let x = x.dense(10, &DenseOptions::default()).unwrap();
    Network::from_output(&x).unwrap()
}

/// The array called `name` of `network` with what it shares.
fn array(bank: &mut SharedWeights, network: &Network, name: &str) -> Vec<f32> {
    let weights = bank.child(network, &device()).unwrap().0.weights().unwrap();
    weights.arrays()[name].values.clone()
}

fn score(bank: &mut SharedWeights, network: &Network, data: &Dataset) -> f64 {
    let images: Vec<usize> = (0..data.validation().len()).collect();
    let score = bank.score(network, data, &images, data.validation());
    score.unwrap().accuracy
}

const FIRST: &str = "1.conv2d.weight";
const FIRST_NORM: &str = "2.batch_norm.weight";
const SECOND: &str = "4.conv2d.weight";

#[test]
fn two_children_with_a_layer_in_common_train_the_same_array() {
    let (mut bank, data) = (bank(Sharing::Shapes), digits(200, 50));
    let (a, b) = (stack(&[(8, 3), (8, 3)]), stack(&[(8, 3), (8, 1)]));
    let before = array(&mut bank, &a, FIRST);
    assert_eq!(before, array(&mut bank, &b, FIRST));
    bank.train(&a, &data).unwrap();
    let after_a = array(&mut bank, &a, FIRST);
    assert_ne!(before, after_a);
    assert_eq!(after_a, array(&mut bank, &b, FIRST));
    bank.train(&b, &data).unwrap();
    let after_b = array(&mut bank, &a, FIRST);
    assert_ne!(after_a, after_b);
    assert_eq!(after_b, array(&mut bank, &b, FIRST));
}

#[test]
fn what_a_child_does_not_have_stays_as_it_was() {
    let (mut bank, data) = (bank(Sharing::Shapes), digits(200, 50));
    let (a, b) = (stack(&[(8, 3), (8, 3)]), stack(&[(8, 3), (8, 1)]));
    let wide = stack(&[(16, 3), (8, 3)]);
    let own: Vec<_> = [
        (&b, SECOND),
        (&wide, FIRST),
        (&wide, FIRST_NORM),
        (&wide, SECOND),
    ]
    .map(|(network, name)| (network, name, array(&mut bank, network, name)))
    .into();
    for _ in 0..3 {
        bank.train(&a, &data).unwrap();
    }
    for (network, name, before) in own {
        assert_eq!(before, array(&mut bank, network, name), "{name}");
    }
}

#[test]
fn a_narrow_layer_is_the_first_part_of_a_wide_one() {
    let (mut bank, data) = (bank(Sharing::Slices), digits(200, 50));
    let (narrow, wide) = (stack(&[(4, 3), (4, 3)]), stack(&[(8, 3), (6, 3)]));
    // The narrow one comes first: arrays grow.
    bank.train(&narrow, &data).unwrap();
    let trained = array(&mut bank, &narrow, SECOND);
    let block = |whole: &[f32]| -> Vec<f32> {
        let rows = whole.chunks(8 * 9).take(4);
        rows.flat_map(|row| row[..4 * 9].to_vec()).collect()
    };
    let whole = array(&mut bank, &wide, SECOND);
    assert_eq!(block(&whole), trained);
    bank.train(&narrow, &data).unwrap();
    let after = array(&mut bank, &wide, SECOND);
    assert_ne!(block(&after), trained);
    assert_eq!(block(&after), array(&mut bank, &narrow, SECOND));
    let changed = whole.iter().zip(&after).filter(|(a, b)| a != b).count();
    assert!(changed <= 4 * 4 * 9, "{changed} of {} changed", whole.len());
    bank.train(&wide, &data).unwrap();
    assert_ne!(block(&array(&mut bank, &wide, SECOND)), block(&after));
}

#[test]
fn a_scope_says_which_layers_are_the_same_however_deep_they_lie() {
    let network = |before: usize, scope: &str| {
        let mut x = Node::input(&[1, 8, 8]).unwrap();
        for _ in 0..before {
            x = x.conv2d(4, [3, 3], &Conv2dOptions::default()).unwrap();
        }
        let x = x.scope(scope).conv2d(4, [5, 5], &Conv2dOptions::default());
        let x = x.unwrap().scope("head").global_avg_pool().unwrap();
        Network::from_output(&x.dense(10, &DenseOptions::default()).unwrap()).unwrap()
    };
    let (mut bank, data) = (bank(Sharing::Shapes), digits(200, 50));
    let (near, far, other) = (network(1, "a"), network(2, "a"), network(2, "b"));
    assert_eq!(
        far.digest(),
        other.digest(),
        "a scope is no part of a network"
    );
    bank.train(&near, &data).unwrap();
    let conv = array(&mut bank, &near, "2.conv2d.weight");
    assert_eq!(conv, array(&mut bank, &far, "3.conv2d.weight"));
    assert_ne!(conv, array(&mut bank, &other, "3.conv2d.weight"));
    let head = array(&mut bank, &near, "4.dense.weight");
    assert_eq!(head, array(&mut bank, &other, "5.dense.weight"));
}

#[test]
fn children_that_share_learn_together_and_always_the_same() {
    let data = digits(1000, 300);
    let children: Vec<_> = [3, 5]
        .into_iter()
        .flat_map(|kernel| [8, 16].map(|filters| stack(&[(filters, kernel), (filters, 3)])))
        .collect();
    let learned = |sharing| {
        let mut bank = bank(sharing);
        let before = score(&mut bank, &children[0], &data);
        assert!(before < 0.3, "{before} without training");
        for step in 0..600 {
            bank.train(&children[step % 4], &data).unwrap();
        }
        children
            .iter()
            .map(|child| score(&mut bank, child, &data))
            .collect::<Vec<_>>()
    };
    for sharing in [Sharing::Shapes, Sharing::Slices] {
        let scores = learned(sharing);
        assert!(
            scores.iter().all(|score| *score > 0.5),
            "{sharing:?}: {scores:?}"
        );
        assert_eq!(scores, learned(sharing), "the same once more");
    }
}

#[test]
fn an_update_that_is_not_finite_changes_nothing() {
    let config = TrainingConfig {
        batch_size: 32,
        learning_rate: 1e38,
        ..TrainingConfig::default()
    };
    let mut bank = SharedWeights::new(Sharing::Shapes, config, Seed(5), &device());
    let (data, child) = (digits(200, 50), stack(&[(8, 3)]));
    let mut failed = 0;
    for _ in 0..4 {
        let before = array(&mut bank, &child, FIRST);
        let state = bank.state();
        if let Err(failure) = bank.train(&child, &data) {
            assert_eq!(failure.kind, FailureKind::Nan);
            assert_eq!(before, array(&mut bank, &child, FIRST));
            failed += 1;
        }
        assert_ne!(state, bank.state(), "the mini-batch is used up");
    }
    assert!(failed > 0);
}

#[test]
fn a_network_for_other_images_is_a_failure() {
    let x = Node::input(&[3, 8, 8]).unwrap().flatten().unwrap();
    let other = Network::from_output(&x.dense(10, &DenseOptions::default()).unwrap()).unwrap();
    let (mut bank, data) = (bank(Sharing::Shapes), digits(200, 50));
    let failure = bank.train(&other, &data).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Invalid);
    assert_eq!(bank.updates(), 0);
    // A child with dropout and a running statistic is one like others.
    bank.train(&classifier(), &data).unwrap();
}
