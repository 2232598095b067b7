//! Mode "reinforce": REINFORCE with a baseline (arXiv 1611.01578, §3.2), and self-imitation (Oh et al.
//! 2018, arXiv 1806.05635) beside it.
//!
//! ∇J = E[Σ_d ∇log π(a_d | a_1…a_{d−1}) · (R − b)], where b does not depend on the action it judges.
//! Imitation adds λ Σ_k w_k Σ_d ∇log π(a_d) over the best architectures so far, those that were better
//! than the policy is on average: it need not sample them again to become what finds them.

use burn::tensor::{Device, Tensor};

use super::gradient::{Gradient, Objective, regulariser};
use super::policy::{Decided, Policy, integers};
use super::steps::Step;
use super::weights::Weights;
use super::{Controller, ControllerConfig, Update};
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

/// The architectures that an update learns from: the rollouts of the mini-batch, then those that are
/// imitated.
#[derive(Default)]
pub(super) struct Batch {
    rows: Vec<Vec<usize>>,
    /// What log π of each is multiplied with: the advantage over the number of rollouts, or the
    /// weight of its imitation.
    weights: Vec<f64>,
    fresh: usize,
    /// The mean reward.
    pub reward: f64,
    /// The baseline once the rewards have entered it.
    pub baseline: f64,
}

impl Controller {
    /// Whether the mini-batch is.
    pub(super) fn is_full(&self) -> bool {
        self.rollouts.len() >= self.config.batch_size()
    }

    /// One update from all rollouts that are stored.
    pub(super) fn reinforce_step(&mut self) -> Result<Update> {
        let lesson = self.lesson()?;
        self.whole(|controller| {
            let update = controller.learn(lesson)?;
            for _ in 1..controller.config.replays {
                controller.imitate()?;
            }
            Ok(update)
        })
    }

    /// Applies `lesson`, this controller's or another's.
    pub(super) fn learn(&mut self, mut lesson: Lesson) -> Result<Update> {
        self.descend(&mut lesson.gradient, 1.0)?;
        self.baseline = Some(lesson.baseline);
        Ok(self.report(&lesson.gradient, lesson.reward))
    }

    /// What all rollouts that are stored teach; they are used up.
    pub(super) fn lesson(&mut self) -> Result<Lesson> {
        let batch = self.batch();
        let weights = self.weights.tracked();
        let objective = objective(&self.policy, &weights, &self.config, self.step, &batch)?;
        Ok(Lesson {
            gradient: objective.differentiate(&weights)?,
            reward: batch.reward,
            baseline: batch.baseline,
        })
    }

    /// One more gradient step on what is imitated alone.
    fn imitate(&mut self) -> Result<()> {
        let batch = Batch::default().imitating(self);
        if batch.len() == 0 {
            return Ok(());
        }
        let weights = self.weights.tracked();
        let objective = objective(&self.policy, &weights, &self.config, self.step, &batch)?;
        self.descend(&mut objective.differentiate(&weights)?, 1.0)
    }

    /// The batch of all rollouts that are stored; they are used up. One that cannot be learnt from is
    /// as well: it must not block the next.
    pub(super) fn batch(&mut self) -> Batch {
        let rollouts = std::mem::take(&mut self.rollouts);
        let rewards: Vec<f64> = rollouts.iter().map(|r| r.reward).collect();
        let fresh = rewards.len();
        let scores = self.config.normalize;
        let scores = scores.scores(&rewards, &self.memory.sorted_rewards());
        let (baseline, decay) = (self.config.baseline, self.config.baseline_decay);
        let (advantages, baseline) = baseline.advantages(&scores, self.baseline, decay);
        let batch = Batch {
            rows: rollouts.into_iter().map(|r| r.indices).collect(),
            weights: advantages.iter().map(|a| a / fresh as f64).collect(),
            fresh,
            reward: rewards.iter().sum::<f64>() / fresh as f64,
            baseline,
        };
        batch.imitating(self)
    }

    /// Does `update` whole or not at all.
    pub(super) fn whole<T>(&mut self, update: impl FnOnce(&mut Self) -> Result<T>) -> Result<T> {
        let before = (self.weights.clone(), self.optimizer.clone());
        let (step, baseline) = (self.step, self.baseline);
        let done = update(self);
        if done.is_err() {
            (self.weights, self.optimizer) = before;
            (self.step, self.baseline) = (step, baseline);
        }
        done
    }
}

impl Batch {
    /// The architectures `rows`, each with its advantage.
    pub fn imagined(rows: Vec<Vec<usize>>, advantages: &[f64]) -> Self {
        let fresh = rows.len();
        Self {
            weights: advantages.iter().map(|a| a / fresh as f64).collect(),
            rows,
            fresh,
            ..Self::default()
        }
    }

    /// This batch, and what `controller` imitates.
    fn imitating(mut self, controller: &Controller) -> Self {
        let strength = controller.config.imitation;
        if strength > 0.0 {
            for (indices, weight) in controller.memory.elite() {
                self.rows.push(indices.to_vec());
                self.weights.push(strength * weight);
            }
        }
        self
    }

    /// The number of architectures.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// The number of them that are rollouts of the mini-batch.
    pub fn fresh(&self) -> usize {
        self.fresh
    }

    /// What log π of each is multiplied with, `[batch, 1]`.
    pub fn weights(&self, device: &Device) -> Tensor<2> {
        let weights: Vec<f32> = self.weights.iter().map(|w| *w as f32).collect();
        Tensor::<1>::from_data(weights.as_slice(), device).unsqueeze_dim(1)
    }

    /// What the policy makes of them.
    pub fn decided(&self, policy: &Policy, weights: &Weights) -> Result<DecidedBatch> {
        let mut decided = Vec::new();
        let score = |step: &Step, logits: &Tensor<2>| {
            let rows = self.rows.iter();
            let taken: Vec<_> = rows
                .flat_map(|r| &r[step.decisions.clone()])
                .copied()
                .collect();
            let taken = integers(&taken, weights);
            decided.push(Decided::new(logits.clone(), taken.clone(), self.len()));
            Ok(taken)
        };
        policy.unroll(weights, &start(self.len()), score)?;
        let log_probs = decided.iter().map(|d| d.log_prob.clone()).collect();
        let entropies = decided.into_iter().map(|d| d.entropy).collect();
        Ok(DecidedBatch {
            log_probs: Tensor::cat(log_probs, 1),
            entropies: Tensor::cat(entropies, 1),
        })
    }
}

/// The decisions of a batch, as the policy sees them.
pub(super) struct DecidedBatch {
    /// log π of the index taken, `[batch, decisions]`.
    log_probs: Tensor<2>,
    /// −Σ π log π, `[batch, decisions]`.
    entropies: Tensor<2>,
}

impl DecidedBatch {
    /// log π of each architecture, `[batch, 1]`.
    pub fn log_probs(&self) -> Tensor<2> {
        self.log_probs.clone().sum_dim(1)
    }

    /// −Σ_b gain_b − entropy weight · H + reg_param · Σ‖θ‖², `gains` being `[batch, 1]`.
    pub fn objective(
        self,
        gains: Tensor<2>,
        config: &ControllerConfig,
        step: u64,
        weights: &Weights,
    ) -> Objective {
        let entropy = self.entropies.sum_dim(1).mean();
        let mut loss = gains.sum().neg();
        let strength = config.entropy_weight_at(step);
        if strength != 0.0 {
            loss = loss - entropy.clone().mul_scalar(strength);
        }
        if let Some(penalty) = regulariser(weights, config.reg_param()) {
            loss = loss + penalty;
        }
        Objective {
            minimised: loss.clone(),
            loss,
            entropy,
            cross_entropies: self.log_probs.mean_dim(0).neg().reshape([-1]),
        }
    }
}

/// That of an update after `step` others, whose gains are weight_b · log π(a_b).
pub(super) fn objective(
    policy: &Policy,
    weights: &Weights,
    config: &ControllerConfig,
    step: u64,
    batch: &Batch,
) -> Result<Objective> {
    let decided = batch.decided(policy, weights)?;
    let gains = decided.log_probs() * batch.weights(&weights.device());
    Ok(decided.objective(gains, config, step, weights))
}
