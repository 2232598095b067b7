//! TensorBoard finds what a run wrote: its own reader, and the server behind its pages.

use std::process::Command;

use serde_json::Value as Json;

use super::{Searched, long, read, readers, searched, text};
use crate::runs::digits_run;

/// Prints `tag count all-finite first-step last-step`, a line a scalar.
const READER: &str = r#"
import math, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
events = EventAccumulator(sys.argv[1])
events.Reload()
for tag in sorted(events.Tags()["scalars"]):
    read = events.Scalars(tag)
    finite = all(math.isfinite(event.value) for event in read)
    print(tag, ",".join(str(event.step) for event in read), finite)
"#;

#[test]
fn tensorboard_reads_every_scalar_by_name() {
    let run = digits_run();
    let output = Command::new(readers())
        .args(["-c", READER])
        .arg(run.place.path("run"))
        .output()
        .unwrap();
    let (found, said) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{said}");

    let controller = ["learning_rate", "discounted_reward", "total_loss"];
    let controller = controller.map(String::from).into_iter();
    // One cross-entropy a decision: two states in each of three layers.
    let losses = (1..=6).map(|state| format!("state_{state}_ce_loss"));
    let child = ["child/accuracy", "child/loss", "child/reward"].map(String::from);
    for tag in controller.chain(losses).chain(child) {
        let line = found
            .lines()
            .find(|line| line.starts_with(&format!("{tag} ")));
        let expected = format!("{tag} 1,2,3 True");
        assert_eq!(line, Some(expected.as_str()), "all scalars:\n{found}");
    }
}

#[test]
fn tensorboards_pages_show_parameters_network_and_confusion() {
    let Searched { place, test } = searched();
    let found = read("board.py", &[text(&place.path("runs")), "2"]);

    // HPARAMS: a row a run, a column a parameter; the script's own `seed` stays beside the program's.
    let columns: Vec<&str> = found["columns"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| c.as_str().unwrap())
        .collect();
    for column in [
        "data",
        "device",
        "nas_script.seed",
        "script",
        "epochs",
        "seed",
        "trials",
        "<i>größe</i>",
    ] {
        assert!(
            columns.contains(&column),
            "{column} is not among {columns:?}"
        );
    }
    let sessions = found["sessions"].as_array().unwrap();
    assert_eq!(sessions.len(), 2, "{sessions:?}");
    let of = |epochs: f64| {
        let mut all = sessions.iter();
        all.find(|session| session["hparams"]["epochs"].as_f64() == Some(epochs))
            .unwrap()
    };
    let (first, second) = (of(1.0), of(2.0));
    for session in [first, second] {
        assert_eq!(session["status"], "STATUS_SUCCESS");
        let data = session["hparams"]["data"].as_str().unwrap();
        assert!(data.starts_with("digits, "), "{data}");
        assert_eq!(session["hparams"]["seed"], 5.0);
        assert_eq!(session["hparams"]["nas_script.seed"], 0.0);
    }
    assert_eq!(
        first["hparams"]["<i>größe</i>"].as_str(),
        Some(long().as_str())
    );
    let tested = first["metrics"]["test/accuracy"].as_f64().unwrap();
    assert!((tested - test).abs() < 1e-6, "{tested} is not {test}");
    let best: Json = serde_json::from_str(&place.read("runs/first/best.json")).unwrap();
    let score = first["metrics"]["study/best_score"].as_f64().unwrap();
    assert!((score - best["score"].as_f64().unwrap()).abs() < 1e-6);

    // TEXT: as text, whatever the decisions are.
    let run = &found["runs"]["first"];
    let shown = run["texts"]["best/network"][0]["text"].as_str().unwrap();
    assert!(shown.contains("conv2d 2, kernel"), "{shown}");
    for markup in ["<script", "<b onload", "<em", "<strong", "<table", "<h1"] {
        assert!(!shown.contains(markup), "{markup} in {shown}");
    }

    // GRAPHS: a node for each of the network's.
    let nodes = run["nodes"].as_array().unwrap();
    let network = best["evaluation"]["network"]["nodes"].as_array().unwrap();
    assert_eq!(nodes.len(), network.len());
    assert_eq!(nodes[0]["op"], "input");
    assert_eq!(nodes[0]["shapes"], serde_json::json!([[1, 8, 8]]));
    for (at, node) in nodes.iter().enumerate().skip(1) {
        assert!(
            !node["input"].as_array().unwrap().is_empty(),
            "node {at} reads nothing"
        );
    }

    // IMAGES: the confusion matrix.
    let [picture] = &run["pictures"].as_array().unwrap()[..] else {
        panic!("one picture: {}", run["pictures"])
    };
    assert_eq!(
        (&picture["tag"], &picture["format"]),
        (&"test/confusion".into(), &"PNG".into())
    );
    assert_eq!(picture["size"], picture["told"]);
    assert!(picture["size"][0].as_u64() >= Some(500), "{picture}");
    assert!(
        picture["colours"].as_u64() > Some(20),
        "shades of cells and text: {picture}"
    );
}
