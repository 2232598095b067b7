//! Whole runs: what they print, what they leave, how they end.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde_json::Value as Json;

use crate::harness::{Place, Ran, repository, shared_data};

/// A run whose folder is `run` in its place.
pub struct Run {
    pub place: Place,
    pub ran: Ran,
}

impl Run {
    /// Runs a script of the repository with further arguments.
    fn of(script: &str, args: &[&str]) -> Self {
        let place = Place::new();
        let script = repository(script);
        let mut all = vec![script.to_str().unwrap(), "--out", "run"];
        all.extend(args);
        let ran = place.run(&all);
        Self { place, ran }
    }

    /// Runs the text of a script.
    pub fn text(text: &str) -> Self {
        let place = Place::new();
        place.write("search.rhai", text);
        let ran = place.run(&["search.rhai", "--out", "run"]);
        Self { place, ran }
    }

    /// The lines of `trials.jsonl`.
    pub fn trials(&self) -> Vec<Json> {
        trials(&self.place)
    }

    /// The rows of `train_history.csv`, the header first.
    pub fn history(&self) -> Vec<Vec<String>> {
        let text = self.place.read("run/train_history.csv");
        let row = |line: &str| line.split(',').map(String::from).collect();
        text.lines().map(row).collect()
    }
}

/// The lines of `trials.jsonl` of the run in `place`.
pub fn trials(place: &Place) -> Vec<Json> {
    let text = place.read("run/trials.jsonl");
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The files of a run's folder.
pub fn files(place: &Place) -> BTreeSet<String> {
    let entries = fs::read_dir(place.path("run")).unwrap();
    entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

const DIGITS: &str = "scripts/digits_search.rhai";
const CIFAR: &str = "scripts/cifar_search.rhai";
const SMALL: &[&str] = &["-p", "trials=3", "-p", "epochs=2"];

/// A small run of the quick start, made once for all tests that look at it.
pub fn digits_run() -> &'static Run {
    static RUN: OnceLock<Run> = OnceLock::new();
    RUN.get_or_init(|| Run::of(DIGITS, SMALL))
}

/// The data and the model that the scripts of these tests share.
const DIGITS_MODEL: &str = r#"
    let space = StateSpace();
    space.add_state("filters", [2, 4, 8]);
    fn model(actions) {
        input([1, 8, 8]).conv2d(actions.layers[0].filters, 3).relu().flatten().dense(10)
    }
    let data = dataset("digits", #{ train: 200, validation: 100 });
"#;

/// A script after the data and the model of these tests.
pub fn with_digits(script: &str) -> String {
    format!("{DIGITS_MODEL}\n{script}")
}

#[test]
fn the_quick_start_says_what_it_found_and_where_it_is_kept() {
    let ran = &digits_run().ran;
    let out = ran.succeeded();
    assert!(out.contains("best architecture: ("), "{out}");
    for label in ["validation accuracy:", "test accuracy:"] {
        let percent: f64 = ran.line(label).trim_end_matches(" %").parse().unwrap();
        assert!((50.0..=100.0).contains(&percent), "{label} {percent}");
    }
    assert!(out.contains("best of 3 trials: trial "), "{out}");
    assert_eq!(ran.line("weights:"), "run/best.safetensors");
    assert_eq!(ran.line("kept in:"), "run");
    assert!(ran.stderr.contains("trial 3/3  best 0."), "{}", ran.stderr);
}

#[test]
fn the_quick_start_leaves_everything_in_its_folder() {
    let run = digits_run();
    let files = files(&run.place);
    let fixed = [
        "best.json",
        "best.safetensors",
        "controller.safetensors",
        "train_history.csv",
        "trials.jsonl",
    ];
    for file in fixed {
        assert!(files.contains(file), "{file} is not among {files:?}");
    }
    let events = files
        .iter()
        .filter(|file| file.starts_with("events.out.tfevents."));
    assert_eq!(events.count(), 1, "{files:?}");
    assert_eq!(files.len(), fixed.len() + 1, "nothing else: {files:?}");
}

#[test]
fn the_history_has_the_originals_columns_and_the_journal_everything() {
    let run = digits_run();
    let history = run.history();
    let header = "accuracy,reward,kernel_1,filters_1,kernel_2,filters_2,kernel_3,filters_3";
    assert_eq!(history[0].join(","), header);
    let trials = run.trials();
    assert_eq!((history.len(), trials.len()), (4, 3));
    for (row, trial) in history[1..].iter().zip(&trials) {
        assert_eq!(row[0], trial["outcome"]["accuracy"].to_string());
        assert_eq!(row[1], trial["reward"].to_string());
        let decided = trial["actions"]["decided"].as_array().unwrap();
        let values: Vec<_> = decided.iter().map(|d| d["value"].to_string()).collect();
        assert_eq!(row[2..], values);
        assert_eq!(
            trial["outcome"]["history"].as_array().unwrap().len(),
            2,
            "two epochs"
        );
        assert_eq!(trial["outcome"]["failure"], Json::Null);
    }
    let best: Json = serde_json::from_str(&run.place.read("run/best.json")).unwrap();
    let scores = trials.iter().map(|t| t["score"].as_f64().unwrap());
    let highest = scores.fold(f64::MIN, f64::max);
    assert_eq!(best["score"].as_f64(), Some(highest));
    assert!(
        trials.contains(&best),
        "the best is one of the trials, word for word"
    );
}

#[test]
fn a_seed_gives_the_same_trials_and_another_seed_others() {
    let history = |seed| {
        let run = Run::of(DIGITS, &[SMALL, &["--seed", seed, "-q"]].concat());
        run.ran.succeeded();
        run.place.read("run/train_history.csv")
    };
    assert_eq!(
        digits_run().place.read("run/train_history.csv"),
        history("0")
    );
    assert_ne!(history("0"), history("1"));
}

#[test]
fn the_originals_search_trains_on_real_cifar_images() {
    let data = shared_data();
    let small = ["trials=2", "epochs=1", "train=600", "validation=200"];
    let mut args = vec!["--data-dir", data.to_str().unwrap()];
    args.extend(small.iter().flat_map(|parameter| ["-p", parameter]));
    let run = Run::of(CIFAR, &args);
    run.ran.succeeded();
    let test: f64 = run.ran.line("test accuracy of the best:").parse().unwrap();
    assert!((0.0..=1.0).contains(&test));
    for trial in run.trials() {
        let accuracy = trial["outcome"]["accuracy"].as_f64().unwrap();
        assert!((0.0..=1.0).contains(&accuracy), "{trial}");
        assert_eq!(trial["evaluation"]["data"]["name"], "cifar10");
    }
    assert_eq!(
        run.history()[0].len(),
        2 + 4 * 2,
        "kernel and filters of four layers"
    );
}

#[test]
fn runs_without_a_name_get_folders_of_their_own() {
    let place = Place::new();
    place.write("mine.rhai", "print(study.name);");
    for n in 1..=2 {
        let ran = place.run(&["mine.rhai"]);
        let name = format!("mine-{n}");
        let kept = format!("kept in: runs/{name}\nstudy: {name} in nas-studies.db");
        assert_eq!(ran.succeeded(), format!("{name}\n{kept}"));
    }
}

#[test]
fn a_duplicate_is_answered_from_the_study() {
    let run = Run::text(&with_digits(
        r#"
        let manager = NetworkManager(data, #{ epochs: 1 });
        let first = manager.get_rewards(model, space.actions([4]));
        let again = manager.get_rewards(model, space.actions([4]));
        let other = manager.get_rewards(model, space.actions([8]));
        print(`cached: ${first.cached} ${again.cached} ${other.cached}`);
        print(`same: ${first.accuracy == again.accuracy && first.seconds == again.seconds}`);
        "#,
    ));
    run.ran.succeeded();
    assert_eq!(run.ran.line("cached:"), "false true false");
    assert_eq!(run.ran.line("same:"), "true");
    let cached: Vec<_> = run.trials().iter().map(|t| t["cached"].clone()).collect();
    assert_eq!(cached, [false, true, false]);
}

#[test]
fn another_reward_is_asked_of_known_outcomes() {
    let run = Run::text(&with_digits(
        r#"
        let manager = NetworkManager(data, #{ epochs: 1 });
        manager.evaluate(model(space.actions([4])));
        manager.set_reward(|outcome| 1e6 - outcome.params);
        let outcome = manager.evaluate(model(space.actions([4])));
        print(`cached: ${outcome.cached}`);
        print(`sum: ${outcome.reward + outcome.params}`);
        "#,
    ));
    run.ran.succeeded();
    assert_eq!(run.ran.line("cached:"), "true");
    assert_eq!(run.ran.line("sum:"), "1000000.0");
}

#[test]
fn a_saved_controller_goes_on_where_it_stopped() {
    let run = Run::text(
        r#"
        let space = StateSpace();
        space.add_state("kernel", [1, 3, 5]);
        fn learn(controller, n) {
            for i in 0..n {
                let actions = controller.get_action();
                controller.store_rollout(actions, if actions.layers[0].kernel == 5 { 1 } else { 0 });
                controller.train_step();
            }
        }
        let one = Controller(2, space);
        learn(one, 5);
        one.save("half.safetensors");
        let two = Controller(2, space, #{ restore_controller: "half.safetensors" });
        print(`steps: ${one.step} ${two.step}`);
        learn(one, 5);
        learn(two, 5);
        print(`same: ${one.probabilities() == two.probabilities()}`);
        print(`fresh: ${one.probabilities() == Controller(2, space).probabilities()}`);
        "#,
    );
    run.ran.succeeded();
    assert_eq!(run.ran.line("steps:"), "5 5");
    assert_eq!(run.ran.line("same:"), "true");
    assert_eq!(run.ran.line("fresh:"), "false");
}

/// A search that may go on from the controller of an earlier one.
const CONTROLLER_ONLY: &str = r#"
    let restore = param("restore_controller", "", "a saved controller to go on from");
    let space = StateSpace();
    space.add_state("kernel", [1, 3]);
    let controller = Controller(2, space, if restore == "" { #{} } else { #{ restore_controller: restore } });
    for trial in trials(3) {
        controller.store_rollout(controller.get_action(), 0.1);
        controller.train_step();
    }
    print(`steps: ${controller.step}`);
"#;

/// Runs [`CONTROLLER_ONLY`] as `script`, then again from the controller that the first run left.
#[track_caller]
fn goes_on_from_the_first_run(script: &str) {
    let place = Place::new();
    place.write(script, CONTROLLER_ONLY);
    let first = place.run(&[script, "--out", "runs/first"]);
    first.succeeded();
    assert_eq!(first.line("steps:"), "3");
    let restore = "restore_controller=runs/first/controller.safetensors";
    let second = place.run(&[script, "--out", "runs/second", "-p", restore]);
    second.succeeded();
    assert_eq!(second.line("steps:"), "6");
}

#[test]
fn a_run_goes_on_from_the_controller_of_another() {
    goes_on_from_the_first_run("search.rhai");
}

#[test]
fn a_run_of_a_script_in_a_folder_goes_on_from_the_controller_of_another() {
    goes_on_from_the_first_run("scripts/search.rhai");
}

/// What a script sees and the journal keeps of a failed child, while the search goes on.
#[track_caller]
fn fails(options: &str, model: &str, kind: &str, message: &str) {
    let run = Run::text(&format!(
        r#"
        let space = StateSpace();
        space.add_state("filters", [4, 8]);
        fn good(actions) {{ input([1, 8, 8]).flatten().dense(10) }}
        fn bad(actions) {{ {model} }}
        let data = dataset("digits", #{{ train: 200, validation: 100 }});
        let failing = NetworkManager(data, #{{ failure_reward: -0.5, epochs: 1, {options} }});
        let outcome = failing.get_rewards(bad, space.actions([4]));
        print(`failure: ${{outcome.failure.kind}}: ${{outcome.failure.message}}`);
        print(`left: ${{outcome.reward}} ${{outcome.accuracy}} ${{outcome.score}}`);
        let next = NetworkManager(data, #{{ epochs: 1 }}).get_rewards(good, space.actions([8]));
        print(`next: ${{next.failure == ()}}`);
        "#,
    ));
    run.ran.succeeded();
    assert_eq!(run.ran.line("failure:"), format!("{kind}: {message}"));
    assert_eq!(
        run.ran.line("left:"),
        "-0.5",
        "a failure has a reward, no accuracy and no score"
    );
    assert_eq!(run.ran.line("next:"), "true", "the search goes on");
    let failed = &run.trials()[0];
    assert_eq!(failed["outcome"]["failure"]["kind"], kind);
    assert_eq!(
        (&failed["score"], &failed["reward"]),
        (&Json::Null, &Json::from(-0.5))
    );
    let row = run.history()[1].join(",");
    assert!(
        row.starts_with(",-0.5,"),
        "no accuracy in the history: {row}"
    );
}

#[test]
fn a_network_whose_shapes_do_not_fit_is_a_failed_outcome() {
    fails(
        "",
        r#"input([1, 8, 8]).conv2d(4, 9, #{ padding: "valid" }).flatten().dense(10)"#,
        "invalid",
        "conv2d: kernel 9 with padding 'valid' does not fit a 8×8 input",
    );
}

#[test]
fn a_child_that_takes_too_long_is_a_failed_outcome() {
    fails(
        "timeout: 0.001",
        "input([1, 8, 8]).conv2d(64, 5).conv2d(64, 5).flatten().dense(10)",
        "timeout",
        "not done after 0.001 s",
    );
}

#[test]
fn a_child_that_diverges_is_a_failed_outcome() {
    fails(
        r#"optimizer: "sgd", learning_rate: 1e30"#,
        "input([1, 8, 8]).conv2d(4, 3).flatten().dense(10)",
        "nan",
        "epoch 1, batch 2 of 2: the training loss is NaN",
    );
}

#[test]
fn a_child_with_too_many_parameters_is_a_failed_outcome() {
    fails(
        "max_params: 1_000",
        "input([1, 8, 8]).conv2d(4, 3).flatten().dense(10)",
        "limit",
        "2,610 parameters, more than max_params 1,000",
    );
}

#[test]
fn a_child_with_too_many_macs_is_a_failed_outcome() {
    fails(
        "max_params: 2_610, max_macs: 4_863",
        "input([1, 8, 8]).conv2d(4, 3).flatten().dense(10)",
        "limit",
        "4,864 MACs, more than max_macs 4,863",
    );
}

/// The limit of memory is `net.memory` at the batch size and with the optimizer of the training.
#[test]
fn a_child_that_takes_too_much_memory_is_refused_before_it_is_trained() {
    let run = Run::text(&with_digits(
        r#"
        let net = model(space.actions([8]));
        let bytes = net.memory(32);
        let manager = |options| {
            options.epochs = 1;
            options.batch_size = 32;
            NetworkManager(data, options)
        };
        let tight = manager.call(#{ max_memory: bytes - 1 }).evaluate(net);
        print(`tight: ${tight.failure.message}`);
        print(`bytes: ${bytes}`);
        print(`known: ${tight.params == net.params} ${tight.macs == net.macs} ${tight.history.len} ${tight.cached}`);
        let enough = manager.call(#{ max_memory: bytes }).evaluate(net);
        print(`enough: ${enough.failure == ()}`);
        let plain = manager.call(#{ max_memory: bytes - 1, optimizer: "sgd" }).evaluate(net);
        print(`sgd keeps less: ${plain.failure == ()}`);
        print(`trained already: ${manager.call(#{ max_memory: bytes - 1 }).evaluate(net).failure.kind}`);
        "#,
    ));
    run.ran.succeeded();
    let bytes: u64 = run.ran.line("bytes:").parse().unwrap();
    let tight = run.ran.line("tight:").replace(',', "");
    let most = bytes - 1;
    assert_eq!(
        tight,
        format!("{bytes} bytes of memory in training more than max_memory {most}")
    );
    assert_eq!(run.ran.line("known:"), "true true 0 false");
    assert_eq!(run.ran.line("enough:"), "true");
    assert_eq!(run.ran.line("sgd keeps less:"), "true");
    assert_eq!(run.ran.line("trained already:"), "limit");
    let trials = run.trials();
    assert_eq!(trials.len(), 4);
    assert_eq!(trials[0]["outcome"]["params"], 5210);
    assert!(
        trials[0]["evaluation"].is_object(),
        "what was asked is kept: {}",
        trials[0]
    );
}

/// What a script sees of a network before it is trained.
#[test]
fn the_cost_of_a_network_is_known_before_it_is_trained() {
    let run = Run::text(
        r#"
        let net = input([3, 32, 32]).conv2d(16, 3).relu().max_pool2d(2).conv2d(16, 3).flatten().dense(10);
        print(`facts: ${net.params} ${net.macs} ${net.depth} ${net.receptive_field}`);
        print(`memory: ${net.memory == net.memory(128)} ${net.memory(64) < net.memory} ${net.memory}`);
        print(`latency: ${net.latency(#{ batch: 4, repeats: 3 })}`);
        "#,
    );
    run.ran.succeeded();
    assert_eq!(run.ran.line("facts:"), "43738 1073152 3 [8, 8]");
    let memory = run.ran.line("memory: true true");
    let megabytes = memory.parse::<f64>().unwrap() / 1e6;
    // Two arrays of 16×32×32 and two of a quarter of it are kept of 128 images: 21 MB.
    assert!((20.0..80.0).contains(&megabytes), "{megabytes} MB");
    let milliseconds: f64 = run.ran.line("latency:").parse().unwrap();
    assert!(milliseconds > 0.0);
}

#[test]
fn a_reward_that_is_not_a_number_is_a_failure_and_the_search_goes_on() {
    let run = Run::text(&with_digits(
        r#"
        let manager = NetworkManager(data, #{ epochs: 1, failure_reward: -0.25 });
        manager.set_reward(|outcome| if outcome.params < 1500 { 0.0 / 0.0 } else { outcome.accuracy });
        for trial in trials(2) {
            let outcome = manager.get_rewards(model, space.actions([[2, 4][trial - 1]]));
            print(`trial ${trial}: ${outcome.failure} ${outcome.reward == outcome.accuracy} ${outcome.reward}`);
        }
        "#,
    ));
    run.ran.succeeded();
    let failed = run.ran.line("trial 1:");
    assert!(
        failed.contains("the reward function returned NaN"),
        "{failed}"
    );
    assert!(failed.ends_with("false -0.25"), "{failed}");
    assert!(
        run.ran.line("trial 2:").contains("true"),
        "{}",
        run.ran.stdout
    );
    assert_eq!(run.trials().len(), 2);
}

#[test]
fn an_outcome_whose_reward_failed_is_not_paid_for_again() {
    let run = Run::text(&with_digits(
        r#"
        let manager = NetworkManager(data, #{ epochs: 1 });
        manager.set_reward(|outcome| 0.0 / 0.0);
        manager.get_rewards(model, space.actions([4]));
        manager.set_reward(|outcome| outcome.accuracy);
        print(`cached: ${manager.get_rewards(model, space.actions([4])).cached}`);
        "#,
    ));
    run.ran.succeeded();
    assert_eq!(run.ran.line("cached:"), "true");
}

#[test]
fn the_parameters_of_a_script_are_listed_without_running_it() {
    let script = repository(CIFAR);
    let ran = Place::new().run(&["params", script.to_str().unwrap()]);
    let names: Vec<_> = ran
        .succeeded()
        .lines()
        .map(|l| l.split(' ').next().unwrap())
        .collect();
    assert_eq!(names[..3], ["layers", "trials", "epochs"]);
    assert!(names.contains(&"restore_controller"), "{names:?}");
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let trials = ran.stdout.lines().nth(1).unwrap();
    assert_eq!(words(trials), "trials 250 networks to try");
}

#[test]
fn the_devices_end_with_the_cpu() {
    let ran = Place::new().run(&["devices"]);
    // What a build lacks follows in brackets.
    let mut devices = ran
        .succeeded()
        .lines()
        .filter(|line| !line.starts_with('('));
    assert!(
        devices.next_back().unwrap().starts_with("cpu "),
        "{}",
        ran.stdout
    );
}

#[test]
fn data_sets_are_listed_with_where_they_are() {
    let data = shared_data();
    let ran = Place::new().run(&["data", "list", "--data-dir", data.to_str().unwrap()]);
    let lines: Vec<_> = ran.succeeded().lines().map(str::trim).collect();
    let place = |name: &str| lines[lines.iter().position(|l| l.starts_with(name)).unwrap() + 1];
    assert_eq!(place("digits "), "built in");
    assert_eq!(place("cifar10 "), "<shared>/cifar-10-batches-bin");
    assert_eq!(place("mnist "), "not here: `nas-script data fetch mnist`");
}

#[test]
fn a_script_on_standard_input_runs() {
    let place = Place::new();
    let ran = place.run_text("let space = StateSpace();\nprint(space.size + 42);");
    assert_eq!(ran.succeeded(), "42");
    let ran = place.run_text("print(1);\nprint(lost);");
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), "1"));
    assert!(
        ran.stderr.contains("unknown variable 'lost'"),
        "{}",
        ran.stderr
    );
    assert!(ran.stderr.contains("<stdin>:2:7"), "{}", ran.stderr);
}

#[test]
fn ctrl_c_keeps_the_finished_trials() {
    let place = Place::new();
    place.write(
        "search.rhai",
        with_digits(
            r#"
            let manager = NetworkManager(data, #{ epochs: 1 });
            for trial in trials(100_000) {
                manager.get_rewards(model, space.get_random_state_space(1));
            }
            "#,
        ),
    );
    let child = place
        .command(&["search.rhai", "--out", "run", "--limits", "none"])
        .spawn()
        .unwrap();
    let journal = place.path("run/trials.jsonl");
    let patience = Instant::now() + Duration::from_secs(120);
    let lines = || {
        fs::read_to_string(&journal)
            .unwrap_or_default()
            .lines()
            .count()
    };
    while lines() < 5 {
        assert!(Instant::now() < patience, "no trial was finished");
        std::thread::sleep(Duration::from_millis(20));
    }
    let kill = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(kill.unwrap().success());
    let ran = place.ran(&child.wait_with_output().unwrap());
    assert_eq!(ran.code, Some(130), "{}\n{}", ran.stdout, ran.stderr);
    assert!(
        ran.stderr.contains("everything so far is kept"),
        "{}",
        ran.stderr
    );
    assert_eq!(ran.line("kept in:"), "run");
    let trials = trials(&place);
    assert!(trials.len() >= 5, "whole lines, each a trial");
    assert!(
        ran.stdout
            .contains(&format!("best of {} trials", trials.len())),
        "{}",
        ran.stdout
    );
}
