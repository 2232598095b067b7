//! `nas-script studies`: what a store holds.

use serde_json::json;

use super::store::{LookArgs, print_table};
use crate::error::Result;
use crate::report::progress::say;
use crate::report::table::Table;
use crate::report::words::since;

#[derive(clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    look: LookArgs,
}

/// Lists the studies of the store, in the order in which they were started.
pub(super) fn run(arguments: &Arguments) -> Result<()> {
    let store = arguments.look.store()?;
    let studies = store.studies()?.into_iter();
    let studies = studies.map(|kept| store.is_held(kept.id).map(|running| (kept, running)));
    let studies = studies.collect::<Result<Vec<_>>>()?;
    if arguments.look.json {
        let all = studies.iter().map(|(kept, running)| {
            json!({
                "study": kept.about.name, "script": kept.about.script, "seed": kept.about.seed.0, "running": running,
                "trials": kept.trials, "best": kept.best, "created": kept.created, "updated": kept.updated,
                "fork_of": kept.about.parent.as_ref().map(|(parent, _)| parent),
            })
        });
        say(&serde_json::Value::from_iter(all).to_string());
        return Ok(());
    }
    if studies.is_empty() {
        say("no studies");
        return Ok(());
    }
    let mut table = Table::new([
        "study",
        "state",
        "#trials",
        "#best",
        "last trial",
        "script",
        "fork of",
    ]);
    for (kept, running) in studies {
        let last = kept.last_trial().map_or("-".into(), since);
        let about = kept.about;
        table.row([
            about.name,
            if running { "running" } else { "not running" }.into(),
            kept.trials.to_string(),
            kept.best.map_or("-".into(), |best| format!("{best:.4}")),
            last,
            about.script,
            about.parent.map(|(parent, _)| parent).unwrap_or_default(),
        ]);
    }
    print_table(table);
    Ok(())
}
