//! A training of a network, as the allocator sees it.

use std::sync::atomic::AtomicBool;

use burn::tensor::Device;
use nas_script::child::{self, Control, Trained};
use nas_script::data::{DataOptions, Dataset, SyntheticOptions, synthetic};
use nas_script::evaluation::{DataKey, Evaluation, OptimizerKind, TrainingConfig};
use nas_script::network::Network;
use nas_script::seed::Seed;

use crate::allocator;

/// So few that the measurement of the validation data stays far below the training.
const VALIDATION: usize = 4;

/// Two epochs of whole batches. Only from the second epoch on are there weights of a best epoch.
pub struct Training {
    evaluation: Evaluation,
    data: Dataset,
}

impl Training {
    pub fn new(network: &Network, batch: usize, batches: usize, optimizer: OptimizerKind) -> Self {
        let evaluation = Evaluation {
            network: network.clone(),
            data: DataKey {
                name: "synthetic".into(),
                split: String::new(),
                content: String::new(),
            },
            training: TrainingConfig {
                epochs: 2,
                batch_size: batch,
                optimizer,
                ..TrainingConfig::default()
            },
            seed: Seed(1),
        };
        Self {
            evaluation,
            data: images(network, batch * batches),
        }
    }

    pub fn run(&self) -> Trained {
        let control = Control {
            deadline: None,
            cancelled: &AtomicBool::new(false),
            floor: &[],
            on_epoch: &|_| (),
        };
        let trained = child::train(&self.evaluation, &self.data, &Device::flex(), &control);
        let trained = trained.unwrap();
        assert_eq!(trained.outcome.failure, None, "{}", self.evaluation.network);
        trained
    }

    /// The bytes that the training takes at its peak, beyond the data.
    pub fn peak(&self) -> u64 {
        let before = allocator::restart();
        self.run();
        allocator::peak() - before
    }
}

fn images(network: &Network, train: usize) -> Dataset {
    let options = SyntheticOptions {
        classes: network.shape()[0],
        shape: network.input_shape().try_into().unwrap(),
        samples: 2 * (train + VALIDATION),
        ..SyntheticOptions::default()
    };
    let split = DataOptions {
        train: Some(train),
        validation: Some(VALIDATION),
        ..DataOptions::default()
    };
    synthetic(&options, &split).unwrap()
}
