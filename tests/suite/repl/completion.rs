//! What Tab offers.

use super::terminal::{CTRL_C, CTRL_D, PROMPT, TAB, Terminal};
use crate::harness::Place;

#[test]
fn names_methods_and_chains_are_completed() {
    let mut terminal = Terminal::start();
    terminal.enter(
        "let space = StateSpace(); space.add_state(\"kernel\", [1, 3]);",
        "\n",
    );
    terminal.enter("let mango_one = #{ alpha_one: #{ beta_two: 1.5 } };", "\n");
    terminal.enter("fn juggle(balls) { balls }", "\n");
    // A variable, a function of the session, of the host, a keyword.
    terminal.completes("1 + mang", "mango_one");
    terminal.completes("jugg", "juggle\\(");
    terminal.completes("StateSp", "StateSpace\\(\\)");
    terminal.completes("contin", "continue");
    // Methods and properties by the value before the dot.
    terminal.completes("space.get_rand", "space.get_random_state_space\\(");
    terminal.completes("mango_one.alp", "alpha_one");
    terminal.completes("mango_one.alpha_one.be", "beta_two");
    // A chain, by what each call gives; a text, a list.
    terminal.completes("space.get_random_state_space(4).log_", "log_prob");
    terminal.completes(
        "input([1, 8, 8]).conv2d(4, 3).relu().global_a",
        "global_avg_pool\\(",
    );
    terminal.completes("\"text\".to_upp", "to_upper");
    terminal.completes("let nett = input([1, 8, 8]); nett.flat", "nett.flatten\\(");
    // Nothing in a text or a comment.
    terminal.press(&format!("\"mang{TAB}\" + 1\r"));
    terminal.sees("mang1\r\n");
    terminal.sees(PROMPT);
    terminal.leave(CTRL_D);
}

#[test]
fn several_are_listed() {
    let mut terminal = Terminal::start();
    terminal.press(&format!("StateSpace().add_{TAB}{TAB}"));
    terminal.sees("add_anchor");
    terminal.sees("add_choice");
    // The line comes again below the list.
    terminal.sees("nas> StateSpace\\(\\).add_");
    terminal.press(CTRL_C);
    terminal.sees(PROMPT);
    terminal.leave(CTRL_D);
}

#[test]
fn what_an_outcome_has_is_completed() {
    let mut terminal = Terminal::start();
    terminal.enter(
        "let manager = NetworkManager(dataset(\"digits\", #{ train: 100 }), #{ epochs: 1 });",
        "\n",
    );
    terminal.enter(
        "let outcome = manager.evaluate(input([1, 8, 8]).flatten().dense(10));",
        "\n",
    );
    terminal.completes("outcome.archi", "architecture");
    // The type of these is known by their values alone.
    terminal.completes("study.best.archi", "architecture");
    terminal.completes("study.trials[0].archi", "architecture");
    terminal.leave(CTRL_D);
}

#[test]
fn options_modules_and_their_functions_are_completed() {
    let place = Place::new();
    place.write("own_module.rhai", "fn own_function(x) { x }");
    let mut terminal = Terminal::start_in(place);
    terminal.completes("Controller(4, space, #{ entropy_w", "entropy_weight: ");
    terminal.completes("NetworkManager(data, #{ epochs: 1, batch_s", "batch_size: ");
    terminal.completes("import \"nas/rand", "nas/random");
    terminal.completes("import \"own_m", "own_module");
    terminal.enter(
        "import \"nas/random\" as random; import \"own_module\" as own;",
        "\n",
    );
    terminal.completes("random::sea", "random::search\\(");
    terminal.completes("own::own_", "own::own_function\\(");
    terminal.leave(CTRL_D);
}

#[test]
fn commands_and_what_follows_them_are_completed() {
    let place = Place::new();
    place.write("folder/script_one.rhai", "let loaded = 1;");
    let mut terminal = Terminal::start_in(place);
    terminal.completes(":par", ":params");
    terminal.completes(":load fol", ":load folder/");
    terminal.completes(":load folder/scr", ":load folder/script_one.rhai");
    terminal.completes(":set dev", ":set device ");
    terminal.completes(":set device cu", "cuda:0");
    terminal.completes(":doc StateSpace.add_anc", "StateSpace.add_anchor");
    terminal.completes(":time StateSp", "StateSpace\\(\\)");
    terminal.leave(CTRL_D);
}
