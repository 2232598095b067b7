//! Both modes learn on a table of rewards with a known best.

use super::*;

/// Accuracies as children of the original's space have them: every layer gains from filters and
/// from the larger kernel, with a small interaction of neighbours; the best is all (3, 64).
pub(super) fn accuracy(indices: &[usize]) -> f64 {
    let layers: Vec<(usize, usize)> = indices.chunks(2).map(|c| (c[0], c[1])).collect();
    let own = layers
        .iter()
        .map(|&(k, f)| 0.03 * k as f64 + 0.02 * f as f64);
    let pairs = layers.windows(2);
    let pairs = pairs.map(|w| {
        if w[0].0 == 1 && w[1].1 == 2 {
            0.02
        } else {
            0.0
        }
    });
    0.4 + own.sum::<f64>() + pairs.sum::<f64>()
}

pub(super) fn best() -> Vec<usize> {
    let all = space().enumerate(4).unwrap();
    let score = |a: &Actions| accuracy(a.indices());
    let best = all.max_by(|a, b| score(a).total_cmp(&score(b)));
    best.unwrap().indices().to_vec()
}

/// The original's reward: accuracy minus its moving average, clipped.
fn shaped(moving: &mut Option<f64>, accuracy: f64) -> f64 {
    let reward = accuracy - moving.unwrap_or(0.0);
    *moving = Some(moving.map_or(accuracy, |m| 0.8 * m + 0.2 * accuracy));
    reward.clamp(-0.1, 0.1)
}

fn trained(mode: Mode, seed: u64) -> Controller {
    let mut controller = controller(config(mode), seed);
    let mut rng = Seed(seed).stream("space");
    let mut state = Actions::random(&space(), 4, &mut rng).unwrap();
    let mut moving = None;
    for _ in 0..300 {
        let actions = controller.get_action(Some(&state)).unwrap();
        let reward = shaped(&mut moving, accuracy(actions.indices()));
        controller.store_rollout(&actions, reward).unwrap();
        controller.train_step().unwrap();
        state = actions;
    }
    controller
}

#[test]
fn reinforce_finds_the_best_of_a_table() {
    let best = Actions::given(space(), 4, best());
    let uniform = 1.0 / space().cardinality(4) as f64;
    let probability = |seed| {
        trained(Mode::Reinforce, seed)
            .probability_of(&best)
            .unwrap()
    };
    let probabilities: Vec<f64> = (0..10).map(probability).collect();
    let learnt = probabilities
        .iter()
        .filter(|p| **p > 10.0 * uniform)
        .count();
    assert!(learnt >= 9, "{learnt} of 10: {probabilities:?}");
}

#[test]
fn the_original_settles_on_the_best_of_a_table() {
    let best = best();
    let settled = |seed: u64| {
        let probabilities = trained(Mode::Original, seed).probabilities(None).unwrap();
        let greedy: Vec<usize> = probabilities.iter().map(|p| argmax(p)).collect();
        greedy == best
    };
    let settled = (0..10).filter(|seed| settled(*seed)).count();
    assert!(settled >= 6, "{settled} of 10");
}
