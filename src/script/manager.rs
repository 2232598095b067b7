//! `NetworkManager` for scripts.

use std::sync::Arc;

use parking_lot::Mutex;
use rhai::plugin::*;
use rhai::{Array, Dynamic, Engine, FnPtr, Map, NativeCallContext};

use super::limits::within;
use super::meter::Busy;
use super::network::{nodes_of, whole};
use super::options::Options;
use super::outcome::Outcome;
use super::settle::candidate;
use super::{Host, Scripted, raise, shared};
use crate::child::Weights;
use crate::child::check_precision;
use crate::data::Dataset;
use crate::error::Error;
use crate::evaluation::TrainingConfig;
use crate::manager::{ManagerConfig, NetworkManager, Terms, Training};
use crate::network::{Network, Node, TrainingStep};
use crate::space::Actions;

/// A script's handle of a manager: copies share it.
#[derive(Clone)]
pub(super) struct Manager(pub(super) Arc<Shared>);

pub(super) struct Shared {
    pub manager: Mutex<NetworkManager>,
    /// The script's own reward function. It has a lock of its own, so that it may call the
    /// manager.
    pub reward: Mutex<Option<FnPtr>>,
    /// What the script does about failures.
    pub on_failure: Mutex<Option<FnPtr>>,
    /// What makes the key of a table's row of actions.
    pub encode: Option<FnPtr>,
    /// Held while children train beside the script.
    pub busy: Mutex<Option<Busy>>,
}

pub(super) fn register(engine: &mut Engine) {
    engine.register_type_with_name::<Manager>("NetworkManager");
    engine.register_global_module(exported_module!(managers).into());
}

/// # NetworkManager
///
/// What makes networks into outcomes: it trains them, or answers from what the study knows or from a table.
///
/// ```rhai
/// let manager = NetworkManager(dataset("digits", #{ train: 200 }), #{ epochs: 1 });
/// print(manager);                     // NetworkManager on digits: 1 epochs, batch size 128
/// print(manager.epochs);              // 1
/// manager.submit(input([1, 8, 8]).flatten().dense(10));
/// print(manager.pending);             // 1
/// let outcome = manager.next();
/// print(outcome.accuracy);
/// print(manager.pending);             // 0
/// print(manager.moving_accuracy);
/// print(manager.sharing);             // nothing: no weights are shared
/// ```
#[export_module]
mod managers {
    /// A manager that trains networks on `data`: epochs over the training images, then the accuracy on the validation
    /// images.
    #[rhai_fn(name = "NetworkManager", return_raw, volatile)]
    pub fn new(ctx: NativeCallContext, data: Dataset) -> Scripted<Manager> {
        with(ctx, data, Map::new())
    }

    /// Options of the training:
    /// - `epochs` (10): how often a child sees the training images, from 1.
    /// - `batch_size` (128): images of an update, from 1.
    /// - `optimizer` ("adam"): "adam" (β 0.9 and 0.999, ε 1e-7, as in Keras) or "sgd".
    /// - `learning_rate` (0.001): at the start, above 0.
    /// - `momentum` (0.9): of "sgd", 0 to below 1.
    /// - `schedule` ("constant"): of the learning rate: "cosine" (down to 0, batch by batch, arXiv 1608.03983) or
    ///   "step".
    /// - `step_size` (30): epochs from one step of "step" to the next, from 1.
    /// - `step_gamma` (0.1): the factor of each step, above 0 to 1.
    /// - `weight_decay` (0.0): L2 penalty, from 0, added to the gradient as in PyTorch's `Adam` and `SGD`.
    /// - `label_smoothing` (0.0): share of the target that is spread over all classes, 0 to below 1.
    /// - `flip` (false): training images are mirrored at random.
    /// - `pad_crop` (0): pixels of padding before a random crop to the image's size; 0 crops nothing.
    /// - `precision` ("f32"): or "bf16", 16-bit activations, where the device computes in it.
    /// - `patience` (none): ends a training after so many epochs in a row without a better one, from 1.
    /// - `checkpoints` (true where the study is stored): each child leaves a checkpoint, from which more epochs of it
    ///   go on: see `evaluate`. It takes 2 to 4 copies of the weights.
    /// - `shared_weights` (false): children share parameters: true, "slices" (the same) or "shapes", see
    ///   `train_shared`.
    ///
    /// Options of the reward:
    /// - `acc_beta` (0.8): weight of the past in the moving average of accuracies that a reward is measured against,
    ///   0 to below 1.
    /// - `clip_rewards` (false): true clips rewards to ±0.05, a number above 0 to ± that; they never leave ±0.1.
    /// - `failure_reward` (the lowest that clipping allows): the reward of a failed child.
    /// - `repeats` (1): seeds that each network is evaluated from, 1 to 1000; its accuracy is their mean.
    ///
    /// Options that end or refuse a child:
    /// - `timeout` (none): seconds that a child may train, above 0; beyond, it is a failure of the kind "timeout".
    /// - `median_stop` (false): ends a child whose best accuracy is below the median of the trials before it.
    /// - `max_params` (none): parameters that a child may have, from 1; one with more is a failure of the kind
    ///   "limit", and is not trained.
    /// - `max_macs` (none): so too its multiply-accumulate operations for one image.
    /// - `max_memory` (none): so too the bytes that its training takes, as `net.memory` at this batch size and
    ///   optimizer.
    ///
    /// ```rhai
    /// let manager = NetworkManager(dataset("digits"), #{ epochs: 3, batch_size: 64 });
    /// ```
    #[rhai_fn(name = "NetworkManager", return_raw, volatile)]
    pub fn with(ctx: NativeCallContext, data: Dataset, options: Map) -> Scripted<Manager> {
        let host = Host::of(&ctx)?;
        let options = Options::new("NetworkManager", &options)?;
        let training: TrainingConfig = options.part(TrainingConfig::OPTIONS)?;
        check_precision(training.precision, &host.device()).map_err(raise)?;
        let limits = host.limits();
        let epochs = training.epochs as u64;
        within("epochs", "epochs", limits.epochs, epochs).map_err(raise)?;
        let config = limits
            .bound(options.part(ManagerConfig::OPTIONS)?)
            .map_err(raise)?;
        let training = Training {
            data,
            config: training,
            executor: host.executor(),
            files: host.files().cloned(),
        };
        let study = host.study().clone();
        let manager = match shared::sharing(&options)? {
            None => NetworkManager::new(training, config, study),
            Some(sharing) => {
                let (device, interrupted) = (host.device(), host.interrupted().clone());
                NetworkManager::sharing(training, sharing, config, &device, interrupted, study)
            }
        };
        Ok(Manager::new(manager.map_err(raise)?, None))
    }

    /// Builds `model(actions)`, trains it (or answers from the study, if the same network was
    /// trained before) and returns its outcome with the reward. A network whose shapes do not
    /// fit is a failed outcome; the search goes on.
    ///
    /// ```rhai
    /// let space = StateSpace();
    /// space.add_state("filters", [4, 8]);
    /// fn model(actions) {
    ///     input([1, 8, 8]).conv2d(actions.layers[0].filters, 3).relu().flatten().dense(10)
    /// }
    /// let manager = NetworkManager(dataset("digits", #{ train: 200 }), #{ epochs: 1 });
    /// let outcome = manager.get_rewards(model, space.actions([8]));
    /// print(outcome.reward);
    /// ```
    #[rhai_fn(return_raw, pure, volatile)]
    pub fn get_rewards(
        ctx: NativeCallContext,
        manager: &mut Manager,
        model: FnPtr,
        actions: Actions,
    ) -> Scripted<Outcome> {
        get_rewards_with(ctx, manager, model, actions, Map::new())
    }

    /// Options are those of `evaluate`: `epochs` and `repeats`, such as `#{ epochs: 3 }`.
    #[rhai_fn(name = "get_rewards", return_raw, pure, volatile)]
    pub fn get_rewards_with(
        ctx: NativeCallContext,
        manager: &mut Manager,
        model: FnPtr,
        actions: Actions,
        options: Map,
    ) -> Scripted<Outcome> {
        let terms = terms("get_rewards", &options)?;
        manager.one(&ctx, manager.built(&ctx, &model, actions)?, terms)
    }

    /// Builds a network of each of several actions, trains them as `evaluate` does, and returns their
    /// outcomes in the order of the actions.
    ///
    /// ```rhai
    /// let space = StateSpace();
    /// space.add_state("filters", [4, 8]);
    /// fn model(actions) {
    ///     input([1, 8, 8]).conv2d(actions.layers[0].filters, 3).relu().flatten().dense(10)
    /// }
    /// let manager = NetworkManager(dataset("digits", #{ train: 200 }), #{ epochs: 1 });
    /// for outcome in manager.get_rewards(model, [space.actions([4]), space.actions([8])]) {
    ///     print(outcome.reward);
    /// }
    /// ```
    #[rhai_fn(name = "get_rewards", return_raw, pure, volatile)]
    pub fn get_rewards_of_all(
        ctx: NativeCallContext,
        manager: &mut Manager,
        model: FnPtr,
        actions: Array,
    ) -> Scripted<Array> {
        get_rewards_of_all_with(ctx, manager, model, actions, Map::new())
    }

    /// `options` are those of `evaluate`, such as `#{ epochs: 3 }`.
    #[rhai_fn(name = "get_rewards", return_raw, pure, volatile)]
    pub fn get_rewards_of_all_with(
        ctx: NativeCallContext,
        manager: &mut Manager,
        model: FnPtr,
        actions: Array,
        options: Map,
    ) -> Scripted<Array> {
        let terms = terms("get_rewards", &options)?;
        let candidate = |actions: Dynamic| {
            let found = actions.type_name();
            let invalid = || raise(Error::invalid("get_rewards", "a list of actions", found));
            let actions = actions.try_cast::<Actions>().ok_or_else(invalid)?;
            manager.built(&ctx, &model, actions)
        };
        let candidates: Scripted<_> = actions.into_iter().map(candidate).collect();
        manager.all(&ctx, candidates?, terms)
    }

    /// Evaluates networks, and returns their outcomes in the order asked. Those that are not known yet
    /// are trained side by side, `--workers` at a time; a network that is asked for twice is trained
    /// once. Trials, rewards and the best are the same for any number of workers: they are made in the
    /// order asked, each as soon as its network and all before it have been trained.
    ///
    /// ```rhai
    /// let manager = NetworkManager(dataset("digits", #{ train: 200 }), #{ epochs: 1 });
    /// let nets = [4, 8].map(|filters| input([1, 8, 8]).conv2d(filters, 3).flatten().dense(10));
    /// for outcome in manager.evaluate(nets) { print(outcome.accuracy); }
    /// ```
    #[rhai_fn(return_raw, pure, volatile)]
    pub fn evaluate(
        ctx: NativeCallContext,
        manager: &mut Manager,
        networks: Array,
    ) -> Scripted<Array> {
        evaluate_with(ctx, manager, networks, Map::new())
    }

    /// Options, in place of the manager's:
    /// - `epochs` (the manager's): how often a network sees the training images, from 1.
    /// - `repeats` (the manager's): seeds that it is evaluated from, 1 to 1000; the accuracy is their mean, with its
    ///   `interval`.
    ///
    /// Where the manager keeps checkpoints, a child that had fewer epochs goes on from where it was: only the rest is
    /// trained, and the outcome is that of all epochs in one go, to the last bit on a CPU. Its history begins with
    /// the earlier epochs; its seconds are those of the rest. A cosine schedule and a linear drop path depend on the
    /// number of epochs, so their children start anew.
    ///
    /// ```rhai
    /// let options = #{ epochs: 1, checkpoints: true };
    /// let manager = NetworkManager(dataset("digits", #{ train: 200 }), options);
    /// let nets = [4, 8].map(|filters| input([1, 8, 8]).conv2d(filters, 3).flatten().dense(10));
    /// let outcomes = manager.evaluate(nets);
    /// outcomes.sort(|a, b| sign(b.accuracy - a.accuracy));
    /// let best = manager.evaluate(outcomes[0].network, #{ epochs: 3 });
    /// print(best.history.len());   // 3
    /// ```
    #[rhai_fn(name = "evaluate", return_raw, pure, volatile)]
    pub fn evaluate_with(
        ctx: NativeCallContext,
        manager: &mut Manager,
        networks: Array,
        options: Map,
    ) -> Scripted<Array> {
        let terms = terms("evaluate", &options)?;
        let networks = nodes_of("evaluate", networks)?;
        let candidates: Scripted<_> = networks.iter().map(candidate).collect();
        manager.all(&ctx, candidates?, terms)
    }

    /// Evaluates one network: trains it, or knows it already.
    ///
    /// ```rhai
    /// let manager = NetworkManager(dataset("digits", #{ train: 200 }), #{ epochs: 1 });
    /// print(manager.evaluate(input([1, 8, 8]).flatten().dense(10)).accuracy);
    /// ```
    #[rhai_fn(name = "evaluate", return_raw, pure, volatile)]
    pub fn evaluate_one(
        ctx: NativeCallContext,
        manager: &mut Manager,
        network: Node,
    ) -> Scripted<Outcome> {
        evaluate_one_with(ctx, manager, network, Map::new())
    }

    /// With the options below.
    #[rhai_fn(name = "evaluate", return_raw, pure, volatile)]
    pub fn evaluate_one_with(
        ctx: NativeCallContext,
        manager: &mut Manager,
        network: Node,
        options: Map,
    ) -> Scripted<Outcome> {
        let terms = terms("evaluate", &options)?;
        manager.one(&ctx, candidate(&network)?, terms)
    }

    /// Makes rewards with a function of the script's own: it is given an outcome that succeeded
    /// and returns a number, by which trials are then ranked too. It may not change variables
    /// that it captures.
    ///
    /// ```rhai
    /// let manager = NetworkManager(dataset("digits"), #{ failure_reward: 0.0 });
    /// manager.set_reward(|o| o.accuracy - 0.02 * log10(o.params));
    /// ```
    #[rhai_fn(return_raw, pure, volatile)]
    pub fn set_reward(manager: &mut Manager, reward: FnPtr) -> Scripted<()> {
        *manager.0.reward.lock() = Some(reward);
        Ok(())
    }

    /// Decides what becomes of a child that failed. The function is given an object with `kind`, `message` and
    /// `attempt` (from 1), and returns
    /// - `"retry"`, or `#{ retry: true, batch_size: 32 }`: train it again, from another seed and with this batch
    ///   size if one is given;
    /// - a number: the reward of the failure;
    /// - `"skip"`: no policy is to learn from it; its `reward` is `()`, and `skipped` is true;
    /// - `()`: the manager's `failure_reward`, as without this function.
    ///
    /// ```rhai
    /// let manager = NetworkManager(dataset("digits"));
    /// manager.on_failure(|f| {
    ///     if f.kind == "oom" && f.attempt < 3 { return #{ retry: true, batch_size: 32 }; }
    ///     if f.kind == "nan" { return -0.1; }
    ///     "skip"
    /// });
    /// ```
    #[rhai_fn(return_raw, pure, volatile)]
    pub fn on_failure(manager: &mut Manager, reaction: FnPtr) -> Scripted<()> {
        *manager.0.on_failure.lock() = Some(reaction);
        Ok(())
    }

    /// `tag` is a text, number or object by which the script knows the outcome again: it is the outcome's `tag`.
    ///
    /// ```rhai
    /// let manager = NetworkManager(dataset("digits", #{ train: 200 }), #{ epochs: 1 });
    /// for filters in [4, 8] {
    ///     let net = input([1, 8, 8]).conv2d(filters, 3).flatten().dense(10);
    ///     manager.submit(net, filters);
    /// }
    /// while manager.pending > 0 {
    ///     let outcome = manager.next();
    ///     print(outcome.tag + " filters: " + outcome.accuracy);
    /// }
    /// ```
    #[rhai_fn(return_raw, pure, volatile)]
    pub fn submit(
        ctx: NativeCallContext,
        manager: &mut Manager,
        network: Node,
        tag: Dynamic,
    ) -> Scripted<i64> {
        manager.submit_with(&ctx, candidate(&network)?, &tag, Terms::default())
    }

    /// Options are those of `evaluate`, `epochs` and `repeats`; the tag may be `()`.
    ///
    /// ```rhai
    /// let options = #{ epochs: 1, checkpoints: true };
    /// let manager = NetworkManager(dataset("digits", #{ train: 200 }), options);
    /// let net = input([1, 8, 8]).conv2d(4, 3).flatten().dense(10);
    /// manager.submit(net, "short");
    /// manager.next();
    /// manager.submit(net, "long", #{ epochs: 3 });   // two more epochs
    /// print(manager.next().tag);
    /// ```
    #[rhai_fn(name = "submit", return_raw, pure, volatile)]
    pub fn submit_on_terms(
        ctx: NativeCallContext,
        manager: &mut Manager,
        network: Node,
        tag: Dynamic,
        options: Map,
    ) -> Scripted<i64> {
        let terms = terms("submit", &options)?;
        manager.submit_with(&ctx, candidate(&network)?, &tag, terms)
    }

    /// Asks for a network without waiting for its outcome, which `next` returns. Returns how many outcomes are to be
    /// fetched.
    #[rhai_fn(name = "submit", return_raw, pure, volatile)]
    pub fn submit_untagged(
        ctx: NativeCallContext,
        manager: &mut Manager,
        network: Node,
    ) -> Scripted<i64> {
        submit(ctx, manager, network, Dynamic::UNIT)
    }

    /// The network that `model` makes of `actions`, with a tag.
    ///
    /// ```rhai
    /// let space = StateSpace();
    /// space.add_state("filters", [4, 8]);
    /// let model = |actions| input([1, 8, 8]).conv2d(actions.layers[0].filters, 3).flatten().dense(10);
    /// let manager = NetworkManager(dataset("digits", #{ train: 200 }), #{ epochs: 1 });
    /// manager.submit(model, space.actions([8]), "eight");
    /// print(manager.next().tag);   // eight
    /// ```
    #[rhai_fn(name = "submit", return_raw, pure, volatile)]
    pub fn submit_actions(
        ctx: NativeCallContext,
        manager: &mut Manager,
        model: FnPtr,
        actions: Actions,
        tag: Dynamic,
    ) -> Scripted<i64> {
        submit_actions_on_terms(ctx, manager, model, actions, tag, Map::new())
    }

    /// `options` are those of `evaluate`; the tag may be `()`.
    #[rhai_fn(name = "submit", return_raw, pure, volatile)]
    pub fn submit_actions_on_terms(
        ctx: NativeCallContext,
        manager: &mut Manager,
        model: FnPtr,
        actions: Actions,
        tag: Dynamic,
        options: Map,
    ) -> Scripted<i64> {
        let terms = terms("submit", &options)?;
        manager.submit_with(&ctx, manager.built(&ctx, &model, actions)?, &tag, terms)
    }

    /// Asks for the network that `model` makes of `actions`.
    #[rhai_fn(name = "submit", return_raw, pure, volatile)]
    pub fn submit_actions_untagged(
        ctx: NativeCallContext,
        manager: &mut Manager,
        model: FnPtr,
        actions: Actions,
    ) -> Scripted<i64> {
        submit_actions(ctx, manager, model, actions, Dynamic::UNIT)
    }

    /// The outcome of the submitted network that finishes next; waits for it. `()` where none is left. A resumed
    /// study returns them in the order in which they came the first time.
    ///
    /// ```rhai
    /// let manager = NetworkManager(dataset("digits", #{ train: 200 }), #{ epochs: 1 });
    /// manager.submit(input([1, 8, 8]).flatten().dense(10));
    /// print(manager.next().accuracy);
    /// print(manager.next());   // nothing: there is no other
    /// ```
    #[rhai_fn(return_raw, pure, volatile)]
    pub fn next(ctx: NativeCallContext, manager: &mut Manager) -> Scripted<Dynamic> {
        manager.fetch(&ctx)
    }

    /// How many outcomes of submitted networks are to be fetched by `next`.
    #[rhai_fn(get = "pending", pure)]
    pub fn pending(manager: &mut Manager) -> i64 {
        manager.0.manager.lock().pending() as i64
    }

    /// The accuracy of a network on the *test* images, which no search sees. The best of the study has
    /// the epochs that made it the best, another network those of the manager.
    ///
    /// ```rhai
    /// let manager = NetworkManager(dataset("digits", #{ train: 200 }), #{ epochs: 1 });
    /// print(manager.test(input([1, 8, 8]).flatten().dense(10)));
    /// ```
    #[rhai_fn(return_raw, pure, volatile)]
    pub fn test(ctx: NativeCallContext, manager: &mut Manager, network: Node) -> Scripted<f64> {
        let host = Host::of(&ctx)?;
        let network = whole(&network)?;
        let step = TrainingStep::default();
        host.limits().child(&network, &step).map_err(raise)?;
        let _working = host.meter().work();
        let score = manager.0.manager.lock().test(&network);
        score.map(|score| score.accuracy).map_err(raise)
    }

    /// How many epochs a network is trained where a call does not say otherwise; 1 where a table answers, which
    /// knows trainings of one length.
    #[rhai_fn(get = "epochs", pure)]
    pub fn epochs(manager: &mut Manager) -> i64 {
        let manager = manager.0.manager.lock();
        manager.training().map_or(1, |t| t.config.epochs as i64)
    }

    /// The moving average of accuracies that rewards are measured against; `()` before the first.
    #[rhai_fn(get = "moving_accuracy", pure)]
    pub fn moving_accuracy(manager: &mut Manager) -> Dynamic {
        let moving = manager.0.manager.lock().moving_accuracy();
        moving.map_or(Dynamic::UNIT, Dynamic::from_float)
    }

    /// The manager in a line.
    #[rhai_fn(
        name = "to_string",
        name = "print",
        name = "to_debug",
        name = "debug",
        pure
    )]
    pub fn show(manager: &mut Manager) -> String {
        let manager = manager.0.manager.lock();
        if let Some(table) = manager.table() {
            return format!("BenchmarkTable {}: {} rows", table.name(), table.len());
        }
        let shared = manager.shared();
        let training = shared.map_or_else(|| manager.training(), |shared| Ok(shared.training()));
        match training {
            Ok(Training { data, config, .. }) => {
                let (epochs, batch) = (config.epochs, config.batch_size);
                let data = data.name();
                let shared = if shared.is_some() {
                    ", shared weights"
                } else {
                    ""
                };
                format!("NetworkManager on {data}: {epochs} epochs, batch size {batch}{shared}")
            }
            Err(error) => error.to_string(),
        }
    }
}

/// How the options of the call `of` want networks evaluated.
fn terms(of: &str, options: &Map) -> Scripted<Terms> {
    Options::new(of, options)?.all()
}

/// A float from a script's number.
pub(super) fn number(what: &str, value: &Dynamic) -> Scripted<f64> {
    let float = value
        .as_float()
        .or_else(|_| value.as_int().map(|n| n as f64));
    float.map_err(|found| raise(Error::invalid(what, "a number", found)))
}

impl Manager {
    pub(super) fn new(manager: NetworkManager, encode: Option<FnPtr>) -> Self {
        Self(Arc::new(Shared {
            manager: Mutex::new(manager),
            reward: Mutex::default(),
            on_failure: Mutex::default(),
            encode,
            busy: Mutex::default(),
        }))
    }

    /// The trained weights of `network`, for `purpose`.
    pub(super) fn weights(&self, network: &Network, purpose: &str) -> Scripted<Weights> {
        let manager = self.0.manager.lock();
        manager.weights(network, purpose).map_err(raise)
    }
}
