//! The decision sequence: where each state is decided, in which atomic decisions, and how their
//! indices and a script's values translate. Knows nothing of who decides.

use super::domain::Domain;
use super::state::State;
use super::value::{self, Value};
use crate::error::{Error, Result};

/// One place of an architecture that takes a value: a state in a layer, or a choice.
#[derive(Clone, Copy, Debug)]
pub struct Slot<'a> {
    /// The layer, counted from 0; `None` for a choice that is made once for the network.
    pub layer: Option<usize>,
    /// The state that is decided.
    pub state: &'a State,
}

/// One atomic step of the decision sequence: an index below [`size`](Self::size) is decided.
#[derive(Clone, Copy, Debug)]
pub struct Decision<'a> {
    /// The layer, counted from 0; `None` for a choice that is made once for the network.
    pub layer: Option<usize>,
    /// The state that is decided.
    pub state: &'a State,
    /// Of an anchor the earlier layer that is taken or left.
    pub earlier: Option<usize>,
}

impl<'a> Slot<'a> {
    /// The number of its decisions: one, or of an anchor one per earlier layer.
    pub fn size(&self) -> usize {
        match self.state.domain {
            Domain::Anchor => self.layer.unwrap_or_default(),
            _ => 1,
        }
    }

    /// Its decisions in order.
    pub fn decisions(self) -> impl Iterator<Item = Decision<'a>> {
        let anchor = self.state.domain == Domain::Anchor;
        (0..self.size()).map(move |j| Decision {
            layer: self.layer,
            state: self.state,
            earlier: anchor.then_some(j),
        })
    }

    /// The value that `indices`, one for each of its decisions, come to.
    pub(super) fn value(self, indices: &[usize]) -> Value {
        if self.state.domain == Domain::Anchor {
            let taken = indices.iter().enumerate().filter(|(_, index)| **index == 1);
            return Value::Layers(taken.map(|(j, _)| j).collect());
        }
        let decision = Decision {
            layer: self.layer,
            state: self.state,
            earlier: None,
        };
        decision.value(indices[0])
    }

    /// The indices of its decisions that come to `value`.
    ///
    /// # Errors
    /// [`Error::Invalid`] where it cannot take that value.
    pub(super) fn indices(self, value: &Value) -> Result<Vec<usize>> {
        let layer = self.layer.unwrap_or_default();
        let what = || format!("state '{}' of layer {layer}", self.state.name);
        match (&self.state.domain, value) {
            (Domain::Values(_), _) => Ok(vec![self.state.index_of(value)?]),
            (Domain::PerLayer(lists), _) => {
                let values = lists.get(layer).map_or(&[][..], Vec::as_slice);
                Ok(vec![value::index_of(values, value, what)?])
            }
            (Domain::Growing { first }, _) => {
                let size = first + layer;
                let index = match value {
                    Value::Int(i) => usize::try_from(*i).ok().filter(|i| *i < size),
                    _ => None,
                };
                let expected = || format!("an integer from 0 to {}", size - 1);
                let index = index.ok_or_else(|| Error::invalid(what(), expected(), value.quoted()));
                Ok(vec![index?])
            }
            (Domain::Anchor, Value::Layers(earlier)) => {
                if let Some(later) = earlier.iter().find(|j| **j >= layer) {
                    return Err(Error::invalid(what(), earlier_layers(layer), later));
                }
                let mut indices = vec![0; layer];
                for &j in earlier {
                    indices[j] += 1;
                }
                if let Some(j) = indices.iter().position(|n| *n > 1) {
                    let found = format!("{j} twice");
                    return Err(Error::invalid(what(), "distinct earlier layers", found));
                }
                Ok(indices)
            }
            (Domain::Anchor, _) => {
                let expected = match layer {
                    0 => "an empty list".into(),
                    _ => format!("a list of {}", earlier_layers(layer)),
                };
                Err(Error::invalid(what(), expected, value.quoted()))
            }
        }
    }
}

/// `earlier layers (0, 1)`, the first few of many.
fn earlier_layers(layer: usize) -> String {
    let listed = (0..layer).map(|j| j.to_string());
    match layer {
        0 => "no earlier layer".into(),
        1..=8 => format!("earlier layers ({})", listed.collect::<Vec<_>>().join(", ")),
        _ => format!("earlier layers (0 to {})", layer - 1),
    }
}

impl Decision<'_> {
    /// The number of indices there are to choose from.
    pub fn size(&self) -> usize {
        let layer = self.layer.unwrap_or_default();
        match &self.state.domain {
            Domain::Values(values) => values.len(),
            Domain::PerLayer(lists) => lists.get(layer).map_or(0, Vec::len),
            Domain::Growing { first } => first + layer,
            Domain::Anchor => 2,
        }
    }

    /// The value at `index`; of an anchor whether the earlier layer is taken.
    ///
    /// # Panics
    /// Where `index` is not below [`size`](Self::size).
    pub fn value(&self, index: usize) -> Value {
        assert!(index < self.size(), "no value {index} of {}", self.size());
        match &self.state.domain {
            Domain::Values(values) => values[index].clone(),
            Domain::PerLayer(lists) => lists[self.layer.unwrap_or_default()][index].clone(),
            Domain::Growing { .. } => Value::Int(index as i64),
            Domain::Anchor => Value::Bool(index == 1),
        }
    }

    /// `layer_1/kernel`, `layer_3/skip_0` of an anchor's decision on layer 0, or the name of a
    /// choice.
    pub fn label(&self) -> String {
        let name = &self.state.name;
        match (self.layer, self.earlier) {
            (None, _) => name.clone(),
            (Some(layer), None) => format!("layer_{}/{name}", layer + 1),
            (Some(layer), Some(j)) => format!("layer_{}/{name}_{j}", layer + 1),
        }
    }
}
