//! Mode "ppo": proximal policy optimization (arXiv 1707.06347, §3) over mini-batches of whole
//! architectures.
//!
//! L = E[min(r A, clip(r, 1 − ε, 1 + ε) A)] with r = π(a) / π_before(a): several gradient steps on one
//! mini-batch, none of which is paid for moving the probability of an architecture further than ε.

use burn::tensor::Tensor;

use super::gradient::Gradient;
use super::reinforce::Batch;
use super::{Controller, Update};
use crate::error::Result;

impl Controller {
    /// `ppo_epochs` gradient steps on all rollouts that are stored, which are one update.
    pub(super) fn ppo_step(&mut self) -> Result<Update> {
        let batch = self.batch();
        let update = self.whole(|controller| {
            let mut before = None;
            let first = controller.epoch(&batch, &mut before)?;
            for _ in 1..controller.config.ppo_epochs {
                controller.epoch(&batch, &mut before)?;
            }
            Ok(controller.report(&first, batch.reward))
        })?;
        self.baseline = Some(batch.baseline);
        Ok(Update {
            baseline: self.baseline,
            ..update
        })
    }

    /// One gradient step; the first finds log π_before, `[batch, 1]`.
    fn epoch(&mut self, batch: &Batch, before: &mut Option<Tensor<2>>) -> Result<Gradient> {
        let weights = self.weights.tracked();
        let decided = batch.decided(&self.policy, &weights)?;
        let log_probs = decided.log_probs();
        let before = before.get_or_insert_with(|| log_probs.clone().detach());
        let gains = clipped(&log_probs, before, batch, self.config.clip_ratio);
        let objective = decided.objective(gains, &self.config, self.step, &weights);
        let mut gradient = objective.differentiate(&weights)?;
        self.descend(&mut gradient, 1.0)?;
        Ok(gradient)
    }
}

/// The clipped gain of each fresh row and that of each imitated one, `[batch, 1]`.
fn clipped(log_probs: &Tensor<2>, before: &Tensor<2>, batch: &Batch, clip: f64) -> Tensor<2> {
    let weights = batch.weights(&log_probs.device());
    let (fresh, all) = (batch.fresh(), batch.len());
    let of_fresh = |t: &Tensor<2>| t.clone().narrow(0, 0, fresh);
    let ratio = (of_fresh(log_probs) - of_fresh(before)).exp();
    let own = of_fresh(&weights);
    let cut = ratio.clone().clamp(1.0 - clip, 1.0 + clip);
    let gains = (ratio * own.clone()).min_pair(cut * own);
    if fresh == all {
        return gains;
    }
    let imitated = |t: &Tensor<2>| t.clone().narrow(0, fresh, all - fresh);
    Tensor::cat(vec![gains, imitated(log_probs) * imitated(&weights)], 0)
}
