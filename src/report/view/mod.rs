//! A study as people look at it: some numbers of each trial, and what its controllers learnt. Grows with the study, and
//! is small enough to be kept for ten thousands of trials. Knows nothing of how it is shown.

mod control;
mod importance;
mod point;
mod select;
mod teaching;

pub use control::{Control, expected_best, is_random};
pub use importance::{Importance, importance};
pub use point::{Axis, NONE, Point};
pub use select::{Cost, Only, Over, Select, Sort};
pub use teaching::{Pictured, Teaching};

use std::collections::{BTreeMap, BTreeSet};

use crate::error::Result;
use crate::evaluation::{DataKey, FailureKind};
use crate::network::Digest;
use crate::report::words::clock;
use crate::space::Source;
use crate::study::store::{Kept, StudyStore, Work};
use crate::study::{Brief, Tested};

/// How many trials, or updates, are read at a time.
const PIECE: usize = 500;

/// A study as it stands.
#[derive(Clone, Debug)]
pub struct View {
    /// What the store says of it.
    pub kept: Kept,
    /// Whether a living process works on it.
    pub running: bool,
    /// The trials in order; the one at `index` has the number `index + 1`.
    pub points: Vec<Point>,
    /// The decisions of all trials.
    pub axes: Vec<Axis>,
    /// What each controller learnt.
    pub teachings: BTreeMap<u64, Teaching>,
    /// Networks that were scored on the test images.
    pub tests: Vec<Tested>,
    /// Its jobs.
    pub work: Vec<Work>,
    /// What its children learn from; `None` where a table answered.
    pub data: Option<DataKey>,
    /// Measured latencies by the network, in milliseconds.
    latencies: BTreeMap<Digest, f64>,
    /// The networks of trials, where they had to be looked up.
    networks: BTreeMap<usize, Option<Digest>>,
    facts: usize,
}

impl View {
    /// The study `kept` of `store`, as it is now.
    ///
    /// # Errors
    /// [`Error::Store`](crate::Error::Store).
    pub fn open(store: &dyn StudyStore, kept: Kept) -> Result<Self> {
        let mut view = Self::empty(kept);
        view.refresh(store)?;
        Ok(view)
    }

    /// Nothing of the study `kept` yet.
    fn empty(kept: Kept) -> Self {
        Self {
            kept,
            running: false,
            points: Vec::new(),
            axes: Vec::new(),
            teachings: BTreeMap::new(),
            tests: Vec::new(),
            work: Vec::new(),
            data: None,
            latencies: BTreeMap::new(),
            networks: BTreeMap::new(),
            facts: 0,
        }
    }

    /// Reads what came to be since.
    ///
    /// # Errors
    /// [`Error::Store`](crate::Error::Store).
    pub fn refresh(&mut self, store: &dyn StudyStore) -> Result<()> {
        let study = self.kept.id;
        self.running = store.is_held(study)?;
        let before = self.points.len();
        loop {
            let some = store.briefs_after(study, self.points.len(), PIECE)?;
            let last = some.len() < PIECE;
            some.iter().for_each(|brief| self.add(brief));
            if last {
                break;
            }
        }
        let grown = self.points.len() > before;
        if grown && let Some(kept) = store.find(self.name())? {
            self.kept = kept;
        }
        if self.refresh_latencies(store)? || grown {
            self.fill_latencies(store)?;
        }
        for (controller, choices) in store.controllers(study)? {
            let teaching = self.teachings.entry(controller).or_default();
            teaching.choices = choices;
        }
        for (&controller, teaching) in &mut self.teachings {
            loop {
                let after = teaching.updates.last().map_or(0, |learned| learned.step);
                let some = store.updates_after(study, controller, after, PIECE)?;
                let last = some.len() < PIECE;
                some.into_iter().for_each(|learned| teaching.add(learned));
                if last {
                    break;
                }
            }
        }
        self.tests = store.tests(study)?;
        self.work = store.work(study, 10)?;
        Ok(())
    }

    /// Reads the latencies that were measured since; whether there are any.
    fn refresh_latencies(&mut self, store: &dyn StudyStore) -> Result<bool> {
        let facts = store.facts(self.kept.id)?;
        let before = self.latencies.len();
        for fact in facts
            .iter()
            .skip(self.facts)
            .filter(|fact| fact.kind == "latency")
        {
            let network = fact.question.split(' ').next().unwrap_or_default();
            if let (Ok(network), Some(milliseconds)) = (network.parse(), fact.answer.as_f64()) {
                self.latencies.insert(network, milliseconds);
            }
        }
        self.facts = facts.len();
        Ok(self.latencies.len() > before)
    }

    /// Gives trials the latencies of their networks. A latency may be measured long after its trial.
    fn fill_latencies(&mut self, store: &dyn StudyStore) -> Result<()> {
        if self.latencies.is_empty() {
            return Ok(());
        }
        let trained = |point: &&mut Point| point.latency.is_none() && point.digest.is_some();
        for point in self.points.iter_mut().filter(trained) {
            let network = match self.networks.get(&point.number) {
                Some(network) => *network,
                None => {
                    let trial = store.trial(self.kept.id, point.number)?;
                    let asked = trial.and_then(|trial| trial.evaluation);
                    let network = asked.map(|asked| asked.network.digest());
                    self.networks.insert(point.number, network);
                    network
                }
            };
            point.latency = network.and_then(|network| self.latencies.get(&network).copied());
        }
        Ok(())
    }

    fn add(&mut self, brief: &Brief) {
        let decided = brief.actions.iter().flat_map(|actions| &actions.decided);
        let mut values = vec![NONE; self.axes.len()];
        for decided in decided {
            let name = match decided.layer {
                Some(layer) => format!("layer_{layer}/{}", decided.state),
                None => decided.state.clone(),
            };
            let axis = self.axes.iter().position(|axis| axis.name == name);
            let axis = axis.unwrap_or_else(|| {
                let values = Vec::new();
                self.axes.push(Axis { name, values });
                self.axes.len() - 1
            });
            values.resize(self.axes.len(), NONE);
            values[axis] = self.axes[axis].index(&decided.value);
        }
        if self.data.is_none() {
            self.data = brief.evaluation.as_ref().map(|asked| asked.data.clone());
        }
        let outcome = &brief.outcome;
        let source = brief.actions.as_ref().map(|actions| actions.source);
        let curve = outcome.history.iter();
        self.points.push(Point {
            number: brief.number,
            reward: brief.reward,
            score: brief.score,
            accuracy: outcome.accuracy,
            loss: outcome.loss,
            params: outcome.params,
            macs: outcome.macs,
            latency: None,
            seconds: if brief.cached { 0.0 } else { outcome.seconds },
            elapsed: brief.elapsed,
            known: brief.cached,
            failure: outcome.failure.as_ref().map(|failure| failure.kind),
            uniform: source == Some(Source::Uniform),
            values: values.into(),
            digest: brief.digest,
            architecture: brief.architecture().into(),
            curve: curve
                .map(|epoch| epoch.validation_accuracy as f32)
                .collect(),
        });
    }

    /// The study's name.
    pub fn name(&self) -> &str {
        &self.kept.about.name
    }

    /// The controllers that have had updates, with their numbers from 0.
    pub fn taught(&self) -> Vec<(u64, &Teaching)> {
        let taught = self.teachings.iter();
        let taught = taught.filter(|(_, teaching)| !teaching.updates.is_empty());
        taught
            .map(|(&number, teaching)| (number, teaching))
            .collect()
    }

    /// The trial with the highest score; the earliest of equals.
    pub fn best(&self) -> Option<&Point> {
        let scored = self.points.iter().filter(|point| point.score.is_some());
        scored.reduce(|best, point| match point.score > best.score {
            true => point,
            false => best,
        })
    }

    /// The best `n` distinct networks.
    pub fn top(&self, n: usize) -> Vec<&Point> {
        let mut ranked: Vec<&Point> = self.points.iter().filter(|p| p.score.is_some()).collect();
        ranked.sort_by(|a, b| {
            b.score
                .unwrap_or_default()
                .total_cmp(&a.score.unwrap_or_default())
        });
        let mut seen = BTreeSet::new();
        ranked.retain(|point| seen.insert(point.child()));
        ranked.truncate(n);
        ranked
    }

    /// How many trials failed, by kind, the most frequent first.
    pub fn failures(&self) -> Vec<(FailureKind, usize)> {
        let mut kinds: Vec<(FailureKind, usize)> = Vec::new();
        for kind in self.points.iter().filter_map(|point| point.failure) {
            match kinds.iter_mut().find(|(known, _)| *known == kind) {
                Some((_, count)) => *count += 1,
                None => kinds.push((kind, 1)),
            }
        }
        kinds.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        kinds
    }

    /// How many trials failed, and of what kinds: `3 oom, 1 shape`.
    pub fn failed(&self) -> (usize, String) {
        let kinds = self.failures();
        let words: Vec<String> = kinds
            .iter()
            .map(|(kind, count)| format!("{count} {kind}"))
            .collect();
        let count = kinds.iter().map(|(_, count)| count).sum();
        (count, words.join(", "))
    }

    /// How many trials were answered from what was known.
    pub fn known(&self) -> usize {
        self.points.iter().filter(|point| point.known).count()
    }

    /// The seconds of training of all trials.
    pub fn seconds(&self) -> f64 {
        self.points.iter().map(|point| point.seconds).sum()
    }

    /// Whether any latency was measured.
    pub fn has_latency(&self) -> bool {
        !self.latencies.is_empty()
    }

    /// Something that differs whenever the study has changed, and some times a minute, since pages say how long ago
    /// things were.
    pub fn stamp(&self) -> String {
        let updates = self
            .teachings
            .values()
            .map(|teaching| teaching.updates.len());
        let updates: usize = updates.sum();
        let (trials, tests) = (self.points.len(), self.tests.len());
        let jobs = self.work.iter().map(|work| {
            let progress = work.progress.as_deref().unwrap_or_default();
            let silent = work.lease.is_some_and(|lease| lease <= 0.0);
            format!(
                "{} {:?} {} {silent} {progress}",
                work.id, work.state, work.attempts
            )
        });
        let jobs: String = jobs.collect::<Vec<_>>().join(",");
        let (latencies, clock) = (self.latencies.len(), clock());
        format!(
            "{trials}-{updates}-{tests}-{latencies}-{}-{jobs}-{clock}",
            self.running
        )
    }
}

#[cfg(test)]
pub(crate) mod tests;
