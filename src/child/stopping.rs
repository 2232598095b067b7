//! Which epoch of a training is the best, and whether there is a next. Knows the history and the settings
//! only.

use crate::evaluation::{Epoch, Stopped, TrainingConfig};

/// The epoch with the highest validation accuracy; of equals, the one with the lowest validation loss,
/// and of equals again, the first.
pub(super) fn best_of(history: &[Epoch]) -> Option<&Epoch> {
    let backwards = history.iter().rev();
    backwards.max_by(|a, b| {
        let accuracy = a.validation_accuracy.total_cmp(&b.validation_accuracy);
        accuracy.then(b.validation_loss.total_cmp(&a.validation_loss))
    })
}

/// Why a training with this history ends before its last epoch, if it does. See
/// [`Control::floor`](super::Control::floor).
///
/// Where patience runs out too, that is the reason: it does not depend on other children.
pub(super) fn stopped(
    history: &[Epoch],
    config: &TrainingConfig,
    floor: &[f64],
) -> Option<Stopped> {
    let done = history.len();
    let best = best_of(history).filter(|_| done < config.epochs)?;
    let waited = done - best.epoch;
    if config.patience.is_some_and(|most| waited >= most.get()) {
        return Some(Stopped::Patience);
    }
    let least = floor.get(done - 1)?;
    (best.validation_accuracy < *least).then_some(Stopped::Median)
}
