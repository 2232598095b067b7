//! The entropy of a policy and the divergence of several, against sums over all architectures.

use super::*;
use crate::controller::entropy::divergence;

/// Controllers with policies far from uniform, and with it different from each other.
fn decided() -> Vec<Controller> {
    let decided = |seed: u64| {
        let config = ControllerConfig {
            learning_rate: Some(0.02),
            ..config(Mode::Reinforce)
        };
        let mut controller = controller(config, seed);
        for round in 0..40 {
            let actions = controller.get_action(None).unwrap();
            let likes = actions.indices().iter().sum::<usize>() as u64;
            let reward = if (likes + seed).is_multiple_of(2) {
                1.0
            } else {
                0.0
            };
            controller
                .store_rollout(&actions, reward + 0.01 * f64::from(round))
                .unwrap();
            controller.train_step().unwrap();
        }
        controller
    };
    [3, 4, 5].map(decided).into()
}

/// π of every architecture.
fn distribution(controller: &Controller) -> Vec<f64> {
    let all = space().enumerate(4).unwrap();
    all.map(|a| controller.probability_of(&a).unwrap())
        .collect()
}

fn entropy(distribution: &[f64]) -> f64 {
    let terms = distribution.iter().filter(|p| **p > 0.0);
    -terms.map(|p| p * p.ln()).sum::<f64>()
}

#[test]
fn estimates_are_near_the_sums_over_all_architectures() {
    let controllers = decided();
    let all: Vec<_> = controllers.iter().map(distribution).collect();
    for (controller, distribution) in controllers.iter().zip(&all) {
        assert!((distribution.iter().sum::<f64>() - 1.0).abs() < 1e-4);
        let (estimate, exact) = (controller.entropy().unwrap(), entropy(distribution));
        assert!((estimate - exact).abs() < 0.25, "{estimate} {exact}");
    }
    let mean = |i: usize| all.iter().map(|d| d[i]).sum::<f64>() / 3.0;
    let mixture: Vec<f64> = (0..all[0].len()).map(mean).collect();
    let own = all.iter().map(|d| entropy(d)).sum::<f64>() / 3.0;
    let exact = (entropy(&mixture) - own) / 3f64.ln();
    let estimate = divergence(&controllers).unwrap();
    assert!((estimate - exact).abs() < 0.08, "{estimate} {exact}");
    assert!(exact > 0.1, "{exact}");
    let same = [0, 0, 0].map(|i: usize| controllers[i].clone());
    assert!(divergence(&same).unwrap() < 1e-6);
}

#[test]
fn to_read_the_entropy_changes_nothing() {
    for mode in [Mode::Reinforce, Mode::Original] {
        let mut read = controller(config(mode), 0);
        let mut unread = read.clone();
        let entropy = read.entropy().unwrap();
        assert_eq!(read.entropy().unwrap(), entropy);
        let most = (space().cardinality(4) as f64).ln();
        assert!(
            entropy > 0.5 * most && entropy <= most,
            "{entropy} of {most}"
        );
        assert_eq!(
            read.get_action(None).unwrap(),
            unread.get_action(None).unwrap()
        );
    }
}

#[test]
fn anchors_count_as_the_decisions_they_are() {
    let config = config(Mode::Reinforce);
    let made = Controller::new(mixed(), 4, config, &Device::flex(), Seed(2)).unwrap();
    let most = (mixed().cardinality(4) as f64).ln();
    let entropy = made.entropy().unwrap();
    assert!(
        entropy > 0.5 * most && entropy <= most,
        "{entropy} of {most}"
    );
}
