//! What a manager is asked, and the answer before it is a trial. Pure data.

use std::num::NonZero;
use std::sync::Arc;

use crate::child::Weights;
use crate::evaluation::{Evaluation, Failure, Outcome};
use crate::network::{Digest, Network};
use crate::space::Actions;
use crate::study::{Attempt, Question, Trial};

/// What is to be evaluated.
#[derive(Clone)]
pub struct Candidate {
    /// The network or the row.
    pub subject: Subject,
    /// The actions that it was made of; `None` for a network that was not.
    pub actions: Option<Actions>,
    /// How it is evaluated other than by the manager's settings.
    pub terms: Terms,
    /// What the script calls it.
    pub tag: Option<serde_json::Value>,
}

/// What is evaluated.
#[derive(Clone)]
pub enum Subject {
    /// A child, or why there is none, such as shapes that do not fit.
    Network(Result<Arc<Network>, String>),
    /// The key of a benchmark table's row.
    Row(String),
}

/// How a candidate is evaluated other than by the manager's settings.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Terms {
    /// How many epochs it is trained; `None`: as many as the manager's settings say.
    pub epochs: Option<NonZero<usize>>,
    /// From how many seeds it is evaluated; `None`: as many as the manager's settings say.
    pub repeats: Option<NonZero<usize>>,
}

impl Terms {
    /// The names of the terms.
    pub const OPTIONS: &'static [&'static str] = &["epochs", "repeats"];
}

/// What a script wants done about a failed child.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Reaction {
    /// Nothing: it has the manager's reward of failures.
    Accept,
    /// Try again, from another seed, and with another batch size if one is given.
    Retry {
        /// The batch size; `None`: as it was.
        batch_size: Option<NonZero<usize>>,
    },
    /// It has this reward.
    Penalise(f64),
    /// No policy learns from it.
    Skip,
}

/// An answered evaluation, not yet a trial of the study.
pub struct Evaluated {
    pub(super) ask: u64,
    pub(super) candidate: Candidate,
    pub(super) digest: Option<Digest>,
    pub(super) asked: Option<Evaluation>,
    /// What came back.
    pub outcome: Outcome,
    /// What trials are ranked by, where it is not the accuracy.
    pub(super) score: Option<f64>,
    pub(super) cached: bool,
    pub(super) weights: Option<Weights>,
    pub(super) attempts: Vec<Attempt>,
    /// The trial that it was in an earlier session.
    pub(super) recorded: Option<Box<Trial>>,
}

impl Evaluated {
    /// The answer to the question `ask`, before anything is known.
    pub(super) fn new(ask: u64, candidate: Candidate) -> Self {
        Self {
            ask,
            candidate,
            digest: None,
            asked: None,
            outcome: Outcome::default(),
            score: None,
            cached: false,
            weights: None,
            attempts: Vec::new(),
            recorded: None,
        }
    }

    /// What is compared with the record of a study.
    pub(super) fn question(&self) -> Question<'_> {
        Question {
            ask: self.ask,
            actions: self.candidate.actions.as_ref(),
            digest: self.digest,
            evaluation: self.asked.as_ref(),
            row: self.row(),
        }
    }

    /// The key of the row of a table that is asked.
    pub(super) fn row(&self) -> Option<&str> {
        match &self.candidate.subject {
            Subject::Row(key) => Some(key),
            Subject::Network(_) => None,
        }
    }

    /// This answer as the failure `failure`.
    pub(super) fn failed(mut self, failure: Failure) -> Self {
        self.outcome.failure = Some(failure);
        self
    }

    /// How often it was tried before and failed.
    pub fn attempts(&self) -> usize {
        self.attempts.len()
    }

    /// Answers with what was recorded of this attempt.
    pub(super) fn recall(&mut self) {
        let Some(recorded) = &self.recorded else {
            return;
        };
        match recorded.attempts.get(self.attempts.len()) {
            Some(attempt) => self.outcome = attempt.outcome.clone(),
            None => {
                self.outcome = recorded.outcome.clone();
                self.score = recorded.score.filter(|_| recorded.row.is_some());
                self.cached = recorded.cached;
            }
        }
    }
}
