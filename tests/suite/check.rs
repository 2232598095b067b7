//! `nas-script check`: seeded mistakes are found where they are, and what is right is not complained about.

use std::collections::BTreeSet;
use std::fs;

use nas_script::script::{Kind, Reference};

use crate::diagnostics::{marked, scripts};
use crate::harness::Place;

const SEEDED: &str = "tests/suite/check";

/// A finding: line, column, the column after it, and what it is.
type Finding = (u64, u64, u64, String);

/// The findings of a script, from the lines of JSON.
fn findings(json: &str) -> BTreeSet<Finding> {
    let finding = |line: &str| {
        let found: serde_json::Value = serde_json::from_str(line).unwrap();
        let number = |value: &serde_json::Value| value.as_u64().unwrap();
        assert!(!found["message"].as_str().unwrap().is_empty(), "{line}");
        let code = found["code"].as_str().unwrap();
        let (line, column) = (number(&found["line"]), number(&found["column"]));
        (
            line,
            column,
            number(&found["end"]["column"]),
            code.to_string(),
        )
    };
    json.lines().map(finding).collect()
}

#[test]
fn every_seeded_mistake_is_found_at_its_place_and_nothing_else() {
    let mut seeded = 0;
    for path in scripts(SEEDED) {
        let text = fs::read_to_string(&path).unwrap();
        let place = Place::new();
        place.write("script.rhai", &text);
        let ran = place.run(&["check", "--format", "json", "script.rhai"]);
        assert_eq!(
            (ran.code, ran.stderr.as_str()),
            (Some(1), ""),
            "{}",
            path.display()
        );
        let expected: BTreeSet<Finding> = marked("script.rhai", &text)
            .into_iter()
            .map(|mark| {
                let [line, column, end] = [mark.line, mark.column, mark.end].map(|n| n as u64);
                (line, column, end, mark.note)
            })
            .collect();
        let found = findings(&ran.stdout);
        let missed: Vec<_> = expected.difference(&found).collect();
        let more: Vec<_> = found.difference(&expected).collect();
        let name = path.display();
        assert!(
            missed.is_empty() && more.is_empty(),
            "{name}: missed {missed:?}, found besides {more:?}\n{}",
            ran.stdout
        );
        seeded += expected.len();
    }
    assert!(seeded >= 30, "only {seeded} mistakes");
}

#[test]
fn scripts_and_recipes_are_clean() {
    let mut arguments = vec!["check".to_string(), "--deny".into(), "warnings".into()];
    for folder in ["scripts", "stdlib/nas"] {
        arguments.extend(
            scripts(folder)
                .iter()
                .map(|path| path.display().to_string()),
        );
    }
    assert!(arguments.len() > 30, "{arguments:?}");
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let ran = Place::new().run(&arguments);
    assert_eq!((ran.stderr.as_str(), ran.stdout.as_str()), ("", ""));
    assert_eq!(ran.code, Some(0));
}

#[test]
fn the_examples_of_the_documentation_are_clean() {
    let reference = Reference::get();
    let place = Place::new();
    let mut names = vec!["check".to_string(), "--format".into(), "json".into()];
    for entry in reference
        .all()
        .filter(|e| !e.builtin && e.kind != Kind::Operator)
    {
        for (number, example) in entry.examples().iter().enumerate() {
            let name = format!(
                "{}-{number}.rhai",
                entry.qualified().replace(['/', ':', '['], "_")
            );
            place.write(&name, example);
            names.push(name);
        }
    }
    assert!(names.len() > 150, "only {} examples", names.len());
    let arguments: Vec<&str> = names.iter().map(String::as_str).collect();
    let ran = place.run(&arguments);
    // An example shows what a call gives by a name that it need not use.
    let shown = |line: &&str| !line.contains("\"code\":\"unused\"");
    let found: Vec<&str> = ran.stdout.lines().filter(shown).collect();
    assert!(found.is_empty(), "{}", found.join("\n"));
    assert!(matches!(ran.code, Some(0)), "{}", ran.stderr);
}

#[test]
fn warnings_pass_unless_they_are_denied() {
    let place = Place::new();
    place.write("a.rhai", "let unused = 3;\n");
    let ran = place.run(&["check", "a.rhai"]);
    assert_eq!(ran.code, Some(0));
    assert!(
        ran.stderr
            .starts_with("warning: variable 'unused' is never used"),
        "{}",
        ran.stderr
    );
    assert!(
        ran.stderr.ends_with("0 errors, 1 warning"),
        "{}",
        ran.stderr
    );
    assert_eq!(
        place.run(&["check", "--deny", "warnings", "a.rhai"]).code,
        Some(1)
    );
    place.write("b.rhai", "print(1);\n");
    let ran = place.run(&["check", "--deny", "warnings", "b.rhai"]);
    assert_eq!(
        (ran.code, ran.stdout.as_str(), ran.stderr.as_str()),
        (Some(0), "", "")
    );
}

#[test]
fn nothing_is_run() {
    let place = Place::new();
    place.write("a.rhai", "print(\"never\");\nloop { }\n");
    let ran = place.run(&["check", "a.rhai"]);
    assert_eq!(
        (ran.code, ran.stdout.as_str(), ran.stderr.as_str()),
        (Some(0), "", "")
    );
    assert!(!place.path("runs").exists());
}

#[test]
fn a_text_that_is_no_script_is_one_finding() {
    let place = Place::new();
    place.write("lib/broken.rhai", "fn run() {\n    let x = ;\n}\n");
    place.write(
        "a.rhai",
        "import \"lib/broken\" as broken;\nbroken::run();\n",
    );
    let ran = place.run(&["check", "--format", "json", "a.rhai", "lib/broken.rhai"]);
    assert_eq!(ran.code, Some(1));
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!(lines.len(), 2, "{}", ran.stdout);
    for line in lines {
        let found: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(found["file"], "lib/broken.rhai");
        assert_eq!(
            (&found["line"], &found["column"]),
            (&2.into(), &13.into()),
            "{line}"
        );
        assert_eq!(
            (&found["code"], &found["severity"]),
            (&"syntax".into(), &"error".into())
        );
    }
}

#[test]
fn standard_input_is_checked_too() {
    let ran = Place::new().run_text_with(&["check", "-"], "print(missing);\n");
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.contains("<stdin>:1:7"), "{}", ran.stderr);
    let lost = Place::new().run(&["check", "lost.rhai"]);
    assert_eq!(lost.code, Some(2));
    assert!(
        lost.stderr
            .starts_with("error: cannot read script lost.rhai"),
        "{}",
        lost.stderr
    );
}
