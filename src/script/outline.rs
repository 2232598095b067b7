//! What a script is made of, without running it: its documentation, its functions, and what it asks for. A recipe says
//! in its documentation what it is; that is its [`Header`].

use std::collections::BTreeSet;
use std::path::Path;

use rhai::{AST, ASTNode, Expr, FnAccess, Stmt};

use super::reference::{Kind, Reference, comment};
use super::{Declared, Diagnostic, Sources, compile, declared, parser};
use crate::error::{Error, Result};

/// What there is in a script.
pub struct Outline {
    /// Its own documentation, the lines with `//!`.
    pub doc: String,
    /// The functions that an importer can call.
    pub functions: Vec<Function>,
    /// The paths that it imports; `None` for one that only a run can tell.
    pub imports: Vec<Option<String>>,
    /// The parameters that it asks for.
    pub params: Vec<Declared>,
    /// The functions of the host that it calls, such as `NetworkManager` and `dataset`.
    pub calls: Vec<String>,
    /// The methods that it calls which read or write files.
    pub files: Vec<String>,
}

/// A function of a script.
pub struct Function {
    /// Its name.
    pub name: String,
    /// The names of its parameters.
    pub params: Vec<String>,
    /// Its documentation.
    pub doc: String,
}

/// Methods that read or write files.
const FILES: &[&str] = &["export", "load", "save"];

impl Outline {
    /// Parses the script `text` that came from `path`.
    ///
    /// # Errors
    /// A [`Diagnostic`] at the place of the syntax error.
    pub fn of(sources: &Sources, path: &Path, text: &str) -> Result<Self, Diagnostic> {
        let ast = compile(&parser(), sources, path, text)?;
        let public = ast
            .iter_functions()
            .filter(|f| f.access == FnAccess::Public);
        let functions = public.filter(|f| !f.name.contains('$')).map(|f| Function {
            name: f.name.into(),
            params: f.params.iter().map(ToString::to_string).collect(),
            doc: comment(f.comments.iter().copied()),
        });
        let mut functions: Vec<Function> = functions.collect();
        functions.sort_by(|a, b| a.name.cmp(&b.name));
        let (imports, called) = uses(&ast);
        let reference = Reference::get();
        let host = |name: &&String| {
            let entries = reference.all().filter(|entry| !entry.builtin);
            let mut plain = entries.filter(|e| e.kind == Kind::Function && e.module.is_none());
            // A function of the script's own hides the host's.
            plain.any(|entry| entry.name == **name) && !functions.iter().any(|f| f.name == **name)
        };
        let of_files = |name: &&String| FILES.contains(&name.as_str());
        Ok(Self {
            doc: comment([ast.doc()]),
            imports,
            params: declared(&ast),
            calls: called.iter().filter(host).cloned().collect(),
            files: called.iter().filter(of_files).cloned().collect(),
            functions,
        })
    }

    /// The tests that it has: functions `test_…` without parameters, in the order of their names.
    pub fn tests(&self) -> impl Iterator<Item = &str> {
        let test = |f: &&Function| f.name.starts_with("test_") && f.params.is_empty();
        self.functions.iter().filter(test).map(|f| f.name.as_str())
    }
}

/// What `ast` imports, and the names of all that it calls.
fn uses(ast: &AST) -> (Vec<Option<String>>, BTreeSet<String>) {
    let (mut imports, mut called) = (BTreeSet::new(), BTreeSet::new());
    ast.walk(&mut |path| {
        match path.last() {
            Some(ASTNode::Stmt(Stmt::Import(import, _))) => {
                imports.insert(match &import.0 {
                    Expr::StringConstant(path, _) => Some(path.to_string()),
                    _ => None,
                });
            }
            Some(
                ASTNode::Expr(Expr::FnCall(call, _) | Expr::MethodCall(call, _))
                | ASTNode::Stmt(Stmt::FnCall(call, _)),
            ) if call.namespace.is_empty() => {
                called.insert(call.name.to_string());
            }
            _ => {}
        }
        true
    });
    (imports.into_iter().collect(), called)
}

/// What a recipe says of itself at the top of its file: the title in the first line, then fields such as
/// `Author: …`, which go on in indented lines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// What it is, in a line.
    pub title: String,
    /// Who wrote it.
    pub author: String,
    /// What may be done with it, best as an SPDX expression.
    pub licence: String,
    /// Its options, or "none".
    pub parameters: String,
    /// What it needs: a space, a manager, a data set, or "nothing".
    pub needs: String,
}

impl Header {
    /// Reads the documentation of a script.
    ///
    /// # Errors
    /// [`Error::Invalid`] with the first field that is missing.
    pub fn read(outline: &Outline, name: &str) -> Result<Self> {
        let doc = outline.doc.as_str();
        let missing = |what: &str, line: &str| {
            let expected = format!("{what}, as a line `//! {line}` at the top of the file");
            Error::invalid(format!("recipe {name}"), expected, "none")
        };
        let title = doc.lines().next().map(str::trim).filter(|t| !t.is_empty());
        let title = title.ok_or_else(|| missing("a title", "What it does."))?;
        let field = |names: &[&str], example: &str| {
            let found = names.iter().find_map(|name| field(doc, name));
            let line = format!("{}: {example}", names[0]);
            found.ok_or_else(|| missing(&format!("the field {}", names[0]), &line))
        };
        let header = Self {
            title: title.to_string(),
            author: field(&["Author", "Authors"], "Jane Doe")?,
            licence: field(&["Licence", "License"], "MIT")?,
            parameters: field(&["Parameters"], "none")?,
            needs: field(&["Needs"], "a space, a manager")?,
        };
        if outline
            .functions
            .iter()
            .all(|f| f.name.starts_with("test_"))
        {
            let expected = "a function that can be called from outside";
            return Err(Error::invalid(format!("recipe {name}"), expected, "none"));
        }
        Ok(header)
    }
}

/// The value of the field `name`, with the indented lines after it.
fn field(doc: &str, name: &str) -> Option<String> {
    let mut lines = doc.lines();
    let first = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    let more = lines.take_while(|line| line.starts_with(' '));
    let value: Vec<&str> = std::iter::once(first).chain(more).map(str::trim).collect();
    let value = value.join(" ").trim().to_string();
    (!value.is_empty()).then_some(value)
}
