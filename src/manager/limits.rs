//! What a child may cost before it is trained. Knows networks and settings, not where a child runs.

use crate::error::{Error, Result};
use crate::evaluation::{Evaluation, Failure, FailureKind, OptimizerKind, TrainingConfig};
use crate::network::{TrainingStep, grouped};

use super::ManagerConfig;

/// The training of a child with the settings `config`, as far as memory goes. The number of threads
/// is left at its default, so that the same child is refused on every machine.
fn step(config: &TrainingConfig) -> TrainingStep {
    TrainingStep {
        batch: config.batch_size,
        moments: match config.optimizer {
            OptimizerKind::Adam => 2,
            OptimizerKind::Sgd => usize::from(config.momentum > 0.0),
        },
        ..TrainingStep::default()
    }
}

impl ManagerConfig {
    /// Checks the limits.
    pub(super) fn validate_limits(&self) -> Result<()> {
        let limits = [
            ("max_params", self.max_params),
            ("max_macs", self.max_macs),
            ("max_memory", self.max_memory),
        ];
        match limits.into_iter().find(|(_, most)| *most == Some(0)) {
            Some((name, _)) => {
                let what = format!("option '{name}'");
                Err(Error::invalid(what, "a whole number from 1", 0))
            }
            None => Ok(()),
        }
    }

    /// Why the child of `asked` is not trained: the first limit that it is beyond.
    pub(super) fn exceeded(&self, asked: &Evaluation) -> Option<Failure> {
        let network = &asked.network;
        let beyond = |what: &str, name: &str, most: Option<u64>, found: &dyn Fn() -> u64| {
            let most = most?;
            let found = found();
            (found > most).then(|| {
                let (found, most) = (grouped(found), grouped(most));
                let message = format!("{found} {what}, more than {name} {most}");
                Failure::new(FailureKind::Limit, message)
            })
        };
        beyond("parameters", "max_params", self.max_params, &|| {
            network.params()
        })
        .or_else(|| beyond("MACs", "max_macs", self.max_macs, &|| network.macs()))
        .or_else(|| {
            let what = "bytes of memory in training";
            beyond(what, "max_memory", self.max_memory, &|| {
                network.memory(&step(&asked.training))
            })
        })
    }
}
