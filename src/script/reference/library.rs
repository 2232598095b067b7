//! The entries of the standard library: the comments of its modules and of their public functions.

use std::collections::BTreeMap;

use rhai::{AST, Engine, FnAccess, ScriptFnMetadata};

use super::accepted::{Names, accepted};
use super::{Entry, Kind, Overload, comment};
use crate::script::{modules, parser};

/// The entries, with the options that functions hand on to another module's filled in.
pub(super) fn entries() -> Vec<Entry> {
    let parser = parser();
    let mut handed = BTreeMap::new();
    let mut entries: Vec<Entry> = modules::library()
        .flat_map(|(path, text)| module(&parser, &path, text, &mut handed))
        .collect();
    for (function, to) in handed {
        let id = |entry: &Entry| (entry.module.clone().unwrap_or_default(), entry.name.clone());
        let options = entries.iter().find(|entry| id(entry) == to);
        let options = options.map_or(Vec::new(), |entry| entry.options.clone());
        let mut same = entries.iter_mut();
        if let Some(entry) = same.find(|entry| id(entry) == function) {
            entry.options = options;
        }
    }
    entries
}

/// A function by its module's path and its name.
type Id = (String, String);

/// The entry of the module at `path`, then those of its public functions, in order of their names. Those in `handed`
/// hand their options on.
fn module(parser: &Engine, path: &str, source: &str, handed: &mut BTreeMap<Id, Id>) -> Vec<Entry> {
    // What does not parse has nothing to say here; importing it says why.
    let Ok(ast) = parser.compile(source) else {
        return Vec::new();
    };
    let alias = path.rsplit('/').next().unwrap_or(path);
    let entry = |name: &str, kind, signatures, doc| Entry {
        name: name.into(),
        receiver: None,
        module: (kind != Kind::Module).then(|| path.into()),
        signatures,
        overloads: Vec::new(),
        options: Vec::new(),
        doc,
        kind,
        builtin: false,
    };
    let import = format!("import \"{path}\" as {alias};");
    let about = comment([ast.doc()]);
    let mut entries = vec![entry(path, Kind::Module, vec![import], about)];
    // A closure is a function too, under a name that nobody can write.
    let public = |f: &ScriptFnMetadata| f.access == FnAccess::Public && !f.name.contains('$');
    let public = ast.iter_functions().filter(public);
    let mut functions: Vec<Entry> = public
        .map(|f| {
            let signature = format!("{alias}::{}({})", f.name, f.params.join(", "));
            let doc = comment(f.comments.iter().copied());
            let (overload, options) = overload(&ast, &f, doc.clone());
            let listed = match options {
                Some(Names::Listed(names)) => names,
                Some(Names::Of(module, name)) => {
                    handed.insert((path.into(), f.name.into()), (module, name));
                    Vec::new()
                }
                None => Vec::new(),
            };
            Entry {
                overloads: vec![overload],
                options: listed,
                ..entry(f.name, Kind::Function, vec![signature], doc)
            }
        })
        .collect();
    functions.sort_by(|a, b| (&a.name, &a.signatures).cmp(&(&b.name, &b.signatures)));
    entries.extend(functions);
    entries
}

/// What the function `f` takes, and which options.
fn overload(ast: &AST, f: &ScriptFnMetadata, doc: String) -> (Overload, Option<Names>) {
    let accepted = accepted(ast, f.name, &f.params);
    let typed = |(at, name): (usize, &&str)| {
        let map = accepted.as_ref().is_some_and(|options| options.at == at);
        (
            name.to_string(),
            if map { "map" } else { "any" }.to_string(),
        )
    };
    let overload = Overload {
        params: f.params.iter().enumerate().map(typed).collect(),
        returns: None,
        doc,
    };
    (overload, accepted.map(|options| options.names))
}
