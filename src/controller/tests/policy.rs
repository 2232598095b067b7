//! The default policy gradients: that they search better than chance, sample nothing twice, say when
//! they have collapsed, and go on exactly from a file.

use std::collections::BTreeSet;

use super::landscapes::Landscape;
use super::*;

fn options(mode: Mode) -> ControllerConfig {
    ControllerConfig {
        mode,
        ..ControllerConfig::default()
    }
}

fn searcher(landscape: &Landscape, config: ControllerConfig, seed: u64) -> Controller {
    let space = landscape.space.clone();
    Controller::new(space, landscape.layers, config, &Device::flex(), Seed(seed)).unwrap()
}

/// The truth of the best that was observed within `trials`; without a mode they are drawn uniformly.
fn found(landscape: &Landscape, mode: Option<Mode>, seed: u64, trials: usize) -> f64 {
    let mut controller = mode.map(|mode| searcher(landscape, options(mode), seed));
    let mut rng = Seed(seed).stream("space");
    let mut best = (f64::NEG_INFINITY, Vec::new());
    for _ in 0..trials {
        let Some(controller) = &mut controller else {
            let drawn = landscape.draw(&mut rng);
            let observed = landscape.observe(&drawn, seed);
            if observed > best.0 {
                best = (observed, drawn);
            }
            continue;
        };
        let actions = controller.get_action(None).unwrap();
        let observed = landscape.observe(actions.indices(), seed);
        controller.store_rollout(&actions, observed).unwrap();
        controller.train_step().unwrap();
        if observed > best.0 {
            best = (observed, actions.indices().to_vec());
        }
    }
    landscape.truth(&best.1)
}

#[test]
fn both_find_better_architectures_than_chance() {
    const TRIALS: usize = 60;
    let check = |landscape: &Landscape| {
        let mean = |mode, seeds: u64| {
            let found = (0..seeds).map(|seed| found(landscape, mode, seed, TRIALS));
            found.sum::<f64>() / seeds as f64
        };
        let chance = mean(None, 100);
        for mode in [Mode::Reinforce, Mode::Ppo] {
            let own = mean(Some(mode), 4);
            let name = landscape.name;
            assert!(own > chance, "{name}, {mode:?}: {own} for {chance}");
        }
    };
    // On the stand-ins for published tables four seeds cannot tell: their differences are small.
    let mut all = Landscape::all();
    all.retain(|landscape| !matches!(landscape.name, "cells" | "widths"));
    let (half, rest) = all.split_at(all.len() / 2);
    std::thread::scope(|scope| {
        scope.spawn(|| half.iter().for_each(check));
        rest.iter().for_each(check);
    });
}

#[test]
fn no_architecture_is_sampled_twice_before_all_were() {
    let mut space = StateSpace::new();
    let values = (0..3).map(Value::Int).collect();
    space.add_state("op", values).unwrap();
    let space = Arc::new(space);
    for mode in [Mode::Reinforce, Mode::Ppo] {
        let made = Controller::new(space.clone(), 4, options(mode), &Device::flex(), Seed(0));
        let mut controller = made.unwrap();
        let mut seen = BTreeSet::new();
        for round in 0..81 {
            let actions = controller.get_action(None).unwrap();
            assert!(seen.insert(actions.indices().to_vec()), "round {round}");
            // One is so much better that the policy wants nothing else.
            let right = actions.indices().iter().filter(|i| **i == 2).count();
            controller.store_rollout(&actions, right as f64).unwrap();
            controller.train_step().unwrap();
        }
        assert_eq!(seen.len(), 81);
        // All were sampled: any may be again, and that is no collapse.
        for _ in 0..30 {
            let actions = controller.get_action(None).unwrap();
            assert!(seen.contains(actions.indices()));
            controller.store_rollout(&actions, 1.0).unwrap();
            controller.train_step().unwrap();
        }
        assert!(!controller.collapsed());
    }
}

#[test]
fn what_a_script_stores_is_not_sampled_again() {
    let mut controller = controller(options(Mode::Reinforce), 0);
    let given: Vec<_> = space().enumerate(4).unwrap().take(1200).collect();
    for actions in &given {
        controller.store_rollout(actions, 0.5).unwrap();
    }
    controller.train_step().unwrap();
    for _ in 0..96 {
        let actions = controller.get_action(None).unwrap();
        assert!(given.iter().all(|g| g.indices() != actions.indices()));
    }
}

#[test]
fn a_collapse_is_noticed() {
    let collapsed_with = |config: ControllerConfig| {
        let mut controller = controller(config, 0);
        for _ in 0..200 {
            let actions = controller.get_action(None).unwrap();
            let reward = actions.indices().iter().sum::<usize>() as f64;
            controller.store_rollout(&actions, reward).unwrap();
            let update = controller.train_step().unwrap().unwrap();
            assert_eq!(update.collapsed, controller.collapsed());
            if update.collapsed {
                return Some(controller.entropy().unwrap());
            }
        }
        None
    };
    let greedy = ControllerConfig {
        learning_rate: Some(0.1),
        entropy_weight: 0.0,
        novel: false,
        ..options(Mode::Reinforce)
    };
    let left = collapsed_with(greedy.clone()).expect("it settles on one");
    assert!(left < 1.0, "{left} of 7.2 nats");
    let never = ControllerConfig {
        collapse_entropy: 0.0,
        collapse_repeats: u64::MAX,
        ..greedy.clone()
    };
    assert_eq!(collapsed_with(never), None);
    let open = ControllerConfig {
        entropy_weight: 10.0,
        ..greedy
    };
    assert_eq!(collapsed_with(open), None);
}

#[test]
fn a_restored_searcher_goes_on_exactly() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.safetensors");
    let landscape = Landscape::named("anchored");
    let go = |controller: &mut Controller, rounds: usize| -> Vec<(Vec<usize>, Option<Update>)> {
        let round = |_| {
            let actions = controller.get_action(None).unwrap();
            let reward = landscape.truth(actions.indices());
            controller.store_rollout(&actions, reward).unwrap();
            let update = controller.train_step().unwrap();
            (actions.indices().to_vec(), update)
        };
        (0..rounds).map(round).collect()
    };
    for mode in [Mode::Reinforce, Mode::Ppo] {
        let config = ControllerConfig {
            entropy_final: Some(0.0),
            learning_rate_schedule: Schedule::Cosine,
            ..options(mode)
        };
        let mut straight = searcher(&landscape, config.clone(), 1);
        go(&mut straight, 43);
        straight.save(&path).unwrap();
        let mut restored = searcher(&landscape, config, 99);
        restored.load(&path).unwrap();
        let expected = go(&mut straight, 40);
        assert_eq!(go(&mut restored, 40), expected, "{mode:?}");
        assert_eq!(restored.weights().unwrap(), straight.weights().unwrap());
    }
}

#[test]
fn the_scale_of_an_objective_and_its_tail_change_nothing() {
    let landscape = Landscape::named("additive");
    let sampled = |objective: fn(f64) -> f64| {
        let mut controller = searcher(&landscape, options(Mode::Reinforce), 5);
        let round = |_| {
            let actions = controller.get_action(None).unwrap();
            let reward = objective(landscape.truth(actions.indices()));
            controller.store_rollout(&actions, reward).unwrap();
            controller.train_step().unwrap();
            actions.indices().to_vec()
        };
        (0..40).map(round).collect::<Vec<_>>()
    };
    let plain = sampled(|truth| truth);
    assert_eq!(sampled(|truth| 90.0 + 0.01 * truth), plain);
    assert_eq!(sampled(|truth| -1e9 / (truth + 1e-3)), plain);
}

#[test]
fn the_first_samples_are_uniform() {
    let controller = Controller::new(
        mixed(),
        4,
        options(Mode::Reinforce),
        &Device::flex(),
        Seed(0),
    );
    for p in controller.unwrap().probabilities(None).unwrap() {
        for share in &p {
            assert!((share - 1.0 / p.len() as f64).abs() < 1e-6);
        }
    }
}

#[test]
fn schedules_end_where_they_say() {
    let config = |schedule| ControllerConfig {
        learning_rate: Some(0.1),
        learning_rate_schedule: schedule,
        entropy_weight: 0.4,
        entropy_final: Some(0.2),
        schedule_steps: 10,
        ..options(Mode::Reinforce)
    };
    let close = |found: f64, expected: f64| assert!((found - expected).abs() < 1e-9, "{found}");
    for (schedule, half, end) in [
        (Schedule::Constant, 0.1, 0.1),
        (Schedule::Linear, 0.055, 0.01),
        (Schedule::Cosine, 0.055, 0.01),
    ] {
        let config = config(schedule);
        for (step, rate, entropy) in [
            (0, 0.1, 0.4),
            (5, half, 0.3),
            (10, end, 0.2),
            (99, end, 0.2),
        ] {
            close(config.learning_rate_at(step), rate);
            close(config.entropy_weight_at(step), entropy);
        }
    }
    assert!(
        config(Schedule::Cosine).learning_rate_at(2) > config(Schedule::Linear).learning_rate_at(2)
    );
}

#[test]
fn advantages_are_what_their_options_say() {
    let sorted = [-1000.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
    let scores = |n: Normalize, rewards: &[f64]| n.scores(rewards, &sorted);
    assert_eq!(scores(Normalize::None, &[3.0, -1000.0]), [3.0, -1000.0]);
    let ranks = scores(Normalize::Rank, &[-1000.0, 3.0, 6.0]);
    assert_eq!(ranks, [-6.0 / 7.0, 0.0, 6.0 / 7.0]);
    // The quartiles are 1.5 and 4.5.
    let deviations = scores(Normalize::Deviation, &[-1000.0, 3.0, 4.0]);
    assert_eq!(deviations[..2], [-3.0, 0.0]);
    assert!((deviations[2] - 1.349 / 3.0).abs() < 1e-9);
    let equal = Normalize::Deviation.scores(&[1.0, 2.0], &[1.0, 1.0, 1.0, 1.0, 2.0]);
    assert_eq!(equal, [0.0, 1.0]);

    let (advantages, average) = Baseline::Ema.advantages(&[1.0, 2.0], Some(0.0), 0.5);
    assert_eq!((advantages, average), (vec![1.0, 2.0], 1.25));
    let (advantages, _) = Baseline::Ema.advantages(&[1.0, 2.0], None, 0.5);
    assert_eq!(advantages, [-0.5, 0.5]);
    let (advantages, _) = Baseline::LeaveOneOut.advantages(&[1.0, 2.0, 6.0], Some(9.0), 0.5);
    assert_eq!(advantages, [-3.0, -1.5, 4.5]);
}

#[test]
fn options_out_of_range_are_named() {
    let refused = |config: ControllerConfig| config.validate().unwrap_err().to_string();
    let default = ControllerConfig::default;
    let cases = [
        (
            ControllerConfig {
                baseline: Baseline::LeaveOneOut,
                ..default()
            },
            "option 'baseline': expected \"ema\" where batch_size is 1 (there is no other reward to \
             compare with), found \"leave_one_out\"",
        ),
        (
            ControllerConfig {
                clip_ratio: 1.0,
                ..default()
            },
            "option 'clip_ratio': expected a number between 0 and 1, found 1",
        ),
        (
            ControllerConfig {
                imitation: -1.0,
                ..default()
            },
            "option 'imitation': expected 0 or more, found -1",
        ),
        (
            ControllerConfig {
                schedule_steps: 0,
                ..default()
            },
            "option 'schedule_steps': expected a whole number from 1, found 0",
        ),
    ];
    for (config, expected) in cases {
        assert_eq!(refused(config), expected);
    }
    let pool = ControllerPool::new(
        2,
        &space(),
        4,
        options(Mode::Ppo),
        PoolConfig::default(),
        &Device::flex(),
        Seed(0),
    );
    let error = pool.err().unwrap().to_string();
    assert!(
        error.starts_with("option 'mode': expected \"reinforce\""),
        "{error}"
    );
}
