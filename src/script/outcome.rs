//! `Outcome` for scripts.

use std::sync::Arc;

use rhai::plugin::*;
use rhai::{Array, Dynamic, Engine};

use super::{Scripted, raise};
use crate::study::Trial;

/// What an evaluation came to.
#[derive(Clone)]
pub(super) struct Outcome(Arc<Trial>);

impl Outcome {
    pub(super) fn new(trial: impl Into<Arc<Trial>>) -> Self {
        Self(trial.into())
    }

    pub(super) fn trial(&self) -> &Arc<Trial> {
        &self.0
    }
}

pub(super) fn register(engine: &mut Engine) {
    engine.register_type_with_name::<Outcome>("Outcome");
    engine.register_global_module(exported_module!(outcomes).into());
}

/// `()` for what is not known.
fn known(value: Option<f64>) -> Dynamic {
    value.map_or(Dynamic::UNIT, Dynamic::from_float)
}

/// # Outcome
///
/// What became of an evaluation. Of a failure `accuracy`, `loss` and `score` are `()`, and `failure` says why.
///
/// ```rhai
/// let manager = NetworkManager(dataset("digits", #{ train: 200 }), #{ epochs: 2 });
/// let net = input([1, 8, 8]).conv2d(4, 3).relu().flatten().dense(10);
/// let outcome = manager.evaluate(net);
/// print(outcome);
/// print(outcome.trial);                          // 1
/// print(outcome.accuracy + ", loss " + outcome.loss);
/// print(outcome.reward);                         // what a controller learns from
/// print(outcome.objective);                      // what a search maximises
/// print(outcome.score);                          // what trials are ranked by
/// for epoch in outcome.history { print(epoch.validation_accuracy); }
/// print(outcome.seconds + " s, stopped early: " + outcome.stopped);
/// print(outcome.params + " parameters, " + outcome.macs + " MACs");
/// print(outcome.architecture + " " + outcome.values);
/// print(outcome.network.shape);                  // [10]
/// print(outcome.cached);                         // false
/// if outcome.failure != () { print(outcome.failure.kind + ": " + outcome.failure.message); }
/// print(outcome.skipped);                        // false
/// print(outcome.attempts);                       // 1
///
/// // Several seeds, and a tag.
/// manager.submit(net, "three seeds", #{ repeats: 3 });
/// let outcome = manager.next();
/// print(outcome.tag);                            // three seeds
/// print(outcome.accuracies);
/// print(outcome.interval);                       // of 95 %
/// ```
#[export_module]
mod outcomes {
    /// The number of the trial, from 1.
    #[rhai_fn(get = "trial", pure)]
    pub fn trial(outcome: &mut Outcome) -> i64 {
        outcome.0.number as i64
    }

    /// The reward that a controller learns from; `()` where the script's failure function wants none.
    #[rhai_fn(get = "reward", pure)]
    pub fn reward(outcome: &mut Outcome) -> Dynamic {
        known((!outcome.0.skipped).then_some(outcome.0.reward))
    }

    /// What a search maximises, on one scale for all trials: the value of the script's reward function if there is
    /// one, else the validation accuracy (of a benchmark table the one that was drawn). Of a failure the number that
    /// the script's failure function gave, else the lowest of the trials before; `()` where it wants none.
    #[rhai_fn(get = "objective", pure)]
    pub fn objective(outcome: &mut Outcome) -> Dynamic {
        known((!outcome.0.skipped).then(|| outcome.0.objective()))
    }

    /// Whether the script's failure function wants no policy to learn from it.
    #[rhai_fn(get = "skipped", pure)]
    pub fn skipped(outcome: &mut Outcome) -> bool {
        outcome.0.skipped
    }

    /// How often the network was tried, from 1; more than once where the script's failure function wanted it.
    #[rhai_fn(get = "attempts", pure)]
    pub fn attempts(outcome: &mut Outcome) -> i64 {
        outcome.0.attempts.len() as i64 + 1
    }

    /// What the script called it when it submitted it; `()` for nothing.
    #[rhai_fn(get = "tag", return_raw, pure)]
    pub fn tag(outcome: &mut Outcome) -> Scripted<Dynamic> {
        let tag = outcome.0.tag.as_ref();
        tag.map_or(Ok(Dynamic::UNIT), rhai::serde::to_dynamic)
    }

    /// The 95 % confidence interval of the accuracy, `[low, high]`, where it is a mean over several seeds; else `()`.
    #[rhai_fn(get = "interval", pure)]
    pub fn interval(outcome: &mut Outcome) -> Dynamic {
        let interval = outcome.0.outcome.interval;
        interval.map_or(Dynamic::UNIT, |ends| {
            Dynamic::from(ends.map(Dynamic::from_float).to_vec())
        })
    }

    /// The accuracy of each seed, where there are several.
    #[rhai_fn(get = "accuracies", pure)]
    pub fn accuracies(outcome: &mut Outcome) -> Array {
        let accuracies = outcome.0.outcome.accuracies.iter();
        accuracies.copied().map(Dynamic::from_float).collect()
    }

    /// Why the training ended early, "patience" or "median"; `()` where it did not.
    #[rhai_fn(get = "stopped", pure)]
    pub fn stopped(outcome: &mut Outcome) -> Dynamic {
        let stopped = outcome.0.outcome.stopped;
        stopped.map_or(Dynamic::UNIT, |stopped| stopped.to_string().into())
    }

    /// What trials are ranked by; `()` for a failure.
    #[rhai_fn(get = "score", pure)]
    pub fn score(outcome: &mut Outcome) -> Dynamic {
        known(outcome.0.score)
    }

    /// The validation accuracy of the best epoch, 0 to 1; `()` for a failure.
    #[rhai_fn(get = "accuracy", pure)]
    pub fn accuracy(outcome: &mut Outcome) -> Dynamic {
        known(outcome.0.outcome.accuracy)
    }

    /// The validation loss of the best epoch; `()` for a failure.
    #[rhai_fn(get = "loss", pure)]
    pub fn loss(outcome: &mut Outcome) -> Dynamic {
        known(outcome.0.outcome.loss)
    }

    /// An object an epoch: `epoch`, `loss`, `accuracy`, `validation_loss`,
    /// `validation_accuracy`, `learning_rate`, `seconds`.
    #[rhai_fn(get = "history", return_raw, pure)]
    pub fn history(outcome: &mut Outcome) -> Scripted<Dynamic> {
        rhai::serde::to_dynamic(&outcome.0.outcome.history)
    }

    /// How long the training took, in seconds.
    #[rhai_fn(get = "seconds", pure)]
    pub fn seconds(outcome: &mut Outcome) -> f64 {
        outcome.0.outcome.seconds
    }

    /// The number of trainable parameters.
    #[rhai_fn(get = "params", pure)]
    pub fn params(outcome: &mut Outcome) -> i64 {
        outcome.0.outcome.params as i64
    }

    /// Multiply-accumulate operations for one image.
    #[rhai_fn(get = "macs", pure)]
    pub fn macs(outcome: &mut Outcome) -> i64 {
        outcome.0.outcome.macs as i64
    }

    /// Whether the outcome was known already, so that nothing was trained.
    #[rhai_fn(get = "cached", pure)]
    pub fn cached(outcome: &mut Outcome) -> bool {
        outcome.0.cached
    }

    /// A short name of the architecture.
    #[rhai_fn(get = "architecture", pure)]
    pub fn architecture(outcome: &mut Outcome) -> String {
        outcome.0.architecture()
    }

    /// The values that were decided, as `actions.values`; empty for a plain network.
    #[rhai_fn(get = "values", pure)]
    pub fn values(outcome: &mut Outcome) -> Array {
        let decided = outcome.0.actions.iter().flat_map(|a| &a.decided);
        decided
            .map(|d| super::super::space::dynamic(&d.value))
            .collect()
    }

    /// The network that was evaluated; `()` for an impossible one.
    #[rhai_fn(get = "network", return_raw, pure)]
    pub fn network(outcome: &mut Outcome) -> Scripted<Dynamic> {
        let asked = outcome.0.evaluation.as_ref();
        let node = asked.map(|asked| asked.network.to_node().map_err(raise));
        Ok(node.transpose()?.map_or(Dynamic::UNIT, Dynamic::from))
    }

    /// `()` for a success; else an object with `kind` ("nan", "invalid", "panic", "timeout", "limit", "oom",
    /// "killed", "lost", "cancelled") and `message`.
    #[rhai_fn(get = "failure", return_raw, pure)]
    pub fn failure(outcome: &mut Outcome) -> Scripted<Dynamic> {
        match &outcome.0.outcome.failure {
            Some(failure) => rhai::serde::to_dynamic(failure),
            None => Ok(Dynamic::UNIT),
        }
    }

    /// The outcome in a line.
    #[rhai_fn(
        name = "to_string",
        name = "print",
        name = "to_debug",
        name = "debug",
        pure
    )]
    pub fn show(outcome: &mut Outcome) -> String {
        let trial = &outcome.0;
        let (number, name) = (trial.number, trial.architecture());
        match (&trial.outcome.failure, trial.outcome.accuracy) {
            (None, Some(accuracy)) => {
                let (reward, params) = (trial.reward, trial.outcome.params);
                let seconds = trial.outcome.seconds;
                let from = if trial.cached { ", known already" } else { "" };
                format!(
                    "trial {number}: {name}: accuracy {accuracy:.4}, reward {reward:.4}, {params} parameters, {seconds:.1} s{from}"
                )
            }
            (failure, _) => {
                let failure = failure
                    .as_ref()
                    .map_or("no accuracy".into(), ToString::to_string);
                format!("trial {number}: {name}: failed: {failure}")
            }
        }
    }
}
