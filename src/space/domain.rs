//! What a state can take: the kinds of domains and the checks of their values. Knows nothing of how
//! decisions are laid out or made.

use std::fmt;

use super::value::{self, Value};
use crate::error::{Error, Result};

/// The most inputs that [`Domain::Growing`] may start from; a guard against slips.
pub const MAX_INPUTS: usize = 1000;

/// What a state can take, which may differ from layer to layer.
///
/// Within a [`State`](super::State) it stands in JSON as one field: `"values": [1, 3]`,
/// `"per_layer": [[1, 3], [5]]`, `"first": 2` or `"anchor": null`.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Domain {
    /// The same values in every layer, in the order given; all of one type, no two the same.
    Values(Vec<Value>),
    /// Values of each layer's own, all of one type, in a layer no two the same.
    PerLayer(Vec<Vec<Value>>),
    /// The integers from 0 to below `first` + layer: one of `first` inputs or of the earlier
    /// layers, as the hidden states that a NASNet cell reads (arXiv 1707.07012, §3).
    #[serde(
        rename = "first",
        serialize_with = "serde::Serialize::serialize",
        deserialize_with = "serde::Deserialize::deserialize"
    )]
    Growing {
        /// The number of inputs before the first layer.
        first: usize,
    },
    /// A subset of the earlier layers (arXiv 1611.01578, §3.3).
    Anchor,
}

impl Domain {
    /// The kind as scripts say it: "values", "per_layer", "input" or "anchor".
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Values(_) => "values",
            Self::PerLayer(_) => "per_layer",
            Self::Growing { .. } => "input",
            Self::Anchor => "anchor",
        }
    }

    /// The different values of one decision, over all layers that are listed: those of
    /// [`Values`](Self::Values); each value of [`PerLayer`](Self::PerLayer) once, in the order of
    /// its first layer; the inputs of [`Growing`](Self::Growing), without the layers that follow;
    /// false and true of an [`Anchor`](Self::Anchor).
    pub fn distinct(&self) -> Vec<Value> {
        match self {
            Self::Values(values) => values.clone(),
            Self::PerLayer(lists) => lists.iter().flatten().fold(Vec::new(), |mut seen, v| {
                if !seen.contains(v) {
                    seen.push(v.clone());
                }
                seen
            }),
            Self::Growing { first } => (0..*first).map(|i| Value::Int(i as i64)).collect(),
            Self::Anchor => vec![Value::Bool(false), Value::Bool(true)],
        }
    }

    /// How many things a policy of `layers` layers tells apart: the different values, or what can
    /// be read or chosen over all layers.
    pub(crate) fn vocabulary(&self, layers: usize) -> usize {
        match self {
            Self::Values(_) | Self::PerLayer(_) => self.distinct().len(),
            Self::Growing { first } => first + layers,
            Self::Anchor => layers,
        }
    }

    /// Checks the domain of the state called `name`.
    pub(super) fn check(&self, name: &str) -> Result<()> {
        let what = format!("values of state '{name}'");
        match self {
            Self::Values(values) => value::check_values(&what, values, None),
            Self::PerLayer(lists) => {
                if lists.is_empty() {
                    return Err(Error::invalid(
                        what,
                        "a list for at least one layer",
                        "none",
                    ));
                }
                // All have one type, so that a value means the same in every layer.
                let first = lists[0].first();
                let mut layers = lists.iter().enumerate();
                layers.try_for_each(|(layer, values)| {
                    value::check_values(&format!("{what} for layer {layer}"), values, first)
                })
            }
            Self::Growing { first } => {
                if (1..=MAX_INPUTS).contains(first) {
                    return Ok(());
                }
                let what = format!("inputs of state '{name}'");
                Err(Error::invalid(what, format!("1 to {MAX_INPUTS}"), first))
            }
            Self::Anchor => Ok(()),
        }
    }
}

/// What one can choose: `[1, 3]`, `[[1, 3], [5]] by layer`, `2 inputs or an earlier layer`, `any
/// earlier layers`.
impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Values(values) => write!(f, "{}", value::list(values)),
            Self::PerLayer(lists) => {
                let lists: Vec<_> = lists.iter().map(|values| value::list(values)).collect();
                write!(f, "[{}] by layer", lists.join(", "))
            }
            Self::Growing { first: 1 } => write!(f, "1 input or an earlier layer"),
            Self::Growing { first } => write!(f, "{first} inputs or an earlier layer"),
            Self::Anchor => write!(f, "any earlier layers"),
        }
    }
}
