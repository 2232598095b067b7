//! From Rhai's nested errors to the innermost one and the calls that led to it.

use rhai::{EvalAltResult, Position};

use super::Call;

/// Line and column, from 1, as far as Rhai knows them.
pub(in crate::script) fn place(position: Position) -> Option<(usize, usize)> {
    let line = position.line()?;
    Some((line, position.position().unwrap_or(1)))
}

/// Where an error arose.
pub(super) struct Origin<'a> {
    pub error: &'a EvalAltResult,
    /// The source that it arose in.
    pub source: String,
    pub place: Option<(usize, usize)>,
    /// The calls that led there, the innermost first.
    pub calls: Vec<Call>,
}

/// Unwinds `error` of the script called `script`.
pub(super) fn unwind<'a>(error: &'a EvalAltResult, script: &str) -> Origin<'a> {
    let (mut error, mut source) = (error, script.to_string());
    let mut calls = Vec::new();
    loop {
        let position = error.position();
        match error {
            EvalAltResult::ErrorInFunctionCall(function, within, inner, _) => {
                calls.push(Call {
                    label: format!("{} is called here", function_name(function)),
                    source: source.clone(),
                    place: place(position),
                });
                if !within.is_empty() {
                    source.clone_from(within);
                }
                error = inner;
            }
            EvalAltResult::ErrorInModule(module, inner, _) => {
                calls.push(Call {
                    label: format!("'{module}' is imported here"),
                    source: source.clone(),
                    place: place(position),
                });
                source.clone_from(module);
                error = inner;
            }
            _ => break,
        }
    }
    let mut place = place(error.position());
    // A host call knows no place of its own: that of the call counts.
    while place.is_none() {
        let Some(call) = calls.pop() else { break };
        (source, place) = (call.source, call.place);
    }
    // A callback of the host has the place of the host's call, which is in the chain already.
    calls.retain(|call| call.place.is_some());
    calls.dedup_by(|a, b| a.source == b.source && a.place == b.place);
    calls.reverse();
    Origin {
        error,
        source,
        place,
        calls,
    }
}

/// The name of a function for people: closures have names that nobody wrote.
fn function_name(name: &str) -> String {
    match name.starts_with("anon$") {
        true => "the closure".into(),
        false => name.into(),
    }
}
