//! What the thread of a follower does: gathers, sends, tries again. Never holds up who records.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

use super::client::{Client, Destination, METRICS, Run};
use super::follow::Followed;
use super::metric::Metric;
use super::{NO_FILES, artifacts, cut_note, key, names, params, tags};
use crate::error::{Error, Result};
use crate::report::progress::Progress;
use crate::report::words::now;
use crate::study::{Ended, Trial};

/// How long metrics gather before they are sent.
const GATHER: Duration = Duration::from_secs(1);
/// The longest wait after a request that came to nothing.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// How often the end is tried.
const LAST_TRIES: usize = 3;
/// The most metrics that wait to be sent; of more the oldest are let go.
const MOST: usize = 200_000;

/// What is handed to the thread.
pub(super) enum Word {
    Metrics(Vec<Metric>),
    Params(BTreeMap<String, String>),
}

/// What both sides know.
#[derive(Default)]
pub(super) struct Account {
    /// How many metrics wait.
    pub left: AtomicUsize,
    /// How many were let go.
    pub lost: AtomicUsize,
    /// How many requests the server took.
    pub sent: AtomicUsize,
    /// Whether the run there has its end.
    pub done: AtomicBool,
    /// Why the last request came to nothing.
    pub error: Mutex<Option<String>>,
    /// How the session ended, and its best trial.
    pub ended: Mutex<Option<(Ended, Option<Box<Trial>>)>>,
}

/// The thread's own.
pub(super) struct Mail {
    client: Client,
    destination: Destination,
    study: Followed,
    progress: Arc<Progress>,
    account: Arc<Account>,
    run: Option<Run>,
    /// Parameters that wait.
    params: BTreeMap<String, String>,
    waiting: VecDeque<Metric>,
    told: bool,
}

impl Mail {
    pub fn new(
        client: Client,
        destination: Destination,
        study: Followed,
        progress: Arc<Progress>,
        account: Arc<Account>,
    ) -> Self {
        Self {
            client,
            destination,
            params: params(&study.about, &study.params),
            study,
            progress,
            account,
            run: None,
            waiting: VecDeque::new(),
            told: false,
        }
    }

    pub fn work(mut self, heard: &Receiver<Word>) {
        let mut wait = GATHER;
        let mut next = Instant::now() + GATHER;
        loop {
            match heard.recv_timeout(next.saturating_duration_since(Instant::now())) {
                Ok(word) => {
                    self.take(word);
                    // Who always has more to say is not heard for ever.
                    if Instant::now() < next {
                        continue;
                    }
                }
                Err(RecvTimeoutError::Disconnected) => return self.end(),
                Err(RecvTimeoutError::Timeout) => {}
            }
            wait = match self.send() {
                Ok(()) => GATHER,
                Err(error) => {
                    // It may be another server by then.
                    self.run = None;
                    self.failed(&error);
                    (wait * 2).min(LONGEST_WAIT)
                }
            };
            next = Instant::now() + wait;
        }
    }

    fn take(&mut self, word: Word) {
        match word {
            Word::Params(params) => self.params.extend(params),
            Word::Metrics(metrics) => {
                self.waiting.extend(metrics);
                let over = self.waiting.len().saturating_sub(MOST);
                self.waiting.drain(..over);
                self.account.left.fetch_sub(over, Relaxed);
                self.account.lost.fetch_add(over, Relaxed);
            }
        }
    }

    fn failed(&mut self, error: &Error) {
        *self.account.error.lock() = Some(error.to_string());
        if !std::mem::replace(&mut self.told, true) {
            self.progress.note(&format!(
                "MLflow does not get what the search records, for now: {error}"
            ));
        }
    }

    /// The run, which is looked for or made at first.
    fn run(&mut self) -> Result<Run> {
        if let Some(run) = &self.run {
            return Ok(run.clone());
        }
        let (about, created) = (&self.study.about, self.study.created);
        let experiment = self.client.experiment(&self.destination.experiment)?;
        let key = key(about, created);
        let client = &self.client;
        let run = client.run(&experiment, &key, &about.name, created, &tags(about))?;
        client.goes_on(&run)?;
        self.run = Some(run.clone());
        Ok(run)
    }

    /// Sends what waits.
    fn send(&mut self) -> Result<()> {
        let run = self.run()?;
        while !self.waiting.is_empty() {
            let count = self.waiting.len().min(METRICS);
            self.client
                .log(&run, &self.waiting.make_contiguous()[..count])?;
            self.waiting.drain(..count);
            self.account.left.fetch_sub(count, Relaxed);
            self.account.sent.fetch_add(1, Relaxed);
        }
        if !self.params.is_empty() {
            let (params, shortened) = names::params(&self.params);
            self.client.describe(&run, &params)?;
            self.account.sent.fetch_add(1, Relaxed);
            self.params.clear();
            if let Some(note) = cut_note(&shortened) {
                self.progress.note(&note);
            }
        }
        Ok(())
    }

    /// Sends the rest, and how the session ended, if it did.
    fn end(mut self) {
        let Some((ended, best)) = self.account.ended.lock().take() else {
            return;
        };
        for _ in 0..LAST_TRIES {
            match self.last(ended, best.as_deref()) {
                Ok(()) => {
                    *self.account.error.lock() = None;
                    self.account.done.store(true, Relaxed);
                    return;
                }
                Err(error) => self.failed(&error),
            }
            std::thread::sleep(GATHER);
        }
    }

    fn last(&mut self, ended: Ended, best: Option<&Trial>) -> Result<()> {
        self.send()?;
        let run = self.run()?;
        let table = match &self.study.store {
            Some((store, kept)) => Some(artifacts::trials(&**store, kept)?),
            None => None,
        };
        if !artifacts::send(&self.client, &run, &self.study.about.source, best, table)? {
            self.progress.note(NO_FILES);
        }
        self.account.sent.fetch_add(1, Relaxed);
        let status = match ended {
            Ended::Finished => "FINISHED",
            Ended::Interrupted => "KILLED",
            Ended::Failed => "FAILED",
        };
        self.client.end(&run, status, now())
    }
}
