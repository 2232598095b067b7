//! What was decided: one index per decision of a space, and where the decisions came from.

use std::fmt;
use std::sync::Arc;

use rand::{Rng, RngExt};

use super::{Decision, StateSpace, Value, value};
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
    indices: Vec<usize>,
    probabilities: Vec<Vec<f64>>,
    source: Source,
}

impl Actions {
    /// Decisions by their indices, without a distribution behind them. The caller guarantees
    /// that each index is within its state.
    pub(crate) fn given(space: Arc<StateSpace>, layers: usize, indices: Vec<usize>) -> Self {
        let probabilities = space
            .decisions(layers)
            .zip(&indices)
            .map(|(d, &index)| (0..d.state.size()).map(move |i| f64::from(u8::from(i == index))))
            .map(Iterator::collect)
            .collect();
        Self {
            space,
            layers,
            indices,
            probabilities,
            source: Source::Given,
        }
    }

    /// Decisions by their values, in the order of the decision sequence.
    ///
    /// # Errors
    /// [`Error::Invalid`] where the number of values fits no number of layers, or a value is not
    /// one of its state's.
    pub fn from_values(space: &Arc<StateSpace>, values: &[Value]) -> Result<Self> {
        let choices = space.decisions(0).count();
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
        let index = |(d, value): (Decision<'_>, &Value)| d.state.index_of(value);
        let indices = space.decisions(layers).zip(values).map(index);
        let indices = indices.collect::<Result<_>>()?;
        Ok(Self::given(space.clone(), layers, indices))
    }

    /// Decisions drawn uniformly and independently.
    ///
    /// # Errors
    /// As [`StateSpace::check_layers`].
    pub fn random(space: &Arc<StateSpace>, layers: usize, rng: &mut impl Rng) -> Result<Self> {
        space.check_layers(layers)?;
        let sizes: Vec<usize> = space.decisions(layers).map(|d| d.state.size()).collect();
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
            indices,
            probabilities,
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

    /// The distribution each decision was drawn from: `[decisions][size of its state]`. Given
    /// decisions have all their mass on the value given.
    pub fn probabilities(&self) -> &[Vec<f64>] {
        &self.probabilities
    }

    /// The natural logarithm of the probability of these decisions under
    /// [`probabilities`](Self::probabilities).
    pub fn log_prob(&self) -> f64 {
        let chosen = self.probabilities.iter().zip(&self.indices);
        chosen.map(|(p, &index)| p[index].ln()).sum()
    }

    /// The value chosen at each decision; the original's `parse_state_space_list`.
    pub fn values(&self) -> Vec<Value> {
        self.decided().map(|(_, value)| value.clone()).collect()
    }

    /// Each decision with its chosen value, in the order of the sequence.
    pub fn decided(&self) -> impl Iterator<Item = (Decision<'_>, &Value)> {
        let chosen = self.space.decisions(self.layers).zip(&self.indices);
        chosen.map(|(d, &index)| (d, &d.state.values[index]))
    }

    /// A short line: `(3, 64) (3, 32) head=gap`.
    pub fn summary(&self) -> String {
        let mut layers = vec![Vec::new(); self.layers];
        let mut parts = Vec::new();
        for (decision, value) in self.decided() {
            match decision.layer {
                Some(layer) => layers[layer].push(value.to_string()),
                None => parts.push(format!("{}={value}", decision.state.name)),
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

impl fmt::Display for Actions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut heading = None;
        for ((decision, chosen), p) in self.decided().zip(&self.probabilities) {
            if heading != Some(decision.layer) {
                heading = Some(decision.layer);
                match decision.layer {
                    Some(layer) => writeln!(f, "Layer {}", layer + 1)?,
                    None => writeln!(f, "Network")?,
                }
            }
            let name = &decision.state.name;
            let values = decision.state.values.iter().zip(p);
            let values: Vec<_> = values.map(|(v, p)| format!("{v}: {p:.4}")).collect();
            let chosen = value::Value::quoted(chosen);
            writeln!(f, "  {name} = {chosen}  ({})", values.join(", "))?;
        }
        Ok(())
    }
}
