//! The learning rate of each update. Knows the settings only.

use std::f64::consts::PI;

use crate::evaluation::{ScheduleKind, TrainingConfig};

/// The learning rate of update `update` of the `per_epoch` updates of `epoch`, both counted from 0.
///
/// Closed forms, since Burn's schedulers refuse rates above 1, which a search may well try.
pub(super) fn learning_rate(
    config: &TrainingConfig,
    epoch: usize,
    update: usize,
    per_epoch: usize,
) -> f64 {
    let start = config.learning_rate;
    match config.schedule {
        ScheduleKind::Constant => start,
        ScheduleKind::Cosine => {
            let done = (epoch * per_epoch + update) as f64 / (config.epochs * per_epoch) as f64;
            start * 0.5 * (1.0 + (PI * done).cos())
        }
        ScheduleKind::Step => {
            let steps = i32::try_from(epoch / config.step_size).unwrap_or(i32::MAX);
            start * config.step_gamma.powi(steps)
        }
    }
}
