//! What the updates of a training change: where it starts, and what it leaves. Knows nothing of how an
//! update is made.

use burn::tensor::Device;

use super::checkpoint::{About, Checkpoint};
use super::forward::Child;
use super::stopping::best_of;
use super::update::Optimizer;
use super::weights::Weights;
use crate::error::Result;
use crate::evaluation::{Epoch, Evaluation};

/// What the updates of a training change.
pub(super) struct State {
    pub child: Child,
    pub optimizer: Optimizer,
    /// The child after the best epoch so far.
    pub best: Option<Child>,
}

impl State {
    /// Where `start` ended; without one, before the first update.
    pub fn new(
        evaluation: &Evaluation,
        start: Option<&Checkpoint>,
        device: &Device,
    ) -> Result<Self> {
        let Evaluation {
            network,
            training: config,
            seed,
            ..
        } = evaluation;
        let plain = device.clone().without_autodiff();
        let device = plain.clone().autodiff();
        let Some(start) = start else {
            return Ok(Self {
                child: Child::build(network, *seed, &device)?,
                optimizer: Optimizer::new(config),
                best: None,
            });
        };
        let child = Child::with_weights(network, &start.last, &device)?;
        let (updates, memories) = (start.about.updates, &start.memories);
        Ok(Self {
            optimizer: Optimizer::restore(config, &child.parameters, updates, memories, &plain)?,
            best: Some(match &start.best {
                Some(best) => Child::with_weights(network, best, &plain)?,
                None => child.valid(),
            }),
            child,
        })
    }

    /// The weights of the best epoch of `history`, and a checkpoint if it is to be kept.
    pub fn ended(
        self,
        evaluation: &Evaluation,
        history: &[Epoch],
        keep: bool,
    ) -> Result<(Weights, Option<Checkpoint>)> {
        let last = self.child.valid();
        let best = self.best.unwrap_or_else(|| last.clone()).weights()?;
        if !keep {
            return Ok((best, None));
        }
        let is_last = best_of(history).is_none_or(|best| best.epoch == history.len());
        let checkpoint = Checkpoint {
            about: About {
                child: evaluation.child_digest(),
                asked: evaluation.training.epochs,
                updates: self.optimizer.updates(),
                history: history.to_vec(),
            },
            last: last.weights()?,
            best: (!is_last).then(|| best.clone()),
            memories: self.optimizer.memories()?,
        };
        Ok((best, Some(checkpoint)))
    }
}
