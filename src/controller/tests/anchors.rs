//! Anchors, inputs and values by layer in the policy: what the network computes for them, and that
//! it learns them.

use super::*;
use crate::arrays::Array;

fn anchored(mode: Mode, seed: u64) -> Controller {
    let config = ControllerConfig {
        controller_cells: 5,
        embedding_dim: 3,
        ..config(mode)
    };
    Controller::new(mixed(), 4, config, &Device::flex(), Seed(seed)).unwrap()
}

#[test]
fn weights_and_decisions_have_the_sizes_of_their_layers() {
    let controller = anchored(Mode::Reinforce, 0);
    let weights = controller.weights().unwrap();
    let shape = |name: &str| weights[name].shape.clone();
    assert_eq!(shape("embeddings/state_embeddings_2"), [5, 3], "anchor");
    assert_eq!(shape("embeddings/state_embeddings_3"), [7, 3], "input");
    assert_eq!(shape("embeddings/state_embeddings_4"), [5, 3], "by layer");
    assert_eq!(shape("anchor_2/w_prev"), [5, 5]);
    assert_eq!(shape("anchor_2/w_curr"), [5, 5]);
    assert_eq!(shape("anchor_5/v"), [5, 1]);
    // Layer 0: kernel, filters, left, pool; layer 1: kernel, filters, skip_0, left, pool, sum_0.
    assert_eq!(shape("classifier_2/kernel"), [5, 2]);
    assert_eq!(shape("classifier_7/kernel"), [5, 3]);
    assert!(!weights.contains_key("classifier_6/kernel"));
    let names = &controller.policy.sequence.names;
    let layer: Vec<_> = names.iter().filter(|n| n.starts_with("layer_3")).collect();
    let expected = [
        "layer_3/kernel",
        "layer_3/filters",
        "layer_3/skip_0",
        "layer_3/skip_1",
        "layer_3/left",
        "layer_3/pool",
        "layer_3/sum_0",
        "layer_3/sum_1",
    ];
    assert_eq!(layer, expected);
}

#[test]
fn both_modes_decide_and_update_every_kind_of_state() {
    for mode in [Mode::Reinforce, Mode::Original] {
        let mut controller = anchored(mode, 1);
        let before = controller.weights().unwrap();
        let mut state = None;
        for round in 0..12 {
            let actions = controller.get_action(state.as_ref()).unwrap();
            let values = Actions::from_values(&mixed(), &actions.values()).unwrap();
            assert_eq!(values, actions);
            for p in actions.probabilities() {
                assert!((p.iter().sum::<f64>() - 1.0).abs() < 1e-6);
            }
            let reward = 0.1 - 0.02 * f64::from(round);
            controller.store_rollout(&actions, reward).unwrap();
            let update = controller.train_step().unwrap().unwrap();
            assert!(update.entropy > 0.0);
            let losses = update.cross_entropies.iter();
            let skips = losses.filter(|(name, _)| name.starts_with("layer_4/skip_"));
            assert_eq!(skips.count(), 3);
            state = Some(actions);
        }
        let after = controller.weights().unwrap();
        for name in ["anchor_2/w_prev", "anchor_5/w_curr", "anchor_2/v"] {
            assert_ne!(before[name], after[name], "{mode:?} {name}");
        }
    }
}

/// A space of one anchor for three layers: the network's formulas, written out for scalars.
#[test]
fn an_anchor_is_the_papers_attention() {
    let mut space = StateSpace::new();
    space.add_anchor("skip").unwrap();
    let space = Arc::new(space);
    let config = ControllerConfig {
        controller_cells: 1,
        embedding_dim: 1,
        cell: CellKind::Gru,
        ..config(Mode::Reinforce)
    };
    let mut controller =
        Controller::new(space.clone(), 3, config, &Device::flex(), Seed(0)).unwrap();
    let mut arrays = controller.weights().unwrap();
    let mut set = |name: &str, shape: &[usize], values: &[f32]| {
        let (shape, values) = (shape.to_vec(), values.to_vec());
        arrays.insert(name.into(), Array { shape, values });
    };
    // Update gate 0 and no recurrence: h = tanh(input).
    set("rnn/gru_cell/gates/kernel", &[2, 2], &[0.0; 4]);
    set("rnn/gru_cell/gates/bias", &[2], &[0.0, -100.0]);
    set("rnn/gru_cell/candidate/kernel", &[2, 1], &[1.0, 0.0]);
    set(
        "embeddings/state_embeddings_0",
        &[4, 1],
        &[0.3, -0.8, 1.1, 9.0],
    );
    set("anchor_0/w_prev", &[1, 1], &[0.7]);
    set("anchor_0/w_curr", &[1, 1], &[-1.2]);
    set("anchor_0/v", &[1, 1], &[1.5]);
    controller.set_weights(&arrays).unwrap();

    let h = [0.3f64, 0.3, (0.3 - 0.8) / 2.0].map(f64::tanh);
    let take = |j: usize, i: usize| {
        let score = 1.5 * (0.7 * h[j] - 1.2 * h[i]).tanh();
        1.0 / (1.0 + (-score).exp())
    };
    let values = [vec![], vec![0], vec![1]].map(Value::Layers);
    let actions = Actions::from_values(&space, &values).unwrap();
    let found = controller.probabilities(Some(&actions)).unwrap();
    let expected = [take(0, 1), take(0, 2), take(1, 2)];
    assert_eq!(found.len(), 3);
    for (found, expected) in found.iter().zip(expected) {
        assert!(
            (found[1] - expected).abs() < 1e-6,
            "{found:?} for {expected}"
        );
    }
    let probability = expected[0] * (1.0 - expected[1]) * expected[2];
    let found = controller.probability_of(&actions).unwrap();
    assert!((found - probability).abs() < 1e-6);
}

#[test]
fn what_a_mode_cannot_decide_is_refused() {
    let refused = |add: fn(&mut StateSpace), layers, mode| {
        let mut space = StateSpace::new();
        add(&mut space);
        space.add_choice("head", vec![Value::Int(1)]).unwrap();
        let made = Controller::new(
            Arc::new(space),
            layers,
            config(mode),
            &Device::flex(),
            Seed(0),
        );
        made.err().map(|e| e.to_string())
    };
    let skip = |space: &mut StateSpace| drop(space.add_anchor("skip"));
    assert_eq!(refused(skip, 2, Mode::Reinforce), None);
    assert_eq!(
        refused(skip, 2, Mode::Original).unwrap(),
        "first state 'skip', whose encoding starts mode \"original\": expected the same values in \
         every layer, found an anchor"
    );
    let left = |space: &mut StateSpace| drop(space.add_input("left", 2));
    assert_eq!(refused(left, 2, Mode::Reinforce), None);
    assert!(refused(left, 2, Mode::Original).is_some());

    let mut space = StateSpace::new();
    space.add_anchor("skip").unwrap();
    let made = Controller::new(
        Arc::new(space),
        1,
        config(Mode::Reinforce),
        &Device::flex(),
        Seed(0),
    );
    assert_eq!(
        made.err().unwrap().to_string(),
        "number of layers: expected at least 2 (a first layer has no earlier one to choose), found 1"
    );
}

/// Four layers, and a pattern of skips without a rule to it; the reward is the share of the right
/// ones alone. To take all or none is right in 4 of 6 at most.
#[test]
fn reinforce_learns_which_layers_to_skip_to() {
    const RIGHT: [&[usize]; 4] = [&[], &[0], &[1], &[0, 2]];
    let mut space = StateSpace::new();
    space
        .add_state("kernel", vec![Value::Int(1), Value::Int(3)])
        .unwrap();
    space.add_anchor("skip").unwrap();
    let space = Arc::new(space);
    let share = |actions: &Actions| {
        let decisions = space.decisions(4).zip(actions.indices());
        let right = decisions.filter_map(|(d, taken)| {
            let wanted = RIGHT[d.layer?].contains(&d.earlier?);
            Some(f64::from(u8::from((*taken == 1) == wanted)))
        });
        right.sum::<f64>() / 6.0
    };
    let last_mean = |seed| {
        let config = ControllerConfig {
            learning_rate: Some(0.003),
            entropy_weight: 0.05,
            ..config(Mode::Reinforce)
        };
        let mut controller =
            Controller::new(space.clone(), 4, config, &Device::flex(), Seed(seed)).unwrap();
        let mut rewards = Vec::new();
        for _ in 0..3000 {
            let actions = controller.get_action(None).unwrap();
            controller.store_rollout(&actions, share(&actions)).unwrap();
            controller.train_step().unwrap();
            rewards.push(share(&actions));
        }
        rewards[2800..].iter().sum::<f64>() / 200.0
    };
    let means = std::thread::scope(|scope| {
        let first = scope.spawn(|| [0, 1].map(last_mean));
        let second = [2, 3].map(last_mean);
        [first.join().unwrap(), second].concat()
    });
    let learnt = means.iter().filter(|mean| **mean > 0.9).count();
    assert!(
        learnt >= 3 && means.iter().all(|mean| *mean > 0.75),
        "{learnt} of 4: {means:?}"
    );
}
