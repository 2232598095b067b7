//! The live line of a run in the terminal; plain lines where there is no terminal.

use std::io::{IsTerminal, Write};
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
}

/// One loop over trials.
struct Run {
    bar: Option<ProgressBar>,
    started: Instant,
    done: u64,
    total: u64,
}

impl Progress {
    /// Creates a progress that shows nothing but what is printed.
    pub fn quiet() -> Self {
        Self {
            quiet: AtomicBool::new(true),
            run: Mutex::default(),
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
            total,
        });
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

    /// Shows a finished epoch of the child in training.
    pub fn epoch(&self, epoch: &Epoch, epochs: usize) {
        if let Some(bar) = self.run.lock().as_ref().and_then(|run| run.bar.as_ref()) {
            let (n, accuracy) = (epoch.epoch, epoch.validation_accuracy);
            bar.set_prefix(format!("epoch {n}/{epochs} {accuracy:.4}"));
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
