//! Names of columns; what files hold is tested by their readers (tests/suite/exports).

use super::*;

#[test]
fn every_column_has_a_name_of_its_own() {
    let states = [
        (Some(1), "kernel"),
        (None, "layer_1/kernel"),
        (None, "number"),
        (None, "decision/number"),
        (None, "decision/layer_1/kernel"),
        (None, "activation"),
    ];
    let mut taken: BTreeSet<String> = FIXED.iter().map(|(name, ..)| (*name).into()).collect();
    let names = states.map(|(layer, state)| {
        let name = name(layer, state, &taken);
        assert!(taken.insert(name.clone()), "{name} is taken");
        name
    });
    assert_eq!(
        names,
        [
            "layer_1/kernel",
            "decision/layer_1/kernel",
            "decision/number",
            "decision/decision/number",
            "decision/decision/layer_1/kernel",
            "activation",
        ]
    );
}

#[test]
fn a_column_holds_all_its_values() {
    assert_eq!(both(Kind::Int, Kind::Float), Kind::Float);
    assert_eq!(both(Kind::Int, Kind::Text), Kind::Text);
    assert_eq!(both(Kind::Bool, Kind::Int), Kind::Text);
    assert_eq!(cell(&Value::Int(3), Kind::Float), Cell::Float(3.0));
    assert_eq!(cell(&Value::Int(3), Kind::Text), Cell::Text("3".into()));
    let layers = cell(&Value::Layers(vec![0, 2]), Kind::Text);
    assert_eq!(layers, Cell::Text("[0, 2]".into()));
}
