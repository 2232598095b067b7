//! What a value looks like at the prompt: objects in full, lists of outcomes as a table, all else pretty-printed. Knows
//! values, not how they came to be.

mod policy;
mod pretty;
mod trials;

pub(super) use crate::report::table::{Table, cut};
pub(super) use policy::policy;
pub(super) use trials::table as trials_table;

use rhai::Dynamic;

use self::pretty::{float, pretty};
use super::session::Session;
use crate::report::curves;
use crate::report::plot::Signs;
use crate::script;
use crate::study::Trial;

/// How many characters of a text are shown.
const LONGEST: usize = 20_000;
/// How many of the best trials of a study are shown.
const BEST: usize = 5;

/// `value` as text, without a line break at its end.
pub(super) fn shown(session: &Session, value: &Dynamic, signs: Signs) -> String {
    if let Some(trial) = script::outcome(value) {
        return trials::one(&trial, signs);
    }
    if let Some(trials) = script::outcomes(value) {
        return trials_table(&trials, signs);
    }
    if let Some(Ok(policy)) = script::policy(value, |controller| policy(controller, signs)) {
        return policy;
    }
    if script::is_study(value) {
        return study(session, value, signs);
    }
    if value.is_array() || value.is_map() {
        return pretty(value, &|value| session.text(value));
    }
    match value.as_float() {
        Ok(value) => float(value),
        Err(_) => cut(&session.text(value), LONGEST),
    }
}

/// The study of the session: its best trials, and how the rewards went.
fn study(session: &Session, value: &Dynamic, signs: Signs) -> String {
    let mut text = session.text(value);
    let study = session.host.study().lock();
    let best = study.top(BEST);
    if !best.is_empty() {
        let best: Vec<_> = best.into_iter().cloned().collect();
        text += &format!("\n{}", trials_table(&best, signs));
    }
    if let Some(plot) = rewards(study.trials(), signs) {
        text += &format!("\n{plot}");
    }
    text
}

/// The rewards of `trials` as a plot, where there are enough to see how they go.
pub(super) fn rewards<T: AsRef<Trial>>(trials: &[T], signs: Signs) -> Option<String> {
    let plot = curves::rewards(trials.iter().map(AsRef::as_ref), signs);
    let enough = trials.len() > 2;
    enough.then(|| plot.to_string().trim_end().to_string())
}
