//! `nas-script export RUN`, on a finished run.

use std::fs;

use nas_script::child::Weights;
use nas_script::child::export::onnx;
use nas_script::study::{JOURNAL_FILE, Journal, Trial};

use crate::harness::{Place, Ran};
use crate::runs::digits_run;

/// Exports from the run of the quick start into a folder of its own.
fn export(place: &Place, args: &[&str]) -> Ran {
    let run = digits_run().place.path("run");
    let run = run.to_str().unwrap();
    place.run(&[&["export", run], args].concat())
}

fn best() -> Trial {
    let text = fs::read(digits_run().place.path("run/best.json")).unwrap();
    serde_json::from_slice(&text).unwrap()
}

#[test]
fn the_best_child_leaves_with_its_trained_weights() {
    let place = Place::new();
    let ran = export(&place, &["--format", "onnx", "--out", "best.onnx"]);
    assert!(ran.succeeded().contains(": best.onnx"), "{ran:?}");
    let weights = Weights::load(digits_run().place.path("run/best.safetensors")).unwrap();
    let network = best().evaluation.unwrap().network;
    let expected = onnx::model(&network, &weights).unwrap();
    assert!(fs::read(place.path("best.onnx")).unwrap() == expected);

    export(&place, &["--out", "copy.safetensors"]).succeeded();
    let copy = Weights::load(place.path("copy.safetensors")).unwrap();
    assert_eq!(copy.arrays(), weights.arrays());
    let json = place.read("copy.json");
    assert_eq!(
        serde_json::from_str::<nas_script::network::Network>(&json).unwrap(),
        network
    );
    for (format, file) in [("svg", "net.svg"), ("mermaid", "net.mmd"), ("burn", "mine")] {
        export(&place, &["--format", format, "--out", file]).succeeded();
        assert!(place.path(file).exists(), "{file}");
    }
}

#[test]
fn another_trial_leaves_without_weights_unless_untrained_ones_are_asked_for() {
    let place = Place::new();
    let trials = Journal::read(&digits_run().place.path("run").join(JOURNAL_FILE)).unwrap();
    let other = trials.iter().find(|trial| trial.number != best().number);
    let other = other.unwrap();
    let number = other.number.to_string();
    let network = &other.evaluation.as_ref().unwrap().network;

    export(&place, &["--trial", &number, "--out", "other.json"]).succeeded();
    let json = place.read("other.json");
    let read: nas_script::network::Network = serde_json::from_str(&json).unwrap();
    assert_eq!(&read, network);

    let ran = export(&place, &["--trial", &number, "--out", "other.onnx"]);
    assert_eq!(ran.code, Some(2));
    assert_eq!(
        ran.stderr,
        format!(
            "error: export to onnx: expected the best trial, whose weights are kept; --untrained \
             exports initial weights, found trial {number}"
        )
    );
    assert!(!place.path("other.onnx").exists());
    export(
        &place,
        &["--trial", &number, "--untrained", "--out", "other.onnx"],
    )
    .succeeded();
    assert!(place.path("other.onnx").exists());
}

#[test]
fn what_cannot_be_exported_is_one_clear_line() {
    let place = Place::new();
    fs::create_dir(place.path("empty")).unwrap();
    let empty = place.run(&["export", "empty", "--format", "onnx"]);
    let cases = [
        (
            empty,
            "RUN: expected a run's folder, found empty without trials.jsonl",
        ),
        (
            export(&place, &["--trial", "99", "--format", "json"]),
            "--trial: expected best or a number from 1 to 3, found 99",
        ),
        (
            export(&place, &["--trial", "first", "--format", "json"]),
            "expected best or a trial's number, found first",
        ),
        (
            export(&place, &["--format", "onxx"]),
            "did you mean 'onnx'?",
        ),
        (export(&place, &[]), "--format: expected onnx, safetensors"),
        (
            export(&place, &["--out", "model.pt"]),
            "a file that ends in .onnx",
        ),
    ];
    for (ran, message) in cases {
        assert_eq!(ran.code, Some(2), "{ran:?}");
        assert!(ran.stderr.contains(message), "{message}: {}", ran.stderr);
        assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
    }
}
