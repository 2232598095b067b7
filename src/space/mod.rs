//! The search space: which decisions make an architecture, and the [`Actions`] that decide them.
//! Pure data: knows nothing of networks, policies or scripts.

mod actions;
mod value;

pub use actions::{Actions, Source};
pub use value::Value;

use std::fmt;

use crate::error::{Error, Result};

/// Whether a state is decided once per layer or once for the whole network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Once per layer (`add_state`).
    Layer,
    /// Once for the network (`add_choice`).
    Network,
}

/// One named state: a list of values to choose from.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct State {
    /// The position in the space, counted from 0 in the order of registration.
    pub id: usize,
    /// The name, unique in its space.
    pub name: String,
    /// The values in the order given; all of one type, no two the same.
    pub values: Vec<Value>,
    /// How often it is decided.
    pub scope: Scope,
}

impl State {
    /// The number of values.
    pub fn size(&self) -> usize {
        self.values.len()
    }

    /// The index of `value`.
    ///
    /// # Errors
    /// [`Error::Invalid`] where the state has no such value.
    pub fn index_of(&self, value: &Value) -> Result<usize> {
        self.values.iter().position(|v| v == value).ok_or_else(|| {
            Error::invalid(
                format!("state '{}'", self.name),
                format!("one of {}", value::list(&self.values)),
                value.quoted(),
            )
        })
    }
}

/// One step of the decision sequence of a space.
#[derive(Clone, Copy, Debug)]
pub struct Decision<'a> {
    /// The layer, counted from 0; `None` for a choice that is made once for the network.
    pub layer: Option<usize>,
    /// The state that is decided.
    pub state: &'a State,
}

/// A search space: states that are decided once per layer, and choices decided once.
///
/// The decisions of an architecture of `layers` layers form a sequence: for each layer every
/// per-layer state in the order of registration, then every choice (arXiv 1611.01578, §3.1).
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct StateSpace {
    states: Vec<State>,
}

/// The most layers an architecture may have; a guard against slips such as a swapped argument.
pub const MAX_LAYERS: usize = 1000;

impl StateSpace {
    /// Creates an empty space.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a state that is decided once per layer, and returns its id.
    ///
    /// # Errors
    /// An empty or repeated name, no values, a repeated value, or values of mixed types.
    pub fn add_state(&mut self, name: &str, values: Vec<Value>) -> Result<usize> {
        self.add(name, values, Scope::Layer)
    }

    /// Adds a choice that is decided once for the whole network, and returns its id.
    ///
    /// # Errors
    /// As [`add_state`](Self::add_state).
    pub fn add_choice(&mut self, name: &str, values: Vec<Value>) -> Result<usize> {
        self.add(name, values, Scope::Network)
    }

    fn add(&mut self, name: &str, values: Vec<Value>, scope: Scope) -> Result<usize> {
        if name.trim().is_empty() {
            return Err(Error::invalid("state name", "a name", "an empty string"));
        }
        if self.states.iter().any(|s| s.name == name) {
            return Err(Error::Duplicate {
                kind: "state",
                name: name.into(),
            });
        }
        value::check_values(name, &values)?;
        let id = self.states.len();
        self.states.push(State {
            id,
            name: name.into(),
            values,
            scope,
        });
        Ok(id)
    }

    /// The states in the order of registration.
    pub fn states(&self) -> &[State] {
        &self.states
    }

    /// The number of states.
    pub fn size(&self) -> usize {
        self.states.len()
    }

    /// The state at `index`, cyclically: after the last comes the first again.
    ///
    /// # Errors
    /// [`Error::Invalid`] where the space is empty.
    pub fn get(&self, index: usize) -> Result<&State> {
        if self.states.is_empty() {
            return Err(Error::invalid("state space", "at least one state", "none"));
        }
        Ok(&self.states[index % self.states.len()])
    }

    /// The state called `name`.
    ///
    /// # Errors
    /// [`Error::Unknown`] where there is none.
    pub fn by_name(&self, name: &str) -> Result<&State> {
        self.states
            .iter()
            .find(|s| s.name == name)
            .ok_or_else(|| Error::unknown("state", name, self.states.iter().map(|s| &s.name)))
    }

    /// The value at `index` of the state `id` (cyclic, as [`get`](Self::get)).
    ///
    /// # Errors
    /// [`Error::Invalid`] where the state has no such index.
    pub fn get_state_value(&self, id: usize, index: usize) -> Result<&Value> {
        let state = self.get(id)?;
        state.values.get(index).ok_or_else(|| {
            Error::invalid(
                format!("index into state '{}'", state.name),
                format!("0 to {}", state.size() - 1),
                index,
            )
        })
    }

    /// The original's encoding of `value` in the state `id`: index + 1 at the value's index,
    /// zeros elsewhere. Shape `[size of the state]`.
    ///
    /// # Errors
    /// [`Error::Invalid`] where the state has no such value.
    pub fn embedding_encode(&self, id: usize, value: &Value) -> Result<Vec<f64>> {
        let state = self.get(id)?;
        Ok(encode(state.size(), state.index_of(value)?))
    }

    /// The decision sequence of an architecture with `layers` layers.
    pub fn decisions(&self, layers: usize) -> impl Iterator<Item = Decision<'_>> {
        let of = |scope| self.states.iter().filter(move |s| s.scope == scope);
        let layered = (0..layers).flat_map(move |layer| {
            of(Scope::Layer).map(move |state| Decision {
                layer: Some(layer),
                state,
            })
        });
        layered.chain(of(Scope::Network).map(|state| Decision { layer: None, state }))
    }

    /// How many architectures of `layers` layers there are; `u128::MAX` stands for "more".
    pub fn cardinality(&self, layers: usize) -> u128 {
        self.decisions(layers)
            .map(|d| d.state.size() as u128)
            .fold(1, u128::saturating_mul)
    }

    /// Every architecture of `layers` layers, the last decision changing fastest. Lazy.
    ///
    /// # Errors
    /// As [`check_layers`](Self::check_layers).
    pub fn enumerate(&self, layers: usize) -> Result<impl Iterator<Item = Actions> + use<>> {
        self.check_layers(layers)?;
        let space = std::sync::Arc::new(self.clone());
        let sizes: Vec<usize> = self.decisions(layers).map(|d| d.state.size()).collect();
        let mut next = Some(vec![0; sizes.len()]);
        Ok(std::iter::from_fn(move || {
            let current = next.take()?;
            let mut following = current.clone();
            for (digit, size) in following.iter_mut().zip(&sizes).rev() {
                *digit += 1;
                if *digit < *size {
                    next = Some(following);
                    break;
                }
                *digit = 0;
            }
            Some(Actions::given(space.clone(), layers, current))
        }))
    }

    /// Checks that architectures of `layers` layers can be made from this space.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an empty space, no layers or more than [`MAX_LAYERS`].
    pub fn check_layers(&self, layers: usize) -> Result<()> {
        self.get(0)?;
        if layers == 0 || layers > MAX_LAYERS {
            return Err(Error::invalid(
                "number of layers",
                format!("1 to {MAX_LAYERS}"),
                layers,
            ));
        }
        Ok(())
    }
}

/// The original's encoding: index + 1 at `index`, zeros elsewhere.
pub(crate) fn encode(size: usize, index: usize) -> Vec<f64> {
    let mut encoding = vec![0.0; size];
    encoding[index] = (index + 1) as f64;
    encoding
}

impl fmt::Display for StateSpace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "StateSpace with {} states", self.size())?;
        let width = self.states.iter().map(|s| s.name.chars().count()).max();
        for s in &self.states {
            let scope = match s.scope {
                Scope::Layer => "per layer",
                Scope::Network => "per network",
            };
            let (id, name, values) = (s.id, &s.name, value::list(&s.values));
            let width = width.unwrap_or_default();
            writeln!(f, "  {id:>2}  {name:<width$}  {scope:<11}  {values}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
