//! A source text as a tree, and what is found in it by place or by name: calls, keys of objects, the variables in
//! reach. Says nothing about errors.

use rhai::{AST, ASTNode, Expr, FnCallExpr, OptimizationLevel, Position, Stmt};

use super::chain::place;
use crate::script::{parsed, parser};

/// Line and column, from 1.
pub(super) type Place = (usize, usize);

/// The tree of `text` as it was written; none where it is no script.
pub(super) fn tree(text: &str) -> Option<AST> {
    let mut parser = parser();
    parser.set_optimization_level(OptimizationLevel::None);
    parsed(&parser, text).ok()
}

/// Where `expr` begins: of an operation, where its left side does.
pub(in crate::script) fn start(expr: &Expr) -> Position {
    match expr {
        Expr::FnCall(call, position) => match call.args.first() {
            Some(left) if call.op_token.is_some() => start(left),
            _ => match call.namespace.is_empty() {
                true => *position,
                false => call.namespace.position(),
            },
        },
        Expr::Dot(x, ..) | Expr::Index(x, ..) => start(&x.lhs),
        Expr::And(x, _) | Expr::Or(x, _) | Expr::Coalesce(x, _) => {
            x.first().map_or(expr.position(), start)
        }
        _ => expr.start_position(),
    }
}

/// The call at `at`, as `found` sees it, and whether it is a method's.
pub(super) fn at_call<T>(
    ast: &AST,
    at: Place,
    found: impl Fn(&FnCallExpr, bool) -> Option<T>,
) -> Option<T> {
    let mut result = None;
    ast.walk(&mut |path| {
        let (call, position, method) = match path.last() {
            Some(ASTNode::Expr(Expr::FnCall(call, position))) => (call, position, false),
            Some(ASTNode::Stmt(Stmt::FnCall(call, position))) => (call, position, false),
            Some(ASTNode::Expr(Expr::MethodCall(call, position))) => (call, position, true),
            _ => return true,
        };
        if place(*position) == Some(at) {
            result = found(call, method);
        }
        result.is_none()
    });
    result
}

/// Where the key `name` stands in the objects that are given to the call at `at`: in the call, or where the variable
/// that is given was made.
pub(super) fn key_of_call(ast: &AST, at: Place, name: &str) -> Option<Place> {
    let variables = |call: &FnCallExpr, _| {
        let args = call.args.iter();
        let found = args.clone().find_map(|arg| key(arg, name)).map(Ok);
        let variable = |arg: &Expr| match arg {
            Expr::Variable(variable, ..) => Some(variable.1.to_string()),
            _ => None,
        };
        found.or_else(|| Some(Err(args.filter_map(variable).collect::<Vec<_>>())))
    };
    let names = match at_call(ast, at, variables)? {
        Ok(place) => return Some(place),
        Err(names) => names,
    };
    let mut last = None;
    ast.walk(&mut |path| {
        if let Some(ASTNode::Stmt(Stmt::Var(var, ..))) = path.last()
            && names.iter().any(|n| **n == *var.0.name)
            && let Some(found) = key(&var.1, name)
            && found < at
        {
            last = last.max(Some(found));
        }
        true
    });
    last
}

/// Where the key `name` stands in `expr`, an object or one with objects in it.
fn key(expr: &Expr, name: &str) -> Option<Place> {
    let Expr::Map(map, _) = expr else { return None };
    let own = map.0.iter().find(|(key, _)| key.name == name);
    let own = own.and_then(|(key, _)| place(key.pos));
    own.or_else(|| map.0.iter().find_map(|(_, value)| key(value, name)))
}

/// The keys of all objects in the script.
pub(super) fn keys(ast: &AST) -> Vec<String> {
    let mut keys = Vec::new();
    ast.walk(&mut |path| {
        if let Some(ASTNode::Expr(Expr::Map(map, _))) = path.last() {
            keys.extend(map.0.iter().map(|(key, _)| key.name.to_string()));
        }
        true
    });
    keys
}

/// The variables of a script: those that a place can see, and those of the script when it is in a function.
pub(super) struct Reach {
    pub visible: Vec<String>,
    pub outside: Vec<String>,
}

/// The variables in reach of `at`.
pub(super) fn reach(ast: &AST, at: Place) -> Reach {
    // The function around the place, from brace to brace.
    let functions = || ast.shared_lib().iter_script_fn_info().map(|(.., f)| f);
    let around = functions().filter(|f| !f.name.contains('$')).find_map(|f| {
        let (first, last) = (
            place(f.body.start_position())?,
            place(f.body.end_position())?,
        );
        (first <= at && at <= last).then_some((first, last, f.params.clone()))
    });
    let mut declared: Vec<(Place, String)> = Vec::new();
    ast.walk(&mut |path| {
        let mut note = |ident: &rhai::Ident| {
            declared.extend(place(ident.pos).map(|place| (place, ident.name.to_string())));
        };
        match path.last() {
            Some(ASTNode::Stmt(Stmt::Var(var, ..))) => note(&var.0),
            Some(ASTNode::Stmt(Stmt::For(x, _))) => {
                note(&x.0);
                x.1.iter().for_each(&mut note);
            }
            Some(ASTNode::Stmt(Stmt::Import(import, _))) => note(&import.1),
            _ => {}
        }
        true
    });
    let in_a_function = |place: &Place| {
        let mut named = functions().filter(|f| !f.name.contains('$'));
        named.any(|f| {
            let span = (
                self::place(f.body.start_position()),
                self::place(f.body.end_position()),
            );
            matches!(span, (Some(first), Some(last)) if first <= *place && *place <= last)
        })
    };
    let script = declared.iter().filter(|(place, _)| !in_a_function(place));
    let script = script.map(|(_, name)| name.clone());
    let Some((first, last, params)) = around else {
        let before = declared
            .iter()
            .filter(|(place, _)| *place < at && !in_a_function(place));
        return Reach {
            visible: before.map(|(_, name)| name.clone()).collect(),
            outside: Vec::new(),
        };
    };
    let inside = declared
        .iter()
        .filter(|(place, _)| first <= *place && *place <= last.min(at));
    let inside = inside.map(|(_, name)| name.clone());
    Reach {
        visible: params
            .iter()
            .map(ToString::to_string)
            .chain(inside)
            .collect(),
        outside: script.collect(),
    }
}

/// The name that the import of `path` gives a module, and the path by that name.
pub(super) fn imports(ast: &AST) -> Vec<(String, String)> {
    let mut imports = Vec::new();
    ast.walk(&mut |path| {
        if let Some(ASTNode::Stmt(Stmt::Import(import, _))) = path.last()
            && let Expr::StringConstant(path, _) = &import.0
        {
            imports.push((import.1.name.to_string(), path.to_string()));
        }
        true
    });
    imports
}
