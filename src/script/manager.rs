//! `NetworkManager` for scripts.

use std::num::NonZero;
use std::sync::Arc;

use parking_lot::Mutex;
use rhai::plugin::*;
use rhai::{Array, Dynamic, Engine, FnPtr, Map, Module, NativeCallContext};

use super::network::{nodes_of, whole};
use super::options::Options;
use super::outcome::Outcome;
use super::{Host, Scripted, raise, raised_kind};
use crate::child::Weights;
use crate::child::check_precision;
use crate::data::Dataset;
use crate::error::Error;
use crate::evaluation::TrainingConfig;
use crate::manager::{Candidate, Evaluated, ManagerConfig, NetworkManager};
use crate::network::{Network, Node};
use crate::space::Actions;

/// A script's handle of a manager: copies share it.
#[derive(Clone)]
pub(super) struct Manager(Arc<Shared>);

struct Shared {
    manager: Mutex<NetworkManager>,
    /// The script's own reward function. It has a lock of its own, so that it may call the
    /// manager.
    reward: Mutex<Option<FnPtr>>,
}

pub(super) fn register(engine: &mut Engine) {
    engine.register_type_with_name::<Manager>("NetworkManager");
    engine.register_global_module(exported_module!(managers).into());
}

#[export_module]
mod managers {
    /// A manager that trains networks on `data` with the default settings.
    #[rhai_fn(name = "NetworkManager", return_raw, volatile)]
    pub fn new(ctx: NativeCallContext, data: Dataset) -> Scripted<Manager> {
        with(ctx, data, Map::new())
    }

    /// A manager that trains networks on `data`. Options of the training: `epochs` (10),
    /// `batch_size` (128), `optimizer` ("adam" or "sgd"), `learning_rate` (1e-3), `momentum`
    /// (0.9, for sgd), `schedule` ("constant", "cosine" or "step"), `step_size`, `step_gamma`,
    /// `weight_decay` (0), `label_smoothing` (0), `flip` (false), `pad_crop` (0), `precision`
    /// ("f32", or "bf16" where the device computes in it), `patience` (epochs without a better one; none).
    /// Options of the reward: `acc_beta` (0.8), `clip_rewards` (false), `failure_reward` (the lowest reward),
    /// `timeout` (seconds a child; none). A network beyond `max_params`, `max_macs` (one image) or
    /// `max_memory` (bytes, as `net.memory`, at this batch size and optimizer) is a failed outcome
    /// of the kind "limit", and is not trained. With `checkpoints` (false) each child leaves a
    /// checkpoint in the run's folder, so that more epochs of it go on from there: see `evaluate`.
    ///
    /// ```rhai
    /// let manager = NetworkManager(dataset("digits"), #{ epochs: 3, batch_size: 64 });
    /// ```
    #[rhai_fn(name = "NetworkManager", return_raw, volatile)]
    pub fn with(ctx: NativeCallContext, data: Dataset, options: Map) -> Scripted<Manager> {
        let host = Host::of(&ctx)?;
        let known = [TrainingConfig::OPTIONS, ManagerConfig::OPTIONS];
        let options = Options::new("NetworkManager", &options, &known)?;
        let training: TrainingConfig = options.part(known[0])?;
        check_precision(training.precision, host.device()).map_err(raise)?;
        let config = options.part(known[1])?;
        let executor = host.executor().clone();
        let study = host.study().clone();
        let manager = NetworkManager::new(data, training, config, study, executor);
        Ok(Manager(Arc::new(Shared {
            manager: Mutex::new(manager.map_err(raise)?),
            reward: Mutex::default(),
        })))
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

    /// The same with the options of `evaluate`.
    #[rhai_fn(name = "get_rewards", return_raw, pure, volatile)]
    pub fn get_rewards_with(
        ctx: NativeCallContext,
        manager: &mut Manager,
        model: FnPtr,
        actions: Actions,
        options: Map,
    ) -> Scripted<Outcome> {
        let epochs = epochs("get_rewards", &options)?;
        let candidate = built(&ctx, &model, actions)?;
        manager.one(&ctx, candidate, epochs)
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

    /// The same with the options of `evaluate`.
    #[rhai_fn(name = "get_rewards", return_raw, pure, volatile)]
    pub fn get_rewards_of_all_with(
        ctx: NativeCallContext,
        manager: &mut Manager,
        model: FnPtr,
        actions: Array,
        options: Map,
    ) -> Scripted<Array> {
        let epochs = epochs("get_rewards", &options)?;
        let candidate = |actions: Dynamic| {
            let found = actions.type_name();
            let invalid = || raise(Error::invalid("get_rewards", "a list of actions", found));
            let actions = actions.try_cast::<Actions>().ok_or_else(invalid)?;
            built(&ctx, &model, actions)
        };
        let candidates: Scripted<_> = actions.into_iter().map(candidate).collect();
        manager.all(&ctx, candidates?, epochs)
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

    /// Evaluates networks over so many `epochs`, instead of the manager's. Where the manager keeps
    /// checkpoints, a child that had fewer epochs goes on from where it was: only the rest is trained, and
    /// the outcome is that of all epochs in one go, to the last bit on a CPU. Its history begins with the
    /// earlier epochs; its seconds are those of the rest. A cosine schedule and a linear drop path depend
    /// on the number of epochs, so their children start anew.
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
        let epochs = epochs("evaluate", &options)?;
        let networks = nodes_of("evaluate", networks)?;
        let candidates: Scripted<_> = networks.iter().map(candidate).collect();
        manager.all(&ctx, candidates?, epochs)
    }

    /// Evaluates one network.
    #[rhai_fn(name = "evaluate", return_raw, pure, volatile)]
    pub fn evaluate_one(
        ctx: NativeCallContext,
        manager: &mut Manager,
        network: Node,
    ) -> Scripted<Outcome> {
        evaluate_one_with(ctx, manager, network, Map::new())
    }

    /// Evaluates one network over so many `epochs`.
    #[rhai_fn(name = "evaluate", return_raw, pure, volatile)]
    pub fn evaluate_one_with(
        ctx: NativeCallContext,
        manager: &mut Manager,
        network: Node,
        options: Map,
    ) -> Scripted<Outcome> {
        let epochs = epochs("evaluate", &options)?;
        manager.one(&ctx, candidate(&network)?, epochs)
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

    /// The accuracy of a network on the *test* images, which no search sees. The best of the study has
    /// the epochs that made it the best, another network those of the manager.
    ///
    /// ```rhai
    /// let manager = NetworkManager(dataset("digits", #{ train: 200 }), #{ epochs: 1 });
    /// print(manager.test(input([1, 8, 8]).flatten().dense(10)));
    /// ```
    #[rhai_fn(return_raw, pure, volatile)]
    pub fn test(manager: &mut Manager, network: Node) -> Scripted<f64> {
        let network = whole(&network)?;
        let score = manager.0.manager.lock().test(&network);
        score.map(|score| score.accuracy).map_err(raise)
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
        let (data, training) = (manager.data().name(), manager.training());
        let (epochs, batch) = (training.epochs, training.batch_size);
        format!("NetworkManager on {data}: {epochs} epochs, batch size {batch}")
    }
}

/// The epochs that the options of the call `of` ask for.
fn epochs(of: &str, options: &Map) -> Scripted<Option<NonZero<usize>>> {
    #[derive(serde::Deserialize)]
    struct Asked {
        epochs: Option<NonZero<usize>>,
    }
    let names = &["epochs"];
    let asked: Asked = Options::new(of, options, &[names])?.part(names)?;
    Ok(asked.epochs)
}

/// A network of a script's own.
fn candidate(network: &Node) -> Scripted<Candidate> {
    Ok(Candidate {
        network: Ok(whole(network)?),
        actions: None,
        epochs: None,
    })
}

/// The network that `model` makes of `actions`.
fn built(ctx: &NativeCallContext, model: &FnPtr, actions: Actions) -> Scripted<Candidate> {
    let network = match call_home(ctx, model, Dynamic::from(actions.clone())) {
        Ok(net) => {
            let found = net.type_name();
            let expected = "a function that returns a network";
            let invalid = || raise(Error::invalid("model", expected, found));
            Ok(whole(&net.try_cast::<Node>().ok_or_else(invalid)?)?)
        }
        Err(error) => match raised_kind(&error) {
            Some((kind, message)) if kind == "shape" => Err(message),
            _ => return Err(error),
        },
    };
    Ok(Candidate {
        network,
        actions: Some(actions),
        epochs: None,
    })
}

impl Manager {
    /// The outcomes of `candidates`, in their order, over so many `epochs` or the manager's.
    fn all(
        &self,
        ctx: &NativeCallContext,
        mut candidates: Vec<Candidate>,
        epochs: Option<NonZero<usize>>,
    ) -> Scripted<Array> {
        let host = Host::of(ctx)?;
        candidates.iter_mut().for_each(|c| c.epochs = epochs);
        let answers = self.0.manager.lock().evaluate(candidates);
        let mut answers = answers.map_err(raise)?;
        let settle = |evaluated: Result<Evaluated, Error>| {
            let outcome = self.settle(ctx, &host, evaluated.map_err(raise)?)?;
            Ok(Dynamic::from(outcome))
        };
        let outcomes: Scripted<Array> = answers.by_ref().map(settle).collect();
        if outcomes.is_err() && host.check_interrupt().is_err() {
            // Children that had ended after the one that was stopped are trials as well.
            answers.stop();
            let ended = answers.filter(Result::is_ok);
            host.regardless(|| ended.map(settle).collect::<Scripted<Array>>())?;
        }
        outcomes
    }

    fn one(
        &self,
        ctx: &NativeCallContext,
        candidate: Candidate,
        epochs: Option<NonZero<usize>>,
    ) -> Scripted<Outcome> {
        let outcome = self.all(ctx, vec![candidate], epochs)?.pop();
        let outcome = outcome.and_then(Dynamic::try_cast);
        outcome.ok_or_else(|| "an evaluation without an outcome".into())
    }

    /// Makes a trial of `evaluated`, with the script's own reward function if there is one.
    fn settle(
        &self,
        ctx: &NativeCallContext,
        host: &Host,
        evaluated: Evaluated,
    ) -> Scripted<Outcome> {
        let reward = self.0.reward.lock().clone();
        let value = match reward {
            Some(reward) if evaluated.outcome.failure.is_none() => {
                let preview = self.0.manager.lock().preview(&evaluated);
                let value = call_home(ctx, &reward, Dynamic::from(Outcome::new(preview)))?;
                Some(number("set_reward", &value)?)
            }
            _ => None,
        };
        let mut manager = self.0.manager.lock();
        let trial = manager.record(evaluated, value).map_err(raise)?;
        let study = host.study().lock();
        host.progress().recorded(&study);
        if study.best().map(|best| best.number) == Some(trial.number) {
            host.exports().lock().keep_best(manager.best());
        }
        Ok(Outcome::new(trial))
    }

    /// The trained weights of `network`, for `purpose`.
    pub(super) fn weights(&self, network: &Network, purpose: &str) -> Scripted<Weights> {
        let manager = self.0.manager.lock();
        manager.weights(network, purpose).map_err(raise)
    }
}

/// Calls `function` with the functions of the file that defines it, not with those of the recipe
/// that it was handed to, which may have others of the same names.
fn call_home(ctx: &NativeCallContext, function: &FnPtr, argument: Dynamic) -> Scripted<Dynamic> {
    let mut global = ctx.global_runtime_state().clone();
    let arity = function.curry().len() + 1;
    let defines = |library: &&rhai::Shared<Module>| {
        let defined = library.get_script_fn(function.fn_name(), arity);
        defined.is_some()
    };
    let mut homes: Vec<_> = global.lib.iter().filter(defines).cloned().collect();
    homes.dedup_by(|a, b| rhai::Shared::ptr_eq(a, b));
    match &homes[..] {
        [home] => {
            global.source = home.id().map(Into::into);
            global.lib = std::iter::once(home.clone()).collect();
        }
        // Rhai's own error says that there is no such function.
        [] => {}
        _ => {
            let name = function.fn_name();
            let found = format!("'{name}'; pass another name or a closure");
            let expected = "a name that only one file defines";
            return Err(raise(Error::invalid("function", expected, found)));
        }
    }
    let (engine, called, position) = (ctx.engine(), ctx.fn_name(), ctx.call_position());
    let source = global.source.as_deref();
    let home = NativeCallContext::new_with_all_fields(engine, called, source, &global, position);
    function.call_within_context(&home, (argument,))
}

/// A float from a script's number.
pub(super) fn number(what: &str, value: &Dynamic) -> Scripted<f64> {
    let float = value
        .as_float()
        .or_else(|_| value.as_int().map(|n| n as f64));
    float.map_err(|found| raise(Error::invalid(what, "a number", found)))
}
