//! Draws of searches without a policy: samples of a list, numbers, and architectures that are new.

use std::collections::BTreeSet;
use std::sync::Arc;

use parking_lot::Mutex;
use rand::seq::IndexedRandom;
use rhai::plugin::*;
use rhai::{Array, Engine, FnPtr, NativeCallContext};

use super::space::count;
use super::{Host, Scripted, raise};
use crate::error::Error;
use crate::seed;
use crate::space::Actions;

/// The architectures that a search has met: a script's handle, which copies share.
#[derive(Clone)]
struct Seen {
    met: Arc<Mutex<BTreeSet<Key>>>,
    draws: usize,
}

/// An architecture of one space: its layers and its decisions.
type Key = (usize, Box<[usize]>);

/// How often a search draws, unless it says otherwise, before it takes what it has met before.
const DRAWS: i64 = 100;

fn key(actions: &Actions) -> Key {
    (actions.layers(), actions.indices().into())
}

pub(super) fn register(engine: &mut Engine) {
    engine.register_type_with_name::<Seen>("Seen");
    engine.register_global_module(exported_module!(seen).into());
}

/// # Seen
///
/// The architectures that a search has met.
///
/// ```rhai
/// let space = StateSpace();
/// space.add_state("kernel", [1, 3]);
/// let seen = Seen();
/// seen.add(space.actions([1]));
/// print(space.actions([1]) in seen);   // true
/// print(space.actions([3]) in seen);   // false
/// print(seen.len());                   // 1
/// print(seen.fresh(|| space.get_random_state_space(1)).values);   // [3]
/// ```
#[export_module]
mod seen {
    /// The architectures that a search has met, none at first: what was asked before teaches nothing
    /// new, and costs a trial again. For the architectures of one space.
    ///
    /// ```rhai
    /// let space = StateSpace();
    /// space.add_state("kernel", [1, 3, 5]);
    /// let seen = Seen();
    /// for i in 0..3 {
    ///     let actions = seen.fresh(|| space.get_random_state_space(1));
    ///     print(actions.values);   // each kernel once
    /// }
    /// ```
    #[rhai_fn(name = "Seen")]
    pub fn new() -> Seen {
        with_draws(DRAWS).unwrap_or_else(|_| unreachable!("{DRAWS} draws are allowed"))
    }

    /// `draws` says how often `fresh` draws at most (100): with 1 it takes what comes.
    #[rhai_fn(name = "Seen", return_raw)]
    pub fn with_draws(draws: i64) -> Scripted<Seen> {
        let draws = usize::try_from(draws).ok().filter(|draws| *draws > 0);
        let invalid = || {
            raise(Error::invalid(
                "Seen: draws",
                "a whole number from 1",
                "less",
            ))
        };
        Ok(Seen {
            met: Arc::default(),
            draws: draws.ok_or_else(invalid)?,
        })
    }

    /// Calls `draw`, a function that returns actions, until they are new, and notes them. Where no draw
    /// is new, as in a space that is used up, the last one is returned.
    #[rhai_fn(return_raw, pure, volatile)]
    pub fn fresh(ctx: NativeCallContext, seen: &mut Seen, draw: FnPtr) -> Scripted<Actions> {
        let mut drawn = drawn(&ctx, &draw)?;
        for _ in 1..seen.draws {
            if !seen.met.lock().contains(&key(&drawn)) {
                break;
            }
            drawn = super::drawn(&ctx, &draw)?;
        }
        seen.met.lock().insert(key(&drawn));
        Ok(drawn)
    }

    /// Notes actions.
    #[rhai_fn(pure)]
    pub fn add(seen: &mut Seen, actions: Actions) {
        seen.met.lock().insert(key(&actions));
    }

    /// Whether actions were noted: `actions in seen`.
    #[rhai_fn(pure)]
    pub fn contains(seen: &mut Seen, actions: Actions) -> bool {
        seen.met.lock().contains(&key(&actions))
    }

    /// How many different ones were noted.
    #[rhai_fn(pure)]
    pub fn len(seen: &mut Seen) -> i64 {
        seen.met.lock().len() as i64
    }

    /// `n` different elements of a list, drawn at random, or all of a shorter one in random order.
    ///
    /// ```rhai
    /// print([1, 2, 3, 4].sample(2));
    /// ```
    #[rhai_fn(return_raw, pure, volatile)]
    pub fn sample(ctx: NativeCallContext, list: &mut Array, n: i64) -> Scripted<Array> {
        let n = count("sample", n)?.min(list.len());
        let host = Host::of(&ctx)?;
        let mut rng = host.variation_rng().lock();
        Ok(list.sample(&mut *rng, n).cloned().collect())
    }

    /// A number drawn from the normal distribution of this mean and standard deviation.
    ///
    /// ```rhai
    /// print(normal(0.9, 0.01));
    /// ```
    #[rhai_fn(return_raw, volatile)]
    pub fn normal(ctx: NativeCallContext, mean: f64, deviation: f64) -> Scripted<f64> {
        let host = Host::of(&ctx)?;
        let mut rng = host.variation_rng().lock();
        Ok(mean + deviation * seed::normal(&mut rng))
    }
}

/// What `draw` returns.
fn drawn(ctx: &NativeCallContext, draw: &FnPtr) -> Scripted<Actions> {
    let drawn: rhai::Dynamic = draw.call_within_context(ctx, ())?;
    let found = drawn.type_name();
    let expected = "a function that returns actions";
    let invalid = || raise(Error::invalid("fresh", expected, found));
    drawn.try_cast::<Actions>().ok_or_else(invalid)
}
