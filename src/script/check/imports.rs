//! The modules that a script imports: their functions, constants and options, from their texts.

use std::collections::{BTreeMap, BTreeSet};

use rhai::{AST, ASTFlags, ASTNode, Expr, OptimizationLevel, Position, Stmt};

use super::{Place, members, options};
use crate::script::diagnostic::{Diagnostic, Severity, place};
use crate::script::modules::public_functions;
use crate::script::{Finder, parsed, parser};

/// What a module offers.
#[derive(Clone, Default)]
pub(super) struct Module {
    /// By name and parameters.
    pub functions: Vec<(String, Vec<String>)>,
    /// What it exports.
    pub constants: BTreeSet<String>,
    /// The options that its functions take.
    pub options: options::Known,
    /// Keys of the objects that it makes.
    pub keys: BTreeSet<String>,
}

/// The imports of a script.
#[derive(Default)]
pub(super) struct Imports {
    /// By the name in the script; none where the module cannot be read, or the path is only known in a run.
    pub modules: BTreeMap<String, Option<Module>>,
    /// The imports of the script itself, which its functions see.
    pub global: BTreeSet<String>,
    /// What is wrong with the imports.
    pub found: Vec<Diagnostic>,
}

impl Imports {
    pub fn of(ast: &AST, finder: &Finder) -> Self {
        let mut imports = Self::default();
        let mut paths: Vec<(String, Option<String>, Position)> = Vec::new();
        ast.walk(&mut |path| {
            if let Some(ASTNode::Stmt(Stmt::Import(import, _))) = path.last() {
                let (path, alias) = (&import.0, import.1.name.to_string());
                let text = match path {
                    Expr::StringConstant(text, _) => Some(text.to_string()),
                    _ => None,
                };
                paths.push((alias, text, path.position()));
            }
            true
        });
        for statement in ast.statements() {
            if let Stmt::Import(import, _) = statement {
                imports.global.insert(import.1.name.to_string());
            }
        }
        for (alias, path, at) in paths {
            let module = path.and_then(|path| imports.read(finder, &path, place(at)));
            imports.modules.insert(alias, module);
        }
        imports
    }

    /// Reads the module at `path`, which is imported `at` a place of the script.
    fn read(&mut self, finder: &Finder, path: &str, at: Option<Place>) -> Option<Module> {
        let (name, text) = match finder.text(path) {
            Ok(found) => found,
            Err(error) => {
                let (severity, code) = (Severity::Error, "unknown-import");
                let at = at.unwrap_or((1, 1));
                // The place is that of the script, whose name the checker knows.
                let finding = Diagnostic::finding(severity, code, "", at, error.to_string());
                self.found.push(finding);
                return None;
            }
        };
        finder.sources.add(&name, &text);
        let mut parser = parser();
        parser.set_optimization_level(OptimizationLevel::None);
        match parsed(&parser, &text) {
            Ok(ast) => {
                let functions = public_functions(&ast);
                Some(Module {
                    options: options::of(&ast, &functions),
                    functions,
                    constants: exports(&ast),
                    keys: members::keys(&ast),
                })
            }
            Err(error) => {
                let error = Diagnostic::new(&error.into(), &name);
                self.found.push(error.explained(&finder.sources));
                None
            }
        }
    }
}

impl Imports {
    /// Whether an object of a module has this key.
    pub fn has_key(&self, name: &str) -> bool {
        self.modules
            .values()
            .flatten()
            .any(|module| module.keys.contains(name))
    }
}

/// What `ast` exports besides its functions.
fn exports(ast: &AST) -> BTreeSet<String> {
    let statements = ast.statements().iter();
    let exported = statements.filter_map(|statement| match statement {
        Stmt::Var(var, flags, _) if flags.contains(ASTFlags::EXPORTED) => Some(&var.0.name),
        Stmt::Export(export, _) if export.1.name.is_empty() => Some(&export.0.name),
        Stmt::Export(export, _) => Some(&export.1.name),
        _ => None,
    });
    exported.map(ToString::to_string).collect()
}
