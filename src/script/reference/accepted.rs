//! The option names that a function of a script accepts, read from its text: those that it gives `with_defaults`, or
//! those of the one call that it hands its options on to. Says nothing where the text leaves it open.

use std::collections::{BTreeMap, BTreeSet};

use rhai::{AST, ASTNode, Expr, FnCallExpr, Map, Stmt};

use super::super::keys;

/// What becomes of the options of a function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::script) struct Accepted {
    /// The place of the options among the parameters.
    pub at: usize,
    /// Their names.
    pub names: Names,
}

/// The names of options.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::script) enum Names {
    /// These.
    Listed(Vec<String>),
    /// Those of a function of a module, by its path and name.
    Of(String, String),
}

/// A function that calls itself for its defaults, through others, is followed so far.
const DEPTH: usize = 8;

/// The name of the parameter whose options are handed on.
const OPTIONS: &str = "options";

/// Methods that only look at options.
const READING: &[&str] = &["contains", "get", "is_empty", "keys", "len", "values"];

/// The options of the function `name` of `ast` with these parameters; none where it has none, or where only a run can
/// tell what they are.
pub(in crate::script) fn accepted(ast: &AST, name: &str, params: &[&str]) -> Option<Accepted> {
    let function = only(ast, name, params.len());
    let imports = imports(ast);
    let mut complete = BTreeSet::new();
    let mut handed = BTreeSet::new();
    let mut open = BTreeSet::new();
    function.walk(&mut |path| {
        let (call, method) = match path.last() {
            Some(ASTNode::Expr(Expr::FnCall(call, _)) | ASTNode::Stmt(Stmt::FnCall(call, _))) => {
                (call, false)
            }
            Some(ASTNode::Expr(Expr::MethodCall(call, _))) => (call, true),
            _ => return true,
        };
        if method && !READING.contains(&call.name.as_str()) {
            // The object of a method call stands beside it, in the chain.
            let object = path.iter().rev().find_map(|node| match node {
                ASTNode::Expr(Expr::Dot(chain, ..)) => variable(&chain.lhs),
                _ => None,
            });
            open.extend(object.and_then(|object| params.iter().position(|p| *p == object)));
        }
        let given = |arg: &Expr| {
            let passed = passed(arg)?;
            params.iter().position(|param| *param == passed)
        };
        if call.name == "with_defaults" && call.args.len() == 2 {
            if let Some(at) = given(&call.args[0]) {
                complete.insert((at, names(ast, &call.args[1], DEPTH)));
            }
        } else if !call.is_operator_call() {
            let target = target(call, &imports);
            // What else is handed on stands in the same places as options do in other calls.
            let given = call.args.iter().filter_map(given);
            let given = given.filter(|at| params[*at] == OPTIONS);
            handed.extend(given.filter_map(|at| Some((at, target.clone()?))));
        }
        true
    });
    let mut found = complete.into_iter();
    match (found.next(), found.next()) {
        (Some((at, names)), None) => names.map(|names| Accepted {
            at,
            names: Names::Listed(names),
        }),
        (None, _) => {
            let mut handed = handed.into_iter().filter(|(at, _)| !open.contains(at));
            match (handed.next(), handed.next()) {
                (Some((at, names)), None) => Some(Accepted { at, names }),
                _ => None,
            }
        }
        _ => None,
    }
}

/// The function `name` with so many parameters alone.
fn only(ast: &AST, name: &str, params: usize) -> AST {
    // To clone with a filter would clone all of them (rhai 1.27, `Module::merge_filtered`).
    let mut functions = ast.clone_functions_only();
    functions.retain_functions(|_, _, other, n| other == name && n == params);
    functions
}

/// The paths of modules by the names that `ast` imports them as; a name of two modules is left out.
fn imports(ast: &AST) -> BTreeMap<String, String> {
    let mut imports: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    ast.walk(&mut |path| {
        if let Some(ASTNode::Stmt(Stmt::Import(import, _))) = path.last()
            && let Expr::StringConstant(path, _) = &import.0
        {
            let paths = imports.entry(import.1.name.to_string()).or_default();
            paths.insert(path.to_string());
        }
        true
    });
    let one = imports.into_iter().filter(|(_, paths)| paths.len() == 1);
    one.filter_map(|(name, paths)| Some((name, paths.into_iter().next()?)))
        .collect()
}

/// Whose options `call` takes, if it is known for taking any.
fn target(call: &FnCallExpr, imports: &BTreeMap<String, String>) -> Option<Names> {
    let mut spaces = call.namespace.path.iter();
    match (spaces.next(), spaces.next()) {
        (None, _) => {
            let names = keys::of(&call.name).into_iter().map(String::from);
            let names: Vec<String> = names.collect();
            (!names.is_empty()).then_some(Names::Listed(names))
        }
        (Some(alias), None) => {
            let path = imports.get(alias.name.as_str())?.clone();
            Some(Names::Of(path, call.name.to_string()))
        }
        _ => None,
    }
}

/// The variable that `expr` is.
fn variable(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::Variable(variable, ..) if variable.2.is_empty() => Some(&variable.1),
        _ => None,
    }
}

/// The variable that `expr` hands on: itself, or with more options.
fn passed(expr: &Expr) -> Option<&str> {
    match expr {
        Expr::FnCall(call, _) if sums(call) => call.args.iter().find_map(passed),
        _ => variable(expr),
    }
}

/// Whether `call` adds two values.
fn sums(call: &FnCallExpr) -> bool {
    call.name == "+" && call.is_operator_call() && call.args.len() == 2
}

/// The names that the object map `expr` has; none where it is not written out.
fn names(ast: &AST, expr: &Expr, depth: usize) -> Option<Vec<String>> {
    match expr {
        Expr::Map(map, _) => Some(
            map.0
                .iter()
                .map(|(name, _)| name.name.to_string())
                .collect(),
        ),
        Expr::DynamicConstant(value, _) => {
            let map = value.read_lock::<Map>()?;
            Some(map.keys().map(ToString::to_string).collect())
        }
        Expr::FnCall(call, _) if sums(call) => {
            let mut all = names(ast, &call.args[0], depth)?;
            let more = names(ast, &call.args[1], depth)?;
            all.extend(
                more.into_iter()
                    .filter(|name| !all.contains(name))
                    .collect::<Vec<_>>(),
            );
            Some(all)
        }
        Expr::FnCall(call, _) if call.args.is_empty() && call.namespace.is_empty() => {
            let depth = depth.checked_sub(1)?;
            let mut last = None;
            only(ast, &call.name, 0).walk(&mut |path| {
                if let [ASTNode::Stmt(Stmt::Expr(value))] = path {
                    last = names(ast, value, depth);
                }
                true
            });
            last
        }
        _ => None,
    }
}
