//! Spaces of values alone: the network, its first draws and its file are those of the first release.

use super::*;
use crate::arrays;

/// A controller of a small plain space with a choice, after three rounds.
fn after_three_rounds() -> Controller {
    let mut space = StateSpace::clone(&space());
    let heads = ["gap", "flatten"].map(|head| Value::Text(head.into()));
    space.add_choice("head", heads.to_vec()).unwrap();
    let config = ControllerConfig {
        controller_cells: 4,
        embedding_dim: 3,
        batch_size: Some(2),
        ..config(Mode::Reinforce)
    };
    let mut controller =
        Controller::new(Arc::new(space), 2, config, &Device::flex(), Seed(7)).unwrap();
    for reward in [0.3, -0.2, 0.1] {
        let actions = controller.get_action(None).unwrap();
        controller.store_rollout(&actions, reward).unwrap();
        controller.train_step().unwrap();
    }
    controller
}

/// The file that the first release wrote of that controller.
const FILE: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/src/controller/tests/plain.safetensors"
);

#[test]
fn draws_and_updates_are_those_of_the_first_release() {
    let controller = after_three_rounds();
    let (recorded, _) = arrays::load(Path::new(FILE)).unwrap();
    let weights = controller.weights().unwrap();
    assert_eq!(weights.len(), 3 + 2 + 2 * 5);
    for (name, found) in &weights {
        for (f, e) in found.values.iter().zip(&recorded[name].values) {
            assert!((f - e).abs() <= 1e-5, "{name}: {f} for {e}");
        }
    }
}

#[test]
fn a_file_of_the_first_release_goes_on_as_it_did() {
    let mut controller = after_three_rounds();
    controller.step = 99;
    controller.load(Path::new(FILE)).unwrap();
    assert_eq!(controller.step(), 1);
    let next = [(); 3].map(|()| controller.get_action(None).unwrap().indices().to_vec());
    let expected = [[1, 2, 0, 2, 1], [0, 2, 1, 2, 1], [0, 0, 1, 2, 1]];
    assert_eq!(next, expected);
}
