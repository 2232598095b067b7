//! A trial without its network: what pictures and lists of many trials need, read several times faster.

use super::Decisions;
use crate::evaluation::{DataKey, Outcome};
use crate::network::Digest;

/// The parts of a [`Trial`](super::Trial) that are small.
#[derive(Clone, Debug, PartialEq, serde::Deserialize)]
pub struct Brief {
    /// See [`Trial::number`](super::Trial::number).
    pub number: usize,
    /// See [`Trial::actions`](super::Trial::actions).
    pub actions: Option<Decisions>,
    /// See [`Trial::reward`](super::Trial::reward).
    pub reward: f64,
    /// See [`Trial::score`](super::Trial::score).
    pub score: Option<f64>,
    /// See [`Trial::cached`](super::Trial::cached).
    pub cached: bool,
    /// See [`Trial::skipped`](super::Trial::skipped).
    #[serde(default)]
    pub skipped: bool,
    /// See [`Trial::digest`](super::Trial::digest).
    pub digest: Option<Digest>,
    /// See [`Trial::evaluation`](super::Trial::evaluation).
    pub evaluation: Option<Asked>,
    /// See [`Trial::row`](super::Trial::row).
    #[serde(default)]
    pub row: Option<String>,
    /// See [`Trial::outcome`](super::Trial::outcome).
    pub outcome: Outcome,
    /// See [`Trial::elapsed`](super::Trial::elapsed).
    #[serde(default)]
    pub elapsed: f64,
}

/// The parts of an evaluation that are small.
#[derive(Clone, Debug, PartialEq, serde::Deserialize)]
pub struct Asked {
    /// What the child learns.
    pub data: DataKey,
}

impl Brief {
    /// A short name of the architecture for people.
    pub fn architecture(&self) -> String {
        match (&self.actions, &self.row, &self.digest) {
            (Some(actions), _, _) => actions.summary.clone(),
            (None, Some(row), _) => row.clone(),
            (None, None, Some(digest)) => format!("evaluation {}", digest.short()),
            (None, None, None) => "an impossible network".into(),
        }
    }
}
