//! `nas-script trials`: pandas reads all its forms, with the right types and equal values.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use super::{RATE, STUDY, long, read, searched, text};
use crate::harness::Place;

fn write(place: &Place, folder: &str, studies: &[&str]) {
    std::fs::create_dir_all(place.path(folder)).unwrap();
    for ending in ["csv", "parquet", "jsonl"] {
        let out = format!("{folder}/trials.{ending}");
        let args = [&["trials"], studies, &["--out", &out]].concat();
        assert_eq!(place.run(&args).succeeded(), out);
    }
}

#[test]
fn pandas_reads_every_form_of_the_trials_with_types_and_equal_values() {
    let place = &searched().place;
    write(place, "tables", &[STUDY, "second"]);
    let found = read("tables.py", &[text(&place.path("tables"))]);
    assert_eq!(found["same_columns"], true);
    for differs in ["csv_differs", "lines_differ", "more_columns"] {
        assert_eq!(found[differs], Json::Array(Vec::new()), "{differs}");
    }
    let kinds = |form: &str| -> BTreeMap<String, String> {
        serde_json::from_value(found[form].clone()).unwrap()
    };
    let rate = format!("layer_1/{RATE}");
    let expected = [
        ("number", "int64"),
        ("elapsed", "float64"),
        ("reward", "float64"),
        ("score", "float64"),
        ("accuracy", "float64"),
        ("epochs", "int64"),
        ("params", "int64"),
        ("cached", "bool"),
        ("skipped", "bool"),
        // Of the network that was submitted nothing was decided.
        ("layer_1/kernel", "float64"),
        (&rate, "float64"),
    ];
    for form in ["parquet", "csv"] {
        let kinds = kinds(form);
        for (column, kind) in expected {
            assert_eq!(kinds[column], kind, "{column} in {form}");
        }
        for column in [
            "study",
            "failure_message",
            "architecture",
            "decision/number",
            "layer_2/skip",
        ] {
            assert!(
                ["str", "object:str"].contains(&kinds[column].as_str()),
                "{column}: {}",
                kinds[column]
            );
        }
        assert_eq!(kinds["decision/layer_1/kernel"], "object:bool");
    }
}

#[test]
fn a_table_has_what_the_journal_has_whatever_it_is_called() {
    let place = &searched().place;
    write(place, "journal", &[STUDY]);
    let found = read("tables.py", &[text(&place.path("journal"))]);
    let rows = found["rows"].as_array().unwrap();
    let journal = place.read("runs/first/trials.jsonl");
    let trials: Vec<Json> = journal
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!((rows.len(), trials.len()), (8, 8));
    for (row, trial) in rows.iter().zip(&trials) {
        assert_eq!(row["study"], STUDY);
        assert_eq!(row["number"], trial["number"]);
        assert_eq!(row["cached"], trial["cached"]);
        assert_eq!(row["score"].as_f64(), trial["score"].as_f64());
        assert_eq!(
            row["accuracy"].as_f64(),
            trial["outcome"]["accuracy"].as_f64()
        );
        assert_eq!(row["digest"], trial["digest"]);
        let decided = trial["actions"]["decided"].as_array();
        for decided in decided.into_iter().flatten() {
            let (state, layer) = (
                decided["state"].as_str().unwrap(),
                decided["layer"].as_u64(),
            );
            let column = match (layer, state) {
                (Some(layer), state) => format!("layer_{layer}/{state}"),
                (None, state) => format!("decision/{state}"),
            };
            match &decided["value"] {
                Json::Number(number) => {
                    assert_eq!(row[&column].as_f64(), number.as_f64(), "{column}");
                }
                Json::Array(layers) => {
                    let text = row[&column].as_str().unwrap();
                    let read: Vec<Json> = serde_json::from_str(text).unwrap();
                    assert_eq!(read, *layers);
                }
                value => assert_eq!(row[&column], *value, "{column}"),
            }
        }
    }
    let last = |back: usize| &rows[rows.len() - back];
    assert_eq!(
        (&rows[0]["cached"], &last(3)["cached"]),
        (&false.into(), &true.into())
    );
    assert_eq!(last(3)["decision/number"].as_str(), Some(long().as_str()));
    assert_eq!(last(2)["failure"], "invalid");
    assert!(last(2)["failure_message"].as_str().unwrap().contains("99"));
    assert_eq!(last(1)["tag"], "<u>tag</u>");
    assert_eq!(last(1)["layer_1/kernel"], Json::Null);
}

#[test]
fn a_table_goes_to_standard_output_and_replaces_nothing_unasked() {
    let place = &searched().place;
    let ran = place.run(&["trials", "second"]);
    assert!(
        ran.succeeded()
            .starts_with("study,seed,number,elapsed,reward,score,")
    );
    place.write("there.csv", "mine");
    let refused = place.run(&["trials", "second", "--out", "there.csv"]);
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains("--force"), "{}", refused.stderr);
    assert_eq!(place.read("there.csv"), "mine");
    place
        .run(&["trials", "second", "--out", "there.csv", "--force"])
        .succeeded();
    assert!(place.read("there.csv").starts_with("study,"));
    let refused = place.run(&["trials", "second", "--out", "there.xlsx"]);
    assert_eq!(refused.code, Some(2));
    assert!(
        refused.stderr.contains(".csv, .parquet or .jsonl"),
        "{}",
        refused.stderr
    );
    let left = std::fs::read_dir(place.path(".")).unwrap();
    let left = left.filter(|file| {
        file.as_ref()
            .unwrap()
            .file_name()
            .to_string_lossy()
            .contains(".part")
    });
    assert_eq!(left.count(), 0, "no unfinished file stays");
}
