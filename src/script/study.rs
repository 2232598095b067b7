//! `study` and `trials(n)` for scripts.

use std::ops::RangeInclusive;
use std::sync::Arc;

use parking_lot::Mutex;
use rhai::plugin::*;
use rhai::{Array, Dynamic, Engine, Map, NativeCallContext};

use super::options::Options;
use super::outcome::Outcome;
use super::space::count;
use super::{Host, Scripted, limits, raise};
use crate::error::Error;
use crate::report::progress::warn;
use crate::study::{Budget, Study, Trial};

/// `study`: whichever the running script is in, since a closure may be called in another than it was made in.
#[derive(Clone, Copy)]
pub(super) struct Current;

impl Current {
    fn study(ctx: &NativeCallContext) -> Scripted<Arc<Mutex<Study>>> {
        Ok(Host::of(ctx)?.study().clone())
    }
}

/// The loop over trials: shows the progress and ends early when the user wants to stop.
#[derive(Clone)]
pub(super) struct Trials {
    host: Host,
    next: u64,
    total: u64,
}

impl Trials {
    /// The numbers of the next `n` trials, or of as many as are left; `None` after the last.
    fn round(&mut self, n: u64) -> Option<Scripted<RangeInclusive<u64>>> {
        let progress = self.host.progress();
        if self.next == 0 {
            progress.start(self.total);
        } else {
            progress.advance(self.next, self.host.study().lock().replayed_last());
        }
        if let Err(interrupted) = self.host.check_interrupt() {
            progress.finish();
            return Some(Err(raise(interrupted)));
        }
        if self.next == self.total {
            progress.finish();
            return None;
        }
        if let Some(limit) = self.host.study().lock().spent() {
            progress.finish();
            warn(&format!("the budget of {limit} is used up"));
            return None;
        }
        let first = self.next + 1;
        self.next += n.min(self.total - self.next);
        progress.expect(self.next);
        Some(Ok(first..=self.next))
    }
}

impl Iterator for Trials {
    type Item = Scripted<i64>;

    fn next(&mut self) -> Option<Self::Item> {
        let taken = self.round(1)?;
        Some(taken.map(|numbers| *numbers.start() as i64))
    }
}

/// The same loop over several trials at a time.
#[derive(Clone)]
pub(super) struct Batches {
    trials: Trials,
    size: u64,
}

impl Iterator for Batches {
    type Item = Scripted<Array>;

    fn next(&mut self) -> Option<Self::Item> {
        let taken = self.trials.round(self.size)?;
        Some(taken.map(|numbers| numbers.map(|n| Dynamic::from_int(n as i64)).collect()))
    }
}

pub(super) fn register(engine: &mut Engine) {
    engine.register_type_with_name::<Current>("Study");
    engine.register_type_with_name::<Trials>("Trials");
    engine.register_type_with_name::<Batches>("Batches");
    engine.register_iterator_result::<Trials, i64>();
    engine.register_iterator_result::<Batches, Array>();
    engine.register_global_module(exported_module!(studies).into());
}

/// A guard against slips: the networks of a batch are all made before the first is trained.
const MOST_IN_BATCH: i64 = 100_000;

fn outcome(trial: &Arc<Trial>) -> Dynamic {
    Dynamic::from(Outcome::new(trial.clone()))
}

/// # Study
///
/// All trials of the run. `study` is at hand everywhere, in functions and recipes too.
///
/// ```rhai
/// let manager = NetworkManager(dataset("digits", #{ train: 200 }), #{ epochs: 1 });
/// manager.evaluate(input([1, 8, 8]).flatten().dense(10));
/// print(study);                        // its name, trials and best score
/// print(study.name);
/// print(study.folder);                 // where the run is kept
/// print(study.trials.len());           // 1
/// print(study.best.accuracy);
/// ```
///
/// # Trials
///
/// The loop that `trials(n)` gives.
///
/// ```rhai
/// for trial in trials(2) { print(trial); }
/// ```
///
/// # Batches
///
/// The loop that `trials(n, batch)` gives.
///
/// ```rhai
/// for batch in trials(4, 2) { print(batch); }
/// ```
#[export_module]
mod studies {
    /// A loop over `n` trials, numbered from 1, with a line that shows how far it is. Ctrl-C
    /// ends it; everything so far is kept.
    ///
    /// ```rhai
    /// for trial in trials(3) { print(trial); }
    /// ```
    #[rhai_fn(return_raw, volatile)]
    pub fn trials(ctx: NativeCallContext, n: i64) -> Scripted<Trials> {
        if n < 1 {
            let error = Error::invalid("trials", "a whole number from 1", n);
            return Err(raise(error));
        }
        let host = Host::of(&ctx)?;
        let most = host.limits().trials;
        limits::within("trials", "trials", most, n as u64).map_err(raise)?;
        Ok(Trials {
            host,
            next: 0,
            total: n as u64,
        })
    }

    /// A loop over `n` trials that are made `batch` at a time, so that their networks train side by side:
    /// each round has the list of its trials' numbers, the last one what is left.
    ///
    /// ```rhai
    /// for batch in trials(5, 2) { print(batch); }   // [1, 2], then [3, 4], then [5]
    /// ```
    #[rhai_fn(name = "trials", return_raw, volatile)]
    pub fn batches(ctx: NativeCallContext, n: i64, batch: i64) -> Scripted<Batches> {
        if !(1..=MOST_IN_BATCH).contains(&batch) {
            let expected = format!("a whole number from 1 to {MOST_IN_BATCH}");
            return Err(raise(Error::invalid("batch of trials", expected, batch)));
        }
        Ok(Batches {
            trials: trials(ctx, n)?,
            size: batch as u64,
        })
    }

    /// Limits what the search may spend. The loops of `trials` end where a limit is reached; the script goes on after
    /// them. Limits of the command line (`--max-trials`, `--max-hours`, `--max-children`) stand before these.
    ///
    /// Options:
    /// - `trials` (none): trials of the study.
    /// - `hours` (none): hours of work, over all sessions of the study, above 0.
    /// - `children` (none): children that are trained.
    ///
    /// ```rhai
    /// budget(#{ hours: 8, children: 2 });
    /// for trial in trials(1_000) { break; }
    /// ```
    #[rhai_fn(return_raw, volatile)]
    pub fn budget(ctx: NativeCallContext, limits: Map) -> Scripted<()> {
        let budget: Budget = Options::new("budget", &limits)?.all()?;
        budget.validate().map_err(raise)?;
        Host::of(&ctx)?.study().lock().limit(budget);
        Ok(())
    }

    /// The outcome with the highest score so far; `()` before the first success.
    ///
    /// ```rhai
    /// if study.best != () { print(study.best.accuracy); }
    /// ```
    #[rhai_fn(get = "best", return_raw, pure)]
    pub fn best(ctx: NativeCallContext, _study: &mut Current) -> Scripted<Dynamic> {
        let study = Current::study(&ctx)?;
        let best = study.lock().best().map_or(Dynamic::UNIT, outcome);
        Ok(best)
    }

    /// The `n` best outcomes of distinct networks, the best first.
    ///
    /// ```rhai
    /// for outcome in study.top(5) { print(outcome); }
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn top(ctx: NativeCallContext, _study: &mut Current, n: i64) -> Scripted<Array> {
        let n = count("top", n)?;
        let study = Current::study(&ctx)?;
        let study = study.lock();
        Ok(study.top(n).into_iter().map(outcome).collect())
    }

    /// What the study came to so far, which every recipe returns: `best` (the outcome with the highest objective;
    /// `()` where none succeeded), `trials`, `trained` and `failed` (how many), `epochs` and `seconds` (of
    /// training), and `objectives` (of each trial, in order).
    ///
    /// ```rhai
    /// let found = study.summary;
    /// print(found.trials + " trials, " + found.failed + " failed");
    /// ```
    #[rhai_fn(get = "summary", return_raw, pure)]
    pub fn summary(ctx: NativeCallContext, _study: &mut Current) -> Scripted<Map> {
        let study = Current::study(&ctx)?;
        let study = study.lock();
        let trials = study.trials();
        let number = |wanted: fn(&Trial) -> bool| {
            let found = trials.iter().filter(|trial| wanted(trial)).count();
            Dynamic::from_int(found as i64)
        };
        let trained = trials.iter().filter(|trial| trial.trained());
        let seconds: f64 = trained.map(|trial| trial.outcome.seconds).sum();
        let objectives = trials.iter().map(|t| Dynamic::from_float(t.objective()));
        let fields: [(&str, Dynamic); 7] = [
            ("epochs", (study.epochs() as i64).into()),
            ("best", study.leader().map_or(Dynamic::UNIT, outcome)),
            ("trials", (trials.len() as i64).into()),
            ("trained", number(Trial::trained)),
            ("failed", number(|trial| trial.score.is_none())),
            ("seconds", seconds.into()),
            ("objectives", objectives.collect::<Array>().into()),
        ];
        Ok(fields.map(|(name, value)| (name.into(), value)).into())
    }

    /// Every outcome so far, in order.
    #[rhai_fn(get = "trials", return_raw, pure)]
    pub fn all(ctx: NativeCallContext, _study: &mut Current) -> Scripted<Array> {
        let study = Current::study(&ctx)?;
        let all = study.lock().trials().iter().map(outcome).collect();
        Ok(all)
    }

    /// The name of the study.
    #[rhai_fn(get = "name", return_raw, pure)]
    pub fn name(ctx: NativeCallContext, _study: &mut Current) -> Scripted<String> {
        let study = Current::study(&ctx)?;
        let name = study.lock().name().into();
        Ok(name)
    }

    /// The folder that keeps the run; `()` where none does.
    #[rhai_fn(get = "folder", return_raw, pure)]
    pub fn folder(ctx: NativeCallContext, _study: &mut Current) -> Scripted<Dynamic> {
        let study = Current::study(&ctx)?;
        let study = study.lock();
        let path = study.folder().map(|f| f.path().display().to_string());
        Ok(path.map_or(Dynamic::UNIT, Into::into))
    }

    /// The study in a line.
    #[rhai_fn(
        name = "to_string",
        name = "print",
        name = "to_debug",
        name = "debug",
        return_raw,
        pure
    )]
    pub fn show(ctx: NativeCallContext, _study: &mut Current) -> Scripted<String> {
        let study = Current::study(&ctx)?;
        let study = study.lock();
        let best = study.best().and_then(|t| t.score);
        let best = best.map_or(String::new(), |score| format!(", best score {score:.4}"));
        let (name, trials) = (study.name(), study.trials().len());
        Ok(format!("Study '{name}': {trials} trials{best}"))
    }
}
