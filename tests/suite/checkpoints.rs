//! Runs that continue their children from checkpoints: cheaper, and otherwise the same.

use std::fs;

use serde_json::Value as Json;

use crate::harness::Place;

/// Two children by evaluation and two by their actions, each first for 2 epochs, the better half then
/// for 4; with everything on that a training draws or remembers.
const HALVING: &str = r#"
    let space = StateSpace();
    space.add_state("filters", [2, 3, 4, 5]);
    fn model(actions) {
        let x = input([1, 8, 8]).conv2d(actions.layers[0].filters, 3).batch_norm().relu();
        x.flatten().dropout(0.2).dense(10)
    }
    let data = dataset("digits", #{ train: 200, validation: 100 });
    let options = #{ epochs: 2, optimizer: "sgd", flip: true, pad_crop: 1, checkpoints: CHECKPOINTS };
    let manager = NetworkManager(data, options);
    let actions = [2, 3, 4, 5].map(|filters| space.actions([filters]));
    let nets = [model(actions[0]), model(actions[1])];
    manager.evaluate(nets);
    manager.get_rewards(model, [actions[2], actions[3]]);
    manager.evaluate(nets[1], #{ epochs: 4 });
    manager.get_rewards(model, actions[3], #{ epochs: 4 });
    print(`test: ${manager.test(study.best.network)}`);
    // At most one of the two is the best; the other has its 2 epochs here, although its checkpoint has 4.
    print(`of the two: ${[nets[1], model(actions[3])].map(|net| manager.test(net))}`);
"#;

fn run(checkpoints: &str) -> (Place, Vec<Json>, String) {
    let place = Place::new();
    place.write("search.rhai", HALVING.replace("CHECKPOINTS", checkpoints));
    let ran = place.run(&["search.rhai", "--out", "run"]);
    let printed = ran.succeeded().to_string();
    let trials = place.read("run/trials.jsonl");
    let trials = trials
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    let trials = trials.collect();
    (place, trials, printed)
}

/// The epochs of a trial.
fn history(trial: &Json) -> Vec<Json> {
    trial["outcome"]["history"].as_array().unwrap().clone()
}

fn timeless(history: Vec<Json>) -> Vec<Json> {
    let timeless = |mut epoch: Json| {
        epoch["seconds"].take();
        epoch
    };
    history.into_iter().map(timeless).collect()
}

#[test]
fn checkpoints_save_epochs_and_change_nothing_else() {
    let (with, continued, printed) = run("true");
    let (without, straight, expected) = run("false");
    assert_eq!(printed, expected);
    assert_eq!((continued.len(), straight.len()), (6, 6));
    for (continued, straight) in continued.iter().zip(&straight) {
        assert_eq!(continued["digest"], straight["digest"]);
        assert_eq!(continued["reward"], straight["reward"]);
        assert_eq!(timeless(history(continued)), timeless(history(straight)));
    }
    let best = |place: &Place| fs::read(place.path("run/best.safetensors")).unwrap();
    assert!(best(&with) == best(&without));

    // The seconds tell the epochs that were not trained again.
    for (more, first) in [(4, 1), (5, 3)] {
        assert_eq!(history(&continued[more]).len(), 4);
        assert_eq!(history(&continued[more])[..2], history(&continued[first]));
        assert_ne!(history(&straight[more])[..2], history(&straight[first]));
    }
    let kept = fs::read_dir(with.path("nas-studies.files/checkpoints")).unwrap();
    assert_eq!(kept.count(), 4, "one a child");
    assert!(!without.path("nas-studies.files/checkpoints").exists());
}
