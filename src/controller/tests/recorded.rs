//! Six updates against those recorded from the original's own code.

use std::collections::BTreeMap;

use super::*;
use crate::arrays::Array;

#[derive(serde::Deserialize)]
struct Recording {
    initial: BTreeMap<String, Recorded>,
    after_step_1: BTreeMap<String, Recorded>,
    after_step_6: BTreeMap<String, Recorded>,
    steps: Vec<Step>,
    probabilities_after_step_6: BTreeMap<String, Vec<Vec<f64>>>,
}

#[derive(serde::Deserialize)]
struct Recorded {
    shape: Vec<usize>,
    data: Vec<f32>,
}

#[derive(serde::Deserialize)]
struct Step {
    choice: Vec<usize>,
    state_input: Vec<usize>,
    reward: f64,
    loss: f64,
}

const TOLERANCE: f64 = 1e-5;

fn arrays(recorded: &BTreeMap<String, Recorded>) -> Arrays {
    let array = |(name, r): (&String, &Recorded)| {
        let (shape, values) = (r.shape.clone(), r.data.clone());
        (name.clone(), Array { shape, values })
    };
    recorded.iter().map(array).collect()
}

fn assert_close(found: &Arrays, expected: &Arrays, when: &str) {
    assert_eq!(found.len(), expected.len());
    for (name, expected) in expected {
        for (f, e) in found[name].values.iter().zip(&expected.values) {
            let difference = f64::from((f - e).abs());
            assert!(difference <= TOLERANCE, "{when}, {name}: {f} for {e}");
        }
    }
}

#[test]
fn six_updates_are_those_of_the_original() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../shared/data/original/controller-steps.json"
    );
    let recording: Recording =
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let mut controller = controller(config(Mode::Original), 0);
    controller.set_weights(&arrays(&recording.initial)).unwrap();
    for (n, step) in recording.steps.iter().enumerate() {
        let actions = Actions::given(space(), 4, step.choice.clone());
        let fed = original::input_state(&actions);
        assert_eq!(fed, step.state_input, "step {}", n + 1);
        controller.store_rollout(&actions, step.reward).unwrap();
        let update = controller.train_step().unwrap().unwrap();
        let difference = (update.loss - step.loss).abs();
        assert!(
            difference <= TOLERANCE * step.loss.abs().max(1.0),
            "step {}: loss {} for {}",
            n + 1,
            update.loss,
            step.loss
        );
        if n == 0 {
            let weights = controller.weights().unwrap();
            assert_close(&weights, &arrays(&recording.after_step_1), "after step 1");
        }
    }
    let weights = controller.weights().unwrap();
    assert_close(&weights, &arrays(&recording.after_step_6), "after step 6");
    for (kernel, expected) in &recording.probabilities_after_step_6 {
        let first = usize::from(kernel == "3");
        let state = Actions::given(space(), 4, vec![first, 0, 0, 0, 0, 0, 0, 0]);
        let found = controller.probabilities(Some(&state)).unwrap();
        for (f, e) in found.iter().flatten().zip(expected.iter().flatten()) {
            assert!((f - e).abs() <= TOLERANCE, "kernel {kernel}: {f} for {e}");
        }
    }
}
