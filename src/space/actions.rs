//! What was decided: one index per decision of a space, and where the decisions came from.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use rand::{Rng, RngExt};

use super::{Decision, Slot, StateSpace, Value};
use crate::error::{Error, Result};

/// Where the decisions came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Named one by one by the script.
    Given,
    /// Drawn uniformly, by a random state or by the controller's exploration.
    Uniform,
    /// Decided by the controller's policy.
    Policy,
}

/// The decisions that make one architecture of a space.
#[derive(Clone, Debug)]
pub struct Actions {
    space: Arc<StateSpace>,
    layers: usize,
    // Shared, since a script copies its actions wherever it passes them on.
    indices: Arc<[usize]>,
    probabilities: Arc<[Vec<f64>]>,
    source: Source,
}

impl Actions {
    /// Decisions by their indices, without a distribution behind them. The caller guarantees
    /// that each index is within its decision.
    pub(crate) fn given(space: Arc<StateSpace>, layers: usize, indices: Vec<usize>) -> Self {
        let probabilities = space
            .decisions(layers)
            .zip(&indices)
            .map(|(d, &index)| (0..d.size()).map(move |i| f64::from(u8::from(i == index))))
            .map(Iterator::collect)
            .collect();
        Self {
            space,
            layers,
            indices: indices.into(),
            probabilities,
            source: Source::Given,
        }
    }

    /// Decisions by their values, one for each of the space's [`slots`](StateSpace::slots); of an
    /// anchor a list of earlier layers.
    ///
    /// # Errors
    /// [`Error::Invalid`] where the number of values fits no number of layers, or a value is not
    /// one that its state can take in its layer.
    pub fn from_values(space: &Arc<StateSpace>, values: &[Value]) -> Result<Self> {
        let choices = space.slots(0).count();
        let per_layer = space.size() - choices;
        // Where every decision is a choice, the number of layers is of no account.
        let layers = match values.len().checked_sub(choices) {
            Some(0) if per_layer == 0 => Some(1),
            Some(n) if n > 0 && per_layer > 0 && n % per_layer == 0 => Some(n / per_layer),
            _ => None,
        };
        let Some(layers) = layers else {
            let expected = format!("{per_layer} values for each layer and {choices} for choices");
            let found = format!("{} values", values.len());
            return Err(Error::invalid("actions", expected, found));
        };
        space.check_layers(layers)?;
        let slots = space.slots(layers).zip(values);
        let indices = slots.map(|(slot, value)| slot.indices(value));
        let indices = indices.collect::<Result<Vec<_>>>()?.concat();
        Ok(Self::given(space.clone(), layers, indices))
    }

    /// Decisions drawn uniformly and independently.
    ///
    /// # Errors
    /// As [`StateSpace::check_layers`].
    pub fn random(space: &Arc<StateSpace>, layers: usize, rng: &mut impl Rng) -> Result<Self> {
        space.check_layers(layers)?;
        let sizes: Vec<usize> = space.decisions(layers).map(|d| d.size()).collect();
        let indices = sizes.iter().map(|&n| rng.random_range(0..n)).collect();
        let uniform = |n: usize| vec![1.0 / n as f64; n];
        Ok(Self {
            space: space.clone(),
            layers,
            indices,
            probabilities: sizes.into_iter().map(uniform).collect(),
            source: Source::Uniform,
        })
    }

    /// Decisions of a policy: one index and one distribution per decision.
    pub(crate) fn from_policy(
        space: Arc<StateSpace>,
        layers: usize,
        indices: Vec<usize>,
        probabilities: Vec<Vec<f64>>,
    ) -> Self {
        Self {
            space,
            layers,
            indices: indices.into(),
            probabilities: probabilities.into(),
            source: Source::Policy,
        }
    }

    /// The space that was decided.
    pub fn space(&self) -> &Arc<StateSpace> {
        &self.space
    }

    /// The number of layers.
    pub fn layers(&self) -> usize {
        self.layers
    }

    /// The index chosen at each decision. Shape `[decisions]`.
    pub fn indices(&self) -> &[usize] {
        &self.indices
    }

    /// Where the decisions came from.
    pub fn source(&self) -> Source {
        self.source
    }

    /// The distribution each decision was drawn from: `[decisions][size of the decision]`. Given
    /// decisions have all their mass on the value given.
    pub fn probabilities(&self) -> &[Vec<f64>] {
        &self.probabilities
    }

    /// The natural logarithm of the probability of these decisions under
    /// [`probabilities`](Self::probabilities).
    pub fn log_prob(&self) -> f64 {
        let chosen = self.probabilities.iter().zip(self.indices.iter());
        chosen.map(|(p, &index)| p[index].ln()).sum()
    }

    /// The value of each slot; the original's `parse_state_space_list`.
    pub fn values(&self) -> Vec<Value> {
        self.decided().map(|(_, value)| value).collect()
    }

    /// Each slot with its value, in the order of the sequence: what an anchor decided for the
    /// earlier layers is one list.
    pub fn decided(&self) -> impl Iterator<Item = (Slot<'_>, Value)> {
        let ranges = self.ranges();
        ranges.map(|(slot, range)| (slot, slot.value(&self.indices[range])))
    }

    /// Each slot with the positions of its decisions in the sequence.
    fn ranges(&self) -> impl Iterator<Item = (Slot<'_>, Range<usize>)> {
        let slots = self.space.slots(self.layers);
        slots.scan(0, |next, slot| {
            let first = *next;
            *next += slot.size();
            Some((slot, first..*next))
        })
    }

    /// A short line: `(3, 64, []) (3, 32, [0]) head=gap`.
    pub fn summary(&self) -> String {
        let mut layers = vec![Vec::new(); self.layers];
        let mut parts = Vec::new();
        for (slot, value) in self.decided() {
            match slot.layer {
                Some(layer) => layers[layer].push(value.to_string()),
                None => parts.push(format!("{}={value}", slot.state.name)),
            }
        }
        let layers = layers.iter().filter(|l| !l.is_empty());
        let layers = layers.map(|l| format!("({})", l.join(", ")));
        layers.chain(parts).collect::<Vec<_>>().join(" ")
    }
}

/// Two sets of actions are equal if they decide the same space in the same way.
impl PartialEq for Actions {
    fn eq(&self, other: &Self) -> bool {
        self.layers == other.layers && self.indices == other.indices && self.space == other.space
    }
}

/// Each layer and each state with the probability of each of its values, of an anchor with that of
/// each earlier layer.
impl fmt::Display for Actions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut heading = None;
        for (slot, range) in self.ranges() {
            if heading != Some(slot.layer) {
                heading = Some(slot.layer);
                match slot.layer {
                    Some(layer) => writeln!(f, "Layer {}", layer + 1)?,
                    None => writeln!(f, "Network")?,
                }
            }
            let chosen = slot.value(&self.indices[range.clone()]).quoted();
            write!(f, "  {} = {chosen}", slot.state.name)?;
            let decisions = slot.decisions().zip(&self.probabilities[range]);
            let shown: Vec<_> = decisions.flat_map(|(d, p)| shown(d, p)).collect();
            if !shown.is_empty() {
                write!(f, "  ({})", shown.join(", "))?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

/// The distribution of one decision: `1: 0.2000`, `3: 0.8000`, or an anchor's `0: 0.61`.
fn shown(decision: Decision<'_>, p: &[f64]) -> Vec<String> {
    if let Some(j) = decision.earlier {
        return vec![format!("{j}: {:.2}", p[1])];
    }
    let values = p.iter().enumerate();
    let values = values.map(|(i, p)| format!("{}: {p:.4}", decision.value(i)));
    values.collect()
}
