//! How a run is told of while it runs: a live view in a terminal, a line a trial where there is none, JSON events where a
//! program reads, or nothing. Whatever a script prints goes through here, so that nothing overwrites anything.

mod events;
mod facts;
mod screen;

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use serde_json::{Value, json};

use self::facts::Facts;
use self::screen::Screen;
use super::words::grouped;
use crate::error::Result;
use crate::evaluation::Epoch;
use crate::study::{Learned, Recorder, Tested, Trial};

/// For whom a run is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Audience {
    /// People: a live view in a terminal, else a line a trial.
    #[default]
    People,
    /// Programs: JSON events on standard output.
    Programs,
    /// Nobody; what a script prints is printed all the same.
    Nobody,
}

/// Tells of a run.
#[derive(Default)]
pub struct Progress {
    audience: Audience,
    run: Mutex<Option<Run>>,
    facts: Mutex<Facts>,
    /// How far each child in training is, in the order in which they started.
    children: Mutex<(u64, BTreeMap<u64, Stage>)>,
}

/// One loop over trials.
struct Run {
    screen: Option<Screen>,
    /// Since when trials take their time, and how many there were: those of an earlier session take none.
    since: (Instant, u64),
    done: u64,
    /// What will be done when the present round of the loop is over.
    expected: u64,
    total: u64,
}

/// How far one child is.
#[derive(Clone, Debug)]
struct Stage {
    name: String,
    epoch: usize,
    epochs: usize,
    last: Option<(f64, f64)>,
}

impl Stage {
    /// "loss 0.3121  accuracy 0.9213  network 1a2b3c4d, 21,498 parameters, on local-0".
    fn line(&self) -> String {
        match self.last {
            Some((loss, accuracy)) => {
                format!("loss {loss:.4}  accuracy {accuracy:.4}  {}", self.name)
            }
            None => self.name.clone(),
        }
    }
}

/// A child that starts to train.
#[derive(Clone, Debug)]
pub struct Started {
    /// A short name of its network.
    pub network: String,
    /// The trainable parameters.
    pub params: u64,
    /// How many epochs it is to have.
    pub epochs: usize,
    /// Who trains it; `None`: the search's own process.
    pub worker: Option<String>,
}

/// A child in training, as long as this lives.
pub struct Child {
    progress: Arc<Progress>,
    key: u64,
}

/// Feeds a [`Progress`] with what a study records.
pub struct Watcher(pub Arc<Progress>);

impl Progress {
    /// Tells of a run to `audience`.
    pub fn new(audience: Audience) -> Self {
        Self {
            audience,
            ..Self::default()
        }
    }

    /// Creates a progress that shows nothing but what is printed.
    pub fn quiet() -> Self {
        Self::new(Audience::Nobody)
    }

    /// Tells an event to programs.
    pub fn event(&self, event: &Value) {
        if self.audience == Audience::Programs {
            events::emit(event);
        }
    }

    /// Tells the user something on standard error, unless quiet.
    pub fn note(&self, text: &str) {
        match self.audience {
            Audience::Nobody => {}
            Audience::Programs => self.event(&json!({ "event": "note", "text": text })),
            Audience::People => self.aside(|| warn(text)),
        }
    }

    /// Tells the user something that matters to whoever wanted to hear nothing, too.
    pub fn insist(&self, text: &str) {
        match self.audience {
            Audience::Nobody => warn(text),
            Audience::Programs | Audience::People => self.note(text),
        }
    }

    /// Starts a loop of `total` trials.
    pub fn start(&self, total: u64) {
        let screen = self.audience == Audience::People && std::io::stderr().is_terminal();
        self.event(&json!({ "event": "loop", "trials": (total < u64::MAX).then_some(total) }));
        *self.run.lock() = Some(Run {
            screen: screen.then(|| Screen::new(total)),
            since: (Instant::now(), 0),
            done: 0,
            expected: 0,
            total,
        });
    }

    /// Tells that the round that begins makes trials up to the `upto`-th.
    pub fn expect(&self, upto: u64) {
        if let Some(run) = self.run.lock().as_mut() {
            run.expected = upto;
        }
    }

    /// Tells that a trial is over, in the midst of a round that makes several. The last one of a round is
    /// told by [`advance`](Self::advance), which says what `known` is.
    pub fn recorded(&self, known: bool) {
        let run = self.run.lock();
        let between = run.as_ref().map(|run| run.done + 1..run.expected);
        drop(run);
        if let Some(between) = between.filter(|between| !between.is_empty()) {
            self.advance(between.start, known);
        }
    }

    /// Tells that `done` trials of the loop are over; `known`: the last is one of an earlier session.
    pub fn advance(&self, done: u64, known: bool) {
        let mut run = self.run.lock();
        let Some(run) = run.as_mut() else { return };
        run.done = done;
        if known {
            run.since = (Instant::now(), done);
        }
        let facts = self.facts.lock();
        let left = run
            .left()
            .map(|left| format!("left {}", indicatif::HumanDuration(left)));
        let left = left.unwrap_or_default();
        match &run.screen {
            Some(screen) => screen.advance(done, &left, [facts.scores(), facts.more()]),
            None if self.audience == Audience::People => {
                let parts = [facts.scores(), facts.failed().unwrap_or_default(), left];
                let parts: Vec<&str> = parts
                    .iter()
                    .map(String::as_str)
                    .filter(|part| !part.is_empty())
                    .collect();
                let of = if run.total < u64::MAX {
                    format!("/{}", run.total)
                } else {
                    String::new()
                };
                warn(&format!("trial {done}{of}  {}", parts.join("  ")));
            }
            None => {}
        }
    }

    /// Shows a child that starts a training.
    pub fn child(self: &Arc<Self>, started: &Started) -> Child {
        let Started {
            network,
            params,
            epochs,
            worker,
        } = started;
        let place = worker.as_ref().map(|worker| format!(", on {worker}"));
        let stage = Stage {
            name: format!(
                "network {network}, {} parameters{}",
                grouped(*params),
                place.unwrap_or_default()
            ),
            epoch: 0,
            epochs: *epochs,
            last: None,
        };
        let mut children = self.children.lock();
        children.0 += 1;
        let key = children.0;
        children.1.insert(key, stage);
        self.show(&children.1);
        drop(children);
        self.event(&json!({
            "event": "child", "child": key, "network": network, "params": params, "epochs": epochs, "worker": worker,
        }));
        Child {
            progress: self.clone(),
            key,
        }
    }

    fn show(&self, children: &BTreeMap<u64, Stage>) {
        if let Some(screen) = self.run.lock().as_mut().and_then(|run| run.screen.as_mut()) {
            screen.children(children);
        }
    }

    /// Ends the loop and leaves its last lines.
    pub fn finish(&self) {
        if let Some(screen) = self.run.lock().take().and_then(|run| run.screen) {
            screen.end();
        }
    }

    /// Prints `text` as a line of standard output.
    pub fn print(&self, text: &str) {
        match self.audience {
            Audience::Programs => self.event(&json!({ "event": "print", "text": text })),
            Audience::People | Audience::Nobody => self.aside(|| say(text)),
        }
    }

    /// Runs `write` while no live view is in its way.
    fn aside(&self, write: impl FnOnce()) {
        match self.run.lock().as_ref().and_then(|run| run.screen.as_ref()) {
            Some(screen) => screen.aside(write),
            None => write(),
        }
    }
}

impl Recorder for Watcher {
    fn trial(&mut self, trial: &Trial) -> Result<()> {
        self.0.facts.lock().trial(trial);
        if self.0.audience == Audience::Programs {
            events::emit(&events::trial(trial));
        }
        Ok(())
    }

    fn learned(&mut self, learned: &Learned) -> Result<()> {
        self.0.facts.lock().learned(learned);
        if self.0.audience == Audience::Programs {
            events::emit(&events::update(learned));
        }
        Ok(())
    }

    fn tested(&mut self, tested: &Tested) -> Result<()> {
        if self.0.audience == Audience::Programs {
            events::emit(&events::test(tested));
        }
        Ok(())
    }
}

impl Child {
    /// Shows a finished epoch.
    pub fn epoch(&self, epoch: &Epoch) {
        if self.progress.audience == Audience::Programs {
            events::emit(&events::epoch(self.key, epoch));
        }
        let mut children = self.progress.children.lock();
        if let Some(stage) = children.1.get_mut(&self.key) {
            stage.epoch = epoch.epoch;
            stage.last = Some((epoch.loss, epoch.validation_accuracy));
        }
        self.progress.show(&children.1);
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let mut children = self.progress.children.lock();
        children.1.remove(&self.key);
        self.progress.show(&children.1);
    }
}

/// Prints a line to standard output. A reader that went away (`| head`) ends no search.
pub fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// Prints a line to standard error, in the same way.
pub fn warn(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

impl Run {
    /// The time left, by the average of the trials of this session so far.
    fn left(&self) -> Option<Duration> {
        let (since, before) = self.since;
        let done = self.done.saturating_sub(before);
        let done = (done > 0 && self.total < u64::MAX).then_some(done as f64)?;
        let per_trial = since.elapsed().as_secs_f64() / done;
        let left = per_trial * self.total.saturating_sub(self.done) as f64;
        Duration::try_from_secs_f64(left)
            .ok()
            .map(|left| Duration::from_secs(left.as_secs()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_left_is_told_by_the_trials_of_this_session() {
        let progress = Progress::new(Audience::Nobody);
        progress.start(250);
        let left = || progress.run.lock().as_ref().and_then(Run::left);
        progress.advance(199, true);
        progress.advance(200, true);
        assert_eq!(left(), None, "those of an earlier session say nothing");
        if let Some(run) = progress.run.lock().as_mut() {
            run.since.0 -= Duration::from_secs(60);
        }
        progress.advance(201, false);
        // 49 more, each a minute.
        let left = left().unwrap().as_secs();
        assert!((49 * 60..49 * 60 + 120).contains(&left), "{left}");
    }
}
