//! A surrogate: what architectures are believed to earn, learned from the few that were tried. Knows
//! nothing of policies or searches.
//!
//! `encoding` says what the decisions have in common, `transform` brings objectives to one scale,
//! `acquisition` says what a belief promises. The models: `gp` (with `kernel`), `ensemble` and `trees`.

mod acquisition;
mod cholesky;
mod encoding;
mod ensemble;
mod gp;
mod kernel;
mod minimise;
#[cfg(test)]
mod tests;
mod transform;
mod trees;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use self::acquisition::{Answer, log_expected_improvement};
use self::encoding::Encoding;
use self::ensemble::Ensemble;
use self::gp::Gp;
use self::transform::Transform;
use self::trees::Trees;
use crate::error::{Error, Result};
use crate::seed::Seed;
use crate::space::{Actions, StateSpace};

/// Noise below this share of the outputs' variance is what a model fails to explain, not luck.
const MISFIT: f64 = 0.03;

/// Which model a surrogate is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SurrogateKind {
    /// A Gaussian process with a learned kernel: the best with up to about a thousand observations.
    #[default]
    Gp,
    /// A deep ensemble: small networks that start from different weights (arXiv 1612.01474).
    Ensemble,
    /// Bags of boosted trees.
    Trees,
}

/// A normal belief about a number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Belief {
    /// The expected value.
    pub mean: f64,
    /// The standard deviation: how unsure it is, the noise of an observation left out.
    pub deviation: f64,
}

/// Observations: architectures as the index of each decision, and their outputs.
#[derive(Clone, Copy)]
struct Data<'a> {
    x: &'a [Vec<usize>],
    y: &'a [f64],
}

impl Data<'_> {
    fn len(&self) -> usize {
        self.y.len()
    }
}

/// What is believed of the architectures of a space.
#[derive(Clone, Debug)]
pub struct Surrogate {
    space: Arc<StateSpace>,
    layers: usize,
    encoding: Arc<Encoding>,
    seed: Seed,
    model: Model,
    transform: Transform,
    x: Vec<Vec<usize>>,
    /// The output of each of `x`.
    y: Vec<f64>,
    /// The largest mean of an architecture that was tried.
    best: f64,
    /// The architecture with the largest observation.
    answer: Answer,
    /// The model that believes in proposals too.
    believing: Option<Model>,
}

#[derive(Clone, Debug)]
enum Model {
    Gp(Box<Gp>),
    Ensemble(Ensemble),
    Trees(Trees),
}

impl Model {
    /// Fits to `data`, with hyper-parameters as they are.
    fn condition(&mut self, encoding: &Encoding, data: &Data, seed: Seed) {
        match self {
            Self::Gp(gp) => gp.condition(data),
            Self::Ensemble(ensemble) => *ensemble = Ensemble::fitted(encoding, data, seed),
            Self::Trees(trees) => *trees = Trees::fitted(encoding, data, seed),
        }
    }
}

/// What a fit goes on from, beside the observations.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Memory {
    /// The logarithms of the kernel's hyper-parameters; none of other models, which start afresh.
    theta: Vec<f64>,
    learned: usize,
    /// What the draws of models other than a Gaussian process come from.
    seed: Option<Seed>,
}

impl Surrogate {
    /// A surrogate for architectures with `layers` layers of `space` that knows nothing yet.
    ///
    /// # Errors
    /// As [`StateSpace::check_layers`].
    pub fn new(
        space: Arc<StateSpace>,
        layers: usize,
        kind: SurrogateKind,
        seed: Seed,
    ) -> Result<Self> {
        space.check_layers(layers)?;
        let encoding = Arc::new(Encoding::new(&space, layers));
        let model = match kind {
            SurrogateKind::Gp => Model::Gp(Box::new(Gp::new(encoding.clone()))),
            SurrogateKind::Ensemble => Model::Ensemble(Ensemble::default()),
            SurrogateKind::Trees => Model::Trees(Trees::default()),
        };
        Ok(Self {
            space,
            layers,
            encoding,
            seed,
            model,
            transform: Transform::new(&[]),
            x: Vec::new(),
            y: Vec::new(),
            best: 0.0,
            answer: Answer::default(),
            believing: None,
        })
    }

    /// The number of layers of the architectures it knows.
    pub fn layers(&self) -> usize {
        self.layers
    }

    /// The number of observations that it is fitted to.
    pub fn len(&self) -> usize {
        self.x.len()
    }

    /// Whether it knows nothing yet.
    pub fn is_empty(&self) -> bool {
        self.x.is_empty()
    }

    /// Fits to `actions` and the objective of each, in place of what was known; larger is better.
    ///
    /// # Errors
    /// [`Error::Invalid`] for lists of different length, none, actions of another space or number of
    /// layers, or an objective that is not finite.
    pub fn fit(&mut self, actions: &[Actions], objectives: &[f64]) -> Result<()> {
        if actions.is_empty() || actions.len() != objectives.len() {
            let expected = "as many objectives as actions, at least one";
            let found = format!("{} and {}", objectives.len(), actions.len());
            return Err(Error::invalid("fit", expected, found));
        }
        if let Some(objective) = objectives.iter().find(|y| !y.is_finite()) {
            return Err(Error::invalid("objective", "a finite number", objective));
        }
        let x = self.indices(actions)?;
        self.fit_indices(x, objectives);
        Ok(())
    }

    /// Fits to architectures by their indices, which are those of the space.
    pub(super) fn fit_indices(&mut self, x: Vec<Vec<usize>>, objectives: &[f64]) {
        self.set(x, objectives);
        let data = Data {
            x: &self.x,
            y: &self.y,
        };
        if let Model::Gp(gp) = &mut self.model {
            gp.learn(&data);
        }
        self.condition();
    }

    /// Fits again with the hyper-parameters as they are.
    pub(super) fn refit(&mut self, x: Vec<Vec<usize>>, objectives: &[f64]) {
        self.set(x, objectives);
        self.condition();
    }

    fn set(&mut self, x: Vec<Vec<usize>>, objectives: &[f64]) {
        self.transform = Transform::new(objectives);
        self.y = objectives
            .iter()
            .map(|y| self.transform.output(*y))
            .collect();
        self.x = x;
        self.believing = None;
    }

    fn condition(&mut self) {
        let data = Data {
            x: &self.x,
            y: &self.y,
        };
        self.model.condition(&self.encoding, &data, self.seed);
        let means = match &self.model {
            Model::Gp(gp) => gp.means().to_vec(),
            _ => self.outputs(&self.x).into_iter().map(|b| b.mean).collect(),
        };
        self.best = means.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let known = self.y.iter().zip(&means);
        let noise = match &self.model {
            Model::Gp(gp) => gp.noise(),
            // What the model does not explain.
            _ => {
                known
                    .clone()
                    .map(|(y, mean)| (y - mean).powi(2))
                    .sum::<f64>()
                    / self.y.len() as f64
            }
        };
        if let Some((observed, mean)) = known.max_by(|a, b| a.0.total_cmp(b.0)) {
            self.answer = Answer {
                observed: *observed,
                mean: *mean,
                noise,
            };
        }
    }

    /// Takes for granted that `x` are as good as expected, so that what resembles them promises less
    /// (the kriging believer of Ginsbourger et al. 2010): for proposals while others are tried. Until
    /// the next fit, or another belief.
    pub(super) fn believe(&mut self, x: &[Vec<usize>]) {
        self.believing = None;
        if x.is_empty() || self.is_empty() {
            return;
        }
        let mut model = self.model.clone();
        if let Model::Gp(gp) = &mut model {
            gp.believe(x);
        } else {
            let means = self.outputs(x).into_iter().map(|b| b.mean);
            let y: Vec<f64> = self.y.iter().copied().chain(means).collect();
            let x: Vec<Vec<usize>> = self.x.iter().chain(x).cloned().collect();
            model.condition(&self.encoding, &Data { x: &x, y: &y }, self.seed);
        }
        self.believing = Some(model);
    }

    /// What is believed of each of `actions`, in the objective's scale.
    ///
    /// # Errors
    /// [`Error::Invalid`] before the first fit, or for actions of another space or number of layers.
    pub fn predict(&self, actions: &[Actions]) -> Result<Vec<Belief>> {
        let x = self.known(actions)?;
        let outputs = self.outputs(&x).into_iter();
        Ok(outputs.map(|belief| self.transform.undo(belief)).collect())
    }

    /// The logarithm of the improvement expected of each of `actions` over the best that was tried, up
    /// to a constant (of the scale in which the surrogate sees objectives).
    ///
    /// # Errors
    /// As [`predict`](Self::predict).
    pub fn log_expected_improvement(&self, actions: &[Actions]) -> Result<Vec<f64>> {
        let outputs = self.outputs(&self.known(actions)?).into_iter();
        let improvement = |belief| log_expected_improvement(belief, self.best);
        Ok(outputs.map(improvement).collect())
    }

    /// How much the answer of a search is expected to gain by asking each of `x`, to rank by: where
    /// observations are without noise, the improvement expected over the best that was tried.
    pub(super) fn promise(&self, x: &[Vec<usize>]) -> Vec<f64> {
        let promise = |belief| {
            if self.answer.noise < MISFIT {
                log_expected_improvement(belief, self.best)
            } else {
                acquisition::promise(belief, &self.answer)
            }
        };
        self.outputs(x).into_iter().map(promise).collect()
    }

    fn outputs(&self, x: &[Vec<usize>]) -> Vec<Belief> {
        match self.believing.as_ref().unwrap_or(&self.model) {
            Model::Gp(gp) => gp.predict(x),
            Model::Ensemble(ensemble) => ensemble.predict(&self.encoding, x),
            Model::Trees(trees) => trees.predict(x),
        }
    }

    pub(super) fn memory(&self) -> Memory {
        let seed = Some(self.seed);
        match &self.model {
            Model::Gp(gp) => {
                let (theta, learned) = gp.memory();
                let theta = theta.to_vec();
                Memory {
                    theta,
                    learned,
                    seed,
                }
            }
            Model::Ensemble(_) | Model::Trees(_) => Memory {
                seed,
                ..Memory::default()
            },
        }
    }

    /// Goes on from `memory`; false where it is of another space or kind.
    pub(super) fn remember(&mut self, memory: &Memory) -> bool {
        self.seed = memory.seed.unwrap_or(self.seed);
        match &mut self.model {
            Model::Gp(gp) => gp.remember(&memory.theta, memory.learned),
            Model::Ensemble(_) | Model::Trees(_) => memory.theta.is_empty(),
        }
    }

    fn known(&self, actions: &[Actions]) -> Result<Vec<Vec<usize>>> {
        if self.is_empty() {
            return Err(Error::invalid(
                "surrogate",
                "a fit before a question",
                "none",
            ));
        }
        self.indices(actions)
    }

    fn indices(&self, actions: &[Actions]) -> Result<Vec<Vec<usize>>> {
        let indices = |actions: &Actions| {
            if actions.space() == &self.space && actions.layers() == self.layers {
                return Ok(actions.indices().to_vec());
            }
            let expected = format!("actions for {} layers of its space", self.layers);
            Err(Error::invalid("surrogate", expected, actions.summary()))
        };
        actions.iter().map(indices).collect()
    }
}
