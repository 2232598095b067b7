//! What a study records as metrics. Times follow from the study alone, so that what is sent again is the same and is not
//! there twice.

use serde::Serializer;

use super::names;
use crate::study::{Learned, Tested, Trial};

/// A number of a run at a time.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub(super) struct Metric {
    key: String,
    #[serde(serialize_with = "number")]
    value: f64,
    /// In milliseconds since 1970.
    timestamp: i64,
    step: i64,
}

/// A number as the JSON of protocol buffers has it.
fn number<S: Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
    match value {
        value if value.is_finite() => serializer.serialize_f64(*value),
        value if value.is_nan() => serializer.serialize_str("NaN"),
        value if *value > 0.0 => serializer.serialize_str("Infinity"),
        _ => serializer.serialize_str("-Infinity"),
    }
}

impl Metric {
    /// `time` in seconds since 1970.
    pub(super) fn new(key: &str, value: f64, time: f64, step: i64) -> Self {
        Self {
            key: names::key(key),
            value,
            timestamp: (time * 1000.0).round() as i64,
            step,
        }
    }
}

/// The metrics of a trial, at its number.
pub(super) fn of_trial(trial: &Trial, created: f64, best: Option<f64>) -> Vec<Metric> {
    let outcome = &trial.outcome;
    let known = [
        ("reward", Some(trial.reward)),
        ("score", trial.score),
        ("best_score", best),
        ("accuracy", outcome.accuracy),
        ("loss", outcome.loss),
        ("seconds", Some(outcome.seconds)),
        ("params", Some(outcome.params as f64)),
        ("macs", Some(outcome.macs as f64)),
    ];
    let time = created + trial.elapsed;
    let known = known
        .into_iter()
        .filter_map(|(key, value)| Some((key, value?)));
    known
        .map(|(key, value)| Metric::new(key, value, time, trial.number as i64))
        .collect()
}

/// The metrics of an update, at its number.
pub(super) fn of_update(learned: &Learned, time: f64) -> Vec<Metric> {
    let prefix = match learned.controller {
        0 => String::new(),
        other => format!("controller_{}/", other + 1),
    };
    let metric = |(name, value): &(String, f64)| {
        Metric::new(
            &format!("{prefix}{name}"),
            *value,
            time,
            learned.step as i64,
        )
    };
    learned.scalars.iter().map(metric).collect()
}

/// The metrics of the `number`-th network that was scored on the test images.
pub(super) fn of_test(tested: &Tested, number: i64, time: f64) -> Vec<Metric> {
    vec![
        Metric::new("test_accuracy", tested.accuracy, time, number),
        Metric::new("test_loss", tested.loss, time, number),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_json_lacks_is_a_word_of_protocol_buffers() {
        let value = |number| {
            let metric = Metric::new("loss", number, 1.5, 2);
            serde_json::to_value(metric).unwrap()
        };
        assert_eq!(
            value(0.25),
            serde_json::json!({ "key": "loss", "value": 0.25, "timestamp": 1500, "step": 2 })
        );
        assert_eq!(value(f64::NAN)["value"], "NaN");
        assert_eq!(value(f64::INFINITY)["value"], "Infinity");
        assert_eq!(value(f64::NEG_INFINITY)["value"], "-Infinity");
    }
}
