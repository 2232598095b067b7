//! Every hyper-parameter of the controller: its name, default and accepted range. Knows nothing of
//! the network or the updates that use them.

use serde::{Deserialize, Deserializer, Serialize};

use super::guided::GuidedConfig;
use crate::error::{Error, Result};

/// Which algorithm samples from and updates the policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// REINFORCE with a moving-average baseline and Adam (arXiv 1611.01578, §3.2).
    #[default]
    Reinforce,
    /// The update of `titu1994/neural-architecture-search`, number for number.
    Original,
    /// The policy learns from a surrogate of the objective, which is fitted to all trials.
    Guided,
}

impl Mode {
    /// The name as the option takes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Reinforce => "reinforce",
            Self::Original => "original",
            Self::Guided => "guided",
        }
    }
}

/// The recurrent cell of the policy; its equations are in `cell.rs`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CellKind {
    /// Long short-term memory, as TensorFlow's `LSTMCell`.
    #[default]
    Lstm,
    /// Gated recurrent unit, as TensorFlow's `GRUCell`.
    Gru,
    /// The cell found by architecture search (arXiv 1611.01578, appendix A).
    Nas,
}

impl CellKind {
    /// The name as the option takes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Lstm => "lstm",
            Self::Gru => "gru",
            Self::Nas => "nas",
        }
    }
}

/// What the cross-entropy of [`Mode::Original`] takes as its label.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Labels {
    /// The original's: index + 1 at the index chosen, so later values weigh more.
    #[default]
    Encoding,
    /// 1 at the index chosen, as a cross-entropy expects.
    OneHot,
}

/// The options of a [`Controller`](super::Controller), under the names scripts use.
///
/// Each note names the mode that an option applies to, where it is not both.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ControllerConfig {
    /// The algorithm. Default `"reinforce"`.
    pub mode: Mode,
    /// The recurrent cell. Default `"lstm"`.
    pub cell: CellKind,
    /// Units of the cell, 1 to 4096. Default 32.
    pub controller_cells: usize,
    /// Length of an embedding, 1 to 4096. Default 20.
    pub embedding_dim: usize,
    /// Weight of Σ‖θ‖² in the loss, not negative. Default 0.001 in original, 0 in reinforce.
    pub reg_param: Option<f64>,
    /// Original: discount of earlier rewards, 0 to 1 (see
    /// [`discount_rewards`](super::discount_rewards)). In reinforce an architecture is one episode
    /// with one reward, which credits all its decisions alike. Default 0.99.
    pub discount_factor: f64,
    /// Original: probability that an action is drawn uniformly, 0 to 1; × 0.99 every 20 updates
    /// while above 0.5. In reinforce the policy explores by sampling. Default 0.8.
    pub exploration: f64,
    /// Largest global norm of the gradient; 0 leaves it alone. Default 0.
    pub clip_norm: f64,
    /// Step size, above 0. Default 0.1 in original (× 0.95 every 500 updates), 0.006 in reinforce.
    pub learning_rate: Option<f64>,
    /// Original: the label of the cross-entropy. Default `"encoding"`.
    pub labels: Labels,
    /// Reinforce: the least number of rollouts an update learns from, 1 to 65536. Default 1.
    pub batch_size: usize,
    /// Reinforce: share of the old value in the moving average of rewards, 0 to below 1. Default
    /// 0.9.
    pub baseline_decay: f64,
    /// Reinforce: weight of the policy's entropy, not negative; keeps it from settling early.
    /// Default 0.002.
    pub entropy_weight: f64,
    /// A file written by [`Controller::save`](super::Controller::save) to go on from; `false` or
    /// nothing starts afresh.
    #[serde(deserialize_with = "path_or_false")]
    pub restore_controller: Option<String>,
    /// The options of mode guided.
    #[serde(flatten)]
    pub guided: GuidedConfig,
}

impl Default for ControllerConfig {
    fn default() -> Self {
        Self {
            mode: Mode::default(),
            cell: CellKind::default(),
            controller_cells: 32,
            embedding_dim: 20,
            reg_param: None,
            discount_factor: 0.99,
            exploration: 0.8,
            clip_norm: 0.0,
            learning_rate: None,
            labels: Labels::default(),
            batch_size: 1,
            baseline_decay: 0.9,
            entropy_weight: 0.002,
            restore_controller: None,
            guided: GuidedConfig::default(),
        }
    }
}

impl ControllerConfig {
    /// The names of all options.
    pub const OPTIONS: &[&str] = &[
        "mode",
        "cell",
        "controller_cells",
        "embedding_dim",
        "reg_param",
        "discount_factor",
        "exploration",
        "clip_norm",
        "learning_rate",
        "labels",
        "batch_size",
        "baseline_decay",
        "entropy_weight",
        "restore_controller",
        "surrogate",
        "initial",
        "imagined_updates",
        "imagined_batch",
        "imagined_entropy",
        "candidates",
    ];

    /// The weight of Σ‖θ‖², with the mode's default.
    pub fn reg_param(&self) -> f64 {
        self.reg_param.unwrap_or(match self.mode {
            Mode::Reinforce | Mode::Guided => 0.0,
            Mode::Original => 0.001,
        })
    }

    /// The step size before any decay, with the mode's default.
    pub fn learning_rate(&self) -> f64 {
        self.learning_rate.unwrap_or(match self.mode {
            Mode::Reinforce => 0.006,
            Mode::Guided => 0.01,
            Mode::Original => 0.1,
        })
    }

    /// Checks that every option is in its range.
    ///
    /// # Errors
    /// [`Error::Invalid`] naming the first option that is not.
    pub fn validate(&self) -> Result<()> {
        let size = |name, value: usize, most: usize| {
            let expected = format!("an integer from 1 to {most}");
            check(name, (1..=most).contains(&value), expected, value)
        };
        let number = |name, value: f64, fits: fn(f64) -> bool, expected: &str| {
            check(name, value.is_finite() && fits(value), expected, value)
        };
        let share = |v: f64| (0.0..=1.0).contains(&v);
        let not_negative = |v: f64| v >= 0.0;
        size("controller_cells", self.controller_cells, 4096)?;
        size("embedding_dim", self.embedding_dim, 4096)?;
        size("batch_size", self.batch_size, 65536)?;
        number("reg_param", self.reg_param(), not_negative, "0 or more")?;
        number("discount_factor", self.discount_factor, share, "0 to 1")?;
        number("exploration", self.exploration, share, "0 to 1")?;
        number("clip_norm", self.clip_norm, not_negative, "0 or more")?;
        let positive = |v: f64| v > 0.0;
        let rate = self.learning_rate();
        number("learning_rate", rate, positive, "a number above 0")?;
        let decay = |v: f64| (0.0..1.0).contains(&v);
        number("baseline_decay", self.baseline_decay, decay, "0 to below 1")?;
        let entropy = self.entropy_weight;
        number("entropy_weight", entropy, not_negative, "0 or more")?;
        self.guided.validate()
    }
}

fn check(
    name: &str,
    fits: bool,
    expected: impl Into<String>,
    found: impl std::fmt::Display,
) -> Result<()> {
    if fits {
        return Ok(());
    }
    Err(Error::invalid(format!("option '{name}'"), expected, found))
}

/// Reads a path, or nothing from `false` and null, as `restore_controller=False` is the original's
/// default.
fn path_or_false<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Given {
        Switch(bool),
        Path(String),
    }
    match Option::<Given>::deserialize(deserializer)? {
        None | Some(Given::Switch(false)) => Ok(None),
        Some(Given::Path(path)) => Ok(Some(path)),
        Some(Given::Switch(true)) => Err(serde::de::Error::custom(
            "restore_controller: expected the path of a saved controller or false, found true",
        )),
    }
}
