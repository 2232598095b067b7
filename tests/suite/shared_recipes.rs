//! Recipes as files that people share: written, tested, packed, verified, added from files, servers and repositories.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use expectrl::process::unix::WaitStatus;
use expectrl::session::OsSession;
use expectrl::{Eof, Expect, Regex};
use serde_json::Value as Json;
use sha2::{Digest, Sha256};

use crate::harness::{Place, Ran, repository, seen, serve};

/// A recipe that imports a file beside it.
const RECIPE: &str = r#"//! An even part of a space.
//!
//! Author: Jane Doe
//! Licence: MIT
//! Parameters: `layers`, `trials`
//! Needs: a space, a manager, a model

import "lib/draw" as draw;
import "nas/random" as random;

/// Draws and trains.
fn search(space, manager, model, options) {
    param("epochs", 3, "epochs a network");
    draw::all(space, options);
    random::search(space, manager, model, options)
}

fn data() { dataset("cifar10") }
"#;

/// What it imports.
const DRAW: &str = r#"import "lib/deep" as deep;
fn all(space, options) { deep::number() }
fn keep(net) { net.export("best.onnx") }
"#;
const DEEP: &str = "fn number() { 42 }\n";

/// A header, for recipes whose body is the point.
const HEADER: &str = "//! A recipe.\n//! Author: Jane Doe\n//! Licence: MIT\n//! Parameters: none\n//! Needs: nothing\n\n";

fn place() -> Place {
    let place = Place::new();
    place.write("mine/even.rhai", RECIPE);
    place.write("mine/lib/draw.rhai", DRAW);
    place.write("mine/lib/deep.rhai", DEEP);
    place
}

fn sha256(text: impl AsRef<[u8]>) -> String {
    let digest = Sha256::digest(text.as_ref());
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The user's folder of recipes.
fn shelf(place: &Place) -> std::path::PathBuf {
    place.path("shelf")
}

/// Runs a subcommand of `recipe` with a folder of recipes in the working folder.
fn recipe(place: &Place, args: &[&str]) -> Ran {
    let mut command = place.command(&["recipe"]);
    command.args(args).env("NAS_SCRIPT_RECIPES", shelf(place));
    place.ran(&command.output().unwrap())
}

/// Runs a script that finds recipes there.
fn script(place: &Place, text: &str) -> Ran {
    place.write("script.rhai", text);
    let mut command = place.command(&["-q", "script.rhai", "--store", "none"]);
    command.env("NAS_SCRIPT_RECIPES", shelf(place));
    place.ran(&command.output().unwrap())
}

#[track_caller]
fn refused(ran: &Ran, code: i32, reason: &str) {
    assert_eq!(ran.code, Some(code), "{}\n{}", ran.stdout, ran.stderr);
    assert!(
        ran.stderr.contains(reason),
        "no {reason:?} in:\n{}",
        ran.stderr
    );
    assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
}

/// Everything below `folder`, in order.
fn tree(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Vec::new();
    };
    let mut all = Vec::new();
    for entry in entries {
        let path = entry.unwrap().path();
        all.push(path.display().to_string());
        all.extend(tree(&path));
    }
    all.sort();
    all
}

fn ok(body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}")
}

/// Makes a repository of all files in the folder `name`.
fn repository_of(place: &Place, name: &str) -> String {
    let folder = place.path(name);
    let git = |args: &[&str]| {
        let mut command = Command::new("git");
        command.current_dir(&folder).env("HOME", &folder).args(args);
        let output = command.output().unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    };
    git(&["init", "--quiet", "--initial-branch=main"]);
    git(&["add", "--all"]);
    let who = ["-c", "user.name=Jane", "-c", "user.email=jane@example.org"];
    git(&[&who[..], &["commit", "--quiet", "-m", "Add a recipe"]].concat());
    format!("git+file://{}", folder.display())
}

// Writing and testing ----------------------------------------------------------------------------------------------

#[test]
fn a_new_recipe_works_as_it_stands() {
    let place = Place::new();
    let said = recipe(&place, &["new", "climb"]);
    assert!(
        said.succeeded()
            .starts_with("climb.rhai is a recipe that works")
    );
    let tested = place.run(&["test", "climb.rhai"]);
    assert!(
        tested.succeeded().ends_with("3 passed, 0 failed"),
        "{}",
        tested.stdout
    );
    let shown = recipe(&place, &["show", "climb.rhai"]);
    assert!(
        shown
            .succeeded()
            .starts_with("climb: a climb that asks a neighbour"),
        "{}",
        shown.stdout
    );
    assert_eq!(
        shown.line("  search(space, manager, model, options)"),
        "Searches `space`, and returns the study's summary."
    );
    // No test leaves anything.
    assert_eq!(
        tree(&place.path("")).len(),
        1,
        "{:?}",
        tree(&place.path(""))
    );

    refused(
        &recipe(&place, &["new", "climb"]),
        2,
        "climb.rhai: expected no file of this name, found one, which is not overwritten",
    );
    for name in ["nas/mine", "../up", "a b", ""] {
        let said = recipe(&place, &["new", name]);
        refused(&said, 2, "recipe: expected a name");
    }
}

#[test]
fn tests_are_told_one_by_one_with_the_place_where_they_fail() {
    let place = Place::new();
    place.write("lib/counter.rhai", "fn next(n) { n + 1 }\n");
    place.write(
        "mine.rhai",
        r#"import "lib/counter" as counter;
const FIVE = 5;
print("the search, which no test runs");
let never = dataset("cifar10");

fn test_constants_and_imports_are_there() { assert_eq(counter::next(global::FIVE), 6); }
fn test_that_fails() {
    assert_eq(counter::next(1), 3, "one and one");
}
private fn test_near() { assert_near(0.5, 0.5001, 0.01); }
fn test_first_state() { trials(1); assert_eq(study.trials.len(), 0); evaluate_one(); assert_eq(study.trials.len(), 1); }
fn test_fresh_state() { assert_eq(study.trials.len(), 0); }
fn test_not_with(parameters) { throw "no test"; }
fn evaluate_one() {
    NetworkManager(dataset("digits", #{ train: 50, validation: 50 }), #{ epochs: 1 })
        .evaluate(input([1, 8, 8]).flatten().dense(10));
}
"#,
    );
    let ran = place.run(&["test", "mine.rhai"]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    let lines: Vec<&str> = ran.stdout.lines().collect();
    assert_eq!(lines[0], "mine.rhai");
    let told = |line: &str| {
        let mut words = line.split_whitespace();
        (
            words.next().unwrap().to_string(),
            words.next().unwrap().to_string(),
        )
    };
    let told: Vec<(String, String)> = lines[1..6].iter().map(|line| told(line)).collect();
    let expected = [
        ("test_constants_and_imports_are_there", "ok"),
        ("test_that_fails", "FAILED"),
        ("test_near", "ok"),
        ("test_first_state", "ok"),
        ("test_fresh_state", "ok"),
    ];
    assert_eq!(
        told,
        expected.map(|(name, said)| (name.to_string(), said.to_string()))
    );
    assert!(lines[1].ends_with(" s"), "{}", lines[1]);
    assert_eq!(lines.last(), Some(&"4 passed, 1 failed"));
    refused(&ran, 1, "assert_eq: expected 3, found 2: one and one");
    refused(&ran, 1, "mine.rhai:8:5");
    refused(&ran, 1, "assert_eq(counter::next(1), 3, \"one and one\");");

    let some = place.run(&["test", "mine.rhai", "--filter", "state"]);
    assert!(
        some.succeeded().ends_with("2 passed, 0 failed"),
        "{}",
        some.stdout
    );
    let none = place.run(&["test", "mine.rhai", "--filter", "xyz"]);
    refused(
        &none,
        2,
        "test: expected a function `fn test_…()` whose name contains 'xyz', found none",
    );
    let none = place.run(&["test", "lib/counter.rhai"]);
    refused(
        &none,
        2,
        "test: expected a function `fn test_…()` without parameters, found none",
    );
    refused(
        &place.run(&["test", "nothing.rhai"]),
        2,
        "cannot read script nothing.rhai",
    );
    assert!(!place.path("runs").exists() && !place.path("nas-studies.db").exists());
}

#[test]
fn tests_are_bound_as_scripts_are() {
    let place = Place::new();
    let endless = "fn test_endless() { loop { } }\nfn test_out() { folder(\"../..\"); }\n";
    place.write("mine.rhai", endless);
    place.write("limits.toml", "operations = 100_000\n");
    let ran = place.run(&["test", "mine.rhai", "--limits", "limits.toml"]);
    assert!(ran.stdout.ends_with("0 passed, 2 failed"), "{}", ran.stdout);
    refused(&ran, 1, "limit 'operations'");
    refused(&ran, 1, "inside the script's folder");
}

#[test]
fn what_a_test_exports_goes_with_it() {
    let place = Place::new();
    let test =
        "fn test_export() { input([1, 8, 8]).flatten().dense(10).export(\"model.json\"); }\n";
    place.write("mine.rhai", test);
    place.run(&["test", "mine.rhai"]).succeeded();
    assert_eq!(
        tree(&place.path("")).len(),
        1,
        "{:?}",
        tree(&place.path(""))
    );
}

#[test]
fn the_recipes_of_the_program_pass_their_tests_and_have_headers() {
    let place = Place::new();
    let mut tested = 0;
    for file in tree(&repository("stdlib/nas")) {
        let shown = place.run(&["recipe", "show", &file]);
        assert_eq!(shown.line("  licence"), "MIT OR Apache-2.0", "{file}");
        assert!(
            shown.line("  author").starts_with("nas-script developers"),
            "{file}"
        );
        let ran = place.run(&["test", &file]);
        match ran.code {
            Some(0) => tested += 1,
            _ => refused(&ran, 2, "expected a function `fn test_…()`"),
        }
    }
    assert!(tested >= 3, "only {tested} recipes have tests");
}

#[test]
fn each_command_of_the_page_works() {
    let page = fs::read_to_string(repository("docs/recipes.md")).unwrap();
    let place = Place::new();
    let blocks = page
        .split("```")
        .filter_map(|block| block.strip_prefix("sh\n"));
    let mut ran = 0;
    for line in blocks.flat_map(str::lines) {
        let command = line.split('#').next().unwrap().trim();
        let words: Vec<&str> = command.split_whitespace().collect();
        assert_eq!(words[0], "nas-script", "{line}");
        place.run(&words[1..]).succeeded();
        ran += 1;
    }
    assert!(ran >= 10, "only {ran} commands");
    let example = page.split("```rhai\n").nth(1).unwrap();
    place.write("example.rhai", example.split("```").next().unwrap());
    recipe(&place, &["show", "example.rhai"]).succeeded();
}

// Showing ----------------------------------------------------------------------------------------------------------

#[test]
fn a_recipe_shows_what_it_is_and_asks_for() {
    let place = place();
    let shown = recipe(&place, &["show", "mine/even.rhai"]);
    let expected = format!(
        "An even part of a space.
  author      Jane Doe
  licence     MIT
  parameters  `layers`, `trials`
  needs       a space, a manager, a model
  from        mine/even.rhai
  sha256      {}
offers
  data()
  search(space, manager, model, options)  Draws and trains.
asks for
  imports     lib/draw, nas/random
  host calls  dataset, param
  data        cifar10
  files       nothing
  -p          epochs = 3",
        sha256(RECIPE)
    );
    assert_eq!(shown.succeeded(), expected);

    let library = recipe(&place, &["show", "nas/random"]);
    assert_eq!(library.line("  from"), "the standard library");
    refused(
        &recipe(&place, &["show", "nas/randm"]),
        2,
        "unknown recipe 'nas/randm'; did you mean 'nas/random'?",
    );
    refused(&recipe(&place, &["show", "evn"]), 2, "unknown recipe 'evn'");
}

#[test]
fn a_header_says_all_that_it_has_to() {
    let place = Place::new();
    let body = "fn f() { 1 }\n";
    for (field, line) in [
        ("the field Author", "Author: Jane Doe"),
        ("the field Licence", "Licence: MIT"),
        ("the field Parameters", "Parameters: none"),
        ("the field Needs", "Needs: nothing"),
        ("a title", "A recipe."),
    ] {
        let header = HEADER.replace(&format!("//! {line}\n"), "");
        place.write("mine.rhai", format!("{header}{body}"));
        let said = recipe(&place, &["show", "mine.rhai"]);
        refused(
            &said,
            2,
            &format!("recipe mine.rhai: expected {field}, as a line `//! "),
        );
    }
    for body in ["", "private fn f() { 1 }\n", "fn test_f() { 1 }\n"] {
        place.write("mine.rhai", format!("{HEADER}{body}"));
        let said = recipe(&place, &["show", "mine.rhai"]);
        refused(
            &said,
            2,
            "recipe mine.rhai: expected a function that can be called from outside, found none",
        );
    }
    place.write("mine.rhai", format!("{HEADER}fn f( {{"));
    refused(&recipe(&place, &["show", "mine.rhai"]), 1, "mine.rhai:7:");
}

// Adding -----------------------------------------------------------------------------------------------------------

#[test]
fn an_added_recipe_is_imported_by_its_name_with_what_it_imports() {
    let place = place();
    let said = recipe(&place, &["add", "mine/even.rhai", "--yes"]);
    let said = said.succeeded();
    assert!(
        said.contains("  imports     nas/random, lib/deep (packed), lib/draw (packed)\n"),
        "{said}"
    );
    // What it imports asks for files.
    assert!(said.contains("  files       export\n"), "{said}");
    assert!(said.contains("\nadded even ("), "{said}");
    // Its origin may go.
    fs::remove_dir_all(place.path("mine")).unwrap();
    let ran = script(
        &place,
        "import \"even\" as even;
         let space = StateSpace();
         space.add_state(\"filters\", [1, 2]);
         let manager = NetworkManager(dataset(\"digits\", #{ train: 50, validation: 50 }), #{ epochs: 1 });
         let model = |actions| input([1, 8, 8]).flatten().dense(10);
         print(even::search(space, manager, model, #{ layers: 1, trials: 2 }).trials);",
    );
    assert!(ran.succeeded().starts_with("2\n"), "{}", ran.stdout);

    let listed = recipe(&place, &["list"]);
    assert!(
        listed.line("even ").ends_with("An even part of a space."),
        "{}",
        listed.stdout
    );
    assert!(
        listed
            .line("nas/random ")
            .starts_with("standard library  uniform random search"),
        "{}",
        listed.stdout
    );

    assert_eq!(
        recipe(&place, &["remove", "even"]).succeeded(),
        "removed even"
    );
    let gone = script(&place, "import \"even\" as even;");
    refused(&gone, 1, "import: expected a module, found 'even'");
    refused(
        &recipe(&place, &["remove", "even"]),
        2,
        "unknown added recipe 'even'",
    );
    refused(
        &recipe(&place, &["remove", "nas/random"]),
        2,
        "the standard library's are part of the program",
    );
    // Nothing but empty folders is left.
    assert_eq!(tree(&shelf(&place)).len(), 2);
}

#[test]
fn a_changed_recipe_takes_the_place_of_the_one_before_and_says_so() {
    let place = Place::new();
    let text = |number: u32| format!("{HEADER}fn number() {{ {number} }}\n");
    let import = "import \"mine\" as mine; print(mine::number());";
    let short = |text: &str| sha256(text)[..12].to_string();
    place.write("mine.rhai", text(1));
    recipe(&place, &["add", "mine.rhai", "--yes"]).succeeded();
    fs::rename(place.path("mine.rhai"), place.path("other.rhai")).unwrap();
    assert!(script(&place, import).succeeded().starts_with("1\n"));
    let again = recipe(&place, &["add", "other.rhai", "--name", "mine", "--yes"]);
    assert!(
        again.succeeded().ends_with("was there already"),
        "{}",
        again.stdout
    );

    place.write("other.rhai", text(2));
    let changed = recipe(&place, &["add", "other.rhai", "--name", "mine", "--yes"]);
    let (one, two) = (short(&text(1)), short(&text(2)));
    assert!(
        changed
            .succeeded()
            .ends_with(&format!("mine is {two} now, in place of {one}")),
        "{}",
        changed.stdout
    );
    assert!(
        changed
            .stderr
            .contains(&format!("'mine' is {one} from <dir>/other.rhai now")),
        "{}",
        changed.stderr
    );
    assert!(script(&place, import).succeeded().starts_with("2\n"));
    // Who wants the one before names it by its content.
    let pinned = format!(
        "import \"mine@{}\" as mine; print(mine::number());",
        &sha256(text(1))[..16]
    );
    assert!(script(&place, &pinned).succeeded().starts_with("1\n"));
    let unknown = script(&place, "import \"mine@0123456789abcdef\" as mine;");
    refused(
        &unknown,
        1,
        "no recipe with the SHA-256 0123456789abcdef… was added",
    );
}

#[test]
fn what_lies_in_the_store_is_what_was_added() {
    let place = Place::new();
    place.write("mine.rhai", format!("{HEADER}fn number() {{ 1 }}\n"));
    recipe(&place, &["add", "mine.rhai", "--yes"]).succeeded();
    fs::remove_file(place.path("mine.rhai")).unwrap();
    let stored = tree(&shelf(&place).join("store")).remove(0);
    fs::write(stored, format!("{HEADER}fn number() {{ 2 }}\n")).unwrap();
    let ran = script(&place, "import \"mine\" as mine; print(mine::number());");
    refused(&ran, 1, "expected a text with the SHA-256");
    refused(
        &recipe(&place, &["show", "mine"]),
        1,
        "expected a text with the SHA-256",
    );
}

#[test]
fn no_name_takes_the_place_of_others() {
    let place = Place::new();
    place.write("mine.rhai", format!("{HEADER}fn f() {{ 1 }}\n"));
    for name in ["nas/random", "nas"] {
        let said = recipe(&place, &["add", "mine.rhai", "--yes", "--name", name]);
        refused(
            &said,
            2,
            "a name that is not the standard library's, which nothing replaces",
        );
    }
    for name in [
        "../mine",
        "/tmp/mine",
        "a/b",
        ".hidden",
        "",
        "a\\b",
        "mine\u{1b}[2J",
    ] {
        let said = recipe(&place, &["add", "mine.rhai", "--yes", "--name", name]);
        refused(&said, 2, "letters, digits, '_' and '-'");
        assert!(!said.stderr.contains('\u{1b}'), "{name:?}");
    }
    place.write("shelf/own.rhai", "fn f() { 2 }\n");
    let said = recipe(&place, &["add", "mine.rhai", "--yes", "--name", "own"]);
    refused(&said, 2, "a name without a file of your own");
    refused(
        &recipe(&place, &["remove", "own"]),
        2,
        "this is a file of your own",
    );
    assert_eq!(
        tree(&shelf(&place)),
        [shelf(&place).join("own.rhai").display().to_string()]
    );
}

#[test]
fn nothing_is_run_or_kept_without_consent() {
    let place = Place::new();
    place.write(
        "mine.rhai",
        format!("{HEADER}print(\"it runs\");\nfn f() {{ 1 }}\n"),
    );
    let said = recipe(&place, &["add", "mine.rhai"]);
    refused(
        &said,
        2,
        "recipe add: expected --yes, where nobody can be asked, found no terminal",
    );
    assert!(!shelf(&place).exists());

    let answered = |answer: &str, says: &str| {
        let mut command = place.command(&["recipe", "add", "mine.rhai"]);
        command
            .env("NAS_SCRIPT_RECIPES", shelf(&place))
            .env("TERM", "xterm")
            .stdin(Stdio::inherit())
            .stdout(Stdio::inherit())
            .stderr(Stdio::inherit());
        let mut terminal = OsSession::spawn(command).unwrap();
        let patience = Duration::from_secs(120);
        let asked = || Regex("add it as 'mine'\\? \\[y/N\\] ");
        seen(&mut terminal, asked, patience).unwrap();
        terminal.send(answer).unwrap();
        let said = seen(&mut terminal, || says, patience).unwrap();
        let before = String::from_utf8_lossy(said.before()).into_owned();
        assert!(!before.contains("it runs"), "{before}");
        seen(&mut terminal, || Eof, patience).unwrap();
        terminal.get_process().wait().unwrap()
    };
    for answer in ["\r", "n\r"] {
        let status = answered(answer, "nothing was added");
        assert!(matches!(status, WaitStatus::Exited(_, 1)), "{status:?}");
        assert!(!shelf(&place).exists());
    }
    let status = answered("y\r", "added mine");
    assert!(matches!(status, WaitStatus::Exited(_, 0)), "{status:?}");
    assert!(shelf(&place).join("added/mine.json").exists());
}

#[test]
fn what_cannot_be_shared_is_refused() {
    let place = Place::new();
    let refuse = |text: &str, code: i32, reason: &str| {
        place.write("mine.rhai", text);
        let said = recipe(&place, &["add", "mine.rhai", "--yes"]);
        refused(&said, code, reason);
        let shown = format!("{}{}", said.stdout, said.stderr);
        assert!(
            !shown.contains(['\u{1b}', '\u{7}', '\u{202e}']),
            "{shown:?}"
        );
        assert!(!shelf(&place).exists(), "{text}");
    };
    let with = |body: &str| format!("{HEADER}{body}\nfn f() {{ 1 }}\n");
    refuse("fn f() { 1 }\n", 2, "expected a title");
    refuse(&with("import \"lib/none\" as none;"), 1, "mine.rhai:7:8");
    let escape = place.path("lib/escape.rhai");
    fs::create_dir(place.path("lib")).unwrap();
    fs::write(escape, "// \u{1b}[2Jcleared\n").unwrap();
    refuse(
        &with("import \"lib/escape\" as escape;"),
        1,
        "a text without control characters, found U+001B in line 1",
    );
    refuse(
        &with("import \"nas/none\" as none;"),
        1,
        "unknown module 'nas/none'",
    );
    refuse(
        &with("import \"../secret\" as none;"),
        1,
        "imports stay inside the script's folder",
    );
    refuse(
        &with("import \"/etc/passwd\" as none;"),
        1,
        "imports stay inside the script's folder",
    );
    refuse(
        &with("let path = \"lib\"; import path + \"/a\" as none;"),
        1,
        "only a run can tell which",
    );
    refuse(&with("let x = ;"), 1, "syntax error");
    refuse(
        "<!DOCTYPE html>\n<html></html>\n",
        2,
        "found a web page; give the address of the file itself",
    );
    refuse(
        &with("// \u{1b}[2Jcleared"),
        2,
        "a text without control characters, found U+001B in line 7",
    );
    refuse(&with("// \u{202e}reversed"), 2, "found U+202E in line 7");
    refuse(
        &with(&"// long\n".repeat(200_000)),
        2,
        "a text of at most 1048576 bytes",
    );
    refuse(&with(&"// long\n".repeat(20_000)), 1, "limit 'source_size'");
    fs::write(place.path("mine.rhai"), [0xff, 0xfe, 0x00]).unwrap();
    refused(
        &recipe(&place, &["add", "mine.rhai", "--yes"]),
        2,
        "expected a text in UTF-8",
    );
    refused(&recipe(&place, &["add", "."]), 2, "expected a file");
    refused(&recipe(&place, &["add", "none.rhai"]), 2, "none.rhai");
    for source in [
        "http://example.org/mine.rhai",
        "ftp://example.org/mine.rhai",
    ] {
        refused(
            &recipe(&place, &["add", source]),
            2,
            "expected a path, https://…, file://…, git+https://…",
        );
    }
}

#[cfg(unix)]
#[test]
fn links_lead_no_recipe_out_of_its_folder() {
    let place = Place::new();
    place.write("secret.rhai", "fn secret() { 1 }\n");
    place.write(
        "mine/mine.rhai",
        format!("{HEADER}import \"link\" as link;\nfn f() {{ 1 }}\n"),
    );
    std::os::unix::fs::symlink(place.path("secret.rhai"), place.path("mine/link.rhai")).unwrap();
    let said = recipe(&place, &["add", "mine/mine.rhai", "--yes"]);
    refused(&said, 1, "a link that leads out");
}

#[test]
fn escapes_of_strings_reach_no_terminal() {
    let place = Place::new();
    let body = "fn f() { param(\"a\\x1b[31m\", 1, \"\"); dataset(\"b\\x1b]0;title\\x07\") }\n";
    place.write("mine.rhai", format!("{HEADER}{body}"));
    let shown = recipe(&place, &["show", "mine.rhai"]);
    assert_eq!(shown.line("  data"), "b]0;title");
    assert!(
        !shown.stdout.contains(['\u{1b}', '\u{7}']),
        "{:?}",
        shown.stdout
    );
}

// From elsewhere ---------------------------------------------------------------------------------------------------

#[test]
fn a_recipe_comes_from_a_server() {
    let place = Place::new();
    let text = format!("{HEADER}fn number() {{ 7 }}\n");
    let url = serve("seven.rhai?raw=1", ok(&text));
    let said = recipe(&place, &["add", &url, "--yes", "--sha256", &sha256(&text)]);
    assert_eq!(said.line("  from"), url);
    let ran = script(&place, "import \"seven\" as seven; print(seven::number());");
    assert!(ran.succeeded().starts_with("7\n"), "{}", ran.stdout);
}

#[test]
fn a_server_that_answers_with_something_else_is_refused() {
    let place = Place::new();
    let text = format!("{HEADER}fn number() {{ 7 }}\n");
    let add = |answer: String, code: i32, reason: &str| {
        let url = serve("mine.rhai", answer);
        let said = recipe(&place, &["add", &url, "--yes", "--sha256", &sha256(&text)]);
        refused(&said, code, reason);
        assert!(!shelf(&place).exists());
    };
    let other = text.replace('7', "8");
    let found = format!(
        "expected the SHA-256 {}, found {}",
        sha256(&text),
        sha256(&other)
    );
    add(ok(&other), 2, &found);
    add(
        "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".into(),
        1,
        "the server answered 404 Not Found",
    );
    let elsewhere =
        "HTTP/1.1 302 Found\r\nLocation: http://example.org/\r\nContent-Length: 0\r\n\r\n";
    add(elsewhere.into(), 1, "the server answered 302 Found");
    add(
        ok(&"// long\n".repeat(200_000)),
        1,
        "a text of at most 1048576 bytes",
    );
    // What a server does not announce is counted as it comes.
    let endless = format!(
        "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{}",
        "// long\n".repeat(200_000)
    );
    add(endless, 1, "a text of at most 1048576 bytes");
    let cut = ok(&text).replace("Content-Length: ", "Content-Length: 9");
    add(cut, 1, "cannot download");
    add(ok("<html>sign in</html>"), 2, "found a web page");
    // There is nothing beside a file on a server.
    let url = serve(
        "mine.rhai",
        ok(&format!("{HEADER}import \"lib/a\" as a;\nfn f() {{ 1 }}\n")),
    );
    refused(
        &recipe(&place, &["add", &url, "--yes"]),
        1,
        "pack the recipe with what it imports",
    );
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let nobody = format!("http://{}/mine.rhai", listener.local_addr().unwrap());
    drop(listener);
    refused(
        &recipe(&place, &["add", &nobody, "--yes"]),
        1,
        &format!("cannot download {nobody}"),
    );
}

#[test]
fn a_recipe_comes_from_a_git_repository_without_anything_of_it_being_run() {
    let place = place();
    let hook = place.write(
        "mine/.githooks/post-checkout",
        "#!/bin/sh\ntouch ../hooked\n",
    );
    #[cfg(unix)]
    {
        use std::os::unix::fs::{PermissionsExt, symlink};
        fs::set_permissions(&hook, fs::Permissions::from_mode(0o755)).unwrap();
        symlink("/etc/passwd", place.path("mine/passwd.rhai")).unwrap();
    }
    let url = repository_of(&place, "mine");

    let several = recipe(&place, &["add", &url, "--yes"]);
    refused(
        &several,
        2,
        "expected #FILE, one of several scripts, found even.rhai, lib/deep.rhai, lib/draw.rhai",
    );
    let missing = recipe(&place, &["add", &format!("{url}#odd.rhai"), "--yes"]);
    refused(
        &missing,
        2,
        "expected a file of the repository, found only even.rhai",
    );
    let link = recipe(&place, &["add", &format!("{url}#passwd.rhai"), "--yes"]);
    refused(&link, 2, "expected a file of the repository");
    let out = recipe(
        &place,
        &["add", &format!("{url}#../../etc/passwd"), "--yes"],
    );
    refused(&out, 2, "expected a file of the repository");

    let said = recipe(
        &place,
        &["add", &format!("{url}?rev=main#even.rhai"), "--yes"],
    );
    assert!(
        said.succeeded().contains("\nadded even ("),
        "{}",
        said.stdout
    );
    let from = said.line("  from");
    assert!(
        from.starts_with("git+file://<dir>/mine?rev=main#even.rhai at "),
        "{from}"
    );
    assert_eq!(
        from.rsplit(' ').next().unwrap().len(),
        40,
        "the commit: {from}"
    );
    assert!(!place.path("hooked").exists());
    let ran = script(&place, "import \"even\" as even; print(1);");
    assert!(ran.succeeded().starts_with("1\n"));

    let unknown = recipe(
        &place,
        &["add", &format!("{url}?rev=none#even.rhai"), "--yes"],
    );
    refused(&unknown, 1, "git: ");
    let nowhere = recipe(&place, &["add", "git+file:///nowhere/at/all", "--yes"]);
    refused(&nowhere, 1, "cannot download file:///nowhere/at/all: git: ");
    for source in [
        "git+ssh://host/a",
        "git+ext::sh -c evil",
        "git+https://host/a?rev=--upload-pack=evil",
    ] {
        refused(
            &recipe(&place, &["add", source, "--yes"]),
            2,
            "expected git+https://… or git+file://…",
        );
    }
}

// Packing and verifying --------------------------------------------------------------------------------------------

/// A recipe whose claim is quickly made: `value` is what `claim()` returns beside the accuracy.
fn claiming(value: &str) -> String {
    format!(
        "{HEADER}import \"lib/draw\" as draw;
const TRAIN = 60;

fn claim() {{
    let manager = NetworkManager(dataset(\"digits\", #{{ train: global::TRAIN, validation: 40 }}), #{{ epochs: 1 }});
    let best = manager.evaluate(network(4));
    #{{ accuracy: best.accuracy, number: {value}, drawn: draw::all((), ()) }}
}}

fn network(filters) {{ input([1, 8, 8]).conv2d(filters, 3).relu().flatten().dense(10) }}
"
    )
}

fn packed() -> Place {
    let place = place();
    place.write("mine/good.rhai", claiming("1"));
    let said = place.run(&["recipe", "pack", "mine/good.rhai"]);
    assert!(
        said.succeeded()
            .starts_with("mine/good.packed.rhai: 2 modules packed"),
        "{}",
        said.stdout
    );
    let pack = place.read("mine/good.packed.rhai");
    fs::remove_dir_all(place.path("mine")).unwrap();
    place.write("good.packed.rhai", pack);
    place
}

/// The lock of a pack.
fn lock(pack: &str) -> Json {
    let lines = pack
        .lines()
        .skip_while(|line| !line.starts_with("//% nas-script pack"))
        .skip(1);
    let lines = lines.take_while(|line| !line.starts_with("//% module"));
    let json: Vec<&str> = lines
        .map(|line| line.strip_prefix("//%").unwrap())
        .collect();
    serde_json::from_str(&json.join("\n")).unwrap()
}

#[test]
fn a_pack_runs_anywhere_and_holds_what_it_claims() {
    let place = packed();
    let pack = place.read("good.packed.rhai");
    let lock = lock(&pack);
    let claim = &lock["claim"];
    assert_eq!(lock["name"], "good");
    assert_eq!(lock["stdlib"].as_str().unwrap().len(), 64);
    assert_eq!(
        (claim["device"].as_str(), claim["seed"].as_u64()),
        (Some("cpu"), Some(0))
    );
    assert_eq!(
        (claim["trials"].as_u64(), claim["data"][0]["name"].as_str()),
        (Some(1), Some("digits"))
    );
    assert_eq!(claim["data"][0]["content"].as_str().unwrap().len(), 64);
    assert_eq!(claim["value"]["drawn"], 42);
    assert_eq!(claim["value"]["accuracy"], claim["best"]["score"]);
    let import = pack
        .lines()
        .find(|line| line.starts_with("import"))
        .unwrap();
    assert!(
        import.starts_with("import \"lib/draw@") && import.ends_with("\" as draw;"),
        "{import}"
    );

    // As a script, as a module, and added.
    place.write(
        "sub/search.rhai",
        "import \"lib/good.packed\" as good;\nprint(good::claim().drawn);\n",
    );
    place.write("sub/lib/good.packed.rhai", &pack);
    let ran = place.run(&["-q", "sub/search.rhai", "--store", "none"]);
    assert!(ran.succeeded().starts_with("42\n"), "{}", ran.stdout);
    place
        .run(&["-q", "good.packed.rhai", "--store", "none"])
        .succeeded();
    let said = recipe(&place, &["add", "good.packed.rhai", "--yes"]);
    assert_eq!(
        said.line("  imports"),
        "lib/deep (packed), lib/draw (packed)"
    );
    assert!(said.stdout.contains("\"drawn\":42"), "{}", said.stdout);
    fs::remove_dir_all(place.path("sub")).unwrap();
    let ran = script(
        &place,
        "import \"good\" as good; print(good::claim().drawn);",
    );
    assert!(ran.succeeded().starts_with("42\n"), "{}", ran.stdout);
    // What it came to is not in a store or a run's folder, but in the pack.
    let tested = place.run(&["test", "good.packed.rhai"]);
    refused(&tested, 2, "expected a function `fn test_…()`");
}

#[test]
fn two_packs_with_modules_of_one_name_do_not_meet() {
    let place = Place::new();
    for (name, number) in [("one", 1), ("two", 2)] {
        let import = "import \"lib/number\" as number;\nfn number() { number::number() }\n";
        place.write(&format!("{name}/{name}.rhai"), format!("{HEADER}{import}"));
        place.write(
            &format!("{name}/lib/number.rhai"),
            format!("fn number() {{ {number} }}\n"),
        );
        recipe(&place, &["add", &format!("{name}/{name}.rhai"), "--yes"]).succeeded();
    }
    place.write("lib/number.rhai", "fn number() { 3 }\n");
    let ran = script(
        &place,
        "import \"one\" as one; import \"two\" as two; import \"lib/number\" as own;
         print(`${one::number()} ${two::number()} ${own::number()} ${one::number()}`);",
    );
    assert!(ran.succeeded().starts_with("1 2 3 1\n"), "{}", ran.stdout);
    // A pack of what was added holds it whole.
    place.write(
        "both.rhai",
        format!("{HEADER}import \"one\" as one;\nfn claim() {{ one::number() }}\n"),
    );
    recipe(&place, &["pack", "both.rhai"]).succeeded();
    fs::remove_dir_all(shelf(&place)).unwrap();
    let verified = recipe(&place, &["verify", "both.packed.rhai"]);
    assert!(
        verified
            .succeeded()
            .contains("verified: the run came to the same, to the last bit"),
        "{}",
        verified.stdout
    );
}

#[test]
fn a_claim_is_verified_by_another_run() {
    let place = packed();
    let before = tree(&place.path(""));
    let verified = place.run(&["recipe", "verify", "good.packed.rhai"]);
    let said = verified.succeeded();
    assert!(
        said.contains("verified: the run came to the same, to the last bit"),
        "{said}"
    );
    assert_eq!(tree(&place.path("")), before, "nothing is left behind");

    let pack = place.read("good.packed.rhai");
    let change = |of: &dyn Fn(&mut Json)| {
        let mut lock = lock(&pack);
        of(&mut lock);
        let (script, rest) = pack.split_once("//% nas-script pack 1\n").unwrap();
        let modules = &rest[rest.find("//% module").unwrap()..];
        let json = serde_json::to_string_pretty(&lock).unwrap();
        let json: String = json.lines().map(|line| format!("//% {line}\n")).collect();
        place.write(
            "changed.rhai",
            format!("{script}//% nas-script pack 1\n{json}{modules}"),
        );
        place.run(&["recipe", "verify", "changed.rhai"])
    };
    let told = |ran: &Ran, code: i32, line: &str| {
        assert_eq!(ran.code, Some(code), "{}\n{}", ran.stdout, ran.stderr);
        assert!(ran.stdout.contains(line), "no {line:?} in\n{}", ran.stdout);
    };
    // What the pack was made with is told; the numbers decide.
    let zeros = "0".repeat(64);
    let older = change(&|lock| {
        lock["stdlib"] = zeros.clone().into();
        lock["nas_script"] = "0.0.1".into();
    });
    told(
        &older,
        0,
        &format!("  differs: standard library: claimed {zeros}, found "),
    );
    told(&older, 0, "  differs: nas-script: claimed 0.0.1, found ");
    let other = change(&|lock| lock["claim"]["data"][0]["content"] = zeros.clone().into());
    told(
        &other,
        1,
        &format!("  not as claimed: data set 'digits', SHA-256: claimed {zeros}, found "),
    );
    told(&other, 1, "refuted: the run came to something else");
    let better = change(&|lock| {
        lock["claim"]["best"]["score"] = 0.999.into();
        lock["claim"]["value"]["accuracy"] = 0.999.into();
    });
    told(
        &better,
        1,
        "  not as claimed: best score: claimed 0.999, found ",
    );
    told(
        &better,
        1,
        "  not as claimed: claim().accuracy: claimed 0.999, found ",
    );
    let seeded = change(&|lock| lock["claim"]["seed"] = 1.into());
    assert!(
        !seeded.stdout.contains("to the last bit"),
        "{}",
        seeded.stdout
    );
    let near = change(&|lock| {
        let accuracy = lock["claim"]["value"]["accuracy"].as_f64().unwrap();
        lock["claim"]["value"]["accuracy"] = (accuracy + 0.005).into();
    });
    told(&near, 0, "verified: the run came to the same within 0.01");
    let strict = place.run(&["recipe", "verify", "changed.rhai", "--tolerance", "0.001"]);
    told(&strict, 1, "(tolerance 0.001)");
    let trials = change(&|lock| lock["claim"]["trials"] = 7.into());
    told(&trials, 1, "  not as claimed: trials: claimed 7, found 1");
    let lax = change(&|lock| lock["claim"]["tolerance"] = 1e9.into());
    refused(&lax, 2, "tolerance: expected a number from 0 to 1");
    let device = change(&|lock| lock["claim"]["device"] = "abacus\u{1b}[2J".into());
    refused(
        &device,
        2,
        "device: expected auto, cpu, cuda[:N] or wgpu[:N]",
    );
    assert!(!device.stderr.contains('\u{1b}'), "{:?}", device.stderr);
}

#[test]
fn a_pack_that_was_tampered_with_is_not_run() {
    let place = packed();
    let pack = place.read("good.packed.rhai");
    let tampered = |from: &str, to: &str| {
        let text = pack.replacen(from, to, 1);
        assert_ne!(text, pack, "{from}");
        place.write("bad.rhai", text);
    };
    let everywhere = |reason: &str| {
        let verified = place.run(&["recipe", "verify", "bad.rhai"]);
        refused(&verified, 1, reason);
        refused(&recipe(&place, &["add", "bad.rhai", "--yes"]), 1, reason);
        assert!(!shelf(&place).exists());
    };
    // The script.
    tampered("number: 1", "number: 2");
    everywhere("it was changed");
    // A module: nothing of the pack runs, whoever asks.
    tampered("//|fn number() { 42 }", "//|fn number() { 43 }");
    everywhere("expected module 'lib/deep' with the SHA-256");
    refused(&place.run(&["-q", "bad.rhai"]), 1, "it was changed");
    refused(&place.run(&["test", "bad.rhai"]), 1, "it was changed");
    // The same with its own hash: its import still names another.
    let (old, new) = (sha256(DEEP), sha256(DEEP.replace("42", "43")));
    let text = pack
        .replace("//|fn number() { 42 }", "//|fn number() { 43 }")
        .replace(&old, &new);
    place.write("bad.rhai", text);
    let verified = place.run(&["recipe", "verify", "bad.rhai"]);
    refused(&verified, 1, "no recipe with the SHA-256");
    // The lock.
    tampered("\"name\": \"good\"", "\"name\": ");
    everywhere("expected a lock");
    tampered("\"name\": \"good\"", "\"nickname\": \"good\"");
    everywhere("unknown field `nickname`");
    tampered("//% module lib/deep", "module lib/deep");
    everywhere("expected");
    // Half of it.
    place.write("bad.rhai", &pack[..pack.find("//% module").unwrap() - 30]);
    everywhere("expected a lock");
}

#[test]
fn what_has_no_claim_is_not_verified() {
    let place = Place::new();
    place.write("mine.rhai", format!("{HEADER}fn f() {{ 1 }}\n"));
    refused(
        &place.run(&["recipe", "pack", "mine.rhai"]),
        2,
        "claim: expected something that can be claimed",
    );
    assert!(!place.path("mine.packed.rhai").exists());
    let said = place.run(&[
        "recipe",
        "pack",
        "mine.rhai",
        "--no-claim",
        "-o",
        "out.rhai",
    ]);
    assert!(
        said.succeeded().starts_with("out.rhai: 0 modules packed"),
        "{}",
        said.stdout
    );
    refused(
        &place.run(&["recipe", "verify", "out.rhai"]),
        2,
        "out.rhai: expected a pack with a claim, found none",
    );
    refused(
        &place.run(&["recipe", "verify", "mine.rhai"]),
        2,
        "expected a packed recipe",
    );
    refused(
        &place.run(&["recipe", "pack", "out.rhai"]),
        2,
        "found a packed one",
    );
    for (claim, reason) in [
        ("()", "claim(): expected numbers"),
        ("#{ a: 0.0 / 0.0 }", "claim(): expected numbers"),
        ("StateSpace()", "claim(): expected numbers"),
        ("throw \"no luck\"", "no luck"),
    ] {
        place.write("mine.rhai", format!("{HEADER}fn claim() {{ {claim} }}\n"));
        refused(&place.run(&["recipe", "pack", "mine.rhai"]), 1, reason);
    }
    place.write("mine.rhai", "fn claim() { 1 }\n");
    refused(
        &place.run(&["recipe", "pack", "mine.rhai"]),
        2,
        "expected a title",
    );
    place.write("mine.rhai", format!("{HEADER}fn claim() {{ 1 }}\n"));
    let said = place.run(&["recipe", "pack", "mine.rhai", "-p", "epoch=1"]);
    refused(&said, 2, "unknown parameter 'epoch'");
    let said = place.run(&["recipe", "pack", "mine.rhai", "--tolerance", "-1"]);
    assert_eq!(said.code, Some(2));
}

#[test]
fn a_study_is_claimed_by_its_name_or_its_folder_and_verified() {
    let place = Place::new();
    place.write(
        "lib/net.rhai",
        "fn net(filters) { input([1, 8, 8]).conv2d(filters, 3).relu().flatten().dense(10) }\n",
    );
    place.write(
        "search.rhai",
        format!(
            "{HEADER}import \"lib/net\" as lib;
let filters = param(\"filters\", 2, \"how wide\");
let manager = NetworkManager(dataset(\"digits\", #{{ train: 60, validation: 40 }}), #{{ epochs: 1 }});
for trial in trials(2) {{ manager.evaluate(lib::net(filters + trial)); }}
fn model(filters) {{ lib::net(filters) }}
"
        ),
    );
    let ran = place.run(&[
        "-q",
        "search.rhai",
        "--study",
        "wide",
        "--seed",
        "5",
        "-p",
        "filters=4",
    ]);
    ran.succeeded();
    for claimed in ["wide", "runs/wide-1"] {
        let said = place.run(&["recipe", "pack", "search.rhai", "--claim", claimed]);
        assert_eq!(said.line("  trials:"), "2", "{claimed}");
        assert_eq!(said.line("  run:"), "cpu, seed 5", "{claimed}");
        assert_eq!(said.line("  parameters:"), "filters=4", "{claimed}");
    }
    // Elsewhere, where there is no such study.
    let other = Place::new();
    other.write("search.rhai", place.read("search.packed.rhai"));
    let verified = other.run(&["recipe", "verify", "search.rhai"]);
    assert!(
        verified.succeeded().contains("to the last bit"),
        "{}",
        verified.stdout
    );
    assert_eq!(tree(&other.path("")).len(), 1);

    let unknown = place.run(&["recipe", "pack", "search.rhai", "--claim", "wid"]);
    refused(&unknown, 2, "unknown study 'wid'; did you mean 'wide'?");
    place.write("other.rhai", format!("{HEADER}fn f() {{ 1 }}\n"));
    let others = place.run(&["recipe", "pack", "other.rhai", "--claim", "wide"]);
    refused(
        &others,
        2,
        "study 'wide': expected one of other.rhai, found one of search.rhai",
    );
}
