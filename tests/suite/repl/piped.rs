//! Standard input that is no terminal is a script.

use crate::harness::Place;

#[test]
fn it_runs_as_a_script_with_plain_output() {
    let ran = Place::new().run_text("fn f(x) {\n  x + 1\n}\nprint(f(1));\n0.5\n");
    assert_eq!(ran.succeeded(), "2");
    assert_eq!(ran.stderr, "");
}

#[test]
fn an_error_ends_with_1_and_without_colour() {
    let ran = Place::new().run_text("print(1);\nprint(lost);");
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(1), "1"));
    assert!(
        ran.stderr.contains("unknown variable 'lost'"),
        "{}",
        ran.stderr
    );
    assert!(ran.stderr.contains("<stdin>:2:7"), "{}", ran.stderr);
    assert!(!ran.stderr.contains('\x1b') && !ran.stdout.contains("nas>"));
}

#[test]
fn commands_are_no_part_of_a_script() {
    let ran = Place::new().run_text(":help");
    assert_eq!(ran.code, Some(1), "{ran:?}");
}
