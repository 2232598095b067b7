//! Looking at studies while others work on them: the part of a store's contract that changes nothing.

use std::collections::BTreeMap;

use super::JobState;
use crate::error::Result;
use crate::study::{Brief, Choice, Learned, Tested, Trial};

/// A job of a study, as far as people want to know.
#[derive(Clone, Debug, PartialEq)]
pub struct Work {
    /// Its key.
    pub id: i64,
    /// Where it is.
    pub state: JobState,
    /// How often it was started.
    pub attempts: u32,
    /// Who took it last.
    pub worker: Option<String>,
    /// What its worker last said of how far it is, as JSON.
    pub progress: Option<String>,
    /// Why its last start came to nothing.
    pub error: Option<String>,
    /// The seconds since its state last changed.
    pub age: f64,
    /// The seconds until its lease ends; below 0 its worker has fallen silent.
    pub lease: Option<f64>,
}

/// Reads studies, in small pieces where they may be large.
pub trait Looks {
    /// The `number`-th trial of a study.
    ///
    /// # Errors
    /// [`Error::Store`](crate::Error::Store), as all calls of this trait.
    fn trial(&self, study: i64, number: usize) -> Result<Option<Trial>>;

    /// At most `most` trials that follow the `after`-th, in order.
    ///
    /// # Errors
    /// As [`trial`](Self::trial).
    fn trials_after(&self, study: i64, after: usize, most: usize) -> Result<Vec<Trial>>;

    /// As [`trials_after`](Self::trials_after), without the networks.
    ///
    /// # Errors
    /// As [`trial`](Self::trial).
    fn briefs_after(&self, study: i64, after: usize, most: usize) -> Result<Vec<Brief>>;

    /// What each controller of a study decides.
    ///
    /// # Errors
    /// As [`trial`](Self::trial).
    fn controllers(&self, study: i64) -> Result<BTreeMap<u64, Vec<Choice>>>;

    /// At most `most` updates of a controller that follow the `after`-th, in order.
    ///
    /// # Errors
    /// As [`trial`](Self::trial).
    fn updates_after(
        &self,
        study: i64,
        controller: u64,
        after: u64,
        most: usize,
    ) -> Result<Vec<Learned>>;

    /// The networks of a study that were scored on the test images, in the order in which they were.
    ///
    /// # Errors
    /// As [`trial`](Self::trial).
    fn tests(&self, study: i64) -> Result<Vec<Tested>>;

    /// Whether a living process works on the study.
    ///
    /// # Errors
    /// As [`trial`](Self::trial).
    fn is_held(&self, study: i64) -> Result<bool>;

    /// The jobs of a study that run or wait, and the last `most` that came to nothing; the latest change first.
    ///
    /// # Errors
    /// As [`trial`](Self::trial).
    fn work(&self, study: i64, most: usize) -> Result<Vec<Work>>;
}
