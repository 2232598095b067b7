//! What came back from an evaluation: measurements, or a failure that the search survives.

use std::fmt;

/// The outcome of one evaluation.
///
/// A failed child has a [`failure`](Self::failure) and neither accuracy nor loss; its history holds
/// the epochs before the failure.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Outcome {
    /// The validation accuracy, 0 to 1, with the weights of the best epoch.
    pub accuracy: Option<f64>,
    /// The mean cross-entropy on the validation data with the weights of the best epoch, in nats.
    pub loss: Option<f64>,
    /// The epoch, counted from 1, with the highest validation accuracy; of equals, the one with the
    /// lower validation loss.
    pub best_epoch: Option<usize>,
    /// The finished epochs.
    pub history: Vec<Epoch>,
    /// The time it took, in seconds.
    pub seconds: f64,
    /// The trainable parameters of the network.
    pub params: u64,
    /// The multiply-accumulates of the network for one image.
    pub macs: u64,
    /// Why there is no accuracy.
    pub failure: Option<Failure>,
    /// Why a success has fewer epochs than were asked for; `None`: it has them all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped: Option<Stopped>,
    /// The accuracies from several seeds, in their order, of which [`accuracy`](Self::accuracy) is the mean;
    /// empty where there was one seed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accuracies: Vec<f64>,
    /// Where the mean over all seeds lies with 95 % confidence, from and to, by Student's t; `None` where
    /// there was one seed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<[f64; 2]>,
}

impl Outcome {
    /// Whether this is the answer to its evaluation for good. A failure may be of the moment (a time-out),
    /// and a stop by the [median rule](Stopped::Median) depends on other children: both are asked again.
    pub fn is_final(&self) -> bool {
        self.failure.is_none() && self.stopped != Some(Stopped::Median)
    }
}

/// Why a training ended early. It is a success with the epochs that it had.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Stopped {
    /// It did not get better for as many epochs as its settings allow.
    Patience,
    /// It was worse than other children of the search had been. So its outcome is not a function of its
    /// evaluation alone, and [is no answer](Outcome::is_final) to it later.
    Median,
}

impl fmt::Display for Stopped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Patience => "patience",
            Self::Median => "median",
        })
    }
}

/// One finished epoch.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Epoch {
    /// Which one, counted from 1.
    pub epoch: usize,
    /// The mean training loss over the epoch, measured while the weights changed, in nats.
    pub loss: f64,
    /// The training accuracy, 0 to 1, measured while the weights changed.
    pub accuracy: f64,
    /// The mean cross-entropy on the validation data after the epoch, in nats.
    pub validation_loss: f64,
    /// The accuracy on the validation data after the epoch, 0 to 1.
    pub validation_accuracy: f64,
    /// The learning rate of the epoch's first update.
    pub learning_rate: f64,
    /// The time it took, in seconds.
    pub seconds: f64,
}

/// Why a child has no accuracy.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Failure {
    /// What kind of failure.
    pub kind: FailureKind,
    /// What happened, for people.
    pub message: String,
}

impl Failure {
    /// Describes a failure of `kind`.
    pub fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        let message = message.into();
        Self { kind, message }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.message)
    }
}

/// The kinds of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FailureKind {
    /// A loss or a weight was no longer a finite number.
    Nan,
    /// The evaluation could not be carried out as asked.
    Invalid,
    /// The computation crashed.
    Panic,
    /// It took longer than it may.
    Timeout,
    /// The network costs more than it may; it was not trained.
    Limit,
    /// The memory did not suffice.
    Oom,
    /// The process of the training was killed, or crashed.
    Killed,
    /// The worker was lost, and the attempts are used up.
    Lost,
    /// It was withdrawn by whoever asked.
    Cancelled,
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nan => "nan",
            Self::Invalid => "invalid",
            Self::Panic => "panic",
            Self::Timeout => "timeout",
            Self::Limit => "limit",
            Self::Oom => "oom",
            Self::Killed => "killed",
            Self::Lost => "lost",
            Self::Cancelled => "cancelled",
        })
    }
}
