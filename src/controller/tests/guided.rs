//! Mode guided searches better than without a surrogate, never asks twice, and goes on where it stopped.

use std::collections::BTreeSet;

use super::landscapes::Landscape;
use super::*;

/// With fewer imagined updates than by default: tests are not optimised.
fn guided() -> ControllerConfig {
    let mut config = config(Mode::Guided);
    config.guided.imagined_updates = 4;
    config
}

fn made(landscape: &Landscape, config: ControllerConfig, seed: u64) -> Controller {
    let (space, layers) = (landscape.space.clone(), landscape.layers);
    Controller::new(space, layers, config, &Device::flex(), Seed(seed)).unwrap()
}

/// Tries `n` architectures and returns them.
fn search(controller: &mut Controller, landscape: &Landscape, n: usize) -> Vec<Vec<usize>> {
    let round = |_| {
        let actions = controller.get_action(None).unwrap();
        let objective = landscape.observe(actions.indices(), 0);
        controller.store_rollout(&actions, objective).unwrap();
        controller.train_step().unwrap();
        actions.indices().to_vec()
    };
    (0..n).map(round).collect()
}

/// The truth of the best of `tried` by what was observed.
fn found(landscape: &Landscape, tried: &[Vec<usize>]) -> f64 {
    let observed = |x: &&Vec<usize>| landscape.observe(x, 0);
    let best = tried
        .iter()
        .max_by(|a, b| observed(a).total_cmp(&observed(b)));
    landscape.truth(best.unwrap())
}

#[test]
fn a_surrogate_finds_more_than_random_and_reinforce() {
    for name in ["pairwise", "ordinal", "additive"] {
        let landscape = Landscape::named(name);
        let (seeds, trials) = (3, 30);
        let mut sums = [0.0; 3];
        for seed in 0..seeds {
            let mut rng = Seed(seed).stream("random");
            let random: Vec<_> = (0..trials).map(|_| landscape.draw(&mut rng)).collect();
            let search_in =
                |config| search(&mut made(&landscape, config, seed), &landscape, trials);
            let all = [
                search_in(guided()),
                search_in(config(Mode::Reinforce)),
                random,
            ];
            for (sum, tried) in sums.iter_mut().zip(&all) {
                *sum += found(&landscape, tried) / seeds as f64;
            }
        }
        let [guided, reinforce, random] = sums;
        assert!(guided > reinforce && guided > random, "{name}: {sums:?}");
    }
}

#[test]
fn the_stand_ins_for_published_tables_are_searched_far_better_than_by_chance() {
    const TRIALS: usize = 40;
    for name in ["cells", "widths"] {
        let landscape = Landscape::named(name);
        let best = landscape.truths().pop().unwrap();
        let regret = |seeds: u64, tried: &dyn Fn(u64) -> Vec<Vec<usize>>| {
            let found = (0..seeds).map(|seed| found(&landscape, &tried(seed)));
            best - found.sum::<f64>() / seeds as f64
        };
        let chance = regret(100, &|seed| {
            let mut rng = Seed(seed).stream("random");
            (0..TRIALS).map(|_| landscape.draw(&mut rng)).collect()
        });
        let own = regret(4, &|seed| {
            search(&mut made(&landscape, guided(), seed), &landscape, TRIALS)
        });
        assert!(own < 0.7 * chance, "{name}: {own} for {chance}");
    }
}

#[test]
fn nothing_is_asked_twice_and_proposals_at_once_differ() {
    let landscape = Landscape::named("anchored");
    let mut controller = made(&landscape, guided(), 0);
    let mut asked = BTreeSet::new();
    for _ in 0..8 {
        let batch: Vec<_> = (0..4)
            .map(|_| controller.get_action(None).unwrap())
            .collect();
        for actions in &batch {
            assert!(
                asked.insert(actions.indices().to_vec()),
                "{}",
                actions.summary()
            );
        }
        for actions in &batch {
            let objective = landscape.observe(actions.indices(), 0);
            controller.store_rollout(actions, objective).unwrap();
        }
        controller.train_step().unwrap();
    }
}

#[test]
fn a_space_is_used_up_before_anything_is_asked_again() {
    let mut space = StateSpace::new();
    let ops = ["a", "b", "c"].map(|op| Value::Text(op.into()));
    space.add_state("op", ops.to_vec()).unwrap();
    let space = Arc::new(space);
    let mut controller = Controller::new(space, 2, guided(), &Device::flex(), Seed(0)).unwrap();
    let mut asked = BTreeSet::new();
    for number in 1..=12 {
        let actions = controller.get_action(None).unwrap();
        asked.insert(actions.indices().to_vec());
        assert_eq!(asked.len(), number.min(9));
        controller.store_rollout(&actions, number as f64).unwrap();
        controller.train_step().unwrap();
    }
}

#[test]
fn the_first_architectures_have_little_in_common() {
    let landscape = Landscape::named("cell");
    let mut controller = made(&landscape, guided(), 0);
    let tried = search(&mut controller, &landscape, 8);
    for (i, a) in tried.iter().enumerate() {
        for b in &tried[..i] {
            let apart = a.iter().zip(b).filter(|(a, b)| a != b).count();
            assert!(apart >= 4, "{a:?} {b:?}");
        }
    }
}

#[test]
fn the_policy_comes_to_sample_what_is_promised() {
    let landscape = Landscape::named("pairwise");
    let mut controller = made(&landscape, config(Mode::Guided), 0);
    let entropy = controller.entropy().unwrap();
    search(&mut controller, &landscape, 20);
    // In a sample of both, those of the policy rank above uniform ones.
    let mut rng = Seed(3).stream("uniform");
    let mut all = controller.imagine(200).unwrap();
    all.extend((0..200).map(|_| landscape.draw(&mut rng)));
    let ranks = controller.promised_ranks(&all);
    let mean = ranks[..200].iter().sum::<f64>() / 200.0;
    assert!(mean > 0.15, "{mean}");
    assert!(controller.entropy().unwrap() < entropy);
}

#[test]
fn a_restored_search_goes_on_exactly() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("controller.safetensors");
    let landscape = Landscape::named("noisy");
    for kind in [SurrogateKind::Gp, SurrogateKind::Trees] {
        let mut config = guided();
        config.guided.surrogate = kind;
        let mut straight = made(&landscape, config.clone(), 1);
        search(&mut straight, &landscape, 13);
        // One is still being tried.
        let pending = straight.get_action(None).unwrap();
        straight.save(&path).unwrap();
        let mut expected = search(&mut straight, &landscape, 3);
        straight.store_rollout(&pending, 0.5).unwrap();
        expected.extend(search(&mut straight, &landscape, 3));

        config.restore_controller = Some(path.display().to_string());
        let mut restored = made(&landscape, config, 9);
        let mut gone_on = search(&mut restored, &landscape, 3);
        restored.store_rollout(&pending, 0.5).unwrap();
        gone_on.extend(search(&mut restored, &landscape, 3));
        assert_eq!(gone_on, expected, "{kind:?}");
        assert_eq!(restored.weights().unwrap(), straight.weights().unwrap());
    }
}

#[test]
fn wrong_options_say_what_was_expected() {
    let mut config = guided();
    config.guided.imagined_batch = 1;
    let error = config.validate().unwrap_err().to_string();
    assert_eq!(
        error,
        "option 'imagined_batch': expected an integer from 2 to 65536, found 1"
    );
    let unknown = serde_json::from_str::<ControllerConfig>(r#"{"initail": 3}"#);
    assert!(unknown.is_err());
    let known = serde_json::from_str::<ControllerConfig>(r#"{"initial": 3, "surrogate": "trees"}"#);
    assert_eq!(known.unwrap().guided.surrogate, SurrogateKind::Trees);
}
