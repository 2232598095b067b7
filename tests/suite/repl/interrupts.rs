//! Ctrl-C while something runs.

use std::time::Duration;

use super::terminal::{CTRL_C, CTRL_D, PROMPT, Terminal};

#[test]
fn it_stops_a_loop_each_time_and_keeps_the_session() {
    let mut terminal = Terminal::start();
    for n in 1..=2 {
        terminal.press(&format!(
            "let at_{n} = {n}; print(\"round {n}\"); loop {{}}\r"
        ));
        terminal.sees(&format!("\nround {n}\r\n"));
        terminal.press(CTRL_C);
        terminal.sees("interrupted");
        terminal.sees(PROMPT);
    }
    // What the lines had made is kept.
    terminal.enter("at_1 + at_2", "\n3\r\n");
    terminal.leave(CTRL_D);
}

#[test]
fn it_stops_a_search_that_trains_and_keeps_its_trials() {
    let mut terminal = Terminal::start();
    terminal.enter(
        "let manager = NetworkManager(dataset(\"digits\", #{ train: 600 }), #{ epochs: 2 });",
        "\n",
    );
    terminal.press(
        "let found = []; for n in 4..1_000 { found.push(manager.evaluate(\
         input([1, 8, 8]).conv2d(n, 3).relu().flatten().dense(10))); print(`trained ${n}`); }\r",
    );
    terminal.sees("\ntrained 4\r\n");
    terminal.sees("trained 5\r\n");
    terminal.press(CTRL_C);
    terminal.sees("stopping; everything so far is kept");
    terminal.sees("interrupted");
    terminal.sees(PROMPT);
    terminal.enter(
        "found.len() >= 2 && study.trials.len() - found.len() <= 1",
        "\ntrue\r\n",
    );
    terminal.enter("found[0].accuracy > 0.1", "\ntrue\r\n");
    // The next training is not stopped.
    terminal.enter(
        "manager.evaluate(input([1, 8, 8]).flatten().dense(10)).failure == ()",
        "\ntrue\r\n",
    );
    // In a script, the line that was stopped is marked.
    terminal.enter(":save stopped.rhai", "run it with");
    let place = terminal.leave(CTRL_D);
    assert!(
        place
            .read("stopped.rhai")
            .contains("// What follows was stopped by Ctrl-C.\nlet found")
    );
}

#[test]
fn a_second_one_ends_the_process_if_it_has_not_stopped_yet() {
    let mut terminal = Terminal::start();
    // Nothing stops the host in the midst of making images.
    terminal.press("print(\"making\"); synthetic(#{ samples: 100_000, shape: [3, 32, 32] });\r");
    terminal.sees("\nmaking\r\n");
    // It is in the midst of it, and will be for seconds.
    std::thread::sleep(Duration::from_secs(1));
    terminal.press(CTRL_C);
    terminal.sees("Ctrl-C again: stop now");
    terminal.press(CTRL_C);
    assert_eq!(terminal.ends(), 130);
}
