//! A worker: takes one job after another from the queue, has a runner process train it, and writes down what
//! came of it. Knows nothing of who asked.
//!
//! A failure of the child is an outcome like another. Only what is not the child's fault, such as data that is
//! not here, gives the job back.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::process::{Ending, Process};
use super::runner::Runner;
use super::system;
use super::task::{Task, Unfit};
use crate::error::Result;
use crate::evaluation::{Epoch, Outcome};
use crate::manager::{Crew, Files};
use crate::study::store::{Beat, Claim, StudyStore};

/// How long a worker waits for news of the queue before it looks itself.
const POLL: Duration = Duration::from_secs(1);
/// The least time between two reports of how far a child is.
const REPORT: Duration = Duration::from_secs(1);
/// The longest pause of a worker that refuses one job after another.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// A worker's place: what it is called, what it takes, and how it is carried out.
#[derive(Clone, Debug)]
pub struct Post {
    /// Its name in the store.
    pub name: String,
    /// How its runner process computes.
    pub runner: Runner,
    /// The program that is its runner; `None`: this one.
    pub program: Option<PathBuf>,
    /// How many workers share the cores of this machine.
    pub workers: usize,
    /// The study whose jobs it takes; `None`: those of all.
    pub study: Option<i64>,
    /// How long a job is its own without a heartbeat.
    pub lease: Duration,
}

/// What a worker says, for people.
#[derive(Clone, Debug, PartialEq)]
pub enum Said {
    /// A job was begun or ended.
    Job(String),
    /// Something is wrong here.
    Trouble(String),
}

/// What the workers of a process are told while they work.
#[derive(Default)]
pub struct Notice {
    stop: AtomicU8,
    withdrawn: Mutex<BTreeSet<i64>>,
}

impl Notice {
    const AFTER_THIS: u8 = 1;
    const NOW: u8 = 2;

    /// Asks each to end after the job that it has; asked again, to give that up as well. Returns whether it
    /// was the first time.
    pub fn stop(&self) -> bool {
        self.stop.fetch_add(1, Ordering::SeqCst) == 0
    }

    /// Asks each to give up what it has, and to end.
    pub fn stop_now(&self) {
        self.stop.store(Self::NOW, Ordering::SeqCst);
    }

    /// Says that nobody wants these jobs any more, earlier than a heartbeat would.
    pub(super) fn withdraw(&self, jobs: impl IntoIterator<Item = i64>) {
        self.withdrawn.lock().extend(jobs);
    }

    fn stops(&self, level: u8) -> bool {
        self.stop.load(Ordering::SeqCst) >= level
    }

    fn unwanted(&self, job: i64) -> bool {
        self.stops(Self::NOW) || self.withdrawn.lock().contains(&job)
    }
}

/// Takes jobs from a store's queue.
pub struct Worker {
    /// The store.
    pub store: Arc<dyn StudyStore>,
    /// Its place.
    pub post: Post,
    /// What it is told.
    pub notice: Arc<Notice>,
    /// Called with what it has to say.
    pub say: Arc<dyn Fn(Said) + Send + Sync>,
}

impl Worker {
    /// Takes jobs until it is told to stop.
    ///
    /// # Errors
    /// [`Error::Store`](crate::Error::Store) where the store refuses something for good.
    pub fn run(&self) -> Result<()> {
        let mut process = None;
        let mut refused = 0;
        while !self.notice.stops(Notice::AFTER_THIS) {
            let Post {
                name, lease, study, ..
            } = &self.post;
            match self.store.claim_of(*study, name, *lease)? {
                None => self.store.wait(POLL),
                Some(claim) if self.carry_out(&claim, &mut process)? => refused = 0,
                Some(_) => {
                    // Longer than the queue holds the job back, so that another worker has it first.
                    refused += 1;
                    self.pause(Duration::from_secs(2 << refused.min(5)).min(LONGEST_PAUSE));
                }
            }
        }
        Ok(())
    }

    fn pause(&self, time: Duration) {
        let until = Instant::now() + time;
        while !self.notice.stops(Notice::AFTER_THIS) && Instant::now() < until {
            self.store
                .wait(POLL.min(until.saturating_duration_since(Instant::now())));
        }
    }

    /// Does what the job asks for. `false`: it is nothing for this worker.
    fn carry_out(&self, claim: &Claim, process: &mut Option<Process>) -> Result<bool> {
        let task = match Task::read(&claim.payload) {
            Ok(task) if task.evaluation.digest() == claim.digest => task,
            Ok(_) => return self.kill(claim, "payload: another evaluation than the job's digest"),
            Err(Unfit::Unreadable(why)) => return self.kill(claim, &why),
            Err(Unfit::Version(why)) => return self.refuse(claim, &why),
        };
        // Another job may have paid for it since this one was asked for.
        if !task.again
            && let Some(known) = self.store.known(&claim.digest)?
        {
            self.finish(claim, &task, &known.outcome, known.weights.as_deref())?;
            return Ok(true);
        }
        let ready = match process.take() {
            Some(living) => living,
            None => match Process::start(self.post.program.as_ref(), &self.post.runner) {
                Ok(started) => started,
                Err(error) => return self.refuse(claim, &error.to_string()),
            },
        };
        self.say(Said::Job(format!(
            "job {}: attempt {}, {} epochs of network {}",
            claim.id,
            claim.attempt,
            task.evaluation.training.epochs,
            task.evaluation.network.digest().short()
        )));
        let (ending, left, verdict) = self.train(claim, &task, ready);
        *process = left;
        match (verdict?, ending) {
            (Beat::Lost, _) => self.late(claim),
            (_, Ending::Outcome(outcome)) => {
                let weights = self.weights(&task, &outcome);
                self.finish(claim, &task, &outcome, weights.as_deref())?;
            }
            (_, Ending::Stopped) => {
                self.store.give_up(claim)?;
                self.say(Said::Job(format!("job {}: given up", claim.id)));
            }
            (_, Ending::Refused(why)) => return self.refuse(claim, &why),
        }
        Ok(true)
    }

    /// Trains `task` under heartbeats, and returns what the last of them said too.
    fn train(
        &self,
        claim: &Claim,
        task: &Task,
        process: Process,
    ) -> (Ending, Option<Process>, Result<Beat>) {
        let crew = Crew::new(self.post.workers);
        let (_, threads) = crew.shares(task.together);
        let verdict = Mutex::new(Ok(Beat::Held));
        let (sender, epochs) = mpsc::channel();
        let stop = || {
            let held = matches!(*verdict.lock(), Ok(Beat::Held));
            !held || self.notice.unwanted(claim.id)
        };
        let (ending, left) = thread::scope(|scope| {
            let verdict = &verdict;
            scope.spawn(move || self.hold(claim, &epochs, verdict));
            // Its end, which is that of this closure, ends the heartbeats.
            let on_epoch = move |epoch: &Epoch| {
                let _ = sender.send(epoch.clone());
            };
            process.train(task, threads, &stop, &on_epoch)
        });
        (ending, left, verdict.into_inner())
    }

    /// Holds the lease until nobody sends `epochs` any more, or the job is no longer wanted here.
    fn hold(&self, claim: &Claim, epochs: &Receiver<Epoch>, verdict: &Mutex<Result<Beat>>) {
        let third = self.post.lease / 3;
        let mut last = Instant::now();
        let mut news = None;
        loop {
            let pause = if news.is_some() {
                third.min(REPORT)
            } else {
                third
            };
            match epochs.recv_timeout(pause.saturating_sub(last.elapsed())) {
                Ok(epoch) => {
                    news = serde_json::to_string(&epoch).ok();
                    // The last of several is enough.
                    if last.elapsed() < third.min(REPORT) {
                        continue;
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            let beat = self
                .store
                .beat(claim, self.post.lease, news.take().as_deref());
            last = Instant::now();
            if !matches!(beat, Ok(Beat::Held)) {
                *verdict.lock() = beat;
                return;
            }
        }
    }

    /// The file that the child left its weights in.
    fn weights(&self, task: &Task, outcome: &Outcome) -> Option<String> {
        let folder = self.post.runner.files.clone()?;
        let succeeded = outcome.failure.is_none();
        succeeded.then(|| Files::Folder(folder).file(&task.evaluation))?
    }

    fn finish(
        &self,
        claim: &Claim,
        task: &Task,
        outcome: &Outcome,
        weights: Option<&str>,
    ) -> Result<()> {
        let question = task.evaluation.to_json();
        let written = self.store.finish(claim, &question, outcome, weights)?;
        if !written {
            self.late(claim);
            return Ok(());
        }
        let came = match (&outcome.failure, outcome.accuracy) {
            (Some(failure), _) => failure.to_string(),
            (None, accuracy) => format!("accuracy {:.4}", accuracy.unwrap_or_default()),
        };
        let took = outcome.seconds;
        self.say(Said::Job(format!("job {}: {came}, {took:.1} s", claim.id)));
        Ok(())
    }

    fn late(&self, claim: &Claim) {
        let message = format!("job {}: it is another worker's now; dropped", claim.id);
        self.say(Said::Trouble(message));
    }

    fn refuse(&self, claim: &Claim, why: &str) -> Result<bool> {
        self.say(Said::Trouble(format!("job {}: refused: {why}", claim.id)));
        let why = format!("{} refused: {why}", self.post.name);
        self.store.fail(claim, &why)?;
        Ok(false)
    }

    fn kill(&self, claim: &Claim, why: &str) -> Result<bool> {
        self.say(Said::Trouble(format!("job {}: {why}", claim.id)));
        self.store.kill(claim, why)?;
        Ok(true)
    }

    fn say(&self, said: Said) {
        (self.say)(said);
    }
}

/// The memory that a child may take unless it is said otherwise, in bytes: nine tenths of what there is.
pub fn default_memory() -> Option<u64> {
    system::memory().map(|bytes| bytes / 10 * 9)
}

/// The name of this machine and process, which no other worker has.
pub fn host() -> String {
    let machine = system::machine();
    format!("{machine}-{}", std::process::id())
}
