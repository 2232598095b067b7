//! A trial: what was decided, what was asked, what came back, what it was worth. Pure data.

use crate::evaluation::{Evaluation, Outcome};
use crate::network::Digest;
use crate::space::{Actions, Source, Value};

/// What a controller (or the script) decided in a trial.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Decisions {
    /// Where the decisions came from.
    pub source: Source,
    /// Each decided state with its layer (from 1; none for a choice) and its value.
    pub decided: Vec<Decided>,
    /// A short line for people: `(3, 64) (1, 16)`.
    pub summary: String,
}

/// One decided state.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Decided {
    /// The state's name.
    pub state: String,
    /// The layer, from 1; `None` for a choice made once for the network.
    pub layer: Option<usize>,
    /// The chosen value; of an anchor the list of earlier layers, from 0.
    pub value: Value,
}

impl From<&Actions> for Decisions {
    fn from(actions: &Actions) -> Self {
        let decided = actions.decided().map(|(slot, value)| Decided {
            state: slot.state.name.clone(),
            layer: slot.layer.map(|l| l + 1),
            value,
        });
        Self {
            source: actions.source(),
            decided: decided.collect(),
            summary: actions.summary(),
        }
    }
}

/// One evaluated network of a search, as it stands in `trials.jsonl` and in the store.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Trial {
    /// The position in the study, from 1.
    pub number: usize,
    /// Which of the study's questions it answers, from 1, in the order asked; 0 in the journals of earlier versions.
    #[serde(default)]
    pub ask: u64,
    /// What the script called it when it submitted it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<serde_json::Value>,
    /// What was decided; `None` for a network that was not made from actions.
    pub actions: Option<Decisions>,
    /// The reward that the controller learns from.
    pub reward: f64,
    /// What trials are ranked by, the larger the better: the validation accuracy, or the value of
    /// the script's reward function. `None` for a failed trial.
    pub score: Option<f64>,
    /// What a search maximises: the value of the script's reward function, else the accuracy that was observed;
    /// of a failure the script's own number, else the lowest of the trials before. `None` in the records of earlier
    /// versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub objective: Option<f64>,
    /// Whether the outcome was known already, so that nothing was trained.
    pub cached: bool,
    /// Whether the script's failure function wants no policy to learn from it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub skipped: bool,
    /// The key of the evaluation; `None` for a network that could not be described.
    pub digest: Option<Digest>,
    /// What was asked of a child.
    pub evaluation: Option<Evaluation>,
    /// The row of a benchmark table that answered instead of a child.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row: Option<String>,
    /// The failures before the outcome, which the script's failure function had tried again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attempts: Vec<Attempt>,
    /// What came back.
    pub outcome: Outcome,
    /// When it was recorded: seconds of work on the study until then, in all of its sessions.
    #[serde(default)]
    pub elapsed: f64,
}

/// A failed attempt at a trial.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Attempt {
    /// The key of its evaluation.
    pub digest: Option<Digest>,
    /// How it failed.
    pub outcome: Outcome,
}

impl Trial {
    /// A short name of the architecture for people.
    pub fn architecture(&self) -> String {
        architecture(
            self.actions.as_ref(),
            self.evaluation.as_ref(),
            self.row.as_deref(),
        )
    }

    /// What a search maximises; of an early record the score, else the reward.
    pub fn objective(&self) -> f64 {
        self.objective.or(self.score).unwrap_or(self.reward)
    }

    /// Whether something was trained for it.
    pub fn trained(&self) -> bool {
        !self.cached && self.evaluation.is_some() && !self.outcome.history.is_empty()
    }

    /// The key of its network, however long it was trained.
    pub(super) fn child(&self) -> Option<Digest> {
        let child = self.evaluation.as_ref().map(Evaluation::child_digest);
        child.or(self.digest)
    }

    /// The key of the evaluation that was asked first.
    pub(super) fn first_digest(&self) -> Option<Digest> {
        self.attempts.first().map_or(self.digest, |a| a.digest)
    }
}

/// A short name for people of what was asked.
pub(super) fn architecture(
    actions: Option<&Decisions>,
    evaluation: Option<&Evaluation>,
    row: Option<&str>,
) -> String {
    match (actions, evaluation, row) {
        (Some(actions), _, _) => actions.summary.clone(),
        (None, _, Some(row)) => row.into(),
        (None, Some(asked), None) => format!("network {}", asked.network.digest().short()),
        (None, None, None) => "an impossible network".into(),
    }
}
