use std::collections::BTreeSet;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::seed::Seed;

fn ints(values: &[i64]) -> Vec<Value> {
    values.iter().map(|v| Value::Int(*v)).collect()
}

fn original() -> StateSpace {
    let mut space = StateSpace::new();
    space.add_state("kernel", ints(&[1, 3])).unwrap();
    space.add_state("filters", ints(&[16, 32, 64])).unwrap();
    space
}

#[test]
fn ids_values_and_encodings_are_the_originals() {
    let mut space = original();
    assert_eq!(space.size(), 2);
    assert_eq!(space.by_name("filters").unwrap().id, 1);
    assert_eq!(space.get(3).unwrap().name, "filters", "indexing is cyclic");
    assert_eq!(space.get_state_value(1, 2).unwrap(), &Value::Int(64));
    let encoding = space.embedding_encode(1, &Value::Int(64)).unwrap();
    assert_eq!(encoding, [0.0, 0.0, 3.0]);
    assert_eq!(space.cardinality(4), 1296);
    let head = vec![Value::Text("gap".into()), Value::Text("flatten".into())];
    assert_eq!(space.add_choice("head", head).unwrap(), 2);
    assert_eq!(space.cardinality(4), 2592);
}

#[test]
fn wrong_states_are_refused_with_what_was_expected() {
    let mut space = original();
    let message = |r: Result<usize>| r.unwrap_err().to_string();
    assert_eq!(
        message(space.add_state("kernel", ints(&[5]))),
        "duplicate state 'kernel': each state needs its own name"
    );
    assert_eq!(
        message(space.add_state("pool", vec![])),
        "values of state 'pool': expected at least one value, found none"
    );
    assert_eq!(
        message(space.add_state("pool", ints(&[2, 2]))),
        "values of state 'pool': expected distinct values, found 2 twice"
    );
    assert_eq!(
        message(space.add_state("pool", vec![Value::Int(2), Value::Float(2.5)])),
        "values of state 'pool': expected values of one type (the first is integer), found float 2.5"
    );
    assert_eq!(
        space.by_name("kernal").unwrap_err().to_string(),
        "unknown state 'kernal'; did you mean 'kernel'?"
    );
}

#[test]
fn values_are_checked_and_come_back() {
    let space = Arc::new(original());
    let values = ints(&[3, 64, 1, 16]);
    let actions = Actions::from_values(&space, &values).unwrap();
    assert_eq!(actions.layers(), 2);
    assert_eq!(actions.indices(), [1, 2, 0, 0]);
    assert_eq!(actions.values(), values);
    assert_eq!(actions.summary(), "(3, 64) (1, 16)");
    let error = Actions::from_values(&space, &ints(&[3, 63])).unwrap_err();
    assert_eq!(
        error.to_string(),
        "state 'filters': expected one of [16, 32, 64], found 63"
    );
    assert!(Actions::from_values(&space, &ints(&[3, 64, 1])).is_err());
    assert!(Actions::from_values(&space, &[]).is_err());
}

#[test]
fn printing_shows_each_value_with_its_probability() {
    let space = Arc::new(original());
    let actions = Actions::random(&space, 1, &mut Seed(3).stream("space")).unwrap();
    let text = actions.to_string();
    assert!(text.contains("1: 0.5000, 3: 0.5000"), "{text}");
    assert!(
        text.contains("16: 0.3333, 32: 0.3333, 64: 0.3333"),
        "{text}"
    );
}

#[test]
fn random_draws_reach_every_architecture() {
    let space = Arc::new(original());
    let mut rng = Seed(0).stream("space");
    let seen: BTreeSet<_> = (0..200)
        .map(|_| {
            Actions::random(&space, 1, &mut rng)
                .unwrap()
                .indices()
                .to_vec()
        })
        .collect();
    assert_eq!(seen.len(), 6);
}

/// A space with a state of every kind, for three layers.
fn mixed() -> StateSpace {
    let mut space = StateSpace::new();
    let pools = [&[1, 2][..], &[5], &[2, 3, 4]].map(ints).to_vec();
    space.add_state("kernel", ints(&[1, 3])).unwrap();
    space.add_anchor("skip").unwrap();
    space.add_input("left", 2).unwrap();
    space.add_state_per_layer("pool", pools).unwrap();
    space.add_choice("wide", vec![false.into()]).unwrap();
    space
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Bool(value)
    }
}

fn given(space: &StateSpace, layers: &[(i64, &[usize], i64, i64)]) -> Result<Actions> {
    let values = layers.iter().flat_map(|(kernel, skip, left, pool)| {
        let skip = Value::Layers(skip.to_vec());
        [
            Value::Int(*kernel),
            skip,
            Value::Int(*left),
            Value::Int(*pool),
        ]
    });
    let values: Vec<_> = values.chain([false.into()]).collect();
    Actions::from_values(&Arc::new(space.clone()), &values)
}

#[test]
fn decisions_have_the_sizes_of_their_layers() {
    let space = mixed();
    let sizes: Vec<_> = space.decisions(3).map(|d| d.size()).collect();
    let layers = [&[2, 2, 2][..], &[2, 2, 3, 1], &[2, 2, 2, 4, 3], &[1]];
    assert_eq!(sizes, layers.concat());
    let labels: Vec<_> = space.decisions(3).map(|d| d.label()).collect();
    assert_eq!(
        labels[7..10],
        ["layer_3/kernel", "layer_3/skip_0", "layer_3/skip_1"]
    );
    assert_eq!(labels[12], "wide");
    assert_eq!(space.cardinality(3), 8 * 12 * 96);
}

#[test]
fn anchors_are_one_value_and_print_each_earlier_layer() {
    let space = mixed();
    let layers: [(i64, &[usize], i64, i64); 3] =
        [(1, &[], 1, 2), (3, &[], 2, 5), (3, &[1, 0], 3, 4)];
    let actions = given(&space, &layers).unwrap();
    assert_eq!(actions.indices(), [0, 1, 1, 1, 0, 2, 0, 1, 1, 1, 3, 2, 0]);
    assert_eq!(actions.values()[9], Value::Layers(vec![0, 1]));
    assert_eq!(
        actions.summary(),
        "(1, [], 1, 2) (3, [], 2, 5) (3, [0, 1], 3, 4) wide=false"
    );
    let text = actions.to_string();
    assert!(
        text.contains("Layer 1\n  kernel = 1  (1: 1.0000, 3: 0.0000)\n  skip = []\n"),
        "{text}"
    );
    assert!(
        text.contains("  skip = []  (0: 0.00)\n  left = 2  (0: 0.0000, 1: 0.0000, 2: 1.0000)"),
        "{text}"
    );
    assert!(
        text.contains("  skip = [0, 1]  (0: 1.00, 1: 1.00)\n"),
        "{text}"
    );
    assert_eq!(
        space.to_string(),
        "StateSpace with 5 states\n   0  kernel  per layer    [1, 3]\n   1  skip    per layer    \
         any earlier layers\n   2  left    per layer    2 inputs or an earlier layer\n   3  pool    \
         per layer    [[1, 2], [5], [2, 3, 4]] by layer\n   4  wide    per network  [false]\n"
    );
}

#[test]
fn values_that_a_layer_cannot_take_are_refused() {
    let space = mixed();
    let error = |third: (i64, &[usize], i64, i64)| {
        let layers = [(1, &[][..], 1, 2), (3, &[0], 2, 5), third];
        given(&space, &layers).unwrap_err().to_string()
    };
    assert_eq!(
        error((1, &[5], 0, 2)),
        "state 'skip' of layer 2: expected earlier layers (0, 1), found 5"
    );
    assert_eq!(
        error((1, &[1, 1], 0, 2)),
        "state 'skip' of layer 2: expected distinct earlier layers, found 1 twice"
    );
    assert_eq!(
        error((1, &[], 4, 2)),
        "state 'left' of layer 2: expected an integer from 0 to 3, found 4"
    );
    assert_eq!(
        error((1, &[], -1, 2)),
        "state 'left' of layer 2: expected an integer from 0 to 3, found -1"
    );
    assert_eq!(
        error((1, &[], 0, 1)),
        "state 'pool' of layer 2: expected one of [2, 3, 4], found 1"
    );
    assert_eq!(
        given(&space, &[(1, &[0], 0, 1)]).unwrap_err().to_string(),
        "state 'skip' of layer 0: expected no earlier layer, found 0"
    );
    let mut skips = StateSpace::new();
    skips.add_anchor("skip").unwrap();
    let message = |values: &[Value]| {
        let actions = Actions::from_values(&Arc::new(skips.clone()), values);
        actions.unwrap_err().to_string()
    };
    let none = Value::Layers(vec![]);
    assert_eq!(
        message(&[none, Value::Int(0)]),
        "state 'skip' of layer 1: expected a list of earlier layers (0), found 0"
    );
    assert_eq!(
        message(&[false.into()]),
        "state 'skip' of layer 0: expected an empty list, found false"
    );
}

#[test]
fn wrong_domains_and_layers_are_refused() {
    let mut space = mixed();
    let message = |r: Result<usize>| r.unwrap_err().to_string();
    assert_eq!(
        message(space.add_state("s", vec![Value::Layers(vec![0, 2])])),
        "values of state 's': expected integers, floats, strings or booleans, found [0, 2]"
    );
    assert_eq!(
        message(space.add_state_per_layer("s", vec![])),
        "values of state 's': expected a list for at least one layer, found none"
    );
    assert_eq!(
        message(space.add_state_per_layer("s", vec![ints(&[1]), vec![]])),
        "values of state 's' for layer 1: expected at least one value, found none"
    );
    assert_eq!(
        message(space.add_state_per_layer("s", vec![ints(&[1]), vec![Value::Float(1.0)]])),
        "values of state 's' for layer 1: expected values of one type (the first is integer), \
         found float 1.0"
    );
    assert_eq!(
        message(space.add_input("s", 0)),
        "inputs of state 's': expected 1 to 1000, found 0"
    );
    assert_eq!(
        space.check_layers(4).unwrap_err().to_string(),
        "number of layers: expected 1 to 3, as state 'pool' has values for 3, found 4"
    );
    assert_eq!(
        space.get_state_value(1, 0).unwrap_err().to_string(),
        "state 'skip': expected the same values in every layer, found an anchor"
    );
    let mut skips = StateSpace::new();
    skips.add_anchor("skip").unwrap();
    skips.check_layers(447).unwrap();
    assert_eq!(
        skips.check_layers(448).unwrap_err().to_string(),
        "number of layers: expected one that makes at most 100000 decisions, found 448, which \
         makes 100128"
    );
}

#[test]
fn plain_states_keep_their_json_and_the_others_have_theirs() {
    let text = r#"{"states":[{"id":0,"name":"kernel","values":[1,3],"scope":"layer"}]}"#;
    let mut plain = StateSpace::new();
    plain.add_state("kernel", ints(&[1, 3])).unwrap();
    assert_eq!(serde_json::to_string(&plain).unwrap(), text);
    assert_eq!(serde_json::from_str::<StateSpace>(text).unwrap(), plain);
    let space = mixed();
    let json = serde_json::to_string(&space).unwrap();
    for part in [
        r#"{"id":1,"name":"skip","anchor":null,"scope":"layer"}"#,
        r#"{"id":2,"name":"left","first":2,"scope":"layer"}"#,
        r#""per_layer":[[1,2],[5],[2,3,4]]"#,
    ] {
        assert!(json.contains(part), "{json}");
    }
    assert_eq!(serde_json::from_str::<StateSpace>(&json).unwrap(), space);
    let layers: Value = serde_json::from_str("[0,2]").unwrap();
    assert_eq!(layers, Value::Layers(vec![0, 2]));
}

/// The kinds of domains, each with a number that shapes it.
fn domains() -> impl Strategy<Value = Vec<(u8, usize)>> {
    prop::collection::vec((0u8..5, 1usize..4), 1..5)
}

/// A space for three layers, where a number makes that many values or inputs.
fn of_domains(domains: &[(u8, usize)]) -> StateSpace {
    let mut space = StateSpace::new();
    for (id, (kind, n)) in domains.iter().enumerate() {
        let name = format!("s{id}");
        let ints = |n: usize| (0..n as i64).map(|v| Value::Int(v * v)).collect::<Vec<_>>();
        let added = match kind {
            0 => space.add_state(&name, ints(*n)),
            1 => space.add_state_per_layer(&name, vec![ints(*n), ints(1), ints(4 - n)]),
            2 => space.add_input(&name, *n),
            3 => space.add_anchor(&name),
            _ => space.add_choice(&name, ints(*n)),
        };
        assert_eq!(added.unwrap(), id);
    }
    space
}

proptest! {
    #[test]
    fn enumeration_visits_each_architecture_once(
        sizes in prop::collection::vec(1i64..4, 1..4),
        choice in 1i64..4,
        layers in 1usize..4,
    ) {
        let mut space = StateSpace::new();
        for (i, size) in sizes.iter().enumerate() {
            let values = (0..*size).map(Value::Int).collect();
            space.add_state(&format!("s{i}"), values).unwrap();
        }
        space.add_choice("c", (0..choice).map(Value::Int).collect()).unwrap();
        let all: Vec<_> = space.enumerate(layers).unwrap().collect();
        prop_assert_eq!(all.len() as u128, space.cardinality(layers));
        let distinct: BTreeSet<_> = all.iter().map(|a| a.indices().to_vec()).collect();
        prop_assert_eq!(distinct.len(), all.len());
        let space = Arc::new(space);
        for actions in all {
            let again = Actions::from_values(&space, &actions.values()).unwrap();
            prop_assert_eq!(again.indices(), actions.indices());
        }
    }

    #[test]
    fn random_actions_stay_within_sizes_and_come_back_from_their_values(
        domains in domains(),
        layers in 1usize..4,
        seed in any::<u64>(),
    ) {
        let space = Arc::new(of_domains(&domains));
        let actions = Actions::random(&space, layers, &mut Seed(seed).stream("space")).unwrap();
        let decisions: Vec<_> = space.decisions(layers).collect();
        prop_assert_eq!(actions.indices().len(), decisions.len());
        for ((index, p), d) in actions.indices().iter().zip(actions.probabilities()).zip(&decisions) {
            prop_assert!(*index < d.size());
            prop_assert_eq!(p.len(), d.size());
        }
        let log_size = (space.cardinality(layers) as f64).ln();
        prop_assert!((actions.log_prob() + log_size).abs() < 1e-9);
        let values = actions.values();
        prop_assert_eq!(values.len(), space.slots(layers).count());
        // Of choices alone the number of layers is of no account.
        if domains.iter().any(|(kind, _)| *kind < 4) {
            let again = Actions::from_values(&space, &values).unwrap();
            prop_assert_eq!(&again, &actions);
        }
        let json = serde_json::to_string(&*space).unwrap();
        prop_assert_eq!(&serde_json::from_str::<StateSpace>(&json).unwrap(), &*space);
    }

    #[test]
    fn every_space_enumerates_what_it_counts(domains in domains(), layers in 1usize..4) {
        let space = of_domains(&domains);
        let n = space.cardinality(layers);
        prop_assume!(n <= 5000);
        let all = space.enumerate(layers).unwrap();
        let distinct: BTreeSet<_> = all.map(|a| a.summary()).collect();
        prop_assert_eq!(distinct.len() as u128, n);
    }
}

/// Layers with a state and an anchor, and a choice: 2 × (2 + earlier layers) and 3 decisions.
fn mixed() -> Arc<StateSpace> {
    let mut space = original();
    space.add_anchor("skip").unwrap();
    space.add_choice("head", ints(&[1, 2, 3])).unwrap();
    space.add_choice("only", ints(&[7])).unwrap();
    space.into()
}

/// At how many decisions two architectures differ.
fn distance(a: &Actions, b: &Actions) -> usize {
    let pairs = a.indices().iter().zip(b.indices());
    pairs.filter(|(a, b)| a != b).count()
}

#[test]
fn neighbours_are_all_that_differ_in_one_decision() {
    let space = mixed();
    let actions = Actions::random(&space, 3, &mut Seed(1).stream("test")).unwrap();
    let neighbours = actions.neighbours();
    // 3 kernels, 3 × 2 other filters, 0 + 1 + 2 earlier layers, 2 other heads.
    assert_eq!(neighbours.len(), 3 + 6 + 3 + 2);
    let all: BTreeSet<_> = neighbours.iter().map(|n| n.indices().to_vec()).collect();
    assert_eq!(all.len(), neighbours.len());
    assert!(neighbours.iter().all(|n| distance(n, &actions) == 1));
}

#[test]
fn a_mutation_changes_as_many_decisions_as_it_is_told_to() {
    let space = mixed();
    let mut random = Seed(2).stream("test");
    let actions = Actions::random(&space, 3, &mut random).unwrap();
    let mut reached = BTreeSet::new();
    for _ in 0..500 {
        let one = actions.mutated(1, &mut random);
        assert_eq!(distance(&one, &actions), 1);
        reached.insert(one.indices().to_vec());
        assert_eq!(distance(&actions.mutated(4, &mut random), &actions), 4);
    }
    assert_eq!(reached.len(), actions.neighbours().len(), "each is reached");
    let everything = actions.mutated(100, &mut random);
    assert_eq!(
        distance(&everything, &actions),
        3 + 3 + 3 + 1,
        "but what has one value"
    );
}

#[test]
fn a_crossing_takes_each_decision_of_one_of_the_two() {
    let space = mixed();
    let mut random = Seed(3).stream("test");
    let a = Actions::random(&space, 3, &mut random).unwrap();
    let b = a.mutated(100, &mut random);
    let mut from_a = 0;
    for _ in 0..400 {
        let child = a.crossed(&b, &mut random).unwrap();
        let (to_a, to_b) = (distance(&child, &a), distance(&child, &b));
        assert_eq!(to_a + to_b, distance(&a, &b));
        from_a += to_b;
    }
    let share = from_a as f64 / (400 * distance(&a, &b)) as f64;
    assert!((0.45..0.55).contains(&share), "{share}");
    let longer = Actions::random(&space, 4, &mut random).unwrap();
    let refused = a.crossed(&longer, &mut random).unwrap_err().to_string();
    assert!(
        refused.starts_with("crossover: expected actions of the same space"),
        "{refused}"
    );
}
