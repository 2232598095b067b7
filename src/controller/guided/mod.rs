//! Mode "guided": a surrogate of the objective is fitted to all trials, and the policy learns by
//! REINFORCE from imagined rollouts, whose reward is what the surrogate promises of them. The next
//! trial is the most promising that the policy samples, or that is near one. Knows nothing of what the
//! objective is.
//!
//! The idea of learning a policy on a model's answers is that of DynaPPO (Angermueller et al. 2020).

mod config;
mod search;

pub use config::GuidedConfig;

use std::collections::BTreeSet;
use std::sync::Arc;

use rand::RngExt;
use serde::{Deserialize, Serialize};

use super::gradient::Gradient;
use super::policy::Path;
use super::reinforce::Batch;
use super::surrogate::{Memory, Surrogate};
use super::{Controller, ControllerConfig, Mode, Update, reinforce};
use crate::error::{Error, Result};
use crate::seed::Seed;
use crate::space::{Actions, StateSpace};
use search::Search;

/// The most proposals that are remembered while their objective is awaited.
const PENDING: usize = 1000;

/// What a guided controller knows beside its policy.
#[derive(Clone)]
pub(super) struct Guided {
    surrogate: Surrogate,
    /// What was tried, and its objective.
    trials: Vec<Trial>,
    /// What was proposed and has no objective yet.
    pending: Vec<Vec<usize>>,
    /// Whether the surrogate is fitted to the trials, and believes in the pending.
    fitted: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Trial {
    indices: Vec<usize>,
    objective: f64,
}

/// What a snapshot keeps of [`Guided`].
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Kept {
    trials: Vec<Trial>,
    pending: Vec<Vec<usize>>,
    fitted: bool,
    memory: Memory,
}

impl Guided {
    /// What a controller needs, in mode guided.
    pub fn new(
        space: &Arc<StateSpace>,
        layers: usize,
        config: &ControllerConfig,
        seed: Seed,
    ) -> Result<Option<Self>> {
        if config.mode != Mode::Guided {
            return Ok(None);
        }
        let kind = config.guided.surrogate;
        Ok(Some(Self {
            surrogate: Surrogate::new(space.clone(), layers, kind, seed)?,
            trials: Vec::new(),
            pending: Vec::new(),
            fitted: false,
        }))
    }

    /// Keeps the objective of an architecture, whoever proposed it.
    pub fn store(&mut self, indices: &[usize], objective: f64) {
        self.pending.retain(|p| p != indices);
        self.trials.push(Trial {
            indices: indices.to_vec(),
            objective,
        });
        self.fitted = false;
    }

    /// Everything but the policy.
    pub fn kept(&self) -> Kept {
        Kept {
            trials: self.trials.clone(),
            pending: self.pending.clone(),
            fitted: self.fitted,
            memory: self.surrogate.memory(),
        }
    }

    /// Goes on from what [`kept`](Self::kept) gave, of decisions with `sizes` values.
    pub fn restore(&mut self, kept: Kept, sizes: &[usize]) -> Result<(), String> {
        let holds = |indices: &Vec<usize>| {
            indices.len() == sizes.len() && indices.iter().zip(sizes).all(|(i, size)| i < size)
        };
        let trials = kept.trials.iter();
        let finite = trials.clone().all(|t| t.objective.is_finite());
        let mut all = trials.map(|t| &t.indices).chain(&kept.pending);
        if !finite || !all.all(holds) {
            return Err("a stored trial is not of its space".into());
        }
        if !self.surrogate.remember(&kept.memory) {
            return Err("its surrogate is of another kind".into());
        }
        (self.trials, self.pending) = (kept.trials, kept.pending);
        if kept.fitted && !self.trials.is_empty() {
            let (x, objectives) = self.observations();
            self.surrogate.refit(x, &objectives);
            self.surrogate.believe(&self.pending);
        }
        self.fitted = kept.fitted;
        Ok(())
    }

    fn observations(&self) -> (Vec<Vec<usize>>, Vec<f64>) {
        let pairs = self.trials.iter();
        pairs.map(|t| (t.indices.clone(), t.objective)).unzip()
    }

    /// Fits the surrogate to all trials, if it is not.
    fn fit(&mut self) {
        if !self.fitted {
            let (x, objectives) = self.observations();
            self.surrogate.fit_indices(x, &objectives);
            self.surrogate.believe(&self.pending);
            self.fitted = true;
        }
    }

    /// What was tried or is being tried.
    fn asked(&self) -> BTreeSet<Vec<usize>> {
        let trials = self.trials.iter().map(|t| &t.indices);
        trials.chain(&self.pending).cloned().collect()
    }

    /// The best that were tried, at most `most`.
    fn best(&self, most: usize) -> Vec<Vec<usize>> {
        let mut order: Vec<&Trial> = self.trials.iter().collect();
        order.sort_by(|a, b| b.objective.total_cmp(&a.objective));
        let best = order.into_iter().map(|t| t.indices.clone());
        best.take(most).collect()
    }

    fn propose(&mut self, indices: &[usize]) {
        if self.pending.len() == PENDING {
            self.pending.remove(0);
        }
        if !self.pending.iter().any(|p| p == indices) {
            self.pending.push(indices.to_vec());
        }
        if self.fitted {
            self.surrogate.believe(&self.pending);
        }
    }
}

impl Controller {
    /// The next architecture to try: first some that are as different as possible, then the most
    /// promising ones.
    pub(super) fn guided_action(&mut self) -> Result<Actions> {
        let own = self.config.guided.clone();
        let samples = self.imagine(own.candidates)?;
        let guided = guided(&mut self.guided)?;
        let asked = guided.asked();
        let sizes = &self.policy.sequence.sizes;
        let indices = if asked.len() < own.initial || guided.trials.is_empty() {
            search::most_different(&samples, &asked)
        } else {
            guided.fit();
            let mut search = Search::new(&guided.surrogate, &asked, sizes);
            search.consider(samples);
            search.climb(guided.best(search::STARTS));
            search.best()
        };
        let indices = match indices {
            Some(indices) => indices,
            // Everything near was tried: any other, or at last one again.
            None => search::another(sizes, &asked, &mut self.rng),
        };
        guided.propose(&indices);
        let along = |d: usize, _: &[f64]| indices[d];
        let path = self
            .policy
            .walk(&self.weights, &reinforce::start(1), along)?;
        let (space, layers) = (self.space.clone(), self.layers);
        Ok(Actions::from_policy(
            space,
            layers,
            path.indices,
            path.probabilities,
        ))
    }

    /// Fits the surrogate to all trials and lets the policy learn from imagined rollouts; `None` while
    /// the first architectures are tried.
    pub(super) fn guided_step(&mut self) -> Result<Option<Update>> {
        let own = self.config.guided.clone();
        let guided = guided(&mut self.guided)?;
        let Some(last) = guided.trials.last() else {
            let expected = "a rollout stored by store_rollout";
            return Err(Error::invalid("train_step", expected, "none"));
        };
        let objective = last.objective;
        if guided.trials.len() < own.initial {
            return Ok(None);
        }
        guided.fit();
        let asked = guided.asked();
        self.whole(|controller| {
            let mut last = None;
            for _ in 0..own.imagined_updates {
                last = Some(controller.imagined_step(&asked, own.imagined_batch)?);
            }
            Ok(last.map(|gradient| controller.report(&gradient, objective)))
        })
    }

    /// One update of the policy from `count` imagined rollouts, whose advantage is the rank of what is
    /// promised of them.
    fn imagined_step(&mut self, asked: &BTreeSet<Vec<usize>>, count: usize) -> Result<Gradient> {
        let samples = self.imagine(count)?;
        let guided = guided(&mut self.guided)?;
        let mut search = Search::new(&guided.surrogate, asked, &self.policy.sequence.sizes);
        let advantages = search::advantages(&search.promises(&samples));
        let config = ControllerConfig {
            entropy_weight: self.config.guided.imagined_entropy,
            entropy_final: None,
            ..self.config.clone()
        };
        let batch = Batch::imagined(samples, &advantages);
        let weights = self.weights.tracked();
        let objective = reinforce::objective(&self.policy, &weights, &config, self.step, &batch)?;
        let mut gradient = objective.differentiate(&weights)?;
        self.descend(&mut gradient, 1.0)?;
        Ok(gradient)
    }

    /// Architectures sampled from the policy.
    pub(super) fn imagine(&mut self, count: usize) -> Result<Vec<Vec<usize>>> {
        let rng = &mut self.rng;
        let sample = |_, _, p: &[f64]| reinforce::sample(p, rng.random());
        let start = reinforce::start(count);
        let paths: Vec<Path> = self.policy.walk_all(&self.weights, &start, sample)?;
        Ok(paths.into_iter().map(|path| path.indices).collect())
    }
}

#[cfg(test)]
impl Controller {
    /// The rank, from −1 to 1, of what the surrogate promises of each of `samples`.
    pub(super) fn promised_ranks(&self, samples: &[Vec<usize>]) -> Vec<f64> {
        let surrogate = self.guided.as_ref().map(|guided| &guided.surrogate);
        let promises = surrogate.map(|surrogate| surrogate.promise(samples));
        search::advantages(&promises.unwrap_or_default())
    }
}

/// What a controller in mode guided has.
fn guided(guided: &mut Option<Guided>) -> Result<&mut Guided> {
    guided
        .as_mut()
        .ok_or_else(|| Error::invalid("controller", "mode \"guided\"", "another"))
}
