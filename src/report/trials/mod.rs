//! Trials as a table for other programs: a row a trial, a column a number or a decision. Reads in pieces, so that long
//! studies need little memory. Knows columns; `csv.rs`, `jsonl.rs` and `parquet.rs` know files.

mod csv;
mod jsonl;
mod parquet;
#[cfg(test)]
mod tests;

pub use self::csv::csv;
pub use self::jsonl::jsonl;
pub use self::parquet::parquet;

use std::collections::{BTreeMap, BTreeSet};

use crate::error::Result;
use crate::space::Value;
use crate::study::Trial;
use crate::study::store::{Kept, StudyStore};

/// How many trials are read at a time.
const PIECE: usize = 500;

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// 64-bit integers.
    Int,
    /// 64-bit floats.
    Float,
    /// Truth values.
    Bool,
    /// Text.
    Text,
}

/// A cell; `None` where a trial has nothing there.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// Of [`Kind::Int`].
    Int(i64),
    /// Of [`Kind::Float`].
    Float(f64),
    /// Of [`Kind::Bool`].
    Bool(bool),
    /// Of [`Kind::Text`].
    Text(String),
}

type Read = fn(&Kept, &Trial) -> Option<Cell>;

/// The columns that every table has.
const FIXED: [(&str, Kind, Read); 22] = [
    ("study", Kind::Text, |kept, _| text(&kept.about.name)),
    ("seed", Kind::Text, |kept, _| text(&kept.about.seed.0)),
    ("number", Kind::Int, |_, trial| int(trial.number as u64)),
    ("elapsed", Kind::Float, |_, trial| float(trial.elapsed)),
    ("reward", Kind::Float, |_, trial| float(trial.reward)),
    ("score", Kind::Float, |_, trial| trial.score.and_then(float)),
    ("objective", Kind::Float, |_, trial| {
        trial.objective.and_then(float)
    }),
    ("accuracy", Kind::Float, |_, trial| {
        trial.outcome.accuracy.and_then(float)
    }),
    ("loss", Kind::Float, |_, trial| {
        trial.outcome.loss.and_then(float)
    }),
    ("best_epoch", Kind::Int, |_, trial| {
        int(trial.outcome.best_epoch? as u64)
    }),
    ("epochs", Kind::Int, |_, trial| {
        int(trial.outcome.history.len() as u64)
    }),
    ("seconds", Kind::Float, |_, trial| {
        float(trial.outcome.seconds)
    }),
    ("params", Kind::Int, |_, trial| int(trial.outcome.params)),
    ("macs", Kind::Int, |_, trial| int(trial.outcome.macs)),
    ("cached", Kind::Bool, |_, trial| {
        Some(Cell::Bool(trial.cached))
    }),
    ("skipped", Kind::Bool, |_, trial| {
        Some(Cell::Bool(trial.skipped))
    }),
    ("failure", Kind::Text, |_, trial| {
        text(&trial.outcome.failure.as_ref()?.kind)
    }),
    ("failure_message", Kind::Text, |_, trial| {
        text(&trial.outcome.failure.as_ref()?.message)
    }),
    ("digest", Kind::Text, |_, trial| text(&trial.digest?)),
    ("network", Kind::Text, |_, trial| {
        text(&trial.evaluation.as_ref()?.network.digest())
    }),
    ("tag", Kind::Text, |_, trial| match trial.tag.as_ref()? {
        serde_json::Value::String(tag) => text(tag),
        other => text(other),
    }),
    ("architecture", Kind::Text, |_, trial| {
        text(&trial.architecture())
    }),
];

fn text(value: &impl ToString) -> Option<Cell> {
    Some(Cell::Text(value.to_string()))
}

fn int(value: u64) -> Option<Cell> {
    i64::try_from(value).ok().map(Cell::Int)
}

fn float(value: f64) -> Option<Cell> {
    Some(Cell::Float(value))
}

/// A decided state: its layer, from 1, or none, and its name.
type State = (Option<usize>, String);

/// A table of the trials of studies.
pub struct Table<'a> {
    store: &'a dyn StudyStore,
    /// The studies, each with the number of its trials: what is added later is not in the table.
    studies: Vec<(&'a Kept, usize)>,
    /// The names and kinds of the columns after the fixed ones: a decision each.
    decisions: Vec<(String, Kind)>,
    /// Where each state is among them.
    places: BTreeMap<State, usize>,
}

impl<'a> Table<'a> {
    /// The table of `studies`, whose decisions are looked for first.
    ///
    /// # Errors
    /// [`Error::Store`](crate::Error::Store).
    pub fn new(store: &'a dyn StudyStore, studies: &'a [Kept]) -> Result<Self> {
        let mut table = Self {
            store,
            studies: Vec::new(),
            decisions: Vec::new(),
            places: BTreeMap::new(),
        };
        let mut states: Vec<(State, Kind)> = Vec::new();
        for kept in studies {
            let mut after = 0;
            loop {
                let some = store.briefs_after(kept.id, after, PIECE)?;
                let Some(last) = some.last() else { break };
                after = last.number;
                let decided = some.iter().flat_map(|brief| &brief.actions);
                for decided in decided.flat_map(|actions| &actions.decided) {
                    let kind = kind(&decided.value);
                    let state = (decided.layer, decided.state.clone());
                    match table.places.get(&state) {
                        Some(place) => states[*place].1 = both(states[*place].1, kind),
                        None => {
                            table.places.insert(state.clone(), states.len());
                            states.push((state, kind));
                        }
                    }
                }
            }
            table.studies.push((kept, after));
        }
        let mut taken: BTreeSet<String> = FIXED.iter().map(|(name, ..)| (*name).into()).collect();
        for ((layer, state), kind) in states {
            let name = name(layer, &state, &taken);
            taken.insert(name.clone());
            table.decisions.push((name, kind));
        }
        Ok(table)
    }

    /// The columns: names, all different, and kinds.
    pub fn columns(&self) -> Vec<(String, Kind)> {
        let fixed = FIXED
            .iter()
            .map(|(name, kind, _)| (name.to_string(), *kind));
        fixed.chain(self.decisions.iter().cloned()).collect()
    }

    /// Calls `row` with the cells of each trial, in the order of the columns.
    ///
    /// # Errors
    /// Those of `row`; [`Error::Store`](crate::Error::Store).
    pub fn each(&self, mut row: impl FnMut(Vec<Option<Cell>>) -> Result<()>) -> Result<()> {
        for &(kept, until) in &self.studies {
            let mut after = 0;
            while after < until {
                let some = self
                    .store
                    .trials_after(kept.id, after, PIECE.min(until - after))?;
                let Some(last) = some.last() else { break };
                after = last.number;
                for trial in &some {
                    row(self.cells(kept, trial))?;
                }
            }
        }
        Ok(())
    }

    fn cells(&self, kept: &Kept, trial: &Trial) -> Vec<Option<Cell>> {
        let mut cells: Vec<_> = FIXED.iter().map(|(_, _, read)| read(kept, trial)).collect();
        let fixed = cells.len();
        cells.resize(fixed + self.decisions.len(), None);
        for decided in trial.actions.iter().flat_map(|actions| &actions.decided) {
            let state = (decided.layer, decided.state.clone());
            if let Some(place) = self.places.get(&state) {
                cells[fixed + place] = Some(cell(&decided.value, self.decisions[*place].1));
            }
        }
        cells
    }
}

/// `layer_1/kernel`, or the name of a choice. One that another column has got `decision/` before it, and a number after
/// it if that is not enough.
fn name(layer: Option<usize>, state: &str, taken: &BTreeSet<String>) -> String {
    let plain = match layer {
        Some(layer) => format!("layer_{layer}/{state}"),
        None => state.to_string(),
    };
    if !taken.contains(&plain) {
        return plain;
    }
    let told = format!("decision/{plain}");
    let mut name = told.clone();
    let mut n = 1;
    while taken.contains(&name) {
        n += 1;
        name = format!("{told}_{n}");
    }
    name
}

fn kind(value: &Value) -> Kind {
    match value {
        Value::Bool(_) => Kind::Bool,
        Value::Int(_) => Kind::Int,
        Value::Float(_) => Kind::Float,
        Value::Text(_) | Value::Layers(_) => Kind::Text,
    }
}

/// The kind that holds values of both.
fn both(a: Kind, b: Kind) -> Kind {
    match (a, b) {
        (a, b) if a == b => a,
        (Kind::Int, Kind::Float) | (Kind::Float, Kind::Int) => Kind::Float,
        _ => Kind::Text,
    }
}

/// `value` as a cell of a column of `kind`. Lists of layers are JSON.
fn cell(value: &Value, kind: Kind) -> Cell {
    match (value, kind) {
        (Value::Bool(truth), Kind::Bool) => Cell::Bool(*truth),
        (Value::Int(number), Kind::Int) => Cell::Int(*number),
        (Value::Int(number), Kind::Float) => Cell::Float(*number as f64),
        (Value::Float(number), Kind::Float) => Cell::Float(*number),
        (other, _) => Cell::Text(other.to_string()),
    }
}
