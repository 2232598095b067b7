//! The executor that has children trained by workers: puts jobs into the store's queue, follows them, and hands
//! on what came of each. Knows nothing of how a worker trains.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::task::Task;
use super::worker::{Notice, Post, Said, Worker, host};
use super::{Runner, untrained};
use crate::child::{Examination, Trained, Weights};
use crate::data::{DataPaths, Dataset};
use crate::device::Selector;
use crate::error::{Error, Result};
use crate::evaluation::{Epoch, Evaluation, Failure, FailureKind, Outcome};
use crate::manager::{Ended, Executor, Files, InProcess, Jobs};
use crate::network::Network;
use crate::study::store::{Job, JobState, NewJob, StudyStore};

/// How often a job may be started before nobody tries any more.
const ATTEMPTS: u32 = 3;
/// How long the coordinator waits for news before it looks whether the user wants to stop.
const TICK: Duration = Duration::from_millis(50);
/// How often jobs are looked at, and those taken from workers that fell silent.
const REAP: Duration = Duration::from_secs(1);

/// What a fleet is made of; see [`Fleet::new`].
pub struct Setup {
    /// The store whose queue it uses.
    pub store: Arc<dyn StudyStore>,
    /// The study that asks, by its key in the store.
    pub study: i64,
    /// The folder that children leave their weights in; `None`: they leave none.
    pub files: Option<PathBuf>,
    /// What trains and scores in this process where no worker can, with who follows and stops it.
    pub here: InProcess,
    /// The workers of this process.
    pub local: Local,
}

/// The workers of this process.
pub struct Local {
    /// The device of each: as many workers as devices; none where others do the work.
    pub devices: Vec<Selector>,
    /// Where data sets are looked for.
    pub paths: DataPaths,
    /// The memory that a child may take on the CPU, in bytes; `None`: all.
    pub memory: Option<u64>,
    /// The program that trains; `None`: this one.
    pub program: Option<PathBuf>,
    /// How long a job is a worker's own without a heartbeat.
    pub lease: Duration,
    /// Called with what goes wrong at a worker, for people.
    pub warn: Arc<dyn Fn(&str) + Send + Sync>,
}

/// Trains by the workers of a store: those of this process, which take jobs of its study alone, and any others
/// that have joined.
///
/// Dropping it stops its workers.
pub struct Fleet {
    store: Arc<dyn StudyStore>,
    study: i64,
    files: Option<Arc<Files>>,
    here: InProcess,
    notice: Arc<Notice>,
    /// What the names of this process's workers, and of earlier ones of the study, begin with.
    ours: String,
    workers: Vec<JoinHandle<()>>,
    broken: Broken,
}

/// What ended a worker of this process.
type Broken = Arc<Mutex<Option<Error>>>;

impl Fleet {
    /// Starts the workers of this process. What an earlier process of the same study left in the queue is
    /// withdrawn, but for what workers of others train now: that is known when it is asked for again.
    ///
    /// # Errors
    /// [`Error::Store`] where the store refuses; [`Error::Io`] where the system gives no threads.
    pub fn new(setup: Setup) -> Result<Self> {
        let Setup {
            store,
            study,
            files,
            here,
            local,
        } = setup;
        let ours = format!("local-{study}-");
        store.clear(study, &ours)?;
        let mut fleet = Self {
            store,
            study,
            files: files.clone().map(|folder| Arc::new(Files::Folder(folder))),
            here,
            notice: Arc::default(),
            ours,
            workers: Vec::new(),
            broken: Broken::default(),
        };
        for (number, device) in (1..).zip(&local.devices) {
            let warn = local.warn.clone();
            let worker = Worker {
                store: fleet.store.clone(),
                post: Post {
                    name: format!("{}{}-{number}", fleet.ours, host()),
                    runner: Runner {
                        device: *device,
                        paths: local.paths.clone(),
                        files: files.clone(),
                        memory: local.memory,
                    },
                    program: local.program.clone(),
                    workers: local.devices.len(),
                    study: Some(study),
                    lease: local.lease,
                },
                notice: fleet.notice.clone(),
                say: Arc::new(move |said| {
                    if let Said::Trouble(trouble) = said {
                        warn(&trouble);
                    }
                }),
            };
            let broken = fleet.broken.clone();
            let work = move || {
                if let Err(error) = worker.run() {
                    broken.lock().get_or_insert(error);
                }
            };
            let thread = thread::Builder::new().name("worker".into()).spawn(work);
            fleet
                .workers
                .push(thread.map_err(Error::io("start", "threads"))?);
        }
        Ok(fleet)
    }

    fn new_jobs(&self, jobs: &Jobs) -> Result<Vec<NewJob>> {
        let new_job = |asked: &Evaluation| {
            let mut task = Task::new(asked.clone(), jobs.data.source().clone());
            task.timeout = jobs.timeout.map(|time| time.as_secs_f64());
            task.checkpoints = jobs.checkpoints;
            task.floor = jobs.floor.to_vec();
            task.again = jobs.again;
            task.together = jobs.asked.len();
            Ok(NewJob {
                digest: asked.digest(),
                payload: task.write()?,
                study: Some(self.study),
                attempts: ATTEMPTS,
            })
        };
        jobs.asked.iter().map(new_job).collect()
    }
}

impl Executor for Fleet {
    fn start(&self, jobs: Jobs) -> Result<Receiver<Ended>> {
        if jobs.again && self.files.is_none() {
            // Weights come from workers as files only.
            return self.here.start(jobs);
        }
        let ids = self.store.enqueue(&self.new_jobs(&jobs)?)?;
        let (sender, receiver) = mpsc::channel();
        let call = Call {
            open: ids.into_iter().zip(0..).collect(),
            jobs,
            store: self.store.clone(),
            files: self.files.clone(),
            here: self.here.clone(),
            notice: self.notice.clone(),
            broken: self.broken.clone(),
            sender,
        };
        let thread = thread::Builder::new().name("fleet".into());
        let thread = thread.spawn(move || call.follow());
        thread.map_err(Error::io("start", "threads"))?;
        Ok(receiver)
    }

    fn test(&self, network: &Network, weights: &Weights, data: &Dataset) -> Result<Examination> {
        self.here.test(network, weights, data)
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        self.notice.stop_now();
        self.store.wake();
        for worker in self.workers.drain(..) {
            let _ = worker.join();
        }
        // What was submitted and never fetched is not trained by others for nobody.
        if let Err(error) = self.store.clear(self.study, &self.ours) {
            tracing::warn!("jobs stay in the queue: {error}");
        }
    }
}

/// The jobs of one call, while they are in the queue.
struct Call {
    /// The positions in the call of those without an answer, by their keys.
    open: BTreeMap<i64, usize>,
    jobs: Jobs,
    store: Arc<dyn StudyStore>,
    files: Option<Arc<Files>>,
    here: InProcess,
    notice: Arc<Notice>,
    broken: Broken,
    sender: Sender<Ended>,
}

/// Who follows a child in training, and the last epoch that was shown.
type Shown = (Box<dyn Fn(&Epoch)>, usize);

impl Call {
    /// Hands on what comes of each job until all have ended or nobody wants the rest.
    fn follow(mut self) {
        if let Err(error) = self.watch() {
            self.withdraw(self.open.keys().copied().collect());
            // The first one is answered with it; the others were stopped by it.
            if let Some((_, job)) = self.open.pop_first() {
                self.answer(job, Err(error), None);
            }
        }
    }

    fn watch(&mut self) -> Result<()> {
        let mut reaped = Instant::now();
        let mut shown = BTreeMap::new();
        loop {
            // Looked at before the jobs, so that what had ended by then is answered.
            let interrupted = self.here.interrupted.load(Ordering::Relaxed);
            let ids: Vec<i64> = self.open.keys().copied().collect();
            let jobs = self.store.jobs(&ids)?;
            let waiting: Vec<i64> = jobs
                .iter()
                .filter(|job| job.state == JobState::Ready)
                .map(|job| job.id)
                .collect();
            jobs.into_iter().for_each(|job| self.see(job, &mut shown));
            if self.open.is_empty() {
                return Ok(());
            }
            if interrupted {
                self.withdraw(self.open.keys().copied().collect());
                for job in std::mem::take(&mut self.open).into_values() {
                    self.answer(job, Err(Error::Interrupted), None);
                }
                return Ok(());
            }
            if let Some(error) = self.broken.lock().take() {
                return Err(error);
            }
            if self.jobs.withdrawn.load(Ordering::Relaxed) {
                self.store.cancel(&waiting)?;
            }
            if reaped.elapsed() >= REAP {
                self.store.reap()?;
                reaped = Instant::now();
            }
            self.store.wait(TICK);
        }
    }

    fn withdraw(&self, ids: Vec<i64>) {
        if let Err(error) = self.store.cancel(&ids) {
            tracing::warn!("jobs stay in the queue: {error}");
        }
        self.notice.withdraw(ids);
    }

    fn answer(&self, job: usize, trained: Result<Trained>, left: Option<String>) {
        // Nobody may wait for it any more.
        let _ = self.sender.send(Ended { job, trained, left });
    }

    /// Hands on what a job has come to.
    fn see(&mut self, seen: Job, shown: &mut BTreeMap<i64, Shown>) {
        let Some(&job) = self.open.get(&seen.id) else {
            return;
        };
        let asked = &self.jobs.asked[job];
        if seen.state == JobState::Running {
            let epoch = seen
                .progress
                .and_then(|json| serde_json::from_str(&json).ok());
            let started = || ((self.here.follow)(asked, seen.worker.as_deref()), 0);
            show(shown.entry(seen.id).or_insert_with(started), epoch);
            return;
        }
        shown.remove(&seen.id);
        let withdrawn = self.jobs.withdrawn.load(Ordering::Relaxed);
        let outcome = match seen.state {
            JobState::Ready | JobState::Running => return,
            JobState::Done => seen.outcome.unwrap_or_default(),
            JobState::Dead => unanswered(asked, FailureKind::Lost, seen.error),
            JobState::Cancelled if withdrawn => {
                self.open.remove(&seen.id);
                return;
            }
            JobState::Cancelled => unanswered(asked, FailureKind::Cancelled, seen.error),
        };
        let succeeded = outcome.failure.is_none();
        let files = self.files.as_ref().filter(|_| succeeded);
        let weights = files.and_then(|files| files.weights(asked));
        self.open.remove(&seen.id);
        self.answer(job, Ok(Trained { outcome, weights }), seen.weights);
    }
}

fn show((on_epoch, last): &mut Shown, epoch: Option<Epoch>) {
    if let Some(epoch) = epoch.filter(|epoch| epoch.epoch != *last) {
        on_epoch(&epoch);
        *last = epoch.epoch;
    }
}

/// The outcome of a child that no worker has an answer for.
fn unanswered(asked: &Evaluation, kind: FailureKind, error: Option<String>) -> Outcome {
    let message = error.unwrap_or_else(|| "it was withdrawn".into());
    Outcome {
        failure: Some(Failure::new(kind, message)),
        ..untrained(asked)
    }
}
