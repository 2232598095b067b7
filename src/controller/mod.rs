//! The controller: a recurrent policy over a space's decisions, and its update rules. Knows nothing
//! of networks, children or scripts.
//!
//! Read an update top to bottom in `reinforce`, `ppo` (the papers') or `original` (the Keras
//! project's); what it learns from is in `advantage` and `memory`; the network is in `policy`, what it
//! walks in `steps`, every hyper-parameter in `config`.
//! `pool` holds several controllers that learn together.

mod advantage;
mod cell;
mod collapse;
mod config;
mod entropy;
mod gradient;
mod guided;
mod memory;
mod novel;
mod optimizer;
mod original;
mod parzen;
mod policy;
mod pool;
mod ppo;
mod reinforce;
mod rmsprop;
mod schedule;
mod snapshot;
mod steps;
mod surrogate;
#[cfg(test)]
mod tests;
mod weights;

pub use config::{Baseline, CellKind, ControllerConfig, Labels, Mode, Normalize, Schedule};
pub use guided::GuidedConfig;
pub use parzen::{Parzen, ParzenConfig};
pub use pool::{ControllerPool, Exchange, PoolConfig, PoolUpdate};
pub use snapshot::{revive, saved};
pub use surrogate::{Belief, Surrogate, SurrogateKind};

use std::path::Path;
use std::sync::Arc;

use burn::tensor::Device;
use rand::RngExt;

use crate::arrays::Arrays;
use crate::error::{Error, Result};
use crate::seed::{Seed, StreamRng};
use crate::space::{Actions, StateSpace};
use gradient::Gradient;
use guided::Guided;
use memory::Memory;
use optimizer::WeightOptimizer;
use policy::{Policy, argmax};
use weights::Weights;

/// A policy over the architectures of a space, and what it needs to learn.
#[derive(Clone)]
pub struct Controller {
    space: Arc<StateSpace>,
    layers: usize,
    config: ControllerConfig,
    policy: Policy,
    weights: Weights,
    optimizer: WeightOptimizer,
    rng: StreamRng,
    step: u64,
    exploration: f64,
    baseline: Option<f64>,
    rollouts: Vec<Rollout>,
    guided: Option<Guided>,
    memory: Memory,
}

/// An architecture that was tried, and what it earned.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
struct Rollout {
    indices: Vec<usize>,
    /// The rows that it enters the network as, as a state (original mode).
    input: Vec<usize>,
    reward: f64,
}

/// What one update did.
#[derive(Clone, Debug, PartialEq)]
pub struct Update {
    /// The loss before the update.
    pub loss: f64,
    /// The number of updates so far, this one included.
    pub step: u64,
    /// The learning rate of this update.
    pub learning_rate: f64,
    /// The (mean) reward that this update learnt from.
    pub discounted_reward: f64,
    /// The probability of a uniformly drawn action after this update; 0 but in original mode.
    pub exploration: f64,
    /// The policy's entropy in nats, summed over the decisions.
    pub entropy: f64,
    /// The moving average of rewards after this update, as [`Controller::baseline`]; `None` in
    /// original mode.
    pub baseline: Option<f64>,
    /// Whether the policy [has collapsed](Controller::collapsed).
    pub collapsed: bool,
    /// The cross-entropy of each decision by its name: "layer_1/kernel", "layer_3/skip_0".
    pub cross_entropies: Vec<(String, f64)>,
}

impl Controller {
    /// Creates a controller for architectures with `layers` layers of `space`, and restores it
    /// from `config.restore_controller` where that names a file.
    ///
    /// # Errors
    /// [`Error::Invalid`] for an option out of range, a space without decisions, or one that mode
    /// original cannot start from; as [`load`](Self::load) for a file to restore.
    pub fn new(
        space: Arc<StateSpace>,
        layers: usize,
        config: ControllerConfig,
        device: &Device,
        seed: Seed,
    ) -> Result<Self> {
        config.validate()?;
        space.check_layers(layers)?;
        if config.mode == Mode::Original {
            original::check(&space)?;
        }
        let policy = Policy::new(&space, layers, &config);
        if policy.sequence.sizes.is_empty() {
            let expected = "at least 2 (a first layer has no earlier one to choose)";
            return Err(Error::invalid("number of layers", expected, layers));
        }
        let mut init = seed.stream("controller/init");
        let steps = &policy.sequence;
        let weights = Weights::new(&space, layers, steps, &config, &mut init, device);
        let mut controller = Self {
            policy,
            weights,
            optimizer: WeightOptimizer::new(config.mode),
            rng: seed.stream("controller"),
            step: 0,
            exploration: config.exploration,
            baseline: None,
            rollouts: Vec::new(),
            guided: Guided::new(&space, layers, &config, seed)?,
            memory: Memory::default(),
            space,
            layers,
            config,
        };
        if let Some(path) = controller.config.restore_controller.clone() {
            controller.load(Path::new(&path))?;
        }
        Ok(controller)
    }

    /// Decides the next architecture.
    ///
    /// Each decision is sampled from the softmax, with `novel` again until the architecture is one
    /// that was neither sampled nor stored before; `state` is only checked. In original mode it is, with
    /// probability [`exploration`](Self::exploration), drawn uniformly, else the policy's most probable values after `state`.
    ///
    /// # Errors
    /// [`Error::Invalid`] where `state` is of another space or number of layers.
    pub fn get_action(&mut self, state: Option<&Actions>) -> Result<Actions> {
        self.check(state)?;
        let path = match self.config.mode {
            Mode::Guided => return self.guided_action(),
            Mode::Original => {
                if self.rng.random_bool(self.exploration) {
                    return Actions::random(&self.space, self.layers, &mut self.rng);
                }
                let start = self.input(state);
                self.policy.walk(&self.weights, &start, |_, p| argmax(p))?
            }
            _ => self.next_path()?,
        };
        let (space, layers) = (self.space.clone(), self.layers);
        Ok(Actions::from_policy(
            space,
            layers,
            path.indices,
            path.probabilities,
        ))
    }

    /// What `state` enters the network as in original mode; zeros where there is none.
    fn input(&self, state: Option<&Actions>) -> Vec<Vec<usize>> {
        let undecided = || vec![0; self.policy.sequence.sizes[0]];
        original::sequence(&state.map_or_else(undecided, original::input_state))
    }

    /// Checks that `actions` decide what this controller decides.
    fn check(&self, actions: Option<&Actions>) -> Result<()> {
        let Some(actions) = actions else {
            return Ok(());
        };
        if actions.space() == &self.space && actions.layers() == self.layers {
            return Ok(());
        }
        let expected = format!(
            "actions for {} layers of this controller's space",
            self.layers
        );
        let found = if actions.space() == &self.space {
            format!("{} layers", actions.layers())
        } else {
            "actions of another space".into()
        };
        Err(Error::invalid("controller", expected, found))
    }

    /// Keeps `actions` and their `reward` for the next [`train_step`](Self::train_step).
    ///
    /// # Errors
    /// [`Error::Invalid`] for actions of another space, or a reward that is not finite.
    pub fn store_rollout(&mut self, actions: &Actions, reward: f64) -> Result<()> {
        self.check(Some(actions))?;
        if !reward.is_finite() {
            return Err(Error::invalid("reward", "a finite number", reward));
        }
        if let Some(guided) = &mut self.guided {
            guided.store(actions.indices(), reward);
            return Ok(());
        }
        self.rollouts.push(Rollout {
            indices: actions.indices().to_vec(),
            input: original::input_state(actions),
            reward,
        });
        match self.config.mode {
            Mode::Original => original::cut(&mut self.rollouts),
            _ => self
                .memory
                .earned(actions.indices(), reward, self.config.memory),
        }
        Ok(())
    }

    /// Updates the policy. In original mode from the last rollout; in the others from the
    /// stored mini-batch, which is used up, or not at all (`None`) while it is not full.
    ///
    /// # Errors
    /// [`Error::Invalid`] where no rollout was stored, or where loss or gradient are not finite;
    /// the policy is then as it was.
    pub fn train_step(&mut self) -> Result<Option<Update>> {
        if self.rollouts.is_empty() && self.config.mode != Mode::Guided {
            let expected = "a rollout stored by store_rollout";
            return Err(Error::invalid("train_step", expected, "none"));
        }
        match self.config.mode {
            Mode::Original => self.original_step().map(Some),
            Mode::Guided => self.guided_step(),
            _ if !self.is_full() => Ok(None),
            Mode::Reinforce => self.reinforce_step().map(Some),
            Mode::Ppo => self.ppo_step().map(Some),
        }
    }

    /// Moves the weights along `gradient` × `factor`, clipped.
    fn descend(&mut self, gradient: &mut Gradient, factor: f64) -> Result<()> {
        let rate = self.learning_rate();
        let gradients = gradient.scaled(self.config.clip_norm, factor)?;
        self.weights = self.optimizer.step(rate, &self.weights, gradients);
        Ok(())
    }

    /// Counts an update that began with `gradient`, and says what it did.
    fn report(&mut self, gradient: &Gradient, reward: f64) -> Update {
        let learning_rate = self.learning_rate();
        self.step += 1;
        self.watch(gradient.entropy);
        let names = self.policy.sequence.names.iter().cloned();
        let losses = gradient.cross_entropies.iter().copied();
        Update {
            loss: gradient.loss,
            step: self.step,
            learning_rate,
            discounted_reward: reward,
            exploration: self.exploration(),
            entropy: gradient.entropy,
            baseline: self.baseline,
            collapsed: self.memory.collapsed,
            cross_entropies: names.zip(losses).collect(),
        }
    }

    /// The distribution of each decision, `[decisions][size]`: in original mode along the most
    /// probable path after `state`, in the others along the decisions of `state`, or along the
    /// most probable path where it is `None`.
    ///
    /// # Errors
    /// [`Error::Invalid`] where `state` is of another space or number of layers.
    pub fn probabilities(&self, state: Option<&Actions>) -> Result<Vec<Vec<f64>>> {
        self.check(state)?;
        let start = match self.config.mode {
            Mode::Original => self.input(state),
            _ => reinforce::start(1),
        };
        let given = state.filter(|_| self.config.mode != Mode::Original);
        let pick = |d: usize, p: &[f64]| given.map_or_else(|| argmax(p), |s| s.indices()[d]);
        Ok(self.policy.walk(&self.weights, &start, pick)?.probabilities)
    }

    /// The probability of all decisions of `actions` together, that of sampling
    /// them; in original mode the product of the softmax outputs after `actions` as the state.
    ///
    /// # Errors
    /// As [`probabilities`](Self::probabilities).
    pub fn probability_of(&self, actions: &Actions) -> Result<f64> {
        let probabilities = self.probabilities(Some(actions))?;
        let chosen = probabilities.iter().zip(actions.indices());
        Ok(chosen.map(|(p, &index)| p[index]).product())
    }

    /// The probability that the next action is drawn uniformly; 0 but in original mode.
    pub fn exploration(&self) -> f64 {
        match self.config.mode {
            Mode::Original => self.exploration,
            _ => 0.0,
        }
    }

    /// The learning rate of the next update.
    pub fn learning_rate(&self) -> f64 {
        match self.config.mode {
            Mode::Original => original::decayed(self.config.learning_rate(), self.step),
            _ => self.config.learning_rate_at(self.step),
        }
    }

    /// The number of updates so far.
    pub fn step(&self) -> u64 {
        self.step
    }

    /// The moving average that the next advantage is measured against, of the rewards as `normalize`
    /// turns them; `None` before the first reward.
    pub fn baseline(&self) -> Option<f64> {
        self.baseline
    }

    /// The options.
    pub fn config(&self) -> &ControllerConfig {
        &self.config
    }

    /// The space that is decided.
    pub fn space(&self) -> &Arc<StateSpace> {
        &self.space
    }

    /// The number of layers of each architecture.
    pub fn layers(&self) -> usize {
        self.layers
    }

    /// The weights by name: "embeddings/state_embeddings_0" `[size + 1, embedding_dim]`,
    /// "rnn/lstm_cell/kernel" `[embedding_dim + cells, 4 · cells]`, "classifier_0/kernel"
    /// `[cells, size]` and so on, as the original names them. The table of an anchor has a row per
    /// layer, that of an input one per input and layer, besides row 0. An anchor has
    /// "anchor_2/w_prev" and "anchor_2/w_curr" `[cells, cells]` and "anchor_2/v" `[cells, 1]`,
    /// under its state's id.
    ///
    /// # Errors
    /// [`Error::Invalid`] where the device fails to hand them over.
    pub fn weights(&self) -> Result<Arrays> {
        self.weights.to_arrays()
    }

    /// Sets the weights from arrays named as by [`weights`](Self::weights).
    ///
    /// # Errors
    /// [`Error::Invalid`] or [`Error::Unknown`] for an array that is missing, of another shape, not
    /// finite or too much.
    pub fn set_weights(&mut self, arrays: &Arrays) -> Result<()> {
        self.weights = self.weights.with_arrays(arrays)?;
        Ok(())
    }
}

/// Discounts `rewards`, the latest last, by `factor` a step: R_t = r_t + factor · R_{t+1}, where the
/// sum restarts at every reward that is not zero, as in the original.
pub fn discount_rewards(rewards: &[f64], factor: f64) -> Vec<f64> {
    let mut running = 0.0;
    let mut discounted: Vec<f64> = rewards
        .iter()
        .rev()
        .map(|&reward| {
            running = if reward == 0.0 {
                running * factor
            } else {
                reward
            };
            running
        })
        .collect();
    discounted.reverse();
    discounted
}
