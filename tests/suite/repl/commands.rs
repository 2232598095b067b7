//! The `:commands`.

use super::terminal::{CTRL_D, PROMPT, Terminal};
use crate::harness::Place;

#[test]
fn help_lists_commands_and_finds_names() {
    let mut terminal = Terminal::start();
    terminal.enter(":help", "command +what it does\r\n +:help +\\[NAME\\]");
    terminal.enter(":help :attach", ":attach STUDY\r\n +a look into");
    terminal.enter(":help conv2d", "Network.conv2d\\(");
    terminal.enter(":h StateSpace", "StateSpace(?s).*add_state +[A-Z]");
    terminal.enter(
        ":doc add_state",
        "StateSpace.add_state\\((?s).*let space = StateSpace\\(\\);",
    );
    terminal.enter(
        ":doc nas/random",
        "import \"nas/random\" as random;(?s).*search",
    );
    terminal.enter(
        ":doc conv2",
        "unknown name 'conv2'; did you mean 'conv2d'\\?",
    );
    terminal.enter(":hepl", "unknown command ':hepl'; did you mean ':help'\\?");
    terminal.enter(":s", "expected :save or :studies or :set, found :s\r\n");
    terminal.press("/// Doubles.\rfn double(x) { 2 * x }\r");
    terminal.sees(PROMPT);
    terminal.enter(":doc double", "fn double\\(x\\)\r\n +Doubles.");
    terminal.leave(":quit\r");
}

#[test]
fn values_have_types_and_take_time() {
    let mut terminal = Terminal::start();
    terminal.enter("let space = StateSpace();", "\n");
    terminal.enter("let x = 40 + 2;", "\n");
    terminal.enter("fn twice(n) { 2 * n }", "\n");
    terminal.enter(":vars", "name +type +value\r\n +space +StateSpace .*\r\n +x +int +42\r\n +twice\\(n\\) +function\r\n");
    terminal.enter(":type space", "\nStateSpace\r\n");
    terminal.enter(":type x / 2.0", "\nfloat\r\n");
    terminal.enter(":type lost", "unknown variable 'lost'");
    terminal.enter(":time twice(21)", "\n42\r\ntook [0-9.]+ (µs|ms|s)\r\n");
    terminal.enter(":time", "expected an expression, found nothing");
    terminal.leave(":q\r");
}

#[test]
fn parameters_are_listed_and_given() {
    let place = Place::new();
    place.write(
        "asks.rhai",
        "let epochs = param(\"epochs\", 10, \"epochs per child\");",
    );
    let mut terminal = Terminal::start_in(place);
    terminal.enter(":params", "no parameters");
    terminal.enter(":load asks.rhai", "\n");
    terminal.enter("epochs", "\n10\r\n");
    terminal.enter(":params", "epochs +10 +10 +epochs per child");
    terminal.enter(":params epochs=3", "epochs +3 +10 +epochs per child");
    terminal.enter(":load asks.rhai", "\n");
    terminal.enter("epochs", "\n3\r\n");
    terminal.enter(":params epochs", "expected name=value, found 'epochs'");
    terminal.leave(CTRL_D);
}

#[test]
fn a_session_is_saved_as_a_script_that_runs() {
    let place = Place::new();
    place.write(
        "lib.rhai",
        "fn half(x) { x / 2 }\nlet from_file = half(84);",
    );
    let mut terminal = Terminal::start_in(place);
    terminal.enter("fn f(x) { x }", "\n");
    terminal.enter(":load lib.rhai", "\n");
    terminal.enter("let y = lost;", "unknown variable");
    terminal.enter("fn f(x) { x + 1 }", "\n");
    terminal.enter("print(f(from_file)) // 43", "\n43\r\n");
    terminal.enter(
        ":save session.rhai",
        "run it with: nas-script session.rhai --seed 0",
    );
    terminal.enter(":save session.rhai", "cannot create session.rhai");
    let place = terminal.leave(CTRL_D);
    let ran = place.run(&["session.rhai", "--store", "none", "-q"]);
    assert!(ran.succeeded().starts_with("43\n"), "{ran:?}");
}

#[test]
fn what_is_wrong_in_a_loaded_file_is_shown_there() {
    let place = Place::new();
    place.write("wrong.rhai", "let a = 1;\nlet b = a + lost;\n");
    let mut terminal = Terminal::start_in(place);
    terminal.enter("let before = 1;", "\n");
    terminal.enter(
        ":load wrong.rhai",
        "unknown variable 'lost'(?s).*wrong.rhai:2:13",
    );
    terminal.enter(":load none.rhai", "cannot read none.rhai");
    terminal.leave(CTRL_D);
}

#[test]
fn settings_are_set_and_a_session_begins_anew() {
    let mut terminal = Terminal::start();
    terminal.enter(":set", "device +cpu .*\r\n +seed +0");
    terminal.enter(":set device cuda:7", "error: .*cuda:7");
    terminal.enter(
        ":set device sofa",
        "expected auto, cpu, cuda\\[:N\\] or wgpu\\[:N\\], found sofa",
    );
    terminal.enter(":set", "device +cpu");
    terminal.enter(":set device cpu", "device: cpu");
    terminal.enter(
        ":set sed 1",
        "unknown setting 'sed'; did you mean 'seed'\\?",
    );
    terminal.enter(
        "let space = StateSpace(); space.add_state(\"k\", [1, 2, 3, 4, 5, 6, 7, 8, 9]);",
        "\n",
    );
    terminal.enter(":reset", "begins anew");
    terminal.enter("space", "unknown variable 'space'");
    // The seed decides what is drawn.
    let draw = "let s = StateSpace(); s.add_state(\"k\", [1, 2, 3, 4, 5, 6, 7, 8, 9]); print(s.get_random_state_space(8).values)";
    let mut drawn = Vec::new();
    for seed in [3, 4, 3] {
        terminal.enter(&format!(":set seed {seed}"), &format!("seed: {seed}\r\n"));
        terminal.press(&format!("{draw}\r"));
        drawn.push(terminal.sees("\n\\[[0-9, ]+\\]\r\n"));
        terminal.sees(PROMPT);
    }
    assert_eq!(drawn[0], drawn[2]);
    assert_ne!(drawn[0], drawn[1]);
    terminal.leave(CTRL_D);
}
