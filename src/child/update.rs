//! The optimizer of a child: its rule, and what it remembers of each array. Knows parameters, not what
//! they are parameters of.

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};

use super::kernels::{self, Adam, Sgd};
use super::parameters::Parameters;
use super::weights::Weights;
use crate::arrays::Arrays;
use crate::error::Result;
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
    updates: usize,
    /// What is remembered of each array, flat, in the order in which Burn visits the parameters: both
    /// moments, or the velocity; nothing before the first update.
    memories: Vec<Memory>,
}

/// What an optimizer remembers of an array.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "one for each array of a child")]
enum Memory {
    Nothing,
    Velocity(Tensor<1>),
    Moments(Tensor<1>, Tensor<1>),
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

    /// One update of a single flat array whose memories are kept elsewhere, after `updates` others of it; none are
    /// remembered before the first. Returns the array and its memories, which are all flat.
    pub fn step_alone(
        &mut self,
        rate: f64,
        updates: usize,
        x: Tensor<1>,
        gradient: Tensor<1>,
        mut memories: Vec<Tensor<1>>,
    ) -> (Tensor<1>, Vec<Tensor<1>>) {
        self.updates = updates + 1;
        let memory = match (memories.pop(), memories.pop()) {
            (Some(second), Some(first)) => Memory::Moments(first, second),
            (Some(velocity), None) => Memory::Velocity(velocity),
            (None, _) => self.nothing_yet(&x),
        };
        let (x, memory) = self.update(rate as f32, x, gradient, memory);
        let memories = match memory {
            Memory::Nothing => Vec::new(),
            Memory::Velocity(velocity) => vec![velocity],
            Memory::Moments(first, second) => vec![first, second],
        };
        (x, memories)
    }

    /// How many updates were made.
    pub fn updates(&self) -> usize {
        self.updates
    }

    /// A copy on the host of what is remembered: "3.velocity", or "3.first" and "3.second", of the
    /// fourth array.
    ///
    /// # Errors
    /// [`Error::Invalid`](crate::Error::Invalid) where the device holds something other than f32.
    pub fn memories(&self) -> Result<Arrays> {
        let mut kept = Weights::default();
        for (slot, memory) in self.memories.iter().enumerate() {
            let mut keep =
                |kind: &str, x: &Tensor<1>| kept.insert(format!("{slot}.{kind}"), x.to_data());
            match memory {
                Memory::Nothing => {}
                Memory::Velocity(velocity) => keep("velocity", velocity)?,
                Memory::Moments(first, second) => {
                    keep("first", first)?;
                    keep("second", second)?;
                }
            }
        }
        Ok(kept.into_arrays())
    }

    /// The optimizer that `config` asks for on `parameters`, after so many `updates`, on `device`
    /// without autodiff.
    ///
    /// # Errors
    /// [`Error::Invalid`](crate::Error::Invalid) where `memories` are not those of these parameters.
    pub fn restore(
        config: &TrainingConfig,
        parameters: &Parameters,
        updates: usize,
        memories: &Arrays,
        device: &Device,
    ) -> Result<Self> {
        let mut optimizer = Self {
            updates,
            ..Self::new(config)
        };
        let memories = Weights::from_arrays(memories.clone())?;
        let mut lengths = Lengths(Vec::new());
        parameters.visit(&mut lengths);
        for (slot, len) in lengths.0.into_iter().enumerate() {
            let array = |kind: &str| -> Result<Tensor<1>> {
                let values = memories.values(&format!("{slot}.{kind}"), &[len])?;
                Ok(Tensor::from_data(TensorData::new(values, [len]), device))
            };
            optimizer.memories.push(match optimizer.kind {
                OptimizerKind::Adam => Memory::Moments(array("first")?, array("second")?),
                OptimizerKind::Sgd if optimizer.momentum > 0.0 => {
                    Memory::Velocity(array("velocity")?)
                }
                OptimizerKind::Sgd => Memory::Nothing,
            });
        }
        Ok(optimizer)
    }

    /// What is remembered of `x` before its first update.
    fn nothing_yet(&self, x: &Tensor<1>) -> Memory {
        match self.kind {
            OptimizerKind::Adam => Memory::Moments(x.zeros_like(), x.zeros_like()),
            OptimizerKind::Sgd if self.momentum > 0.0 => Memory::Velocity(x.zeros_like()),
            OptimizerKind::Sgd => Memory::Nothing,
        }
    }

    /// The rule on one array: the array and the memory after the update.
    fn update(
        &self,
        rate: f32,
        x: Tensor<1>,
        gradient: Tensor<1>,
        memory: Memory,
    ) -> (Tensor<1>, Memory) {
        let penalty = self.penalty;
        let momentum = self.momentum;
        let sgd = Sgd {
            rate,
            momentum,
            penalty,
        };
        match memory {
            Memory::Nothing => (descend(sgd, x, gradient), Memory::Nothing),
            Memory::Velocity(velocity) => {
                let (x, velocity) = with_momentum(sgd, x, gradient, velocity);
                (x, Memory::Velocity(velocity))
            }
            Memory::Moments(first, second) => {
                let adam = Adam {
                    rate,
                    beta_1: BETAS.0,
                    beta_2: BETAS.1,
                    epsilon: EPSILON,
                    penalty,
                };
                let step = self.updates;
                let (x, first, second) = with_moments(adam, step, x, gradient, first, second);
                (x, Memory::Moments(first, second))
            }
        }
    }
}

fn descend(rule: Sgd, x: Tensor<1>, gradient: Tensor<1>) -> Tensor<1> {
    if kernels::serve(&x) {
        return kernels::descend(rule, x, gradient);
    }
    let gradient = gradient.add(x.clone().mul_scalar(rule.penalty));
    x.sub(gradient.mul_scalar(rule.rate))
}

fn with_momentum(
    rule: Sgd,
    x: Tensor<1>,
    gradient: Tensor<1>,
    velocity: Tensor<1>,
) -> (Tensor<1>, Tensor<1>) {
    if kernels::serve(&x) {
        return kernels::sgd(rule, x, gradient, velocity);
    }
    let gradient = gradient.add(x.clone().mul_scalar(rule.penalty));
    let velocity = velocity.mul_scalar(rule.momentum).add(gradient);
    (x.sub(velocity.clone().mul_scalar(rule.rate)), velocity)
}

fn with_moments(
    rule: Adam,
    step: usize,
    x: Tensor<1>,
    gradient: Tensor<1>,
    first: Tensor<1>,
    second: Tensor<1>,
) -> (Tensor<1>, Tensor<1>, Tensor<1>) {
    if kernels::serve(&x) {
        return kernels::adam(rule, step, x, gradient, first, second);
    }
    let gradient = gradient.add(x.clone().mul_scalar(rule.penalty));
    let blend = |old: Tensor<1>, new: Tensor<1>, beta: f32| {
        old.mul_scalar(beta).add(new.mul_scalar(1.0 - beta))
    };
    let first = blend(first, gradient.clone(), rule.beta_1);
    let second = blend(second, gradient.square(), rule.beta_2);
    let (factor, epsilon) = rule.corrected(step);
    let deviation = second.clone().sqrt().add_scalar(epsilon);
    let change = first.clone().mul_scalar(factor).div(deviation);
    (x.sub(change.mul_scalar(rule.rate)), first, second)
}

/// The numbers of values of the arrays, in the order in which Burn visits them.
struct Lengths(Vec<usize>);

impl ModuleVisitor for Lengths {
    fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
        self.0.push(parameter.val().dims().iter().product());
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
        let shape = x.dims();
        let x = x.inner();
        let memories = &mut self.optimizer.memories;
        let memory = match memories.get_mut(slot) {
            Some(memory) => std::mem::replace(memory, Memory::Nothing),
            None => {
                memories.push(Memory::Nothing);
                self.optimizer.nothing_yet(&x.clone().flatten(0, D - 1))
            }
        };
        let (x, memory) = match self.gradients.remove::<D>(id) {
            Some(gradient) => {
                let (x, gradient) = (x.flatten(0, D - 1), gradient.flatten(0, D - 1));
                let (x, memory) = self.optimizer.update(self.rate, x, gradient, memory);
                (x.reshape(shape), memory)
            }
            None => (x, memory),
        };
        self.optimizer.memories[slot] = memory;
        let x = Tensor::from_inner(x).require_grad();
        Param::from_mapped_value(id, x, mapper)
    }
}
