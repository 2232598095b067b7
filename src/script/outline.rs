//! What a script is made of, without running it: its documentation, its functions, and what it asks for. A recipe says
//! in its documentation what it is; that is its [`Header`].

use std::collections::BTreeSet;
use std::path::Path;

use rhai::{AST, ASTNode, Expr, FnAccess, FnCallExpr, Stmt};

use super::bundle::imports;
use super::reference::{Kind, Reference, comment};
use super::{Declared, Diagnostic, Sources, compile, declared, parser, raise};
use crate::error::{Error, Result};
use crate::recipe::Pack;

/// What there is in a script, and in the modules that are packed with it.
#[derive(Default)]
pub struct Outline {
    /// Its own documentation, the lines with `//!`.
    pub doc: String,
    /// The functions that an importer can call.
    pub functions: Vec<Function>,
    /// The tests: functions `test_…` without parameters, in the order of the text.
    pub tests: Vec<String>,
    /// The paths that it imports and that are not packed with it; `None` for one that only a run can tell.
    pub imports: BTreeSet<Option<String>>,
    /// The paths of the modules that are packed with it.
    pub packed: Vec<String>,
    /// The parameters that it asks for.
    pub params: Vec<Declared>,
    /// The functions of the host that it calls, such as `NetworkManager` and `dataset`.
    pub calls: BTreeSet<String>,
    /// The data that it names: data sets, folders of images, benchmark tables.
    pub data: BTreeSet<String>,
    /// The methods that it calls which read or write files.
    pub files: BTreeSet<String>,
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
/// Functions whose first argument names data.
const DATA: &[&str] = &["dataset", "folder", "BenchmarkTable"];

impl Outline {
    /// Parses the script `text` that came from `path`.
    ///
    /// # Errors
    /// A [`Diagnostic`] at the place of the syntax error.
    pub fn of(sources: &Sources, path: &Path, text: &str) -> Result<Self, Diagnostic> {
        let name = path.display().to_string();
        let pack = Pack::of(path, text).map_err(|error| Diagnostic::new(&raise(error), &name))?;
        let host = host();
        let Some(pack) = pack else {
            return Self::of_script(sources, path, text, &host);
        };
        let mut outline = Self::of_script(sources, path, &pack.text, &host)?;
        for module in &pack.modules {
            let path = module.pinned();
            let within = Self::of_script(sources, Path::new(&path), &module.text, &host)?;
            outline.imports.extend(within.imports);
            outline.calls.extend(within.calls);
            outline.data.extend(within.data);
            outline.files.extend(within.files);
            outline.params.extend(within.params);
        }
        let pinned: Vec<_> = pack
            .modules
            .iter()
            .map(|module| Some(module.pinned()))
            .collect();
        outline.imports.retain(|import| !pinned.contains(import));
        outline.packed = pack.modules.into_iter().map(|module| module.path).collect();
        Ok(outline)
    }

    /// What it says that it is: the first paragraph of its documentation, up to the first field.
    pub fn title(&self) -> String {
        let field = |line: &str| FIELDS.iter().any(|name| has_field(line, name));
        let lines = self.doc.lines();
        let lines = lines.take_while(|line| !line.trim().is_empty() && !field(line));
        lines.map(str::trim).collect::<Vec<_>>().join(" ")
    }

    fn of_script(
        sources: &Sources,
        path: &Path,
        text: &str,
        host: &BTreeSet<String>,
    ) -> Result<Self, Diagnostic> {
        let ast = compile(&parser(), sources, path, text)?;
        let mut functions: Vec<_> = ast.shared_lib().iter_script_fn_info().collect();
        functions.sort_by_key(|(.., f)| {
            let at = f.body.start_position();
            (at.line(), at.position())
        });
        let tests = functions.iter().filter(|(_, _, _, params, _)| *params == 0);
        let tests = tests.map(|(_, _, name, ..)| name.to_string());
        let tests = tests.filter(|name| name.starts_with(TEST)).collect();
        // A closure is a function too, under a name that nobody can write.
        let public = ast.iter_functions().filter(|f| {
            let test = f.name.starts_with(TEST) && f.params.is_empty();
            f.access == FnAccess::Public && !f.name.contains('$') && !test
        });
        let mut functions: Vec<Function> = public
            .map(|f| Function {
                name: f.name.into(),
                params: f.params.iter().map(ToString::to_string).collect(),
                doc: comment(f.comments.iter().copied()),
            })
            .collect();
        functions.sort_by(|a, b| (&a.name, a.params.len()).cmp(&(&b.name, b.params.len())));
        let called = called(&ast);
        let own: BTreeSet<&str> = ast.iter_functions().map(|f| f.name).collect();
        let names = called.iter().map(|(name, _)| name.as_str());
        let those = |wanted: &dyn Fn(&str) -> bool| {
            let names = names.clone().filter(|name| wanted(name));
            names.map(str::to_string).collect::<BTreeSet<_>>()
        };
        let data = called
            .iter()
            .filter(|(name, _)| DATA.contains(&name.as_str()));
        Ok(Self {
            doc: comment([ast.doc()]),
            tests,
            imports: imports(&ast).into_iter().map(|(path, _)| path).collect(),
            packed: Vec::new(),
            params: declared(&ast),
            // A function of the script's own hides the host's.
            calls: those(&|name| host.contains(name) && !own.contains(name)),
            files: those(&|name| FILES.contains(&name)),
            data: data.filter_map(|(_, first)| first.clone()).collect(),
            functions,
        })
    }
}

/// The functions that the host offers.
fn host() -> BTreeSet<String> {
    let reference = Reference::get();
    let plain = reference
        .all()
        .filter(|entry| entry.kind == Kind::Function && entry.module.is_none() && !entry.builtin);
    plain.map(|entry| entry.name.clone()).collect()
}

/// How the names of tests begin.
const TEST: &str = "test_";

/// The names of all that `ast` calls without a module before it, each with its first argument, if that is a plain string.
fn called(ast: &AST) -> Vec<(String, Option<String>)> {
    let mut called = Vec::new();
    let first = |call: &FnCallExpr| match call.args.first() {
        Some(Expr::StringConstant(text, _)) => Some(text.to_string()),
        _ => None,
    };
    ast.walk(&mut |path| {
        if let Some(
            ASTNode::Expr(Expr::FnCall(call, _) | Expr::MethodCall(call, _))
            | ASTNode::Stmt(Stmt::FnCall(call, _)),
        ) = path.last()
            && call.namespace.is_empty()
        {
            called.push((call.name.to_string(), first(call)));
        }
        true
    });
    called
}

/// What a recipe says of itself at the top of its file: the title as the first paragraph, then fields such as
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
        let title = Some(outline.title()).filter(|title| !title.is_empty());
        let title = title.ok_or_else(|| missing("a title", "What it does."))?;
        let field = |names: &[&str], example: &str| {
            let found = names.iter().find_map(|name| field(doc, name));
            let line = format!("{}: {example}", names[0]);
            found.ok_or_else(|| missing(&format!("the field {}", names[0]), &line))
        };
        let header = Self {
            title,
            author: field(&["Author", "Authors"], "Jane Doe")?,
            licence: field(&["Licence", "License"], "MIT")?,
            parameters: field(&["Parameters"], "none")?,
            needs: field(&["Needs"], "a space, a manager")?,
        };
        if outline.functions.is_empty() {
            let expected = "a function that can be called from outside";
            return Err(Error::invalid(format!("recipe {name}"), expected, "none"));
        }
        Ok(header)
    }
}

/// How fields may be called.
pub(super) const FIELDS: [&str; 6] = [
    "Author",
    "Authors",
    "Licence",
    "License",
    "Parameters",
    "Needs",
];

fn has_field(line: &str, name: &str) -> bool {
    line.strip_prefix(name)
        .is_some_and(|rest| rest.starts_with(':'))
}

/// The value of the field `name`, with the indented lines after it.
fn field(doc: &str, name: &str) -> Option<String> {
    let mut lines = doc.lines();
    let first = lines.find(|line| has_field(line, name))?;
    let more = lines.take_while(|line| line.starts_with(' '));
    let value: Vec<&str> = std::iter::once(&first[name.len() + 1..])
        .chain(more)
        .map(str::trim)
        .collect();
    let value = value.join(" ").trim().to_string();
    (!value.is_empty()).then_some(value)
}
