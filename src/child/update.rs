//! The optimizer of a child: its rule, and what it remembers of each array. Knows parameters, not what
//! they are parameters of.

use burn::module::{Module, ModuleMapper, Param};
use burn::optim::GradientsParams;
use burn::tensor::Tensor;

use super::kernels::{self, Adam, Sgd};
use super::parameters::Parameters;
use crate::evaluation::{OptimizerKind, TrainingConfig};

/// The decay rates of the moments, as in the paper (arXiv 1412.6980, §2).
const BETAS: (f32, f32) = (0.9, 0.999);
/// Keras's epsilon; PyTorch's is 1e-8, Burn's 1e-5.
const EPSILON: f32 = 1e-7;

/// An optimizer with its state.
#[derive(Clone, Debug)]
pub(super) struct Optimizer {
    kind: OptimizerKind,
    momentum: f32,
    /// The L2 penalty.
    penalty: f32,
    /// How many updates were made.
    updates: i32,
    /// What is remembered of each array, flat, in the order in which Burn visits the parameters: the
    /// first and the second moment, or the velocity; empty before the first update.
    memories: Vec<Vec<Tensor<1>>>,
}

impl Optimizer {
    /// The optimizer that `config` asks for, before its first update.
    pub fn new(config: &TrainingConfig) -> Self {
        Self {
            kind: config.optimizer,
            momentum: config.momentum as f32,
            penalty: config.weight_decay as f32,
            updates: 0,
            memories: Vec::new(),
        }
    }

    /// One update of `parameters` against their `gradients`, at this learning rate. Arrays without a
    /// gradient stay as they are.
    pub fn step(
        &mut self,
        rate: f64,
        parameters: Parameters,
        gradients: GradientsParams,
    ) -> Parameters {
        self.updates += 1;
        parameters.map(&mut Step {
            optimizer: self,
            rate: rate as f32,
            gradients,
            visited: 0,
        })
    }

    /// How many arrays are remembered for each array of weights.
    fn memories(&self) -> usize {
        match self.kind {
            OptimizerKind::Adam => 2,
            OptimizerKind::Sgd => usize::from(self.momentum > 0.0),
        }
    }

    /// The rule on one array, flat: the array after the update; `memory` is updated as well.
    fn update(
        &self,
        rate: f32,
        x: Tensor<1>,
        gradient: Tensor<1>,
        memory: &mut Vec<Tensor<1>>,
    ) -> Tensor<1> {
        if memory.len() < self.memories() {
            *memory = vec![x.zeros_like(); self.memories()];
        }
        let mut remembered = std::mem::take(memory).into_iter();
        let (x, kept) = match (self.kind, remembered.next(), remembered.next()) {
            (OptimizerKind::Adam, Some(first), Some(second)) => {
                let rule = Adam::new(rate, BETAS, EPSILON, self.penalty, self.updates);
                let (x, first, second) = adam(&rule, x, gradient, first, second);
                (x, vec![first, second])
            }
            (_, velocity, _) => {
                let (x, velocity) = self.descend(rate, x, gradient, velocity);
                (x, velocity.into_iter().collect())
            }
        };
        *memory = kept;
        x
    }
}

/// One update on its way through the parameters.
struct Step<'a> {
    optimizer: &'a mut Optimizer,
    rate: f32,
    gradients: GradientsParams,
    visited: usize,
}

impl ModuleMapper for Step<'_> {
    fn map_float<const D: usize>(&mut self, parameter: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (id, x, mapper) = parameter.consume();
        let slot = self.visited;
        self.visited += 1;
        if self.optimizer.memories.len() < self.visited {
            self.optimizer.memories.push(Vec::new());
        }
        let Some(gradient) = self.gradients.remove::<D>(id) else {
            return Param::from_mapped_value(id, x, mapper);
        };
        let shape = x.dims();
        let mut memory = std::mem::take(&mut self.optimizer.memories[slot]);
        let flat = x.without_autodiff().flatten(0, D - 1);
        let gradient = gradient.flatten(0, D - 1);
        let x = self
            .optimizer
            .update(self.rate, flat, gradient, &mut memory);
        self.optimizer.memories[slot] = memory;
        let x = Tensor::from_inner(x.reshape(shape)).require_grad();
        Param::from_mapped_value(id, x, mapper)
    }
}
