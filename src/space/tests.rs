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
}
