//! TensorBoard's own reader finds what a run wrote.

use std::process::Command;

use crate::python::python;
use crate::runs::digits_run;

/// Prints `tag count all-finite first-step last-step`, a line a scalar.
const READER: &str = r#"
import math, sys
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
events = EventAccumulator(sys.argv[1])
events.Reload()
for tag in sorted(events.Tags()["scalars"]):
    read = events.Scalars(tag)
    finite = all(math.isfinite(event.value) for event in read)
    print(tag, ",".join(str(event.step) for event in read), finite)
"#;

#[test]
fn tensorboard_reads_every_scalar_by_name() {
    let run = digits_run();
    let output = Command::new(python("tensorboard-reader", &["tensorboard"]))
        .args(["-c", READER])
        .arg(run.place.path("run"))
        .output()
        .unwrap();
    let (found, said) = (
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    assert!(output.status.success(), "{said}");

    let controller = ["learning_rate", "discounted_reward", "total_loss"];
    let controller = controller.map(String::from).into_iter();
    // One cross-entropy a decision: two states in each of three layers.
    let losses = (1..=6).map(|state| format!("state_{state}_ce_loss"));
    let child = ["child/accuracy", "child/loss", "child/reward"].map(String::from);
    for tag in controller.chain(losses).chain(child) {
        let line = found
            .lines()
            .find(|line| line.starts_with(&format!("{tag} ")));
        let expected = format!("{tag} 1,2,3 True");
        assert_eq!(line, Some(expected.as_str()), "all scalars:\n{found}");
    }
}
