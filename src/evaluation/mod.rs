//! What is asked of a child (network, data, settings, seed), with its digest, and what came back.
//! Pure data: knows nothing of how a child is trained or where outcomes are kept.

mod config;
mod outcome;

#[cfg(test)]
mod tests;

pub use crate::network::Digest;
pub use config::{OptimizerKind, Precision, ScheduleKind, TrainingConfig};
pub use outcome::{Epoch, Failure, FailureKind, Outcome};

use crate::network::Network;
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
            training: &self.training,
            seed: self.seed,
            kernel_version: KERNEL_VERSION,
        })
    }
}
