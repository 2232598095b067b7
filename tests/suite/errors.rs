//! Wrong inputs, each with its whole message: the cases of `errors.txt`.
//!
//! A case is a name, the command line, files, and what comes back:
//!
//! ```text
//! === a name for people
//! $ -q search.rhai
//! @ search.rhai
//! …the script, up to the line of dashes
//! ---
//! exit 1
//! …standard error, and after a line `--- stdout` standard output, where that is the point
//! ```
//!
//! Without `$` the command line is `-q search.rhai`, without `@` the text is `search.rhai`. `% name`
//! asks for a fixture of [`fixture`]. `UPDATE_ERRORS=1 cargo test --test suite errors` writes what
//! the program says now into the file; read the difference before it is committed.

use std::fmt::Write;
use std::fs;

use crate::harness::{Place, Ran, repository, shared_data};

const CASES: &str = "tests/suite/errors.txt";
const OUTPUT: &str = "--- stdout";

/// A record of CIFAR-10: a label and 3 × 32 × 32 pixels.
const RECORD: usize = 3073;

struct Case<'a> {
    name: &'a str,
    /// The lines between the name and the dashes.
    input: Vec<&'a str>,
    /// All that follows the dashes.
    expected: String,
}

fn cases(text: &str) -> Vec<Case<'_>> {
    let blocks = text.split("=== ").skip(1);
    let case = |block| {
        let (name, rest) = str::split_once(block, '\n').unwrap();
        let (input, expected) = rest.split_once("---\n").unwrap_or((rest, ""));
        Case {
            name,
            input: input.lines().collect(),
            expected: expected.trim_end().into(),
        }
    };
    blocks.map(case).collect()
}

/// Files that are not text: the parts of CIFAR-10, as they are or damaged.
fn fixture(place: &Place, name: &str) {
    let read =
        |file: &str| fs::read(shared_data().join("cifar-10-batches-bin").join(file)).unwrap();
    let mut batch = read("data_batch_1.bin");
    match name {
        "cut-cifar" => batch.truncate(17 * RECORD + 1000),
        "mislabelled-cifar" => {
            batch.truncate(20 * RECORD);
            batch[5 * RECORD] = 11;
        }
        other => panic!("no fixture {other}"),
    }
    let folder = "data/cifar-10-batches-bin";
    place.write(&format!("{folder}/data_batch_1.bin"), batch);
    for file in ["test_batch.bin", "batches.meta.txt"] {
        place.write(&format!("{folder}/{file}"), read(file));
    }
}

impl Case<'_> {
    fn run(&self) -> Ran {
        let place = Place::new();
        let mut args = vec!["-q", "search.rhai"];
        let mut files = vec![("search.rhai", String::new())];
        for line in &self.input {
            if let Some(line) = line.strip_prefix("$ ") {
                args = line.split_whitespace().collect();
            } else if let Some(name) = line.strip_prefix("% ") {
                fixture(&place, name);
            } else if let Some(name) = line.strip_prefix("@ ") {
                files.push((name, String::new()));
            } else {
                let (_, text) = files.last_mut().unwrap();
                text.push_str(line);
                text.push('\n');
            }
        }
        for (name, text) in files.iter().filter(|(_, text)| !text.is_empty()) {
            place.write(name, text);
        }
        place.run(&args)
    }

    /// What came back, in the form of the file.
    fn report(&self, ran: &Ran) -> String {
        let mut report = format!("exit {}\n{}", ran.code.unwrap_or(-1), ran.stderr);
        report.truncate(report.trim_end().len());
        if self.expected.contains(OUTPUT) {
            write!(report, "\n{OUTPUT}\n{}", ran.stdout).unwrap();
        }
        report.trim_end().into()
    }
}

#[test]
fn every_wrong_input_has_its_message() {
    let path = repository(CASES);
    let text = fs::read_to_string(&path).unwrap();
    let cases = cases(&text);
    assert!(cases.len() >= 20, "only {} cases", cases.len());
    let reports: Vec<String> = cases.iter().map(|case| case.report(&case.run())).collect();

    if std::env::var_os("UPDATE_ERRORS").is_some() {
        let block = |(case, report): (&Case, &String)| {
            format!(
                "=== {}\n{}\n---\n{report}\n",
                case.name,
                case.input.join("\n")
            )
        };
        let blocks: Vec<_> = cases.iter().zip(&reports).map(block).collect();
        fs::write(path, blocks.join("\n")).unwrap();
        return;
    }
    let mut wrong = String::new();
    for (case, report) in cases
        .iter()
        .zip(&reports)
        .filter(|(case, r)| case.expected != **r)
    {
        write!(
            wrong,
            "=== {}\n{report}\n--- expected\n{}\n\n",
            case.name, case.expected
        )
        .unwrap();
    }
    assert!(wrong.is_empty(), "messages differ:\n{wrong}");
}

#[test]
fn no_message_is_a_panic_or_a_stack_trace() {
    let text = fs::read_to_string(repository(CASES)).unwrap();
    for case in cases(&text) {
        for sign in ["panicked", "RUST_BACKTRACE", "thread 'main'", "src/"] {
            assert!(
                !case.expected.contains(sign),
                "{}: {}",
                case.name,
                case.expected
            );
        }
    }
}

#[test]
fn a_refused_script_leaves_no_run_behind() {
    for script in ["let x = ;", "let n = param(\"epochs\", 1, \"\");"] {
        let place = Place::new();
        place.write("search.rhai", script);
        assert_ne!(place.run(&["-p", "epoch=1", "search.rhai"]).code, Some(0));
        assert!(!place.path("runs").exists(), "{script}");
    }
}

#[test]
fn a_gpu_that_is_not_there_is_one_line_with_the_devices_that_are() {
    let place = Place::new();
    place.write("search.rhai", "print(\"never\");");
    for device in ["cuda", "cuda:7", "wgpu:99"] {
        let ran = place.run(&["--device", device, "search.rhai"]);
        let asked = if device == "cuda" { "cuda:0" } else { device };
        let opening = format!("error: device '{asked}' is not available: ");
        assert!(ran.stderr.starts_with(&opening), "{}", ran.stderr);
        assert!(
            ran.stderr.ends_with("cpu"),
            "the list ends with the CPU: {}",
            ran.stderr
        );
        assert_eq!(ran.stderr.lines().count(), 1, "{}", ran.stderr);
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""));
    }
}

#[test]
fn a_script_error_points_at_its_place_in_the_source_line() {
    let place = Place::new();
    place.write(
        "search.rhai",
        "let space = StateSpace();\nspace.add_sate(\"kernel\");\n",
    );
    let ran = place.run(&["-q", "search.rhai"]);
    let lines: Vec<_> = ran.stderr.lines().collect();
    let source = lines
        .iter()
        .position(|line| line.contains("space.add_sate"))
        .unwrap();
    let column = |line: &str, found: &str| line.find(found).map(|at| line[..at].chars().count());
    let pointed = lines[source + 1];
    let carets = pointed.chars().filter(|c| "─┬^".contains(*c)).count();
    assert_eq!(
        carets,
        "add_sate".len(),
        "no caret below the source line:\n{}",
        ran.stderr
    );
    let first = pointed.chars().position(|c| "─┬^".contains(c));
    assert_eq!(first, column(lines[source], "add_sate"), "{}", ran.stderr);
}

#[test]
fn an_import_that_fails_says_why() {
    for (path, reason) in [
        ("nas/reinforced", "did you mean 'nas/reinforce'?"),
        ("nas/something_else", "known: nas/anchors, nas/asha"),
        ("../secrets", "imports stay inside the script's folder"),
        ("recipes/mine", "No such file or directory"),
    ] {
        let ran = Place::new().run_text(&format!("import \"{path}\" as mine;"));
        assert_eq!(ran.code, Some(1));
        assert!(
            ran.stderr.contains(path) && ran.stderr.contains(reason),
            "{}",
            ran.stderr
        );
    }
}

#[test]
fn numbers_beyond_all_reason_never_panic() {
    for script in [
        r#"
        let data = dataset("digits", #{ train: 100, validation: 50 });
        let manager = NetworkManager(data, #{ epochs: 1, timeout: 1e300 });
        manager.evaluate(input([1, 8, 8]).flatten().dense(10));
        "#,
        r#"
        for trial in trials(9223372036854775807) {
            for i in 0..10_000_000 { }
            if trial == 2 { break; }
        }
        "#,
        "StateSpace()[0];",
        "input([1, 8, 8]).conv2d(9223372036854775807, 3);",
        "synthetic(#{ samples: 9223372036854775807 });",
        "fn deeper(n) { deeper(n + 1) } deeper(0);",
        "study.top(9223372036854775807);",
    ] {
        let ran = Place::new().run_text(script);
        let ended = matches!(ran.code, Some(0 | 1)) && !ran.stderr.contains("panicked");
        assert!(ended, "{script}\n{:?}: {}", ran.code, ran.stderr);
    }
}
