//! Weight sharing for scripts: what a manager with `shared_weights` offers, and how rankings are compared.

use std::num::NonZero;
use std::sync::Arc;

use rhai::plugin::*;
use rhai::{Array, Dynamic, Engine, FnPtr, Map, NativeCallContext};

use super::limits::guard;
use super::manager::{Manager, number};
use super::options::Options;
use super::settle::network;
use super::{Host, Scripted, raise};
use crate::child::Sharing;
use crate::error::Error;
use crate::evaluation::kendall_tau;
use crate::network::{Network, TrainingStep};
use crate::space::Actions;

/// The options of `NetworkManager` that are of weight sharing.
pub(super) const OPTIONS: &[&str] = &["shared_weights"];

/// How children share weights by `options`, if they do.
pub(super) fn sharing(options: &Options) -> Scripted<Option<Sharing>> {
    #[derive(serde::Deserialize)]
    #[serde(untagged)]
    enum Wanted {
        Switch(bool),
        Name(String),
    }
    #[derive(serde::Deserialize)]
    struct Part {
        shared_weights: Option<Wanted>,
    }
    let part: Part = options.part(OPTIONS)?;
    match part.shared_weights {
        None | Some(Wanted::Switch(false)) => Ok(None),
        Some(Wanted::Switch(true)) => Ok(Some(Sharing::Slices)),
        Some(Wanted::Name(name)) => match name.as_str() {
            "slices" => Ok(Some(Sharing::Slices)),
            "shapes" => Ok(Some(Sharing::Shapes)),
            _ => {
                let expected = "true, false, \"slices\" or \"shapes\"";
                Err(raise(Error::invalid(
                    "option 'shared_weights'",
                    expected,
                    name,
                )))
            }
        },
    }
}

pub(super) fn register(engine: &mut Engine) {
    engine.register_global_module(exported_module!(sharing_weights).into());
}

#[export_module]
mod sharing_weights {
    /// Trains the shared weights by one update of each network that `model` makes of `actions`, in turn, each on the
    /// next mini-batch of training images. Returns an object with the mean `loss` and `accuracy` of the
    /// mini-batches before their updates (`()` where all failed) and how many children `failed`.
    ///
    /// The manager must have been made with `shared_weights: true`. Children then inherit parameters by where a
    /// layer stands (its `scope` and depth), its operation, kernel and so on; a narrower layer has the first
    /// filters and channels of a wider one. `shared_weights: "shapes"` shares only between layers of the same width
    /// and with as many input channels. `epochs` are then those of all children together, as far as a
    /// `schedule` asks for them. `get_rewards` and `evaluate` answer with the accuracy that a network has with the
    /// shared weights of that moment.
    ///
    /// ```rhai
    /// let space = StateSpace();
    /// space.add_state("filters", [4, 8]);
    /// fn model(actions) {
    ///     input([1, 8, 8]).conv2d(actions.layers[0].filters, 3).relu().flatten().dense(10)
    /// }
    /// let manager = NetworkManager(dataset("digits", #{ train: 200 }), #{ shared_weights: true });
    /// let children = [space.actions([4]), space.actions([8])];
    /// for step in 0..5 { manager.train_shared(model, children); }
    /// print(manager.score_shared(model, children));
    /// ```
    #[rhai_fn(return_raw, pure, volatile)]
    pub fn train_shared(
        ctx: NativeCallContext,
        manager: &mut Manager,
        model: FnPtr,
        actions: Array,
    ) -> Scripted<Map> {
        let networks = built("train_shared", &ctx, &model, actions)?;
        let host = Host::of(&ctx)?;
        let known: Vec<_> = networks.iter().filter_map(Clone::clone).collect();
        let working = host.meter().work();
        let scores = manager.0.manager.lock().train_shared(&known);
        if !known.is_empty() {
            working.renews();
        }
        drop(working);
        let scores: Vec<_> = scores.map_err(raise)?.into_iter().flatten().collect();
        let mean = |values: Vec<f64>| match values.len() {
            0 => Dynamic::UNIT,
            n => Dynamic::from_float(values.iter().sum::<f64>() / n as f64),
        };
        let fields: [(&str, Dynamic); 3] = [
            (
                "loss",
                mean(scores.iter().map(|score| score.loss).collect()),
            ),
            (
                "accuracy",
                mean(scores.iter().map(|score| score.accuracy).collect()),
            ),
            ("failed", ((networks.len() - scores.len()) as i64).into()),
        ];
        Ok(fields.map(|(name, value)| (name.into(), value)).into())
    }

    /// The accuracy on all validation images, with the shared weights, of each network that `model` makes of
    /// `actions`; `()` for one that failed. These are no trials of the study.
    #[rhai_fn(return_raw, pure, volatile)]
    pub fn score_shared(
        ctx: NativeCallContext,
        manager: &mut Manager,
        model: FnPtr,
        actions: Array,
    ) -> Scripted<Array> {
        score_shared_with(ctx, manager, model, actions, Map::new())
    }

    /// Options:
    /// - `images` (all): on a mini-batch of so many validation images, from 1, the same for all networks of the call;
    ///   each call has the next.
    ///
    /// ```rhai
    /// let space = StateSpace();
    /// space.add_state("filters", [4, 8]);
    /// let model = |actions| input([1, 8, 8]).conv2d(actions.layers[0].filters, 3).flatten().dense(10);
    /// let manager = NetworkManager(dataset("digits", #{ train: 200 }), #{ shared_weights: true });
    /// print(manager.score_shared(model, [space.actions([8])], #{ images: 32 }));
    /// ```
    #[rhai_fn(name = "score_shared", return_raw, pure, volatile)]
    pub fn score_shared_with(
        ctx: NativeCallContext,
        manager: &mut Manager,
        model: FnPtr,
        actions: Array,
        options: Map,
    ) -> Scripted<Array> {
        #[derive(serde::Deserialize)]
        struct Part {
            images: Option<NonZero<usize>>,
        }
        let options: Part = Options::new("score_shared", &options)?.all()?;
        let networks = built("score_shared", &ctx, &model, actions)?;
        let host = Host::of(&ctx)?;
        let known: Vec<_> = networks.iter().filter_map(Clone::clone).collect();
        let working = host.meter().work();
        let images = options.images.map(NonZero::get);
        let scores = manager.0.manager.lock().score_shared(&known, images);
        drop(working);
        let mut scores = scores.map_err(raise)?.into_iter();
        let score = |network: Option<Arc<Network>>| {
            let score = network.and_then(|_| scores.next()?.ok());
            score.map_or(Dynamic::UNIT, |score| Dynamic::from_float(score.accuracy))
        };
        Ok(networks.into_iter().map(score).collect())
    }

    /// What children share: `updates` so far, `per_epoch` (the updates of an epoch), `epochs` (as the manager's option
    /// says), the number of `params`, and the `seconds` that updates and scores took in this session. `()` where
    /// weights are not shared.
    ///
    /// ```rhai
    /// let manager = NetworkManager(dataset("digits", #{ train: 200 }), #{ shared_weights: true });
    /// print(manager.sharing.per_epoch);   // 2 mini-batches of 128
    /// ```
    #[rhai_fn(get = "sharing", pure)]
    pub fn facts(manager: &mut Manager) -> Dynamic {
        let manager = manager.0.manager.lock();
        let Some(shared) = manager.shared() else {
            return Dynamic::UNIT;
        };
        let (updates, per_epoch) = shared.updates();
        let fields: [(&str, Dynamic); 5] = [
            ("updates", (updates as i64).into()),
            ("per_epoch", (per_epoch as i64).into()),
            ("epochs", (shared.training().config.epochs as i64).into()),
            ("params", (shared.params() as i64).into()),
            ("seconds", shared.seconds().into()),
        ];
        Map::from_iter(fields.map(|(name, value)| (name.into(), value))).into()
    }

    /// Kendall's τ-b of two lists of numbers, from -1 (opposite orders) to 1 (the same order); `()` where one of them has
    /// no order.
    ///
    /// ```rhai
    /// print(kendall_tau([1, 2, 3, 4], [0.2, 0.1, 0.4, 0.3]));   // 0.333…
    /// ```
    #[rhai_fn(return_raw)]
    pub fn kendall_tau(a: Array, b: Array) -> Scripted<Dynamic> {
        if a.len() != b.len() {
            let expected = format!("lists of one length, as the first with {}", a.len());
            return Err(raise(Error::invalid("kendall_tau", expected, b.len())));
        }
        guard("kendall_tau: pairs", MOST_PAIRS, a.len() as u64).map_err(raise)?;
        let numbers = |list: Array| -> Scripted<Vec<f64>> {
            list.iter().map(|x| number("kendall_tau", x)).collect()
        };
        let tau = super::kendall_tau(&numbers(a)?, &numbers(b)?);
        Ok(tau.map_or(Dynamic::UNIT, Dynamic::from_float))
    }
}

/// The most pairs of numbers whose order is compared: the comparisons grow with the square.
const MOST_PAIRS: u64 = 50_000;

/// The networks that `model` makes of `actions`; none of those whose shapes do not fit.
fn built(
    of: &str,
    ctx: &NativeCallContext,
    model: &FnPtr,
    actions: Array,
) -> Scripted<Vec<Option<Arc<Network>>>> {
    let limits = Host::of(ctx)?.limits().clone();
    let network = |actions: Dynamic| {
        let found = actions.type_name();
        let invalid = || raise(Error::invalid(of, "a list of actions", found));
        let actions = actions.try_cast::<Actions>().ok_or_else(invalid)?;
        let network = network(ctx, model, &actions)?.ok();
        if let Some(network) = &network {
            let step = TrainingStep::default();
            limits.child(network, &step).map_err(raise)?;
        }
        Ok(network)
    };
    actions.into_iter().map(network).collect()
}
