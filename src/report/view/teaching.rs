//! What a controller learnt, as pictures have it.

use crate::study::{Choice, Learned};

/// What a controller learnt.
#[derive(Clone, Debug, Default)]
pub struct Teaching {
    /// What it decides.
    pub choices: Vec<Choice>,
    /// Its updates in order, without their policies.
    pub updates: Vec<Learned>,
    /// The policy after some updates, with the number of trials then.
    pub policies: Vec<Pictured>,
}

/// A policy at some time.
#[derive(Clone, Debug)]
pub struct Pictured {
    /// The number of updates.
    pub step: u64,
    /// The number of trials then.
    pub trials: usize,
    /// The probability of each value of each decision.
    pub probabilities: Vec<Vec<f32>>,
}

impl Teaching {
    /// The numbers that updates named `name`, each after the number of its update.
    pub fn series(&self, name: &str) -> Vec<(f64, f64)> {
        let named = |learned: &Learned| {
            let (_, value) = learned.scalars.iter().find(|(key, _)| key == name)?;
            Some((learned.step as f64, *value))
        };
        self.updates.iter().filter_map(named).collect()
    }

    /// Adds what an update came to.
    pub(super) fn add(&mut self, mut learned: Learned) {
        if let Some(policy) = learned.policy.take() {
            let narrow = |of: Vec<f64>| of.into_iter().map(|p| p as f32).collect();
            self.policies.push(Pictured {
                step: learned.step,
                trials: learned.trials,
                probabilities: policy.into_iter().map(narrow).collect(),
            });
        }
        self.updates.push(learned);
    }
}
