//! A saved controller goes on exactly where it stopped, or says why it cannot.

use super::*;

/// Runs `n` rounds and returns what was decided and the losses.
fn rounds(controller: &mut Controller, n: usize) -> Vec<(Vec<usize>, f64)> {
    let round = |_| {
        let actions = controller.get_action(None).unwrap();
        let reward = 0.01 * actions.indices().iter().sum::<usize>() as f64 - 0.05;
        controller.store_rollout(&actions, reward).unwrap();
        let loss = controller.train_step().unwrap().map_or(0.0, |u| u.loss);
        (actions.indices().to_vec(), loss)
    };
    (0..n).map(round).collect()
}

#[test]
fn a_restored_controller_goes_on_exactly() {
    let folder = tempfile::tempdir().unwrap();
    for (mode, batch_size) in [
        (Mode::Reinforce, 1),
        (Mode::Reinforce, 4),
        (Mode::Original, 1),
    ] {
        let path = folder.path().join("controller.safetensors");
        let config = ControllerConfig {
            batch_size: Some(batch_size),
            ..config(mode)
        };
        let mut straight = controller(config.clone(), 1);
        rounds(&mut straight, 7);
        straight.save(&path).unwrap();
        let expected = rounds(&mut straight, 9);
        let mut restored = controller(
            ControllerConfig {
                restore_controller: Some(path.display().to_string()),
                ..config
            },
            99,
        );
        assert_eq!(rounds(&mut restored, 9), expected, "{mode:?}");
        assert_eq!(restored.weights().unwrap(), straight.weights().unwrap());
        assert_eq!(restored.step(), straight.step());
        assert_eq!(restored.baseline(), straight.baseline());
    }
}

#[test]
fn a_controller_with_anchors_goes_on_exactly() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("controller.safetensors");
    for mode in [Mode::Reinforce, Mode::Original] {
        let made = |seed| {
            let config = ControllerConfig {
                batch_size: Some(3),
                ..config(mode)
            };
            Controller::new(mixed(), 4, config, &Device::flex(), Seed(seed)).unwrap()
        };
        let mut straight = made(1);
        rounds(&mut straight, 7); // leaves a rollout for the next update
        straight.save(&path).unwrap();
        let expected = rounds(&mut straight, 6);
        let mut restored = made(99);
        restored.load(&path).unwrap();
        assert_eq!(rounds(&mut restored, 6), expected, "{mode:?}");
        assert_eq!(restored.weights().unwrap(), straight.weights().unwrap());
    }
    let error = controller(config(Mode::Original), 0).load(&path);
    let error = error.unwrap_err().to_string();
    assert!(
        error.contains("the file's has kernel, filters, skip"),
        "{error}"
    );
}

#[test]
fn a_rollout_that_is_not_of_the_space_is_refused() {
    let c = Controller::new(
        mixed(),
        4,
        config(Mode::Reinforce),
        &Device::flex(),
        Seed(0),
    );
    let mut c = c.unwrap();
    let skip_0 = c
        .policy
        .sequence
        .names
        .iter()
        .position(|n| n == "layer_2/skip_0");
    let actions = c.get_action(None).unwrap();
    c.store_rollout(&actions, 0.1).unwrap();
    c.rollouts[0].indices[skip_0.unwrap()] = 2;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.safetensors");
    c.save(&path).unwrap();
    let error = c.load(&path).unwrap_err().to_string();
    assert!(
        error.ends_with("a stored rollout is not of its space"),
        "{error}"
    );
}

#[test]
fn a_file_that_does_not_fit_says_what_differs() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("c.safetensors");
    controller(config(Mode::Reinforce), 0).save(&path).unwrap();
    let mut other = StateSpace::new();
    let ints = |values: &[i64]| values.iter().map(|v| Value::Int(*v)).collect();
    other.add_state("kernel", ints(&[1, 3])).unwrap();
    other.add_state("filters", ints(&[16, 32])).unwrap();
    let load = |space: Arc<StateSpace>, layers: usize, config: ControllerConfig| {
        let mut c = Controller::new(space, layers, config, &Device::flex(), Seed(0)).unwrap();
        let before = c.weights().unwrap();
        let error = c.load(&path).unwrap_err().to_string();
        assert_eq!(c.weights().unwrap(), before, "nothing is half loaded");
        error.replace(&path.display().to_string(), "c")
    };
    let defaults = ControllerConfig::default;
    assert_eq!(
        load(Arc::new(other), 4, defaults()),
        "c: state 'filters' has values [16, 32], the file's has [16, 32, 64]"
    );
    assert_eq!(
        load(space(), 3, defaults()),
        "c: layers is 3, the file's is 4"
    );
    let gru = ControllerConfig {
        cell: CellKind::Gru,
        ..defaults()
    };
    assert_eq!(load(space(), 4, gru), "c: cell is gru, the file's is lstm");
    assert_eq!(
        load(space(), 4, config(Mode::Original)),
        "c: mode is original, the file's is reinforce"
    );
    std::fs::write(&path, b"not a controller").unwrap();
    let error = load(space(), 4, defaults());
    assert!(error.starts_with("c: no safetensors file"), "{error}");
}
