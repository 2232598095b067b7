//! The Rhai bindings, one file per object, and the engine that holds them. The only room (with
//! `repl/`) that names Rhai; the rooms below know nothing of scripts.

// The code that Rhai's `export_module` generates unwraps, and takes its arguments by value.
#![allow(clippy::unwrap_used, clippy::needless_pass_by_value)]

mod actions;
mod attributes;
mod controller;
mod data;
mod diagnostic;
mod export;
mod host;
mod keeping;
mod manager;
mod modules;
mod network;
mod ops;
mod options;
mod outcome;
mod params;
mod pareto;
mod parzen;
mod pool;
mod replicas;
mod rescore;
mod seen;
mod settle;
mod shared;
mod space;
mod study;
mod table;

pub use controller::scalars;
pub use diagnostic::Diagnostic;
pub use host::{Host, Session};
pub use modules::Sources;
pub use params::{Declared, Params, declared};
pub use rescore::Rescorer;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use rhai::packages::{
    ArithmeticPackage, BasicArrayPackage, BasicFnPackage, BasicIteratorPackage, BasicMapPackage,
    BasicMathPackage, BasicStringPackage, BitFieldPackage, LanguageCorePackage, LogicPackage,
    MoreStringPackage, Package,
};
use rhai::{AST, Dynamic, Engine, EvalAltResult, Map, OptimizationLevel, Position, Scope, Token};

use crate::error::Error;

/// What a host call returns to a script.
type Scripted<T> = Result<T, Box<EvalAltResult>>;

/// Makes a script's error of the library's: an object with `kind` and `message`, so that a script
/// can `catch` it. Rhai fills in the position of the call.
fn raise(error: Error) -> Box<EvalAltResult> {
    if matches!(error, Error::Interrupted) {
        return EvalAltResult::ErrorTerminated(Dynamic::UNIT, Position::NONE).into();
    }
    let fields = [
        ("kind", error.kind().into()),
        ("message", error.to_string().into()),
    ];
    let object: Map = fields.map(|(k, v): (_, Dynamic)| (k.into(), v)).into();
    EvalAltResult::ErrorRuntime(object.into(), Position::NONE).into()
}

/// The kind of an error that [`raise`] made.
fn raised_kind(error: &EvalAltResult) -> Option<(String, String)> {
    match error {
        EvalAltResult::ErrorRuntime(value, _) => {
            let object = value.read_lock::<Map>()?;
            let field = |name: &str| object.get(name)?.clone().into_string().ok();
            Some((field("kind")?, field("message")?))
        }
        EvalAltResult::ErrorInFunctionCall(_, _, inner, _) => raised_kind(inner),
        _ => None,
    }
}

/// Makes the engine that runs the scripts of `host`. `sources` learns the text of every module
/// that is imported, for error messages.
///
/// Scripts see no file, clock, process or network: only pure packages of Rhai and what the host
/// offers.
pub fn engine(host: &Host, sources: &Sources) -> Engine {
    let mut engine = Engine::new_raw();
    // The standard packages but the one of time; see `refuse_sleep`.
    LanguageCorePackage::new().register_into_engine(&mut engine);
    ArithmeticPackage::new().register_into_engine(&mut engine);
    LogicPackage::new().register_into_engine(&mut engine);
    BasicStringPackage::new().register_into_engine(&mut engine);
    MoreStringPackage::new().register_into_engine(&mut engine);
    BasicIteratorPackage::new().register_into_engine(&mut engine);
    BasicFnPackage::new().register_into_engine(&mut engine);
    BasicMathPackage::new().register_into_engine(&mut engine);
    BasicArrayPackage::new().register_into_engine(&mut engine);
    BasicMapPackage::new().register_into_engine(&mut engine);
    BitFieldPackage::new().register_into_engine(&mut engine);
    refuse_sleep(&mut engine);
    name_after_dot(&mut engine);
    // Rhai's `log` is this for floats only.
    engine.register_fn("log10", f64::log10);
    engine.register_fn("log10", |n: i64| (n as f64).log10());

    space::register(&mut engine);
    actions::register(&mut engine);
    data::register(&mut engine);
    network::register(&mut engine);
    ops::register(&mut engine);
    options::register(&mut engine);
    export::register(&mut engine);
    manager::register(&mut engine);
    shared::register(&mut engine);
    table::register(&mut engine);
    outcome::register(&mut engine);
    controller::register(&mut engine);
    pool::register(&mut engine);
    study::register(&mut engine);
    seen::register(&mut engine);
    parzen::register(&mut engine);
    pareto::register(&mut engine);
    replicas::register(&mut engine);
    params::register(&mut engine);

    engine.set_optimization_level(OptimizationLevel::Simple);
    engine.set_strict_variables(false);
    engine.set_fail_on_invalid_map_property(true);
    engine.set_max_expr_depths(EXPRESSION_DEPTH, FUNCTION_DEPTH);
    // Rhai's own default is 8 where debug assertions are on, else this.
    engine.set_max_call_levels(64);
    engine.set_max_string_size(16 << 20);
    engine.set_max_array_size(2_000_000);
    engine.set_max_map_size(100_000);
    engine.set_default_tag(Dynamic::from(host.clone()));
    engine.set_module_resolver(modules::Resolver::new(host.folder(), sources.clone()));

    let progress = host.progress().clone();
    engine.on_print(move |text| progress.print(text));
    let progress = host.progress().clone();
    engine.on_debug(move |text, source, position| {
        let source = source.unwrap_or("script");
        progress.print(&format!("{source}:{position:?}: {text}"));
    });
    let interrupted = host.interrupted().clone();
    engine.on_progress(move |_| interrupted.load(Ordering::Relaxed).then_some(Dynamic::UNIT));
    #[allow(deprecated)] // Rhai marks the call as volatile in form, not as on its way out.
    engine.on_var(move |name, _, context| {
        // `study` is at hand everywhere, in functions and recipes too.
        let free = name == "study" && !context.scope().contains("study");
        Ok(free.then(|| Dynamic::from(study::Current)))
    });
    engine
}

/// Lets `export` be the name of a method: Rhai keeps the word for a statement of its own, which cannot
/// follow a dot.
fn name_after_dot(engine: &mut Engine) {
    let after_dot = AtomicBool::new(false);
    #[allow(deprecated)] // Rhai marks the call as volatile in form, not as on its way out.
    engine.on_parse_token(move |token, _, _| {
        let dot = matches!(token, Token::Period | Token::Elvis);
        match (after_dot.swap(dot, Ordering::Relaxed), token) {
            (true, Token::Export) => Token::Identifier(Box::new("export".into())),
            (_, token) => token,
        }
    });
}

/// How deep expressions nest: enough for long chains of operations, and safe on the stack.
const EXPRESSION_DEPTH: usize = 256;
/// The same within functions.
const FUNCTION_DEPTH: usize = 128;

/// Scripts have no clock: a recipe that sleeps is one that hangs.
fn refuse_sleep(engine: &mut Engine) {
    let refuse = || -> Scripted<()> { Err("a script has no clock: sleep is not available".into()) };
    engine.register_fn("sleep", move |_: i64| refuse());
    engine.register_fn("sleep", move |_: f64| refuse());
}

/// Compiles the script `text` that came from `path`.
///
/// # Errors
/// A [`Diagnostic`] at the place of the syntax error.
pub fn compile(
    engine: &Engine,
    sources: &Sources,
    path: &Path,
    text: &str,
) -> Result<AST, Diagnostic> {
    let name = path.display().to_string();
    sources.add(&name, text);
    let mut ast = engine
        .compile(text)
        .map_err(|error| Diagnostic::new(&error.into(), &name))?;
    ast.set_source(name);
    Ok(ast)
}

/// Parses the script `text` that came from `path`, without a host, and returns its parameters.
///
/// # Errors
/// A [`Diagnostic`] at the place of the syntax error.
pub fn parse(sources: &Sources, path: &Path, text: &str) -> Result<Vec<Declared>, Diagnostic> {
    let mut engine = Engine::new_raw();
    name_after_dot(&mut engine);
    engine.set_max_expr_depths(EXPRESSION_DEPTH, FUNCTION_DEPTH);
    compile(&engine, sources, path, text).map(|ast| declared(&ast))
}

/// Evaluates a compiled line of a REPL in `scope`, which keeps its variables.
///
/// # Errors
/// A [`Diagnostic`] at the place of the error.
pub fn evaluate(
    engine: &Engine,
    scope: &mut Scope,
    ast: &AST,
    name: &str,
) -> Result<Dynamic, Diagnostic> {
    let result = engine.eval_ast_with_scope(scope, ast);
    result.map_err(|error| Diagnostic::new(&error, name))
}

/// Runs a compiled script.
///
/// # Errors
/// A [`Diagnostic`] at the place of the error; [`Diagnostic::interrupted`] tells that the user
/// stopped it.
pub fn run(engine: &Engine, ast: &AST) -> Result<(), Diagnostic> {
    let name = ast.source().unwrap_or("script").to_string();
    let result = engine.run_ast_with_scope(&mut Scope::new(), ast);
    result.map_err(|error| Diagnostic::new(&error, &name))
}
