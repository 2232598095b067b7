//! Mode "reinforce": REINFORCE with a moving-average baseline (arXiv 1611.01578, §3.2).
//!
//! ∇J = E[Σ_d ∇log π(a_d | a_1…a_{d−1}) · (R − b)], where b is an exponential moving average of the
//! rewards before R, so that the baseline does not depend on the action it judges.

use burn::tensor::Tensor;

use super::gradient::{Gradient, Objective, regulariser};
use super::policy::{Decided, Policy, integers};
use super::steps::Step;
use super::weights::Weights;
use super::{Controller, ControllerConfig, Rollout, Update};
use crate::error::Result;

/// Row 0 of the first state's table, "nothing decided yet", starts each of `batch` sequences.
pub(super) fn start(batch: usize) -> Vec<Vec<usize>> {
    vec![vec![0; batch]]
}

/// The index that `draw`, uniform on 0 to 1, falls on.
pub(super) fn sample(probabilities: &[f64], draw: f64) -> usize {
    let total: f64 = probabilities.iter().sum();
    let mut left = draw * total;
    for (index, p) in probabilities.iter().enumerate() {
        left -= p;
        if left < 0.0 {
            return index;
        }
    }
    // Rounding may leave a crumb: it belongs to the last value.
    probabilities.len() - 1
}

/// What a mini-batch teaches.
pub(super) struct Lesson {
    pub gradient: Gradient,
    /// The mean reward.
    pub reward: f64,
    /// The baseline once the rewards have entered it.
    pub baseline: f64,
}

impl Controller {
    /// Whether the mini-batch is.
    pub(super) fn is_full(&self) -> bool {
        self.rollouts.len() >= self.config.batch_size
    }

    /// One update from all rollouts that are stored.
    pub(super) fn reinforce_step(&mut self) -> Result<Update> {
        let lesson = self.lesson()?;
        self.learn(lesson)
    }

    /// Applies `lesson`, this controller's or another's.
    pub(super) fn learn(&mut self, lesson: Lesson) -> Result<Update> {
        let update = self.apply(lesson.gradient, 1.0, lesson.reward)?;
        self.baseline = Some(lesson.baseline);
        Ok(Update {
            baseline: self.baseline,
            ..update
        })
    }

    /// What all rollouts that are stored teach; they are used up.
    pub(super) fn lesson(&mut self) -> Result<Lesson> {
        // A batch that cannot be learnt from is used up as well: it must not block the next.
        let batch: Vec<Rollout> = std::mem::take(&mut self.rollouts);
        let reward = batch.iter().map(|r| r.reward).sum::<f64>() / batch.len() as f64;
        let before = self.baseline.unwrap_or(reward);
        let advantages: Vec<f64> = batch.iter().map(|r| r.reward - before).collect();

        let weights = self.weights.tracked();
        let objective = objective(&self.policy, &weights, &self.config, &batch, &advantages)?;
        let decay = self.config.baseline_decay;
        let after = |b: f64, r: &Rollout| decay * b + (1.0 - decay) * r.reward;
        Ok(Lesson {
            gradient: objective.differentiate(&weights)?,
            reward,
            baseline: batch.iter().fold(before, after),
        })
    }
}

/// −mean_b[(R_b − b) · log π(a_b)] − entropy_weight · H + reg_param · Σ‖θ‖².
pub(super) fn objective(
    policy: &Policy,
    weights: &Weights,
    config: &ControllerConfig,
    batch: &[Rollout],
    advantages: &[f64],
) -> Result<Objective> {
    let taken = |step: &Step| {
        let indices = batch
            .iter()
            .flat_map(|r| &r.indices[step.decisions.clone()]);
        integers(&indices.copied().collect::<Vec<_>>(), weights)
    };
    let mut decided = Vec::new();
    let score = |step: &Step, logits: &Tensor<2>| {
        let taken = taken(step);
        decided.push(Decided::new(logits.clone(), taken.clone(), batch.len()));
        Ok(taken)
    };
    policy.unroll(weights, &start(batch.len()), score)?;
    let log_probs = decided.iter().map(|d| d.log_prob.clone());
    let log_probs: Tensor<2> = Tensor::cat(log_probs.collect(), 1); // [batch, decisions]
    let entropies = decided.into_iter().map(|d| d.entropy);
    let entropies: Tensor<2> = Tensor::cat(entropies.collect(), 1);

    let advantages: Vec<f32> = advantages.iter().map(|&a| a as f32).collect();
    let advantages: Tensor<1> = Tensor::from_data(advantages.as_slice(), &weights.device());
    let advantages: Tensor<2> = advantages.unsqueeze_dim(1);
    let entropy = entropies.sum_dim(1).mean();
    let mut loss = (log_probs.clone().sum_dim(1) * advantages).mean().neg();
    if config.entropy_weight != 0.0 {
        loss = loss - entropy.clone().mul_scalar(config.entropy_weight);
    }
    if let Some(penalty) = regulariser(weights, config.reg_param()) {
        loss = loss + penalty;
    }
    Ok(Objective {
        minimised: loss.clone(),
        loss,
        entropy,
        cross_entropies: log_probs.mean_dim(0).neg().reshape([-1]),
    })
}
