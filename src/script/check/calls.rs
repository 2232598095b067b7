//! Calls without a dot: of the script's own functions, the host's, and those of modules.

use rhai::{FnCallExpr, Position};

use super::members::given;
use super::{Checker, Of, scopes};
use crate::script::diagnostic::{
    LANGUAGE, Mismatch, Severity, called_variable, module_call, module_notes,
};
use crate::script::reference::Overload;

/// Functions of the language that take any number of arguments.
const ANY_NUMBER: &[&str] = &["call", "curry"];

impl Checker<'_> {
    /// Checks a call with arguments of these types; returns the type of what it gives.
    pub(super) fn call(&mut self, call: &FnCallExpr, args: &[Of], at: Position) -> Of {
        let (name, number) = (call.name.as_str(), call.args.len());
        if call.is_operator_call() {
            return operation(name, args);
        }
        if !call.namespace.is_empty() {
            self.module_call(call);
            return None;
        }
        self.defaults(call);
        if self.names.own(name).any(|params| params.len() == number) {
            let known = std::mem::take(&mut self.known);
            self.options(call, &known);
            self.known = known;
            return None;
        }
        if LANGUAGE.contains(&(name, number)) || ANY_NUMBER.contains(&name) {
            return None;
        }
        let overloads = self.names.callable(name).flat_map(|e| &e.overloads);
        let language = LANGUAGE.iter().any(|(known, _)| *known == name);
        let fits = |o: &&Overload| o.params.len() == number && !language;
        let fitting: Vec<&Overload> = overloads.filter(fits).collect();
        if !fitting.is_empty() {
            let of = given(fitting.into_iter());
            self.host_options(call, None);
            return of;
        }
        let unknown = || "?".to_string();
        let types: Vec<String> = args
            .iter()
            .map(|of| of.clone().unwrap_or_else(unknown))
            .collect();
        let mut told = self.names.call(&Mismatch {
            name,
            types: &types,
            method: false,
        });
        if let Some(found) = self.scopes.find(name) {
            found.variable.used = true;
            told.notes = vec![called_variable(name)];
        }
        self.tell(at, name, told);
        None
    }

    /// Checks a call of a module's function.
    fn module_call(&mut self, call: &FnCallExpr) {
        let (root, at) = (call.namespace.root().to_string(), call.namespace.position());
        let Some(module) = self.module(&root, at) else {
            return;
        };
        if call.namespace.path.len() > 1 {
            return;
        }
        let (name, number) = (call.name.as_str(), call.args.len());
        let named = |f: &&(String, Vec<String>)| f.0 == name && f.1.len() == number;
        if module.functions.iter().any(|f| named(&f)) {
            self.options(call, &module.options);
        } else {
            let told = module_call(&root, name, number, &module.functions);
            self.tell(at, name, told);
        }
    }

    /// The module that is imported as `alias`, if it can be read; notes an alias that there is not.
    pub(super) fn module(&mut self, alias: &str, at: Position) -> Option<super::imports::Module> {
        if alias == "global" {
            return None;
        }
        let found = self
            .scopes
            .find(alias)
            .filter(|f| f.variable.kind == scopes::Kind::Import);
        let known = match found {
            Some(found) => {
                found.variable.used = true;
                true
            }
            None => self.imports.global.contains(alias) && self.scopes.use_outside(alias),
        };
        if known {
            return self.imports.modules.get(alias).cloned().flatten();
        }
        let message = format!("unknown module '{alias}'");
        let notes = module_notes(self.ast, alias);
        self.find(Severity::Error, "unknown-module", at, message, notes);
        None
    }
}

/// The type of what an operator gives.
fn operation(operator: &str, args: &[Of]) -> Of {
    match (operator, args) {
        ("==" | "!=" | "<" | ">" | "<=" | ">=" | "!" | "in" | "!in" | "&&" | "||", _) => {
            Some("bool".into())
        }
        ("+" | "-" | "*" | "/" | "%" | "**", [Some(left), Some(right)]) => {
            let number = |of: &str| matches!(of, "int" | "float");
            match left == right {
                true if number(left) || operator == "+" => Some(left.clone()),
                false if number(left) && number(right) => Some("float".into()),
                _ => None,
            }
        }
        ("-" | "+", [one]) => one
            .clone()
            .filter(|of| matches!(of.as_str(), "int" | "float")),
        _ => None,
    }
}
