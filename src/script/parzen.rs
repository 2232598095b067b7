//! `Parzen` for scripts.

use std::sync::Arc;

use parking_lot::Mutex;
use rhai::plugin::*;
use rhai::{Array, Dynamic, Engine, Map, NativeCallContext};

use super::limits::guard;
use super::manager::number;
use super::options::Options;
use super::space::{Space, count};
use super::{Host, Scripted, raise};
use crate::controller::{Parzen, ParzenConfig};
use crate::error::Error;
use crate::space::Actions;

/// A script's handle of an estimator: copies share it.
#[derive(Clone)]
struct Estimator(Arc<Mutex<Parzen>>);

pub(super) fn register(engine: &mut Engine) {
    engine.register_type_with_name::<Estimator>("Parzen");
    engine.register_global_module(exported_module!(parzen).into());
}

/// # Parzen
///
/// A Parzen estimator of good architectures, as TPE has it.
///
/// ```rhai
/// let space = StateSpace();
/// space.add_state("filters", [8, 16, 32, 64]);
/// let parzen = Parzen(space, 1, #{});
/// parzen.fit([space.actions([8]), space.actions([32])], [0.3, 0.9]);
/// print(parzen.propose(1)[0].values);
/// print(parzen.propose(1, [space.actions([16])])[0].values);   // [64]
/// ```
#[export_module]
mod parzen {
    /// A multivariate Parzen estimator of architectures of so many layers (TPE), which proposes what looks like the
    /// good observations and unlike the rest.
    ///
    /// Options:
    /// - `gamma` (0.1): the share of the observations that is good, above 0 and below 1.
    /// - `candidates` (64): architectures drawn for each that is proposed, 1 to 10000.
    /// - `prior_weight` (0.25): weight of the uniform distribution beside the observations, each of weight 1; above
    ///   0.
    ///
    /// ```rhai
    /// let space = StateSpace();
    /// space.add_state("filters", [8, 16, 32, 64]);
    /// let parzen = Parzen(space, 2, #{ gamma: 0.25 });
    /// let asked = [space.actions([8, 8]), space.actions([64, 64])];
    /// parzen.fit(asked, [0.3, 0.9]);
    /// for actions in parzen.propose(3) { print(actions.values); }
    /// ```
    #[rhai_fn(name = "Parzen", return_raw)]
    pub fn new(space: Space, layers: i64, options: Map) -> Scripted<Estimator> {
        let layers = count("number of layers", layers)?;
        let config: ParzenConfig = Options::new("Parzen", &options)?.all()?;
        let drawn = config.candidates as u64;
        guard("option 'candidates'", MOST_CANDIDATES, drawn).map_err(raise)?;
        let parzen = Parzen::new(space.get(), layers, config).map_err(raise)?;
        Ok(Estimator(Arc::new(Mutex::new(parzen))))
    }

    /// Takes a list of actions and a list of their objectives, the larger, the better, in place of
    /// those before. Only the order of the objectives counts.
    #[rhai_fn(return_raw, pure)]
    pub fn fit(parzen: &mut Estimator, actions: Array, objectives: Array) -> Scripted<()> {
        if actions.len() != objectives.len() {
            let expected = format!("an objective for each of {} actions", actions.len());
            return Err(raise(Error::invalid("fit", expected, objectives.len())));
        }
        let observation = |(actions, objective): (Dynamic, &Dynamic)| {
            let actions = of_actions("fit", actions)?;
            Ok((actions, number("fit: objective", objective)?))
        };
        let observations = actions.into_iter().zip(&objectives).map(observation);
        let observations = observations.collect::<Scripted<Vec<_>>>()?;
        parzen.0.lock().fit(&observations).map_err(raise)
    }

    /// `n` architectures to try next, different ones that were not observed as long as the draws find
    /// such.
    #[rhai_fn(return_raw, pure, volatile)]
    pub fn propose(ctx: NativeCallContext, parzen: &mut Estimator, n: i64) -> Scripted<Array> {
        propose_beside(ctx, parzen, n, Array::new())
    }

    /// Keeps away from `pending`: actions that were asked for and have no objective yet.
    #[rhai_fn(name = "propose", return_raw, pure, volatile)]
    pub fn propose_beside(
        ctx: NativeCallContext,
        parzen: &mut Estimator,
        n: i64,
        pending: Array,
    ) -> Scripted<Array> {
        let n = count("propose", n)?;
        guard("propose", MOST_PROPOSED, n as u64).map_err(raise)?;
        let pending = pending
            .into_iter()
            .map(|actions| of_actions("propose", actions));
        let pending = pending.collect::<Scripted<Vec<_>>>()?;
        let host = Host::of(&ctx)?;
        let _working = host.meter().work();
        let mut rng = host.variation_rng().lock();
        let proposed = parzen.0.lock().propose(n, &pending, &mut *rng);
        Ok(proposed.into_iter().map(Dynamic::from).collect())
    }
}

/// The most candidates that are drawn for a proposal.
const MOST_CANDIDATES: u64 = 10_000;
/// The most proposals of a call.
const MOST_PROPOSED: u64 = 10_000;

/// An element of a list of actions for the call `of`.
fn of_actions(of: &str, actions: Dynamic) -> Scripted<Actions> {
    let found = actions.type_name();
    let invalid = || raise(Error::invalid(of, "a list of actions", found));
    actions.try_cast::<Actions>().ok_or_else(invalid)
}
