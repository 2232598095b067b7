//! Closures: what they capture and set, and to whom they are handed. Rhai makes each a function of its own, whose first
//! parameters are the variables that it captures.

use rhai::{Dynamic, Expr, FnCallExpr, FnPtr, Position, Stmt};

use super::scopes::Kind;
use super::{Checker, Of, ident};
use crate::script::diagnostic::Severity;

/// The methods whose closures get an object of a known type.
const CALLBACKS: &[(&str, &str)] = &[("set_reward", "Outcome")];

impl Checker<'_> {
    /// The arguments of a call; those of a method of `object` may be closures that capture it.
    pub(super) fn arguments(&mut self, call: &FnCallExpr, object: Option<&Expr>) -> Vec<Of> {
        let host = self.names.own(&call.name).next().is_none() && call.namespace.is_empty();
        let callback = CALLBACKS
            .iter()
            .find(|(name, _)| *name == call.name)
            .map(|(_, of)| *of);
        let mut types = Vec::new();
        for arg in &call.args {
            let Some((value, captured, at)) = as_closure(arg) else {
                types.push(self.expr(arg));
                continue;
            };
            if let Some(Expr::Variable(object, _, _)) = object
                && let Some((name, at)) = captures(arg).find(|(name, _)| **name == *object.1)
            {
                let message = format!("the closure captures '{name}', whose method it is given to");
                let note = format!("copy it first (`let again = {name};`) and use the copy inside");
                self.find(Severity::Error, "data-race", at, message, [note]);
            }
            let before = std::mem::replace(&mut self.handed, host && object.is_some());
            self.closure(value, captured, at, callback);
            self.handed = before;
            types.push(Some("function".into()));
        }
        types
    }

    /// The body of a closure, which sees what is around it; the first `captured` parameters are what it captures.
    pub(super) fn closure(
        &mut self,
        value: &Dynamic,
        captured: usize,
        at: Position,
        gets: Option<&str>,
    ) {
        let pointer = value.clone().try_cast::<FnPtr>();
        let Some(name) = pointer.map(|pointer| pointer.fn_name().to_string()) else {
            return;
        };
        let functions = self.functions;
        let Some(function) = functions.iter().find(|f| f.name == name) else {
            return;
        };
        self.scopes.enter_closure();
        for param in function.params.iter().skip(captured) {
            let of = gets.map(str::to_string);
            self.scopes.declare(ident(param, at), Kind::Param, of);
        }
        self.statements(&function.body);
        self.leave();
    }
}

/// The call that makes a closure which captures variables.
pub(super) fn curried(statements: &[Stmt]) -> Option<(&FnCallExpr, Position)> {
    match statements {
        [Stmt::Share(_), Stmt::Expr(expr)] => match &**expr {
            Expr::FnCall(call, at) if call.name == "curry" => Some((call, *at)),
            _ => None,
        },
        _ => None,
    }
}

/// The closure that `expr` is, the number of variables that it captures, and where it is.
fn as_closure(expr: &Expr) -> Option<(&Dynamic, usize, Position)> {
    match expr {
        Expr::DynamicConstant(value, at) if value.is_fnptr() => Some((value, 0, *at)),
        Expr::Stmt(block) => {
            let (call, at) = curried(block.statements())?;
            match call.args.first() {
                Some(Expr::DynamicConstant(value, _)) => Some((value, call.args.len() - 1, at)),
                _ => None,
            }
        }
        _ => None,
    }
}

/// The variables that the closure `expr` captures.
fn captures(expr: &Expr) -> impl Iterator<Item = (&str, Position)> {
    let block = match expr {
        Expr::Stmt(block) => block.statements(),
        _ => &[],
    };
    let call = curried(block).map(|(call, _)| call.args.iter().skip(1));
    call.into_iter().flatten().filter_map(|arg| match arg {
        Expr::Variable(variable, _, at) => Some((variable.1.as_str(), *at)),
        _ => None,
    })
}
