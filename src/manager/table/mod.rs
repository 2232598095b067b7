//! Benchmark tables: what architectures are worth, measured by others beforehand and read from a CSV
//! file. Knows nothing of studies or scripts.

mod options;
#[cfg(test)]
mod tests;

pub use options::{Columns, Seconds, TableOptions};

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use csv::{ReaderBuilder, StringRecord, Trim};
use rand::RngExt;

use crate::error::{Error, Result};
use crate::evaluation::{Digest, Failure, FailureKind, Outcome};
use crate::seed::Seed;
use crate::space::Actions;

/// Up to so many rows the nearest keys to an unknown one are looked for, since each is compared.
const COMPARED: usize = 10_000;

/// A table of architectures and what they are worth, in memory.
#[derive(Debug)]
pub struct BenchmarkTable {
    name: String,
    content: Digest,
    /// The digest of everything that an answer depends on but the key and the seed.
    identity: Digest,
    rows: HashMap<Box<str>, Row>,
}

/// What the file says of one architecture, scaled.
#[derive(Debug)]
struct Row {
    rewards: Box<[f64]>,
    score: f64,
    params: u64,
    macs: u64,
    seconds: f64,
}

/// What a table answers.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    /// The key of the evaluation: the table's content, the options, the architecture and the seed.
    pub digest: Digest,
    /// What came back; the accuracy is the reward that was drawn.
    pub outcome: Outcome,
    /// What trials are ranked by: the mean of the score columns.
    pub score: f64,
}

impl BenchmarkTable {
    /// Reads the table at `path`, a CSV file with a header; `name` is what it is called.
    ///
    /// # Errors
    /// [`Error::Io`] for a file that cannot be read, [`Error::Unknown`] for a column that is not in
    /// it, [`Error::Duplicate`] for an architecture that is in it twice, [`Error::DataCorrupt`] for
    /// text in place of a number and a table without rows, and [`Error::Invalid`] for an option out
    /// of its range.
    pub fn open(path: &Path, name: &str, options: &TableOptions) -> Result<Self> {
        options.validate()?;
        let bytes = fs::read(path).map_err(Error::io("read", path))?;
        let content = Digest::of_bytes(&bytes);
        let mut reader = ReaderBuilder::new().trim(Trim::All).from_reader(&*bytes);
        let broken = |error: csv::Error| corrupt(path, "comma-separated values", &error);
        let header = reader.headers().map_err(broken)?.clone();
        let fields = Fields::find(&header, options)?;

        let mut rows = HashMap::new();
        for record in reader.records() {
            let line = Line {
                record: record.map_err(broken)?,
                header: &header,
                path,
            };
            let key = line.text(fields.key);
            if rows.contains_key(key) {
                let name = format!("{key} (line {} of {})", line.number(), path.display());
                let kind = "architecture";
                return Err(Error::Duplicate { kind, name });
            }
            rows.insert(key.into(), fields.read(&line, options)?);
        }
        if rows.is_empty() {
            return Err(corrupt(path, "rows below the header", &"none"));
        }
        Ok(Self {
            name: name.into(),
            content,
            identity: fields.identity(content, &header, options),
            rows,
        })
    }

    /// What the table is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The SHA-256 of the file.
    pub fn content_hash(&self) -> Digest {
        self.content
    }

    /// The number of architectures.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether there are none; never of a table that [`open`](Self::open) has read.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The key of `actions` where a table writes the values one after another: 0, 2 and 1 are "021".
    pub fn key_of(actions: &Actions) -> String {
        let values = actions.decided().map(|(_, value)| value.to_string());
        values.collect()
    }

    /// What the architecture `key` is worth. Of several reward columns `seed` and `key` draw one, so
    /// that the same question has the same answer.
    ///
    /// # Errors
    /// [`FailureKind::Invalid`] for an architecture that is not in the table.
    pub fn answer(&self, key: &str, seed: Seed) -> Result<Answer, Failure> {
        #[derive(serde::Serialize)]
        struct Question<'a> {
            table: Digest,
            key: &'a str,
            seed: Seed,
        }
        let Some(row) = self.rows.get(key) else {
            return Err(Failure::new(FailureKind::Invalid, self.unknown(key)));
        };
        let drawn = match &*row.rewards {
            [only] => *only,
            several => {
                let mut stream = seed.derive("table").stream(key);
                several[stream.random_range(0..several.len())]
            }
        };
        let table = self.identity;
        Ok(Answer {
            digest: Digest::of_json(&Question { table, key, seed }),
            outcome: Outcome {
                accuracy: Some(drawn),
                seconds: row.seconds,
                params: row.params,
                macs: row.macs,
                ..Outcome::default()
            },
            score: row.score,
        })
    }

    fn unknown(&self, key: &str) -> String {
        let (name, rows) = (&self.name, self.rows.len());
        let lacks = format!("table '{name}' has no architecture '{key}' among its {rows}");
        let distance = |known: &str| strsim::damerau_levenshtein(key, known);
        let mut keys = self.rows.keys().take(COMPARED + 1);
        match keys.by_ref().map(|k| (distance(k), k)).min() {
            Some((_, nearest)) if keys.next().is_none() => format!("{lacks}; nearest: '{nearest}'"),
            _ => lacks,
        }
    }
}

/// The positions of the columns that the options name.
struct Fields {
    key: usize,
    rewards: Vec<usize>,
    scores: Vec<usize>,
    params: Option<usize>,
    macs: Option<usize>,
    seconds: Option<usize>,
}

impl Fields {
    fn find(header: &StringRecord, options: &TableOptions) -> Result<Self> {
        let one = |name: &String| {
            let position = header.iter().position(|column| column == name);
            position.ok_or_else(|| Error::unknown("column", name, header))
        };
        let several = |columns: &Columns| columns.names().iter().map(one).collect::<Result<_>>();
        let seconds = match &options.seconds {
            Seconds::Column(name) => Some(one(name)?),
            Seconds::Number(_) => None,
        };
        Ok(Self {
            key: options.key.as_ref().map_or(Ok(0), one)?,
            rewards: several(&options.reward)?,
            scores: several(options.score())?,
            params: options.params.as_ref().map(one).transpose()?,
            macs: options.macs.as_ref().map(one).transpose()?,
            seconds,
        })
    }

    /// The digest of what answers depend on, however the options say it.
    fn identity(&self, content: Digest, header: &StringRecord, options: &TableOptions) -> Digest {
        #[derive(serde::Serialize)]
        struct Identity<'a> {
            content: Digest,
            key: Option<&'a str>,
            reward: &'a [String],
            score: &'a [String],
            scale: f64,
            params: &'a Option<String>,
            macs: &'a Option<String>,
            seconds: &'a Seconds,
        }
        Digest::of_json(&Identity {
            content,
            key: header.get(self.key),
            reward: options.reward.names(),
            score: options.score().names(),
            scale: options.scale,
            params: &options.params,
            macs: &options.macs,
            seconds: &options.seconds,
        })
    }

    fn read(&self, line: &Line<'_>, options: &TableOptions) -> Result<Row> {
        let scaled = |columns: &[usize]| {
            let values = columns.iter().map(|&c| line.number_in(c));
            values
                .map(|value| Ok(value? / options.scale))
                .collect::<Result<Vec<_>>>()
        };
        let count = |column: Option<usize>| {
            let count = column.map(|c| line.count_in(c)).transpose()?;
            Ok::<_, Error>(count.unwrap_or_default())
        };
        let scores = scaled(&self.scores)?;
        Ok(Row {
            rewards: scaled(&self.rewards)?.into(),
            score: scores.iter().sum::<f64>() / scores.len() as f64,
            params: count(self.params)? as u64,
            macs: count(self.macs)? as u64,
            seconds: match (&options.seconds, self.seconds) {
                (Seconds::Number(seconds), None) => *seconds,
                (_, column) => count(column)?,
            },
        })
    }
}

/// A row of the file, to be read by column.
struct Line<'a> {
    record: StringRecord,
    header: &'a StringRecord,
    path: &'a Path,
}

impl Line<'_> {
    /// The line in the file, counted from 1.
    fn number(&self) -> u64 {
        self.record.position().map_or(0, csv::Position::line)
    }

    fn text(&self, column: usize) -> &str {
        self.record.get(column).unwrap_or_default()
    }

    fn number_in(&self, column: usize) -> Result<f64> {
        self.parsed(column, "a number", f64::is_finite)
    }

    fn count_in(&self, column: usize) -> Result<f64> {
        let counts = |value: f64| value.is_finite() && value >= 0.0;
        self.parsed(column, "a number of 0 or more", counts)
    }

    fn parsed(&self, column: usize, expected: &str, fits: fn(f64) -> bool) -> Result<f64> {
        let text = self.text(column);
        let value = text.parse().ok().filter(|value| fits(*value));
        value.ok_or_else(|| {
            let name = self.header.get(column).unwrap_or_default();
            let place = format!("{expected} in column '{name}' of line {}", self.number());
            corrupt(self.path, place, &format!("'{text}'"))
        })
    }
}

fn corrupt(path: &Path, expected: impl Into<String>, found: &impl ToString) -> Error {
    Error::DataCorrupt {
        path: path.into(),
        record: None,
        expected: expected.into(),
        found: found.to_string(),
    }
}
