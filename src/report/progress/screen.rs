//! The live view of a run in a terminal: how far the loop is, what it came to, and a line for each child in training.
//! Knows texts and lines, not studies.

use std::collections::BTreeMap;
use std::io::Write;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::Stage;

/// The most lines of children in a terminal whose height is not known.
const LINES: usize = 8;
/// What the view needs beside children.
const HEAD: usize = 5;

/// The lines of a run.
pub(super) struct Screen {
    all: MultiProgress,
    head: ProgressBar,
    facts: [ProgressBar; 2],
    children: BTreeMap<u64, ProgressBar>,
    rest: ProgressBar,
}

/// A constant template: it parses, or lines have the default style.
fn styled(bar: ProgressBar, template: &str) -> ProgressBar {
    match ProgressStyle::with_template(template) {
        Ok(style) => bar.with_style(style.progress_chars("━╸─")),
        Err(_) => bar,
    }
}

impl Screen {
    pub fn new(total: u64) -> Self {
        let all = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
        // A loop without end has no length.
        let (bar, head) = match total {
            u64::MAX => (
                ProgressBar::no_length(),
                "trial {pos}  {elapsed} {wide_msg}",
            ),
            _ => (
                ProgressBar::new(total),
                "{bar:24} {pos}/{len}  {elapsed} {wide_msg}",
            ),
        };
        let head = styled(all.add(bar), head);
        let line = || styled(all.add(ProgressBar::no_length()), "{wide_msg}");
        let (facts, rest) = ([line(), line()], line());
        head.enable_steady_tick(Duration::from_millis(250));
        Self {
            all,
            head,
            facts,
            children: BTreeMap::new(),
            rest,
        }
    }

    /// Shows that `done` trials are over, how long the rest will take, and what is known.
    pub fn advance(&self, done: u64, left: &str, facts: [String; 2]) {
        self.head.set_position(done);
        self.head.set_message(left.to_string());
        for (line, text) in self.facts.iter().zip(facts) {
            line.set_message(text);
        }
    }

    /// Shows the children that train.
    pub fn children(&mut self, stages: &BTreeMap<u64, Stage>) {
        let height = console_height().saturating_sub(HEAD).clamp(1, 64);
        let gone: Vec<u64> = self
            .children
            .keys()
            .filter(|key| !stages.contains_key(key))
            .copied()
            .collect();
        for key in gone {
            if let Some(bar) = self.children.remove(&key) {
                self.all.remove(&bar);
            }
        }
        for (key, stage) in stages {
            if !self.children.contains_key(key) && self.children.len() < height {
                let bar = self
                    .all
                    .insert_before(&self.rest, ProgressBar::new(stage.epochs as u64));
                self.children
                    .insert(*key, styled(bar, "  {bar:12} {pos}/{len} {wide_msg}"));
            }
            if let Some(bar) = self.children.get(key) {
                bar.set_position(stage.epoch as u64);
                bar.set_message(stage.line());
            }
        }
        let more = stages.len().saturating_sub(self.children.len());
        self.rest.set_message(match more {
            0 => String::new(),
            more => format!("  and {more} more networks in training"),
        });
    }

    /// Runs `write` while the view is out of the way.
    pub fn aside(&self, write: impl FnOnce()) {
        self.all.suspend(write);
    }

    /// Leaves what was reached, and takes the rest away.
    pub fn end(self) {
        for bar in self.children.values().chain([&self.rest]) {
            bar.finish_and_clear();
        }
        for bar in self.facts.iter().chain([&self.head]) {
            bar.abandon();
        }
        // The cursor is left behind the last line.
        let _ = writeln!(std::io::stderr());
    }
}

/// The lines of the terminal.
fn console_height() -> usize {
    let lines = console::Term::stderr().size_checked();
    lines.map_or(LINES + HEAD, |(lines, _)| usize::from(lines))
}
