//! What a table answers, and how a broken one is refused.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use serde_json::json;

use super::*;
use crate::space::{StateSpace, Value};

fn options(json: serde_json::Value) -> TableOptions {
    serde_json::from_value(json).unwrap()
}

fn macro_path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data/nas-bench-macro.csv")
}

fn nas_bench_macro() -> BenchmarkTable {
    let options = options(json!({
        "reward": ["acc1", "acc2", "acc3"], "scale": 100, "params": "params", "macs": "flops",
    }));
    BenchmarkTable::open(&macro_path(), "nas-bench-macro", &options).unwrap()
}

/// Opens a table of this text.
fn open(text: &str, options: &TableOptions) -> Result<BenchmarkTable> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("t.csv");
    fs::write(&path, text).unwrap();
    BenchmarkTable::open(&path, "t", options)
}

/// Why a table of this text is refused, from the file's name on.
fn refusal(text: &str, options: &TableOptions) -> String {
    let message = open(text, options).unwrap_err().to_string();
    message.split("/t.csv: ").last().unwrap().to_string()
}

#[test]
fn a_row_answers_with_a_drawn_reward_and_the_mean_score() {
    let table = nas_bench_macro();
    assert_eq!(table.len(), 6561);
    let ask = |seed| table.answer("00000002", Seed(seed)).unwrap();
    let answer = ask(0);
    assert_eq!(answer.outcome.params, 1_219_370);
    assert_eq!(answer.outcome.macs, 20_910_592);
    assert_eq!(answer.outcome.seconds, 0.0);
    assert!((answer.score - (0.6540 + 0.6605 + 0.6613) / 3.0).abs() < 1e-12);
    assert_eq!(ask(0), answer, "the same question, the same answer");

    let drawn = |seed| ask(seed).outcome.accuracy.unwrap();
    let drawn: BTreeSet<String> = (0..30).map(|s| format!("{:.4}", drawn(s))).collect();
    assert_eq!(
        drawn,
        ["0.6540", "0.6605", "0.6613"].map(String::from).into()
    );
}

#[test]
fn actions_are_their_values_one_after_another() {
    let mut space = StateSpace::new();
    let values = (0..3).map(Value::Int).collect();
    space.add_state("op", values).unwrap();
    let space = Arc::new(space);
    let values: Vec<Value> = [0, 0, 0, 0, 0, 0, 0, 2].map(Value::Int).into();
    let actions = Actions::from_values(&space, &values).unwrap();
    assert_eq!(BenchmarkTable::key_of(&actions), "00000002");
}

#[test]
fn digests_tell_apart_what_is_asked_and_nothing_else() {
    let text = "arch,a,b\n07,1,2\n08,3,4\n";
    let by_a = options(json!({ "reward": "a" }));
    let table = open(text, &by_a).unwrap();
    let digest = |t: &BenchmarkTable, key, seed| t.answer(key, Seed(seed)).unwrap().digest;
    let first = digest(&table, "07", 1);
    assert_ne!(digest(&table, "08", 1), first);
    assert_ne!(digest(&table, "07", 2), first);
    let by_b = open(text, &options(json!({ "reward": "b" }))).unwrap();
    assert_ne!(digest(&by_b, "07", 1), first);
    let changed = open("arch,a,b\n07,1,2\n08,3,5\n", &by_a).unwrap();
    assert_ne!(digest(&changed, "07", 1), first);
    let named = json!({ "key": "arch", "reward": ["a"], "score": "a" });
    let named = open(text, &options(named)).unwrap();
    assert_eq!(digest(&named, "07", 1), first);
}

#[test]
fn columns_are_chosen_by_name() {
    let text = "time, top1, arch\n2.5, 90,\"[3, 64]\"\n";
    let given = json!({ "key": "arch", "reward": "top1", "score": "time", "seconds": "time" });
    let answer = open(text, &options(given)).unwrap();
    let answer = answer.answer("[3, 64]", Seed(0)).unwrap();
    assert_eq!(answer.outcome.accuracy, Some(90.0));
    assert_eq!((answer.score, answer.outcome.seconds), (2.5, 2.5));
    let fixed = json!({ "key": "arch", "reward": "top1", "seconds": 60 });
    let answer = open(text, &options(fixed)).unwrap();
    let answer = answer.answer("[3, 64]", Seed(0)).unwrap();
    assert_eq!((answer.score, answer.outcome.seconds), (90.0, 60.0));
}

#[test]
fn an_unknown_architecture_is_a_failure_that_names_the_nearest() {
    let failure = nas_bench_macro().answer("00300002", Seed(0)).unwrap_err();
    assert_eq!(
        failure.to_string(),
        "invalid: table 'nas-bench-macro' has no architecture '00300002' among its 6561; \
         nearest: '00000002'"
    );
}

#[test]
fn broken_tables_are_refused() {
    let by_acc = options(json!({ "reward": "acc" }));
    let refused = |text| refusal(text, &by_acc);
    assert_eq!(
        refused("arch,acc1\n0,1\n"),
        "unknown column 'acc'; did you mean 'acc1'?"
    );
    assert_eq!(
        refused("arch,acc\n0,1\n1,high\n"),
        "expected a number in column 'acc' of line 3, found 'high'"
    );
    assert_eq!(
        refused("arch,acc\n0,NaN\n"),
        "expected a number in column 'acc' of line 2, found 'NaN'"
    );
    assert!(refused("arch,acc\n0,1\n1,2\n0,1\n").contains("architecture '0 (line 4 of"));
    assert_eq!(
        refused("arch,acc\n"),
        "expected rows below the header, found none"
    );
    assert!(refused("arch,acc\n0\n").starts_with("expected comma-separated values, found CSV"));
    let costs = options(json!({ "reward": "acc", "macs": "n" }));
    assert_eq!(
        refusal("arch,acc,n\n0,1,-5\n", &costs),
        "expected a number of 0 or more in column 'n' of line 2, found '-5'"
    );
}

#[test]
fn options_outside_their_range_are_refused() {
    let refused = |given| refusal("arch,acc\n0,1\n", &options(given));
    assert_eq!(
        refused(json!({})),
        "option 'reward': expected the name of a column or a list of such, found none"
    );
    assert_eq!(
        refused(json!({ "reward": "acc", "scale": 0 })),
        "option 'scale': expected a number above 0, found 0"
    );
    assert!(refused(json!({ "reward": "acc", "seconds": -1 })).starts_with("option 'seconds'"));
    assert!(refused(json!({ "reward": "acc", "score": [] })).starts_with("option 'score'"));
    let names = serde_json::to_value(TableOptions::default()).unwrap();
    let names: BTreeSet<&str> = names
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    assert_eq!(names, TableOptions::OPTIONS.iter().copied().collect());
}
