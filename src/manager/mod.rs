//! `NetworkManager`: answers what a network is worth, from the study where it is known, else by
//! training it, and shapes the reward. Knows nothing of scripts, nor of where a child is trained.

mod executor;
mod limits;
mod reward;

pub use executor::{Executor, InProcess, OnEpoch};
pub use reward::RewardShaper;

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use crate::child::{Score, Weights};
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::evaluation::{DataKey, Evaluation, Failure, FailureKind, Outcome, TrainingConfig};
use crate::network::Network;
use crate::seed::Seed;
use crate::space::Actions;
use crate::study::{Study, Trial};

/// The file of the best child's weights in a run's folder.
pub const BEST_WEIGHTS_FILE: &str = "best.safetensors";
/// The file of the best child's network and trial in a run's folder.
pub const BEST_TRIAL_FILE: &str = "best.json";

/// A year, in seconds; a guard against slips.
const LONGEST_TIMEOUT: f64 = 365.0 * 24.0 * 3600.0;

/// How rewards are made and when a child is given up. The training settings stand apart, in
/// [`TrainingConfig`], since an outcome depends on those alone.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ManagerConfig {
    /// Weight of the past in the moving average of accuracies, 0 to below 1. Default 0.8.
    pub acc_beta: f64,
    /// `true` or a bound above 0 clips rewards to ±0.05 or to ± that bound, before the clip to
    /// ±0.1 that always holds. Default off.
    pub clip_rewards: ClipRewards,
    /// The reward of a failed child. Default: the lowest that clipping allows.
    pub failure_reward: Option<f64>,
    /// The longest time one child may train, in seconds. Default: no limit.
    pub timeout: Option<f64>,
    /// The most parameters of a child that is trained. Default: no limit.
    pub max_params: Option<u64>,
    /// The most multiply-accumulates of a child that is trained, for one image. Default: no limit.
    pub max_macs: Option<u64>,
    /// The most bytes that the training of a child may take, by [`Network::memory`] at the batch
    /// size and with the optimizer of the training. Default: no limit.
    pub max_memory: Option<u64>,
}

/// The option `clip_rewards`: a switch, as in the original, or a bound.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(untagged)]
pub enum ClipRewards {
    /// Off, or the original's ±0.05.
    Switch(bool),
    /// The bound; 0 is off.
    Bound(f64),
}

impl ClipRewards {
    /// The bound, if clipping is on.
    pub fn bound(self) -> Option<f64> {
        match self {
            Self::Switch(on) => on.then_some(0.05),
            Self::Bound(bound) => (bound != 0.0).then_some(bound),
        }
    }
}

impl Default for ManagerConfig {
    fn default() -> Self {
        Self {
            acc_beta: 0.8,
            clip_rewards: ClipRewards::Switch(false),
            failure_reward: None,
            timeout: None,
            max_params: None,
            max_macs: None,
            max_memory: None,
        }
    }
}

impl ManagerConfig {
    /// The names of the options.
    pub const OPTIONS: &'static [&'static str] = &[
        "acc_beta",
        "clip_rewards",
        "failure_reward",
        "timeout",
        "max_params",
        "max_macs",
        "max_memory",
    ];

    /// Checks the values.
    ///
    /// # Errors
    /// [`Error::Invalid`] with the option's name and what it accepts.
    pub fn validate(&self) -> Result<()> {
        if !(0.0..1.0).contains(&self.acc_beta) {
            let expected = "a number from 0 to below 1";
            return Err(Error::invalid("option 'acc_beta'", expected, self.acc_beta));
        }
        let positive = |name: &str, value: Option<f64>, most: f64, expected: &str| match value {
            Some(v) if !(v > 0.0 && v <= most) => {
                Err(Error::invalid(format!("option '{name}'"), expected, v))
            }
            _ => Ok(()),
        };
        let clip = self.clip_rewards.bound();
        positive("clip_rewards", clip, f64::MAX, "a number above 0")?;
        let expected = "a number of seconds above 0, a year at most";
        positive("timeout", self.timeout, LONGEST_TIMEOUT, expected)?;
        if let Some(reward) = self.failure_reward.filter(|r| !r.is_finite()) {
            let what = "option 'failure_reward'";
            return Err(Error::invalid(what, "a finite number", reward));
        }
        self.validate_limits()
    }
}

/// An answered evaluation, not yet a trial of the study.
pub struct Evaluated {
    asked: Option<Evaluation>,
    /// What came back.
    pub outcome: Outcome,
    cached: bool,
    weights: Option<Weights>,
}

impl Evaluated {
    /// The outcome of a network that cannot even be described, such as one whose shapes do not
    /// fit.
    pub fn impossible(message: String) -> Self {
        Self {
            asked: None,
            outcome: Outcome {
                failure: Some(Failure {
                    kind: FailureKind::Invalid,
                    message,
                }),
                ..Outcome::default()
            },
            cached: false,
            weights: None,
        }
    }
}

/// Answers evaluations on one data set under one set of training settings.
pub struct NetworkManager {
    data: Dataset,
    training: TrainingConfig,
    config: ManagerConfig,
    shaper: RewardShaper,
    study: Arc<Mutex<Study>>,
    executor: Arc<dyn Executor>,
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
        Ok(Self {
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

    /// What is asked when `network` is evaluated.
    fn question(&self, network: &Network) -> Evaluation {
        Evaluation {
            network: network.clone(),
            data: DataKey {
                name: self.data.name().into(),
                split: self.data.split_key(),
                content: self.data.content_hash().into(),
            },
            training: self.training.clone(),
            seed: child_seed(&self.study.lock()),
        }
    }

    /// Answers for `network`: from the study, if it was evaluated before, else by training it. A
    /// network beyond a limit of the manager is a failure, known or not, and is not trained.
    ///
    /// # Errors
    /// [`Error::Interrupted`] where the user stopped it. What goes wrong in the child itself is in
    /// the outcome.
    pub fn evaluate(&self, network: &Network) -> Result<Evaluated> {
        let asked = self.question(network);
        if let Some(failure) = self.config.exceeded(&asked) {
            return Ok(Evaluated {
                outcome: Outcome {
                    params: network.params(),
                    macs: network.macs(),
                    failure: Some(failure),
                    ..Outcome::default()
                },
                asked: Some(asked),
                cached: false,
                weights: None,
            });
        }
        let known = self.study.lock().outcome(&asked.digest()).cloned();
        if let Some(outcome) = known {
            return Ok(Evaluated {
                asked: Some(asked),
                outcome,
                cached: true,
                weights: None,
            });
        }
        let timeout = self.config.timeout.map(Duration::from_secs_f64);
        let trained = self.executor.execute(&asked, &self.data, timeout)?;
        self.study.lock().keep(asked.digest(), &trained.outcome);
        Ok(Evaluated {
            asked: Some(asked),
            outcome: trained.outcome,
            cached: false,
            weights: trained.weights,
        })
    }

    /// The trial that `evaluated` would be, before its reward is known: what a script's own reward
    /// function sees.
    pub fn preview(&self, evaluated: &Evaluated, actions: Option<&Actions>) -> Trial {
        Trial {
            number: self.study.lock().trials().len() + 1,
            actions: actions.map(Into::into),
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
    pub fn record(
        &mut self,
        mut evaluated: Evaluated,
        actions: Option<&Actions>,
        value: Option<f64>,
    ) -> Result<Trial> {
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
            ..self.preview(&evaluated, actions)
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
            None => self.executor.execute(asked, &self.data, None)?.weights,
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
    /// evaluation is a pure function, so they are the same weights.
    ///
    /// # Errors
    /// [`Error::Invalid`] where the network cannot be trained; [`Error::Interrupted`].
    pub fn weights(&self, network: &Network, purpose: &str) -> Result<Weights> {
        if let Some(best) = self.best.as_ref().filter(|best| best.0 == *network) {
            return Ok(best.1.clone());
        }
        let trained = self
            .executor
            .execute(&self.question(network), &self.data, None)?;
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
