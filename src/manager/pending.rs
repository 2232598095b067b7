//! Candidates that were submitted, and are answered as they finish. Knows nothing of how.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

use super::answers::Answers;
use super::candidate::Evaluated;
use crate::error::{Error, Result};

/// The submitted candidates that no answer was fetched of. Dropping it withdraws them.
pub struct Pending {
    /// The number of each question, and the flag that withdraws it.
    waiting: BTreeMap<u64, Arc<AtomicBool>>,
    /// Answers that were recorded in an earlier session: they come when their turn comes.
    recorded: BTreeMap<u64, Evaluated>,
    sender: Sender<(u64, Result<Evaluated>)>,
    receiver: Receiver<(u64, Result<Evaluated>)>,
}

impl Default for Pending {
    fn default() -> Self {
        let (sender, receiver) = mpsc::channel();
        Self {
            waiting: BTreeMap::new(),
            recorded: BTreeMap::new(),
            sender,
            receiver,
        }
    }
}

impl Pending {
    /// How many answers are still to be fetched.
    pub fn len(&self) -> usize {
        self.waiting.len() + self.recorded.len()
    }

    /// Whether none is.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Adds the question `ask`, of which an earlier session has the answer.
    pub(super) fn remember(&mut self, ask: u64, evaluated: Evaluated) {
        self.recorded.insert(ask, evaluated);
    }

    /// Adds the question `ask`, which `answers` answers alone: at once where it is `known` already, so that
    /// what needs no training comes in the order asked.
    ///
    /// # Errors
    /// [`Error::Io`] where the system gives no thread.
    pub(super) fn wait_for(&mut self, ask: u64, mut answers: Answers, known: bool) -> Result<()> {
        self.waiting.insert(ask, answers.withdrawn().clone());
        let sender = self.sender.clone();
        let mut forward = move || {
            let evaluated = answers.next().unwrap_or(Err(Error::Interrupted));
            // Whoever asked may be gone.
            let _ = sender.send((ask, evaluated));
        };
        if known {
            forward();
            return Ok(());
        }
        let thread = thread::Builder::new().name("pending".into());
        let started = thread.spawn(forward);
        started.map(drop).map_err(Error::io("start", "a thread"))
    }

    /// The next answer: that of `recorded`, if it is given, else the first that is there; waits for it.
    ///
    /// # Errors
    /// [`Error::Diverged`] where the recorded question was not submitted; what the answer itself is.
    pub(super) fn next(&mut self, trial: usize, recorded: Option<u64>) -> Result<Evaluated> {
        if let Some(ask) = recorded {
            return self.recorded.remove(&ask).ok_or_else(|| Error::Diverged {
                place: format!("trial {trial}"),
                recorded: format!("the answer to question {ask}"),
                asked: "the next of those submitted, without that one".into(),
            });
        }
        // Of a record that a fork has left.
        if let Some((_, evaluated)) = self.recorded.pop_first() {
            return Ok(evaluated);
        }
        let answer = self.receiver.recv();
        let (ask, evaluated) = answer.map_err(|_| Error::Interrupted)?;
        self.waiting.remove(&ask);
        evaluated
    }
}

impl Drop for Pending {
    fn drop(&mut self) {
        for withdrawn in self.waiting.values() {
            withdrawn.store(true, Ordering::Relaxed);
        }
    }
}
