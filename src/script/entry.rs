//! Ways into a script other than running it from the top: its tests, and what it claims.

use std::path::Path;

use rhai::{AST, ASTFlags, Dynamic, Engine, Scope, Stmt};
use serde_json::Value;

use super::{Diagnostic, Host, Sources, bounded, compile, engine, raise, run};
use crate::error::Error;

/// Runs the test `name` of the script `text` that came from `path`: of the script's statements only imports and
/// constants come first, so that it can be tested without its search.
///
/// # Errors
/// A [`Diagnostic`] at the place of the error.
pub fn test(
    host: &Host,
    sources: &Sources,
    path: &Path,
    text: &str,
    name: &str,
) -> Result<(), Diagnostic> {
    let engine = engine(host, sources);
    let ast = compile(&engine, sources, path, text)?;
    let declares = |statement: &&Stmt| match statement {
        Stmt::Import(..) => true,
        Stmt::Var(_, flags, _) => flags.contains(ASTFlags::CONSTANT),
        _ => false,
    };
    let declared = ast.statements().iter().filter(declares).cloned();
    let mut tested = AST::new(declared.collect::<Vec<_>>(), ast.shared_lib().clone());
    tested.set_source(ast.source().unwrap_or("script"));
    call(&engine, &tested, name).map(drop)
}

/// The function that says what a script claims.
const CLAIM: &str = "claim";

/// Runs the script `text` that came from `path`, and with `asked` then its function `claim()`, if it has one. Returns
/// what that returned.
///
/// # Errors
/// A [`Diagnostic`] at the place of the error, also where `claim()` returns what is no number, text, boolean, list or
/// object.
pub fn claim(
    host: &Host,
    sources: &Sources,
    path: &Path,
    text: &str,
    asked: bool,
) -> Result<Option<Value>, Diagnostic> {
    let engine = engine(host, sources);
    let ast = compile(&engine, sources, path, text)?;
    if !asked || ast.shared_lib().get_script_fn(CLAIM, 0).is_none() {
        return run(&engine, &ast).map(|()| None);
    }
    let value = call(&engine, &ast, CLAIM)?;
    match rhai::serde::from_dynamic(&value) {
        Ok(value) if finite(&value) => Ok(Some(value)),
        _ => {
            let expected = "numbers, texts, booleans, and lists and objects of them";
            let error =
                Error::invalid("claim()", expected, engine.map_type_name(value.type_name()));
            Err(Diagnostic::new(&raise(error), &path.display().to_string()))
        }
    }
}

/// Whether all that should be numbers are: JSON has no NaN.
fn finite(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Array(values) => values.iter().all(finite),
        Value::Object(values) => values.values().all(finite),
        _ => true,
    }
}

/// Calls the function `name` of a compiled script, without arguments, after its statements.
fn call(engine: &Engine, ast: &AST, name: &str) -> Result<Dynamic, Diagnostic> {
    let source = ast.source().unwrap_or("script").to_string();
    let result = bounded(engine, || engine.call_fn(&mut Scope::new(), ast, name, ()));
    result.map_err(|error| Diagnostic::new(&error, &source))
}
