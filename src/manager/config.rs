//! The settings of a manager other than those of the training. Knows nothing of networks.

use std::num::NonZero;

use crate::error::{Error, Result};

/// A year, in seconds; a guard against slips.
const LONGEST_TIMEOUT: f64 = 365.0 * 24.0 * 3600.0;

/// How rewards are made and when a child is given up. The training settings stand apart, in
/// [`TrainingConfig`](crate::evaluation::TrainingConfig), since an outcome depends on those alone.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ManagerConfig {
    /// Weight of the past in the moving average of accuracies, 0 to below 1. Default 0.8.
    pub acc_beta: f64,
    /// `true` or a bound above 0 clips rewards to ±0.05 or to ± that bound, before the clip to
    /// ±0.1 that always holds. Default off.
    pub clip_rewards: ClipRewards,
    /// The reward of a failed child. Default: the lowest that clipping allows.
    pub failure_reward: Option<f64>,
    /// The longest time one child may train, in seconds. Default: no limit.
    pub timeout: Option<f64>,
    /// The most parameters of a child that is trained. Default: no limit.
    pub max_params: Option<u64>,
    /// The most multiply-accumulates of a child that is trained, for one image. Default: no limit.
    pub max_macs: Option<u64>,
    /// The most bytes that the training of a child may take, by [`Network::memory`](crate::network::Network::memory) at the batch
    /// size and with the optimizer of the training. Default: no limit.
    pub max_memory: Option<u64>,
    /// Whether each child leaves a checkpoint, from which more epochs of it go on. It takes the memory
    /// or the disk space of 2 to 4 copies of the weights. Default: where the study is stored.
    pub checkpoints: Option<bool>,
    /// From how many seeds each network is evaluated; its accuracy is then their mean. Default 1.
    pub repeats: Option<NonZero<usize>>,
    /// Whether a child is stopped once its best accuracy is below the
    /// [median](crate::evaluation::median) of the trials before it. Default false.
    pub median_stop: bool,
}

/// The option `clip_rewards`: a switch, as in the original, or a bound.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(untagged)]
pub enum ClipRewards {
    /// Off, or the original's ±0.05.
    Switch(bool),
    /// The bound; 0 is off.
    Bound(f64),
}

impl ClipRewards {
    /// The bound, if clipping is on.
    pub fn bound(self) -> Option<f64> {
        match self {
            Self::Switch(on) => on.then_some(0.05),
            Self::Bound(bound) => (bound != 0.0).then_some(bound),
        }
    }
}

impl Default for ManagerConfig {
    fn default() -> Self {
        Self {
            acc_beta: 0.8,
            clip_rewards: ClipRewards::Switch(false),
            failure_reward: None,
            timeout: None,
            max_params: None,
            max_macs: None,
            max_memory: None,
            checkpoints: None,
            repeats: None,
            median_stop: false,
        }
    }
}

impl ManagerConfig {
    /// The names of the options.
    pub const OPTIONS: &'static [&'static str] = &[
        "acc_beta",
        "clip_rewards",
        "failure_reward",
        "timeout",
        "max_params",
        "max_macs",
        "max_memory",
        "checkpoints",
        "repeats",
        "median_stop",
    ];

    /// Checks the values.
    ///
    /// # Errors
    /// [`Error::Invalid`] with the option's name and what it accepts.
    pub fn validate(&self) -> Result<()> {
        if !(0.0..1.0).contains(&self.acc_beta) {
            let expected = "a number from 0 to below 1";
            return Err(Error::invalid("option 'acc_beta'", expected, self.acc_beta));
        }
        let positive = |name: &str, value: Option<f64>, most: f64, expected: &str| match value {
            Some(v) if !(v > 0.0 && v <= most) => {
                Err(Error::invalid(format!("option '{name}'"), expected, v))
            }
            _ => Ok(()),
        };
        let clip = self.clip_rewards.bound();
        positive("clip_rewards", clip, f64::MAX, "a number above 0")?;
        let expected = "a number of seconds above 0, a year at most";
        positive("timeout", self.timeout, LONGEST_TIMEOUT, expected)?;
        if let Some(reward) = self.failure_reward.filter(|r| !r.is_finite()) {
            let what = "option 'failure_reward'";
            return Err(Error::invalid(what, "a finite number", reward));
        }
        self.validate_limits()
    }
}
