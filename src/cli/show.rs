//! `nas-script show`: one study in the terminal.

use serde_json::json;

use super::store::{LookArgs, find};
use crate::error::Result;
use crate::report::curves::scores;
use crate::report::document::origin;
use crate::report::plot::Signs;
use crate::report::progress::say;
use crate::report::view::View;
use crate::report::words::{accuracy, duration, shown, since};

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The study.
    study: String,
    #[command(flatten)]
    look: LookArgs,
}

pub(super) fn run(arguments: &Arguments) -> Result<()> {
    let store = arguments.look.store()?;
    let kept = find(&*store, &arguments.study)?;
    let view = View::open(&*store, kept)?;
    match arguments.look.json {
        true => say(&as_json(&view).to_string()),
        false => tell(&view),
    }
    Ok(())
}

fn tell(view: &View) {
    let about = &view.kept.about;
    let mut facts = origin(view);
    let state = if view.running {
        "running"
    } else {
        "not running"
    };
    facts.insert(1, ("state", state.into()));
    if let Some(folder) = &about.folder {
        facts.push(("folder", folder.display().to_string()));
    }
    if let Some(environment) = &about.environment {
        let (version, device) = (&environment.version, &environment.device);
        facts.push((
            "with",
            format!(
                "nas-script {version} on {device}, {}",
                environment.processor
            ),
        ));
    }
    let (failed, kinds) = view.failed();
    let mut trials = view.points.len().to_string();
    if let Some(last) = view.kept.last_trial() {
        trials += &format!(", the last {}", since(last));
    }
    if view.known() > 0 {
        trials += &format!("; {} known before", view.known());
    }
    if failed > 0 {
        trials += &format!("; {failed} failed: {kinds}");
    }
    facts.push(("trials", trials));
    if let Some(best) = view.best() {
        let score = best.score.unwrap_or_default();
        facts.push((
            "best",
            format!("{score:.4} at trial {}, {}", best.number, best.architecture),
        ));
    }
    for tested in &view.tests {
        facts.push((
            "on test images",
            format!(
                "{} (network {})",
                accuracy(tested.accuracy),
                tested.network.short()
            ),
        ));
    }
    facts.push(("training", duration(view.seconds())));
    facts.push((
        "work",
        duration(view.points.last().map_or(0.0, |point| point.elapsed)),
    ));
    for (_, teaching) in view.taught() {
        let last = |name: &str| teaching.series(name).last().copied();
        if let Some((step, entropy)) = last("controller/entropy") {
            let loss = last("total_loss").map(|(_, loss)| format!(", loss {loss:.4}"));
            facts.push((
                "controller",
                format!(
                    "{step} updates, entropy {entropy:.2} nats{}",
                    loss.unwrap_or_default()
                ),
            ));
        }
    }
    let width = facts.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    for (name, value) in facts {
        say(&format!("{name:<width$}  {}", shown(&value)));
    }
    let points: Vec<(f64, f64)> = view
        .points
        .iter()
        .filter_map(|point| Some((point.number as f64, point.score?)))
        .collect();
    if points.len() > 1 {
        say("");
        say(scores(points, Signs::of_terminal()).to_string().trim_end());
    }
}

fn as_json(view: &View) -> serde_json::Value {
    let about = &view.kept.about;
    let failures = view.failures().into_iter();
    let failures = failures.map(|(kind, count)| (kind.to_string(), json!(count)));
    json!({
        "study": about.name, "running": view.running, "script": about.script, "seed": about.seed.0,
        "params": about.params, "fork_of": about.parent, "folder": about.folder, "kernel_version": about.kernel_version,
        "environment": about.environment, "data": view.data, "created": view.kept.created, "updated": view.kept.updated,
        "trials": view.points.len(), "known": view.known(),
        "failures": serde_json::Value::Object(failures.collect()),
        "best": view.best().map(|best| json!({
            "number": best.number, "score": best.score, "accuracy": best.accuracy, "params": best.params,
            "macs": best.macs, "architecture": best.architecture,
        })),
        "tests": view.tests, "seconds": view.seconds(),
    })
}
