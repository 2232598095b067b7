//! The answers to the networks of one call, in the order asked, while their children are in training.
//! Knows nothing of rewards, nor of where a child is trained.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver};

use parking_lot::Mutex;

use super::candidate::Evaluated;
use super::executor::{Ended, Executor, Jobs};
use crate::child::Trained;
use crate::error::{Error, Result};
use crate::evaluation::{Evaluation, Failure, FailureKind, Outcome};
use crate::study::Study;

/// Where one seed's outcome of a candidate comes from.
pub(super) enum Part {
    /// It is known.
    Known(Outcome),
    /// The job of this position in the call brings it.
    Job(usize),
}

/// One position of a call: its answer, but for what `parts` are still to bring, one a seed.
pub(super) struct Place {
    pub evaluated: Evaluated,
    pub parts: Vec<Part>,
}

impl Place {
    /// A position that is answered already.
    pub fn known(evaluated: Evaluated) -> Self {
        let parts = Vec::new();
        Self { evaluated, parts }
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
    asked: Vec<Evaluation>,
    /// What came of each job.
    ended: Vec<Option<Result<Trained>>>,
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
        study.lock().settle()?;
        let mut answers = Self::known(places, study);
        answers.ended = jobs.asked.iter().map(|_| None).collect();
        answers.asked = jobs.asked.clone();
        answers.withdrawn = jobs.withdrawn.clone();
        answers.receiver = executor.start(jobs)?;
        Ok(answers)
    }

    /// Answers that need no child.
    pub(super) fn known(places: Vec<Place>, study: Arc<Mutex<Study>>) -> Self {
        Self {
            places: places.into_iter(),
            asked: Vec::new(),
            ended: Vec::new(),
            receiver: mpsc::channel().1,
            withdrawn: Arc::default(),
            stopped: false,
            study,
        }
    }

    /// The flag that, once set, starts no further child of the call.
    pub(super) fn withdrawn(&self) -> &Arc<AtomicBool> {
        &self.withdrawn
    }

    /// Starts no more children, and waits for those in training. What they come to is kept.
    fn stop(&mut self) {
        self.withdrawn.store(true, Ordering::Relaxed);
        while self.receive() {}
    }

    /// Waits for the next child to end; `false` where none is left.
    fn receive(&mut self) -> bool {
        let Ok(Ended {
            job,
            mut trained,
            left,
        }) = self.receiver.recv()
        else {
            return false;
        };
        if let Ok(Trained { outcome, .. }) = &trained {
            // An outcome is in the store before a script sees it.
            let kept = self.study.lock().keep(&self.asked[job], outcome, left);
            trained = kept.and(trained);
        }
        self.stopped |= trained.is_err();
        self.ended[job] = Some(trained);
        true
    }

    /// The outcome of the job `job`, and its weights for whoever asks first.
    fn outcome(&mut self, job: usize) -> Result<Trained> {
        while self.ended[job].is_none() && self.receive() {}
        if self.ended[job].is_none() && self.stopped {
            return Err(Error::Interrupted);
        }
        match self.ended[job].get_or_insert_with(|| Ok(lost())) {
            Ok(trained) => Ok(Trained {
                outcome: trained.outcome.clone(),
                weights: trained.weights.take(),
            }),
            // A twin that follows was stopped by it.
            Err(error) => Err(std::mem::replace(error, Error::Interrupted)),
        }
    }

    fn answer(&mut self, place: Place) -> Result<Evaluated> {
        let Place {
            mut evaluated,
            parts,
        } = place;
        let mut outcomes = Vec::new();
        for part in parts {
            let trained = match part {
                Part::Known(outcome) => without_weights(outcome),
                Part::Job(job) => self.outcome(job)?,
            };
            evaluated.weights = evaluated.weights.or(trained.weights);
            outcomes.push(trained.outcome);
        }
        match outcomes.len() {
            0 => {}
            1 => evaluated.outcome = outcomes.remove(0),
            _ => evaluated.outcome = Outcome::of_repeats(&outcomes),
        }
        Ok(evaluated)
    }
}

impl Iterator for Answers {
    type Item = Result<Evaluated>;

    fn next(&mut self) -> Option<Self::Item> {
        let place = self.places.next()?;
        Some(self.answer(place))
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
    without_weights(Outcome {
        failure: Some(failure),
        ..Outcome::default()
    })
}

fn without_weights(outcome: Outcome) -> Trained {
    let weights = None;
    Trained { outcome, weights }
}
