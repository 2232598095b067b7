//! From rewards to advantages: what the policy learns from is how much better an architecture is than
//! others. Knows nothing of policies.
//!
//! Objectives have any scale and heavy tails (a child that failed), so that by default ranks are
//! compared, not rewards.

use super::config::{Baseline, Normalize};

/// Normalized rewards beyond so many deviations are cut.
const MOST_DEVIATIONS: f64 = 3.0;
/// The interquartile range of a normal distribution in its standard deviations.
const INTERQUARTILE: f64 = 1.349;

impl Normalize {
    /// The scores of `rewards`, given all rewards so far, sorted (these included).
    pub(super) fn scores(self, rewards: &[f64], sorted: &[f64]) -> Vec<f64> {
        let score = |reward: f64| match self {
            Self::None => reward,
            Self::Deviation => deviations(reward, sorted),
            Self::Rank => rank(reward, sorted),
        };
        rewards.iter().map(|reward| score(*reward)).collect()
    }
}

impl Baseline {
    /// The advantages of `scores`, which are one mini-batch, and the moving average once they have
    /// entered it. `before` is that before them; the first mini-batch is compared with its own mean.
    pub(super) fn advantages(
        self,
        scores: &[f64],
        before: Option<f64>,
        decay: f64,
    ) -> (Vec<f64>, f64) {
        let number = scores.len() as f64;
        let total: f64 = scores.iter().sum();
        let before = before.unwrap_or(total / number);
        let after = |b: f64, score: &f64| decay * b + (1.0 - decay) * score;
        let average = scores.iter().fold(before, after);
        let advantage = |score: &f64| match self {
            Self::LeaveOneOut if scores.len() > 1 => score - (total - score) / (number - 1.0),
            Self::LeaveOneOut | Self::Ema => score - before,
        };
        (scores.iter().map(advantage).collect(), average)
    }
}

/// The share of `sorted` below `reward` less that above it.
fn rank(reward: f64, sorted: &[f64]) -> f64 {
    let below = sorted.partition_point(|r| *r < reward);
    let up_to = sorted.partition_point(|r| *r <= reward);
    let above = sorted.len() - up_to;
    (below as f64 - above as f64) / sorted.len().max(1) as f64
}

/// The distance of `reward` from the median of `sorted` in robust standard deviations, cut.
fn deviations(reward: f64, sorted: &[f64]) -> f64 {
    let distance = reward - quantile(sorted, 0.5);
    let spread = (quantile(sorted, 0.75) - quantile(sorted, 0.25)) / INTERQUARTILE;
    if spread > 0.0 {
        (distance / spread).clamp(-MOST_DEVIATIONS, MOST_DEVIATIONS)
    } else {
        // Half of all are equal: only whether it is better or worse counts.
        distance
            .partial_cmp(&0.0)
            .map_or(0.0, |o| f64::from(o as i8))
    }
}

/// The quantile at `share`, between its neighbours in proportion; 0 of nothing.
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else {
        return 0.0;
    };
    let place = share * last as f64;
    let (low, part) = (place.floor() as usize, place.fract());
    let high = (low + 1).min(last);
    sorted[low] * (1.0 - part) + sorted[high] * part
}
