//! A trial as pictures have it, and the decisions that trials made.

use crate::evaluation::FailureKind;
use crate::network::Digest;
use crate::space::Value;

/// A trial as a point in pictures.
#[derive(Clone, Debug)]
pub struct Point {
    /// The trial's number.
    pub number: usize,
    /// The reward that the controller learnt from.
    pub reward: f64,
    /// What trials are ranked by; `None` for a failure.
    pub score: Option<f64>,
    /// The validation accuracy, 0 to 1.
    pub accuracy: Option<f64>,
    /// The validation loss, in nats.
    pub loss: Option<f64>,
    /// The trainable parameters.
    pub params: u64,
    /// The multiply-accumulates of an image.
    pub macs: u64,
    /// The measured latency of a batch, in milliseconds, if there was a measurement.
    pub latency: Option<f64>,
    /// The seconds of training that it cost the study; 0 where the outcome was known.
    pub seconds: f64,
    /// The seconds of work on the study until it was recorded.
    pub elapsed: f64,
    /// Whether the outcome was known already.
    pub known: bool,
    /// How it failed.
    pub failure: Option<FailureKind>,
    /// Whether its decisions were drawn uniformly.
    pub uniform: bool,
    /// The index of the chosen value of each axis of the [`View`](super::View); [`NONE`] where it has no such decision. Axes that came
    /// later are missing at the end.
    pub values: Box<[u16]>,
    /// The key of its evaluation, in short.
    pub digest: Option<Digest>,
    /// A short name of the architecture for people.
    pub architecture: Box<str>,
    /// The validation accuracy after each epoch.
    pub curve: Box<[f32]>,
}

/// The place of a value that a trial does not have.
pub const NONE: u16 = u16::MAX;

impl Point {
    /// What tells its network from those of other trials, however long they were trained.
    pub fn child(&self) -> (&str, u64, u64) {
        (&self.architecture, self.params, self.macs)
    }

    /// The index of its value on an axis.
    pub fn value(&self, axis: usize) -> Option<usize> {
        let value = self.values.get(axis).copied()?;
        (value != NONE).then_some(usize::from(value))
    }
}

/// A decision that trials made, with all values that were met.
#[derive(Clone, Debug)]
pub struct Axis {
    /// Such as `layer_1/kernel`.
    pub name: String,
    /// The values in the order in which they were met first.
    pub(super) values: Vec<Value>,
}

impl Axis {
    /// The values as people read them, in the order in which they were met first.
    pub fn labels(&self) -> impl Iterator<Item = String> + '_ {
        self.values.iter().map(ToString::to_string)
    }

    /// How many values were met.
    pub fn size(&self) -> usize {
        self.values.len()
    }

    /// The label of a value.
    pub fn label(&self, value: usize) -> String {
        self.values
            .get(value)
            .map(ToString::to_string)
            .unwrap_or_default()
    }

    /// The indices of the values as they are shown: numbers by size, others by name.
    pub fn order(&self) -> Vec<usize> {
        let number = |value: &Value| match value {
            Value::Int(number) => Some(*number as f64),
            Value::Float(number) => Some(*number),
            Value::Bool(truth) => Some(f64::from(u8::from(*truth))),
            _ => None,
        };
        let mut order: Vec<usize> = (0..self.values.len()).collect();
        order.sort_by(|&a, &b| {
            let (a, b) = (&self.values[a], &self.values[b]);
            match (number(a), number(b)) {
                (Some(a), Some(b)) => a.total_cmp(&b),
                _ => a.to_string().cmp(&b.to_string()),
            }
        });
        order
    }

    pub(super) fn index(&mut self, value: &Value) -> u16 {
        let known = self.values.iter().position(|known| known == value);
        let index = known.unwrap_or_else(|| {
            self.values.push(value.clone());
            self.values.len() - 1
        });
        // Values beyond are told as missing; no picture has room for so many.
        u16::try_from(index).unwrap_or(NONE)
    }
}
