//! Applies a Burn optimizer to the policy's weights and keeps its state as named tensors, so that a
//! snapshot holds it in the open. (Burn's `ModuleOptimizer` restores through the process's default
//! device, which need not exist on this machine.)

use std::collections::BTreeMap;

use burn::optim::{Adam, AdamConfig, Optimizer, RecordState, StateSink, StateSource};
use burn::tensor::{Device, Tensor, TensorData};

use super::config::Mode;
use super::rmsprop::RmsProp;
use super::weights::Weights;

/// The optimizer of a mode with its state for each weight.
#[derive(Clone)]
pub(super) enum WeightOptimizer {
    /// Of every other mode: β = (0.9, 0.999), ε = 1e-8 (arXiv 1412.6980).
    Adam(Slots<Adam>),
    /// Of [`Mode::Original`].
    RmsProp(Slots<RmsProp>),
}

/// An update rule and its state for each weight, in order; `None` before the first update.
#[derive(Clone)]
pub(super) struct Slots<O: Optimizer> {
    rule: O,
    states: Vec<Option<O::State<2>>>,
}

/// An optimizer's state taken apart: tensors and counters by name.
#[derive(Clone, Debug, Default)]
pub(super) struct OptimizerState {
    pub tensors: BTreeMap<String, TensorData>,
    pub counters: BTreeMap<String, u64>,
}

impl WeightOptimizer {
    pub fn new(mode: Mode) -> Self {
        match mode {
            Mode::Original => Self::RmsProp(Slots::new(RmsProp)),
            _ => Self::Adam(Slots::new(AdamConfig::new().with_epsilon(1e-8).build())),
        }
    }

    /// Moves `weights` along `gradients` (one a weight, in order).
    pub fn step(&mut self, rate: f64, weights: &Weights, gradients: Vec<Tensor<2>>) -> Weights {
        match self {
            Self::Adam(slots) => slots.step(rate, weights, gradients),
            Self::RmsProp(slots) => slots.step(rate, weights, gradients),
        }
    }

    /// Takes the state apart, under the weights' names.
    pub fn state(&self, weights: &Weights) -> OptimizerState {
        match self {
            Self::Adam(slots) => slots.state(weights),
            Self::RmsProp(slots) => slots.state(weights),
        }
    }

    /// Puts a state together again, as far as `state` holds it.
    pub fn restore(&mut self, weights: &Weights, state: OptimizerState) {
        match self {
            Self::Adam(slots) => slots.restore(weights, state),
            Self::RmsProp(slots) => slots.restore(weights, state),
        }
    }
}

impl<O: Optimizer> Slots<O> {
    fn new(rule: O) -> Self {
        let states = Vec::new();
        Self { rule, states }
    }

    fn step(&mut self, rate: f64, weights: &Weights, gradients: Vec<Tensor<2>>) -> Weights {
        self.states.resize(gradients.len(), None);
        let weight_and_gradient = weights.values().iter().cloned().zip(gradients);
        let moved = weight_and_gradient.zip(&mut self.states);
        let moved = moved.map(|((weight, gradient), slot)| {
            let (weight, state) = self.rule.step(rate, weight, gradient, slot.take());
            *slot = state;
            weight
        });
        weights.with_values(moved.collect())
    }

    fn state(&self, weights: &Weights) -> OptimizerState {
        let mut sink = StateSink::default();
        for (spec, state) in weights.specs().iter().zip(&self.states) {
            if let Some(state) = state {
                state.state_flatten(&spec.name, &mut sink);
            }
        }
        let counter = |(name, value)| Some((name, u64::try_from(value).ok()?));
        OptimizerState {
            tensors: sink.tensors.into_iter().collect(),
            counters: sink.scalars.into_iter().filter_map(counter).collect(),
        }
    }

    fn restore(&mut self, weights: &Weights, state: OptimizerState) {
        let counters = state.counters.into_iter().map(|(k, v)| (k, v.into()));
        let mut source = StateSource::new(counters.collect());
        for (name, data) in state.tensors {
            source.insert_tensor(name, data);
        }
        let device: Device = weights.device();
        let states = weights.specs().iter();
        let states = states.map(|s| RecordState::state_unflatten(&s.name, &mut source, &device));
        self.states = states.collect();
    }
}
