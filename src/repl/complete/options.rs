//! The keys of the options of a call, from its documentation: names in backquotes.

use crate::script::{Entry, Kind, Reference};

/// The keys that the function `call` documents; `modules` are what is imported, by alias and path.
pub(super) fn keys(reference: &Reference, modules: &[(String, String)], call: &str) -> Vec<String> {
    let (path, name) = match call.split_once("::") {
        Some((alias, name)) => {
            let path = modules.iter().rev().find(|(known, _)| known == alias);
            (path.map(|(_, path)| path), name)
        }
        None => (None, call),
    };
    let called = |entry: &&Entry| match entry.kind {
        Kind::Module => path == Some(&entry.name),
        Kind::Function | Kind::Method => entry.name == name && entry.module.as_ref() == path,
        _ => false,
    };
    let found: Vec<&Entry> = reference.all().filter(called).collect();
    // What `get_rewards(model, actions)` and `evaluate(net)` call their parameters is no option.
    let params = || found.iter().flat_map(|entry| &entry.overloads).flat_map(|o| &o.params);
    let known = |word: &&str| {
        let plain = word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        plain && word.starts_with(|c: char| c.is_ascii_lowercase()) && params().all(|(name, _)| name != word)
    };
    let quoted = found.iter().flat_map(|entry| entry.doc.split("```").step_by(2));
    let quoted = quoted.flat_map(|text| text.split('`').skip(1).step_by(2));
    quoted.filter(known).map(Into::into).collect()
}
