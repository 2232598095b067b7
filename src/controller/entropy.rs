//! How undecided a policy is, and how different several are. Knows nothing of updates.
//!
//! The number of architectures is too large to add over, so both are means over sampled ones, always
//! drawn with the same random numbers: they depend on the weights alone, and reading them draws
//! nothing from a controller's own stream.

use rand::RngExt;

use super::policy::{Path, argmax};
use super::{Controller, Mode, reinforce};
use crate::error::Result;
use crate::seed::Seed;

/// How many architectures each policy samples.
const SAMPLES: usize = 128;

impl Controller {
    /// The entropy of the policy in nats, H(π) = −Σ_a π(a) log π(a) over the architectures: 0 where it
    /// is always the same, the logarithm of the space's cardinality where all are alike.
    ///
    /// But in mode original this is the mean over 128 architectures sampled from the policy of
    /// Σ_d H(π(a_d | a_1…a_{d−1})), an unbiased estimate. Mode original samples nothing from the
    /// softmax: it is Σ_d H along its most probable path from no state, exploration left out.
    ///
    /// # Errors
    /// [`Error::Invalid`](crate::error::Error::Invalid) where the device fails to hand it over.
    pub fn entropy(&self) -> Result<f64> {
        let paths = match self.config.mode {
            Mode::Original => {
                let start = self.input(None);
                let path = self.policy.walk(&self.weights, &start, |_, p| argmax(p))?;
                vec![path]
            }
            _ => self.samples("entropy")?,
        };
        Ok(paths.iter().map(Path::entropy).sum::<f64>() / paths.len() as f64)
    }

    /// Paths sampled from the policy, not in mode original, with the random numbers called `name`.
    fn samples(&self, name: &str) -> Result<Vec<Path>> {
        let mut rng = Seed(0).stream(name);
        let start = reinforce::start(SAMPLES);
        let sample = |_, _, p: &[f64]| reinforce::sample(p, rng.random());
        self.policy.walk_all(&self.weights, &start, sample)
    }

    /// log π of each of `paths` by this policy.
    fn log_probs(&self, paths: &[Path]) -> Result<Vec<f64>> {
        let start = reinforce::start(paths.len());
        let along = |number: usize, d: usize, _: &[f64]| paths[number].indices[d];
        let walked = self.policy.walk_all(&self.weights, &start, along)?;
        Ok(walked.iter().map(Path::log_prob).collect())
    }
}

/// The Jensen-Shannon divergence of the policies of `controllers` (Lin 1991, §IV), over whole
/// architectures and divided by its most, log k: from 0 (they are the same) to 1 (none samples what
/// another may). 0 for one controller alone.
///
/// It is what an architecture tells of who sampled it: with p(i|a) = π_i(a) / Σ_j π_j(a),
/// 1 − E_a[H(p(·|a))] / log k, the mean taken over 128 architectures of each controller. None is in
/// mode original.
pub(super) fn divergence(controllers: &[Controller]) -> Result<f64> {
    if controllers.len() < 2 {
        return Ok(0.0);
    }
    let mut paths = Vec::with_capacity(controllers.len() * SAMPLES);
    for (number, controller) in controllers.iter().enumerate() {
        paths.extend(controller.samples(&format!("divergence/{number}"))?);
    }
    let by_policy = controllers.iter().map(|c| c.log_probs(&paths));
    let by_policy = by_policy.collect::<Result<Vec<_>>>()?;
    let doubts = (0..paths.len()).map(|a| doubt(by_policy.iter().map(|log_probs| log_probs[a])));
    let doubt = doubts.sum::<f64>() / paths.len() as f64;
    // Rounding may leave a crumb on either side.
    Ok((1.0 - doubt / (controllers.len() as f64).ln()).clamp(0.0, 1.0))
}

/// The entropy in nats of the distribution in proportion to e^x for each x of `log_probs`, which may
/// all be too small for a number.
fn doubt(log_probs: impl Iterator<Item = f64> + Clone) -> f64 {
    let largest = log_probs.clone().fold(f64::NEG_INFINITY, f64::max);
    let weights = log_probs.map(|x| x - largest);
    let total: f64 = weights.clone().map(f64::exp).sum();
    // H = log Σ e^x − Σ x e^x / Σ e^x, where no summand is NaN: x is finite.
    total.ln() - weights.map(|x| x * x.exp()).sum::<f64>() / total
}
