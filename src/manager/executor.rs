//! Where an evaluation runs: the seam between answering and training.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use burn::tensor::Device;

use crate::child::{self, Control, Score, Trained, Weights};
use crate::data::Dataset;
use crate::error::Result;
use crate::evaluation::{Epoch, Evaluation};
use crate::network::Network;

/// Runs evaluations: in this process, or elsewhere.
pub trait Executor: Send + Sync {
    /// Trains what `evaluation` asks for on `data`, for at most `timeout`.
    ///
    /// # Errors
    /// [`Error::Interrupted`](crate::Error::Interrupted); failures of the child are in the outcome.
    fn execute(
        &self,
        evaluation: &Evaluation,
        data: &Dataset,
        timeout: Option<Duration>,
    ) -> Result<Trained>;

    /// Scores `network` with `weights` on the test split of `data`.
    ///
    /// # Errors
    /// Where the weights do not fit the network.
    fn test(&self, network: &Network, weights: &Weights, data: &Dataset) -> Result<Score>;
}

/// What is told of every finished epoch, with the number of epochs asked for.
pub type OnEpoch = Arc<dyn Fn(&Epoch, usize) + Send + Sync>;

/// Trains in this process.
pub struct InProcess {
    /// The device that children are trained on.
    pub device: Device,
    /// Set when the user wants to stop.
    pub interrupted: Arc<AtomicBool>,
    /// What follows the training.
    pub on_epoch: OnEpoch,
}

impl Executor for InProcess {
    fn execute(
        &self,
        evaluation: &Evaluation,
        data: &Dataset,
        timeout: Option<Duration>,
    ) -> Result<Trained> {
        let epochs = evaluation.training.epochs;
        let control = Control {
            deadline: timeout,
            cancelled: &self.interrupted,
            on_epoch: &|epoch| (self.on_epoch)(epoch, epochs),
        };
        child::train(evaluation, data, &self.device, &control)
    }

    fn test(&self, network: &Network, weights: &Weights, data: &Dataset) -> Result<Score> {
        child::score(network, weights, data.test(), &self.device)
    }
}
