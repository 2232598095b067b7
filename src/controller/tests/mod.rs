use std::sync::Arc;

use super::*;
use crate::space::{Source, Value};

mod anchors;
mod cells;
mod entropy;
mod gradients;
pub mod landscapes;
mod learning;
mod plain;
mod pool;
mod recorded;
mod snapshots;

/// The original's space: kernel [1, 3] and filters [16, 32, 64].
fn space() -> Arc<StateSpace> {
    let mut space = StateSpace::new();
    let ints = |values: &[i64]| values.iter().map(|v| Value::Int(*v)).collect();
    space.add_state("kernel", ints(&[1, 3])).unwrap();
    space.add_state("filters", ints(&[16, 32, 64])).unwrap();
    Arc::new(space)
}

/// A space with every kind of state: its sequence starts with values, as mode original needs.
fn mixed() -> Arc<StateSpace> {
    let mut space = StateSpace::clone(&space());
    space.add_anchor("skip").unwrap();
    space.add_input("left", 2).unwrap();
    let ints = |values: &[i64]| values.iter().map(|v| Value::Int(*v)).collect();
    let pools = [&[1, 2][..], &[2, 3, 4], &[1], &[4, 1]].map(ints);
    space.add_state_per_layer("pool", pools.to_vec()).unwrap();
    space.add_anchor("sum").unwrap();
    let heads = ["gap", "flatten"].map(|head| Value::Text(head.into()));
    space.add_choice("head", heads.to_vec()).unwrap();
    Arc::new(space)
}

fn config(mode: Mode) -> ControllerConfig {
    ControllerConfig {
        mode,
        ..ControllerConfig::default()
    }
}

fn controller(config: ControllerConfig, seed: u64) -> Controller {
    Controller::new(space(), 4, config, &Device::flex(), Seed(seed)).unwrap()
}

#[test]
fn a_seed_fixes_the_actions_and_another_seed_changes_them() {
    for mode in [Mode::Reinforce, Mode::Original] {
        let draw = |seed: u64| -> Vec<Vec<usize>> {
            let mut controller = controller(config(mode), seed);
            let mut next = || controller.get_action(None).unwrap().indices().to_vec();
            (0..8).map(|_| next()).collect()
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }
}

#[test]
fn sampled_actions_carry_the_probabilities_they_were_drawn_with() {
    let mut controller = controller(config(Mode::Reinforce), 0);
    let actions = controller.get_action(None).unwrap();
    assert_eq!(actions.source(), Source::Policy);
    for p in actions.probabilities() {
        assert!((p.iter().sum::<f64>() - 1.0).abs() < 1e-6);
    }
    let probability = controller.probability_of(&actions).unwrap();
    assert!((probability.ln() - actions.log_prob()).abs() < 1e-5);
}

#[test]
fn samples_follow_their_distribution() {
    assert_eq!(reinforce::sample(&[0.2, 0.3, 0.5], 0.0), 0);
    assert_eq!(reinforce::sample(&[0.2, 0.3, 0.5], 0.25), 1);
    assert_eq!(reinforce::sample(&[0.2, 0.3, 0.5], 0.999_999), 2);
    assert_eq!(reinforce::sample(&[1.0, 0.0], 0.999_999_999), 0);
}

#[test]
fn exploration_and_learning_rate_follow_the_originals_schedules() {
    let mut controller = controller(config(Mode::Original), 0);
    let actions = controller.get_action(None).unwrap();
    for step in 1..=40 {
        controller.store_rollout(&actions, 0.0).unwrap();
        let update = controller.train_step().unwrap().unwrap();
        let expected = match step {
            0..20 => 0.8,
            20..40 => 0.8 * 0.99,
            _ => 0.8 * 0.99 * 0.99,
        };
        assert!((update.exploration - expected).abs() < 1e-12, "step {step}");
        assert!((update.learning_rate - 0.1).abs() < 1e-12);
    }
    assert!((original::decayed(0.1, 499) - 0.1).abs() < 1e-12);
    assert!((original::decayed(0.1, 500) - 0.095).abs() < 1e-12);
    assert!((original::decayed(0.1, 1000) - 0.090_25).abs() < 1e-12);
}

#[test]
fn discounting_restarts_at_rewards_that_are_not_zero() {
    assert_eq!(discount_rewards(&[0.0, 0.0, 1.0], 0.5), [0.25, 0.5, 1.0]);
    assert_eq!(discount_rewards(&[2.0, 0.0, 1.0], 0.5), [2.0, 0.5, 1.0]);
    assert_eq!(discount_rewards(&[], 0.5), [0.0; 0]);
}

#[test]
fn a_mini_batch_updates_when_it_is_full() {
    let mut controller = controller(
        ControllerConfig {
            batch_size: 3,
            ..config(Mode::Reinforce)
        },
        0,
    );
    for round in 1..=6 {
        let actions = controller.get_action(None).unwrap();
        controller
            .store_rollout(&actions, f64::from(round))
            .unwrap();
        let update = controller.train_step().unwrap();
        assert_eq!(update.is_some(), round % 3 == 0, "round {round}");
    }
    assert_eq!(controller.step(), 2);
}

#[test]
fn wrong_use_says_what_was_expected() {
    let mut controller = controller(config(Mode::Reinforce), 0);
    let message = |e: Error| e.to_string();
    assert_eq!(
        message(controller.train_step().unwrap_err()),
        "train_step: expected a rollout stored by store_rollout, found none"
    );
    let actions = controller.get_action(None).unwrap();
    assert_eq!(
        message(controller.store_rollout(&actions, f64::NAN).unwrap_err()),
        "reward: expected a finite number, found NaN"
    );
    let short = Actions::random(&space(), 3, &mut Seed(0).stream("space")).unwrap();
    assert_eq!(
        message(controller.get_action(Some(&short)).unwrap_err()),
        "controller: expected actions for 4 layers of this controller's space, found 3 layers"
    );
    let wrong = |config: ControllerConfig| {
        let made = Controller::new(space(), 4, config, &Device::flex(), Seed(0));
        made.err().map(message).unwrap_or_default()
    };
    assert_eq!(
        wrong(ControllerConfig {
            exploration: 1.5,
            ..ControllerConfig::default()
        }),
        "option 'exploration': expected 0 to 1, found 1.5"
    );
    assert_eq!(
        wrong(ControllerConfig {
            controller_cells: 0,
            ..ControllerConfig::default()
        }),
        "option 'controller_cells': expected an integer from 1 to 4096, found 0"
    );
}

#[test]
fn an_update_that_would_not_be_finite_changes_nothing_and_blocks_nothing() {
    for (mode, reward) in [(Mode::Reinforce, 1e39), (Mode::Original, 1e30)] {
        let mut controller = controller(config(mode), 0);
        let actions = controller.get_action(None).unwrap();
        controller.store_rollout(&actions, 0.01).unwrap();
        controller.train_step().unwrap();
        let before = controller.weights().unwrap();
        controller.store_rollout(&actions, reward).unwrap();
        let error = controller.train_step().unwrap_err().to_string();
        assert!(
            error.contains("expected a finite loss and gradient"),
            "{error}"
        );
        assert_eq!(controller.weights().unwrap(), before, "{mode:?}");
        controller.store_rollout(&actions, 0.02).unwrap();
        controller.train_step().unwrap();
        assert_eq!(controller.step(), 2, "{mode:?}");
    }
}
