//! Studies that are stored: killed and resumed, forked, answered from what others paid for, replayed.

use std::collections::BTreeMap;
use std::fs;
use std::process::Child;
use std::thread;
use std::time::{Duration, Instant};

use nas_script::evaluation::Digest;
use nas_script::study::store::{self, Address};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::Value as Json;

use crate::harness::{Place, Ran, shared_data};
use crate::runs::trials;
use crate::workers::timeless;

/// A search on a benchmark table with everything that a resumed study has to bring back: a controller with
/// mini-batches, submissions in flight, random states, a reward of the script's own.
const TABLE: &str = r#"
    let space = StateSpace();
    space.add_state("block", [0, 1, 2]);
    let table = BenchmarkTable("nas-bench-macro.csv", #{
        reward: ["acc1", "acc2", "acc3"], scale: 100, params: "params", repeats: 2,
    });
    table.set_reward(|o| o.accuracy - 0.01 * log10(o.params));
    let controller = Controller(8, space, #{ batch_size: 4 });
    let model = |actions| ();
    for batch in trials(param("trials", 200, "trials"), 5) {
        let drawn = batch.map(|n| controller.get_action());
        table.submit(model, space.get_random_state_space(8), batch[0]);
        drawn.pop();
        for actions in drawn {
            controller.store_rollout(actions, table.get_rewards(model, actions).reward);
            controller.train_step();
        }
        print(table.next().tag);
    }
    print(study.best);
"#;

/// A search that trains small networks on digits, several at a time and by submission.
const DIGITS: &str = r#"
    let space = StateSpace();
    space.add_state("kernel", [1, 3]);
    space.add_state("filters", [2, 4, 8]);
    fn model(actions) {
        let x = input([1, 8, 8]);
        for layer in actions.layers { x = x.conv2d(layer.filters, layer.kernel).relu(); }
        x.flatten().dropout(0.1).dense(10)
    }
    let manager = NetworkManager(dataset("digits", #{ train: 400, validation: 200 }), #{ epochs: 2, batch_size: 50 });
    let controller = Controller(2, space, #{ batch_size: 2 });
    for batch in trials(12, 2) {
        let drawn = batch.map(|n| controller.get_action());
        let outcomes = manager.get_rewards(model, drawn);
        for i in 0..drawn.len {
            controller.store_rollout(drawn[i], outcomes[i].reward);
            controller.train_step();
        }
    }
    print(manager.test(study.best.network));
"#;

/// A search whose children share their weights, before some are trained from scratch.
const SHARED: &str = r#"
    import "nas/enas" as enas;
    let space = StateSpace();
    space.add_state("kernel", [1, 3]);
    space.add_state("filters", [4, 8]);
    fn model(actions) {
        let x = input([1, 8, 8]);
        for layer in actions.layers { x = x.conv2d(layer.filters, layer.kernel).batch_norm().relu(); }
        x.global_avg_pool().dense(10)
    }
    let data = dataset("digits", #{ train: 400, validation: 200 });
    let sharing = NetworkManager(data, #{ shared_weights: true, epochs: 16, batch_size: 20, learning_rate: 0.01 });
    let found = enas::search(space, sharing, model, #{
        layers: 2, from_scratch: NetworkManager(data, #{ epochs: 4, batch_size: 20, learning_rate: 0.01 }),
        controller_steps: 5, images: 100, warm_up: 8, candidates: 12, finals: 3, random: 3,
    });
    for pair in found.pairs { print(pair.values + " " + pair.inherited + " " + pair.accuracy); }
    print("tau " + found.tau);
    print("derived " + found.derived.accuracy + ", random " + found.random_mean);
    for trial in trials(2) {
        print(sharing.get_rewards(model, space.get_random_state_space(2)).accuracy);
    }
"#;

fn start(place: &Place, script: &str, args: &[&str]) -> Child {
    place.write("search.rhai", script);
    let data = shared_data();
    let mut all = vec!["search.rhai", "-q", "--data-dir", data.to_str().unwrap()];
    all.extend(args);
    place.command(&all).spawn().unwrap()
}

fn run(place: &Place, script: &str, args: &[&str]) -> Ran {
    let child = start(place, script, args);
    place.ran(&child.wait_with_output().unwrap())
}

/// What a run leaves that must not depend on how often it was killed.
fn left(place: &Place) -> (Vec<Json>, Vec<(String, Vec<u8>)>) {
    let trials = trials(place).into_iter().map(timeless).collect();
    let files = [
        "train_history.csv",
        "controller.safetensors",
        "best.safetensors",
    ];
    let read = |name: &str| Some((name.into(), fs::read(place.path("run").join(name)).ok()?));
    (trials, files.into_iter().filter_map(read).collect())
}

/// The seconds that each evaluation in the store took, by its key: equal only where it was not done again.
fn paid(place: &Place, digests: &[Digest]) -> BTreeMap<String, f64> {
    let file = place.path("nas-studies.db");
    if !file.exists() {
        return BTreeMap::new();
    }
    let store = store::open(&Address::file(file)).unwrap();
    let known = |digest: &Digest| {
        let known = store.known(digest).unwrap()?;
        Some((digest.to_string(), known.outcome.seconds))
    };
    digests.iter().filter_map(known).collect()
}

/// Kills `script` at `moments` of its time and resumes each.
fn killed_and_resumed(script: &str, moments: u32, seed: u64) {
    let whole = Place::new();
    let started = Instant::now();
    let ran = run(&whole, script, &["--out", "run", "--study", "s"]);
    let expected = ran.succeeded().to_string();
    let time = started.elapsed();
    let undisturbed = left(&whole);
    let digests: Vec<Digest> = undisturbed
        .0
        .iter()
        .map(|trial| trial["digest"].as_str().unwrap().parse().unwrap())
        .collect();
    let mut random = StdRng::seed_from_u64(seed);
    let mut interrupted = 0;
    for _ in 0..moments {
        let place = Place::new();
        let mut child = start(&place, script, &["--out", "run", "--study", "s"]);
        thread::sleep(time.mul_f64(random.random_range(0.02..1.0)));
        child.kill().unwrap();
        child.wait().unwrap();
        let before = paid(&place, &digests);
        let recorded = fs::read_to_string(place.path("run/trials.jsonl")).unwrap_or_default();
        interrupted += usize::from(recorded.lines().count() < undisturbed.0.len());

        // A kill in the first moments leaves no study, or a folder without one.
        let there = place.path("nas-studies.db").exists()
            && store::open(&Address::file(place.path("nas-studies.db")))
                .unwrap()
                .find("s")
                .unwrap()
                .is_some();
        let args: &[&str] = match there {
            true => &["--resume", "s"],
            false => {
                let _ = fs::remove_dir_all(place.path("run"));
                &["--out", "run", "--study", "s"]
            }
        };
        let ran = run(&place, script, args);
        assert_eq!(ran.succeeded(), expected);
        let resumed = left(&place);
        for (now, then) in resumed.0.iter().zip(&undisturbed.0) {
            assert_eq!(now, then);
        }
        assert_eq!(resumed.0.len(), undisturbed.0.len());
        for (now, then) in resumed.1.iter().zip(&undisturbed.1) {
            assert_eq!(now.0, then.0);
            assert!(now.1 == then.1, "{} differs", now.0);
        }
        for (digest, seconds) in paid(&place, &digests) {
            if let Some(before) = before.get(&digest) {
                assert_eq!(*before, seconds, "{digest} was evaluated again");
            }
        }
    }
    assert!(interrupted > 0, "none was killed in its midst");
}

#[test]
fn a_search_on_a_table_survives_sigkill_at_any_moment() {
    killed_and_resumed(TABLE, 50, 1);
}

#[test]
fn a_search_with_children_survives_sigkill_at_any_moment() {
    killed_and_resumed(DIGITS, 10, 2);
}

#[test]
fn a_finished_study_goes_on_with_more_trials_and_refuses_other_questions() {
    let place = Place::new();
    run(&place, TABLE, &["--study", "s", "-p", "trials=20"]).succeeded();
    // Parameters are remembered, unless they are given anew.
    let again = run(&place, TABLE, &["--study", "s"]);
    assert!(again.succeeded().contains("best of 20 trials"));
    let more = run(&place, TABLE, &["--resume", "s", "-p", "trials=30"]);
    assert!(more.succeeded().contains("best of 30 trials"));

    let other = TABLE.replace("batch_size: 4", "batch_size: 1");
    let refused = run(&place, &other, &["--resume", "s", "-p", "trials=30"]);
    assert_eq!(refused.code, Some(1));
    assert!(
        refused.stderr.contains("diverged at trial "),
        "{}",
        refused.stderr
    );
    assert!(refused.stderr.contains("recorded (") && refused.stderr.contains("asked ("));
    let reward = TABLE.replace("0.01 * log10", "0.02 * log10");
    let refused = run(&place, &reward, &["--resume", "s"]);
    assert!(
        refused.stderr.contains("diverged at trial 1: recorded"),
        "{}",
        refused.stderr
    );

    let history = |name: &str| place.read(&format!("runs/{name}/train_history.csv"));
    assert_eq!(
        history("s-1").lines().count(),
        31,
        "what is refused changes nothing"
    );

    let forked = run(
        &place,
        &other,
        &["--resume", "s", "--fork", "f", "-p", "trials=30"],
    );
    assert!(forked.succeeded().contains("study: f in nas-studies.db"));
    let (parent, fork) = (history("s-1"), history("f-1"));
    let shared = parent.lines().zip(fork.lines()).take_while(|(a, b)| a == b);
    assert!(
        (2..30).contains(&shared.count()),
        "they share a prefix, and part"
    );
    let straight = Place::new();
    run(&straight, &other, &["--study", "f", "-p", "trials=30"]).succeeded();
    let alone = straight.read("runs/f-1/train_history.csv");
    assert_eq!(fork, alone, "a fork is what its script alone comes to");

    let listed = place.run(&["studies"]);
    let listed: Vec<&str> = listed.succeeded().lines().collect();
    assert_eq!(listed.len(), 3);
    assert!(listed[0].ends_with("fork of"), "{listed:?}");
    assert!(
        listed[1].starts_with("  s  ") && listed[1].contains("  30  "),
        "{listed:?}"
    );
    assert!(
        listed[2].starts_with("  f  ") && listed[2].ends_with(" s"),
        "{listed:?}"
    );

    let unknown = run(&place, TABLE, &["--resume", "t"]);
    assert_eq!(unknown.code, Some(2));
    assert!(
        unknown.stderr.contains("unknown study 't'; known: s, f"),
        "{}",
        unknown.stderr
    );
    let seed = run(&place, TABLE, &["--resume", "s", "--seed", "5"]);
    assert!(
        seed.stderr.contains("expected --seed 0, found 5"),
        "{}",
        seed.stderr
    );
}

#[test]
fn a_study_is_one_process_at_a_time() {
    let place = Place::new();
    let slow = format!("{DIGITS}\nlet n = 0; loop {{ n += 1; }}");
    let mut first = start(
        &place,
        &slow,
        &["--study", "s", "--out", "run", "--limits", "none"],
    );
    let trials = || fs::read_to_string(place.path("run/trials.jsonl"));
    let until = Instant::now() + Duration::from_secs(120);
    while trials().unwrap_or_default().lines().count() < 12 {
        assert!(Instant::now() < until, "no trials");
        thread::sleep(Duration::from_millis(20));
    }
    let second = run(&place, DIGITS, &["--study", "s"]);
    first.kill().unwrap();
    first.wait().unwrap();
    assert_eq!(second.code, Some(2));
    assert!(
        second.stderr.contains("study 's' is in use"),
        "{}",
        second.stderr
    );
    run(&place, DIGITS, &["--study", "s"]).succeeded();
}

#[test]
fn an_evaluation_is_paid_for_once_whoever_asks() {
    let script = r#"
        let manager = NetworkManager(dataset("digits", #{ train: 200, validation: 100 }), #{ epochs: EPOCHS });
        let net = |filters| input([1, 8, 8]).conv2d(filters, 3).batch_norm().relu().flatten().dropout(0.2).dense(10);
        for o in manager.evaluate([net.call(2), net.call(3)], #{ repeats: 2 }) {
            print(`${o.cached} ${o.accuracy} ${o.interval[0] <= o.accuracy} ${o.accuracies.len}`);
        }
        let o = manager.evaluate(net.call(3));
        print(`${o.history.len} ${o.history.map(|e| e.validation_loss)} ${manager.test(net.call(3))}`);
    "#;
    let epochs = |place: &Place, epochs: &str| {
        let ran = run(place, &script.replace("EPOCHS", epochs), &[]);
        let lines: Vec<String> = ran.succeeded().lines().map(Into::into).collect();
        lines[..3].to_vec()
    };
    let place = Place::new();
    let first = epochs(&place, "2");
    assert!(
        first[0].starts_with("false ") && first[0].ends_with(" true 2"),
        "{first:?}"
    );
    let again = epochs(&place, "2");
    assert_eq!(
        again[0],
        first[0].replacen("false", "true", 1),
        "another run's are known"
    );
    assert_eq!(again[2], first[2]);
    // More epochs go on from the weights that the other run left, to the last bit.
    let more = epochs(&place, "5");
    assert_eq!(more, epochs(&Place::new(), "5"));
    let seconds = |place: &Place| {
        let read = |run: &str| -> Vec<Json> {
            let lines = place.read(&format!("runs/{run}/trials.jsonl"));
            lines
                .lines()
                .map(|line| serde_json::from_str(line).unwrap())
                .collect()
        };
        let history = |trial: &Json| trial["outcome"]["history"].as_array().unwrap()[..2].to_vec();
        (history(&read("search-1")[2]), history(&read("search-3")[2]))
    };
    let (then, now) = seconds(&place);
    assert_eq!(
        then, now,
        "the first epochs are those of before, seconds and all"
    );
}

#[test]
fn another_reward_is_replayed_without_training() {
    let place = Place::new();
    run(&place, DIGITS, &["--study", "s"]).succeeded();
    place.write(
        "new.rhai",
        "fn reward(o) { o.accuracy - 0.2 * log10(o.params) }",
    );
    let replayed = place.run(&["replay", "s", "--reward", "new.rhai", "--out", "again"]);
    let said = replayed.succeeded();
    assert!(said.contains("12 trials rescored, 6 updates"), "{said}");
    let lines = |name: &str| -> Vec<Json> {
        let text = place.read(name);
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    };
    let (then, now) = (lines("runs/s-1/trials.jsonl"), lines("again/trials.jsonl"));
    for (then, now) in then.iter().zip(&now) {
        assert_eq!(then["outcome"], now["outcome"], "nothing is trained");
        let number = |value: &Json| value.as_f64().unwrap();
        let params = number(&now["outcome"]["params"]);
        let reward = number(&now["outcome"]["accuracy"]) - 0.2 * params.log10();
        assert!((number(&now["reward"]) - reward).abs() < 1e-12);
    }
    assert!(place.path("again/controller.safetensors").is_file());

    place.write("none.rhai", "fn other(o) { 1 }");
    let none = place.run(&["replay", "s", "--reward", "none.rhai"]);
    assert_eq!(none.code, Some(2));
    assert!(
        none.stderr.contains("expected a function `fn reward(o)`"),
        "{}",
        none.stderr
    );
}

#[test]
fn failures_are_tried_again_penalised_or_skipped_and_replayed() {
    let script = r#"
        let data = dataset("digits", #{ train: 200, validation: 100 });
        let net = input([1, 8, 8]).conv2d(8, 3).relu().flatten().dense(10);
        let most = (net.memory(8) + net.memory(128)) / 2;
        let small = NetworkManager(data, #{ epochs: 1, max_memory: most });
        small.on_failure(|f| if f.kind == "limit" { #{ retry: true, batch_size: 8 } });
        let o = small.evaluate(net);
        print(`${o.failure == ()} ${o.attempts} ${o.history.len}`);

        let wild = NetworkManager(data, #{ epochs: 1, learning_rate: 1e30, optimizer: "sgd" });
        wild.on_failure(|f| if f.attempt < 3 { "retry" } else { -0.5 });
        let o = wild.evaluate(net);
        print(`${o.failure.kind} ${o.attempts} ${o.reward} ${o.skipped}`);
        wild.on_failure(|f| "skip");
        let o = wild.evaluate(net);
        print(`${o.failure.kind} ${o.attempts} ${o.reward == ()} ${o.skipped}`);
    "#;
    let place = Place::new();
    let ran = run(&place, script, &["--study", "s", "--out", "run"]);
    let lines: Vec<_> = ran.succeeded().lines().take(3).collect();
    assert_eq!(lines, ["true 2 1", "nan 3 -0.5 false", "nan 1 true true"]);
    let first = trials(&place);
    let attempts = first[1]["attempts"].as_array().unwrap();
    assert_ne!(attempts[0]["digest"], attempts[1]["digest"], "another seed");
    let again = run(&place, script, &["--resume", "s"]);
    assert_eq!(again.succeeded(), ran.stdout);
    assert_eq!(
        trials(&place),
        first,
        "seconds and all: nothing is trained again"
    );
}

#[test]
fn children_without_hope_end_early() {
    let script = r#"
        let data = dataset("digits", #{ train: 400, validation: 200 });
        let patient = NetworkManager(data, #{ epochs: 30, patience: 2, learning_rate: 1e-9 });
        let o = patient.evaluate(input([1, 8, 8]).conv2d(4, 3).flatten().dense(10));
        print(`${o.stopped} ${o.history.len < 30} ${o.accuracy >= 0.0}`);

        let strict = NetworkManager(data, #{ epochs: 4, batch_size: 16, learning_rate: 3e-3, median_stop: true });
        let good = |filters| input([1, 8, 8]).conv2d(filters, 3).relu().flatten().dense(10);
        for filters in 6..11 { print(strict.evaluate(good.call(filters)).stopped == ()); }
        let hopeless = input([1, 8, 8]).global_avg_pool().dense(10);
        let o = strict.evaluate(hopeless);
        print(`${o.stopped} ${o.history.len} ${o.failure == ()}`);
        // It depends on others, so it is no answer to the same question later.
        let lenient = NetworkManager(data, #{ epochs: 4, batch_size: 16, learning_rate: 3e-3 });
        let o = lenient.evaluate(hopeless);
        print(`${o.stopped == ()} ${o.history.len} ${o.cached}`);
    "#;
    let ran = run(&Place::new(), script, &[]);
    let lines: Vec<_> = ran.succeeded().lines().collect();
    assert_eq!(lines[0], "patience true true");
    assert_eq!(lines[1..6], ["true"; 5]);
    assert_eq!(lines[6], "median 1 true");
    assert_eq!(lines[7], "true 4 false");
}

#[test]
fn a_search_with_shared_weights_survives_sigkill_at_any_moment() {
    killed_and_resumed(SHARED, 4, 3);
}

#[test]
fn a_search_with_shared_weights_finds_better_children_than_chance() {
    let place = Place::new();
    let ran = run(&place, SHARED, &["--out", "run", "--study", "s"]);
    ran.succeeded();
    let trained = ran.line("derived ").split_once(", random ").unwrap();
    let [derived, random] = [trained.0, trained.1].map(|accuracy| accuracy.parse::<f64>().unwrap());
    assert!(derived > random + 0.1, "{derived} against {random}");
    let tau: f64 = ran.line("tau ").parse().unwrap();
    assert!(tau > 0.3, "{tau}");
    let trials = trials(&place);
    let shared = trials.iter().filter(|trial| trial["evaluation"].is_null());
    let accuracies: Vec<f64> = shared
        .map(|trial| trial["outcome"]["accuracy"].as_f64().unwrap())
        .collect();
    assert_eq!(accuracies.len(), 2);
    assert!(
        accuracies.iter().any(|accuracy| *accuracy > 0.4),
        "{accuracies:?}"
    );
}
