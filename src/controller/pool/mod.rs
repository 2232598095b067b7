//! Several controllers that search together (arXiv 1611.01578, §3.2), so that a search does not
//! settle on the one architecture that one of them happens to like. Knows nothing of how a controller
//! samples or what an update is; of threads neither: the order of calls is the order of everything.

mod config;
mod ledger;
mod snapshot;

pub use config::{Exchange, PoolConfig};
pub(super) use snapshot::first_replica;

use std::path::Path;
use std::sync::Arc;

use burn::tensor::Device;

use self::ledger::{Ledger, RECENT};
use super::entropy::divergence;
use super::policy::argmax;
use super::{Controller, ControllerConfig, Mode, Update};
use crate::error::{Error, Result};
use crate::seed::Seed;
use crate::space::{Actions, StateSpace};

/// The most replicas; a guard against slips.
const REPLICAS: usize = 1000;

/// Replicas of a controller that sample mini-batches of their own, in turn, each with its own random
/// stream and baseline.
pub struct ControllerPool {
    config: PoolConfig,
    pub(super) replicas: Vec<Controller>,
    /// Who has the parameters of [`Exchange::Gradients`]. The number of its updates is their
    /// version, that of a replica's the version it has fetched.
    pub(super) server: Option<Controller>,
    ledger: Ledger,
}

/// What one update of a pool did.
#[derive(Clone, Debug, PartialEq)]
pub struct PoolUpdate {
    /// The replica whose mini-batch it learnt from, counted from 0.
    pub replica: usize,
    /// The number of updates of the server from when the replica fetched its parameters until its
    /// gradient arrived; 0 where parameters are not shared.
    pub staleness: u64,
    /// What the update did; its step is that of the pool.
    pub update: Update,
}

impl ControllerPool {
    /// Creates `replicas` controllers as [`Controller::new`] does, the first with `seed` itself, and
    /// restores the pool from `config.restore_controller` where that names a file of one.
    ///
    /// # Errors
    /// As [`Controller::new`]; [`Error::Invalid`] for mode original; as [`load`](Self::load) for a
    /// file to restore.
    pub fn new(
        replicas: usize,
        space: &Arc<StateSpace>,
        layers: usize,
        mut config: ControllerConfig,
        pool: PoolConfig,
        device: &Device,
        seed: Seed,
    ) -> Result<Self> {
        pool.validate()?;
        if !(1..=REPLICAS).contains(&replicas) {
            let expected = format!("1 to {REPLICAS}");
            return Err(Error::invalid("number of replicas", expected, replicas));
        }
        if config.mode != Mode::Reinforce {
            let expected = "\"reinforce\" (replicas exchange gradients of mini-batches of their own \
                            samples, which the other modes' updates do not know)";
            let found = format!("\"{}\"", config.mode.name());
            return Err(Error::invalid("option 'mode'", expected, found));
        }
        let saved = config.restore_controller.take();
        let made = |number: usize| {
            let seed = match number {
                0 => seed,
                _ => seed.derive(&format!("replica/{number}")),
            };
            Controller::new(space.clone(), layers, config.clone(), device, seed)
        };
        let mut made = (0..replicas).map(made).collect::<Result<Vec<_>>>()?;
        let first = made[0].clone();
        if matches!(pool.exchange, Exchange::Gradients | Exchange::Average) {
            made.iter_mut().for_each(|replica| replica.fetch(&first));
        }
        let mut pool = Self {
            server: (pool.exchange == Exchange::Gradients).then_some(first),
            ledger: Ledger::new(replicas),
            config: pool,
            replicas: made,
        };
        if let Some(path) = saved {
            pool.load(Path::new(&path))?;
        }
        Ok(pool)
    }

    /// Decides the next architecture, by the next replica in turn; `state` is only checked. A replica
    /// that has sampled nothing since its last update starts a mini-batch: with the parameters that the
    /// server has now, if there is one.
    ///
    /// # Errors
    /// As [`Controller::get_action`].
    pub fn get_action(&mut self, state: Option<&Actions>) -> Result<Actions> {
        let number = self.ledger.turn;
        let replica = &mut self.replicas[number];
        if let Some(server) = &self.server
            && !self.ledger.begun[number]
        {
            replica.fetch(server);
        }
        let actions = replica.get_action(state)?;
        // What one has seen is news to none.
        for replica in &mut self.replicas {
            replica.saw(actions.indices());
        }
        self.ledger.turn = (number + 1) % self.replicas.len();
        self.ledger.sampled(number, actions.indices());
        Ok(actions)
    }

    /// Keeps the `reward` of `actions` for the mini-batch of the replica that sampled them: the
    /// earliest that did, and has no reward for them yet.
    ///
    /// # Errors
    /// [`Error::Invalid`] where there is none (of the last 10,000 that await a reward); as
    /// [`Controller::store_rollout`].
    pub fn store_rollout(&mut self, actions: &Actions, reward: f64) -> Result<()> {
        let Some((place, number)) = self.ledger.waits_for(actions.indices()) else {
            let expected = "actions that a replica sampled, once for each time that it did";
            return Err(Error::invalid("store_rollout", expected, actions.summary()));
        };
        self.replicas[number].store_rollout(actions, reward)?;
        self.ledger.rewarded(place, number, reward);
        Ok(())
    }

    /// Updates from every mini-batch that is full, in the order of the replicas; none may be.
    ///
    /// # Errors
    /// [`Error::Invalid`] where no rollout was stored, or where loss or gradient are not finite: the
    /// mini-batch is then used up, and nothing learnt from it.
    pub fn train_step(&mut self) -> Result<Vec<PoolUpdate>> {
        if self.replicas.iter().all(|r| r.rollouts.is_empty()) {
            let expected = "a rollout stored by store_rollout";
            return Err(Error::invalid("train_step", expected, "none"));
        }
        let full: Vec<_> = self.replicas.iter().map(Controller::is_full).collect();
        let full = (0..full.len()).filter(|number| full[*number]);
        full.map(|number| self.update(number)).collect()
    }

    fn update(&mut self, number: usize) -> Result<PoolUpdate> {
        self.ledger.begun[number] = false;
        let replica = &mut self.replicas[number];
        let (staleness, mut update) = match &mut self.server {
            None => (0, replica.reinforce_step()?),
            Some(server) => {
                let staleness = server.step.saturating_sub(replica.step);
                let update = server.learn(replica.lesson()?)?;
                replica.baseline = update.baseline;
                replica.fetch(server);
                (staleness, update)
            }
        };
        self.ledger.count(staleness);
        update.step = self.ledger.step;
        if self.ledger.step.is_multiple_of(self.config.every) {
            self.exchange();
        }
        Ok(PoolUpdate {
            replica: number,
            staleness,
            update,
        })
    }

    fn exchange(&mut self) {
        match self.config.exchange {
            Exchange::Average => {
                let all = self.replicas.iter().map(|replica| &replica.weights);
                let mean = self.replicas[0].weights.mean(all.skip(1));
                for replica in &mut self.replicas {
                    replica.weights = mean.clone();
                }
            }
            Exchange::Select => {
                if let Some((worst, best)) = self.ledger.extremes() {
                    let best = self.replicas[best].clone();
                    self.replicas[worst].adopt(best);
                }
                self.ledger.earned.fill((0, 0.0));
            }
            Exchange::Gradients | Exchange::None => {}
        }
    }

    /// The mean [entropy](Controller::entropy) of the replicas' policies, in nats.
    ///
    /// # Errors
    /// As [`Controller::entropy`].
    pub fn entropy(&self) -> Result<f64> {
        let entropies = self.replicas.iter().map(Controller::entropy);
        let total: f64 = entropies.sum::<Result<_>>()?;
        Ok(total / self.replicas.len() as f64)
    }

    /// How different the replicas' policies are: the Jensen-Shannon divergence of their distributions
    /// over architectures, from 0 (all are the same) to 1 (none samples what another may), estimated
    /// from 128 architectures of each. Where parameters are shared, replicas differ by their
    /// staleness alone.
    ///
    /// # Errors
    /// As [`Controller::entropy`].
    pub fn diversity(&self) -> Result<f64> {
        divergence(&self.replicas)
    }

    /// The share of distinct architectures among the `last` that were sampled (of fewer, where there
    /// are not so many yet), above 0 to 1; `None` before the first.
    ///
    /// # Errors
    /// [`Error::Invalid`] where `last` is not 1 to 1000.
    pub fn distinct(&self, last: usize) -> Result<Option<f64>> {
        if !(1..=RECENT).contains(&last) {
            let expected = format!("1 to {RECENT}");
            return Err(Error::invalid("distinct", expected, last));
        }
        Ok(self.ledger.distinct(last))
    }

    /// The probability that a replica, drawn uniformly, samples `actions`.
    ///
    /// # Errors
    /// As [`Controller::probability_of`].
    pub fn probability_of(&self, actions: &Actions) -> Result<f64> {
        let all = self.replicas.iter().map(|r| r.probability_of(actions));
        Ok(all.sum::<Result<f64>>()? / self.replicas.len() as f64)
    }

    /// The distribution of each decision, `[decisions][size]`, as [`Controller::probabilities`] has it along the most
    /// probable path: of the shared parameters, if there are any, else the mean of the replicas' along the path of
    /// `replica`.
    ///
    /// # Errors
    /// As [`Controller::probabilities`].
    pub fn probabilities(&self, replica: usize) -> Result<Vec<Vec<f64>>> {
        if let Some(server) = &self.server {
            return server.probabilities(None);
        }
        let own = &self.replicas[replica];
        let path = own.probabilities(None)?;
        let path = path.iter().map(|of| argmax(of)).collect();
        let path = Actions::given(own.space.clone(), own.layers, path);
        let all = self.replicas.iter().map(|of| of.probabilities(Some(&path)));
        let mut all = all.collect::<Result<Vec<_>>>()?.into_iter();
        let mut mean = all.next().unwrap_or_default();
        for other in all {
            let pairs = mean.iter_mut().flatten().zip(other.iter().flatten());
            pairs.for_each(|(sum, p)| *sum += p);
        }
        let count = self.replicas.len() as f64;
        mean.iter_mut().flatten().for_each(|sum| *sum /= count);
        Ok(mean)
    }

    /// How many updates there were of each staleness, from 0 on: see [`PoolUpdate::staleness`].
    pub fn staleness(&self) -> &[u64] {
        &self.ledger.staleness
    }

    /// The mean staleness of all updates; `None` before the first.
    pub fn mean_staleness(&self) -> Option<f64> {
        self.ledger.mean_staleness()
    }

    /// The replicas.
    pub fn replicas(&self) -> &[Controller] {
        &self.replicas
    }

    /// The options besides those of the replicas.
    pub fn config(&self) -> &PoolConfig {
        &self.config
    }

    /// The number of updates so far.
    pub fn step(&self) -> u64 {
        self.ledger.step
    }
}

impl Controller {
    /// Takes the weights of `server`, and the number of updates that they have had.
    fn fetch(&mut self, server: &Self) {
        self.weights = server.weights.clone();
        self.step = server.step;
    }

    /// Goes on from where `other` is, with its own random stream and rollouts.
    fn adopt(&mut self, other: Self) {
        self.weights = other.weights;
        self.optimizer = other.optimizer;
        self.baseline = other.baseline;
    }
}
