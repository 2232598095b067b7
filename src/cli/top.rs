//! `nas-script top`: the best networks of a study.

use std::num::NonZeroUsize;

use serde_json::json;

use super::store::{LookArgs, find, print_table};
use crate::error::Result;
use crate::report::progress::say;
use crate::report::table::Table;
use crate::report::view::View;
use crate::report::words::{duration, grouped};

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The study.
    study: String,
    /// How many.
    #[arg(short, default_value = "10", value_name = "N")]
    n: NonZeroUsize,
    #[command(flatten)]
    look: LookArgs,
}

pub(super) fn run(arguments: &Arguments) -> Result<()> {
    let store = arguments.look.store()?;
    let kept = find(&*store, &arguments.study)?;
    let view = View::open(&*store, kept)?;
    let top = view.top(arguments.n.get());
    if arguments.look.json {
        let all = top.iter().map(|point| {
            json!({
                "trial": point.number, "score": point.score, "accuracy": point.accuracy, "loss": point.loss,
                "params": point.params, "macs": point.macs, "seconds": point.seconds, "architecture": point.architecture,
            })
        });
        say(&serde_json::Value::from_iter(all).to_string());
        return Ok(());
    }
    if top.is_empty() {
        say("no trial has a score so far");
        return Ok(());
    }
    let number = |value: Option<f64>| value.map_or("-".to_string(), |value| format!("{value:.4}"));
    let mut table = Table::new([
        "#rank",
        "#trial",
        "#score",
        "#accuracy",
        "#loss",
        "#parameters",
        "#MACs",
        "#training",
        "architecture",
    ]);
    for (rank, point) in (1..).zip(top) {
        table.row([
            format!("{rank}"),
            point.number.to_string(),
            number(point.score),
            number(point.accuracy),
            number(point.loss),
            grouped(point.params),
            grouped(point.macs),
            duration(point.seconds),
            point.architecture.to_string(),
        ]);
    }
    print_table(table);
    Ok(())
}
