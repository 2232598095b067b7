//! `replicate`: runs a function of a script once a seed, each run in a study of its own, on all cores.
//! Knows nothing of what the runs do.

use std::cell::Cell;
use std::num::NonZero;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use parking_lot::Mutex;
use rhai::plugin::*;
use rhai::{Array, Dynamic, Engine, FnPtr, NativeCallContext};

use super::limits::within;
use super::meter::{Count, Meter};
use super::space::count;
use super::{Host, STACK, Scripted, raise, settle};
use crate::error::Error;

thread_local! {
    /// Whether this thread is that of a run.
    static REPLICATES: Cell<bool> = const { Cell::new(false) };
}

pub(super) fn register(engine: &mut Engine) {
    engine.register_global_module(exported_module!(replicas).into());
}

#[export_module]
mod replicas {
    /// Runs `run(number)` for each of the numbers 0 to `n` - 1 and returns the results in order. Each run has a
    /// study of its own with a seed of its own, which depends on the number and the seed of this study; it is
    /// kept in memory, but outcomes that the store has are not paid for again. As many runs go side by side as
    /// there are cores, without a change in any result. Managers and controllers are made inside the function;
    /// a data set or a space may come from outside.
    ///
    /// ```rhai
    /// import "nas/random" as random;
    /// let space = StateSpace();
    /// space.add_state("block", [0, 1, 2]);
    /// let found = replicate(3, |number| {
    ///     let table = BenchmarkTable("nas-bench-macro.csv", #{ reward: ["acc1", "acc2", "acc3"] });
    ///     random::search(space, table, |actions| (), #{ layers: 8, trials: 10 }).best.accuracy
    /// });
    /// print(found);
    /// ```
    #[rhai_fn(return_raw, volatile)]
    pub fn replicate(ctx: NativeCallContext, n: i64, run: FnPtr) -> Scripted<Array> {
        let n = count("replicate", n)?;
        let host = Host::of(&ctx)?;
        let most = host.limits().replicas;
        within("replicate", "replicas", most, n as u64).map_err(raise)?;
        if REPLICATES.get() {
            let expected = "a function that does not replicate itself";
            return Err(raise(Error::invalid(
                "replicate",
                expected,
                "one that does",
            )));
        }
        let cores = thread::available_parallelism().map_or(1, NonZero::get);
        let next = AtomicUsize::new(0);
        let results: Mutex<Vec<Option<Scripted<Dynamic>>>> = Mutex::default();
        results.lock().resize_with(n, || None);
        let meter = host.meter();
        let began = Meter::count();
        let counts: Mutex<Vec<Count>> = Mutex::default();
        let work = || {
            let _entered = meter.enter(began);
            REPLICATES.set(true);
            loop {
                let number = next.fetch_add(1, Ordering::Relaxed);
                if number >= n {
                    break;
                }
                let result = one(&ctx, &host, &run, number);
                // After an error or Ctrl-C the runs that have not begun are not wanted any more.
                if result.is_err() {
                    next.store(n, Ordering::Relaxed);
                }
                results.lock()[number] = Some(result);
            }
            counts.lock().push(Meter::count());
        };
        thread::scope(|scope| -> Scripted<()> {
            for _ in 0..cores.min(n) {
                let thread = thread::Builder::new().stack_size(STACK);
                let started = thread.spawn_scoped(scope, work);
                started.map_err(|error| {
                    raise(Error::invalid("replicate", "a thread for a run", error))
                })?;
            }
            Ok(())
        })?;
        Meter::join(began, &counts.into_inner());
        results.into_inner().into_iter().flatten().collect()
    }
}

/// The result of the run `number`.
fn one(ctx: &NativeCallContext, host: &Host, run: &FnPtr, number: usize) -> Scripted<Dynamic> {
    let mut run = run.clone();
    // What the function captured is shared with this script, and shared values cannot be read side by side.
    let captured: Vec<_> = run.iter_curry().map(Dynamic::flatten_clone).collect();
    run.set_curry(captured);
    let mut global = settle::home(ctx, &run)?;
    global.tag = Dynamic::from(host.replica(number as u64));
    let (engine, called, position) = (ctx.engine(), ctx.fn_name(), ctx.call_position());
    let source = global.source.as_deref();
    let own = NativeCallContext::new_with_all_fields(engine, called, source, &global, position);
    run.call_within_context(&own, (number as i64,))
}
