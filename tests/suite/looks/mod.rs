//! What people look at: the dashboard and the report in a real browser, tables and the live view in a terminal.

pub mod browser;
mod dashboard;
mod report;
mod tables;

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use crate::harness::Place;

/// A script tag, HTML, and 10 kB of Unicode that turns, combines and controls.
pub fn hostile(what: &str) -> String {
    let long = "ネットワーク探索\u{202e}e\u{301}🧠\u{200b}".repeat(200);
    format!(
        "<script>document.title='owned by {what}'</script><img src=x onerror=\"alert(1)\"><b>{what}</b>' \" & {long}"
    )
}

/// A search of digits with trials that fail; `trials` and `pause` are its parameters.
pub const DIGITS: &str = r#"
let trials = param("trials", 12, "how many");
let space = StateSpace();
space.add_state("kernel", [1, 3]);
space.add_state("filters", [4, 8]);
space.add_choice("head", ["gap", "broken"]);
fn model(actions) {
    let x = input([1, 8, 8]);
    for layer in actions.layers { x = x.conv2d(layer.filters, layer.kernel).relu(); }
    if actions.head == "broken" { x = x.conv2d(8, 99, #{ padding: "valid" }); }
    x.global_avg_pool().dense(10)
}
let manager = NetworkManager(dataset("digits", #{ train: 200, validation: 100 }), #{ epochs: 2, batch_size: 64 });
let controller = Controller(2, space);
for trial in trials(trials) {
    let actions = if trial % 2 == 0 { space.get_random_state_space(2) } else { controller.get_action() };
    let outcome = manager.get_rewards(Fn("model"), actions);
    controller.store_rollout(actions, outcome.reward);
    // It warms up first: there are updates to come while it is looked at.
    if trial > 4 { controller.train_step(); }
}
if study.best != () { print(manager.test(study.best.network)); }
"#;

/// `nas-script dashboard` of the store in a place, until it is dropped.
pub struct Dashboard {
    process: Child,
    /// Its address, with a slash at the end.
    pub address: String,
}

impl Dashboard {
    pub fn start(place: &Place, arguments: &[&str]) -> Self {
        let mut all = vec!["dashboard", "--port", "0"];
        all.extend(arguments);
        let mut process = place
            .command(&all)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(process.stdout.take().unwrap()).lines();
        let first = said.next().unwrap().unwrap();
        let address = first.strip_prefix("dashboard: ").unwrap().to_string();
        Self { process, address }
    }
}

impl Drop for Dashboard {
    fn drop(&mut self) {
        let _ = Command::new("kill")
            .args(["-TERM", &self.process.id().to_string()])
            .status();
        let _ = self.process.wait();
    }
}
