//! Trials as people read them: one with its history, several as a table.

use crate::report::plot::{Signs, sparkline};
use crate::report::table::{Table, cut};
use crate::report::words::grouped;
use crate::study::Trial;

/// How many of a list are shown: the first, and the last.
const FIRST: usize = 10;
const LAST: usize = 10;
/// The width of a history in a table, and of one by itself.
const NARROW: usize = 12;
const WIDE: usize = 40;

fn four(value: Option<f64>) -> String {
    value.map_or("-".into(), |value| format!("{value:.4}"))
}

/// A trial, a few lines.
pub(in crate::repl) fn one(trial: &Trial, signs: Signs) -> String {
    let outcome = &trial.outcome;
    let mut lines = vec![format!("trial {}: {}", trial.number, trial.architecture())];
    if let Some(failure) = &outcome.failure {
        lines.push(format!("  failed: {failure}"));
    } else {
        let mut worth = format!(
            "  accuracy {}  loss {}",
            four(outcome.accuracy),
            four(outcome.loss)
        );
        if let Some([low, high]) = outcome.interval {
            worth += &format!("  95 % within {low:.4} to {high:.4}");
        }
        lines.push(format!("{worth}  reward {:.4}", trial.reward));
    }
    let known = if trial.cached { ", known already" } else { "" };
    lines.push(format!(
        "  {} parameters  {} MACs  {:.1} s{known}",
        grouped(outcome.params),
        grouped(outcome.macs),
        outcome.seconds
    ));
    let history = |name: &str, of: fn(&crate::evaluation::Epoch) -> f64| {
        let values: Vec<f64> = outcome.history.iter().map(of).collect();
        let (first, last) = (values.first()?, values.last()?);
        let line = sparkline(&values, WIDE, signs);
        Some(format!("  {name:<20} {line}  {first:.4} to {last:.4}"))
    };
    lines.extend(history("validation accuracy", |epoch| {
        epoch.validation_accuracy
    }));
    lines.extend(history("validation loss", |epoch| epoch.validation_loss));
    let epochs = outcome.history.len();
    if let Some(best) = outcome.best_epoch.filter(|_| epochs > 1) {
        let stopped = outcome
            .stopped
            .map(|stopped| format!(", stopped early ({stopped})"));
        lines.push(format!(
            "  best epoch {best} of {epochs}{}",
            stopped.unwrap_or_default()
        ));
    }
    lines.join("\n")
}

/// Trials as a table; of many the first and the last.
pub(in crate::repl) fn table<T: AsRef<Trial>>(trials: &[T], signs: Signs) -> String {
    let mut table = Table::new([
        "#trial",
        "architecture",
        "#accuracy",
        "#reward",
        "#parameters",
        "#seconds",
        "history",
    ]);
    let all = trials.len();
    let hidden = FIRST..all.saturating_sub(LAST).max(FIRST);
    for (index, trial) in trials.iter().enumerate() {
        if index == hidden.start && hidden.len() > 1 {
            let mut row = [const { String::new() }; 7];
            row[1] = format!("… {} more", hidden.len());
            table.row(row);
        }
        if hidden.contains(&index) && hidden.len() > 1 {
            continue;
        }
        table.row(row(trial.as_ref(), signs));
    }
    table.to_string().trim_end().into()
}

fn row(trial: &Trial, signs: Signs) -> [String; 7] {
    let outcome = &trial.outcome;
    let history = outcome
        .history
        .iter()
        .map(|epoch| epoch.validation_accuracy);
    let history: Vec<f64> = history.collect();
    let accuracy = match &outcome.failure {
        Some(failure) => failure.kind.to_string(),
        None => four(outcome.accuracy),
    };
    [
        trial.number.to_string(),
        cut(&trial.architecture(), 44),
        accuracy,
        format!("{:.4}", trial.reward),
        grouped(outcome.params),
        format!("{:.1}", outcome.seconds),
        sparkline(&history, NARROW, signs),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluation::{Epoch, Failure, FailureKind};

    fn trial(number: usize, accuracies: &[f64]) -> Trial {
        let mut trial = Trial {
            number,
            reward: 0.5,
            ..Trial::default()
        };
        let epoch = |(index, accuracy): (usize, &f64)| Epoch {
            epoch: index + 1,
            loss: 1.0,
            accuracy: *accuracy,
            validation_loss: 1.0,
            validation_accuracy: *accuracy,
            learning_rate: 0.1,
            seconds: 0.1,
        };
        trial.outcome.history = accuracies.iter().enumerate().map(epoch).collect();
        trial.outcome.accuracy = accuracies.last().copied();
        trial.outcome.params = 12_345;
        trial
    }

    #[test]
    fn one_has_its_history() {
        let shown = one(&trial(3, &[0.1, 0.9]), Signs::Unicode);
        assert!(shown.contains("accuracy 0.9000"), "{shown}");
        assert!(shown.contains("12,345 parameters"), "{shown}");
        assert!(shown.contains("▁█  0.1000 to 0.9000"), "{shown}");
        let mut failed = trial(4, &[]);
        failed.outcome.failure = Some(Failure::new(FailureKind::Nan, "the loss is NaN"));
        let shown = one(&failed, Signs::Unicode);
        assert!(shown.contains("failed: nan: the loss is NaN"), "{shown}");
    }

    #[test]
    fn many_are_shortened() {
        let trials: Vec<_> = (1..=30)
            .map(|n| std::sync::Arc::new(trial(n, &[0.5])))
            .collect();
        let shown = table(&trials, Signs::Ascii);
        assert_eq!(shown.lines().count(), 1 + FIRST + 1 + LAST, "{shown}");
        assert!(shown.contains("… 10 more"), "{shown}");
        assert!(!shown.contains("\n     15 "), "{shown}");
        let few = table(&trials[..3], Signs::Ascii);
        assert_eq!(few.lines().count(), 4);
    }
}
