//! From an answer to a trial: the reward, the record, the best child. Knows nothing of how it was answered.

use std::sync::Arc;

use super::candidate::{Evaluated, Reaction};
use super::{NetworkManager, Training, child_seed};
use crate::child::{Examination, Score, Weights};
use crate::error::{Error, Result};
use crate::evaluation::{Evaluation, Failure, FailureKind};
use crate::network::Network;
use crate::study::{Tested, Trial};

/// The file of the best child's weights in a run's folder.
pub const BEST_WEIGHTS_FILE: &str = "best.safetensors";
/// The file of the best child's network and trial in a run's folder.
pub const BEST_TRIAL_FILE: &str = "best.json";

impl NetworkManager {
    /// The trial that `evaluated` would be, before its reward is known: what a script's own reward
    /// function sees.
    pub fn preview(&self, evaluated: &Evaluated) -> Trial {
        let candidate = &evaluated.candidate;
        Trial {
            number: self.study.lock().trials().len() + 1,
            ask: evaluated.ask,
            tag: candidate.tag.clone(),
            actions: candidate.actions.as_ref().map(Into::into),
            reward: 0.0,
            score: evaluated.score.or(evaluated.outcome.accuracy),
            objective: evaluated.outcome.accuracy,
            cached: evaluated.cached,
            skipped: false,
            digest: evaluated.digest,
            evaluation: evaluated.asked.clone(),
            row: evaluated.row().map(Into::into),
            attempts: evaluated.attempts.clone(),
            outcome: evaluated.outcome.clone(),
            elapsed: 0.0,
        }
    }

    /// Makes a trial of `evaluated`: shapes the reward and records it in the study. `value` is
    /// what the script's own reward function made of the outcome, if there is one; it is then
    /// both the reward and the score. `reaction` says what a failure is worth.
    ///
    /// # Errors
    /// As [`Study::record`](crate::study::Study::record).
    pub fn record(
        &mut self,
        mut evaluated: Evaluated,
        value: Option<f64>,
        reaction: Reaction,
    ) -> Result<Arc<Trial>> {
        if let Some(v) = value.filter(|v| !v.is_finite()) {
            evaluated.outcome.failure = Some(Failure {
                kind: FailureKind::Nan,
                message: format!("the reward function returned {v}"),
            });
        }
        let accuracy = evaluated.outcome.accuracy;
        let score = value.or(evaluated.score).or(accuracy);
        let score = score.filter(|_| evaluated.outcome.failure.is_none());
        let reward = match (score.and(value.or(accuracy)), value, reaction) {
            (None, _, Reaction::Penalise(reward)) => reward,
            (None, _, _) => self.failure_reward(),
            (Some(value), Some(_), _) => value,
            (Some(accuracy), None, _) => self.shaper.shape(accuracy),
        };
        let objective = match (score.and(value.or(accuracy)), reaction) {
            (Some(observed), _) => observed,
            (None, Reaction::Penalise(_)) => reward,
            // Nothing is known to be worse.
            (None, _) => self.study.lock().lowest().unwrap_or(reward),
        };
        let trial = Trial {
            reward,
            score,
            objective: Some(objective),
            skipped: score.is_none() && reaction == Reaction::Skip,
            ..self.preview(&evaluated)
        };
        let (trial, is_best) = self.study.lock().record(trial)?;
        if let (true, Some(asked)) = (is_best, &trial.evaluation) {
            self.keep_best(asked, &trial, evaluated.weights)?;
        }
        Ok(trial)
    }

    /// Keeps the best child so far: its weights at hand, and in the run's folder if there is one.
    fn keep_best(
        &mut self,
        asked: &Evaluation,
        trial: &Trial,
        weights: Option<Weights>,
    ) -> Result<()> {
        let filed = || self.training().ok()?.files.as_ref()?.weights(asked);
        let weights = match weights.or_else(filed) {
            Some(weights) => Some(weights),
            // What was recorded in an earlier session is not paid for again, unless it is asked for.
            None if self.study.lock().replayed(trial.number) => None,
            // An outcome that was known already may have come without weights.
            None => self.train(asked, None, true)?.weights,
        };
        let Some(weights) = weights else {
            return Ok(());
        };
        let study = self.study.lock();
        if let Some(folder) = study.folder() {
            weights.save(folder.file(BEST_WEIGHTS_FILE))?;
            write_json(&folder.file(BEST_TRIAL_FILE), trial)?;
        }
        self.best = Some(Arc::new((asked.network.clone(), weights)));
        Ok(())
    }

    fn failure_reward(&self) -> f64 {
        let lowest = self.shaper.lowest();
        self.config.failure_reward.unwrap_or(lowest)
    }

    /// The last child of this manager that was the best of the study, with its weights.
    pub fn best(&self) -> Option<Arc<(Network, Weights)>> {
        self.best.clone()
    }

    /// The trained weights of `network`, for `purpose`: those at hand, else it is trained once more. An
    /// evaluation is a pure function, so they are the same weights. The best child of the study has the
    /// epochs that made it the best, another those of the manager's settings.
    ///
    /// # Errors
    /// [`Error::Invalid`] where the network cannot be trained; [`Error::Interrupted`].
    pub fn weights(&self, network: &Network, purpose: &str) -> Result<Weights> {
        if let Some(best) = self.best.as_ref().filter(|best| best.0 == *network) {
            return Ok(best.1.clone());
        }
        let training = self.training()?;
        let seed = child_seed(&self.study.lock(), 0);
        let mut asked = training.question(network, None, seed);
        let best = self
            .study
            .lock()
            .best()
            .and_then(|best| best.evaluation.clone());
        let same = |best: &Evaluation| {
            best.network.digest() == network.digest() && best.data == asked.data
        };
        if let Some(best) = best.filter(same) {
            asked = best;
        }
        let filed = training.files.as_ref();
        if let Some(weights) = filed.and_then(|files| files.weights(&asked)) {
            return Ok(weights);
        }
        let trained = self.train(&asked, None, true)?;
        match (trained.weights, trained.outcome.failure) {
            (Some(weights), None) => Ok(weights),
            (_, failure) => {
                let found = failure.map_or("no weights".into(), |f| f.to_string());
                Err(Error::invalid(purpose, "a network that trains", found))
            }
        }
    }

    /// Scores `network` on the *test* split, with its [`weights`](Self::weights), and records it in the study.
    ///
    /// # Errors
    /// As [`weights`](Self::weights); where it cannot be recorded.
    pub fn test(&self, network: &Network) -> Result<Score> {
        let weights = self.weights(network, "test")?;
        let Training { executor, data, .. } = self.training()?;
        let Examination { score, confusion } = executor.test(network, &weights, data)?;
        self.study.lock().tested(&Tested {
            network: network.digest(),
            accuracy: score.accuracy,
            loss: score.loss,
            classes: data.classes().to_vec(),
            confusion,
        })?;
        Ok(score)
    }
}

/// Writes `value` as JSON in one step: a reader sees the old file or the new one.
fn write_json(path: &std::path::Path, value: &impl serde::Serialize) -> Result<()> {
    let json = serde_json::to_vec_pretty(value).map_err(std::io::Error::from);
    let partial = path.with_extension("part");
    json.and_then(|json| std::fs::write(&partial, json))
        .and_then(|()| std::fs::rename(&partial, path))
        .map_err(Error::io("write", path))
}
