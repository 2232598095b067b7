//! `:studies` and `:attach`: a look at the searches of the store, running or finished. Only reads: whoever has a study
//! keeps it.

use std::sync::Arc;

use super::{Argument, Command, Failure, Next, needed, nothing};
use crate::error::{Error, Result};
use crate::repl::Repl;
use crate::repl::show::{Table, cut, policy, rewards, trials_table};
use crate::report::words::since;
use crate::script;
use crate::study::Trial;
use crate::study::store::{Kept, StudyStore};

pub(super) const COMMANDS: &[Command] = &[
    Command {
        name: ":studies",
        usage: "",
        about: "the studies of the store",
        argument: Argument::None,
        run: |repl, rest| {
            nothing(":studies", rest)?;
            let studies = repl.store()?.studies()?;
            match studies.is_empty() {
                true => repl.print("no studies"),
                false => repl.print(list(&studies).to_string().trim_end()),
            }
            Ok(Next::Line)
        },
    },
    Command {
        name: ":attach",
        usage: "STUDY",
        about: "a look into a running or finished search: trials, best, controller, rewards; again: as it is then",
        argument: Argument::Study,
        run: |repl, rest| {
            let name = needed(":attach", "the name of a study (:studies lists them)", rest)?;
            attach(repl, &*repl.store()?, name)?;
            Ok(Next::Line)
        },
    },
];

fn list(studies: &[Kept]) -> Table<6> {
    let mut table = Table::new([
        "study",
        "script",
        "#trials",
        "#best",
        "last trial",
        "fork of",
    ]);
    for kept in studies {
        let about = &kept.about;
        let best = kept.best.map_or("-".into(), |best| format!("{best:.4}"));
        let parent = about.parent.as_ref().map(|(parent, _)| parent.clone());
        table.row([
            about.name.clone(),
            cut(&about.script, 40),
            kept.trials.to_string(),
            best,
            kept.last_trial().map_or("-".into(), since),
            parent.unwrap_or_default(),
        ]);
    }
    table
}

fn attach(repl: &Repl, store: &dyn StudyStore, name: &str) -> Result<(), Failure> {
    let Some(kept) = store.find(name)? else {
        let studies = store.studies()?.into_iter();
        return Err(Error::unknown("study", name, studies.map(|kept| kept.about.name)).into());
    };
    let about = &kept.about;
    let trials = store.trials(kept.id)?.into_iter().map(Arc::new);
    let trials: Vec<Arc<Trial>> = trials.collect();
    let (script, seed, count) = (&about.script, about.seed.0, trials.len());
    let last = kept.last_trial().map(since);
    let last = last.map_or(String::new(), |last| format!(", the last {last}"));
    repl.print(&format!(
        "study '{name}': {script}, seed {seed}, {count} trials{last}"
    ));
    for (name, value) in &about.params {
        repl.print(&format!("  {name} = {value}"));
    }
    if !trials.is_empty() {
        repl.print(&trials_table(&trials, repl.signs()));
        let scored = trials.iter().filter(|trial| trial.score.is_some());
        let best = scored.reduce(|best, trial| {
            if trial.score > best.score {
                trial
            } else {
                best
            }
        });
        if let Some(best) = best {
            let (number, score) = (best.number, best.score.unwrap_or_default());
            repl.print(&format!(
                "best: trial {number}, {}, score {score:.4}",
                best.architecture()
            ));
        }
        if let Some(plot) = rewards(&trials, repl.signs()) {
            repl.print(&plot);
        }
    }
    match store.snapshot(kept.id, 0)? {
        Some((_, bytes)) => {
            let shown = script::kept_policy(&bytes, |controller| policy(controller, repl.signs()))?;
            repl.print(&shown?);
        }
        None => repl.print("no controller is kept so far"),
    }
    Ok(())
}
