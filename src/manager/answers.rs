//! The answers to the networks of one call, in the order asked, while their children are in training.
//! Knows nothing of rewards, nor of where a child is trained.

use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver};

use parking_lot::Mutex;

use super::executor::{Ended, Executor, Jobs};
use crate::child::{Trained, Weights};
use crate::error::{Error, Result};
use crate::evaluation::{Evaluation, Failure, FailureKind, Outcome};
use crate::network::{Digest, Network};
use crate::space::Actions;
use crate::study::Study;

/// What is to be evaluated.
pub struct Candidate {
    /// The network, or why there is none, such as shapes that do not fit.
    pub network: Result<Arc<Network>, String>,
    /// The actions that it was made of; `None` for a network that was not.
    pub actions: Option<Actions>,
    /// How many epochs it is trained; `None`: as many as the manager's settings say.
    pub epochs: Option<NonZero<usize>>,
}

/// An answered evaluation, not yet a trial of the study.
pub struct Evaluated {
    pub(super) actions: Option<Actions>,
    pub(super) asked: Option<Evaluation>,
    /// What came back.
    pub outcome: Outcome,
    pub(super) cached: bool,
    pub(super) weights: Option<Weights>,
}

/// One position of a call: its answer, but for what the job `job` is still to bring.
pub(super) struct Place {
    evaluated: Evaluated,
    job: Option<usize>,
}

impl Place {
    pub(super) fn known(evaluated: Evaluated) -> Self {
        let job = None;
        Self { evaluated, job }
    }

    pub(super) fn trained(evaluated: Evaluated, job: usize) -> Self {
        let job = Some(job);
        Self { evaluated, job }
    }
}

/// The answers of one call, in the order asked. Each is given as soon as it and all before it are
/// there, while later children are still in training.
///
/// Outcomes are kept in the study as they come in, in whatever order. After an interrupt the children
/// that were stopped are [`Error::Interrupted`]; those that had ended are answered all the same. So it is
/// after another error, which its own child is answered with.
/// Dropping it waits for the children in training, and starts no more.
pub struct Answers {
    places: std::vec::IntoIter<Place>,
    /// What came of each job.
    ended: Vec<Option<Result<Trained>>>,
    digests: Vec<Digest>,
    receiver: Receiver<Ended>,
    withdrawn: Arc<AtomicBool>,
    stopped: bool,
    study: Arc<Mutex<Study>>,
}

impl Answers {
    pub(super) fn start(
        places: Vec<Place>,
        jobs: Jobs,
        executor: &dyn Executor,
        study: Arc<Mutex<Study>>,
    ) -> Result<Self> {
        let digests: Vec<Digest> = jobs.asked.iter().map(Evaluation::digest).collect();
        let withdrawn = jobs.withdrawn.clone();
        let receiver = match digests.is_empty() {
            true => mpsc::channel().1,
            false => executor.start(jobs)?,
        };
        Ok(Self {
            places: places.into_iter(),
            ended: digests.iter().map(|_| None).collect(),
            digests,
            receiver,
            withdrawn,
            stopped: false,
            study,
        })
    }

    /// Starts no more children, and waits for those in training. What they come to is still answered.
    pub fn stop(&mut self) {
        self.withdrawn.store(true, Ordering::Relaxed);
        while self.receive() {}
    }

    /// Waits for the next child to end; `false` where none is left.
    fn receive(&mut self) -> bool {
        let Ok(Ended { job, trained }) = self.receiver.recv() else {
            return false;
        };
        match &trained {
            Ok(trained) => {
                let mut study = self.study.lock();
                study.keep(self.digests[job], &trained.outcome);
            }
            Err(_) => self.stopped = true,
        }
        self.ended[job] = Some(trained);
        true
    }
}

impl Iterator for Answers {
    type Item = Result<Evaluated>;

    fn next(&mut self) -> Option<Self::Item> {
        let Place { mut evaluated, job } = self.places.next()?;
        let Some(job) = job else {
            return Some(Ok(evaluated));
        };
        while self.ended[job].is_none() && self.receive() {}
        let ended = &mut self.ended[job];
        if ended.is_none() && self.stopped {
            return Some(Err(Error::Interrupted));
        }
        let trained = match ended.get_or_insert_with(|| Ok(lost())) {
            Ok(trained) => trained,
            // A twin that follows was stopped by it.
            Err(error) => return Some(Err(std::mem::replace(error, Error::Interrupted))),
        };
        evaluated.outcome = trained.outcome.clone();
        evaluated.weights = trained.weights.take();
        Some(Ok(evaluated))
    }
}

impl Drop for Answers {
    fn drop(&mut self) {
        self.stop();
    }
}

/// What is known of a child whose executor ended without an answer.
pub(super) fn lost() -> Trained {
    let failure = Failure::new(FailureKind::Panic, "the training ended without an answer");
    Trained {
        outcome: Outcome {
            failure: Some(failure),
            ..Outcome::default()
        },
        weights: None,
    }
}
