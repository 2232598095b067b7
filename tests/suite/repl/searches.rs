//! A look into searches that other processes run.

use std::process::{Child, Stdio};

use super::terminal::{CTRL_D, PROMPT, Terminal};
use crate::harness::Place;

const SEARCH: &str = r#"
let space = StateSpace();
space.add_state("filters", [4, 6, 8, 10, 12, 14, 16, 18]);
let controller = Controller(2, space, #{ novel: false });
let manager = NetworkManager(dataset("digits", #{ train: 200 }), #{ epochs: 1 });
fn model(actions) {
    let x = input([1, 8, 8]);
    for layer in actions.layers { x = x.conv2d(layer.filters, 3).relu(); }
    x.flatten().dense(10)
}
for trial in trials(param("trials", 100_000, "how many")) {
    let actions = controller.get_action();
    controller.store_rollout(actions, manager.get_rewards(model, actions).reward);
    controller.train_step();
}
"#;

/// A search in a process of its own, which ends with this.
struct Search(Child);

impl Search {
    fn start(place: &Place) -> Self {
        place.write("search.rhai", SEARCH);
        let mut command =
            place.command(&["search.rhai", "-q", "--study", "live", "--workers", "0"]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        Self(command.spawn().unwrap())
    }

    fn goes_on(&mut self) -> bool {
        self.0.try_wait().unwrap().is_none()
    }
}

impl Drop for Search {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Attaches until the study has `least` trials, and returns how many it has.
fn attach(terminal: &mut Terminal, least: usize) -> usize {
    loop {
        terminal.press(":attach live\r");
        let line = terminal.sees("study 'live': search.rhai, seed 0, \\d+ trials");
        let trials = line.split(' ').rev().nth(1).unwrap().parse().unwrap();
        if trials >= least {
            return trials;
        }
        terminal.sees(PROMPT);
    }
}

#[test]
fn a_search_of_another_process_is_looked_into_while_it_runs() {
    let place = Place::new();
    let mut search = Search::start(&place);
    let mut terminal = Terminal::start_in(place);
    // Until it has begun there is no store, then no study.
    loop {
        terminal.press(":studies\r");
        if terminal.sees("\n(?s).*nas> ").contains("live") {
            break;
        }
        assert!(search.goes_on());
    }
    terminal.completes(":attach li", ":attach live");
    let first = attach(&mut terminal, 4);
    terminal.sees("trial +architecture +accuracy");
    terminal.sees("best: trial \\d+, .*, score 0\\.");
    terminal.sees("reward.*best so far");
    terminal.sees("Controller for 2 layers after \\d+ updates(?s).*layer_2/filters .*: 0\\.\\d{3}");
    terminal.sees(PROMPT);
    // Attaching again shows what has come since; the search was not stopped, and is still the owner of its study.
    attach(&mut terminal, first + 2);
    terminal.sees(PROMPT);
    assert!(search.goes_on());
    // One that has ended can be looked into too.
    drop(search);
    attach(&mut terminal, first + 2);
    terminal.sees("Controller for 2 layers");
    terminal.sees(PROMPT);
    terminal.enter(
        ":attach lives",
        "unknown study 'lives'; did you mean 'live'\\?",
    );
    terminal.leave(CTRL_D);
}

#[test]
fn without_a_store_none_is_made() {
    let mut terminal = Terminal::start();
    terminal.enter(
        ":studies",
        "expected a store that is there \\(--store\\), found nas-studies.db",
    );
    let place = terminal.leave(CTRL_D);
    assert!(!place.path("nas-studies.db").exists());
}
