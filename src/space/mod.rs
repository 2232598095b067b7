//! The search space: which decisions make an architecture, and the [`Actions`] that decide them.
//! Pure data: knows nothing of networks, policies or scripts.

mod actions;
mod decision;
mod domain;
mod state;
mod value;
mod variation;

pub use actions::{Actions, Source};
pub use decision::{Decision, Slot};
pub use domain::{Domain, MAX_INPUTS};
pub use state::{Scope, State};
pub use value::Value;

use std::fmt;

use crate::error::{Error, Result};

/// A search space: states that are decided once per layer, and choices decided once.
///
/// The decisions of an architecture of `layers` layers form a sequence: for each layer every
/// per-layer state in the order of registration, then every choice (arXiv 1611.01578, §3.1). An
/// anchor at layer i is i binary decisions, one for each earlier layer (§3.3).
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct StateSpace {
    states: Vec<State>,
}

/// The most layers an architecture may have; a guard against slips such as a swapped argument.
pub const MAX_LAYERS: usize = 1000;

/// The most decisions an architecture may have: anchors make the square of the layers.
pub const MAX_DECISIONS: usize = 100_000;
/// The most values that all decisions of an architecture may have together; each has a probability.
pub const MAX_VALUES: usize = 1_000_000;

impl StateSpace {
    /// Creates an empty space.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a state that is decided once per layer, and returns its id.
    ///
    /// # Errors
    /// An empty or repeated name, no values, a repeated value, values of mixed types or lists.
    pub fn add_state(&mut self, name: &str, values: Vec<Value>) -> Result<usize> {
        self.add(name, Domain::Values(values), Scope::Layer)
    }

    /// Adds a state that is decided once per layer, each layer from its own list of values, and
    /// returns its id.
    ///
    /// # Errors
    /// No lists, or as [`add_state`](Self::add_state) for the values of a layer.
    pub fn add_state_per_layer(&mut self, name: &str, lists: Vec<Vec<Value>>) -> Result<usize> {
        self.add(name, Domain::PerLayer(lists), Scope::Layer)
    }

    /// Adds a state that decides in each layer which of `first` inputs (0 to below `first`) or
    /// earlier layers (`first` + their number) is read (arXiv 1707.07012, §3), and returns its id.
    ///
    /// # Errors
    /// An empty or repeated name; no inputs, or more than [`MAX_INPUTS`].
    pub fn add_input(&mut self, name: &str, first: usize) -> Result<usize> {
        self.add(name, Domain::Growing { first }, Scope::Layer)
    }

    /// Adds an anchor, which decides in each layer a subset of the earlier layers, and returns its
    /// id (arXiv 1611.01578, §3.3).
    ///
    /// # Errors
    /// An empty or repeated name.
    pub fn add_anchor(&mut self, name: &str) -> Result<usize> {
        self.add(name, Domain::Anchor, Scope::Layer)
    }

    /// Adds a choice that is decided once for the whole network, and returns its id.
    ///
    /// # Errors
    /// As [`add_state`](Self::add_state).
    pub fn add_choice(&mut self, name: &str, values: Vec<Value>) -> Result<usize> {
        self.add(name, Domain::Values(values), Scope::Network)
    }

    fn add(&mut self, name: &str, domain: Domain, scope: Scope) -> Result<usize> {
        if name.trim().is_empty() {
            return Err(Error::invalid("state name", "a name", "an empty string"));
        }
        if self.states.iter().any(|s| s.name == name) {
            return Err(Error::Duplicate {
                kind: "state",
                name: name.into(),
            });
        }
        domain.check(name)?;
        let id = self.states.len();
        self.states.push(State {
            id,
            name: name.into(),
            domain,
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
    /// [`Error::Invalid`] where the state has no such index, or not the same values in every layer.
    pub fn get_state_value(&self, id: usize, index: usize) -> Result<&Value> {
        let state = self.get(id)?;
        let values = state.values()?;
        values.get(index).ok_or_else(|| {
            let what = format!("index into state '{}'", state.name);
            Error::invalid(what, format!("0 to {}", values.len() - 1), index)
        })
    }

    /// The original's encoding of `value` in the state `id`: index + 1 at the value's index,
    /// zeros elsewhere. Shape `[size of the state]`.
    ///
    /// # Errors
    /// [`Error::Invalid`] where the state has no such value, or not the same values in every layer.
    pub fn embedding_encode(&self, id: usize, value: &Value) -> Result<Vec<f64>> {
        let state = self.get(id)?;
        Ok(encode(state.values()?.len(), state.index_of(value)?))
    }

    /// Every place that takes a value in an architecture with `layers` layers: for each layer the
    /// per-layer states, then the choices.
    pub fn slots(&self, layers: usize) -> impl Iterator<Item = Slot<'_>> {
        let of = |scope| self.states.iter().filter(move |s| s.scope == scope);
        let layered = (0..layers).flat_map(move |layer| {
            of(Scope::Layer).map(move |state| Slot {
                layer: Some(layer),
                state,
            })
        });
        layered.chain(of(Scope::Network).map(|state| Slot { layer: None, state }))
    }

    /// The decision sequence of an architecture with `layers` layers: the decisions of each of its
    /// [`slots`](Self::slots).
    pub fn decisions(&self, layers: usize) -> impl Iterator<Item = Decision<'_>> {
        self.slots(layers).flat_map(Slot::decisions)
    }

    /// How many architectures of `layers` layers there are; `u128::MAX` stands for "more".
    pub fn cardinality(&self, layers: usize) -> u128 {
        self.decisions(layers)
            .map(|d| d.size() as u128)
            .fold(1, u128::saturating_mul)
    }

    /// Every architecture of `layers` layers, the last decision changing fastest. Lazy.
    ///
    /// # Errors
    /// As [`check_layers`](Self::check_layers).
    pub fn enumerate(&self, layers: usize) -> Result<impl Iterator<Item = Actions> + use<>> {
        self.check_layers(layers)?;
        let space = std::sync::Arc::new(self.clone());
        let sizes: Vec<usize> = self.decisions(layers).map(|d| d.size()).collect();
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
    /// [`Error::Invalid`] for an empty space, no layers or more than [`MAX_LAYERS`], more than a
    /// state has values for, or more than [`MAX_DECISIONS`].
    pub fn check_layers(&self, layers: usize) -> Result<()> {
        self.get(0)?;
        let what = "number of layers";
        if layers == 0 || layers > MAX_LAYERS {
            return Err(Error::invalid(what, format!("1 to {MAX_LAYERS}"), layers));
        }
        for state in &self.states {
            if let Domain::PerLayer(lists) = &state.domain
                && lists.len() < layers
            {
                let (most, name) = (lists.len(), &state.name);
                let expected = format!("1 to {most}, as state '{name}' has values for {most}");
                return Err(Error::invalid(what, expected, layers));
            }
        }
        let decisions = self.slots(layers).map(|slot| slot.size()).sum::<usize>();
        let values = self.decisions(layers).map(|decision| decision.size());
        let values = values.sum::<usize>();
        if values > MAX_VALUES {
            let expected = format!("one whose decisions have at most {MAX_VALUES} values in all");
            let found = format!("{layers}, with {values}");
            return Err(Error::invalid(what, expected, found));
        }
        if decisions > MAX_DECISIONS {
            let expected = format!("one that makes at most {MAX_DECISIONS} decisions");
            let found = format!("{layers}, which makes {decisions}");
            return Err(Error::invalid(what, expected, found));
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
            let (id, name, domain) = (s.id, &s.name, &s.domain);
            let width = width.unwrap_or_default();
            writeln!(f, "  {id:>2}  {name:<width$}  {scope:<11}  {domain}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
