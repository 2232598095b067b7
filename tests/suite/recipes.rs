//! Recipes in files of their own: whose functions run, where errors point, what imports may do.

use crate::harness::Place;

/// A space, a tiny data set, a manager and actions, as most cases need.
const SETTING: &str = r#"
let space = StateSpace();
space.add_state("filters", [4, 8]);
let manager = NetworkManager(dataset("digits", #{ train: 64, validation: 32 }), #{ epochs: 1 });
let actions = space.actions([4]);
"#;

const RECIPE: &str = r#"
fn helper() { print("the recipe's helper"); }
fn common(actions) { print("the recipe's"); input([1, 8, 8]).flatten().dense(10) }
fn by_name(manager, actions) { manager.get_rewards(common, actions) }
fn given(manager, model, actions) { manager.get_rewards(model, actions) }
"#;

fn place(script: &str) -> Place {
    let place = Place::new();
    place.write("lib/recipe.rhai", RECIPE);
    let import = r#"import "lib/recipe" as recipe;"#;
    place.write("search.rhai", format!("{import}{SETTING}{script}"));
    place
}

#[test]
fn a_model_runs_with_the_functions_of_its_own_file() {
    let place = place(
        r#"
fn helper() { print("the script's helper"); }
fn model(actions) { helper(); input([1, 8, 8]).flatten().dense(10) }
recipe::given(manager, model, actions);
"#,
    );
    let ran = place.run(&["search.rhai", "-q"]);
    let first = ran.succeeded().lines().next();
    assert_eq!(first, Some("the script's helper"));
}

#[test]
fn a_name_that_two_files_define_is_refused_and_a_closure_is_not() {
    let place = place(
        r#"
fn common(actions) { print("the script's"); input([1, 8, 8]).flatten().dense(10) }
try { recipe::by_name(manager, actions); } catch (e) { print(e.message); }
recipe::given(manager, |a| common(a), actions);
"#,
    );
    let ran = place.run(&["search.rhai", "-q"]);
    let lines: Vec<_> = ran.succeeded().lines().take(2).collect();
    let refused = "function: expected a name that only one file defines, found 'common'; \
                   pass another name or a closure";
    assert_eq!(lines, [refused, "the script's"]);
}

#[test]
fn an_error_in_a_model_points_at_the_file_that_holds_it() {
    let place = place(
        r#"
fn model(actions) {
    input([1, 8, 8]).conv3d(2, 2)
}
recipe::given(manager, model, actions);
"#,
    );
    let ran = place.run(&["search.rhai", "-q"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.contains("search.rhai:8:22"), "{}", ran.stderr);
    assert!(ran.stderr.contains(".conv3d(2, 2)"), "{}", ran.stderr);
}

#[test]
fn modules_that_import_each_other_are_refused() {
    let place = Place::new();
    place.write("a.rhai", r#"import "b" as b;"#);
    place.write("b.rhai", r#"import "a" as a;"#);
    let ran = place.run(&["a.rhai", "-q"]);
    assert_eq!(ran.code, Some(1));
    let expected = "import: expected a module, found 'b': it imports itself";
    assert!(ran.stderr.contains(expected), "{}", ran.stderr);
}

#[test]
fn a_reader_that_goes_away_ends_no_search() {
    let place = Place::new();
    place.write("search.rhai", "for trial in trials(100) { print(trial); }");
    let mut command = place.command(&["search.rhai", "-q"]);
    let mut child = command.spawn().unwrap();
    drop(child.stdout.take());
    let ran = place.ran(&child.wait_with_output().unwrap());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(ran.stderr, "");
}

#[test]
fn parameters_are_found_wherever_they_are_asked_for() {
    let place = Place::new();
    let script = r#"
fn inner() { param("last", 1, "the last expression of a function") }
param("statement", 2, "a statement");
let chosen = if true { param("branch", 3, "in a branch") } else { 0 };
print(inner() + chosen);
"#;
    place.write("search.rhai", script);
    let listed = place.run(&["params", "search.rhai"]);
    for name in ["last", "statement", "branch"] {
        listed.line(name);
    }
    let ran = place.run(&["search.rhai", "-q", "-p", "last=10", "-p", "branch=30"]);
    assert_eq!(ran.succeeded().lines().next(), Some("40"));
}

#[test]
fn a_number_that_is_none_is_no_option() {
    let place = Place::new();
    let script = r#"
let data = dataset("digits", #{ train: 64 });
for option in ["timeout", "failure_reward", "learning_rate"] {
    let options = #{};
    options[option] = 0.0 / 0.0;
    try { NetworkManager(data, options); } catch (e) { print(e.message); }
}
"#;
    let ran = place.run_text(script);
    let lines: Vec<_> = ran.succeeded().lines().collect();
    let refused = |name: &str| format!("option '{name}': expected a finite value, found NaN");
    let expected = ["timeout", "failure_reward", "learning_rate"].map(refused);
    assert_eq!(lines, expected);
}

#[test]
fn a_module_calls_its_own_functions_whatever_others_are_called() {
    let place = Place::new();
    let module = |own: &str| format!("fn run() {{ pick() + pick() }}\nfn pick() {{ {own:?} }}\n");
    place.write("a.rhai", module("a"));
    place.write("b.rhai", module("b"));
    place.write(
        "search.rhai",
        "import \"a\" as a;\nimport \"b\" as b;\nfn pick() { \"main\" }\n\
         for i in 0..3 { print(pick() + a::run() + pick() + b::run() + pick()); }\n",
    );
    let ran = place.run(&["search.rhai", "-q"]);
    let printed = ran.succeeded().lines().take(3);
    assert!(
        printed.clone().all(|line| line == "mainaamainbbmain"),
        "{ran:?}"
    );
    assert_eq!(printed.count(), 3);
}

#[test]
fn an_error_in_a_function_of_one_line_points_at_its_own_place() {
    let place = Place::new();
    place.write("a.rhai", "fn f(x) { let y = x; fail(y) }\n");
    place.write("search.rhai", "import \"a\" as a;\na::f(1);\n");
    let ran = place.run(&["search.rhai"]);
    assert_eq!(ran.code, Some(1));
    assert!(ran.stderr.contains("a.rhai:1:22"), "{}", ran.stderr);
    assert!(!ran.stderr.contains('#'), "{}", ran.stderr);
}
