//! Mode "original": the update of `titu1994/neural-architecture-search`, number for number.
//!
//! Its oddities are kept:
//!
//! - The label of the cross-entropy is the *encoding* of a value (index + 1 at its index), so
//!   later-listed values gain more from the same reward. `labels: "one_hot"` removes this.
//! - The state is cast to integers, so one that the policy decided (probabilities) enters as zeros.
//! - The next input is the network's own most probable decision, not the one being trained.
//! - The reward multiplies the whole gradient, the regulariser's part included, after clipping.

use burn::tensor::Tensor;

use super::config::Labels;
use super::gradient::{Objective, regulariser};
use super::policy::{Decided, Policy, integers};
use super::steps::Step;
use super::weights::Weights;
use super::{Controller, ControllerConfig, Rollout, Update, discount_rewards};
use crate::error::{Error, Result};
use crate::space::{Actions, Source, StateSpace, encode};

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

/// The rows of the first state's table that `state` comes to: its first decision's encoding, cast to
/// integers (index + 1 at the index, zeros elsewhere). A state that the policy decided holds
/// probabilities, which the cast turns into zeros.
pub(super) fn input_state(state: &Actions) -> Vec<usize> {
    let encoding = match state.source() {
        Source::Policy => state.probabilities()[0].clone(),
        Source::Given | Source::Uniform => {
            encode(state.probabilities()[0].len(), state.indices()[0])
        }
    };
    encoding.into_iter().map(|value| value as usize).collect()
}

/// Checks that the sequence starts with a decision that can be encoded.
///
/// # Errors
/// [`Error::Invalid`] where the first state has not the same values in every layer.
pub(super) fn check(space: &StateSpace) -> Result<()> {
    let Some(first) = space.slots(1).next() else {
        return Ok(());
    };
    first.state.values().map(drop).map_err(|error| match error {
        Error::Invalid {
            expected, found, ..
        } => {
            let name = &first.state.name;
            let what = format!("first state '{name}', whose encoding starts mode \"original\"");
            Error::invalid(what, expected, found)
        }
        other => other,
    })
}

/// Input rows as the sequence of batches of one that [`Policy::unroll`] takes.
pub(super) fn sequence(rows: &[usize]) -> Vec<Vec<usize>> {
    rows.iter().map(|row| vec![*row]).collect()
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
        let mut gradient = objective.differentiate(&weights)?;

        self.descend(&mut gradient, reward)?;
        let mut update = self.report(&gradient, reward);
        if self.step.is_multiple_of(EXPLORATION_STEPS) && self.exploration > EXPLORATION_FLOOR {
            self.exploration *= EXPLORATION_DECAY;
        }
        update.exploration = self.exploration;
        Ok(update)
    }
}

/// The loss of one rollout, and what has the gradient that TensorFlow gives it. The decisions fed
/// back are the network's own most probable ones, not those of the rollout.
///
/// With logits z, π = softmax(z), index i and label y (i + 1, or 1), the loss is Σ −y log πᵢ +
/// `reg_param` · Σ‖θ‖². But TensorFlow's `softmax_cross_entropy_with_logits` takes labels to sum to
/// 1, and returns π − y as its gradient: that of −log πᵢ − (y − 1) zᵢ.
pub(super) fn objective(
    policy: &Policy,
    weights: &Weights,
    config: &ControllerConfig,
    rollout: &Rollout,
) -> Result<Objective> {
    let (mut decided, mut taken_logits) = (Vec::new(), Vec::new());
    let own_path = |step: &Step, logits: &Tensor<2>| {
        let taken = integers(&rollout.indices[step.decisions.clone()], weights);
        decided.push(Decided::new(logits.clone(), taken.clone(), 1));
        let logit = logits.clone().gather(1, taken.unsqueeze_dim(1));
        taken_logits.push(logit.reshape([1, -1]));
        Ok(logits.clone().argmax(1).reshape([-1]))
    };
    policy.unroll(weights, &sequence(&rollout.input), own_path)?;
    let label = |index: &usize| match config.labels {
        Labels::Encoding => (index + 1) as f32,
        Labels::OneHot => 1.0,
    };
    let labels: Vec<f32> = rollout.indices.iter().map(label).collect();
    let labels: Tensor<1> = Tensor::from_data(labels.as_slice(), &weights.device());
    let log_probs = decided.iter().map(|d| d.log_prob.clone());
    let log_probs: Tensor<1> = Tensor::cat(log_probs.collect(), 1).reshape([-1]); // [decisions]
    let taken_logits: Tensor<1> = Tensor::cat(taken_logits, 1).reshape([-1]);
    let entropies = decided.into_iter().map(|d| d.entropy);
    let entropy = Tensor::cat(entropies.collect(), 1).sum();

    let cross_entropies = log_probs.clone().neg() * labels.clone();
    let mut loss = cross_entropies.clone().sum();
    let mut minimised = (log_probs.neg() - taken_logits * labels.sub_scalar(1.0)).sum();
    if let Some(penalty) = regulariser(weights, config.reg_param()) {
        loss = loss + penalty.clone();
        minimised = minimised + penalty;
    }
    Ok(Objective {
        minimised,
        loss,
        entropy,
        cross_entropies,
    })
}
