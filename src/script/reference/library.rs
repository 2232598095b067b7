//! The entries of the standard library: the comments of its modules and of their public functions.

use rhai::{Engine, FnAccess, ScriptFnMetadata};

use super::{Entry, Kind, Overload, comment};
use crate::script::{finder, parser};

pub(super) fn entries() -> Vec<Entry> {
    let parser = parser();
    finder::library()
        .flat_map(|(path, text)| module(&parser, &path, text))
        .collect()
}

/// The entry of the module at `path`, then those of its public functions, in order of their names.
fn module(parser: &Engine, path: &str, source: &str) -> Vec<Entry> {
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
        doc,
        kind,
        builtin: false,
    };
    let import = format!("import \"{path}\" as {alias};");
    let mut entries = vec![entry(
        path,
        Kind::Module,
        vec![import],
        comment([ast.doc()]),
    )];
    // A closure is a function too, under a name that nobody can write.
    let public = |f: &ScriptFnMetadata| f.access == FnAccess::Public && !f.name.contains('$');
    let public = ast.iter_functions().filter(public);
    let mut functions: Vec<Entry> = public
        .map(|f| {
            let signature = format!("{alias}::{}({})", f.name, f.params.join(", "));
            let doc = comment(f.comments.iter().copied());
            let any = |name: &&str| (name.to_string(), "any".to_string());
            Entry {
                overloads: vec![Overload {
                    params: f.params.iter().map(any).collect(),
                    returns: None,
                    doc: doc.clone(),
                }],
                ..entry(f.name, Kind::Function, vec![signature], doc)
            }
        })
        .collect();
    functions.sort_by(|a, b| (&a.name, &a.signatures).cmp(&(&b.name, &b.signatures)));
    entries.extend(functions);
    entries
}
