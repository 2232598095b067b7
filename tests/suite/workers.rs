//! Children side by side: the same study for any number of workers, and nothing lost.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use nas_script::study::store::{self, Address};
use serde_json::Value as Json;

use crate::harness::Place;
use crate::runs::{Run, trials, with_digits};

/// A search in which everything is asked side by side: mini-batches of a controller, plain networks, twins,
/// shapes that do not fit, children that diverge, a reward of the script's own.
pub const SIDE_BY_SIDE: &str = r#"
    let space = StateSpace();
    space.add_state("kernel", [1, 3, 9]);
    space.add_state("filters", [2, 4, 8]);
    fn model(actions) {
        let layer = actions.layers[0];
        let x = input([1, 8, 8]).conv2d(layer.filters, layer.kernel, #{ padding: "valid" });
        x.relu().flatten().dense(10)
    }
    fn show(outcomes) {
        for o in outcomes {
            print(`${o.trial}: ${o.accuracy} ${o.reward} ${o.cached} ${o.failure?.kind}`);
        }
    }
    let data = dataset("digits", #{ train: 200, validation: 100 });
    let manager = NetworkManager(data, #{ epochs: 2, batch_size: 64 });
    let controller = Controller(1, space, #{ batch_size: 4 });
    for batch in trials(10, 4) {
        let drawn = batch.map(|n| controller.get_action());
        let outcomes = manager.get_rewards(model, drawn);
        show(outcomes);
        for i in 0..batch.len {
            controller.store_rollout(drawn[i], outcomes[i].reward);
            controller.train_step();
        }
    }
    let wild = input([1, 8, 8]);
    for i in 0..8 { wild = wild * wild; }
    let mild = input([1, 8, 8]).conv2d(16, 5).relu().flatten();
    let nets = [mild.dense(10), wild.flatten().dense(10), mild.relu().dense(10), mild.dense(10), wild.flatten().dense(10)];
    show(manager.evaluate(nets));
    manager.set_reward(|o| study.trials.len + o.accuracy);
    show(manager.evaluate([input([1, 8, 8]).flatten().dense(10), nets[2]]));
    print(`moving: ${manager.moving_accuracy}`);
    print(`best: ${study.best.trial}`);
"#;

/// JSON without what was measured by the clock.
pub fn timeless(mut json: Json) -> Json {
    match &mut json {
        Json::Object(fields) => {
            fields.remove("seconds");
            fields.remove("elapsed");
            fields
                .values_mut()
                .for_each(|field| *field = timeless(field.take()));
        }
        Json::Array(items) => items
            .iter_mut()
            .for_each(|item| *item = timeless(item.take())),
        _ => {}
    }
    json
}

#[test]
fn a_study_is_the_same_for_any_number_of_workers() {
    let run = |workers| {
        let place = Place::new();
        place.write("search.rhai", SIDE_BY_SIDE);
        let ran = place.run(&["search.rhai", "--out", "run", "--workers", workers]);
        ran.succeeded();
        Run { place, ran }
    };
    let (one, three) = (run("1"), run("3"));
    assert_eq!(three.ran.stdout, one.ran.stdout);
    let trials = |run: &Run| run.trials().into_iter().map(timeless).collect::<Vec<_>>();
    assert_eq!(trials(&three), trials(&one));
    for file in [
        "train_history.csv",
        "best.safetensors",
        "controller.safetensors",
    ] {
        let bytes = |run: &Run| fs::read(run.place.path("run").join(file)).unwrap();
        assert!(bytes(&three) == bytes(&one), "{file} differs");
    }

    let trials = trials(&one);
    assert_eq!(trials.len(), 17);
    let kinds = |range: std::ops::Range<usize>| -> Vec<_> {
        let kind = |trial: &Json| {
            trial["outcome"]["failure"]["kind"]
                .as_str()
                .map(String::from)
        };
        trials[range].iter().map(kind).collect()
    };
    let nan = || Some("nan".to_string());
    assert_eq!(kinds(10..15), [None, nan(), None, None, nan()]);
    assert!(kinds(0..10).contains(&Some("invalid".into())), "kernel 9");
    let cached: Vec<_> = trials[10..].iter().map(|t| t["cached"].clone()).collect();
    // A twin is trained once, even where it fails.
    assert_eq!(cached, [false, false, false, true, true, false, true]);
    assert_eq!(
        one.ran.line("best:"),
        "17",
        "the reward counts the trials before"
    );
}

#[test]
fn recipes_find_the_same_in_batches_of_any_size() {
    let run = |batch| {
        let script = format!(
            r#"
            import "nas/random" as random;
            let manager = NetworkManager(data, #{{ epochs: 1 }});
            random::search(space, manager, model, #{{ layers: 1, trials: 5, batch: {batch} }});
            "#
        );
        let run = Run::text(&with_digits(&script));
        run.ran.succeeded();
        run.place.read("run/train_history.csv")
    };
    let one = run(1);
    assert_eq!(one.lines().count(), 6);
    assert_eq!(run(2), one);
    assert_eq!(run(100), one);
}

#[test]
fn what_had_ended_before_ctrl_c_is_kept() {
    let place = Place::new();
    place.write(
        "search.rhai",
        r#"
        let quick = |filters| input([1, 8, 8]).conv2d(filters, 3).flatten().dense(10);
        let endless = input([1, 8, 8]).conv2d(256, 5).conv2d(256, 5).conv2d(256, 5).flatten().dense(10);
        let data = dataset("digits", #{ train: 1_000, validation: 100 });
        let manager = NetworkManager(data, #{ epochs: 50, batch_size: 100, learning_rate: 1e-5 });
        manager.set_reward(|o| o.accuracy);
        manager.evaluate([quick.call(2), endless, quick.call(4), quick.call(2), endless.relu()]);
        "#,
    );
    let started = Instant::now();
    let child = place
        .command(&["search.rhai", "--out", "run", "--workers", "2"])
        .spawn()
        .unwrap();
    let journal = place.path("run/trials.jsonl");
    let lines = || fs::read_to_string(&journal).map_or(0, |text| text.lines().count());
    while lines() < 1 {
        assert!(started.elapsed() < Duration::from_secs(120), "no trial");
        std::thread::sleep(Duration::from_millis(20));
    }
    // The third network is like the first, and starts when that has ended.
    let file = Address::file(place.path("nas-studies.db"));
    let queue = store::open(&file).unwrap();
    let done = |job: &store::Job| job.state == store::JobState::Done;
    while !queue.jobs(&[3]).unwrap().iter().any(done) {
        let patience = Duration::from_secs(600);
        assert!(started.elapsed() < patience, "the third is not done");
        std::thread::sleep(Duration::from_millis(20));
    }
    drop(queue);
    let kill = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(kill.unwrap().success());
    let ran = place.ran(&child.wait_with_output().unwrap());
    assert_eq!(ran.code, Some(130), "{}\n{}", ran.stdout, ran.stderr);
    let dense = |filters: u64| filters * 10 + (filters * 64 + 1) * 10;
    let params = |trials: &[Json]| {
        let params = trials
            .iter()
            .map(|trial| trial["outcome"]["params"].as_u64());
        params.collect::<Vec<_>>()
    };
    assert_eq!(
        params(&trials(&place)),
        [Some(dense(2))],
        "in the order asked"
    );
    assert!(ran.stderr.contains("--resume run"), "{}", ran.stderr);

    // The third had ended behind the second, which now is a quick one too: it is in the store, and not trained again.
    fs::copy(place.path("nas-studies.db"), place.path("then.db")).unwrap();
    let log = place.path("nas-studies.db-wal");
    if log.exists() {
        fs::copy(log, place.path("then.db-wal")).unwrap();
    }
    let script = place.read("search.rhai");
    let quick = script.replace(
        "conv2d(256, 5).conv2d(256, 5).conv2d(256, 5)",
        "conv2d(3, 3)",
    );
    place.write("search.rhai", quick);
    place.run(&["search.rhai", "--resume", "run"]).succeeded();
    let trials = trials(&place);
    let filters = [2, 3, 4, 2, 3].map(|filters| Some(dense(filters)));
    assert_eq!(params(&trials), filters);
    let digest = trials[2]["digest"].as_str().unwrap().parse().unwrap();
    let then = store::open(&Address::file(place.path("then.db"))).unwrap();
    let known = then.known(&digest).unwrap().expect("it was kept");
    assert_eq!(trials[2]["outcome"]["seconds"], known.outcome.seconds);
}
