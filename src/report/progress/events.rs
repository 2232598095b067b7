//! `--json`: what happens in a run as one JSON object a line of standard output. docs/live.md has the schema.

use std::io::Write;

use serde_json::{Value, json};

use crate::evaluation::Epoch;
use crate::study::{Learned, Tested, Trial};

/// Writes an event at once. A reader that went away ends no search.
pub(super) fn emit(event: &Value) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{event}").and_then(|()| out.flush());
}

pub(super) fn trial(trial: &Trial) -> Value {
    let outcome = &trial.outcome;
    let failure = outcome.failure.as_ref();
    json!({
        "event": "trial",
        "number": trial.number,
        "architecture": trial.architecture(),
        "reward": trial.reward,
        "score": trial.score,
        "accuracy": outcome.accuracy,
        "loss": outcome.loss,
        "params": outcome.params,
        "macs": outcome.macs,
        "epochs": outcome.history.len(),
        "seconds": outcome.seconds,
        "elapsed": trial.elapsed,
        "cached": trial.cached,
        "failure": failure.map(|failure| json!({ "kind": failure.kind, "message": failure.message })),
        "digest": trial.digest.map(|digest| digest.to_string()),
        "tag": trial.tag,
    })
}

pub(super) fn update(learned: &Learned) -> Value {
    let scalars = learned
        .scalars
        .iter()
        .map(|(name, value)| (name.clone(), json!(value)));
    json!({
        "event": "update",
        "controller": learned.controller,
        "step": learned.step,
        "trials": learned.trials,
        "scalars": Value::Object(scalars.collect()),
    })
}

pub(super) fn test(tested: &Tested) -> Value {
    json!({
        "event": "test",
        "network": tested.network.to_string(),
        "accuracy": tested.accuracy,
        "loss": tested.loss,
        "classes": tested.classes,
        "confusion": tested.confusion,
    })
}

pub(super) fn epoch(child: u64, epoch: &Epoch) -> Value {
    json!({
        "event": "epoch",
        "child": child,
        "epoch": epoch.epoch,
        "loss": epoch.loss,
        "accuracy": epoch.accuracy,
        "validation_loss": epoch.validation_loss,
        "validation_accuracy": epoch.validation_accuracy,
        "learning_rate": epoch.learning_rate,
        "seconds": epoch.seconds,
    })
}
