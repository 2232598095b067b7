//! `NetworkManager`: answers what a network is worth, from the study where it is known, else by
//! training it, and shapes the reward. Knows nothing of scripts, nor of where a child is trained.

mod answers;
mod candidate;
mod config;
mod crew;
mod executor;
mod files;
mod limits;
mod pending;
mod record;
mod reward;
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
pub use table::{Answer, BenchmarkTable, Columns, Seconds, TableOptions};

use std::collections::BTreeMap;
use std::num::NonZero;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

use self::answers::{Part, Place, lost};
use crate::child::{Trained, Weights};
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::evaluation::{
    DataKey, Evaluation, Failure, FailureKind, Outcome, TrainingConfig, median,
};
use crate::network::{Digest, Network};
use crate::seed::Seed;
use crate::study::{Attempt, Decisions, Question, Study};

/// Answers evaluations on one data set under one set of training settings.
pub struct NetworkManager {
    data: Dataset,
    training: TrainingConfig,
    config: ManagerConfig,
    shaper: RewardShaper,
    study: Arc<Mutex<Study>>,
    executor: Arc<dyn Executor>,
    files: Option<Arc<Files>>,
    pending: Pending,
    /// See [`best`](Self::best); what [`test`](Self::test) is asked for most.
    best: Option<Arc<(Network, Weights)>>,
}

/// What is still to be trained for the candidates of one call; what is asked twice is one job.
#[derive(Default)]
struct Needed {
    asked: Vec<Evaluation>,
    of: BTreeMap<Digest, usize>,
}

impl Needed {
    fn job(&mut self, asked: Evaluation) -> usize {
        let jobs = &mut self.asked;
        *self.of.entry(asked.digest()).or_insert_with(|| {
            jobs.push(asked);
            jobs.len() - 1
        })
    }
}

impl NetworkManager {
    /// Creates a manager that records in `study` and trains with `executor`. Children leave their weights in
    /// `files`; without files they are only at hand, and checkpoints, if asked for, are kept in memory.
    ///
    /// # Errors
    /// [`Error::Invalid`] where an option's value is out of range.
    pub fn new(
        data: Dataset,
        training: TrainingConfig,
        config: ManagerConfig,
        study: Arc<Mutex<Study>>,
        executor: Arc<dyn Executor>,
        files: Option<Arc<Files>>,
    ) -> Result<Self> {
        training.validate()?;
        config.validate()?;
        let memory = || {
            let wanted = config.checkpoints == Some(true);
            wanted.then(|| Arc::new(Files::Memory(Mutex::default())))
        };
        Ok(Self {
            files: files.or_else(memory),
            shaper: RewardShaper::new(config.acc_beta, config.clip_rewards.bound()),
            data,
            training,
            config,
            study,
            executor,
            pending: Pending::default(),
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
            seed: child_seed(&self.study.lock(), 0),
        }
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

    /// Asks for `candidate` without waiting; [`next`](Self::next) gives its answer. Returns how many answers are
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
            let answers = self.start(vec![place], needed)?;
            self.pending.wait_for(ask, answers)?;
        }
        Ok(self.pending.len())
    }

    /// The next answer to a submitted candidate, in the order in which they finish; in the order of the record
    /// where the study has one. `None`: none is submitted.
    ///
    /// # Errors
    /// As [`evaluate`](Self::evaluate); [`Error::Interrupted`].
    pub fn next(&mut self) -> Result<Option<Evaluated>> {
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
        let trained = self.train(asked.clone(), self.timeout())?;
        evaluated.outcome = trained.outcome;
        evaluated.weights = trained.weights;
        Ok(evaluated)
    }

    /// What is known of `candidate`, and what is still needed for it.
    fn place(&self, candidate: Candidate, needed: &mut Needed) -> Result<Place> {
        let mut study = self.study.lock();
        let mut evaluated = Evaluated {
            ask: study.next_ask(),
            digest: None,
            asked: None,
            outcome: Outcome::default(),
            cached: false,
            weights: None,
            attempts: Vec::new(),
            recorded: None,
            candidate,
        };
        drop(study);
        let terms = evaluated.candidate.terms;
        let Subject::Network(network) = &evaluated.candidate.subject;
        if let Ok(network) = network {
            let asked = self.question(network, terms.epochs);
            evaluated.digest = Some(asked.digest());
            evaluated.asked = Some(asked);
        }
        let network = network.clone();

        study = self.study.lock();
        let decisions = evaluated.candidate.actions.as_ref().map(Decisions::from);
        let recorded = study.recall(&Question {
            ask: evaluated.ask,
            actions: decisions.as_ref(),
            digest: evaluated.digest,
            evaluation: evaluated.asked.as_ref(),
            row: None,
        })?;
        if recorded.is_some() {
            evaluated.recorded = recorded.map(Box::new);
            evaluated.recall();
            return Ok(Place::known(evaluated));
        }
        let fail = |mut evaluated: Evaluated, failure| {
            evaluated.outcome.failure = Some(failure);
            Ok(Place::known(evaluated))
        };
        let (network, asked) = match (network, &evaluated.asked) {
            (Ok(network), Some(asked)) => (network, asked),
            (Err(message), _) => {
                return fail(evaluated, Failure::new(FailureKind::Invalid, message));
            }
            (Ok(_), None) => return fail(evaluated, Failure::new(FailureKind::Invalid, "no question")),
        };
        if let Some(failure) = self.config.exceeded(asked) {
            evaluated.outcome.params = network.params();
            evaluated.outcome.macs = network.macs();
            return fail(evaluated, failure);
        }
        let repeats = terms.repeats.or(self.config.repeats).map_or(1, NonZero::get);
        let mut parts = Vec::new();
        evaluated.cached = true;
        for repeat in 0..repeats {
            let seed = child_seed(&study, repeat);
            let asked = Evaluation { seed, ..asked.clone() };
            let digest = asked.digest();
            let twin = needed.of.contains_key(&digest);
            let known = study.outcome(&digest)?;
            evaluated.cached &= twin || known.as_ref().is_some_and(|known| known.cached);
            parts.push(match known {
                Some(known) => Part::Known(known.outcome),
                None => Part::Job(needed.job(asked)),
            });
        }
        Ok(Place { evaluated, parts })
    }

    fn timeout(&self) -> Option<Duration> {
        self.config.timeout.map(Duration::from_secs_f64)
    }

    fn start(&self, places: Vec<Place>, needed: Needed) -> Result<Answers> {
        let mut jobs = self.jobs(needed.asked, self.timeout());
        if self.config.median_stop && !jobs.asked.is_empty() {
            jobs.floor = self.floor().into();
        }
        Answers::start(places, jobs, Some(&*self.executor), self.study.clone())
    }

    /// The accuracies below which a child of this manager is hopeless, one an epoch.
    fn floor(&self) -> Vec<f64> {
        let study = self.study.lock();
        let comparable = |asked: &&Evaluation| {
            let epochs = self.training.epochs;
            let training = TrainingConfig { epochs, ..asked.training.clone() };
            asked.data.content == self.data.content_hash() && training == self.training
        };
        let ended = study.trials().iter().filter(|trial| trial.score.is_some());
        let ended = ended.filter(|trial| trial.evaluation.as_ref().filter(comparable).is_some());
        let histories: Vec<_> = ended.map(|trial| &trial.outcome.history[..]).collect();
        median::floor(&histories, median::MIN_TRIALS)
    }

    fn jobs(&self, asked: Vec<Evaluation>, timeout: Option<Duration>) -> Jobs {
        Jobs {
            files: self.files.clone(),
            checkpoints: self.config.checkpoints.unwrap_or(true),
            ..Jobs::new(asked, self.data.clone(), timeout)
        }
    }

    /// Trains what `asked` asks for.
    fn train(&self, asked: Evaluation, timeout: Option<Duration>) -> Result<Trained> {
        let jobs = self.jobs(vec![asked.clone()], timeout);
        let Some(ended) = self.executor.start(jobs)?.into_iter().last() else {
            return Ok(lost());
        };
        let trained = ended.trained?;
        self.study.lock().keep(&asked, &trained.outcome, ended.left)?;
        Ok(trained)
    }
}

/// The seed of the `repeat`-th training of every child of `study`: the same for all children, so that the same
/// network is the same evaluation.
pub fn child_seed(study: &Study, repeat: usize) -> Seed {
    study.seed().derive(&format!("child/{repeat}"))
}
