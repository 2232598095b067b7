//! `Surrogate` for scripts.

use std::sync::Arc;

use parking_lot::Mutex;
use rhai::plugin::*;
use rhai::{Array, Dynamic, Engine, Map, NativeCallContext};

use super::limits::guard;
use super::manager::number;
use super::options::Options;
use super::space::Space;
use super::{Host, Scripted, raise};
use crate::controller::{Belief, Surrogate, SurrogateKind};
use crate::error::Error;
use crate::seed::Seed;
use crate::space::{Actions, StateSpace};

/// A script's handle of a surrogate: copies share it.
#[derive(Clone)]
pub(super) struct Model(Arc<Shared>);

struct Shared {
    space: Arc<StateSpace>,
    kind: SurrogateKind,
    seed: Seed,
    /// Made for the number of layers of what it is first fitted to.
    surrogate: Mutex<Option<Surrogate>>,
}

#[derive(Default, serde::Deserialize)]
#[serde(default)]
struct Config {
    kind: SurrogateKind,
}

pub(super) fn register(engine: &mut Engine) {
    engine.register_type_with_name::<Model>("Surrogate");
    engine.register_global_module(exported_module!(surrogates).into());
}

impl Model {
    /// Asks the surrogate, once it is fitted.
    fn ask<T>(&self, ask: impl FnOnce(&Surrogate) -> Result<T, Error>) -> Scripted<T> {
        let surrogate = self.0.surrogate.lock();
        let unfitted = || Error::invalid("surrogate", "a fit before a question", "none");
        let surrogate = surrogate.as_ref().ok_or_else(unfitted);
        surrogate.and_then(ask).map_err(raise)
    }
}

/// The most architectures that a Gaussian process is fitted to: its memory grows with the square, its time with the
/// cube.
const MOST_FITTED_EXACTLY: u64 = 5_000;
/// The most that the other surrogates are fitted to.
const MOST_FITTED: u64 = 100_000;

/// The actions of a script's array.
fn actions(array: &[Dynamic]) -> Scripted<Vec<Actions>> {
    let one = |value: &Dynamic| {
        let wrong = || Error::invalid("list of actions", "actions", value.type_name());
        let actions = value.clone().try_cast::<Actions>();
        actions.ok_or_else(|| raise(wrong()))
    };
    array.iter().map(one).collect()
}

fn dynamic(belief: Belief) -> Map {
    let fields = [("mean", belief.mean), ("deviation", belief.deviation)];
    fields
        .map(|(name, value)| (name.into(), value.into()))
        .into()
}

/// # Surrogate
///
/// What architectures are believed to earn, learned from those that were tried: a model for searches that try what
/// looks best.
///
/// ```rhai
/// let space = StateSpace();
/// space.add_state("filters", [16, 32, 64]);
/// let surrogate = Surrogate(space);
/// surrogate.fit([space.actions([16]), space.actions([64])], [0.6, 0.7]);
/// print(surrogate);                    // Surrogate fitted to 2 architectures
/// print(surrogate.predict(space.actions([32])).mean);
/// ```
#[export_module]
mod surrogates {
    /// Learns about architectures of `space` by a Gaussian process.
    #[rhai_fn(name = "Surrogate", return_raw, volatile)]
    pub fn new(ctx: NativeCallContext, space: Space) -> Scripted<Model> {
        with(ctx, space, Map::new())
    }

    /// Options:
    /// - `kind` ("gp"): a Gaussian process with a learned kernel, the best up to about a thousand architectures;
    ///   "ensemble", small networks that start from different weights; "trees", bags of boosted trees.
    ///
    /// ```rhai
    /// let space = StateSpace();
    /// space.add_state("filters", [16, 32, 64, 128]);
    /// let surrogate = Surrogate(space, #{ kind: "trees" });
    /// ```
    #[rhai_fn(name = "Surrogate", return_raw, volatile)]
    pub fn with(ctx: NativeCallContext, space: Space, options: Map) -> Scripted<Model> {
        let host = Host::of(&ctx)?;
        let Config { kind } = Options::new("Surrogate", &options)?.all()?;
        let (space, seed) = (space.get(), host.study().lock().seed().derive("surrogate"));
        let surrogate = Mutex::default();
        Ok(Model(Arc::new(Shared {
            space,
            kind,
            seed,
            surrogate,
        })))
    }

    /// Fits to a list of actions and the objective of each (larger is better), in place of what it
    /// was fitted to before. All actions have the same number of layers.
    ///
    /// ```rhai
    /// let space = StateSpace();
    /// space.add_state("filters", [16, 32, 64, 128]);
    /// let surrogate = Surrogate(space);
    /// let tried = [space.actions([16, 16]), space.actions([32, 128]), space.actions([128, 64])];
    /// surrogate.fit(tried, [0.61, 0.72, 0.74]);
    /// ```
    #[rhai_fn(return_raw, pure, volatile)]
    pub fn fit(
        ctx: NativeCallContext,
        model: &mut Model,
        tried: Array,
        objectives: Array,
    ) -> Scripted<()> {
        let tried = super::actions(&tried)?;
        let most = match model.0.kind {
            SurrogateKind::Gp => MOST_FITTED_EXACTLY,
            _ => MOST_FITTED,
        };
        guard("fit: architectures", most, tried.len() as u64).map_err(raise)?;
        let host = Host::of(&ctx)?;
        let _working = host.meter().work();
        let objectives = objectives.iter().map(|y| number("fit: objective", y));
        let objectives = objectives.collect::<Scripted<Vec<f64>>>()?;
        let shared = &model.0;
        let mut surrogate = shared.surrogate.lock();
        let layers = tried.first().map_or(1, Actions::layers);
        if surrogate.as_ref().is_none_or(|s| s.layers() != layers) {
            let made = Surrogate::new(shared.space.clone(), layers, shared.kind, shared.seed);
            *surrogate = Some(made.map_err(raise)?);
        }
        let fitted = surrogate.as_mut().map(|s| s.fit(&tried, &objectives));
        fitted.unwrap_or(Ok(())).map_err(raise)
    }

    /// What is believed of each of a list of actions: its `mean` and `deviation`, in the objective's
    /// scale and without the noise of an observation.
    ///
    /// ```rhai
    /// let space = StateSpace();
    /// space.add_state("filters", [16, 32, 64, 128]);
    /// let surrogate = Surrogate(space);
    /// surrogate.fit([space.actions([16, 16]), space.actions([128, 64])], [0.61, 0.74]);
    /// for belief in surrogate.predict(space.enumerate(2)) {
    ///     print(`${belief.mean} ± ${belief.deviation}`);
    /// }
    /// ```
    #[rhai_fn(return_raw, pure, volatile)]
    pub fn predict(
        ctx: NativeCallContext,
        model: &mut Model,
        architectures: Array,
    ) -> Scripted<Array> {
        let host = Host::of(&ctx)?;
        let _working = host.meter().work();
        let architectures = super::actions(&architectures)?;
        let beliefs = model.ask(|s| s.predict(&architectures))?;
        let beliefs = beliefs.into_iter().map(super::dynamic);
        Ok(beliefs.map(Dynamic::from).collect())
    }

    /// What is believed of one architecture.
    #[rhai_fn(name = "predict", return_raw, pure, volatile)]
    pub fn predict_one(model: &mut Model, architecture: Actions) -> Scripted<Map> {
        let beliefs = model.ask(|s| s.predict(&[architecture]))?;
        Ok(beliefs
            .into_iter()
            .map(super::dynamic)
            .next()
            .unwrap_or_default())
    }

    /// The logarithm of the improvement expected of each of a list of actions over the best so far, up
    /// to a constant: the largest is the one to try next. Logarithms tell even hopeless ones apart.
    ///
    /// ```rhai
    /// let space = StateSpace();
    /// space.add_state("filters", [16, 32, 64, 128]);
    /// let surrogate = Surrogate(space);
    /// surrogate.fit([space.actions([16, 16]), space.actions([128, 64])], [0.61, 0.74]);
    /// let candidates = space.enumerate(2);
    /// let promises = surrogate.log_expected_improvement(candidates);
    /// let most = promises.reduce(|most, promise| max(most, promise), promises[0]);
    /// print(candidates[promises.index_of(most)].summary);
    /// ```
    #[rhai_fn(return_raw, pure, volatile)]
    pub fn log_expected_improvement(
        ctx: NativeCallContext,
        model: &mut Model,
        architectures: Array,
    ) -> Scripted<Array> {
        let host = Host::of(&ctx)?;
        let _working = host.meter().work();
        let architectures = super::actions(&architectures)?;
        let promises = model.ask(|s| s.log_expected_improvement(&architectures))?;
        Ok(promises.into_iter().map(Dynamic::from_float).collect())
    }

    /// The surrogate in a line.
    #[rhai_fn(
        name = "to_string",
        name = "print",
        name = "to_debug",
        name = "debug",
        pure
    )]
    pub fn show(model: &mut Model) -> String {
        let known = model.0.surrogate.lock().as_ref().map_or(0, Surrogate::len);
        format!("Surrogate fitted to {known} architectures")
    }
}
