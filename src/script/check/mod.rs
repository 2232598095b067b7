//! What is wrong with a script, without running it: names that there are not, calls that nothing takes, options that
//! nobody reads, variables that nobody needs. What only a run can tell is not guessed at: a finding is a mistake, or
//! looks like one.

mod calls;
mod closures;
mod expressions;
mod functions;
mod imports;
mod members;
mod options;
mod scopes;
mod walk;

use std::collections::BTreeSet;

use functions::Function;
use imports::Imports;
use rhai::{AST, Ident, OptimizationLevel, Position};
use scopes::Scopes;

use super::diagnostic::text::{next_word, offset};
use super::diagnostic::{Diagnostic, Names, Severity, Told, functions_of, place};
use super::reference::Reference;
use super::{Finder, parsed, parser};

/// Line and column, from 1.
type Place = (usize, usize);

/// A type by the name that scripts know it by; none where only a run can tell.
type Of = Option<String>;

/// Checks the script `text` called `source`, whose imports `finder` finds. The findings are in the order of their
/// places.
pub(in crate::script) fn check(finder: &Finder, source: &str, text: &str) -> Vec<Diagnostic> {
    let sources = &finder.sources;
    sources.add(source, text);
    let mut parser = parser();
    // An optimised tree lacks what is never run.
    parser.set_optimization_level(OptimizationLevel::None);
    let ast = match parsed(&parser, text) {
        Ok(ast) => ast,
        Err(error) => {
            let error = Diagnostic::new(&error.into(), source);
            return vec![error.explained(sources)];
        }
    };
    let (functions, own) = (functions::of(&ast), functions_of(&ast));
    let mut checker = Checker {
        source,
        text,
        ast: &ast,
        functions: &functions,
        known: options::of(&ast, &own),
        names: Names {
            reference: Reference::get(),
            own,
        },
        imports: Imports::of(&ast, finder),
        keys: members::keys(&ast),
        scopes: Scopes::default(),
        handed: false,
        found: Vec::new(),
    };
    checker.script();
    let mut found = std::mem::take(&mut checker.found);
    for mut finding in std::mem::take(&mut checker.imports.found) {
        if finding.source.is_empty() {
            finding.source = source.into();
        }
        found.push(finding);
    }
    found.sort_by(|a, b| (&a.source, a.place, &a.message).cmp(&(&b.source, b.place, &b.message)));
    found.dedup();
    found
}

/// The state of a check.
struct Checker<'a> {
    source: &'a str,
    text: &'a str,
    ast: &'a AST,
    functions: &'a [Function],
    /// The options that they take.
    known: options::Known,
    names: Names<'a>,
    imports: Imports,
    /// Keys that objects of the script and of its modules have.
    keys: BTreeSet<String>,
    scopes: Scopes,
    /// Whether a closure is being looked at that is handed to the host.
    handed: bool,
    found: Vec<Diagnostic>,
}

impl Checker<'_> {
    /// Notes a finding.
    fn find(
        &mut self,
        severity: Severity,
        code: &str,
        at: Position,
        message: impl Into<String>,
        notes: impl IntoIterator<Item = String>,
    ) {
        let Some(place) = place(at) else { return };
        let mut finding = Diagnostic::finding(severity, code, self.source, place, message);
        finding.notes = notes.into_iter().collect();
        self.found.push(finding);
    }

    /// Notes an error in the use of `name`, at or after `at`.
    fn tell(&mut self, at: Position, name: &str, told: Told) {
        let Some(at) = place(at) else { return };
        let word = next_word(self.text, offset(self.text, at), name);
        let at = word.map_or(at, |word| super::diagnostic::text::place(self.text, word));
        let severity = Severity::Error;
        let mut finding = Diagnostic::finding(severity, told.code, self.source, at, told.message);
        finding.notes = told.notes;
        self.found.push(finding);
    }

    /// Leaves a block, and notes the variables in it that nobody needed.
    fn leave(&mut self) {
        for variable in self.scopes.leave() {
            self.unused(&variable);
        }
    }

    fn unused(&mut self, variable: &scopes::Variable) {
        if !variable.unused() {
            return;
        }
        let name = &variable.ident.name;
        let message = match (variable.kind, variable.set) {
            (scopes::Kind::Import, _) => format!("module '{name}' is imported and never used"),
            (_, true) => format!("variable '{name}' is set and never read"),
            (_, false) => format!("variable '{name}' is never used"),
        };
        let note = match variable.kind {
            scopes::Kind::Import => Vec::new(),
            _ => vec![format!("if that is meant, call it _{name}")],
        };
        let code = "unused";
        self.find(Severity::Warning, code, variable.ident.pos, message, note);
    }
}

/// An identifier at a position.
fn ident(name: &str, pos: Position) -> Ident {
    Ident {
        name: name.into(),
        pos,
    }
}
