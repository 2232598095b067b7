//! A study as a run in MLflow while it grows. A thread of its own sends (`mail.rs`), so that a server that is slow or gone
//! costs a search nothing; what could not be sent is told at the end.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, channel, sync_channel};
use std::time::{Duration, Instant};

use super::client::{Client, Destination};
use super::data;
use super::mail::{Account, Mail, Word};
use super::metric::{Metric, of_test, of_trial, of_update};
use crate::error::{Error, Result};
use crate::network::Digest;
use crate::report::progress::Progress;
use crate::study::store::{About, Kept, StudyStore};
use crate::study::{Ended, Learned, Recorder, Tested, Trial};

/// How long the end of a run waits for a server that takes nothing more.
const LAST_WORDS: Duration = Duration::from_secs(15);
/// How many trials and updates may wait for the thread.
const QUEUE: usize = 16_384;

/// The study that is followed.
pub struct Followed {
    /// What it was started with.
    pub about: About,
    /// The parameters of its script, those that were not given included.
    pub params: BTreeMap<String, String>,
    /// When, in seconds since 1970.
    pub created: f64,
    /// Where it is kept, if it is.
    pub store: Option<(Arc<dyn StudyStore>, Kept)>,
}

/// Follows a study into MLflow.
pub struct Follower {
    words: Option<SyncSender<Word>>,
    /// Ends when the thread does.
    over: Receiver<()>,
    account: Arc<Account>,
    progress: Arc<Progress>,
    url: String,
    /// The study's name, if a store has what could not be sent.
    stored: Option<String>,
    created: f64,
    elapsed: f64,
    best: Option<Box<Trial>>,
    described: bool,
    tests: Vec<Digest>,
}

impl Follower {
    /// Follows `study` to `destination`; `progress` tells what goes wrong.
    ///
    /// # Errors
    /// [`Error::Invalid`] for what is no address; [`Error::Io`] where no thread can be started.
    pub fn new(destination: Destination, study: Followed, progress: Arc<Progress>) -> Result<Self> {
        let client = Client::new(&destination.url)?;
        let (words, heard) = sync_channel(QUEUE);
        let (alive, over) = channel::<()>();
        let account = Arc::new(Account::default());
        let (url, created) = (destination.url.clone(), study.created);
        let stored = study
            .store
            .as_ref()
            .map(|(_, kept)| kept.about.name.clone());
        let mail = Mail::new(
            client,
            destination,
            study,
            progress.clone(),
            account.clone(),
        );
        let work = move || {
            let _alive = alive;
            mail.work(&heard);
        };
        let thread = std::thread::Builder::new().name("mlflow".into());
        let started = thread.spawn(work).map(drop);
        started.map_err(Error::io("start", std::path::Path::new("a thread")))?;
        Ok(Self {
            words: Some(words),
            over,
            account,
            progress,
            url,
            stored,
            created,
            elapsed: 0.0,
            best: None,
            described: false,
            tests: Vec::new(),
        })
    }

    /// Hands `metrics` to the thread. If it is too far behind they are lost, rather than that the search waits.
    fn say(&self, metrics: Vec<Metric>) -> Result<()> {
        let count = metrics.len();
        self.account.left.fetch_add(count, Relaxed);
        let words = self.words.as_ref();
        let lost = words.is_none_or(|words| words.try_send(Word::Metrics(metrics)).is_err());
        if lost {
            self.account.left.fetch_sub(count, Relaxed);
            self.account.lost.fetch_add(count, Relaxed);
        }
        Ok(())
    }

    /// Waits for the thread to end, for as long as the server takes something.
    fn wait(&self) {
        let (mut seen, mut until) = (self.account.sent.load(Relaxed), Instant::now() + LAST_WORDS);
        while Instant::now() < until {
            let over = self.over.recv_timeout(Duration::from_millis(100));
            if !matches!(over, Err(RecvTimeoutError::Timeout)) {
                return;
            }
            let sent = self.account.sent.load(Relaxed);
            if sent != seen {
                (seen, until) = (sent, Instant::now() + LAST_WORDS);
            }
        }
    }

    /// Says what MLflow did not get.
    fn tell_rest(&self) {
        let missing = self.account.left.load(Relaxed) + self.account.lost.load(Relaxed);
        if self.account.done.load(Relaxed) && missing == 0 {
            return;
        }
        let what = match missing {
            0 => "has not got how the search ended".to_string(),
            1 => "has not got 1 number of the search".to_string(),
            _ => format!("has not got {missing} numbers of the search"),
        };
        let why = self.account.error.lock().clone();
        let why = why.map(|why| format!(" ({why})")).unwrap_or_default();
        let later = match &self.stored {
            Some(name) => {
                let name = crate::report::figures::clipped(name, 80);
                format!(
                    "; nas-script mlflow {} --to {} sends it",
                    name.escape_debug(),
                    self.url
                )
            }
            None => String::new(),
        };
        self.progress.insist(&format!("MLflow {what}{why}{later}"));
    }
}

impl Recorder for Follower {
    fn trial(&mut self, trial: &Trial) -> Result<()> {
        self.elapsed = trial.elapsed;
        if !self.described
            && let Some(data) = data(trial)
        {
            let words = self.words.as_ref();
            self.described = words.is_some_and(|w| w.try_send(Word::Params(data)).is_ok());
        }
        let best = self.best.as_ref().and_then(|best| best.score);
        let better = trial.score.is_some() && trial.score > best;
        if better {
            self.best = Some(Box::new(trial.clone()));
        }
        let best = if better { trial.score } else { best };
        self.say(of_trial(trial, self.created, best))
    }

    fn learned(&mut self, learned: &Learned) -> Result<()> {
        self.say(of_update(learned, self.created + self.elapsed))
    }

    fn tested(&mut self, tested: &Tested) -> Result<()> {
        // A network that is scored again takes the place of its first score, as in a store.
        self.tests.retain(|digest| *digest != tested.network);
        self.tests.push(tested.network);
        let number = self.tests.len() as i64;
        self.say(of_test(tested, number, self.created + self.elapsed))
    }

    fn finish(&mut self, ended: Ended) -> Result<()> {
        *self.account.ended.lock() = Some((ended, self.best.take()));
        // The thread sends what waits, and then the end.
        self.words = None;
        self.wait();
        self.tell_rest();
        Ok(())
    }
}
