//! A pool of one is a controller; what replicas have from each other; that a saved pool goes on.

use super::learning::{accuracy, best};
use super::*;

const ALL: [Exchange; 4] = [
    Exchange::Gradients,
    Exchange::Average,
    Exchange::Select,
    Exchange::None,
];

fn pool(
    replicas: usize,
    config: ControllerConfig,
    exchange: Exchange,
    every: u64,
) -> ControllerPool {
    let own = PoolConfig { exchange, every };
    ControllerPool::new(replicas, &space(), 4, config, own, &Device::flex(), Seed(1)).unwrap()
}

fn batches(batch_size: usize) -> ControllerConfig {
    ControllerConfig {
        batch_size: Some(batch_size),
        ..config(Mode::Reinforce)
    }
}

/// Tries `n` architectures, one after another.
fn rounds(pool: &mut ControllerPool, n: usize) -> Vec<(Vec<usize>, Vec<PoolUpdate>)> {
    let round = |_| {
        let actions = pool.get_action(None).unwrap();
        let reward = accuracy(actions.indices());
        pool.store_rollout(&actions, reward).unwrap();
        (actions.indices().to_vec(), pool.train_step().unwrap())
    };
    (0..n).map(round).collect()
}

/// The weights of every replica.
fn weights(pool: &ControllerPool) -> Vec<Arrays> {
    let all = pool.replicas().iter();
    all.map(|replica| replica.weights().unwrap()).collect()
}

#[test]
fn a_pool_of_one_is_a_controller() {
    for (exchange, batch_size) in ALL.into_iter().zip([1, 3, 1, 2]) {
        let mut alone = controller(batches(batch_size), 1);
        let mut pool = pool(1, batches(batch_size), exchange, 3);
        // The second of two architectures is rewarded after an update.
        let mut kept = None;
        for round in 0..12 {
            let actions = alone.get_action(None).unwrap();
            assert_eq!(pool.get_action(None).unwrap(), actions, "{exchange:?}");
            let Some(earlier) = kept.replace(actions) else {
                continue;
            };
            let reward = accuracy(earlier.indices());
            alone.store_rollout(&earlier, reward).unwrap();
            pool.store_rollout(&earlier, reward).unwrap();
            let update = alone.train_step().unwrap();
            let updates = pool.train_step().unwrap();
            let same = updates.into_iter().map(|u| u.update).next();
            assert_eq!(same, update, "{exchange:?}, round {round}");
        }
        assert_eq!(weights(&pool), [alone.weights().unwrap()], "{exchange:?}");
        assert_eq!(pool.replicas()[0].baseline(), alone.baseline());
        assert_eq!(pool.entropy().unwrap(), alone.entropy().unwrap());
        assert_eq!(pool.diversity().unwrap(), 0.0);
    }
}

#[test]
fn replicas_sample_in_turn_from_streams_of_their_own() {
    let mut pool = pool(3, batches(1), Exchange::Gradients, 1);
    let drawn: Vec<_> = (0..3).map(|_| pool.get_action(None).unwrap()).collect();
    assert_eq!(
        weights(&pool)[0],
        weights(&pool)[2],
        "one set of parameters"
    );
    assert!(drawn[0] != drawn[1] && drawn[1] != drawn[2], "{drawn:?}");
    // Rewards may come in any order; each goes to who sampled the architecture.
    for number in [2, 0, 1] {
        pool.store_rollout(&drawn[number], number as f64).unwrap();
    }
    let updates = pool.train_step().unwrap();
    let rewards = updates
        .iter()
        .map(|u| (u.replica, u.update.discounted_reward));
    assert_eq!(rewards.collect::<Vec<_>>(), [(0, 0.0), (1, 1.0), (2, 2.0)]);
    let baselines = pool.replicas().iter().map(|r| r.baseline().unwrap());
    assert_eq!(baselines.collect::<Vec<_>>(), [0.0, 1.0, 2.0]);
}

#[test]
fn a_gradient_arrives_as_stale_as_the_updates_since_its_parameters_were_fetched() {
    // With mini-batches of one, each replica fetches what the one before it has updated.
    let mut fresh = pool(3, batches(1), Exchange::Gradients, 1);
    let staleness = rounds(&mut fresh, 9)
        .into_iter()
        .map(|(_, u)| u[0].staleness);
    assert_eq!(staleness.collect::<Vec<_>>(), [0; 9]);
    // With larger ones all fetch before the first is full.
    let mut stale = pool(3, batches(2), Exchange::Gradients, 1);
    let updates = rounds(&mut stale, 18).into_iter().flat_map(|(_, u)| u);
    let seen: Vec<_> = updates
        .map(|u| (u.replica, u.staleness, u.update.step))
        .collect();
    assert_eq!(seen[..4], [(0, 0, 1), (1, 1, 2), (2, 2, 3), (0, 0, 4)]);
    assert_eq!(stale.staleness(), [3, 3, 3]);
    assert_eq!(stale.mean_staleness(), Some(1.0));
    assert_eq!(stale.step(), 9);
}

#[test]
fn an_architecture_that_nobody_rewards_holds_nothing_up() {
    let mut pool = pool(2, batches(1), Exchange::Gradients, 1);
    let skipped = pool.get_action(None).unwrap();
    let updates = rounds(&mut pool, 8).into_iter().flat_map(|(_, u)| u);
    // The first replica goes on with what it fetched for the skipped one, then with what there is.
    let seen: Vec<_> = updates.map(|u| (u.replica, u.staleness)).collect();
    assert_eq!(seen[..4], [(1, 0), (0, 1), (1, 0), (0, 0)]);
    assert!(seen[4..].iter().all(|(_, staleness)| *staleness == 0));
    pool.store_rollout(&skipped, 0.5).unwrap();
}

#[test]
fn a_stale_gradient_moves_what_the_server_has_by_then() {
    // Plain descent would add up in any order; Adam does not, so this is the order of arrival.
    let mut pool = pool(2, batches(1), Exchange::Gradients, 1);
    let drawn = [0, 1].map(|_| pool.get_action(None).unwrap());
    let mut server = controller(batches(1), 1);
    let mut second = server.clone();
    for (actions, learner) in drawn.iter().zip([&mut server.clone(), &mut second]) {
        // A reward that equals the baseline teaches nothing but the entropy.
        learner.baseline = Some(0.1);
        learner.store_rollout(actions, 0.7).unwrap();
        server.learn(learner.lesson().unwrap()).unwrap();
    }
    for (number, actions) in drawn.iter().enumerate() {
        pool.replicas[number].baseline = Some(0.1);
        pool.store_rollout(actions, 0.7).unwrap();
    }
    pool.train_step().unwrap();
    assert_eq!(weights(&pool)[1], server.weights().unwrap());
    assert_ne!(
        weights(&pool)[0],
        weights(&pool)[1],
        "fetched before the second gradient"
    );
}

#[test]
fn the_probabilities_of_a_pool_are_the_mean_of_its_replicas() {
    for exchange in ALL {
        let mut pool = pool(3, batches(1), exchange, 50);
        rounds(&mut pool, 30);
        for number in 0..3 {
            let found = pool.probabilities(number).unwrap();
            let replicas = pool.replicas();
            let expected = match &pool.server {
                Some(server) => server.probabilities(None).unwrap(),
                None => {
                    let path = replicas[number].probabilities(None).unwrap();
                    let path: Vec<_> = path.iter().map(|of| argmax(of)).collect();
                    let path = Actions::given(space(), 4, path);
                    let of = |replica: &Controller| replica.probabilities(Some(&path)).unwrap();
                    let [a, b, c] = [0, 1, 2].map(|replica| of(&replicas[replica]));
                    let mean = |d: usize, v: usize| (a[d][v] + b[d][v] + c[d][v]) / 3.0;
                    let decision = |d: usize| (0..a[d].len()).map(|v| mean(d, v)).collect();
                    (0..a.len()).map(decision).collect()
                }
            };
            for (found, expected) in found.iter().zip(&expected) {
                assert!(
                    (found.iter().sum::<f64>() - 1.0).abs() < 1e-6,
                    "{exchange:?}"
                );
                let pairs = found.iter().zip(expected);
                assert!(
                    pairs.into_iter().all(|(a, b)| (a - b).abs() < 1e-12),
                    "{exchange:?}"
                );
            }
        }
    }
}

#[test]
fn averaging_gives_all_replicas_the_mean_of_their_weights() {
    let mut pool = pool(3, batches(1), Exchange::Average, 6);
    assert_eq!(weights(&pool)[0], weights(&pool)[2], "the same start");
    rounds(&mut pool, 5);
    let before = weights(&pool);
    assert_ne!(before[0], before[1]);
    let diverse = pool.diversity().unwrap();
    assert!(diverse > 0.0);
    let actions = pool.get_action(None).unwrap();
    pool.store_rollout(&actions, 0.5).unwrap();
    // What the third replica's own update makes of its weights.
    let mut third = pool.replicas()[2].clone();
    third.train_step().unwrap();
    pool.train_step().unwrap();
    let after = weights(&pool);
    assert_eq!(after[0], after[1]);
    assert_eq!(after[0], after[2]);
    assert!(pool.diversity().unwrap() < 0.1 * diverse);
    let third = third.weights().unwrap();
    for (name, mean) in &after[0] {
        let parts = [&before[0][name], &before[1][name], &third[name]];
        for (i, mean) in mean.values.iter().enumerate() {
            let expected = parts.iter().map(|part| part.values[i]).sum::<f32>() / 3.0;
            assert!((mean - expected).abs() < 1e-6, "{name}: {mean} {expected}");
        }
    }
}

#[test]
fn selection_gives_the_worst_replica_what_the_best_has() {
    let mut pool = pool(3, batches(1), Exchange::Select, 6);
    assert_ne!(weights(&pool)[0], weights(&pool)[1], "each its own start");
    let earn = |pool: &mut ControllerPool, rewards: [f64; 3]| {
        for reward in rewards {
            let actions = pool.get_action(None).unwrap();
            pool.store_rollout(&actions, reward).unwrap();
            pool.train_step().unwrap();
        }
    };
    earn(&mut pool, [0.3, 0.9, 0.2]);
    let before = weights(&pool);
    earn(&mut pool, [0.3, 0.7, 0.6]);
    let after = weights(&pool);
    assert_eq!(
        after[0], after[1],
        "0.3 is the lowest mean, 0.8 the highest"
    );
    assert_ne!(after[2], after[1]);
    assert_ne!(after[2], before[2], "but for its own update");
    assert_eq!(pool.replicas()[0].baseline(), pool.replicas()[1].baseline());
    let drawn = [0, 1].map(|n| pool.replicas[n].get_action(None).unwrap());
    assert_ne!(drawn[0], drawn[1], "the streams stay apart");
    // Rewards from before count no more: now the second is the worst.
    earn(&mut pool, [0.5, 0.1, 0.9]);
    earn(&mut pool, [0.5, 0.1, 0.9]);
    assert_eq!(weights(&pool)[1], weights(&pool)[2]);
}

#[test]
fn replicas_that_exchange_nothing_learn_apart() {
    let mut pool = pool(2, batches(1), Exchange::None, 1);
    let mut second = pool.replicas()[1].clone();
    rounds(&mut pool, 8);
    for _ in 0..4 {
        let actions = second.get_action(None).unwrap();
        second
            .store_rollout(&actions, accuracy(actions.indices()))
            .unwrap();
        second.train_step().unwrap();
    }
    assert_eq!(weights(&pool)[1], second.weights().unwrap());
    assert!(pool.diversity().unwrap() > 0.01);
}

#[test]
fn a_pool_learns_on_a_table() {
    let best = Actions::given(space(), 4, best());
    let uniform = 1.0 / space().cardinality(4) as f64;
    for exchange in ALL {
        let mut pool = pool(3, batches(1), exchange, 30);
        let entropy = pool.entropy().unwrap();
        rounds(&mut pool, 600);
        let probability = pool.probability_of(&best).unwrap();
        assert!(probability > 10.0 * uniform, "{exchange:?}: {probability}");
        assert!(pool.entropy().unwrap() < entropy, "{exchange:?}");
    }
}

#[test]
fn a_restored_pool_goes_on_exactly() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("pool.safetensors");
    for exchange in ALL {
        let mut straight = pool(3, batches(2), exchange, 4);
        rounds(&mut straight, 16); // two replicas have half a mini-batch
        let awaited = straight.get_action(None).unwrap();
        straight.save(&path).unwrap();
        let restore = Some(path.display().to_string());
        let config = ControllerConfig {
            restore_controller: restore,
            ..batches(2)
        };
        let own = PoolConfig { exchange, every: 4 };
        let made = ControllerPool::new(3, &space(), 4, config, own, &Device::flex(), Seed(99));
        let mut restored = made.unwrap();
        for pool in [&mut straight, &mut restored] {
            pool.store_rollout(&awaited, 0.9).unwrap();
            pool.train_step().unwrap();
        }
        let expected = rounds(&mut straight, 20);
        assert_eq!(rounds(&mut restored, 20), expected, "{exchange:?}");
        assert_eq!(weights(&restored), weights(&straight), "{exchange:?}");
        assert_eq!(restored.staleness(), straight.staleness());
        assert_eq!(
            restored.distinct(30).unwrap(),
            straight.distinct(30).unwrap()
        );
    }
}

#[test]
fn a_file_that_does_not_fit_leaves_the_pool_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("p");
    let mut saved = pool(2, batches(1), Exchange::Gradients, 1);
    rounds(&mut saved, 3);
    saved.save(&path).unwrap();
    let refused = |replicas, exchange| {
        let mut pool = pool(replicas, batches(1), exchange, 1);
        let before = weights(&pool);
        let error = pool.load(&path).unwrap_err().to_string();
        assert_eq!(weights(&pool), before);
        error.replace(&path.display().to_string(), "p")
    };
    let has = refused(3, Exchange::Gradients);
    assert_eq!(has, "p: the pool has 3 replicas, the file's has 2");
    let has = refused(2, Exchange::None);
    assert_eq!(has, "p: exchange is none, the file's is gradients");
    let error = controller(batches(1), 0)
        .load(&path)
        .unwrap_err()
        .to_string();
    assert!(error.ends_with("the file holds no controller"), "{error}");
    controller(batches(1), 0).save(&path).unwrap();
    let error = refused(2, Exchange::Gradients);
    assert_eq!(error, "p: the file holds no pool of controllers");
}

#[test]
fn wrong_use_of_a_pool_says_what_was_expected() {
    let mut two = pool(2, batches(1), Exchange::Gradients, 1);
    let actions = two.get_action(None).unwrap();
    two.store_rollout(&actions, 0.1).unwrap();
    let error = two.store_rollout(&actions, 0.1).unwrap_err().to_string();
    let expected = "store_rollout: expected actions that a replica sampled, once for each time that \
                    it did, found (";
    assert!(error.starts_with(expected), "{error}");
    two.train_step().unwrap();
    let error = two.train_step().unwrap_err().to_string();
    assert_eq!(
        error,
        "train_step: expected a rollout stored by store_rollout, found none"
    );
    let made = |replicas, mode, every| {
        let exchange = Exchange::Average;
        let own = PoolConfig { exchange, every };
        let made = ControllerPool::new(
            replicas,
            &space(),
            4,
            config(mode),
            own,
            &Device::flex(),
            Seed(0),
        );
        made.err().map(|e| e.to_string()).unwrap_or_default()
    };
    assert!(made(2, Mode::Original, 1).starts_with("option 'mode': expected \"reinforce\""));
    let none = made(0, Mode::Reinforce, 1);
    assert_eq!(none, "number of replicas: expected 1 to 1000, found 0");
    let never = made(2, Mode::Reinforce, 0);
    assert_eq!(
        never,
        "option 'every': expected a whole number from 1, found 0"
    );
}

#[test]
fn distinct_architectures_are_counted_among_the_last() {
    let mut pool = pool(2, batches(1), Exchange::None, 1);
    assert_eq!(pool.distinct(10).unwrap(), None);
    let drawn: Vec<_> = (0..40).map(|_| pool.get_action(None).unwrap()).collect();
    let last: std::collections::BTreeSet<_> = drawn[20..].iter().map(Actions::indices).collect();
    let expected = last.len() as f64 / 20.0;
    assert_eq!(pool.distinct(20).unwrap(), Some(expected));
    assert!(pool.distinct(0).is_err());
}
