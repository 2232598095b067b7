//! Option keys: which ones a call takes, and those in it that it does not.

use std::collections::BTreeMap;

use rhai::{ASTNode, Expr, FnCallExpr, Stmt};

use super::Checker;
use super::functions::Function;
use crate::error::Error;
use crate::script::diagnostic::Severity;

/// The options that functions of a script take: by the function's name, the number of its parameters, and that of
/// the parameter.
pub(super) type Known = BTreeMap<(String, usize, usize), Vec<String>>;

/// What `functions` hand to `with_defaults`.
pub(super) fn of(functions: &[Function]) -> Known {
    let mut known = Known::new();
    for function in functions {
        let params = &function.params;
        let mut note = |call: &FnCallExpr| {
            if let ("with_defaults", [Expr::Variable(given, ..), defaults]) =
                (call.name.as_str(), &call.args[..])
                && let Some(at) = params.iter().position(|param| *param == given.1)
                && let Some(keys) = keys(functions, defaults)
            {
                known.insert((function.name.to_string(), params.len(), at), keys);
            }
        };
        for statement in &function.body {
            statement.walk(&mut Vec::new(), &mut |path| {
                match path.last() {
                    Some(
                        ASTNode::Expr(Expr::FnCall(call, _)) | ASTNode::Stmt(Stmt::FnCall(call, _)),
                    ) => note(call),
                    _ => {}
                }
                true
            });
        }
    }
    known
}

/// The keys of an object that is written down, joined from others, or made by a function that does nothing else.
fn keys(functions: &[Function], expr: &Expr) -> Option<Vec<String>> {
    match expr {
        Expr::Map(map, _) => Some(map.0.iter().map(|(key, _)| key.name.to_string()).collect()),
        Expr::FnCall(call, _) if call.name == "+" => {
            let parts = call.args.iter().map(|part| keys(functions, part));
            Some(parts.collect::<Option<Vec<_>>>()?.concat())
        }
        Expr::FnCall(call, _) if call.args.is_empty() && call.namespace.is_empty() => {
            let mut named = functions.iter().filter(|f| f.name == call.name);
            match &named.find(|f| f.params.is_empty())?.body[..] {
                [Stmt::Expr(expr)] => keys(functions, expr),
                _ => None,
            }
        }
        _ => None,
    }
}

impl Checker<'_> {
    /// Checks the objects that are given to a call, whose parameters `known` has the options of.
    pub(super) fn options(&mut self, call: &FnCallExpr, known: impl Fn(usize) -> Option<Vec<String>>) {
        for (at, arg) in call.args.iter().enumerate() {
            let Expr::Map(map, _) = arg else { continue };
            let Some(known) = known(at) else { continue };
            for (key, _) in map.0.iter().filter(|(key, _)| !known.contains(&key.name.to_string())) {
                let error = Error::unknown("option", key.name.as_str(), known.clone());
                self.find(Severity::Error, "unknown-option", key.pos, error.to_string(), None);
            }
        }
    }

    /// Checks the options of `with_defaults` itself, where both are written down.
    pub(super) fn defaults(&mut self, call: &FnCallExpr) {
        if let [Expr::Map(..), defaults] = &call.args[..]
            && call.name == "with_defaults"
        {
            let known = keys(self.functions, defaults);
            self.options(call, |at| known.clone().filter(|_| at == 0));
        }
    }
}
