//! What a search may spend. Knows nothing of what it spends it on.

use super::Study;
use crate::error::{Error, Result};

/// The most that a search may spend; `None`: no limit. The loops over trials end where one is reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Budget {
    /// Trials of the study.
    pub trials: Option<usize>,
    /// Hours of work on the study, those of earlier sessions included.
    pub hours: Option<f64>,
    /// Children that were trained for the study.
    pub children: Option<usize>,
}

impl Budget {
    /// The names of the limits.
    pub const OPTIONS: &'static [&'static str] = &["trials", "hours", "children"];

    /// Checks the values.
    ///
    /// # Errors
    /// [`Error::Invalid`] with the limit's name and what it accepts.
    pub fn validate(&self) -> Result<()> {
        match self
            .hours
            .filter(|hours| !(*hours > 0.0 && hours.is_finite()))
        {
            Some(hours) => {
                let expected = "a number of hours above 0";
                Err(Error::invalid("budget 'hours'", expected, hours))
            }
            None => Ok(()),
        }
    }

    /// This budget, with the limits of `other` where it has some.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            trials: self.trials.or(other.trials),
            hours: self.hours.or(other.hours),
            children: self.children.or(other.children),
        }
    }

    /// The first limit that `study` has reached, in words.
    pub(super) fn reached(&self, study: &Study) -> Option<String> {
        let (trials, hours) = (study.trials().len(), study.elapsed() / 3600.0);
        let children = || study.trials().iter().filter(|t| t.trained()).count();
        let reached = [
            self.trials
                .filter(|most| trials >= *most)
                .map(|most| format!("{most} trials")),
            self.hours
                .filter(|most| hours >= *most)
                .map(|most| format!("{most} hours")),
            self.children
                .filter(|most| children() >= *most)
                .map(|most| format!("{most} children")),
        ];
        reached.into_iter().flatten().next()
    }
}
