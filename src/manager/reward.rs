//! The original's reward: accuracy measured against its own moving average.

/// Turns accuracies into rewards: accuracy minus the exponential moving average of the accuracies
/// before it, clipped. The average starts at 0 for the first reward and becomes the first accuracy
/// after it, which is the original's bias correction (`manager.py`).
#[derive(Clone, Debug)]
pub struct RewardShaper {
    beta: f64,
    clip: Option<f64>,
    moving: Option<f64>,
}

/// Every reward of the original lies within ± this.
const WIDEST: f64 = 0.1;

impl RewardShaper {
    /// Creates a shaper with the weight `beta` for the past and an optional tighter bound `clip`.
    pub fn new(beta: f64, clip: Option<f64>) -> Self {
        Self {
            beta,
            clip,
            moving: None,
        }
    }

    /// The reward of `accuracy`, which then enters the average.
    pub fn shape(&mut self, accuracy: f64) -> f64 {
        let reward = accuracy - self.moving.unwrap_or(0.0);
        self.moving = Some(match self.moving {
            Some(moving) => self.beta * moving + (1.0 - self.beta) * accuracy,
            None => accuracy,
        });
        let bound = -self.lowest();
        reward.clamp(-bound, bound)
    }

    /// The lowest reward there is.
    pub fn lowest(&self) -> f64 {
        -self.clip.unwrap_or(WIDEST).min(WIDEST)
    }

    /// The moving average, once there is one.
    pub fn moving_accuracy(&self) -> Option<f64> {
        self.moving
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rewards_follow_the_originals_arithmetic() {
        let mut shaper = RewardShaper::new(0.8, None);
        assert_eq!(shaper.shape(0.5), 0.1, "clipped from 0.5 - 0");
        assert_eq!(shaper.moving_accuracy(), Some(0.5), "bias-corrected");
        assert!((shaper.shape(0.55) - 0.05).abs() < 1e-12);
        assert!((shaper.moving_accuracy().unwrap() - 0.51).abs() < 1e-12);
        assert_eq!(shaper.shape(0.0), -0.1);
    }

    #[test]
    fn a_bound_tightens_the_clip_and_never_widens_it() {
        assert_eq!(RewardShaper::new(0.8, Some(0.05)).shape(0.9), 0.05);
        assert_eq!(RewardShaper::new(0.8, Some(0.5)).shape(0.9), 0.1);
    }
}
