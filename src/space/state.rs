//! One named state of a space. Knows nothing of the sequence it is decided in.

use super::domain::Domain;
use super::value::{self, Value};
use crate::error::{Error, Result};

/// Whether a state is decided once per layer or once for the whole network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Once per layer (`add_state`, `add_input`, `add_anchor`).
    Layer,
    /// Once for the network (`add_choice`).
    Network,
}

/// One named state: something to decide, and what it can take.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct State {
    /// The position in the space, counted from 0 in the order of registration.
    pub id: usize,
    /// The name, unique in its space.
    pub name: String,
    /// What it can take.
    #[serde(flatten)]
    pub domain: Domain,
    /// How often it is decided.
    pub scope: Scope,
}

impl State {
    /// The values, where they are the same in every layer.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a state of another kind.
    pub fn values(&self) -> Result<&[Value]> {
        let found = match &self.domain {
            Domain::Values(values) => return Ok(values),
            Domain::PerLayer(_) => "values by layer",
            Domain::Growing { .. } => "an input",
            Domain::Anchor => "an anchor",
        };
        let what = format!("state '{}'", self.name);
        Err(Error::invalid(
            what,
            "the same values in every layer",
            found,
        ))
    }

    /// The index of `value`, where the values are the same in every layer.
    ///
    /// # Errors
    /// [`Error::Invalid`] where the state has no such value, or is of another kind.
    pub fn index_of(&self, value: &Value) -> Result<usize> {
        let what = || format!("state '{}'", self.name);
        value::index_of(self.values()?, value, what)
    }
}
