//! The forms of a call: how a name that there is can be called, and what is wrong with other arguments.

use super::kind_of;
use super::names::{Mismatch, NOTHING, Names, Told, takes};
use crate::script::reference::{Entry, Kind, Overload};

/// The most forms of a call that are shown.
const FORMS: usize = 5;

impl Names<'_> {
    /// Says what is wrong with a call of a name that there is, with other arguments.
    pub(super) fn mismatch(&self, call: &Mismatch) -> Told {
        let Mismatch {
            name,
            types,
            method,
        } = *call;
        let receiver = types.first().map_or("?", String::as_str);
        let of_receiver =
            |e: &&Entry| receiver == "?" || e.overloads.iter().any(|o| takes(o, receiver));
        let plain = |e: &&Entry| !method && e.kind == Kind::Function;
        let entries: Vec<&Entry> = self.callable(name).collect();
        let mut fitting: Vec<&Entry> = entries
            .iter()
            .filter(|e| plain(e) || of_receiver(e))
            .copied()
            .collect();
        let own: Vec<&[String]> = self.own(name).collect();
        if fitting.is_empty() && own.is_empty() {
            let owners: Vec<&str> = entries
                .iter()
                .filter_map(|e| e.receiver.as_deref())
                .collect();
            if owners.is_empty() {
                fitting = entries;
            } else {
                let mut notes = vec![format!("'{name}' is a method of {}", some(&owners))];
                if receiver == "()" {
                    notes.push(NOTHING.into());
                }
                return Told {
                    code: "unknown-method",
                    message: format!("{} has no method '{name}'", kind_of(receiver)),
                    notes,
                    argument: None,
                };
            }
        }
        let mut forms: Vec<(&Overload, &String)> = Vec::new();
        for entry in &fitting {
            forms.extend(entry.overloads.iter().zip(&entry.signatures));
        }
        if receiver != "?" && method {
            forms.retain(|(overload, _)| takes(overload, receiver));
        }
        // The language has most functions for numbers of sixteen kinds, of which scripts make two.
        forms.retain(|(overload, _)| !overload.params.iter().any(|(_, of)| is_rare(of)));
        let mut signatures: Vec<String> = forms.iter().map(|(_, s)| (*s).clone()).collect();
        signatures.extend(
            own.iter()
                .map(|params| format!("{name}({})", params.join(", "))),
        );
        let (message, argument) = self.difference(call, &forms, &own);
        let mut notes: Vec<String> = signatures
            .iter()
            .take(FORMS)
            .map(|s| format!("it is called as {s}"))
            .collect();
        if signatures.len() > FORMS {
            notes.push(format!(
                "and in {} more ways: `nas-script doc {name}`",
                signatures.len() - FORMS
            ));
        }
        Told {
            code: "wrong-arguments",
            message,
            notes,
            argument,
        }
    }

    /// What is wrong with the arguments, and which of them if it is one.
    fn difference(
        &self,
        call: &Mismatch,
        forms: &[(&Overload, &String)],
        own: &[&[String]],
    ) -> (String, Option<usize>) {
        let Mismatch {
            name,
            types,
            method,
        } = *call;
        let hidden = usize::from(method);
        let given = types.len() - hidden.min(types.len());
        let mut takes: Vec<usize> = forms
            .iter()
            .map(|(o, _)| o.params.len().saturating_sub(hidden))
            .collect();
        takes.extend(own.iter().map(|params| params.len()));
        takes.sort_unstable();
        takes.dedup();
        if !takes.contains(&given) {
            return (
                format!("'{name}' takes {}, not {given}", counts(&takes)),
                None,
            );
        }
        let same: Vec<&Overload> = forms
            .iter()
            .map(|(o, _)| *o)
            .filter(|o| o.params.len() == types.len())
            .collect();
        if let [overload] = same[..] {
            let wrong = overload
                .params
                .iter()
                .zip(types)
                .position(|((_, of), given)| of != "any" && given != "?" && of != given);
            if let Some(at) = wrong.filter(|at| *at >= hidden) {
                let (param, of) = &overload.params[at];
                let (of, found) = (kind_of(of), kind_of(&types[at]));
                let message = format!("'{name}' expects {of} as '{param}', found {found}");
                return (message, Some(at - hidden));
            }
        }
        let types = types[hidden.min(types.len())..].join(", ");
        (format!("'{name}' does not take ({types})"), None)
    }
}

/// Whether `of` is a type of numbers that no script makes.
fn is_rare(of: &str) -> bool {
    let sized = of.strip_prefix(['i', 'u', 'f']);
    sized.is_some_and(|size| size.parse::<u8>().is_ok() || size == "size")
}

/// "1 or 2 arguments".
pub(super) fn counts(takes: &[usize]) -> String {
    let numbers: Vec<String> = takes.iter().map(ToString::to_string).collect();
    let noun = if takes == [1] {
        "argument"
    } else {
        "arguments"
    };
    match &numbers[..] {
        [] => "other arguments".into(),
        [one] if one == "0" => "no arguments".into(),
        [one] => format!("{one} {noun}"),
        [most @ .., last] => format!("{} or {last} {noun}", most.join(", ")),
    }
}

/// A few of `names`, in words.
fn some(names: &[&str]) -> String {
    let mut names: Vec<String> = names.iter().map(|of| kind_of(of)).collect();
    names.dedup();
    names.truncate(3);
    names.join(", ")
}
