//! Mode "original": the update of `titu1994/neural-architecture-search`, number for number.
//!
//! Its oddities are kept: the label of the cross-entropy is the *encoding* of a value (index + 1 at
//! its index), so later-listed values weigh more; the state is cast to integers, so a state that the
//! policy produced (probabilities) enters as zeros. `labels: "one_hot"` mends the first.

use burn::tensor::activation::log_softmax;
use burn::tensor::{Tensor, TensorData};

use super::config::Labels;
use super::gradient::{Objective, regulariser};
use super::policy::{Decided, Policy};
use super::weights::Weights;
use super::{Controller, ControllerConfig, Rollout, Update, discount_rewards};
use crate::error::{Error, Result};
use crate::space::Source;

/// Exploration falls by this factor every [`EXPLORATION_STEPS`] updates, down to a floor.
const EXPLORATION_DECAY: f64 = 0.99;
const EXPLORATION_FLOOR: f64 = 0.5;
const EXPLORATION_STEPS: u64 = 20;
/// The learning rate falls by this factor every [`RATE_STEPS`] updates, as a staircase.
const RATE_DECAY: f64 = 0.95;
const RATE_STEPS: u64 = 500;
/// The most rollouts that are kept.
const ROLLOUTS: usize = 20;

/// The learning rate of the update after `step` others.
pub(super) fn decayed(rate: f64, step: u64) -> f64 {
    rate * RATE_DECAY.powf((step / RATE_STEPS) as f64)
}

/// Cuts the buffer to its last rollout when it grows too long.
pub(super) fn cut(rollouts: &mut Vec<Rollout>) {
    if rollouts.len() > ROLLOUTS {
        rollouts.drain(..rollouts.len() - 1);
    }
}

/// The rows of the first table that a state comes to: the cast of its first decision, a sequence of
/// `size` row numbers, each a batch of one. An encoding gives index + 1 at the index and zeros
/// elsewhere; probabilities give zeros.
pub(super) fn input_state(size: usize, index: usize, source: Source) -> Vec<Vec<usize>> {
    let row = |i: usize| {
        let chosen = i == index && source != Source::Policy;
        vec![if chosen { index + 1 } else { 0 }]
    };
    (0..size).map(row).collect()
}

impl Controller {
    /// One update from the last rollout.
    pub(super) fn original_step(&mut self) -> Result<Update> {
        let Some(rollout) = self.rollouts.last() else {
            return Err(Error::invalid("train_step", "a stored rollout", "none"));
        };
        let rewards: Vec<f64> = self.rollouts.iter().map(|r| r.reward).collect();
        let discounted = discount_rewards(&rewards, self.config.discount_factor);
        let reward = discounted.last().copied().unwrap_or_default();

        let weights = self.weights.tracked();
        let objective = objective(&self.policy, &weights, &self.config, rollout)?;
        let gradient = objective.differentiate(&weights)?;

        let mut update = self.apply(gradient, reward, reward);
        if self.step.is_multiple_of(EXPLORATION_STEPS) && self.exploration > EXPLORATION_FLOOR {
            self.exploration *= EXPLORATION_DECAY;
        }
        update.exploration = self.exploration;
        Ok(update)
    }
}

/// Σ_d cross-entropy(logits_d, label_d) + reg_param · Σ‖θ‖², with the decisions fed back being the
/// network's own most probable ones, not those of the rollout.
pub(super) fn objective(
    policy: &Policy,
    weights: &Weights,
    config: &ControllerConfig,
    rollout: &Rollout,
) -> Result<Objective> {
    let start = input_state(policy.steps[0].size, rollout.indices[0], rollout.source);
    let mut own = Vec::with_capacity(policy.steps.len());
    let logits = policy.unroll(weights, &start, |_, logits| {
        let most_probable = logits.clone().argmax(1).reshape([-1]);
        own.push(most_probable.clone());
        Ok(most_probable)
    })?;
    let mut cross_entropies = Vec::with_capacity(logits.len());
    let mut entropies = Vec::with_capacity(logits.len());
    for ((logits, index), own) in logits.into_iter().zip(&rollout.indices).zip(own) {
        let label = label(logits.dims()[1], *index, config.labels);
        let label = TensorData::new(label, logits.dims());
        let label: Tensor<2> = Tensor::from_data(label, &weights.device());
        let cross_entropy = (log_softmax(logits.clone(), 1) * label).sum().neg();
        cross_entropies.push(cross_entropy);
        entropies.push(Decided::new(logits, own).entropy.reshape([-1]));
    }
    let cross_entropies: Tensor<1> = Tensor::cat(cross_entropies, 0);
    let mut loss = cross_entropies.clone().sum();
    if let Some(penalty) = regulariser(weights, config.reg_param()) {
        loss = loss + penalty;
    }
    Ok(Objective {
        minimised: loss.clone(),
        loss,
        entropy: Tensor::cat(entropies, 0).sum(),
        cross_entropies,
    })
}

/// The label of a decision, `[size]`.
fn label(size: usize, index: usize, labels: Labels) -> Vec<f32> {
    let mut label = vec![0.0; size];
    label[index] = match labels {
        Labels::Encoding => (index + 1) as f32,
        Labels::OneHot => 1.0,
    };
    label
}
