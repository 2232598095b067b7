//! `NetworkManager`: answers what a network is worth, from the study where it is known, else by
//! training it, and shapes the reward. Knows nothing of scripts, nor of where a child is trained.

mod answers;
mod asking;
mod candidate;
mod config;
mod crew;
mod executor;
mod files;
mod limits;
mod pending;
mod record;
mod reward;
mod shared;
mod table;

#[cfg(test)]
mod tests;

pub use answers::Answers;
pub use candidate::{Candidate, Evaluated, Reaction, Subject, Terms};
pub use config::{ClipRewards, ManagerConfig};
pub use crew::{Crew, Workers};
pub use executor::{Ended, Executor, Follow, InProcess, Jobs};
pub use files::Files;
pub use pending::Pending;
pub use record::{BEST_TRIAL_FILE, BEST_WEIGHTS_FILE};
pub use reward::RewardShaper;
pub use shared::Shared;
pub use table::{Answer, BenchmarkTable, Columns, Seconds, TableOptions};

use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use self::answers::{Place, lost};
use self::asking::Needed;
use crate::child::{Trained, Weights};
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::evaluation::{Evaluation, TrainingConfig, median};
use crate::network::Network;
use crate::seed::Seed;
use crate::study::{Attempt, Study};

/// Answers evaluations: on one data set under one set of training settings, or from a table.
pub struct NetworkManager {
    source: Source,
    config: ManagerConfig,
    shaper: RewardShaper,
    study: Arc<Mutex<Study>>,
    pending: Pending,
    /// See [`best`](Self::best); what [`test`](Self::test) is asked for most.
    best: Option<Arc<(Network, Weights)>>,
}

/// Where answers come from.
enum Source {
    Training(Training),
    Shared(Box<Shared>),
    Table(Arc<BenchmarkTable>),
}

/// What children are trained on and by.
pub struct Training {
    /// The data set.
    pub data: Dataset,
    /// How a child learns.
    pub config: TrainingConfig,
    /// What trains.
    pub executor: Arc<dyn Executor>,
    /// Where children leave their weights; `None`: they are only at hand, and checkpoints, if asked for, are kept in
    /// memory.
    pub files: Option<Arc<Files>>,
}

impl NetworkManager {
    /// Creates a manager that records in `study` and trains as `training` says.
    ///
    /// # Errors
    /// [`Error::Invalid`] where an option's value is out of range.
    pub fn new(
        mut training: Training,
        config: ManagerConfig,
        study: Arc<Mutex<Study>>,
    ) -> Result<Self> {
        training.config.validate()?;
        if training.files.is_none() && config.checkpoints == Some(true) {
            training.files = Some(Arc::new(Files::Memory(Mutex::default())));
        }
        Self::on(Source::Training(training), config, study)
    }

    /// Creates a manager that answers from `table`, without training anything.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn of_table(
        table: Arc<BenchmarkTable>,
        config: ManagerConfig,
        study: Arc<Mutex<Study>>,
    ) -> Result<Self> {
        Self::on(Source::Table(table), config, study)
    }

    fn on(source: Source, config: ManagerConfig, study: Arc<Mutex<Study>>) -> Result<Self> {
        config.validate()?;
        Ok(Self {
            shaper: RewardShaper::new(config.acc_beta, config.clip_rewards.bound()),
            source,
            config,
            study,
            pending: Pending::default(),
            best: None,
        })
    }

    /// What children are trained on and by.
    ///
    /// # Errors
    /// [`Error::Invalid`] where a table answers, and nothing is trained.
    pub fn training(&self) -> Result<&Training> {
        match &self.source {
            Source::Training(training) => Ok(training),
            Source::Shared(_) => {
                let expected = "one without shared_weights, which trains networks each by itself";
                Err(Error::invalid("manager", expected, "shared weights"))
            }
            Source::Table(table) => {
                let found = format!("the benchmark table '{}'", table.name());
                let expected = "a NetworkManager on a data set, which trains networks";
                Err(Error::invalid("manager", expected, found))
            }
        }
    }

    /// The table that answers, if one does.
    pub fn table(&self) -> Option<&Arc<BenchmarkTable>> {
        match &self.source {
            Source::Table(table) => Some(table),
            _ => None,
        }
    }

    /// Whether it records in `study`.
    pub fn records_in(&self, study: &Arc<Mutex<Study>>) -> bool {
        Arc::ptr_eq(&self.study, study)
    }

    /// The moving average of accuracies that rewards are measured against; `None` before the
    /// first success.
    pub fn moving_accuracy(&self) -> Option<f64> {
        self.shaper.moving_accuracy()
    }

    /// Answers for `candidates`: from the study, where they were evaluated before, else by training
    /// them, several at a time where the executor can. What is asked twice is trained once. A network
    /// beyond a limit of the manager is a failure, known or not, and is not trained. With the option
    /// `checkpoints` more epochs of a child go on from where it was, if it may
    /// [come to the same](crate::child::Checkpoint::check).
    ///
    /// # Errors
    /// Where the executor cannot start; [`Error::Diverged`] where the study recorded other candidates. What goes
    /// wrong in a child is in its outcome.
    pub fn evaluate(&self, candidates: Vec<Candidate>) -> Result<Answers> {
        let mut needed = Needed::default();
        let places = candidates.into_iter();
        let places = places.map(|candidate| self.place(candidate, &mut needed));
        let places = places.collect::<Result<Vec<_>>>()?;
        self.start(places, needed)
    }

    /// Asks for `candidate` without waiting; [`fetch`](Self::fetch) gives its answer. Returns how many answers are
    /// to be fetched.
    ///
    /// # Errors
    /// As [`evaluate`](Self::evaluate).
    pub fn submit(&mut self, candidate: Candidate) -> Result<usize> {
        let mut needed = Needed::default();
        let place = self.place(candidate, &mut needed)?;
        let ask = place.evaluated.ask;
        if place.evaluated.recorded.is_some() {
            self.pending.remember(ask, place.evaluated);
        } else {
            let known = needed.asked.is_empty();
            let answers = self.start(vec![place], needed)?;
            self.pending.wait_for(ask, answers, known)?;
        }
        Ok(self.pending.len())
    }

    /// The next answer to a submitted candidate, in the order in which they finish; in the order of the record
    /// where the study has one. `None`: none is submitted.
    ///
    /// # Errors
    /// As [`evaluate`](Self::evaluate); [`Error::Interrupted`].
    pub fn fetch(&mut self) -> Result<Option<Evaluated>> {
        if self.pending.is_empty() {
            return Ok(None);
        }
        let (trial, recorded) = {
            let study = self.study.lock();
            (study.trials().len() + 1, study.recorded_next())
        };
        self.pending.next(trial, recorded).map(Some)
    }

    /// How many answers of submitted candidates are to be fetched.
    pub fn pending(&self) -> usize {
        self.pending.len()
    }

    /// Tries again what failed: from another seed, and with another batch size if one is given. What has no
    /// evaluation, such as an impossible network, stays as it is.
    ///
    /// # Errors
    /// As [`evaluate`](Self::evaluate); [`Error::Interrupted`].
    pub fn retry(
        &self,
        mut evaluated: Evaluated,
        batch_size: Option<NonZero<usize>>,
    ) -> Result<Evaluated> {
        let Some(asked) = evaluated.asked.as_mut() else {
            return Ok(evaluated);
        };
        evaluated.attempts.push(Attempt {
            digest: evaluated.digest,
            outcome: std::mem::take(&mut evaluated.outcome),
        });
        let attempts = evaluated.attempts.len();
        asked.seed = child_seed(&self.study.lock(), 0).derive(&format!("retry/{attempts}"));
        if let Some(size) = batch_size {
            asked.training.batch_size = size.get();
        }
        evaluated.digest = Some(asked.digest());
        if evaluated.recorded.is_some() {
            evaluated.recall();
            return Ok(evaluated);
        }
        if let Some(failure) = self.config.exceeded(asked) {
            evaluated.outcome.failure = Some(failure);
            return Ok(evaluated);
        }
        let trained = self.train(asked, self.timeout(), false)?;
        evaluated.outcome = trained.outcome;
        evaluated.weights = trained.weights;
        Ok(evaluated)
    }

    fn timeout(&self) -> Option<Duration> {
        self.config.timeout.map(Duration::from_secs_f64)
    }

    fn start(&self, places: Vec<Place>, needed: Needed) -> Result<Answers> {
        let study = self.study.clone();
        if needed.asked.is_empty() {
            return Ok(Answers::known(places, study));
        }
        let training = self.training()?;
        let mut jobs = self.jobs(training, needed.asked, self.timeout());
        if self.config.median_stop {
            jobs.floor = self.floor(training).into();
        }
        Answers::start(places, jobs, &*training.executor, study)
    }

    /// The accuracies below which a child of this manager is hopeless, one an epoch.
    fn floor(&self, training: &Training) -> Vec<f64> {
        let study = self.study.lock();
        let comparable = |asked: &&Evaluation| {
            let epochs = training.config.epochs;
            let config = TrainingConfig {
                epochs,
                ..asked.training.clone()
            };
            asked.data.content == training.data.content_hash() && config == training.config
        };
        let ended = study.trials().iter().filter(|trial| trial.score.is_some());
        let ended = ended.filter(|trial| trial.evaluation.as_ref().filter(comparable).is_some());
        let histories: Vec<_> = ended.map(|trial| &trial.outcome.history[..]).collect();
        median::floor(&histories, median::MIN_TRIALS)
    }

    fn jobs(&self, training: &Training, asked: Vec<Evaluation>, timeout: Option<Duration>) -> Jobs {
        Jobs {
            files: training.files.clone(),
            checkpoints: self.config.checkpoints.unwrap_or(true),
            ..Jobs::new(asked, training.data.clone(), timeout)
        }
    }

    /// Trains what `asked` asks for: `again`, where its outcome may be known and the weights are wanted.
    fn train(&self, asked: &Evaluation, timeout: Option<Duration>, again: bool) -> Result<Trained> {
        let training = self.training()?;
        let jobs = Jobs {
            again,
            ..self.jobs(training, vec![asked.clone()], timeout)
        };
        let Some(ended) = training.executor.start(jobs)?.into_iter().last() else {
            return Ok(lost());
        };
        let trained = ended.trained?;
        let mut study = self.study.lock();
        study.keep(asked, &trained.outcome, ended.left)?;
        Ok(trained)
    }
}

/// The seed of the `repeat`-th training of every child of `study`: the same for all children, so that the same
/// network is the same evaluation.
pub fn child_seed(study: &Study, repeat: usize) -> Seed {
    study.seed().derive(&format!("child/{repeat}"))
}
