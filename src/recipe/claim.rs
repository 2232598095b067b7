//! What a pack was made with, and what a run of it is claimed to come to; where another run comes to something else.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{Error, Result};
use crate::evaluation::{DataKey, Digest, KERNEL_VERSION};
use crate::seed::Seed;
use crate::study::Trial;

/// What a pack was made with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lock {
    /// The recipe's name.
    pub name: String,
    /// The SHA-256 of the script.
    pub script: Digest,
    /// The version of nas-script.
    pub nas_script: String,
    /// The SHA-256 of its standard library.
    pub stdlib: Digest,
    /// See [`KERNEL_VERSION`].
    pub kernel_version: u32,
    /// What a run comes to, if the pack claims anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub claim: Option<Claim>,
}

/// What a run is claimed to come to, and what it is run with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// The kind of device: "cpu", "cuda" or "wgpu".
    pub device: String,
    /// The seed that every draw derives from.
    pub seed: Seed,
    /// The parameters that were given, as text.
    pub params: BTreeMap<String, String>,
    /// How far numbers of another run may be apart: so much, or so much of the claimed number if that is more than 1.
    pub tolerance: f64,
    /// The data that networks were trained on: name, split, SHA-256.
    pub data: Vec<DataKey>,
    /// How many trials there were.
    pub trials: usize,
    /// The SHA-256 of what all trials asked and came to: equal where a run is the same to the last bit.
    pub record: Digest,
    /// The best trial, if one succeeded.
    pub best: Option<Best>,
    /// What the script's `claim()` returned, if it was called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
}

/// The trial with the highest score.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Best {
    /// What it was, in a line.
    pub architecture: String,
    /// The key of its evaluation.
    pub evaluation: Option<Digest>,
    /// Its score.
    pub score: f64,
}

/// Where a run comes to something else than was claimed, or was made with something else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Where, such as "best score".
    pub what: String,
    /// What was claimed.
    pub claimed: String,
    /// What was found.
    pub found: String,
    /// Whether the claim does not hold because of it.
    pub refutes: bool,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            what,
            claimed,
            found,
            ..
        } = self;
        write!(f, "{what}: claimed {claimed}, found {found}")
    }
}

/// A difference in what does not by itself refute a claim.
fn made_with(what: &str, claimed: &impl ToString, found: &impl ToString) -> Option<Difference> {
    let (claimed, found) = (claimed.to_string(), found.to_string());
    (claimed != found).then(|| Difference {
        what: what.into(),
        claimed,
        found,
        refutes: false,
    })
}

impl Lock {
    /// The lock of the recipe `name` whose script and standard library have these SHA-256, without a claim.
    pub fn new(name: &str, script: Digest, stdlib: Digest) -> Self {
        Self {
            name: name.into(),
            script,
            nas_script: env!("CARGO_PKG_VERSION").into(),
            stdlib,
            kernel_version: KERNEL_VERSION,
            claim: None,
        }
    }

    /// In what this program differs from the one that the pack was made with.
    pub fn differences(&self, stdlib: Digest) -> Vec<Difference> {
        let now = Self::new(&self.name, self.script, stdlib);
        let all = [
            made_with("nas-script", &self.nas_script, &now.nas_script),
            made_with("standard library", &self.stdlib, &now.stdlib),
            made_with("kernel version", &self.kernel_version, &now.kernel_version),
        ];
        all.into_iter().flatten().collect()
    }
}

impl Claim {
    /// What `trials`, and `value` if `claim()` was called, come to.
    ///
    /// # Errors
    /// [`Error::Invalid`] where there is nothing.
    pub fn of<'a>(
        trials: impl Iterator<Item = &'a Trial> + Clone,
        value: Option<Value>,
        with: &With,
    ) -> Result<Self> {
        let number = trials.clone().count();
        if number == 0 && value.is_none() {
            let expected = "something that can be claimed: trials, or a function `fn claim()` that returns numbers";
            return Err(Error::invalid("claim", expected, "neither"));
        }
        let mut data: Vec<DataKey> = Vec::new();
        for asked in trials.clone().filter_map(|trial| trial.evaluation.as_ref()) {
            if !data.contains(&asked.data) {
                data.push(asked.data.clone());
            }
        }
        let scored = trials
            .clone()
            .filter_map(|trial| Some((trial, trial.score?)));
        // The earliest of equals, as a study has it.
        let best = scored.reduce(|best, other| if other.1 > best.1 { other } else { best });
        let record: Vec<(Option<Digest>, Option<f64>, f64)> = trials
            .map(|trial| (trial.digest, trial.score, trial.reward))
            .collect();
        Ok(Self {
            device: with.device.clone(),
            seed: with.seed,
            params: with.params.clone(),
            tolerance: with.tolerance,
            data,
            trials: number,
            record: Digest::of_json(&record),
            best: best.map(|(trial, score)| Best {
                architecture: trial.architecture(),
                evaluation: trial.digest,
                score,
            }),
            value,
        })
    }

    /// What it says, line by line, for people: a name and a value.
    pub fn lines(&self) -> Vec<(&'static str, String)> {
        let params = self
            .params
            .iter()
            .map(|(name, value)| format!("{name}={value}"));
        let params: Vec<String> = params.collect();
        let data = self.data.iter().map(|key| {
            let digest: String = key.content.chars().take(12).collect();
            format!("{} ({}), SHA-256 {digest}…", key.name, key.split)
        });
        let data: Vec<String> = data.collect();
        let best = self.best.as_ref();
        let best = best.map(|best| format!("{}, score {:.4}", best.architecture, best.score));
        let value = self.value.as_ref().map(Value::to_string);
        let all = [
            (
                "run",
                Some(format!("{}, seed {}", self.device, self.seed.0)),
            ),
            (
                "parameters",
                (!params.is_empty()).then(|| params.join(", ")),
            ),
            ("data", (!data.is_empty()).then(|| data.join("; "))),
            ("trials", Some(self.trials.to_string())),
            ("best", best),
            ("claim()", value),
            ("tolerance", Some(self.tolerance.to_string())),
        ];
        let given = |(name, value): (&'static str, Option<String>)| Some((name, value?));
        all.into_iter().filter_map(given).collect()
    }

    /// Where `found`, another run, differs from what is claimed here.
    pub fn differences(&self, found: &Self, tolerance: f64) -> Vec<Difference> {
        let mut all = Comparison {
            tolerance,
            differences: Vec::new(),
        };
        all.note(made_with("device", &self.device, &found.device));
        all.data(&self.data, &found.data);
        all.same("trials", &self.trials, &found.trials);
        match (&self.best, &found.best) {
            (Some(claimed), Some(now)) => {
                all.note(made_with(
                    "best architecture",
                    &claimed.architecture,
                    &now.architecture,
                ));
                all.near("best score", claimed.score, now.score);
            }
            (claimed, now) => {
                all.same("best trial", &names(claimed.as_ref()), &names(now.as_ref()));
            }
        }
        if let Some(claimed) = &self.value {
            let now = found.value.as_ref().unwrap_or(&Value::Null);
            all.value("claim()", claimed, now);
        }
        all.differences
    }
}

/// What a run is made with.
pub struct With {
    /// See [`Claim::device`].
    pub device: String,
    /// See [`Claim::seed`].
    pub seed: Seed,
    /// See [`Claim::params`].
    pub params: BTreeMap<String, String>,
    /// See [`Claim::tolerance`].
    pub tolerance: f64,
}

fn names(best: Option<&Best>) -> String {
    best.map_or("none".into(), |best| best.architecture.clone())
}

/// The differences so far.
struct Comparison {
    tolerance: f64,
    differences: Vec<Difference>,
}

impl Comparison {
    fn note(&mut self, difference: Option<Difference>) {
        self.differences.extend(difference);
    }

    fn refuted(&mut self, what: &str, claimed: &impl ToString, found: &impl ToString) {
        let difference = made_with(what, claimed, found);
        self.note(difference.map(|difference| Difference {
            refutes: true,
            ..difference
        }));
    }

    fn same(&mut self, what: &str, claimed: &impl ToString, found: &impl ToString) {
        self.refuted(what, claimed, found);
    }

    fn near(&mut self, what: &str, claimed: f64, found: f64) {
        let most = self.tolerance * claimed.abs().max(1.0);
        let near = (claimed - found).abs() <= most;
        // NaN is near nothing.
        if !near {
            self.refuted(what, &claimed, &format!("{found} (tolerance {most})"));
        }
    }

    /// Other data make another claim, however near the numbers are.
    fn data(&mut self, claimed: &[DataKey], found: &[DataKey]) {
        for key in claimed {
            let what = format!("data set '{}'", key.name);
            match found
                .iter()
                .find(|other| other.name == key.name && other.split == key.split)
            {
                Some(other) => {
                    self.refuted(&format!("{what}, SHA-256"), &key.content, &other.content);
                }
                None => self.refuted(&what, &key.split, &"no network trained on it"),
            }
        }
    }

    fn value(&mut self, what: &str, claimed: &Value, found: &Value) {
        match (claimed, found) {
            (Value::Number(a), Value::Number(b)) => {
                let number = |n: &serde_json::Number| n.as_f64().unwrap_or(f64::NAN);
                self.near(what, number(a), number(b));
            }
            (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
                for (at, (a, b)) in a.iter().zip(b).enumerate() {
                    self.value(&format!("{what}[{at}]"), a, b);
                }
            }
            (Value::Object(a), Value::Object(b)) if a.keys().eq(b.keys()) => {
                for ((name, a), b) in a.iter().zip(b.values()) {
                    self.value(&format!("{what}.{name}"), a, b);
                }
            }
            (a, b) => self.same(what, a, b),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn claim(score: f64, value: Value) -> Claim {
        let trial = Trial {
            score: Some(score),
            reward: score,
            row: Some("a".into()),
            ..Trial::default()
        };
        let with = With {
            device: "cpu".into(),
            seed: Seed(1),
            params: BTreeMap::new(),
            tolerance: 0.01,
        };
        Claim::of([trial].iter(), Some(value), &with).unwrap()
    }

    fn compared(a: &Claim, b: &Claim) -> Vec<String> {
        let differences = a.differences(b, a.tolerance).into_iter();
        differences.map(|d| format!("{d}, {}", d.refutes)).collect()
    }

    #[test]
    fn numbers_within_the_tolerance_are_what_was_claimed() {
        let value = |accuracy: f64, params: i64| json!({ "accuracy": accuracy, "params": [params], "cell": "a" });
        let claimed = claim(0.9, value(0.9, 1000));
        assert_eq!(compared(&claimed, &claimed), Vec::<String>::new());
        assert_eq!(
            compared(&claimed, &claim(0.905, value(0.905, 1009))),
            Vec::<String>::new()
        );
        let far = compared(&claimed, &claim(0.8, value(0.8, 1011)));
        assert_eq!(
            far,
            [
                "best score: claimed 0.9, found 0.8 (tolerance 0.01), true",
                "claim().accuracy: claimed 0.9, found 0.8 (tolerance 0.01), true",
                "claim().params[0]: claimed 1000, found 1011 (tolerance 10), true",
            ]
        );
    }

    #[test]
    fn values_of_another_form_are_not_what_was_claimed() {
        let claimed = claim(0.9, json!({ "a": [1, 2], "b": "x" }));
        for (other, place) in [
            (json!({ "a": [1, 2] }), "claim():"),
            (json!({ "a": [1], "b": "x" }), "claim().a:"),
            (json!({ "a": [1, "2"], "b": "x" }), "claim().a[1]:"),
            (json!({ "a": [1, 2], "b": "y" }), "claim().b:"),
            (Value::Null, "claim():"),
        ] {
            let found = compared(&claimed, &claim(0.9, other));
            assert!(found.len() == 1 && found[0].starts_with(place), "{found:?}");
        }
    }

    #[test]
    fn other_data_and_another_device_are_told() {
        let key = |content: &str| DataKey {
            name: "digits".into(),
            split: "train 10".into(),
            content: content.into(),
        };
        let mut claimed = claim(0.9, json!(1));
        let mut other = claimed.clone();
        claimed.data = vec![key("aa")];
        other.data = vec![key("bb")];
        other.device = "cuda".into();
        assert_eq!(
            compared(&claimed, &other),
            [
                "device: claimed cpu, found cuda, false",
                "data set 'digits', SHA-256: claimed aa, found bb, true",
            ]
        );
        other.data = Vec::new();
        assert!(compared(&claimed, &other)[1].contains("no network trained on it"));
    }
}
