//! `Controller` for scripts.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use rhai::plugin::*;
use rhai::{Array, Dynamic, Engine, Map, NativeCallContext};

use super::keeping::{Keeping, Kept, Step};
use super::manager::number;
use super::options::Options;
use super::space::{Space, count};
use super::{Host, Scripted, limits, raise};
use crate::controller::{Controller, ControllerConfig, Update, discount_rewards};
use crate::error::Error;
use crate::space::Actions;

/// A script's handle of a controller: copies share it.
#[derive(Clone)]
pub(super) struct Policy(Arc<Shared>);

struct Shared {
    controller: Mutex<Controller>,
    keeping: Keeping,
    /// Whether a collapse was reported.
    warned: AtomicBool,
}

impl Kept for Shared {
    fn save(&self, path: &Path) -> crate::Result<()> {
        self.controller.lock().save(path)
    }
}

impl Policy {
    pub(super) fn asked<T>(&self, ask: impl FnOnce(&Controller) -> T) -> T {
        ask(&self.0.controller.lock())
    }
}

pub(super) fn register(engine: &mut Engine) {
    engine.register_type_with_name::<Policy>("Controller");
    engine.register_global_module(exported_module!(controllers).into());
}

/// The scalars of an update under the original's names in TensorBoard, and two of ours.
pub fn scalars(update: &Update) -> Vec<(String, f64)> {
    let named = [
        ("learning_rate", update.learning_rate),
        ("discounted_reward", update.discounted_reward),
        ("total_loss", update.loss),
        ("controller/entropy", update.entropy),
        ("controller/exploration", update.exploration),
    ];
    let named = named.map(|(tag, value)| (tag.to_string(), value));
    let losses = update.cross_entropies.iter().enumerate();
    let losses = losses.map(|(i, (_, loss))| (format!("state_{}_ce_loss", i + 1), *loss));
    named.into_iter().chain(losses).collect()
}

/// The options of a controller, the path of a saved one as the host finds it.
pub(super) fn config(host: &Host, options: &Options) -> Scripted<ControllerConfig> {
    let mut config: ControllerConfig = options.part(ControllerConfig::OPTIONS)?;
    if let Some(path) = config.restore_controller.take() {
        let path = host.saved(&path).map_err(raise)?;
        config.restore_controller = Some(path.display().to_string());
    }
    Ok(config)
}

/// The most decisions that a controller makes one after the other for one architecture.
const MOST_DECISIONS: u64 = 5_000;
/// The most weights of a controller, about.
const MOST_WEIGHTS: u64 = 20_000_000;

/// Refuses a controller whose network is beyond all use, before it is made.
pub(super) fn affordable(
    space: &Space,
    layers: usize,
    config: &ControllerConfig,
) -> Result<(), Error> {
    let space = space.get();
    space.check_layers(layers)?;
    let decisions = space.decisions(layers).count() as u64;
    limits::guard("decisions of a controller", MOST_DECISIONS, decisions)?;
    let sizes = (0..space.size()).filter_map(|i| space.get(i).ok());
    let values: usize = sizes.map(|state| state.domain.distinct().len()).sum();
    let (cells, width) = (config.controller_cells as u64, config.embedding_dim as u64);
    let recurrent = cells
        .saturating_mul(cells.saturating_add(width))
        .saturating_mul(8);
    let ends = (values as u64).saturating_mul(cells.saturating_add(width));
    let weights = recurrent.saturating_add(ends);
    limits::guard("weights of a controller", MOST_WEIGHTS, weights)
}

/// The file that a script names for a controller to be saved in.
pub(super) fn save_path(host: &Host, path: &str) -> Scripted<PathBuf> {
    let path = host.inside(path).map_err(raise)?;
    // No script may overwrite another kind of file.
    if path
        .extension()
        .is_none_or(|ending| ending != "safetensors")
    {
        let expected = "a file name that ends in .safetensors";
        return Err(raise(Error::invalid("save", expected, path.display())));
    }
    Ok(path)
}

/// Notes what `save` wrote.
pub(super) fn written(host: &Host, path: &Path) -> Scripted<()> {
    let about = path.metadata().map_err(Error::io("find", path));
    let counted = about.and_then(|about| host.meter().writes(about.len()));
    counted.map_err(raise)
}

/// # Controller
///
/// A recurrent policy that draws architectures and learns from their rewards. Its state is kept in the run's folder while it
/// learns, twice a second at most, and at the end.
///
/// ```rhai
/// let space = StateSpace();
/// space.add_state("kernel", [1, 3]);
/// let controller = Controller(2, space, #{ batch_size: 2 });
/// for trial in 0..4 {
///     let actions = controller.get_action();
///     controller.store_rollout(actions, if actions.layers[0].kernel == 3 { 1.0 } else { 0.0 });
///     controller.train_step();
/// }
/// print(controller);                    // Controller for 2 layers after 2 updates
/// print(controller.step);               // 2
/// print(controller.batch_size);         // 2
/// print(controller.learning_rate);
/// print(controller.baseline);
/// print(controller.exploration);        // of mode "original" alone
/// ```
#[export_module]
mod controllers {
    /// A recurrent policy that draws architectures of so many layers of `space` and learns from their rewards.
    #[rhai_fn(name = "Controller", return_raw, volatile)]
    pub fn new(ctx: NativeCallContext, layers: i64, space: Space) -> Scripted<Policy> {
        with(ctx, layers, space, Map::new())
    }

    /// The defaults are those that found the best architectures on tables and synthetic spaces; an option that
    /// belongs to another mode is left aside.
    ///
    /// Options of every mode:
    /// - `mode` ("reinforce"): how the policy learns: "reinforce" (arXiv 1611.01578, §3.2), "ppo" (arXiv 1707.06347,
    ///   §3: several epochs over a mini-batch on a clipped objective), "guided" (on a surrogate of the objective, see
    ///   docs/search.md) or "original" (the update of titu1994, number for number).
    /// - `cell` ("lstm"): the recurrent cell, "lstm", "gru" or "nas" (arXiv 1611.01578, appendix A).
    /// - `controller_cells` (32): units of the cell, 1 to 4096.
    /// - `embedding_dim` (20): length of an embedding, 1 to 4096.
    /// - `learning_rate` (0.03): step size of Adam, above 0; 0.01 in guided, 0.1 in original (× 0.95 every 500
    ///   updates).
    /// - `clip_norm` (0.0): largest global norm of the gradient; 0 leaves it alone.
    /// - `reg_param` (0.0): weight of the sum of squared weights in the loss, from 0; 0.001 in original.
    /// - `restore_controller` (false): a file that `save` wrote, to go on from.
    ///
    /// Options of all modes but original:
    /// - `batch_size` (1): rollouts that an update learns from, 1 to 65536; 5 in ppo.
    /// - `normalize` ("rank"): what a reward is turned into first: its "rank" among all so far, from -1 to 1; its
    ///   "deviation" from their median in robust standard deviations, cut to ±3; "none".
    /// - `baseline` ("ema"): what it is compared with: the moving average of those before, or "leave_one_out", the
    ///   mean of the others of its mini-batch.
    /// - `baseline_decay` (0.9): share of the old value in the moving average, 0 to below 1.
    /// - `imitation` (0.5): weight of self-imitation (arXiv 1806.05635), from 0: updates also make the best quarter
    ///   of what was tried more probable.
    /// - `memory` (16): the most architectures that are imitated, 1 to 65536.
    /// - `novel` (true): no architecture is drawn twice as long as there is a new one.
    /// - `entropy_weight` (0.05): weight of the policy's entropy, from 0; keeps it from settling early.
    /// - `entropy_final` (none): the weight that `entropy_weight` goes to over `schedule_steps` updates.
    /// - `learning_rate_schedule` ("constant"): "linear" and "cosine" lead down to a tenth over `schedule_steps`
    ///   updates.
    /// - `schedule_steps` (100): the length of both schedules, in updates, from 1.
    /// - `uniform_start` (true): the policy starts without a preference, else from random weights.
    /// - `collapse_entropy` (0.02): the policy counts as `collapsed` below this share of a uniform policy's entropy,
    ///   0 to below 1.
    /// - `collapse_repeats` (20): so does one whose draws were all seen before, so many in a row, from 1.
    ///
    /// Options of one mode:
    /// - `replays` (1): in reinforce, gradient steps of an update, 1 to 1000; those after the first are on what is
    ///   imitated.
    /// - `ppo_epochs` (4): in ppo, gradient steps of an update, 1 to 1000.
    /// - `clip_ratio` (0.2): in ppo, how far an architecture's probability may move in an update, above 0 to below 1.
    /// - `surrogate` ("gp"): in guided, the model that is fitted to the trials, as of `Surrogate`.
    /// - `initial` (10): in guided, architectures that are tried first, as different as possible, 1 to 65536.
    /// - `imagined_updates` (12): in guided, updates by imagined rollouts after each trial, 0 to 10000.
    /// - `imagined_batch` (48): in guided, rollouts of each of these, 2 to 65536.
    /// - `imagined_entropy` (0.2): in guided, the weight of the entropy in these, from 0.
    /// - `candidates` (96): in guided, architectures that the policy samples to propose the most promising, 1 to
    ///   65536.
    /// - `exploration` (0.8): in original, the probability that an action is drawn uniformly, 0 to 1; × 0.99 every 20
    ///   updates while above 0.5.
    /// - `discount_factor` (0.99): in original, the discount of earlier rewards, 0 to 1.
    /// - `labels` ("encoding"): in original, the label of the cross-entropy: index + 1 at the chosen index, or
    ///   "one_hot".
    ///
    /// ```rhai
    /// let space = StateSpace();
    /// space.add_state("kernel", [1, 3]);
    /// let controller = Controller(4, space, #{ controller_cells: 32, embedding_dim: 20 });
    /// let careful = Controller(4, space, #{
    ///     mode: "ppo", batch_size: 4, baseline: "leave_one_out", entropy_weight: 0.1, entropy_final: 0.0,
    ///     learning_rate_schedule: "cosine", schedule_steps: 50,
    /// });
    /// // REINFORCE as its paper has it.
    /// let plain = Controller(4, space, #{
    ///     novel: false, imitation: 0.0, normalize: "none", learning_rate: 0.006, entropy_weight: 0.002,
    /// });
    /// ```
    #[rhai_fn(name = "Controller", return_raw, volatile)]
    pub fn with(
        ctx: NativeCallContext,
        layers: i64,
        space: Space,
        options: Map,
    ) -> Scripted<Policy> {
        let host = Host::of(&ctx)?;
        let layers = count("number of layers", layers)?;
        let options = Options::new("Controller", &options)?;
        let config = config(&host, &options)?;
        affordable(&space, layers, &config).map_err(raise)?;
        let (seed, keeping) = host.next_controller();
        let controller = Controller::new(space.get(), layers, config, &host.device(), seed);
        keeping.decides(&host, &space.get(), layers);
        Ok(Policy(Arc::new(Shared {
            controller: Mutex::new(controller.map_err(raise)?),
            keeping,
            warned: AtomicBool::new(false),
        })))
    }

    /// The next architecture to try.
    ///
    /// ```rhai
    /// let space = StateSpace();
    /// space.add_state("kernel", [1, 3]);
    /// let controller = Controller(4, space);
    /// print(controller.get_action().values);
    /// ```
    #[rhai_fn(return_raw, pure, volatile)]
    pub fn get_action(controller: &mut Policy) -> Scripted<Actions> {
        controller
            .0
            .controller
            .lock()
            .get_action(None)
            .map_err(raise)
    }

    /// The next architecture to try, after `state`: in original mode it enters the network, in
    /// the others it is only checked to be of the same space.
    ///
    /// ```rhai
    /// let space = StateSpace();
    /// space.add_state("kernel", [1, 3]);
    /// let controller = Controller(4, space);
    /// let actions = controller.get_action(space.get_random_state_space(4));
    /// ```
    #[rhai_fn(name = "get_action", return_raw, pure, volatile)]
    pub fn get_action_after(controller: &mut Policy, state: Actions) -> Scripted<Actions> {
        let mut controller = controller.0.controller.lock();
        controller.get_action(Some(&state)).map_err(raise)
    }

    /// Keeps actions and their reward for the next `train_step`.
    ///
    /// ```rhai
    /// let space = StateSpace();
    /// space.add_state("kernel", [1, 3]);
    /// let controller = Controller(4, space);
    /// controller.store_rollout(controller.get_action(), 0.97);
    /// ```
    #[rhai_fn(return_raw, pure, volatile)]
    pub fn store_rollout(
        controller: &mut Policy,
        actions: Actions,
        reward: Dynamic,
    ) -> Scripted<()> {
        let reward = number("store_rollout: reward", &reward)?;
        let mut controller = controller.0.controller.lock();
        controller.store_rollout(&actions, reward).map_err(raise)
    }

    /// Updates the policy from the stored rollouts and returns the loss; `()` while a mini-batch
    /// is not full.
    ///
    /// ```rhai
    /// let space = StateSpace();
    /// space.add_state("kernel", [1, 3]);
    /// let controller = Controller(4, space);
    /// let actions = controller.get_action();
    /// controller.store_rollout(actions, 0.05);
    /// let loss = controller.train_step();
    /// ```
    #[rhai_fn(return_raw, pure, volatile)]
    pub fn train_step(ctx: NativeCallContext, controller: &mut Policy) -> Scripted<Dynamic> {
        let host = Host::of(&ctx)?;
        let working = host.meter().work();
        let mut inner = controller.0.controller.lock();
        let Some(update) = inner.train_step().map_err(raise)? else {
            return Ok(Dynamic::UNIT);
        };
        working.renews();
        if update.collapsed && !controller.0.warned.swap(true, Ordering::Relaxed) {
            host.progress().note(&format!(
                "the controller has collapsed after {} updates: it would sample what it has seen",
                update.step
            ));
        }
        let (keeping, steps) = (&controller.0.keeping, std::iter::once(update.step));
        let policy = keeping.picture(&host, steps, || inner.probabilities(None));
        let step = Step {
            number: update.step,
            scalars: scalars(&update),
            policy: policy.map_err(raise)?,
        };
        drop(inner);
        let shared = controller.0.clone();
        let kept = keeping.keep(&host, vec![step], shared);
        kept.map_err(raise)?;
        Ok(update.loss.into())
    }

    /// For each decision the probability of each value, as the policy is now.
    ///
    /// ```rhai
    /// let space = StateSpace();
    /// space.add_state("kernel", [1, 3]);
    /// let controller = Controller(2, space);
    /// print(controller.probabilities());   // [[0.5, 0.5], [0.5, 0.5]]
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn probabilities(controller: &mut Policy) -> Scripted<Array> {
        let all = controller
            .0
            .controller
            .lock()
            .probabilities(None)
            .map_err(raise)?;
        let decision = |p: Vec<f64>| p.into_iter().map(Dynamic::from_float).collect::<Array>();
        Ok(all.into_iter().map(|p| decision(p).into()).collect())
    }

    /// The probability of one architecture, as the policy is now.
    ///
    /// ```rhai
    /// let space = StateSpace();
    /// space.add_state("kernel", [1, 3]);
    /// let controller = Controller(2, space);
    /// print(controller.probability_of(space.actions([3, 3])));   // 0.25
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn probability_of(controller: &mut Policy, actions: Actions) -> Scripted<f64> {
        let controller = controller.0.controller.lock();
        controller.probability_of(&actions).map_err(raise)
    }

    /// Discounts rewards, the latest last: the running sum restarts at every reward that is not
    /// zero, as in the original.
    ///
    /// ```rhai
    /// let space = StateSpace();
    /// space.add_state("kernel", [1, 3]);
    /// let controller = Controller(4, space, #{ discount_factor: 0.5 });
    /// print(controller.discount_rewards([0.0, 1.0]));   // [0.5, 1.0]
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn discount_rewards(controller: &mut Policy, rewards: Array) -> Scripted<Array> {
        let rewards = rewards.iter().map(|r| number("discount_rewards", r));
        let rewards = rewards.collect::<Scripted<Vec<f64>>>()?;
        let factor = controller.0.controller.lock().config().discount_factor;
        let discounted = super::discount_rewards(&rewards, factor);
        Ok(discounted.into_iter().map(Dynamic::from_float).collect())
    }

    /// The entropy of the policy in nats: 0 where it always samples the same architecture, the natural
    /// logarithm of `space.cardinality(layers)` where it samples all alike. The mean over 128
    /// architectures sampled from it of the entropies of their decisions, added up; the same for the
    /// same weights.
    /// In original mode that of the softmax outputs along the most probable path, without the
    /// exploration.
    ///
    /// ```rhai
    /// let space = StateSpace();
    /// space.add_state("kernel", [1, 3]);
    /// let controller = Controller(4, space);
    /// print(controller.entropy);   // near 4 ln(2) = 2.77 at the start
    /// ```
    #[rhai_fn(get = "entropy", return_raw, pure)]
    pub fn entropy(controller: &mut Policy) -> Scripted<f64> {
        controller.0.controller.lock().entropy().map_err(raise)
    }

    /// Whether the policy has collapsed, as of the last update: its entropy is below `collapse_entropy` of
    /// a uniform policy's, or the first draws of `collapse_repeats` calls of `get_action` in a row had all
    /// been seen before. The first time, a line on standard error says so. With `novel` the search goes
    /// on with what is nearest to the policy's favourites; a higher `entropy_weight` keeps it open.
    ///
    /// ```rhai
    /// let space = StateSpace();
    /// space.add_state("kernel", [1, 3]);
    /// let controller = Controller(4, space);
    /// if controller.collapsed { print("it has settled"); }
    /// ```
    #[rhai_fn(get = "collapsed", pure)]
    pub fn collapsed(controller: &mut Policy) -> bool {
        controller.0.controller.lock().collapsed()
    }

    /// The number of rollouts that an update learns from: so many architectures may be trained side by
    /// side.
    #[rhai_fn(get = "batch_size", pure)]
    pub fn batch_size(controller: &mut Policy) -> i64 {
        controller.0.controller.lock().config().batch_size() as i64
    }

    /// The probability of a random architecture in original mode.
    #[rhai_fn(get = "exploration", pure)]
    pub fn exploration(controller: &mut Policy) -> f64 {
        controller.0.controller.lock().exploration()
    }

    /// The learning rate of the next update.
    #[rhai_fn(get = "learning_rate", pure)]
    pub fn learning_rate(controller: &mut Policy) -> f64 {
        controller.0.controller.lock().learning_rate()
    }

    /// The number of updates so far.
    #[rhai_fn(get = "step", pure)]
    pub fn step(controller: &mut Policy) -> i64 {
        controller.0.controller.lock().step() as i64
    }

    /// The moving average that advantages are measured against, of rewards as `normalize` turns them; `()`
    /// before the first.
    #[rhai_fn(get = "baseline", pure)]
    pub fn baseline(controller: &mut Policy) -> Dynamic {
        let baseline = controller.0.controller.lock().baseline();
        baseline.map_or(Dynamic::UNIT, Dynamic::from_float)
    }

    /// Saves weights, optimizer, baseline, what was seen, random state and step in one
    /// `.safetensors` file below the script's folder.
    ///
    /// ```rhai
    /// let space = StateSpace();
    /// space.add_state("kernel", [1, 3]);
    /// let controller = Controller(2, space);
    /// controller.save("policy.safetensors");
    /// ```
    #[rhai_fn(return_raw, pure, volatile)]
    pub fn save(ctx: NativeCallContext, controller: &mut Policy, path: &str) -> Scripted<()> {
        let host = Host::of(&ctx)?;
        let path = save_path(&host, path)?;
        controller.0.controller.lock().save(&path).map_err(raise)?;
        written(&host, &path)
    }

    /// Loads what `save` wrote; a file that does not fit this controller is an error that says
    /// what differs.
    ///
    /// ```rhai
    /// let space = StateSpace();
    /// space.add_state("kernel", [1, 3]);
    /// let controller = Controller(2, space);
    /// controller.save("policy.safetensors");
    /// let again = Controller(2, space);
    /// again.load("policy.safetensors");
    /// ```
    #[rhai_fn(return_raw, pure, volatile)]
    pub fn load(ctx: NativeCallContext, controller: &mut Policy, path: &str) -> Scripted<()> {
        let path = Host::of(&ctx)?.saved(path).map_err(raise)?;
        controller.0.controller.lock().load(&path).map_err(raise)
    }

    /// The controller in a line.
    #[rhai_fn(
        name = "to_string",
        name = "print",
        name = "to_debug",
        name = "debug",
        pure
    )]
    pub fn show(controller: &mut Policy) -> String {
        let controller = controller.0.controller.lock();
        let (layers, step) = (controller.layers(), controller.step());
        format!("Controller for {layers} layers after {step} updates")
    }
}
