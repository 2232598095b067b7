//! A session: its host, its variables, and what was entered so far. Evaluates, and shows nothing.

use std::path::Path;

use rhai::{AST, Dynamic, Engine, Scope, Stmt};

use super::journal::{Became, Journal, NAME};
use crate::error::Result;
use crate::script::{self, Declared, Diagnostic, Host, Sources};

/// A session.
pub(super) struct Session {
    pub host: Host,
    pub engine: Engine,
    pub scope: Scope<'static>,
    pub journal: Journal,
    pub sources: Sources,
    /// The parameters that the entries so far ask for.
    pub params: Vec<Declared>,
    /// The functions and imports of the entries so far.
    kept: AST,
}

impl Session {
    /// Starts a session of `host`.
    pub fn new(host: Host) -> Self {
        let sources = Sources::default();
        Self {
            engine: script::engine(&host, &sources),
            host,
            scope: Scope::new(),
            journal: Journal::default(),
            sources,
            params: Vec::new(),
            kept: AST::empty(),
        }
    }

    /// Evaluates an entry, which came from `file` if from one, and keeps its variables, functions and imports.
    ///
    /// # Errors
    /// A [`Diagnostic`] at the place of the error.
    pub fn evaluate(&mut self, text: &str, file: Option<&str>) -> Result<Dynamic, Diagnostic> {
        self.host.clear_interrupt();
        let whole = self.journal.add(text, file);
        let value = self.run(&whole);
        // An interrupt that came too late is none of the next entry.
        self.host.clear_interrupt();
        self.host.finish();
        value.map_err(|mut diagnostic| {
            self.sources.add(NAME, &self.journal.text());
            if let Some(file) = file {
                self.sources.add(file, text);
            }
            self.journal.locate(&mut diagnostic);
            diagnostic
        })
    }

    fn run(&mut self, text: &str) -> Result<Dynamic, Diagnostic> {
        let ast = script::compile(&self.engine, &self.sources, Path::new(NAME), text)?;
        let known = |params: &[Declared], name: &str| params.iter().any(|p| p.name == name);
        for param in script::declared(&ast) {
            if !known(&self.params, &param.name) {
                self.params.push(param);
            }
        }
        let before = (self.scope.len(), self.trials());
        let whole = self.kept.merge(&ast);
        let value = script::evaluate(&self.engine, &mut self.scope, &whole, NAME);
        let left = (self.scope.len(), self.trials()) != before || ast.has_functions();
        self.journal.became(match &value {
            Ok(_) => Became::Done,
            Err(diagnostic) if diagnostic.interrupted && left => Became::Stopped,
            Err(_) => Became::Nothing,
        });
        if value
            .as_ref()
            .is_err_and(|diagnostic| !diagnostic.interrupted)
        {
            return value;
        }
        // Functions and imports stay; other statements have been run.
        let statements = whole.statements().iter();
        let imports = statements.filter(|s| matches!(s, Stmt::Import(..)));
        let imports: Vec<Stmt> = imports.cloned().collect();
        self.kept = AST::new(imports, whole.shared_lib().clone());
        value
    }

    fn trials(&self) -> usize {
        self.host.study().lock().trials().len()
    }

    /// Evaluates an expression that is no entry: nothing of it is kept.
    ///
    /// # Errors
    /// A [`Diagnostic`] at the place of the error.
    pub fn look(&mut self, text: &str) -> Result<Dynamic, Diagnostic> {
        let ast = script::compile(&self.engine, &self.sources, Path::new(LOOK), text)?;
        let before = self.scope.len();
        let whole = self.kept.merge(&ast);
        let value = script::evaluate(&self.engine, &mut self.scope, &whole, LOOK);
        self.scope.rewind(before);
        self.host.clear_interrupt();
        value
    }

    /// The functions of the entries so far.
    pub fn functions(&self) -> impl Iterator<Item = rhai::ScriptFnMetadata<'_>> {
        // A closure is a function too, under a name that nobody can write.
        let functions = self.kept.iter_functions();
        functions.filter(|function| !function.name.contains('$'))
    }

    /// The modules that were imported, by their names here, with their paths.
    pub fn modules(&self) -> Vec<(String, String)> {
        let import = |statement: &Stmt| match statement {
            Stmt::Import(import, _) => match &import.0 {
                rhai::Expr::StringConstant(path, _) => {
                    Some((import.1.name.to_string(), path.to_string()))
                }
                _ => None,
            },
            _ => None,
        };
        self.kept.statements().iter().filter_map(import).collect()
    }

    /// The name that scripts know the type of `value` by.
    pub fn type_of(&self, value: &Dynamic) -> String {
        script::type_name(&self.engine, value)
    }

    /// A value as a script would print it.
    pub fn text(&self, value: &Dynamic) -> String {
        let mut scope = Scope::new();
        scope.push_dynamic("value", value.clone());
        let shown = self
            .engine
            .eval_with_scope::<Dynamic>(&mut scope, "value.to_string()");
        shown.map_or_else(|error| error.to_string(), |text| text.to_string())
    }
}

/// The name in errors of what [`Session::look`] evaluates.
const LOOK: &str = "<expression>";
