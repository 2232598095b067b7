//! What controllers learnt, and what was measured at the end: beside the trials, for those who look at a study.
//! Pure data; a search does not depend on it.

use std::collections::BTreeMap;

use crate::network::Digest;

/// One decision of a controller: what it is called, and between what it chooses.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Choice {
    /// Such as `layer_1/kernel`.
    pub name: String,
    /// The values, as people read them.
    pub values: Vec<String>,
}

/// What an update of a controller came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Learned {
    /// Which of the study's controllers, from 0.
    pub controller: u64,
    /// The number of its updates, this one included.
    pub step: u64,
    /// How many trials the study had.
    pub trials: usize,
    /// Named numbers: `total_loss`, `learning_rate`, `controller/entropy` and others.
    pub scalars: Vec<(String, f64)>,
    /// The probability of each value of each [`Choice`] after the update, along the most probable path. `None` where
    /// it was not [pictured].
    pub policy: Option<Vec<Vec<f64>>>,
}

/// Whether the policy is worth keeping after the `step`-th update: after each of the first 32, then at every second, at
/// every fourth from the 65th on, and so forth, so that ten thousand updates have some 160.
pub fn pictured(step: u64) -> bool {
    let stride = (step.max(1).next_power_of_two() / 32).max(1);
    step.is_multiple_of(stride)
}

/// The score of a network on the test images.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Tested {
    /// The network.
    pub network: Digest,
    /// The share of images whose class has the highest logit, 0 to 1.
    pub accuracy: f64,
    /// The mean cross-entropy, in nats.
    pub loss: f64,
    /// The names of the classes.
    pub classes: Vec<String>,
    /// How many images of each class (rows) were taken for each (columns).
    pub confusion: Vec<Vec<u64>>,
}

/// What a store keeps of controllers at once.
#[derive(Clone, Debug, Default)]
pub struct Learning {
    /// The decisions of controllers.
    pub controllers: BTreeMap<u64, Vec<Choice>>,
    /// Updates, in their order.
    pub updates: Vec<Learned>,
    /// The last state of controllers, with the number of updates until then.
    pub states: BTreeMap<u64, (u64, Vec<u8>)>,
}

impl Learning {
    /// Whether there is nothing to keep.
    pub fn is_empty(&self) -> bool {
        self.controllers.is_empty() && self.updates.is_empty() && self.states.is_empty()
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_policy_is_pictured_some_hundred_times() {
        let count = |last| (1..=last).filter(|step| super::pictured(*step)).count();
        assert_eq!((count(32), count(64), count(128)), (32, 48, 64));
        assert!((150..175).contains(&count(10_000)), "{}", count(10_000));
    }
}
