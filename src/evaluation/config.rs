//! How a child is trained: every setting in one place. Knows nothing of what is trained.

use std::num::NonZero;

use crate::error::{Error, Result};

/// The update rule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OptimizerKind {
    /// Adam (arXiv 1412.6980) with β₁ 0.9, β₂ 0.999 and ε 1e-7, the defaults of Keras.
    #[default]
    Adam,
    /// Stochastic gradient descent with momentum.
    Sgd,
}

/// How the learning rate changes over the epochs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScheduleKind {
    /// It does not.
    #[default]
    Constant,
    /// Half a cosine wave from the learning rate down to 0, batch by batch, without restarts
    /// (arXiv 1608.03983).
    Cosine,
    /// Times [`step_gamma`](TrainingConfig::step_gamma) after every
    /// [`step_size`](TrainingConfig::step_size) epochs.
    Step,
}

/// The numbers that a child computes with while it trains.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Precision {
    /// 32 bits.
    #[default]
    F32,
    /// Activations and gradients of 16 bits with the range of f32, everything that adds up in f32
    /// (arXiv 1710.03740). Not every device computes in it.
    Bf16,
}

impl Precision {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// The training settings of a child.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrainingConfig {
    /// How often the child sees the training data. Default 10.
    pub epochs: usize,
    /// Images per update; the last batch of an epoch may be smaller. Default 128.
    pub batch_size: usize,
    /// The update rule. Default Adam.
    pub optimizer: OptimizerKind,
    /// The learning rate at the start. Default 1e-3.
    pub learning_rate: f64,
    /// The momentum of SGD, from 0 to below 1; Adam does not read it. Default 0.9.
    pub momentum: f64,
    /// How the learning rate changes. Default constant.
    pub schedule: ScheduleKind,
    /// Epochs between the steps of a step schedule. Default 30.
    pub step_size: usize,
    /// The factor of each step of a step schedule, above 0 and up to 1. Default 0.1.
    pub step_gamma: f64,
    /// The L2 penalty: this times the weight is added to its gradient, before the optimizer sees it,
    /// as in PyTorch's `Adam` and `SGD` (not decoupled as in AdamW). It applies to every trainable
    /// parameter. Default 0.
    pub weight_decay: f64,
    /// The share of the target that is spread evenly over all classes (arXiv 1512.00567, §7), from 0
    /// to below 1. Default 0. Validation loss is measured without it.
    pub label_smoothing: f64,
    /// Whether training images are mirrored at random. Default false.
    pub flip: bool,
    /// By how many pixels training images are padded on each side before a random crop to their own
    /// size. Default 0: no crop.
    pub pad_crop: usize,
    /// What the training computes with; validation computes in f32. Default f32, which is not in the
    /// JSON, so that digests from before there was a choice hold.
    #[serde(skip_serializing_if = "Precision::is_default")]
    pub precision: Precision,
    /// Ends the training after so many epochs in a row without a better one, that is with a higher
    /// validation accuracy, or an equal one and a lower validation loss. Default none, which is not in the
    /// JSON either: never.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patience: Option<NonZero<usize>>,
}

impl Default for TrainingConfig {
    fn default() -> Self {
        Self {
            epochs: 10,
            batch_size: 128,
            optimizer: OptimizerKind::default(),
            learning_rate: 1e-3,
            momentum: 0.9,
            schedule: ScheduleKind::default(),
            step_size: 30,
            step_gamma: 0.1,
            weight_decay: 0.0,
            label_smoothing: 0.0,
            flip: false,
            pad_crop: 0,
            precision: Precision::default(),
            patience: None,
        }
    }
}

impl TrainingConfig {
    /// The names of all settings.
    pub const OPTIONS: &[&str] = &[
        "epochs",
        "batch_size",
        "optimizer",
        "learning_rate",
        "momentum",
        "schedule",
        "step_size",
        "step_gamma",
        "weight_decay",
        "label_smoothing",
        "flip",
        "pad_crop",
        "precision",
        "patience",
    ];

    /// Checks that every setting is within its range.
    ///
    /// # Errors
    /// [`Error::Invalid`] naming the first setting that is not.
    pub fn validate(&self) -> Result<()> {
        let counts = [
            ("epochs", self.epochs),
            ("batch_size", self.batch_size),
            ("step_size", self.step_size),
        ];
        for (name, count) in counts {
            if count == 0 {
                let what = format!("option '{name}'");
                return Err(Error::invalid(what, "a whole number from 1", count));
            }
        }
        let rate = self.learning_rate;
        within("learning_rate", rate, "above 0", rate > 0.0)?;
        let share = 0.0..1.0;
        let expected = "from 0 up to but not including 1";
        within(
            "momentum",
            self.momentum,
            expected,
            share.contains(&self.momentum),
        )?;
        within(
            "label_smoothing",
            self.label_smoothing,
            expected,
            share.contains(&self.label_smoothing),
        )?;
        let gamma = self.step_gamma;
        within(
            "step_gamma",
            gamma,
            "above 0 and up to 1",
            gamma > 0.0 && gamma <= 1.0,
        )?;
        within(
            "weight_decay",
            self.weight_decay,
            "of 0 or more",
            self.weight_decay >= 0.0,
        )
    }
}

fn within(name: &str, value: f64, expected: &str, holds: bool) -> Result<()> {
    if holds && value.is_finite() {
        return Ok(());
    }
    let what = format!("option '{name}'");
    Err(Error::invalid(what, format!("a number {expected}"), value))
}
