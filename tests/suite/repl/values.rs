//! What values look like.

use super::terminal::{CTRL_D, Terminal};
use crate::harness::Place;

const SETUP: &str =
    "let manager = NetworkManager(dataset(\"digits\", #{ train: 200 }), #{ epochs: 3 });";
const NET: &str = "input([1, 8, 8]).flatten().dense(10)";

#[test]
fn plain_values_are_readable() {
    let mut terminal = Terminal::start();
    terminal.enter("0.1 + 0.2", "\n0.3\r\n");
    terminal.enter(
        "[1, \"a\", 2.0 / 3.0, ()]",
        "\n\\[1, \"a\", 0.6666666667, \\(\\)\\]\r\n",
    );
    terminal.enter("#{ b: 1, a: [true] }", "\n#\\{ a: \\[true\\], b: 1 \\}\r\n");
    terminal.enter(
        "let l = []; for i in 0..100 { l.push(i); } l",
        "\n  0, 1, 2.*, 23, … 76 more\r\n\\]\r\n|, 23,\r\n  … 76 more",
    );
    terminal.enter("\"a text\"", "\na text\r\n");
    terminal.leave(CTRL_D);
}

#[test]
fn objects_are_shown_in_full() {
    let mut terminal = Terminal::start();
    terminal.enter(
        "let space = StateSpace(); space.add_state(\"kernel\", [1, 3]);",
        "\n",
    );
    terminal.enter("space", "StateSpace with 1 states\r\n.* kernel +per layer");
    terminal.enter("space.actions([3, 1])", "Layer 1\r\n +kernel = 3");
    terminal.enter(
        "Controller(2, space)",
        "after 0 updates\r\n.*probabilities\r\n +layer_1/kernel .*1: 0.500  3: 0.500",
    );
    terminal.enter(NET, "output shape +params +MACs");
    terminal.enter("[space]", "\\[StateSpace with 1 states …\\]");
    terminal.leave(CTRL_D);
}

#[test]
fn outcomes_have_their_histories_and_studies_a_plot() {
    let mut terminal = Terminal::start();
    terminal.enter(SETUP, "\n");
    terminal.enter(
        &format!("let outcome = manager.evaluate({NET}); outcome"),
        "trial 1: .*\r\n +accuracy 0\\.\\d{4}  loss .*\r\n +650 parameters .*\r\n +validation accuracy +[▁-█]{3}  0\\.\\d+ to 0\\.\\d+",
    );
    for width in [4, 6, 8] {
        terminal.enter(
            &format!(
                "manager.evaluate(input([1, 8, 8]).flatten().dense({width}).relu().dense(10));"
            ),
            "\n",
        );
    }
    terminal.enter(
        "study.trials",
        "trial +architecture +accuracy +reward .*history\r\n +1 ",
    );
    terminal.enter("study", "Study 'repl': 4 trials, best score .*\r\n(?s).*reward.*best so far.*┤.*└─+\r\n +1 +trial +4");
    terminal.enter(
        "plot(outcome)",
        "accuracy of trial 1 .*validation.*training\r\n(?s).*┤.*epoch",
    );
    terminal.enter("plot(study)", "best so far\r\n(?s).*trial");
    terminal.enter("plot([1, 2.5, 2])", "3 values\r\n(?s).*[⠁-⣿]");
    terminal.enter(
        "plot([\"a\"])",
        "expected a list of numbers or of outcomes, found string",
    );
    terminal.leave(CTRL_D);
}

#[test]
fn a_terminal_without_unicode_gets_plots_in_ascii() {
    let mut terminal =
        Terminal::start_with(Place::new(), &[("NO_COLOR", "1"), ("LC_ALL", "C")], &[]);
    terminal.enter(
        "plot([1, 2, 3])",
        "3 values\r\n *3.\\d+ \\+.*\\*\r\n(?s).*\\+-+\r\n",
    );
    terminal.leave(CTRL_D);
}

#[test]
fn an_error_is_shown_where_it_is_and_the_session_goes_on() {
    let mut terminal = Terminal::start();
    terminal.enter("let kept = 7;", "\n");
    terminal.enter("print(lost)", "unknown variable 'lost'(?s).*<repl>:2:7");
    terminal.enter("input([3, 8, 8]).dense(10)", "dense: expected a flat input");
    // A function of an earlier line shows that line.
    terminal.enter("fn faulty(x) { x.missing() }", "\n");
    terminal.enter(
        "faulty(1)",
        "<repl>:4:(?s).*fn faulty\\(x\\) \\{ x.missing\\(\\) \\}",
    );
    terminal.enter("kept", "\n7\r\n");
    terminal.leave(CTRL_D);
}

#[test]
fn an_import_lasts() {
    let mut terminal = Terminal::start();
    terminal.enter("import \"nas/random\" as random;", "\n");
    terminal.enter(
        "random::search(1)",
        "'random::search' does not take 1 argument",
    );
    terminal.leave(CTRL_D);
}
