//! Where evaluations run: the seam between answering and training.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::time::Duration;

use burn::tensor::Device;

use super::{Crew, Files};
use crate::child::{self, Control, Examination, Trained, Weights};
use crate::data::Dataset;
use crate::error::{Error, Result};
use crate::evaluation::{Epoch, Evaluation};
use crate::network::Network;

/// Children to train on one data set.
pub struct Jobs {
    /// What is asked of each.
    pub asked: Vec<Evaluation>,
    /// The data set of all.
    pub data: Dataset,
    /// The longest time that each may train; `None`: as long as it takes.
    pub timeout: Option<Duration>,
    /// Where each leaves its weights; `None`: they are only handed back.
    pub files: Option<Arc<Files>>,
    /// Whether each starts from its child's checkpoint in the files, if it can, and leaves one.
    pub checkpoints: bool,
    /// Whether they are trained for their weights, although their outcomes are known.
    pub again: bool,
    /// See [`Control::floor`]. Default empty.
    pub floor: Arc<[f64]>,
    /// Set when the rest is not wanted any more: no further child is started.
    pub withdrawn: Arc<AtomicBool>,
}

impl Jobs {
    /// Jobs that are wanted, without files.
    pub fn new(asked: Vec<Evaluation>, data: Dataset, timeout: Option<Duration>) -> Self {
        Self {
            asked,
            data,
            timeout,
            files: None,
            checkpoints: false,
            again: false,
            floor: Arc::default(),
            withdrawn: Arc::default(),
        }
    }
}

/// What came of one of [`Jobs`].
pub struct Ended {
    /// Its position in [`Jobs::asked`].
    pub job: usize,
    /// The outcome, which may be a failure of the child, or
    /// [`Error::Interrupted`](crate::Error::Interrupted), or [`Error::Io`](crate::Error::Io) where its
    /// checkpoint cannot be kept.
    pub trained: Result<Trained>,
    /// The path of what it left in [`Jobs::files`].
    pub left: Option<String>,
}

/// Runs evaluations: in this process, or elsewhere.
pub trait Executor: Send + Sync {
    /// Whether children train in this process, and take its memory.
    fn in_process(&self) -> bool {
        false
    }

    /// Starts the training of `jobs`, in their order and several at a time where the executor can, and
    /// returns at once. Each is sent as soon as it ends; the channel closes when no more will come. After an
    /// interrupt, or another error, no further child is started.
    ///
    /// # Errors
    /// Where nothing can be started.
    fn start(&self, jobs: Jobs) -> Result<Receiver<Ended>>;

    /// Scores `network` with `weights` on the test split of `data`.
    ///
    /// # Errors
    /// Where the weights do not fit the network.
    fn test(&self, network: &Network, weights: &Weights, data: &Dataset) -> Result<Examination>;
}

/// Called when a child starts, with what is asked of it and with who trains it, if that is another process. What it
/// returns is called after each epoch, and dropped when the child has ended.
pub type Follow = Arc<dyn Fn(&Evaluation, Option<&str>) -> Box<dyn Fn(&Epoch)> + Send + Sync>;

/// Trains in this process.
#[derive(Clone)]
pub struct InProcess {
    /// The device that children are trained on.
    pub device: Device,
    /// The threads that they are trained on.
    pub crew: Arc<Crew>,
    /// Set when the user wants to stop.
    pub interrupted: Arc<AtomicBool>,
    /// What follows the children in training.
    pub follow: Follow,
}

impl InProcess {
    /// Trains one job after another, with others that do the same.
    fn work(&self, jobs: &Jobs, next: &AtomicUsize, threads: usize, ended: &Sender<Ended>) {
        loop {
            let _turn = self.crew.turn();
            let job = next.fetch_add(1, Ordering::Relaxed);
            let Some(asked) = jobs.asked.get(job) else {
                return;
            };
            if jobs.withdrawn.load(Ordering::Relaxed) {
                return;
            }
            let trained = self.crew.pool(threads).and_then(|pool| {
                let trained = pool.install(|| self.follow_and_train(asked, jobs));
                self.crew.give_back(pool);
                trained
            });
            let (trained, left) = match trained {
                Ok((trained, left)) => (Ok(trained), left),
                Err(error) => (Err(error), None),
            };
            let stopped = trained.is_err();
            if ended.send(Ended { job, trained, left }).is_err() || stopped {
                return;
            }
        }
    }

    fn follow_and_train(
        &self,
        asked: &Evaluation,
        jobs: &Jobs,
    ) -> Result<(Trained, Option<String>)> {
        let on_epoch = (self.follow)(asked, None);
        let control = Control {
            deadline: jobs.timeout,
            cancelled: &self.interrupted,
            floor: &jobs.floor,
            on_epoch: &*on_epoch,
        };
        self.train(asked, jobs, &control)
    }

    /// Trains one child, from its checkpoint on where there is one that fits. Returns what it left in the files
    /// too.
    fn train(
        &self,
        asked: &Evaluation,
        jobs: &Jobs,
        control: &Control,
    ) -> Result<(Trained, Option<String>)> {
        let Some(files) = &jobs.files else {
            let trained = child::train(asked, &jobs.data, &self.device, control)?;
            return Ok((trained, None));
        };
        if !jobs.checkpoints {
            let trained = child::train(asked, &jobs.data, &self.device, control)?;
            let left = trained
                .weights
                .as_ref()
                .filter(|_| trained.outcome.is_final());
            let left = left.map(|weights| files.keep_weights(asked, weights));
            return Ok((trained, left.transpose()?.flatten()));
        }
        let kept = files.checkpoint(asked);
        let start = kept.as_deref().filter(|kept| kept.check(asked).is_ok());
        let (trained, end) = child::train_from(asked, start, &jobs.data, &self.device, control)?;
        let left = match (end, kept) {
            // The checkpoint has gone further than was asked for, so it stays, and the weights have a file.
            (Some(end), Some(kept)) if end.epochs() <= kept.epochs() => {
                let weights = trained.weights.as_ref();
                let weights = weights.filter(|_| !kept.answers(asked));
                let left = weights.map(|weights| files.keep_weights(asked, weights));
                left.transpose()?.flatten()
            }
            (Some(end), _) => Some(files.keep_checkpoint(end)?),
            (None, _) => None,
        };
        Ok((trained, left))
    }
}

impl Executor for InProcess {
    fn in_process(&self) -> bool {
        true
    }

    fn start(&self, jobs: Jobs) -> Result<Receiver<Ended>> {
        let (sender, receiver) = mpsc::channel();
        let (side_by_side, threads) = self.crew.shares(jobs.asked.len());
        let shared = Arc::new((jobs, AtomicUsize::new(0)));
        for _ in 0..side_by_side {
            let (executor, shared, sender) = (self.clone(), shared.clone(), sender.clone());
            let work = move || executor.work(&shared.0, &shared.1, threads, &sender);
            // What panics here costs that child its answer, not the search its process.
            thread::Builder::new()
                .name("trainer".into())
                .spawn(work)
                .map_err(Error::io("start", "a thread"))?;
        }
        Ok(receiver)
    }

    fn test(&self, network: &Network, weights: &Weights, data: &Dataset) -> Result<Examination> {
        child::examine(network, weights, data.test(), &self.device)
    }
}
