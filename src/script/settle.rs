//! From a script's networks to trials: asks the manager, calls the script's reward and failure functions. Knows
//! nothing of how a manager answers.

use std::num::NonZero;
use std::sync::Arc;

use rhai::{Array, Dynamic, FnPtr, GlobalRuntimeState, Map, Module, NativeCallContext};

use super::limits::guard;
use super::manager::{Manager, number};
use super::network::whole;
use super::options::Options;
use super::outcome::Outcome;
use super::{Host, Scripted, raise, raised_kind};
use crate::error::Error;
use crate::evaluation::Failure;
use crate::manager::{BenchmarkTable, Candidate, Evaluated, Reaction, Subject, Terms};
use crate::network::{Network, Node};
use crate::space::Actions;

/// A guard against a failure function that always wants another attempt.
const MOST_ATTEMPTS: usize = 100;

/// The longest tag of a submission, in bytes of JSON.
const LONGEST_TAG: u64 = 1 << 16;
/// About what the study keeps of a trial that the script made, its network above all.
const KEPT: u64 = 64 << 10;

/// A network of a script's own.
pub(super) fn candidate(network: &Node) -> Scripted<Candidate> {
    Ok(Candidate {
        subject: Subject::Network(Ok(whole(network)?)),
        actions: None,
        terms: Terms::default(),
        tag: None,
    })
}

impl Manager {
    /// What is asked of `actions`: the network that `model` makes of them, or the row of a table.
    pub(super) fn built(
        &self,
        ctx: &NativeCallContext,
        model: &FnPtr,
        actions: Actions,
    ) -> Scripted<Candidate> {
        let is_table = self.0.manager.lock().table().is_some();
        let subject = match is_table {
            true => Subject::Row(self.key(ctx, &actions)?),
            false => Subject::Network(network(ctx, model, &actions)?),
        };
        Ok(Candidate {
            subject,
            actions: Some(actions),
            terms: Terms::default(),
            tag: None,
        })
    }

    /// The key of the table's row for `actions`.
    fn key(&self, ctx: &NativeCallContext, actions: &Actions) -> Scripted<String> {
        let Some(encode) = &self.0.encode else {
            return Ok(BenchmarkTable::key_of(actions));
        };
        let key = call_home(ctx, encode, Dynamic::from(actions.clone()))?;
        let invalid = |found| {
            raise(Error::invalid(
                "encode",
                "a function that returns text",
                found,
            ))
        };
        key.into_string().map_err(invalid)
    }

    /// The host of the running script, whose study the manager records in.
    fn host(&self, ctx: &NativeCallContext) -> Scripted<Host> {
        let host = Host::of(ctx)?;
        if self.0.manager.lock().records_in(host.study()) {
            return Ok(host);
        }
        let expected = "a manager that is made inside the function that replicate calls";
        Err(raise(Error::invalid(
            "manager",
            expected,
            "one of another study",
        )))
    }

    /// The outcomes of `candidates`, in their order.
    pub(super) fn all(
        &self,
        ctx: &NativeCallContext,
        mut candidates: Vec<Candidate>,
        terms: Terms,
    ) -> Scripted<Array> {
        let host = self.host(ctx)?;
        let meter = host.meter();
        meter.limits().terms(&terms).map_err(raise)?;
        let trials = host.study().lock().trials().len();
        meter.asks(trials, candidates.len()).map_err(raise)?;
        candidates.iter_mut().for_each(|c| c.terms = terms);
        let working = meter.work();
        let mut answers = self.0.manager.lock().evaluate(candidates).map_err(raise)?;
        drop(working);
        let mut outcomes = Array::new();
        loop {
            let working = meter.work();
            let Some(evaluated) = answers.next() else {
                return Ok(outcomes);
            };
            drop(working);
            let outcome = self.settle(ctx, &host, evaluated.map_err(raise)?)?;
            outcomes.push(Dynamic::from(outcome));
        }
    }

    pub(super) fn one(
        &self,
        ctx: &NativeCallContext,
        candidate: Candidate,
        terms: Terms,
    ) -> Scripted<Outcome> {
        let outcome = self.all(ctx, vec![candidate], terms)?.pop();
        let outcome = outcome.and_then(Dynamic::try_cast);
        outcome.ok_or_else(|| "an evaluation without an outcome".into())
    }

    /// Asks for `candidate` without waiting.
    pub(super) fn submit_with(
        &self,
        ctx: &NativeCallContext,
        mut candidate: Candidate,
        tag: &Dynamic,
        terms: Terms,
    ) -> Scripted<i64> {
        let host = self.host(ctx)?;
        let meter = host.meter();
        meter.limits().terms(&terms).map_err(raise)?;
        let trials = host.study().lock().trials().len();
        let more = self.0.manager.lock().pending() + 1;
        meter.asks(trials, more).map_err(raise)?;
        candidate.terms = terms;
        if !tag.is_unit() {
            let found = tag.type_name();
            let expected = "a text, number, list or object";
            let tag: serde_json::Value = rhai::serde::from_dynamic(tag)
                .map_err(|_| raise(Error::invalid("submit: tag", expected, found)))?;
            let size = tag.to_string().len() as u64;
            guard("submit: bytes of a tag", LONGEST_TAG, size).map_err(raise)?;
            candidate.tag = Some(tag);
        }
        let working = meter.work();
        let pending = self.0.manager.lock().submit(candidate).map_err(raise)?;
        drop(working);
        self.beside(&host);
        Ok(pending as i64)
    }

    /// Notes whether children train in this process while the script goes on.
    fn beside(&self, host: &Host) {
        let pending = host.executor().in_process() && self.0.manager.lock().pending() > 0;
        let mut busy = self.0.busy.lock();
        if pending {
            busy.get_or_insert_with(|| host.meter().busy());
        } else {
            *busy = None;
        }
    }

    /// The next outcome of those submitted; `()` where none is left.
    pub(super) fn fetch(&self, ctx: &NativeCallContext) -> Scripted<Dynamic> {
        let host = self.host(ctx)?;
        let working = host.meter().work();
        let evaluated = self.0.manager.lock().fetch().map_err(raise)?;
        drop(working);
        self.beside(&host);
        match evaluated {
            Some(evaluated) => Ok(Dynamic::from(self.settle(ctx, &host, evaluated)?)),
            None => Ok(Dynamic::UNIT),
        }
    }

    /// Makes a trial of `evaluated`, with the script's own functions for failures and rewards if there are any.
    fn settle(
        &self,
        ctx: &NativeCallContext,
        host: &Host,
        mut evaluated: Evaluated,
    ) -> Scripted<Outcome> {
        let mut reaction = Reaction::Accept;
        while let Some(failure) = evaluated.outcome.failure.clone() {
            reaction = self.react(ctx, &failure, evaluated.attempts() + 1)?;
            let Reaction::Retry { batch_size } = reaction else {
                break;
            };
            let tried = evaluated.attempts();
            let _working = host.meter().work();
            let manager = self.0.manager.lock();
            evaluated = manager.retry(evaluated, batch_size).map_err(raise)?;
            if evaluated.attempts() == tried {
                break;
            }
        }
        let reward = self.0.reward.lock().clone();
        let value = match reward {
            Some(reward) if evaluated.outcome.failure.is_none() => {
                let preview = self.0.manager.lock().preview(&evaluated);
                let value = call_home(ctx, &reward, Dynamic::from(Outcome::new(preview)))?;
                Some(number("set_reward", &value)?)
            }
            _ => None,
        };
        let meter = host.meter();
        let working = meter.work();
        let mut manager = self.0.manager.lock();
        let trial = manager.record(evaluated, value, reaction).map_err(raise)?;
        if trial.trained() {
            meter.trains();
        }
        // A row, or a child, that was not known before.
        if trial.trained() || !trial.cached && trial.outcome.failure.is_none() {
            working.renews();
        }
        meter.keeps(KEPT);
        let study = host.study().lock();
        host.progress().recorded(study.replayed_last());
        if study.best().map(|best| best.number) == Some(trial.number) {
            host.exports().lock().keep_best(manager.best());
        }
        Ok(Outcome::new(trial))
    }

    /// What the script wants done about the `attempt`-th attempt, which failed.
    fn react(
        &self,
        ctx: &NativeCallContext,
        failure: &Failure,
        attempt: usize,
    ) -> Scripted<Reaction> {
        let Some(function) = self.0.on_failure.lock().clone() else {
            return Ok(Reaction::Accept);
        };
        let fields: [(&str, Dynamic); 3] = [
            ("kind", failure.kind.to_string().into()),
            ("message", failure.message.clone().into()),
            ("attempt", (attempt as i64).into()),
        ];
        let object: Map = fields.map(|(name, value)| (name.into(), value)).into();
        let wanted = reaction(&call_home(ctx, &function, object.into())?)?;
        if matches!(wanted, Reaction::Retry { .. }) && attempt >= MOST_ATTEMPTS {
            let expected = format!("at most {MOST_ATTEMPTS} attempts");
            return Err(raise(Error::invalid(
                "on_failure",
                expected,
                "another retry",
            )));
        }
        Ok(wanted)
    }
}

/// The reaction that a script's failure function returned.
fn reaction(value: &Dynamic) -> Scripted<Reaction> {
    #[derive(serde::Deserialize)]
    struct Again {
        retry: bool,
        batch_size: Option<NonZero<usize>>,
    }
    if value.is_unit() {
        return Ok(Reaction::Accept);
    }
    if value.is_int() || value.is_float() {
        let reward = number("on_failure", value)?;
        return match reward.is_finite() {
            true => Ok(Reaction::Penalise(reward)),
            false => Err(raise(Error::invalid(
                "on_failure",
                "a finite reward",
                reward,
            ))),
        };
    }
    if let Some(map) = value.read_lock::<Map>() {
        let Again { retry, batch_size } = Options::new("on_failure", &map)?.all()?;
        return Ok(match retry {
            true => Reaction::Retry { batch_size },
            false => Reaction::Accept,
        });
    }
    let found = value.to_string();
    match found.as_str() {
        "retry" => Ok(Reaction::Retry { batch_size: None }),
        "skip" => Ok(Reaction::Skip),
        _ => {
            let expected = "\"retry\", \"skip\", #{ retry: true, batch_size: … }, a reward or ()";
            Err(raise(Error::invalid("on_failure", expected, found)))
        }
    }
}

/// The network that `model` makes of `actions`, or why there is none.
pub(super) fn network(
    ctx: &NativeCallContext,
    model: &FnPtr,
    actions: &Actions,
) -> Scripted<Result<Arc<Network>, String>> {
    match call_home(ctx, model, Dynamic::from(actions.clone())) {
        Ok(net) => {
            let found = net.type_name();
            let expected = "a function that returns a network";
            let invalid = || raise(Error::invalid("model", expected, found));
            Ok(Ok(whole(&net.try_cast::<Node>().ok_or_else(invalid)?)?))
        }
        Err(error) => match raised_kind(&error) {
            Some((kind, message)) if kind == "shape" => Ok(Err(message)),
            _ => Err(error),
        },
    }
}

/// Calls `function` with the functions of the file that defines it, not with those of the recipe
/// that it was handed to, which may have others of the same names.
pub(super) fn call_home(
    ctx: &NativeCallContext,
    function: &FnPtr,
    argument: Dynamic,
) -> Scripted<Dynamic> {
    let global = home(ctx, function)?;
    let (engine, called, position) = (ctx.engine(), ctx.fn_name(), ctx.call_position());
    let source = global.source.as_deref();
    let home = NativeCallContext::new_with_all_fields(engine, called, source, &global, position);
    function.call_within_context(&home, (argument,))
}

/// The state of the script as the file that defines `function`, of one argument, sees it.
pub(super) fn home(ctx: &NativeCallContext, function: &FnPtr) -> Scripted<GlobalRuntimeState> {
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
            // The last is looked into first.
            global
                .lib
                .retain(|library| !rhai::Shared::ptr_eq(library, home));
            global.lib.push(home.clone());
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
    Ok(global)
}
