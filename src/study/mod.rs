//! Studies: the trials of one search in order, and the outcome of every evaluation that was paid
//! for. Owns the run's folder. Knows nothing of training, policies or scripts.

mod folder;
mod journal;
pub mod store;

pub use folder::RunFolder;
pub use journal::{JOURNAL_FILE, Journal};

use std::collections::BTreeMap;
use std::path::Path;

use crate::error::Result;
use crate::evaluation::{Evaluation, Outcome};
use crate::network::Digest;
use crate::seed::Seed;
use crate::space::{Actions, Source, Value};

/// What a controller (or the script) decided in a trial.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Decisions {
    /// Where the decisions came from.
    pub source: Source,
    /// Each decided state with its layer (from 1; none for a choice) and its value.
    pub decided: Vec<Decided>,
    /// A short line for people: `(3, 64) (1, 16)`.
    pub summary: String,
}

/// One decided state.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Decided {
    /// The state's name.
    pub state: String,
    /// The layer, from 1; `None` for a choice made once for the network.
    pub layer: Option<usize>,
    /// The chosen value; of an anchor the list of earlier layers, from 0.
    pub value: Value,
}

impl From<&Actions> for Decisions {
    fn from(actions: &Actions) -> Self {
        let decided = actions.decided().map(|(slot, value)| Decided {
            state: slot.state.name.clone(),
            layer: slot.layer.map(|l| l + 1),
            value,
        });
        Self {
            source: actions.source(),
            decided: decided.collect(),
            summary: actions.summary(),
        }
    }
}

/// One evaluated network of a search, as it stands in `trials.jsonl`.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Trial {
    /// The position in the study, from 1.
    pub number: usize,
    /// What was decided; `None` for a network that was not made from actions.
    pub actions: Option<Decisions>,
    /// The reward that the controller learns from.
    pub reward: f64,
    /// What trials are ranked by, the larger the better: the validation accuracy, or the value of
    /// the script's reward function. `None` for a failed trial.
    pub score: Option<f64>,
    /// Whether the outcome was known already, so that nothing was trained.
    pub cached: bool,
    /// The key of the evaluation; `None` for a network that could not be described.
    pub digest: Option<Digest>,
    /// What was asked.
    pub evaluation: Option<Evaluation>,
    /// What came back.
    pub outcome: Outcome,
}

impl Trial {
    /// A short name of the architecture for people.
    pub fn architecture(&self) -> String {
        match (&self.actions, &self.evaluation) {
            (Some(actions), _) => actions.summary.clone(),
            (None, Some(asked)) => format!("network {}", asked.network.digest().short()),
            (None, None) => "an impossible network".into(),
        }
    }
}

/// Follows a study as it grows. `report/` implements it for each form that a run leaves.
pub trait Recorder: Send {
    /// A trial was added.
    ///
    /// # Errors
    /// Where the record cannot be written.
    fn trial(&mut self, trial: &Trial) -> Result<()>;

    /// A step of a named series of numbers, such as a controller's update.
    ///
    /// # Errors
    /// Where the record cannot be written.
    fn scalars(&mut self, step: u64, scalars: &[(String, f64)]) -> Result<()>;
}

/// The trials of one search, in order, and every outcome that was paid for.
pub struct Study {
    name: String,
    seed: Seed,
    trials: Vec<Trial>,
    outcomes: BTreeMap<Digest, Outcome>,
    best: Option<usize>,
    kept: Option<(RunFolder, Journal)>,
    recorders: Vec<Box<dyn Recorder>>,
}

impl Study {
    /// Starts a study that is kept in memory only, as the REPL does.
    pub fn in_memory(name: &str, seed: Seed) -> Self {
        Self {
            name: name.into(),
            seed,
            trials: Vec::new(),
            outcomes: BTreeMap::new(),
            best: None,
            kept: None,
            recorders: Vec::new(),
        }
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

    /// The study's name: the script's, without its ending.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The seed that every draw of the study derives from.
    pub fn seed(&self) -> Seed {
        self.seed
    }

    /// The trials in order.
    pub fn trials(&self) -> &[Trial] {
        &self.trials
    }

    /// The run's folder, if the study is kept in one.
    pub fn folder(&self) -> Option<&RunFolder> {
        self.kept.as_ref().map(|(folder, _)| folder)
    }

    /// The trial with the highest score; the earliest of equals.
    pub fn best(&self) -> Option<&Trial> {
        self.best.map(|index| &self.trials[index])
    }

    /// The `n` best distinct networks by score, the best first; the earliest of equals.
    pub fn top(&self, n: usize) -> Vec<&Trial> {
        let mut ranked: Vec<&Trial> = self.trials.iter().filter(|t| t.score.is_some()).collect();
        // The sort is stable, so the earliest of equals stays first.
        ranked.sort_by(|a, b| {
            b.score
                .unwrap_or_default()
                .total_cmp(&a.score.unwrap_or_default())
        });
        let mut seen = std::collections::BTreeSet::new();
        ranked.retain(|t| seen.insert(t.digest));
        ranked.truncate(n);
        ranked
    }

    /// The outcome of the evaluation `digest`, if it was paid for already.
    pub fn outcome(&self, digest: &Digest) -> Option<&Outcome> {
        self.outcomes.get(digest)
    }

    /// Keeps the outcome of the evaluation `digest`, so that it is never paid for again, if it
    /// [is final](Outcome::is_final).
    pub fn keep(&mut self, digest: Digest, outcome: &Outcome) {
        if outcome.is_final() {
            self.outcomes.insert(digest, outcome.clone());
        }
    }

    /// Adds a trial: to the journal first, then to memory and to the recorders.
    ///
    /// Returns whether it is the best so far.
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io) where a record cannot be written.
    pub fn record(&mut self, trial: Trial) -> Result<bool> {
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
        self.trials.push(trial);
        Ok(is_best)
    }

    /// Passes a step of scalars on to the recorders.
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io) where a record cannot be written.
    pub fn scalars(&mut self, step: u64, scalars: &[(String, f64)]) -> Result<()> {
        let mut recorders = self.recorders.iter_mut();
        recorders.try_for_each(|recorder| recorder.scalars(step, scalars))
    }

    /// The path of `name` in the run's folder, if there is one.
    pub fn file(&self, name: impl AsRef<Path>) -> Option<std::path::PathBuf> {
        self.folder().map(|folder| folder.file(name))
    }
}

#[cfg(test)]
mod tests;
