//! How learning rate and entropy weight change over the updates.

use std::f64::consts::PI;

use super::config::{ControllerConfig, Schedule};

/// The learning rate at the end of a schedule, as a share of the first.
const LAST_RATE: f64 = 0.1;

impl Schedule {
    /// The value after `step` of `steps` updates on the way from `first` to `last`, which stays.
    pub(super) fn between(self, first: f64, last: f64, step: u64, steps: u64) -> f64 {
        let gone = (step as f64 / steps.max(1) as f64).min(1.0);
        let gone = match self {
            Self::Constant => 0.0,
            Self::Linear => gone,
            Self::Cosine => 0.5 * (1.0 - (PI * gone).cos()),
        };
        first + (last - first) * gone
    }
}

impl ControllerConfig {
    /// The learning rate of the update after `step` others.
    pub(super) fn learning_rate_at(&self, step: u64) -> f64 {
        let rate = self.learning_rate();
        let schedule = self.learning_rate_schedule;
        schedule.between(rate, LAST_RATE * rate, step, self.schedule_steps)
    }

    /// The weight of the entropy in the update after `step` others.
    pub(super) fn entropy_weight_at(&self, step: u64) -> f64 {
        let first = self.entropy_weight;
        let last = self.entropy_final.unwrap_or(first);
        Schedule::Linear.between(first, last, step, self.schedule_steps)
    }
}
