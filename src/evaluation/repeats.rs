//! One outcome of several seeds: the mean, and how far it is to be trusted.

use statrs::distribution::{ContinuousCDF, StudentsT};

use super::{Outcome, Stopped};

/// How sure the interval of a mean is to hold it.
const CONFIDENCE: f64 = 0.95;

impl Outcome {
    /// What `repeats`, the outcomes of one child from several seeds, come to; one is what it is.
    ///
    /// Accuracy and loss are the means, [`interval`](Self::interval) is of the mean accuracy, and the seconds
    /// are those of all. The history with its best epoch is that of the first, and so is
    /// [`stopped`](Self::stopped), unless one was stopped by the median rule: then this is
    /// [no more final](Self::is_final) than that one.
    ///
    /// Where a repeat failed, this is the first failure, without an accuracy: a mean over the rest would
    /// flatter a child that often fails.
    pub fn of_repeats(repeats: &[Self]) -> Self {
        let failed = repeats.iter().find(|repeat| repeat.failure.is_some());
        let mut outcome = match (failed.or(repeats.first()), repeats) {
            (None, _) => return Self::default(),
            (Some(only), [_]) => return only.clone(),
            (Some(shown), _) => shown.clone(),
        };
        outcome.seconds = repeats.iter().map(|repeat| repeat.seconds).sum();
        if failed.is_some() {
            return outcome;
        }
        let accuracies: Vec<f64> = repeats.iter().filter_map(|r| r.accuracy).collect();
        let losses: Vec<f64> = repeats.iter().filter_map(|r| r.loss).collect();
        outcome.accuracy = mean(&accuracies);
        outcome.loss = mean(&losses);
        outcome.interval = interval(&accuracies);
        outcome.accuracies = accuracies;
        let median = Some(Stopped::Median);
        if repeats.iter().any(|repeat| repeat.stopped == median) {
            outcome.stopped = median;
        }
        outcome
    }
}

fn mean(values: &[f64]) -> Option<f64> {
    let sum: f64 = values.iter().sum();
    (!values.is_empty()).then(|| sum / values.len() as f64)
}

/// The confidence interval of the mean of `values`, at least two, by Student's t (Biometrika 6, 1908): with
/// the sample's deviation s of k values, mean ± t s / √k, where t has k - 1 degrees of freedom. It assumes
/// that accuracies are spread normally, and may reach beyond 0 and 1.
pub fn interval(values: &[f64]) -> Option<[f64; 2]> {
    let mean = mean(values)?;
    let count = values.len() as f64;
    let t = StudentsT::new(0.0, 1.0, count - 1.0).ok()?;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    let error = (squares / (count - 1.0) / count).sqrt();
    let reach = t.inverse_cdf(0.5 + CONFIDENCE / 2.0) * error;
    Some([mean - reach, mean + reach])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluation::{Epoch, Failure, FailureKind};

    fn outcome(accuracy: f64) -> Outcome {
        let epoch = Epoch {
            epoch: 1,
            loss: 1.0,
            accuracy,
            validation_loss: 1.0 - accuracy,
            validation_accuracy: accuracy,
            learning_rate: 0.1,
            seconds: 2.0,
        };
        Outcome {
            accuracy: Some(accuracy),
            loss: Some(1.0 - accuracy),
            best_epoch: Some(1),
            history: vec![epoch],
            seconds: 2.0,
            params: 10,
            macs: 20,
            ..Outcome::default()
        }
    }

    #[track_caller]
    fn near(found: f64, expected: f64) {
        assert!(
            (found - expected).abs() < 1e-9,
            "{found}, expected {expected}"
        );
    }

    #[test]
    fn the_interval_is_students() {
        // The deviation over the root of the count, and the 0.975 quantile of t from its table.
        let cases: [(&[f64], f64, f64); 3] = [
            (&[0.5, 0.7], 0.1, 12.706_204_736_4),
            (&[0.6, 0.8, 0.7], 0.1 / 3_f64.sqrt(), 4.302_652_729_7),
            (
                &[0.9, 0.5, 0.6, 0.8, 0.7],
                0.005_f64.sqrt(),
                2.776_445_105_2,
            ),
        ];
        for (accuracies, error, t) in cases {
            let repeats: Vec<Outcome> = accuracies.iter().map(|a| outcome(*a)).collect();
            let joined = Outcome::of_repeats(&repeats);
            let mean = accuracies.iter().sum::<f64>() / accuracies.len() as f64;
            near(joined.accuracy.unwrap(), mean);
            near(joined.loss.unwrap(), 1.0 - mean);
            let [low, high] = joined.interval.unwrap();
            near(low, mean - t * error);
            near(high, mean + t * error);
            assert_eq!(joined.accuracies, accuracies);
            near(joined.seconds, 2.0 * accuracies.len() as f64);
            assert_eq!(joined.history, repeats[0].history);
            assert_eq!(
                (joined.best_epoch, joined.params, joined.macs),
                (Some(1), 10, 20)
            );
            let json = serde_json::to_string(&joined).unwrap();
            assert_eq!(serde_json::from_str::<Outcome>(&json).unwrap(), joined);
        }
        let equal = Outcome::of_repeats(&[outcome(0.5), outcome(0.5)]);
        assert_eq!(equal.interval, Some([0.5, 0.5]));
    }

    #[test]
    fn one_repeat_is_what_it_is() {
        assert_eq!(Outcome::of_repeats(&[outcome(0.5)]), outcome(0.5));
        let json = serde_json::to_string(&outcome(0.5)).unwrap();
        assert!(
            !json.contains("accuracies") && !json.contains("interval"),
            "{json}"
        );
    }

    #[test]
    fn a_failed_repeat_fails_the_whole() {
        let failed = |message: &str| Outcome {
            failure: Some(Failure::new(FailureKind::Nan, message)),
            accuracy: None,
            loss: None,
            best_epoch: None,
            history: Vec::new(),
            ..outcome(0.5)
        };
        let joined = Outcome::of_repeats(&[outcome(0.9), failed("first"), failed("second")]);
        let expected = Outcome {
            seconds: 6.0,
            ..failed("first")
        };
        assert_eq!(joined, expected);
    }

    #[test]
    fn the_median_rule_in_one_repeat_is_in_the_whole() {
        let stopped = |stopped| Outcome {
            stopped: Some(stopped),
            ..outcome(0.5)
        };
        let patient = Outcome::of_repeats(&[stopped(Stopped::Patience), outcome(0.5)]);
        assert!(patient.is_final());
        assert_eq!(patient.stopped, Some(Stopped::Patience));
        let median = [
            stopped(Stopped::Patience),
            outcome(0.5),
            stopped(Stopped::Median),
        ];
        assert!(!Outcome::of_repeats(&median).is_final());
    }
}
