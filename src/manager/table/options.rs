//! Which columns of a table answer what. Knows nothing of files.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// The options of a [`BenchmarkTable`](super::BenchmarkTable), under the names scripts use.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TableOptions {
    /// The column of the architecture, read as text. Default: the first.
    pub key: Option<String>,
    /// The column of the reward, or several of which one is drawn per evaluation, as one training of
    /// several. It has to be given.
    pub reward: Columns,
    /// The column that trials are ranked by, or several of which the mean is taken. Default: the mean
    /// of the reward columns.
    pub score: Option<Columns>,
    /// What rewards and scores are divided by, above 0: 100 makes shares of percent. Default 1.
    pub scale: f64,
    /// The column of the trainable parameters. Default: they are 0.
    pub params: Option<String>,
    /// The column of the multiply-accumulates. Default: they are 0.
    pub macs: Option<String>,
    /// The time that an evaluation pretends to have taken, in seconds: a number or a column. Nothing
    /// waits for it. Default 0.
    pub seconds: Seconds,
}

/// One column or several, by name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, expecting = "a column's name or a list of them")]
pub enum Columns {
    /// One.
    One(String),
    /// Several.
    Several(Vec<String>),
}

/// A time that is the same for every architecture, or a column of times.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged, expecting = "a number of seconds or a column's name")]
pub enum Seconds {
    /// The same for all.
    Number(f64),
    /// The name of a column.
    Column(String),
}

impl Columns {
    /// The names.
    pub fn names(&self) -> &[String] {
        match self {
            Self::One(name) => std::slice::from_ref(name),
            Self::Several(names) => names,
        }
    }
}

impl Default for TableOptions {
    fn default() -> Self {
        Self {
            key: None,
            reward: Columns::Several(Vec::new()),
            score: None,
            scale: 1.0,
            params: None,
            macs: None,
            seconds: Seconds::Number(0.0),
        }
    }
}

impl TableOptions {
    /// The names of the options.
    pub const OPTIONS: &'static [&'static str] = &[
        "key", "reward", "score", "scale", "params", "macs", "seconds",
    ];

    /// Checks the values that do not depend on the table.
    ///
    /// # Errors
    /// [`Error::Invalid`] with the option's name and what it accepts.
    pub fn validate(&self) -> Result<()> {
        let columns = "the name of a column or a list of such";
        if self.reward.names().is_empty() {
            return Err(Error::invalid("option 'reward'", columns, "none"));
        }
        if self.score().names().is_empty() {
            return Err(Error::invalid("option 'score'", columns, "none"));
        }
        if !(self.scale > 0.0 && self.scale.is_finite()) {
            let expected = "a number above 0";
            return Err(Error::invalid("option 'scale'", expected, self.scale));
        }
        match self.seconds {
            Seconds::Number(s) if !(s >= 0.0 && s.is_finite()) => {
                let expected = "a number of 0 or more, or the name of a column";
                Err(Error::invalid("option 'seconds'", expected, s))
            }
            _ => Ok(()),
        }
    }

    /// The columns of the score: those of the reward, unless they are named.
    pub fn score(&self) -> &Columns {
        self.score.as_ref().unwrap_or(&self.reward)
    }
}
