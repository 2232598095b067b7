//! The live line of a run in the terminal; plain lines where there is no terminal.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use parking_lot::Mutex;

use crate::evaluation::Epoch;
use crate::study::Study;

/// Shows how far a loop over trials is. Printing goes through it, so that text and the live line
/// do not overwrite each other.
#[derive(Default)]
pub struct Progress {
    quiet: AtomicBool,
    run: Mutex<Option<Run>>,
    /// How far each child in training is, in the order in which they started.
    children: Mutex<BTreeMap<u64, Stage>>,
}

/// One loop over trials.
struct Run {
    bar: Option<ProgressBar>,
    started: Instant,
    done: u64,
    /// What will be done when the present round of the loop is over.
    expected: u64,
    total: u64,
}

/// How far one child is.
struct Stage {
    epoch: usize,
    epochs: usize,
    accuracy: Option<f64>,
}

/// A child in training, as long as this lives.
pub struct Child {
    progress: Arc<Progress>,
    key: u64,
}

impl Progress {
    /// Creates a progress that shows nothing but what is printed.
    pub fn quiet() -> Self {
        Self {
            quiet: AtomicBool::new(true),
            ..Self::default()
        }
    }

    /// Tells the user something on standard error, unless quiet.
    pub fn note(&self, text: &str) {
        if !self.quiet.load(Ordering::Relaxed) {
            warn(text);
        }
    }

    /// Starts a loop of `total` trials.
    pub fn start(&self, total: u64) {
        let terminal = std::io::stderr().is_terminal() && !self.quiet.load(Ordering::Relaxed);
        let bar = terminal.then(|| {
            let bar = ProgressBar::new(total);
            // A constant template: it parses, or every run shows the default style.
            if let Ok(style) = ProgressStyle::with_template("{bar:24} {pos}/{len} {prefix} {msg}") {
                bar.set_style(style);
            }
            bar.enable_steady_tick(Duration::from_millis(200));
            bar
        });
        *self.run.lock() = Some(Run {
            bar,
            started: Instant::now(),
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
    /// told by [`advance`](Self::advance).
    pub fn recorded(&self, study: &Study) {
        let run = self.run.lock();
        let between = run.as_ref().map(|run| run.done + 1..run.expected);
        drop(run);
        if let Some(between) = between.filter(|between| !between.is_empty()) {
            self.advance(between.start, study);
        }
    }

    /// Tells that `done` trials of the loop are over, with what `study` knows.
    pub fn advance(&self, done: u64, study: &Study) {
        let mut run = self.run.lock();
        let Some(run) = run.as_mut() else { return };
        run.done = done;
        let line = line(study, run.left());
        match &run.bar {
            Some(bar) => {
                bar.set_position(done);
                bar.set_message(line);
            }
            None if self.quiet.load(Ordering::Relaxed) => {}
            None => warn(&format!("trial {done}/{}  {line}", run.total)),
        }
    }

    /// Shows a child that starts a training of `epochs` epochs.
    pub fn child(self: &Arc<Self>, epochs: usize) -> Child {
        let mut children = self.children.lock();
        let key = children.last_key_value().map_or(0, |(last, _)| last + 1);
        let stage = Stage {
            epoch: 0,
            epochs,
            accuracy: None,
        };
        children.insert(key, stage);
        self.show(&children);
        let progress = self.clone();
        Child { progress, key }
    }

    fn show(&self, children: &BTreeMap<u64, Stage>) {
        if let Some(bar) = self.run.lock().as_ref().and_then(|run| run.bar.as_ref()) {
            bar.set_prefix(stages(&children.values().collect::<Vec<_>>()));
        }
    }

    /// Ends the loop and leaves its last line.
    pub fn finish(&self) {
        if let Some(bar) = self.run.lock().take().and_then(|run| run.bar) {
            bar.abandon();
        }
    }

    /// Prints `text` as a line of standard output.
    pub fn print(&self, text: &str) {
        match self.run.lock().as_ref().and_then(|run| run.bar.as_ref()) {
            Some(bar) => bar.suspend(|| say(text)),
            None => say(text),
        }
    }
}

impl Child {
    /// Shows a finished epoch.
    pub fn epoch(&self, epoch: &Epoch) {
        let mut children = self.progress.children.lock();
        if let Some(stage) = children.get_mut(&self.key) {
            stage.epoch = epoch.epoch;
            stage.accuracy = Some(epoch.validation_accuracy);
        }
        self.progress.show(&children);
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let mut children = self.progress.children.lock();
        children.remove(&self.key);
        // What the last one came to stays until the next one starts.
        if !children.is_empty() {
            self.progress.show(&children);
        }
    }
}

/// How many children are listed one by one.
const LISTED: usize = 6;

/// "epoch 3/10 0.9123" of one child, "2 children: epochs 3/10, 1/10" of several.
fn stages(children: &[&Stage]) -> String {
    let epoch = |stage: &&Stage| format!("{}/{}", stage.epoch, stage.epochs);
    let count = children.len();
    if let [stage] = children {
        let accuracy = stage.accuracy.map(|a| format!(" {a:.4}"));
        return format!("epoch {}{}", epoch(stage), accuracy.unwrap_or_default());
    }
    if count > LISTED {
        let reached = || children.iter().map(|stage| stage.epoch);
        let (least, most) = (reached().min().unwrap_or(0), reached().max().unwrap_or(0));
        return format!("{count} children: epochs {least} to {most}");
    }
    let epochs: Vec<_> = children.iter().map(epoch).collect();
    format!("{count} children: epochs {}", epochs.join(", "))
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
    /// The time left, by the average of the trials so far.
    fn left(&self) -> Option<Duration> {
        let done = (self.done > 0).then_some(self.done as f64)?;
        let per_trial = self.started.elapsed().as_secs_f64() / done;
        let left = per_trial * self.total.saturating_sub(self.done) as f64;
        // A loop without end has no time left to tell.
        Duration::try_from_secs_f64(left).ok()
    }
}

/// How many of the last trials the moving average holds.
const WINDOW: usize = 10;

/// "best 0.9333  last 0.9100  mean of 10 0.9050  left 12s".
fn line(study: &Study, left: Option<Duration>) -> String {
    let score = |s: Option<f64>| s.map_or("failed".into(), |s| format!("{s:.4}"));
    let trials = study.trials();
    let mut parts = Vec::new();
    if let Some(best) = study.best() {
        parts.push(format!("best {}", score(best.score)));
    }
    if let Some(last) = trials.last() {
        parts.push(format!("last {}", score(last.score)));
    }
    let recent = trials[trials.len().saturating_sub(WINDOW)..].iter();
    let recent: Vec<f64> = recent.filter_map(|t| t.score).collect();
    if !recent.is_empty() {
        let mean = recent.iter().sum::<f64>() / recent.len() as f64;
        parts.push(format!("mean of {} {mean:.4}", recent.len()));
    }
    if let Some(left) = left {
        let left = Duration::from_secs(left.as_secs());
        parts.push(format!("left {}", indicatif::HumanDuration(left)));
    }
    parts.join("  ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn children_that_train_side_by_side_share_a_line() {
        let stage = |epoch| Stage {
            epoch,
            epochs: 10,
            accuracy: (epoch > 0).then_some(0.5),
        };
        let shown = |epochs: &[usize]| {
            let children: Vec<_> = epochs.iter().copied().map(stage).collect();
            stages(&children.iter().collect::<Vec<_>>())
        };
        assert_eq!(shown(&[0]), "epoch 0/10");
        assert_eq!(shown(&[3]), "epoch 3/10 0.5000");
        assert_eq!(shown(&[2, 5, 1]), "3 children: epochs 2/10, 5/10, 1/10");
        assert_eq!(shown(&[4, 2, 9, 3, 3, 3, 3]), "7 children: epochs 2 to 9");
    }
}
