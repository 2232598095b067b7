//! The live view, the JSON events and the tables, in and without a terminal.

use std::process::Stdio;
use std::time::Duration;

use expectrl::Eof;
use expectrl::session::OsSession;
use serde_json::Value;

use super::{DIGITS, hostile};
use crate::harness::{Place, seen};

/// The events of a run with `--json`, all of whose lines must be JSON.
fn events(text: &str) -> Vec<Value> {
    let event = |line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
    text.lines().map(event).collect()
}

fn of<'a>(events: &'a [Value], kind: &str) -> Vec<&'a Value> {
    events
        .iter()
        .filter(|event| event["event"] == kind)
        .collect()
}

#[test]
fn events_are_json_whatever_a_script_prints() {
    let place = Place::new();
    let long = hostile("print");
    let text = serde_json::to_string(&format!("{long}\n\t\u{1b}[2J\"")).unwrap();
    place.write("digits.rhai", format!("{DIGITS}\nprint({text});"));
    let ran = place.run(&[
        "digits.rhai",
        "--json",
        "--study",
        "digits",
        "-p",
        "trials=6",
        "--workers",
        "0",
    ]);
    let events = events(ran.succeeded());
    let kinds: Vec<&str> = events
        .iter()
        .map(|event| event["event"].as_str().unwrap())
        .collect();
    assert_eq!(
        (kinds[0], kinds[kinds.len() - 1]),
        ("start", "end"),
        "{kinds:?}"
    );
    assert_eq!(events[0]["study"], "digits");
    assert_eq!(of(&events, "loop")[0]["trials"], 6);
    let trials = of(&events, "trial");
    assert_eq!(trials.len(), 6);
    for trial in &trials {
        let failed = !trial["failure"].is_null();
        assert_eq!(failed, trial["accuracy"].is_null(), "{trial}");
        assert!(!failed || trial["failure"]["kind"] == "invalid", "{trial}");
    }
    let children = of(&events, "child");
    let epochs = of(&events, "epoch");
    assert!(
        !children.is_empty() && epochs.len() >= children.len(),
        "{kinds:?}"
    );
    assert!(
        epochs
            .iter()
            .all(|epoch| epoch["loss"].is_f64() && epoch["epoch"].is_u64())
    );
    assert_eq!(
        of(&events, "update").len(),
        2,
        "the first four trials warm up"
    );
    let tests = of(&events, "test");
    assert_eq!(tests[0]["confusion"].as_array().unwrap().len(), 10);
    let printed = of(&events, "print");
    assert_eq!(
        printed.last().unwrap()["text"],
        format!("{long}\n\t\u{1b}[2J\"")
    );
    let end = events.last().unwrap();
    assert_eq!(
        (&end["status"], &end["trials"]),
        (&Value::from("finished"), &Value::from(6))
    );
    assert!(end["best"]["score"].is_f64(), "{end}");
}

#[test]
fn events_tell_how_a_run_failed() {
    let place = Place::new();
    place.write("broken.rhai", "print(1);\nlet x = nothing;\n");
    let ran = place.run(&["broken.rhai", "--json"]);
    assert_eq!(ran.code, Some(1));
    let events = events(&ran.stdout);
    let end = events.last().unwrap();
    assert_eq!(end["status"], "failed");
    let error = end["error"].as_str().unwrap();
    assert!(
        error.contains("nothing") && error.contains("broken.rhai:2:9"),
        "{error}"
    );
}

#[test]
fn lines_without_a_terminal_name_failures() {
    let place = Place::new();
    place.write("digits.rhai", DIGITS);
    let ran = place.run(&["digits.rhai", "-p", "trials=9", "--workers", "0"]);
    ran.succeeded();
    let lines: Vec<&str> = ran
        .stderr
        .lines()
        .filter(|line| line.starts_with("trial "))
        .collect();
    assert_eq!(lines.len(), 9, "{}", ran.stderr);
    assert!(lines[8].starts_with("trial 9/9  best 0."), "{}", lines[8]);
    assert!(
        lines[8].contains(" failed: ") && lines[8].contains(" invalid"),
        "{}",
        lines[8]
    );
    assert!(!ran.stderr.contains('\u{1b}'), "{}", ran.stderr);
}

#[test]
fn a_terminal_shows_children_and_facts() {
    for workers in ["0", "1"] {
        let place = Place::new();
        // Long enough that the view, which is drawn some times a second, shows it.
        let slow = DIGITS
            .replace("epochs: 2", "epochs: 12")
            .replace("train: 200", "train: 1200");
        place.write("digits.rhai", slow.replace("[4, 8]", "[16, 32]"));
        let mut command = place.command(&["digits.rhai", "-p", "trials=8", "--workers", workers]);
        command.env("TERM", "xterm").env("LC_ALL", "C.UTF-8");
        command
            .stdin(Stdio::inherit())
            .stdout(Stdio::inherit())
            .stderr(Stdio::inherit());
        let mut session = OsSession::spawn(command).unwrap();
        session.get_process_mut().set_window_size(100, 30).unwrap();
        let all = seen(&mut session, || Eof, Duration::from_secs(600)).unwrap();
        let seen = String::from_utf8_lossy(all.as_bytes()).into_owned();
        for part in [
            "/12 network ",
            " parameters",
            " 8/8 ",
            "best 0.",
            "mean of ",
            " is best  reward, mean of 8: ",
            "entropy ",
            " nats  loss ",
            " failed: ",
            "best of 8 trials: trial ",
        ] {
            assert!(seen.contains(part), "no {part:?} in {seen:?}");
        }
        // A worker process tells how far it is once in a while, which is more than these take.
        let told = seen.contains("/12 loss ") && seen.contains("  accuracy 0.");
        assert!(told || workers == "1", "{seen:?}");
        assert_eq!(workers == "1", seen.contains(", on local-"), "{seen:?}");
    }
}

#[test]
fn tables_show_studies_of_any_name() {
    let place = Place::new();
    place.write("digits.rhai", DIGITS);
    let strange = format!("\u{1b}[31m\u{1b}]0;owned\u{7}{}", hostile("study"));
    for (name, seed) in [("one", "1"), ("two", "2"), (strange.as_str(), "3")] {
        let arguments = [
            "digits.rhai",
            "--study",
            name,
            "--seed",
            seed,
            "--workers",
            "0",
            "-q",
            "-p",
            "trials=8",
        ];
        place.run(&arguments).succeeded();
    }
    place.write(
        "fails.rhai",
        "let m = NetworkManager(dataset(\"digits\"), #{ epochs: 1, max_params: 10 });\
                               m.evaluate(input([1, 8, 8]).flatten().dense(10));",
    );
    place
        .run(&["fails.rhai", "--study", "failures", "--workers", "0", "-q"])
        .succeeded();
    place.write("empty.rhai", "print(1);");
    place
        .run(&["empty.rhai", "--study", "empty", "-q"])
        .succeeded();

    for (arguments, expected) in [
        (
            vec!["studies"],
            vec!["one", "not running", "failures", "digits.rhai"],
        ),
        (
            vec!["show", "one"],
            vec![
                "seed 1",
                "trials 8, the last",
                "invalid",
                "best",
                "updates, entropy",
                "score",
            ],
        ),
        (vec!["show", "failures"], vec!["1 failed: 1 limit"]),
        (vec!["show", "empty"], vec!["trials 0\ntraining 0.0 s"]),
        (vec!["show", &strange], vec!["owned by study"]),
        (
            vec!["top", "one", "-n", "3"],
            vec!["rank", "parameters", "head=gap"],
        ),
        (vec!["top", "failures"], vec!["no trial has a score so far"]),
        (
            vec!["compare", "one", "two", "failures"],
            vec!["one and 1 more seeds", "±", "best after 1"],
        ),
        (
            vec!["compare", "one", &strange],
            vec!["one and 1 more seeds", "best score so far"],
        ),
        (
            vec!["compare", "one", "empty"],
            vec!["best after 8", "empty 1 0 - - - 0.0 s"],
        ),
    ] {
        let ran = place.run(&arguments);
        let text = ran.succeeded();
        let text = text
            .split(' ')
            .filter(|word| !word.is_empty())
            .collect::<Vec<_>>()
            .join(" ");
        for part in expected {
            assert!(text.contains(part), "{arguments:?}: no {part:?} in\n{text}");
        }
        assert!(
            !text.contains(['\u{1b}', '\u{7}', '\u{202e}']),
            "{arguments:?}: {text:?}"
        );
        if arguments.len() == 1 || arguments[0] != "top" || arguments[1] != "failures" {
            let mut json = arguments.clone();
            json.push("--json");
            let ran = place.run(&json);
            let found: Value = serde_json::from_str(ran.succeeded()).unwrap();
            assert!(found.is_array() || found.is_object(), "{found}");
        }
    }
    let twice = place.run(&["compare", "one", "one"]);
    let said = "compare: expected each study once, found 'one' twice";
    assert!(twice.stderr.contains(said), "{}", twice.stderr);
    assert_eq!(twice.code, Some(2));
    let top: Value =
        serde_json::from_str(place.run(&["top", "one", "--json"]).succeeded()).unwrap();
    let scores: Vec<f64> = top
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row["score"].as_f64().unwrap())
        .collect();
    assert!(
        scores.is_sorted_by(|a, b| a >= b) && scores.len() > 2,
        "{scores:?}"
    );

    let slip = place.run(&["show", "ones"]);
    assert_eq!(slip.code, Some(2));
    assert!(
        slip.stderr.contains("did you mean 'one'?"),
        "{}",
        slip.stderr
    );
    let nowhere = place.run(&["studies", "--store", "elsewhere.db"]);
    assert_eq!(nowhere.code, Some(2));
    assert!(!place.path("elsewhere.db").exists(), "a look made a store");
}
