//! Option keys: which ones a call takes, and those in it that it does not.

use std::collections::BTreeMap;

use rhai::{AST, Expr, FnCallExpr};

use super::{Checker, Of};
use crate::error::Error;
use crate::script::diagnostic::Severity;
use crate::script::reference::{Accepted, OptionNames, accepted};

/// The options that functions of a script take, by their names and the number of their parameters.
pub(super) type Known = BTreeMap<(String, usize), Accepted>;

/// What the functions of `ast`, by name and parameters, take.
pub(super) fn of(ast: &AST, functions: &[(String, Vec<String>)]) -> Known {
    let taken = functions.iter().filter_map(|(name, params)| {
        let given: Vec<&str> = params.iter().map(String::as_str).collect();
        Some(((name.clone(), params.len()), accepted(ast, name, &given)?))
    });
    taken.collect()
}

impl Checker<'_> {
    /// Checks the object that is given to a call at `at`, where `known` are its options.
    fn object(&mut self, call: &FnCallExpr, at: usize, known: &[String]) {
        let Some(Expr::Map(map, _)) = call.args.get(at) else {
            return;
        };
        for (key, _) in &map.0 {
            if known.iter().all(|known| **known != *key.name) {
                let error = Error::unknown("option", key.name.as_str(), known.to_vec());
                self.find(
                    Severity::Error,
                    "unknown-option",
                    key.pos,
                    error.to_string(),
                    None,
                );
            }
        }
    }

    /// Checks the options of a call of a function that takes what `known` says.
    pub(super) fn options(&mut self, call: &FnCallExpr, known: &Known) {
        let id = (call.name.to_string(), call.args.len());
        let Some(Accepted { at, names }) = known.get(&id) else {
            return;
        };
        let names = match names {
            OptionNames::Listed(names) => names.clone(),
            OptionNames::Of(path, name) => {
                let names = self.names.reference.options_of(&format!("{path}::{name}"));
                names.into_iter().map(Into::into).collect()
            }
        };
        if !names.is_empty() {
            self.object(call, *at, &names);
        }
    }

    /// Checks the options of a call of the host: of a function, or of a method of an object of the type `receiver`.
    pub(super) fn host_options(&mut self, call: &FnCallExpr, receiver: Option<&Of>) {
        let hidden = usize::from(receiver.is_some());
        let of = receiver.and_then(Option::as_deref);
        let number = call.args.len() + hidden;
        let entries = self.names.callable(&call.name).filter(|entry| {
            !entry.options.is_empty() && (of.is_none() || entry.receiver.as_deref() == of)
        });
        let places = entries.flat_map(|entry| {
            let overloads = entry.overloads.iter().filter(|o| o.params.len() == number);
            overloads.filter_map(|o| Some((o.options()?, &entry.options)))
        });
        let found: Vec<_> = places.collect();
        let Some((at, names)) = found.first() else {
            return;
        };
        // Methods of two types may have one name and different options.
        if found
            .iter()
            .all(|(other, more)| other == at && more == names)
            && *at >= hidden
        {
            self.object(call, at - hidden, names);
        }
    }

    /// Checks the options of `with_defaults` itself, where both are written down.
    pub(super) fn defaults(&mut self, call: &FnCallExpr) {
        if call.name == "with_defaults"
            && let [_, Expr::Map(defaults, _)] = &call.args[..]
        {
            let known = defaults.0.iter().map(|(key, _)| key.name.to_string());
            self.object(call, 0, &known.collect::<Vec<_>>());
        }
    }
}
