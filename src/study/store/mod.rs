//! Where studies are kept: the contract that every store fulfils. Knows nothing of SQL.
//!
//! Calls block. A store may be used from several threads, and by several processes at once.

mod address;
mod database;
mod dialect;
mod open;
mod reading;
mod retry;
mod sql;

pub use address::Address;
pub use open::open;
pub use reading::{Looks, Work};

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::{Learning, Tested, Trial};
use crate::error::Result;
use crate::evaluation::{Digest, Outcome};
use crate::seed::Seed;

/// What a study is started with. It never changes afterwards.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct About {
    /// Its name, unique in the store.
    pub name: String,
    /// The script, as it was named.
    pub script: String,
    /// The seed of every draw.
    pub seed: Seed,
    /// The parameters that were given, as text.
    pub params: BTreeMap<String, String>,
    /// The run's folder, if there is one.
    pub folder: Option<PathBuf>,
    /// The study that this one shares its first trials with, and how many.
    pub parent: Option<(String, usize)>,
    /// See [`KERNEL_VERSION`](crate::evaluation::KERNEL_VERSION).
    pub kernel_version: u32,
    /// The text of the script when it was started; empty in the records of earlier versions.
    #[serde(default)]
    pub source: String,
    /// Where it was started; `None` in the records of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<Environment>,
}

/// The program and the machine that a study was started with.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Environment {
    /// The version of nas-script.
    pub version: String,
    /// The operating system and the kind of machine, such as "linux x86_64".
    pub system: String,
    /// The processor's name, where the system tells it.
    pub processor: String,
    /// The number of cores that the process may use.
    pub cores: usize,
    /// What networks were trained on, such as "cpu (flex)".
    pub device: String,
}

/// A study that is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Kept {
    /// Its key in the store.
    pub id: i64,
    /// What it was started with.
    pub about: About,
    /// How many trials are recorded.
    pub trials: usize,
    /// The highest score so far.
    pub best: Option<f64>,
    /// When it was started, in seconds since 1970, by the store's clock.
    pub created: f64,
    /// When its last trial was recorded; when it was started, where there is none.
    pub updated: f64,
}

impl Kept {
    /// When its last trial was recorded, in seconds since 1970; `None` where there is none.
    pub fn last_trial(&self) -> Option<f64> {
        (self.trials > 0).then_some(self.updated)
    }
}

/// The right to add to a study. Whoever takes the study next ends it: later writes under it are
/// refused with [`Error::Taken`](crate::Error::Taken).
pub trait Tenure: Send + Sync {
    /// The study's key in the store.
    fn study(&self) -> i64;

    /// Adds `trial`, whose number must be the next one.
    ///
    /// # Errors
    /// [`Error::Taken`](crate::Error::Taken) where another process has the study now;
    /// [`Error::Store`](crate::Error::Store).
    fn append(&self, trial: &Trial) -> Result<()>;

    /// Adds an answer of the host that no seed determines, such as a measured latency.
    ///
    /// # Errors
    /// As [`append`](Self::append).
    fn note(&self, fact: &Fact) -> Result<()>;

    /// Keeps what controllers learnt. Decisions and updates that are there already stay; a state takes the place of
    /// an earlier one.
    ///
    /// # Errors
    /// As [`append`](Self::append).
    fn keep_learning(&self, learning: &Learning) -> Result<()>;

    /// Keeps the score of a network on the test images, in place of an earlier one.
    ///
    /// # Errors
    /// As [`append`](Self::append).
    fn keep_test(&self, tested: &Tested) -> Result<()>;
}

/// An answer of the host that no seed determines, in the order in which they were given.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Fact {
    /// What kind of question, such as "latency".
    pub kind: String,
    /// What was asked, such as a network's digest.
    pub question: String,
    /// What was answered.
    pub answer: serde_json::Value,
}

/// An outcome that was paid for.
#[derive(Clone, Debug, PartialEq)]
pub struct Known {
    /// What came back.
    pub outcome: Outcome,
    /// The study that paid, by its key; `None` where none did.
    pub study: Option<i64>,
    /// The file of the child's weights, relative to the store's folder of files, if they are kept.
    pub weights: Option<String>,
}

/// An outcome to keep.
#[derive(Clone, Debug)]
pub struct Paid<'a> {
    /// The key of the evaluation.
    pub digest: Digest,
    /// What was asked, as JSON.
    pub question: String,
    /// What came back.
    pub outcome: &'a Outcome,
    /// The study that paid.
    pub study: Option<i64>,
    /// See [`Known::weights`].
    pub weights: Option<String>,
}

/// Keeps studies and outcomes, and hands out jobs.
pub trait StudyStore: JobQueue + Looks {
    /// Starts a study and takes it.
    ///
    /// # Errors
    /// [`Error::Duplicate`](crate::Error::Duplicate) where the name is taken;
    /// [`Error::Store`](crate::Error::Store).
    fn create(&self, about: &About) -> Result<Box<dyn Tenure>>;

    /// The study called `name`, if there is one.
    ///
    /// # Errors
    /// [`Error::Store`](crate::Error::Store).
    fn find(&self, name: &str) -> Result<Option<Kept>>;

    /// All studies, in the order in which they were started.
    ///
    /// # Errors
    /// [`Error::Store`](crate::Error::Store).
    fn studies(&self) -> Result<Vec<Kept>>;

    /// Takes a study to go on with it.
    ///
    /// # Errors
    /// [`Error::Busy`](crate::Error::Busy) where a living process has it;
    /// [`Error::Store`](crate::Error::Store).
    fn take(&self, study: i64) -> Result<Box<dyn Tenure>>;

    /// The trials of a study in order.
    ///
    /// # Errors
    /// [`Error::Store`](crate::Error::Store), also for a trial that this program cannot read.
    fn trials(&self, study: i64) -> Result<Vec<Trial>>;

    /// The facts of a study in order.
    ///
    /// # Errors
    /// [`Error::Store`](crate::Error::Store).
    fn facts(&self, study: i64) -> Result<Vec<Fact>>;

    /// The last kept state of a controller of a study, with the number of its updates.
    ///
    /// # Errors
    /// [`Error::Store`](crate::Error::Store).
    fn snapshot(&self, study: i64, controller: u64) -> Result<Option<(u64, Vec<u8>)>>;

    /// The outcome of the evaluation `digest`, if it was paid for.
    ///
    /// # Errors
    /// [`Error::Store`](crate::Error::Store).
    fn known(&self, digest: &Digest) -> Result<Option<Known>>;

    /// Keeps an outcome. The first one of a digest stays; what is not [final](Outcome::is_final) is not kept.
    ///
    /// # Errors
    /// [`Error::Store`](crate::Error::Store).
    fn keep(&self, paid: &Paid) -> Result<()>;

    /// The address without secrets, for people.
    fn name(&self) -> String;
}

/// A job to hand out.
#[derive(Clone, Debug, PartialEq)]
pub struct NewJob {
    /// The key of the evaluation that it answers. Of two jobs with one digest only one runs at a time.
    pub digest: Digest,
    /// What is to be done, as JSON. The queue does not read it.
    pub payload: String,
    /// The study that asks, by its key.
    pub study: Option<i64>,
    /// How often it may be started before it is [`Dead`](JobState::Dead), from 1.
    pub attempts: u32,
}

/// A job that was taken. The pair of `id` and `attempt` is the fencing token: once the job was taken again,
/// nothing can be written under the older attempt.
#[derive(Clone, Debug, PartialEq)]
pub struct Claim {
    /// The job's key.
    pub id: i64,
    /// Which start of the job this is, from 1.
    pub attempt: u32,
    /// See [`NewJob::digest`].
    pub digest: Digest,
    /// See [`NewJob::payload`].
    pub payload: String,
    /// See [`NewJob::study`].
    pub study: Option<i64>,
}

/// The answer to a heartbeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Beat {
    /// The lease is extended.
    Held,
    /// Nobody wants the outcome any more: stop, then [`give_up`](JobQueue::give_up).
    Cancelled,
    /// The job is no longer this claim's: stop, and write nothing.
    Lost,
}

/// Where a job is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// Waiting to be taken.
    Ready,
    /// Taken, with a lease.
    Running,
    /// It has an outcome.
    Done,
    /// It was started too often without an outcome, or nobody can read it.
    Dead,
    /// Withdrawn by whoever asked.
    Cancelled,
}

/// A job as it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Job {
    /// Its key.
    pub id: i64,
    /// Where it is.
    pub state: JobState,
    /// How often it was started.
    pub attempts: u32,
    /// Who took it last.
    pub worker: Option<String>,
    /// The outcome of a job that is [`Done`](JobState::Done), which may be a failure of the child.
    pub outcome: Option<Outcome>,
    /// See [`Known::weights`].
    pub weights: Option<String>,
    /// Why its last start came to nothing.
    pub error: Option<String>,
    /// What its worker last said of how far it is, as JSON.
    pub progress: Option<String>,
}

/// A queue of jobs under leases, shared by any number of coordinators and workers. Time is the store's.
///
/// A call waits out a database that restarts or cannot be reached, and is then carried out once; what the
/// database refuses for good is an error at once. A crash of the database may undo the claims and heartbeats of
/// its last second, so that a job is handed out once more; jobs, outcomes and all else that was answered stay.
/// Whoever waits for jobs, or for their end, must [`reap`](Self::reap) now and then: nobody else does.
pub trait JobQueue: Send + Sync {
    /// Adds jobs and returns their keys, in the same order.
    ///
    /// # Errors
    /// [`Error::Store`](crate::Error::Store), as all calls of this trait.
    fn enqueue(&self, jobs: &[NewJob]) -> Result<Vec<i64>>;

    /// Takes the oldest job that is ready and whose digest no other job is running, for `lease`: one of `study`,
    /// or of any.
    ///
    /// # Errors
    /// As [`enqueue`](Self::enqueue).
    fn claim_of(&self, study: Option<i64>, worker: &str, lease: Duration) -> Result<Option<Claim>>;

    /// Takes a job of any study, see [`claim_of`](Self::claim_of).
    ///
    /// # Errors
    /// As [`enqueue`](Self::enqueue).
    fn claim(&self, worker: &str, lease: Duration) -> Result<Option<Claim>> {
        self.claim_of(None, worker, lease)
    }

    /// Extends the lease to `lease` from now, and says what was withdrawn or lost meanwhile. `progress`, where
    /// given, replaces what was said before.
    ///
    /// # Errors
    /// As [`enqueue`](Self::enqueue).
    fn beat(&self, claim: &Claim, lease: Duration, progress: Option<&str>) -> Result<Beat>;

    /// Writes the outcome and ends the job, in one transaction; a final one is [kept](StudyStore::keep) in it
    /// too, with `question` as what was asked. `false`: the job is no longer this claim's, and nothing was
    /// written.
    ///
    /// # Errors
    /// As [`enqueue`](Self::enqueue).
    fn finish(
        &self,
        claim: &Claim,
        question: &str,
        outcome: &Outcome,
        weights: Option<&str>,
    ) -> Result<bool>;

    /// Gives the job back after something that is not the child's failure. It is ready again after 2^attempt
    /// seconds, or dead if this was its last attempt. `false` as in [`finish`](Self::finish).
    ///
    /// # Errors
    /// As [`enqueue`](Self::enqueue).
    fn fail(&self, claim: &Claim, error: &str) -> Result<bool>;

    /// Ends the job for good, as one that cannot be carried out by anyone.
    ///
    /// # Errors
    /// As [`enqueue`](Self::enqueue).
    fn kill(&self, claim: &Claim, error: &str) -> Result<bool>;

    /// Hands the job back as if it had not been taken, or ends it if it was withdrawn: for a worker that is told
    /// to stop.
    ///
    /// # Errors
    /// As [`enqueue`](Self::enqueue).
    fn give_up(&self, claim: &Claim) -> Result<bool>;

    /// Makes jobs ready again whose lease ran out, or dead after their last attempt, or cancelled. Returns
    /// how many.
    ///
    /// # Errors
    /// As [`enqueue`](Self::enqueue).
    fn reap(&self) -> Result<u64>;

    /// Withdraws jobs: those that wait are cancelled, running ones are told at their next beat.
    ///
    /// # Errors
    /// As [`enqueue`](Self::enqueue).
    fn cancel(&self, jobs: &[i64]) -> Result<()>;

    /// Cancels what an earlier process left of the jobs of `study`: those that wait, and those that its own
    /// workers had, which died with it and have names that begin with `workers`. What others run goes on.
    ///
    /// # Errors
    /// As [`enqueue`](Self::enqueue).
    fn clear(&self, study: i64, workers: &str) -> Result<()>;

    /// How `jobs` stand, in any order.
    ///
    /// # Errors
    /// As [`enqueue`](Self::enqueue).
    fn jobs(&self, jobs: &[i64]) -> Result<Vec<Job>>;

    /// Waits until something in the queue has changed, as far as this store is told, or for `at_most`.
    fn wait(&self, at_most: Duration);

    /// Ends every [`wait`](Self::wait) in this process.
    fn wake(&self);
}

#[cfg(test)]
mod tests;
