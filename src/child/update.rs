//! The update rule of the settings as a Burn optimizer. Knows nothing of what it updates.

use burn::optim::ModuleOptimizer;
use burn::optim::decay::WeightDecayConfig;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{AdamConfig, SgdConfig};

use crate::evaluation::{OptimizerKind, TrainingConfig};

/// Keras's epsilon; Burn's default is 1e-5.
const ADAM_EPSILON: f32 = 1e-7;

/// The optimizer that `config` asks for.
pub(super) fn optimizer(config: &TrainingConfig) -> ModuleOptimizer {
    let penalty = config.weight_decay as f32;
    let decay = (penalty > 0.0).then(|| WeightDecayConfig::new(penalty));
    match config.optimizer {
        OptimizerKind::Adam => AdamConfig::new()
            .with_epsilon(ADAM_EPSILON)
            .with_weight_decay(decay)
            .init(),
        OptimizerKind::Sgd => {
            // Without dampening, as in Keras and PyTorch; Burn's default dampens by 0.1.
            let momentum = (config.momentum > 0.0).then(|| {
                MomentumConfig::new()
                    .with_momentum(config.momentum)
                    .with_dampening(0.0)
            });
            SgdConfig::new()
                .with_momentum(momentum)
                .with_weight_decay(decay)
                .init()
        }
    }
}
