//! Every hyper-parameter of the controller: its name, default and accepted range. Knows nothing of
//! the network or the updates that use them.

use serde::{Deserialize, Deserializer, Serialize};

use super::guided::GuidedConfig;
use crate::error::{Error, Result};

/// Which algorithm samples from and updates the policy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// REINFORCE with a moving-average baseline and Adam (arXiv 1611.01578, §3.2), and what the
    /// options below add to it.
    #[default]
    Reinforce,
    /// Proximal policy optimization: several epochs over a mini-batch on the clipped objective
    /// (arXiv 1707.06347, §3), as NASNet's controller learns (arXiv 1707.07012, appendix A).
    Ppo,
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
            Self::Ppo => "ppo",
            Self::Original => "original",
            Self::Guided => "guided",
        }
    }
}

/// What a reward is compared with, so that the policy learns from the difference.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Baseline {
    /// The exponential moving average of the rewards before it.
    #[default]
    Ema,
    /// The mean of the other rewards of its mini-batch (Kool et al. 2019).
    LeaveOneOut,
}

/// What rewards are turned into before the baseline is subtracted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Normalize {
    /// Nothing: the policy learns from rewards as they are, for which `learning_rate` must fit.
    None,
    /// Their distance from the median of the rewards so far in robust standard deviations
    /// (interquartile range / 1.349), cut to ±3.
    Deviation,
    /// Their rank among the rewards so far, from -1 (the lowest) to 1 (the highest).
    #[default]
    Rank,
}

/// How a weight or rate goes from its first value to its last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Schedule {
    /// It stays at the first.
    #[default]
    Constant,
    /// In equal steps.
    Linear,
    /// Along half a cosine (arXiv 1608.03983): slowly at both ends.
    Cosine,
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
/// Each note names the mode that an option applies to, where it is not all.
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
    /// Weight of Σ‖θ‖² in the loss, not negative. Default 0.001 in original, 0 in the others.
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
    /// Step size, above 0. Default 0.1 in original (× 0.95 every 500 updates), 0.01 in
    /// guided, 0.03 in the others.
    pub learning_rate: Option<f64>,
    /// Original: the label of the cross-entropy. Default `"encoding"`.
    pub labels: Labels,
    /// Not original: the least number of rollouts an update learns from, 1 to 65536. Default 1 in
    /// reinforce, 5 in ppo.
    pub batch_size: Option<usize>,
    /// Not original: what rewards are compared with. Default `"ema"`.
    pub baseline: Baseline,
    /// Not original: share of the old value in the moving average of rewards, 0 to below 1.
    /// Default 0.9.
    pub baseline_decay: f64,
    /// Not original: what rewards are turned into first. Default `"rank"`, which neither the scale
    /// of an objective nor a heavy tail moves.
    pub normalize: Normalize,
    /// Not original: weight of the policy's entropy, not negative; keeps it from settling early.
    /// Default 0.05.
    pub entropy_weight: f64,
    /// Not original: the weight of the entropy after `schedule_steps` updates; `()` keeps it as it
    /// is. Default `()`.
    pub entropy_final: Option<f64>,
    /// Not original: how the learning rate falls to a tenth over `schedule_steps` updates,
    /// `"constant"` (not at all), `"linear"` or `"cosine"`. Default `"constant"`.
    pub learning_rate_schedule: Schedule,
    /// Not original: the length of both schedules in updates, 1 or more; what they end at stays.
    /// Default 100.
    pub schedule_steps: u64,
    /// Not original: whether the policy's first softmaxes are all uniform; else they start from random
    /// weights. Default true.
    pub uniform_start: bool,
    /// Not original: whether an architecture is drawn again until it is a new one, as long as there
    /// is one. Default true.
    pub novel: bool,
    /// Not original: weight of self-imitation (Oh et al. 2018, arXiv 1806.05635): every update
    /// also makes the best quarter of what was tried more probable, once that are six. Not
    /// negative; 0 leaves it out. Default 0.5.
    pub imitation: f64,
    /// Not original: the most architectures that are imitated, 1 to 65536. Default 16.
    pub memory: usize,
    /// Reinforce: gradient steps of an update, 1 to 1000, those after the first on what is imitated
    /// alone. Default 1.
    pub replays: usize,
    /// Ppo: how far the probability of an architecture may move in an update and still be paid
    /// for, above 0 to below 1. Default 0.2.
    pub clip_ratio: f64,
    /// Ppo: gradient steps of an update, 1 to 1000. Default 4.
    pub ppo_epochs: usize,
    /// Not original: the entropy, as a share of that of uniform draws, below which the policy
    /// counts as [collapsed](super::Controller::collapsed), 0 to below 1. Default 0.02.
    pub collapse_entropy: f64,
    /// Not original: so many draws in a row of architectures drawn before count as a collapse as
    /// well, 1 or more. Default 20.
    pub collapse_repeats: u64,
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
            batch_size: None,
            baseline: Baseline::default(),
            baseline_decay: 0.9,
            normalize: Normalize::default(),
            entropy_weight: 0.05,
            entropy_final: None,
            learning_rate_schedule: Schedule::default(),
            schedule_steps: 100,
            uniform_start: true,
            novel: true,
            imitation: 0.5,
            memory: 16,
            replays: 1,
            clip_ratio: 0.2,
            ppo_epochs: 4,
            collapse_entropy: 0.02,
            collapse_repeats: 20,
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
        "baseline",
        "baseline_decay",
        "normalize",
        "entropy_weight",
        "entropy_final",
        "learning_rate_schedule",
        "schedule_steps",
        "uniform_start",
        "novel",
        "imitation",
        "memory",
        "replays",
        "clip_ratio",
        "ppo_epochs",
        "collapse_entropy",
        "collapse_repeats",
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
            Mode::Original => 0.001,
            _ => 0.0,
        })
    }

    /// The step size before any decay, with the mode's default.
    pub fn learning_rate(&self) -> f64 {
        self.learning_rate.unwrap_or(match self.mode {
            Mode::Reinforce | Mode::Ppo => 0.03,
            Mode::Guided => 0.01,
            Mode::Original => 0.1,
        })
    }

    /// The least number of rollouts of an update, with the mode's default.
    pub fn batch_size(&self) -> usize {
        self.batch_size.unwrap_or(match self.mode {
            Mode::Ppo => 5,
            _ => 1,
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
        size("batch_size", self.batch_size(), 65536)?;
        size("memory", self.memory, 65536)?;
        size("replays", self.replays, 1000)?;
        size("ppo_epochs", self.ppo_epochs, 1000)?;
        number("reg_param", self.reg_param(), not_negative, "0 or more")?;
        number("discount_factor", self.discount_factor, share, "0 to 1")?;
        number("exploration", self.exploration, share, "0 to 1")?;
        number("clip_norm", self.clip_norm, not_negative, "0 or more")?;
        let positive = |v: f64| v > 0.0;
        let rate = self.learning_rate();
        number("learning_rate", rate, positive, "a number above 0")?;
        let decay = |v: f64| (0.0..1.0).contains(&v);
        number("baseline_decay", self.baseline_decay, decay, "0 to below 1")?;
        let (first, last) = (self.entropy_weight, self.entropy_final);
        number("entropy_weight", first, not_negative, "0 or more")?;
        let last = last.unwrap_or(first);
        number("entropy_final", last, not_negative, "0 or more")?;
        number("imitation", self.imitation, not_negative, "0 or more")?;
        let inside = |v: f64| v > 0.0 && v < 1.0;
        let between = "a number between 0 and 1";
        number("clip_ratio", self.clip_ratio, inside, between)?;
        let least = self.collapse_entropy;
        number("collapse_entropy", least, decay, "0 to below 1")?;
        let whole = "a whole number from 1";
        check("schedule_steps", self.schedule_steps > 0, whole, 0)?;
        check("collapse_repeats", self.collapse_repeats > 0, whole, 0)?;
        let others = self.baseline == Baseline::Ema || self.batch_size() > 1;
        let expected = "\"ema\" where batch_size is 1 (there is no other reward to compare with)";
        check("baseline", others, expected, "\"leave_one_out\"")?;
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
