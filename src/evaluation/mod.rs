//! What is asked of a child (network, data, settings, seed), with its digest, and what came back.
//! Pure data: knows nothing of how a child is trained or where outcomes are kept.

mod config;
mod kendall;
pub mod median;
mod outcome;
mod repeats;

#[cfg(test)]
mod tests;

pub use crate::network::Digest;
pub use config::{OptimizerKind, Precision, ScheduleKind, TrainingConfig};
pub use kendall::kendall_tau;
pub use outcome::{Epoch, Failure, FailureKind, Outcome, Stopped};

pub use repeats::interval;

use crate::network::{DropPath, DropSchedule, Network, Op};
use crate::seed::Seed;

/// The version of the training arithmetic. It is part of every digest: raise it whenever the same
/// evaluation would come out differently than before.
pub const KERNEL_VERSION: u32 = 2;

/// The data that a child is trained and validated on.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct DataKey {
    /// The data set's name, such as "digits".
    pub name: String,
    /// How it is split, in words, such as "train 45000, validation 5000".
    pub split: String,
    /// The SHA-256 of the content, in hexadecimal.
    pub content: String,
}

/// One question: how well does this network do on this data, trained like this, from this seed?
///
/// The answer is a pure function of it, so it is asked once for each [`digest`](Self::digest).
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Evaluation {
    /// The child.
    pub network: Network,
    /// What it learns.
    pub data: DataKey,
    /// How it learns.
    pub training: TrainingConfig,
    /// Where its initial weights, shuffling, dropout and augmentation come from.
    pub seed: Seed,
}

impl Evaluation {
    /// The key under which the outcome is kept: network, data, training, seed and
    /// [`KERNEL_VERSION`].
    pub fn digest(&self) -> Digest {
        self.digest_with(&self.training)
    }

    /// The key of the child, however long it is trained: [`digest`](Self::digest) without the number
    /// of epochs.
    pub fn child_digest(&self) -> Digest {
        // No evaluation has 0 epochs, so this is no other's digest.
        self.digest_with(&TrainingConfig {
            epochs: 0,
            ..self.training.clone()
        })
    }

    /// The same question, asked from another seed.
    #[must_use]
    pub fn with_seed(&self, seed: Seed) -> Self {
        Self {
            seed,
            ..self.clone()
        }
    }

    /// The whole question as JSON.
    pub fn to_json(&self) -> String {
        // A struct of strings, numbers and lists with string keys always is JSON.
        serde_json::to_string(self).unwrap_or_default()
    }

    fn digest_with(&self, training: &TrainingConfig) -> Digest {
        #[derive(serde::Serialize)]
        struct Key<'a> {
            network: Digest,
            data: &'a DataKey,
            training: &'a TrainingConfig,
            seed: Seed,
            kernel_version: u32,
        }
        Digest::of_json(&Key {
            network: self.network.digest(),
            data: &self.data,
            training,
            seed: self.seed,
            kernel_version: KERNEL_VERSION,
        })
    }

    /// What makes the first epochs depend on how many there will be: the cosine schedule, or a drop
    /// path whose rate rises until the end. `None`: nothing, so that more epochs only add to them.
    pub fn total_epochs_matter(&self) -> Option<&'static str> {
        if self.training.schedule == ScheduleKind::Cosine {
            return Some("cosine schedule");
        }
        let rises = |op: &Op| {
            let Op::DropPath(DropPath { schedule, .. }) = op else {
                return false;
            };
            *schedule == DropSchedule::Linear
        };
        let mut nodes = self.network.nodes().iter();
        nodes
            .any(|node| rises(&node.op))
            .then_some("linear drop path")
    }
}
