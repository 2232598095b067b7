//! What a search came to so far, in a few words. Counts as trials come, so that a long study costs no more than a short one.

use std::collections::VecDeque;

use crate::evaluation::FailureKind;
use crate::study::{Learned, Trial};

/// How many of the last trials the moving average holds.
const WINDOW: usize = 10;

/// Counts of a study that grows.
#[derive(Default)]
pub(super) struct Facts {
    best: Option<(usize, f64)>,
    last: Option<Result<f64, Option<FailureKind>>>,
    recent: VecDeque<Option<f64>>,
    rewards: VecDeque<f64>,
    known: usize,
    failures: Vec<(FailureKind, usize)>,
    entropy: Option<f64>,
    loss: Option<f64>,
}

impl Facts {
    pub fn trial(&mut self, trial: &Trial) {
        let failure = trial.outcome.failure.as_ref().map(|failure| failure.kind);
        self.last = Some(trial.score.ok_or(failure));
        if let Some(score) = trial.score
            && self.best.is_none_or(|(_, best)| score > best)
        {
            self.best = Some((trial.number, score));
        }
        push(&mut self.recent, trial.score);
        push(&mut self.rewards, trial.reward);
        self.known += usize::from(trial.cached);
        if let Some(kind) = failure {
            match self.failures.iter_mut().find(|(known, _)| *known == kind) {
                Some((_, count)) => *count += 1,
                None => self.failures.push((kind, 1)),
            }
        }
    }

    pub fn learned(&mut self, learned: &Learned) {
        let named = |name: &str| {
            learned
                .scalars
                .iter()
                .find(|(key, _)| key == name)
                .map(|(_, value)| *value)
        };
        self.entropy = named("controller/entropy").or(self.entropy);
        self.loss = named("total_loss").or(self.loss);
    }

    /// "best 0.9333  last 0.9100  mean of 10 0.9050".
    pub fn scores(&self) -> String {
        let mut parts = Vec::new();
        if let Some((_, best)) = self.best {
            parts.push(format!("best {best:.4}"));
        }
        match self.last {
            Some(Ok(score)) => parts.push(format!("last {score:.4}")),
            Some(Err(Some(kind))) => parts.push(format!("last failed ({kind})")),
            Some(Err(None)) => parts.push("last failed".into()),
            None => {}
        }
        let known: Vec<f64> = self.recent.iter().flatten().copied().collect();
        if let Some(mean) = mean(known.iter().copied()) {
            parts.push(format!("mean of {} {mean:.4}", known.len()));
        }
        parts.join("  ")
    }

    /// "trial 13 is best  reward, mean of 10: 0.0123  entropy 2.56 nats  loss 0.41  3 known  2 failed: 1 oom, 1 timeout".
    pub fn more(&self) -> String {
        let mut parts = Vec::new();
        if let Some((number, _)) = self.best {
            parts.push(format!("trial {number} is best"));
        }
        if let Some(mean) = mean(self.rewards.iter().copied()) {
            parts.push(format!("reward, mean of {}: {mean:.4}", self.rewards.len()));
        }
        parts.extend(
            self.entropy
                .map(|entropy| format!("entropy {entropy:.2} nats")),
        );
        parts.extend(self.loss.map(|loss| format!("loss {loss:.4}")));
        if self.known > 0 {
            parts.push(format!("{} known before", self.known));
        }
        parts.extend(self.failed());
        parts.join("  ")
    }

    /// "2 failed: 1 oom, 1 timeout".
    pub fn failed(&self) -> Option<String> {
        let all: usize = self.failures.iter().map(|(_, count)| count).sum();
        let kinds = self
            .failures
            .iter()
            .map(|(kind, count)| format!("{count} {kind}"));
        (all > 0).then(|| format!("{all} failed: {}", kinds.collect::<Vec<_>>().join(", ")))
    }
}

fn push<T>(window: &mut VecDeque<T>, value: T) {
    if window.len() == WINDOW {
        window.pop_front();
    }
    window.push_back(value);
}

fn mean(values: impl Iterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.fold((0.0, 0), |(sum, count), value| (sum + value, count + 1));
    (count > 0).then(|| sum / f64::from(count))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluation::{Failure, Outcome};

    #[test]
    fn a_search_is_told_in_two_lines() {
        let mut facts = Facts::default();
        assert_eq!(
            (facts.scores(), facts.more()),
            (String::new(), String::new())
        );
        for number in 1..=12 {
            let failed = number % 6 == 0;
            facts.trial(&Trial {
                number,
                reward: 0.5,
                score: (!failed).then_some(number as f64 / 100.0),
                cached: number == 2,
                outcome: Outcome {
                    failure: failed.then(|| Failure::new(FailureKind::Oom, "too large")),
                    ..Outcome::default()
                },
                ..Trial::default()
            });
        }
        // Of the last ten, numbers 6 and 12 failed.
        assert_eq!(
            facts.scores(),
            "best 0.1100  last failed (oom)  mean of 8 0.0712"
        );
        let scalars = vec![
            ("controller/entropy".into(), 2.5),
            ("total_loss".into(), -0.25),
        ];
        facts.learned(&Learned {
            controller: 0,
            step: 1,
            trials: 12,
            scalars,
            policy: None,
        });
        assert_eq!(
            facts.more(),
            "trial 11 is best  reward, mean of 10: 0.5000  entropy 2.50 nats  loss -0.2500  1 known before  2 failed: 2 oom"
        );
    }
}
