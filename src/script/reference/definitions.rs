//! Definition files for editors (`.d.rhai`): everything that is registered, and each module of the standard library.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

use rhai::Engine;

use super::{Entry, Kind, Overload, Reference};
use crate::error::{Error, Result};

/// The file of what is at hand without an import, as Rhai's own tools name it.
const STATIC: &str = "__static__";

impl Reference {
    /// Writes the definition files into `folder`, which is made, and returns their paths.
    ///
    /// # Errors
    /// [`Error::Io`] where they cannot be written.
    pub fn write_definitions(&self, folder: &Path) -> Result<Vec<PathBuf>> {
        let modules = self.all().filter(|entry| entry.kind == Kind::Module);
        let modules = modules.map(|module| (module.name.as_str(), Some(&module.name)));
        let mut written = Vec::new();
        for (name, module) in std::iter::once((STATIC, None)).chain(modules) {
            let head = match module {
                None => "static".to_string(),
                Some(path) => path.replace('/', "_"),
            };
            let functions = self.all().filter(|entry| entry.module.as_ref() == module);
            let defined: String = functions.map(definitions).collect();
            let path = folder.join(format!("{name}.d.rhai"));
            let parent = path.parent().unwrap_or(folder);
            fs::create_dir_all(parent).map_err(Error::io("create", parent))?;
            let text = format!("module {head};\n{defined}");
            fs::write(&path, text).map_err(Error::io("write", &path))?;
            written.push(path);
        }
        // What is part of the syntax is in no engine's metadata; Rhai has files of it.
        let syntax = Engine::new_raw();
        let syntax = syntax.definitions();
        let syntax = syntax
            .iter_files()
            .filter(|(name, _)| name.contains("builtin"));
        for (name, text) in syntax {
            let path = folder.join(name);
            fs::write(&path, text).map_err(Error::io("write", &path))?;
            written.push(path);
        }
        Ok(written)
    }
}

/// The definitions of an entry, each with its documentation.
fn definitions(entry: &Entry) -> String {
    let doc = entry.doc.lines().map(|line| format!("/// {line}\n"));
    let doc: String = doc.map(|line| line.replace("/// \n", "///\n")).collect();
    let mut text = String::new();
    for overload in &entry.overloads {
        let _ = write!(text, "\n{doc}{};\n", definition(entry, overload));
    }
    text
}

/// How `overload` is defined.
fn definition(entry: &Entry, overload: &Overload) -> String {
    let typed = |(name, of): &(String, String)| match (name.as_str(), entry.kind) {
        ("", _) => format!("_: {}", defined(of)),
        (_, Kind::Operator) => defined(of).into(),
        (name, _) => format!("{name}: {}", defined(of)),
    };
    let params: Vec<String> = overload.params.iter().map(typed).collect();
    let sets = matches!(entry.kind, Kind::Property if params.len() > 1)
        || matches!(entry.kind, Kind::Index if params.len() > 2);
    let name = match (entry.kind, sets) {
        (Kind::Operator, _) => format!("op {}", entry.name),
        (Kind::Property, false) => format!("fn get {}", entry.name),
        (Kind::Property, true) => format!("fn set {}", entry.name),
        (Kind::Index, false) => "fn index$get$".into(),
        (Kind::Index, true) => "fn index$set$".into(),
        _ => format!("fn {}", entry.name),
    };
    // What a function of a script gives is not known; a host's without a result gives nothing.
    let nothing = if entry.module.is_some() { "?" } else { "()" };
    let returns = overload.returns.as_deref().map_or(nothing, defined);
    format!("{name}({}) -> {returns}", params.join(", "))
}

/// The name of a type in definition files.
fn defined(of: &str) -> &str {
    match of {
        "any" => "?",
        "string" => "String",
        "array" => "Array",
        "map" => "Map",
        "blob" => "Blob",
        "function" => "FnPtr",
        other => other,
    }
}
