//! The median stopping rule: what a training must have reached to go on. Knows histories only.

use super::Epoch;

/// The usual number of other trials before any is stopped.
pub const MIN_TRIALS: usize = 5;

/// What a training must have reached after each epoch, by the median automated stopping rule (Golovin et al.,
/// "Google Vizier: A Service for Black-Box Optimization", KDD 2017, §3.2.2).
///
/// The paper stops a trial at step s if its best objective value by then is strictly worse than the median
/// of the running averages, up to step s, of all completed trials. So entry e, for epoch e from 0, is the
/// median over `histories` of the mean validation accuracy of the epochs 0 to e; of an even number of
/// histories, the mean of the middle two. Only the histories that reach an epoch count for it, and the floor
/// ends before the first epoch that fewer than `min_trials` reach.
///
/// The order of the histories does not matter.
pub fn floor(histories: &[&[Epoch]], min_trials: usize) -> Vec<f64> {
    let averages: Vec<Vec<f64>> = histories.iter().map(|h| running_averages(h)).collect();
    let reached = |epoch: usize| -> Vec<f64> {
        let there = averages.iter().filter_map(|a| a.get(epoch).copied());
        there.collect()
    };
    (0..)
        .map(reached)
        .take_while(|values| values.len() >= min_trials.max(1))
        .map(median)
        .collect()
}

/// The mean validation accuracy of the epochs up to each.
fn running_averages(history: &[Epoch]) -> Vec<f64> {
    let sums = history.iter().scan(0.0, |sum, epoch| {
        *sum += epoch.validation_accuracy;
        Some(*sum)
    });
    sums.zip(1_u32..)
        .map(|(sum, epochs)| sum / f64::from(epochs))
        .collect()
}

/// The median of at least one value.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let half = values.len() / 2;
    match values.len() % 2 {
        0 => (values[half - 1] + values[half]) / 2.0,
        _ => values[half],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(accuracies: &[f64]) -> Vec<Epoch> {
        let epoch = |(index, accuracy): (usize, &f64)| Epoch {
            epoch: index + 1,
            loss: 1.0,
            accuracy: 0.9,
            validation_loss: 1.0,
            validation_accuracy: *accuracy,
            learning_rate: 0.1,
            seconds: 1.0,
        };
        accuracies.iter().enumerate().map(epoch).collect()
    }

    fn of(histories: &[Vec<Epoch>], min_trials: usize) -> Vec<f64> {
        let histories: Vec<&[Epoch]> = histories.iter().map(Vec::as_slice).collect();
        floor(&histories, min_trials)
    }

    #[test]
    fn each_epoch_has_the_median_of_the_running_averages() {
        let mut histories = vec![
            history(&[0.25, 0.75, 0.5]),  // averages 0.25, 0.5, 0.5
            history(&[0.5, 0.5, 0.5]),    // 0.5, 0.5, 0.5
            history(&[0.125, 0.125]),     // 0.125, 0.125
            history(&[1.0, 0.5, 0.0625]), // 1, 0.75, 0.5208…
            history(&[0.75]),             // 0.75
        ];
        // Of five the third; of four the mean of the middle two; of three the second.
        assert_eq!(of(&histories, 3), [0.5, 0.5, 0.5]);
        assert_eq!(of(&histories, 4), [0.5, 0.5]);
        assert_eq!(of(&histories, MIN_TRIALS), [0.5]);
        assert_eq!(of(&histories[..2], 1), [0.375, 0.5, 0.5]);
        histories.reverse();
        assert_eq!(of(&histories, 3), [0.5, 0.5, 0.5]);
    }

    #[test]
    fn few_trials_give_no_floor() {
        let four = vec![history(&[0.5, 0.5]); 4];
        assert_eq!(of(&four, MIN_TRIALS), [] as [f64; 0]);
        assert_eq!(of(&[], 0), [] as [f64; 0]);
        // A failed child may have no epoch at all.
        let none = [history(&[]), history(&[0.5])];
        assert_eq!(of(&none, 1), [0.5]);
    }
}
