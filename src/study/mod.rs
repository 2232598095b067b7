//! Studies: the trials of one search in order, and the outcome of every evaluation that was paid
//! for. Owns the run's folder. Knows nothing of training, policies or scripts.

mod brief;
mod budget;
mod folder;
mod journal;
mod learning;
pub mod pareto;
mod past;
mod recorder;
mod settle;
pub mod store;
mod trial;

pub use brief::Brief;
pub use budget::Budget;
pub use folder::{RunFolder, portable};
pub use journal::{JOURNAL_FILE, Journal};
pub use learning::{Choice, Learned, Learning, Tested, pictured};
pub use past::{Divergence, Past, Question};
pub use recorder::{Ended, Recorder};
pub use trial::{Attempt, Decided, Decisions, Trial};

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use self::store::{Fact, Paid, StudyStore, Tenure};
use crate::error::Result;
use crate::evaluation::{Evaluation, Outcome};
use crate::network::Digest;
use crate::seed::Seed;

/// Where a study is kept, beside its folder.
pub struct Keeper {
    /// The store.
    pub store: Arc<dyn StudyStore>,
    /// The right to add to the study.
    pub tenure: Box<dyn Tenure>,
    /// How many trials and facts the store has of it already.
    pub has: (usize, usize),
}

/// The trials of one search, in order, and every outcome that was paid for.
///
/// A study that was recorded before is answered from its [`Past`] for as long as that lasts, question by
/// question; its trials then come to be here again, one by one.
pub struct Study {
    name: String,
    seed: Seed,
    trials: Vec<Arc<Trial>>,
    outcomes: BTreeMap<Digest, Outcome>,
    /// The evaluations that were asked for in this session.
    asked: BTreeSet<Digest>,
    asks: u64,
    best: Option<usize>,
    kept: Option<(RunFolder, Journal)>,
    recorders: Vec<Box<dyn Recorder>>,
    keeper: Option<Keeper>,
    /// What the store does not have yet.
    learning: Learning,
    /// When all was written last.
    settled: Option<Instant>,
    /// Where outcomes are looked up and kept for a study that is itself in memory only.
    paid: Option<(Arc<dyn StudyStore>, i64)>,
    past: Past,
    facts: usize,
    budget: Budget,
    /// When the present stretch of work began, and how long those before were, in seconds.
    clock: (Instant, f64),
}

/// An outcome that was paid for already.
#[derive(Clone, Debug, PartialEq)]
pub struct Remembered {
    /// What came back.
    pub outcome: Outcome,
    /// Whether the study itself asked for it before, or another study paid: it costs this one nothing.
    pub cached: bool,
}

impl Study {
    /// Starts a study that is kept in memory only, as the REPL does.
    pub fn in_memory(name: &str, seed: Seed) -> Self {
        Self {
            name: name.into(),
            seed,
            trials: Vec::new(),
            outcomes: BTreeMap::new(),
            asked: BTreeSet::new(),
            asks: 0,
            best: None,
            kept: None,
            recorders: Vec::new(),
            keeper: None,
            learning: Learning::default(),
            settled: None,
            paid: None,
            past: Past::default(),
            facts: 0,
            budget: Budget::default(),
            clock: (Instant::now(), 0.0),
        }
    }

    /// Starts a study with a seed of its own that is kept in memory only, but pays for no outcome that the store of
    /// this one has, and keeps its own there.
    #[must_use]
    pub fn replica(&self, number: u64) -> Self {
        let seed = self.seed.derive(&format!("replica/{number}"));
        Self {
            paid: self.payments(),
            ..Self::in_memory(&format!("{}/{number}", self.name), seed)
        }
    }

    /// Where outcomes are kept, and for which study.
    fn payments(&self) -> Option<(Arc<dyn StudyStore>, i64)> {
        let kept = self.keeper.as_ref();
        let kept = kept.map(|keeper| (keeper.store.clone(), keeper.tenure.study()));
        kept.or_else(|| self.paid.clone())
    }

    /// Starts a study that is kept in `folder` and followed by `recorders`.
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io) where the journal cannot be created.
    pub fn in_folder(
        name: &str,
        seed: Seed,
        folder: RunFolder,
        recorders: Vec<Box<dyn Recorder>>,
    ) -> Result<Self> {
        let journal = Journal::create(&folder.file(JOURNAL_FILE))?;
        Ok(Self {
            kept: Some((folder, journal)),
            recorders,
            ..Self::in_memory(name, seed)
        })
    }

    /// The same study kept in a store as well, where `past` was recorded of it.
    #[must_use]
    pub fn stored(self, keeper: Keeper, past: Past) -> Self {
        Self {
            keeper: Some(keeper),
            past,
            ..self
        }
    }

    /// The same study, followed by one more recorder.
    #[must_use]
    pub fn followed(mut self, recorder: Box<dyn Recorder>) -> Self {
        self.recorders.push(recorder);
        self
    }

    /// The same study with a budget.
    #[must_use]
    pub fn within(self, budget: Budget) -> Self {
        Self { budget, ..self }
    }

    /// The study's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The seed that every draw of the study derives from.
    pub fn seed(&self) -> Seed {
        self.seed
    }

    /// The trials in order.
    pub fn trials(&self) -> &[Arc<Trial>] {
        &self.trials
    }

    /// The run's folder, if the study is kept in one.
    pub fn folder(&self) -> Option<&RunFolder> {
        self.kept.as_ref().map(|(folder, _)| folder)
    }

    /// The store, if the study is kept in one.
    pub fn store(&self) -> Option<&Arc<dyn StudyStore>> {
        self.keeper.as_ref().map(|keeper| &keeper.store)
    }

    /// The study's key in its store.
    pub fn key(&self) -> Option<i64> {
        self.keeper.as_ref().map(|keeper| keeper.tenure.study())
    }

    /// What the search may spend.
    pub fn budget(&self) -> &Budget {
        &self.budget
    }

    /// Sets what the search may spend; limits that were given from outside stay.
    pub fn limit(&mut self, budget: Budget) {
        self.budget = self.budget.or(budget);
    }

    /// The limit of the budget that is reached, in words. What was recorded before is within it.
    pub fn spent(&self) -> Option<String> {
        if self.replaying() {
            return None;
        }
        self.budget.reached(self)
    }

    /// Whether the next trial was recorded in an earlier session.
    pub fn replaying(&self) -> bool {
        self.trials.len() < self.past.trials().len()
    }

    /// Whether the last trial was recorded in an earlier session.
    pub fn replayed_last(&self) -> bool {
        !self.trials.is_empty() && self.replayed(self.trials.len())
    }

    /// Whether the `number`-th trial was recorded in an earlier session.
    pub fn replayed(&self, number: usize) -> bool {
        number <= self.past.trials().len()
    }

    /// Seconds of work on the study, those of earlier sessions included.
    pub fn elapsed(&self) -> f64 {
        self.clock.0.elapsed().as_secs_f64() + self.clock.1
    }

    /// The trial with the highest score; the earliest of equals.
    pub fn best(&self) -> Option<&Arc<Trial>> {
        self.best.map(|index| &self.trials[index])
    }

    /// The trial with the highest objective, the earliest of equals: what the search itself takes for the best,
    /// where a benchmark table ranks by more than it tells.
    pub fn leader(&self) -> Option<&Arc<Trial>> {
        let succeeded = self.trials.iter().filter(|trial| trial.score.is_some());
        succeeded.reduce(|best, trial| match trial.objective() > best.objective() {
            true => trial,
            false => best,
        })
    }

    /// How many epochs the children of all trials had; of a child that went on they count once.
    pub fn epochs(&self) -> usize {
        let mut of = BTreeMap::new();
        for trial in self.trials.iter().filter(|t| t.evaluation.is_some()) {
            let most: &mut usize = of.entry(trial.child()).or_default();
            *most = trial.outcome.history.len().max(*most);
        }
        of.values().sum()
    }

    /// The lowest objective of the trials so far.
    pub fn lowest(&self) -> Option<f64> {
        let objectives = self.trials.iter().map(|trial| trial.objective());
        objectives.reduce(f64::min)
    }

    /// The `n` best distinct networks by score, the best first; the earliest of equals.
    pub fn top(&self, n: usize) -> Vec<&Arc<Trial>> {
        let mut ranked: Vec<&Arc<Trial>> =
            self.trials.iter().filter(|t| t.score.is_some()).collect();
        // The sort is stable, so the earliest of equals stays first.
        ranked.sort_by(|a, b| {
            b.score
                .unwrap_or_default()
                .total_cmp(&a.score.unwrap_or_default())
        });
        let mut seen = BTreeSet::new();
        ranked.retain(|t| seen.insert(t.child()));
        ranked.truncate(n);
        ranked
    }

    /// The number of the next question.
    pub fn next_ask(&mut self) -> u64 {
        self.asks += 1;
        self.asks
    }

    /// The trial that answered `question` in an earlier session.
    ///
    /// # Errors
    /// [`Error::Diverged`](crate::Error::Diverged) where another question was asked there.
    pub fn recall(&mut self, question: &Question) -> Result<Option<Trial>> {
        Ok(self.past.recall(question)?.cloned())
    }

    /// The question whose answer came next in an earlier session.
    pub fn recorded_next(&self) -> Option<u64> {
        self.past.ask_of(self.trials.len() + 1)
    }

    /// Counts the evaluation `digest` as asked for. Returns whether it was before.
    pub fn asks_again(&mut self, digest: Digest) -> bool {
        !self.asked.insert(digest)
    }

    /// The outcome of the evaluation `digest`, if it was paid for already; the evaluation then counts as
    /// asked for.
    ///
    /// # Errors
    /// [`Error::Store`](crate::Error::Store).
    pub fn outcome(&mut self, digest: &Digest) -> Result<Option<Remembered>> {
        let again = self.asks_again(*digest);
        if let Some(outcome) = self.outcomes.get(digest) {
            let outcome = outcome.clone();
            let cached = again;
            return Ok(Some(Remembered { outcome, cached }));
        }
        let Some((store, own)) = self.payments() else {
            return Ok(None);
        };
        Ok(store.known(digest)?.map(|known| Remembered {
            outcome: known.outcome,
            cached: again || known.study != Some(own),
        }))
    }

    /// Keeps the outcome of `asked`, so that it is never paid for again, if it [is final](Outcome::is_final).
    ///
    /// # Errors
    /// [`Error::Store`](crate::Error::Store).
    pub fn keep(
        &mut self,
        asked: &Evaluation,
        outcome: &Outcome,
        weights: Option<String>,
    ) -> Result<()> {
        if !outcome.is_final() {
            return Ok(());
        }
        let digest = asked.digest();
        if let Some((store, study)) = self.payments() {
            store.keep(&Paid {
                digest,
                question: asked.to_json(),
                outcome,
                study: Some(study),
                weights,
            })?;
        }
        self.outcomes.insert(digest, outcome.clone());
        Ok(())
    }

    /// Adds a trial: to the store first, then to the journal, to memory and to the recorders. A trial that was
    /// recorded before is added as it was then.
    ///
    /// Returns the trial, and whether it is the best so far.
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io) or [`Error::Store`](crate::Error::Store) where it cannot be recorded;
    /// [`Error::Taken`](crate::Error::Taken); [`Error::Diverged`](crate::Error::Diverged).
    pub fn record(&mut self, mut trial: Trial) -> Result<(Arc<Trial>, bool)> {
        trial.number = self.trials.len() + 1;
        trial.elapsed = self.elapsed();
        if let Some(then) = self.past.trial(&trial)? {
            // The time between sessions is no work.
            self.clock = (Instant::now(), then.elapsed);
            trial = then;
        }
        if let Some(keeper) = self.keeper.as_ref().filter(|k| trial.number > k.has.0) {
            keeper.tenure.append(&trial)?;
        }
        self.add(trial)
    }

    /// Ends a session: adds the trials that the store has of the study and that the script did not ask for, so that
    /// the run's folder holds them all, and writes what waits to be written.
    ///
    /// # Errors
    /// As [`record`](Self::record).
    pub fn complete(&mut self, ended: Ended) -> Result<()> {
        let has = self.keeper.as_ref().map_or(0, |keeper| keeper.has.0);
        while self.trials.len() < has
            && let Some(trial) = self.past.trials().get(self.trials.len()).cloned()
        {
            self.add(trial)?;
        }
        // First what is our own: a recorder may wait for a server that is gone.
        let kept = self.settle();
        let mut recorders = self.recorders.iter_mut();
        let ended = recorders.try_for_each(|recorder| {
            recorder.finish(ended)?;
            recorder.flush()
        });
        kept.and(ended)
    }

    /// Adds a trial that is in the store, if there is one.
    fn add(&mut self, trial: Trial) -> Result<(Arc<Trial>, bool)> {
        if let Some((_, journal)) = &mut self.kept {
            journal.append(&trial)?;
        }
        let best_so_far = self.best().and_then(|t| t.score);
        let is_best = trial.score.is_some() && trial.score > best_so_far;
        if is_best {
            self.best = Some(self.trials.len());
        }
        for recorder in &mut self.recorders {
            recorder.trial(&trial)?;
        }
        let trial = Arc::new(trial);
        self.trials.push(trial.clone());
        self.settle_soon()?;
        Ok((trial, is_best))
    }

    /// The recorded answer to a question that no seed determines, such as a measured latency; `None`: it is new,
    /// and is to be [noted](Self::note).
    ///
    /// # Errors
    /// [`Error::Diverged`](crate::Error::Diverged) where another question was asked there.
    pub fn recall_fact(&mut self, kind: &str, question: &str) -> Result<Option<serde_json::Value>> {
        let Some(answer) = self.past.fact(kind, question)? else {
            return Ok(None);
        };
        self.note(kind, question, answer.clone())?;
        Ok(Some(answer))
    }

    /// Records the answer to a question that no seed determines.
    ///
    /// # Errors
    /// As [`record`](Self::record).
    pub fn note(&mut self, kind: &str, question: &str, answer: serde_json::Value) -> Result<()> {
        self.facts += 1;
        match self.keeper.as_ref().filter(|k| self.facts > k.has.1) {
            Some(keeper) => keeper.tenure.note(&Fact {
                kind: kind.into(),
                question: question.into(),
                answer,
            }),
            None => Ok(()),
        }
    }

    /// The path of `name` in the run's folder, if there is one.
    pub fn file(&self, name: impl AsRef<Path>) -> Option<std::path::PathBuf> {
        self.folder().map(|folder| folder.file(name))
    }
}

#[cfg(test)]
mod tests;
