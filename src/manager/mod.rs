//! `NetworkManager`: answers what a network is worth, from the study where it is known, else by
//! training it, and shapes the reward. Knows nothing of scripts, nor of where a child is trained.

mod answers;
mod config;
mod crew;
mod executor;
mod files;
mod limits;
mod reward;

#[cfg(test)]
mod tests;

pub use answers::{Answers, Candidate, Evaluated};
pub use config::{ClipRewards, ManagerConfig};
pub use crew::{Crew, Workers};
pub use executor::{Ended, Executor, Follow, InProcess, Jobs};
pub use files::Files;
pub use reward::RewardShaper;

use std::collections::BTreeMap;
use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use self::answers::{Place, lost};
use crate::child::{Score, Trained, Weights};
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::evaluation::{DataKey, Evaluation, Failure, FailureKind, Outcome, TrainingConfig};
use crate::network::Network;
use crate::seed::Seed;
use crate::study::{Study, Trial};

/// The file of the best child's weights in a run's folder.
pub const BEST_WEIGHTS_FILE: &str = "best.safetensors";
/// The file of the best child's network and trial in a run's folder.
pub const BEST_TRIAL_FILE: &str = "best.json";

/// Answers evaluations on one data set under one set of training settings.
pub struct NetworkManager {
    data: Dataset,
    training: TrainingConfig,
    config: ManagerConfig,
    shaper: RewardShaper,
    study: Arc<Mutex<Study>>,
    executor: Arc<dyn Executor>,
    files: Option<Arc<Files>>,
    /// See [`best`](Self::best); what [`test`](Self::test) is asked for most.
    best: Option<Arc<(Network, Weights)>>,
}

impl NetworkManager {
    /// Creates a manager that records in `study` and trains with `executor`.
    ///
    /// # Errors
    /// [`Error::Invalid`] where an option's value is out of range.
    pub fn new(
        data: Dataset,
        training: TrainingConfig,
        config: ManagerConfig,
        study: Arc<Mutex<Study>>,
        executor: Arc<dyn Executor>,
    ) -> Result<Self> {
        training.validate()?;
        config.validate()?;
        let files = config.checkpoints.then(|| Files::Memory(Mutex::default()));
        Ok(Self {
            files: files.map(Arc::new),
            shaper: RewardShaper::new(config.acc_beta, config.clip_rewards.bound()),
            data,
            training,
            config,
            study,
            executor,
            best: None,
        })
    }

    /// The data set.
    pub fn data(&self) -> &Dataset {
        &self.data
    }

    /// The training settings.
    pub fn training(&self) -> &TrainingConfig {
        &self.training
    }

    /// The moving average of accuracies that rewards are measured against; `None` before the
    /// first success.
    pub fn moving_accuracy(&self) -> Option<f64> {
        self.shaper.moving_accuracy()
    }

    /// What is asked when `network` is evaluated, over so many `epochs` or the manager's.
    fn question(&self, network: &Network, epochs: Option<NonZero<usize>>) -> Evaluation {
        let mut training = self.training.clone();
        training.epochs = epochs.map_or(training.epochs, NonZero::get);
        Evaluation {
            network: network.clone(),
            data: DataKey {
                name: self.data.name().into(),
                split: self.data.split_key(),
                content: self.data.content_hash().into(),
            },
            training,
            seed: child_seed(&self.study.lock()),
        }
    }

    /// Answers for `candidates`: from the study, where they were evaluated before, else by training
    /// them, several at a time where the executor can. What is asked twice is trained once. A network
    /// beyond a limit of the manager is a failure, known or not, and is not trained. With the option
    /// `checkpoints` more epochs of a child go on from where it was, if it may
    /// [come to the same](crate::child::Checkpoint::check).
    ///
    /// # Errors
    /// Where the executor cannot start. What goes wrong in a child is in its outcome.
    pub fn evaluate(&self, candidates: Vec<Candidate>) -> Result<Answers> {
        let mut jobs = Vec::new();
        let mut job_of = BTreeMap::new();
        let mut place = |candidate: Candidate| {
            let mut evaluated = Evaluated {
                actions: candidate.actions,
                asked: None,
                outcome: Outcome::default(),
                cached: false,
                weights: None,
            };
            let network = match candidate.network {
                Ok(network) => network,
                Err(message) => {
                    evaluated.outcome.failure = Some(Failure::new(FailureKind::Invalid, message));
                    return Place::known(evaluated);
                }
            };
            let asked = self.question(&network, candidate.epochs);
            if let Some(failure) = self.config.exceeded(&asked) {
                evaluated.asked = Some(asked);
                evaluated.outcome = Outcome {
                    params: network.params(),
                    macs: network.macs(),
                    failure: Some(failure),
                    ..Outcome::default()
                };
                return Place::known(evaluated);
            }
            let digest = asked.digest();
            evaluated.asked = Some(asked.clone());
            if let Some(known) = self.study.lock().outcome(&digest) {
                evaluated.outcome = known.clone();
                evaluated.cached = true;
                return Place::known(evaluated);
            }
            evaluated.cached = job_of.contains_key(&digest);
            let job = *job_of.entry(digest).or_insert_with(|| {
                jobs.push(asked);
                jobs.len() - 1
            });
            Place::trained(evaluated, job)
        };
        let places: Vec<Place> = candidates.into_iter().map(&mut place).collect();
        let timeout = self.config.timeout.map(Duration::from_secs_f64);
        let jobs = self.jobs(jobs, timeout);
        Answers::start(places, jobs, &*self.executor, self.study.clone())
    }

    fn jobs(&self, asked: Vec<Evaluation>, timeout: Option<Duration>) -> Jobs {
        Jobs {
            files: self.files.clone(),
            checkpoints: self.config.checkpoints,
            ..Jobs::new(asked, self.data.clone(), timeout)
        }
    }

    /// Trains what `asked` asks for, however long it takes.
    fn train(&self, asked: Evaluation) -> Result<Trained> {
        let jobs = Jobs {
            again: true,
            ..self.jobs(vec![asked], None)
        };
        let ended = self.executor.start(jobs)?.into_iter().last();
        ended.map_or_else(|| Ok(lost()), |ended| ended.trained)
    }

    /// The trial that `evaluated` would be, before its reward is known: what a script's own reward
    /// function sees.
    pub fn preview(&self, evaluated: &Evaluated) -> Trial {
        Trial {
            number: self.study.lock().trials().len() + 1,
            actions: evaluated.actions.as_ref().map(Into::into),
            reward: 0.0,
            score: evaluated.outcome.accuracy,
            cached: evaluated.cached,
            digest: evaluated.asked.as_ref().map(Evaluation::digest),
            evaluation: evaluated.asked.clone(),
            outcome: evaluated.outcome.clone(),
        }
    }

    /// Makes a trial of `evaluated`: shapes the reward and records it in the study. `value` is
    /// what the script's own reward function made of the outcome, if there is one; it is then
    /// both the reward and the score.
    ///
    /// # Errors
    /// [`Error::Io`] where the study cannot be written.
    pub fn record(&mut self, mut evaluated: Evaluated, value: Option<f64>) -> Result<Trial> {
        if let Some(v) = value.filter(|v| !v.is_finite()) {
            evaluated.outcome.failure = Some(Failure {
                kind: FailureKind::Nan,
                message: format!("the reward function returned {v}"),
            });
        }
        let accuracy = evaluated.outcome.accuracy;
        let score = value.or(accuracy);
        let score = score.filter(|_| evaluated.outcome.failure.is_none());
        let reward = match (score, value) {
            (None, _) => self.failure_reward(),
            (Some(_), Some(value)) => value,
            (Some(accuracy), None) => self.shaper.shape(accuracy),
        };
        let trial = Trial {
            reward,
            score,
            ..self.preview(&evaluated)
        };
        let is_best = self.study.lock().record(trial.clone())?;
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
        // An outcome that was known already came without weights. It becomes the best only where
        // the script changed its reward function, so training it once more is rare.
        let weights = match weights {
            Some(weights) => Some(weights),
            None => self.train(asked.clone())?.weights,
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
        let mut asked = self.question(network, None);
        let best = self
            .study
            .lock()
            .best()
            .and_then(|best| best.evaluation.clone());
        if let Some(best) = best.filter(|best| best.child_digest() == asked.child_digest()) {
            asked = best;
        }
        let trained = self.train(asked)?;
        match (trained.weights, trained.outcome.failure) {
            (Some(weights), None) => Ok(weights),
            (_, failure) => {
                let found = failure.map_or("no weights".into(), |f| f.to_string());
                Err(Error::invalid(purpose, "a network that trains", found))
            }
        }
    }

    /// Scores `network` on the *test* split, with its [`weights`](Self::weights).
    ///
    /// # Errors
    /// As [`weights`](Self::weights).
    pub fn test(&self, network: &Network) -> Result<Score> {
        let weights = self.weights(network, "test")?;
        self.executor.test(network, &weights, &self.data)
    }
}

/// The seed of every child of `study`: the same for all, so that the same network is the same
/// evaluation.
pub fn child_seed(study: &Study) -> Seed {
    study.seed().derive("child/0")
}

/// Writes `value` as JSON in one step: a reader sees the old file or the new one.
fn write_json(path: &std::path::Path, value: &impl serde::Serialize) -> Result<()> {
    let json = serde_json::to_vec_pretty(value).map_err(std::io::Error::from);
    let partial = path.with_extension("part");
    json.and_then(|json| std::fs::write(&partial, json))
        .and_then(|()| std::fs::rename(&partial, path))
        .map_err(Error::io("write", path))
}
