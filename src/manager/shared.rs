//! A manager whose children share their weights: it trains them by single updates, and answers with the accuracy
//! that they have with what is shared. Knows nothing of who samples them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use burn::tensor::Device;
use parking_lot::Mutex;
use rand::seq::SliceRandom;

use super::{ManagerConfig, NetworkManager, Source, Terms, Training};
use crate::child::{Score, SharedWeights, Sharing, check_precision};
use crate::error::{Error, Result};
use crate::evaluation::{Digest, Failure, Outcome};
use crate::network::Network;
use crate::seed::Seed;
use crate::study::Study;

/// What children share, and what they are trained and scored on.
pub struct Shared {
    training: Training,
    seed: Seed,
    weights: Mutex<SharedWeights>,
    interrupted: Arc<AtomicBool>,
    /// How many mini-batches of validation images were used.
    rounds: usize,
    /// The time that updates and scores took.
    spent: Mutex<Duration>,
}

impl Shared {
    /// What children are trained on and by.
    pub fn training(&self) -> &Training {
        &self.training
    }

    /// How many updates were made, of how many to an epoch.
    pub fn updates(&self) -> (usize, usize) {
        let Training { data, config, .. } = &self.training;
        let per_epoch = data.train().len().div_ceil(config.batch_size);
        (self.weights.lock().updates(), per_epoch)
    }

    /// The number of parameters that are there so far.
    pub fn params(&self) -> usize {
        self.weights.lock().params()
    }

    /// The seconds that updates and scores took in this session.
    pub fn seconds(&self) -> f64 {
        self.spent.lock().as_secs_f64()
    }

    /// The key of what is answered for `network` now: it is none of an evaluation.
    pub(super) fn digest(&self, network: &Network) -> Digest {
        let state = self.weights.lock().state();
        Digest::of_json(&("shared score", state, network.digest()))
    }

    /// The outcome of `network` with what is shared, on all validation images.
    ///
    /// # Errors
    /// [`Error::Interrupted`].
    pub(super) fn outcome(&self, network: &Network) -> Result<Outcome> {
        let started = Instant::now();
        let images: Vec<usize> = (0..self.training.data.validation().len()).collect();
        let score = self.score(network, &images)?;
        let mut outcome = Outcome {
            seconds: started.elapsed().as_secs_f64(),
            params: network.params(),
            macs: network.macs(),
            ..Outcome::default()
        };
        match score {
            Ok(score) => {
                outcome.accuracy = Some(score.accuracy);
                outcome.loss = Some(score.loss);
            }
            Err(failure) => outcome.failure = Some(failure),
        }
        Ok(outcome)
    }

    fn score(&self, network: &Network, images: &[usize]) -> Result<Result<Score, Failure>> {
        let data = &self.training.data;
        self.timed(|weights| weights.score(network, data, images, data.validation()))
    }

    /// Does `work`, and counts its time.
    fn timed<T>(&self, work: impl FnOnce(&mut SharedWeights) -> T) -> Result<T> {
        if self.interrupted.load(Ordering::Relaxed) {
            return Err(Error::Interrupted);
        }
        let started = Instant::now();
        let done = work(&mut self.weights.lock());
        *self.spent.lock() += started.elapsed();
        Ok(done)
    }
}

impl NetworkManager {
    /// Creates a manager whose children share their weights. `training` says how they are trained: its epochs are
    /// those of all children together. `interrupted` is set when the user wants to stop.
    ///
    /// # Errors
    /// As [`new`](Self::new); [`Error::Invalid`] for options that make no sense where children are not trained each
    /// by itself.
    pub fn sharing(
        training: Training,
        sharing: Sharing,
        config: ManagerConfig,
        device: &Device,
        interrupted: Arc<AtomicBool>,
        study: Arc<Mutex<Study>>,
    ) -> Result<Self> {
        training.config.validate()?;
        check_precision(training.config.precision, device)?;
        let alone = [
            ("repeats", config.repeats.is_some()),
            ("median_stop", config.median_stop),
            ("checkpoints", config.checkpoints.is_some()),
            ("patience", training.config.patience.is_some()),
        ];
        if let Some((option, _)) = alone.into_iter().find(|(_, given)| *given) {
            let what = format!("option '{option}'");
            let expected = "none with shared_weights, where no child is trained by itself";
            return Err(Error::invalid(what, expected, "one"));
        }
        let seed = study.lock().seed().derive("shared");
        let weights = SharedWeights::new(sharing, training.config.clone(), seed, device);
        let shared = Shared {
            weights: Mutex::new(weights),
            training,
            seed,
            interrupted,
            rounds: 0,
            spent: Mutex::default(),
        };
        Self::on(Source::Shared(Box::new(shared)), config, study)
    }

    /// What children share, if they do.
    pub fn shared(&self) -> Option<&Shared> {
        match &self.source {
            Source::Shared(shared) => Some(shared),
            _ => None,
        }
    }

    /// Trains the shared weights by one update of each of `networks` in turn, each on the next mini-batch. Returns
    /// the loss and the accuracy of each on its mini-batch before the update, or its failure.
    ///
    /// # Errors
    /// [`Error::Invalid`] where weights are not shared; [`Error::Interrupted`].
    pub fn train_shared(&self, networks: &[Arc<Network>]) -> Result<Vec<Result<Score, Failure>>> {
        let shared = self.shared().ok_or_else(not_shared)?;
        let data = &shared.training.data;
        let train = |network: &Arc<Network>| shared.timed(|weights| weights.train(network, data));
        let scores = networks.iter().map(train).collect();
        shared.weights.lock().rest();
        scores
    }

    /// Scores `networks` with the shared weights: all on the same mini-batch of the next `images` validation images,
    /// or on all of them. These are no trials of the study.
    ///
    /// # Errors
    /// [`Error::Invalid`] where weights are not shared; [`Error::Interrupted`].
    pub fn score_shared(
        &mut self,
        networks: &[Arc<Network>],
        images: Option<usize>,
    ) -> Result<Vec<Result<Score, Failure>>> {
        let Source::Shared(shared) = &mut self.source else {
            return Err(not_shared());
        };
        let all = shared.training.data.validation().len();
        let mut indices: Vec<usize> = (0..all).collect();
        if let Some(images) = images.filter(|images| *images < all) {
            let round = shared.rounds;
            shared.rounds += 1;
            // A shuffled order is used up before the next.
            let batches = all / images;
            let name = format!("shared/validation/{}", round / batches);
            indices.shuffle(&mut shared.seed.stream(&name));
            indices = indices[(round % batches) * images..][..images].to_vec();
        }
        let score = |network: &Arc<Network>| shared.score(network, &indices);
        let scores = networks.iter().map(score).collect();
        shared.weights.lock().rest();
        scores
    }
}

/// Checks that nothing is asked of an evaluation that is none.
///
/// # Errors
/// [`Error::Invalid`] for a number of epochs or repeats.
pub(super) fn check_terms(terms: Terms) -> Result<()> {
    match terms == Terms::default() {
        true => Ok(()),
        false => Err(Error::invalid(
            "evaluate",
            "neither 'epochs' nor 'repeats' where weights are shared",
            "one of them",
        )),
    }
}

fn not_shared() -> Error {
    let expected = "a NetworkManager with shared_weights: true";
    Error::invalid(
        "manager",
        expected,
        "one whose networks are trained each by itself",
    )
}
