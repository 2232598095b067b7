//! The Rhai bindings, one file per object, and the engine that holds them. The only room (with
//! `repl/`) that names Rhai; the rooms below know nothing of scripts.

// The code that Rhai's `export_module` generates unwraps, and takes its arguments by value.
#![allow(clippy::unwrap_used, clippy::needless_pass_by_value)]

mod actions;
mod asserts;
mod attributes;
mod basics;
mod bundle;
mod check;
mod controller;
mod data;
mod diagnostic;
mod entry;
mod export;
mod finder;
mod host;
mod keeping;
mod keys;
mod limits;
mod manager;
mod meter;
mod modules;
mod network;
mod ops;
mod options;
mod outcome;
mod outline;
mod params;
mod pareto;
mod parzen;
mod places;
mod plot;
mod pool;
mod reference;
mod replicas;
mod rescore;
mod seen;
mod settle;
mod shared;
mod space;
mod study;
mod surrogate;
mod table;
mod view;

pub use bundle::Bundler;
pub use controller::scalars;
pub use diagnostic::{Call, Diagnostic, Severity};
pub use entry::{claim, test};
pub use finder::{Finder, library, library_digest};
pub use host::{Host, Sandbox, Session};
pub use limits::Limits;
pub use modules::Sources;
pub use outline::{Function, Header, Outline};
pub use params::{Declared, Params, declared};
pub use reference::{Entry, Kind, Overload, Reference, Section, comment, listed, prose};
pub use rescore::Rescorer;
pub use view::{is_study, kept_policy, module_functions, outcome, outcomes, policy, type_name};

use std::cell::Cell;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rhai::packages::{
    ArithmeticPackage, BasicArrayPackage, BasicFnPackage, BasicIteratorPackage, BasicMapPackage,
    BasicMathPackage, BasicStringPackage, BitFieldPackage, LanguageCorePackage, LogicPackage,
    MoreStringPackage, Package,
};
use rhai::{
    AST, Dynamic, Engine, EvalAltResult, LexError, Map, OptimizationLevel, Position, Scope, Token,
};

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

/// An engine that knows all that scripts can call, and has no host to call: it can only be asked what there is.
///
/// Scripts see no file, clock, process or network: only pure packages of Rhai and what the host
/// offers.
pub fn vocabulary() -> Engine {
    let mut engine = Engine::new_raw();
    // The standard packages but the one of time; see `basics`.
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
    name_after_dot(&mut engine);

    basics::register(&mut engine);
    asserts::register(&mut engine);
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
    surrogate::register(&mut engine);
    seen::register(&mut engine);
    parzen::register(&mut engine);
    pareto::register(&mut engine);
    replicas::register(&mut engine);
    params::register(&mut engine);
    plot::register(&mut engine);
    engine
}

/// Makes the engine that runs the scripts of `host`. `sources` learns the text of every module
/// that is imported, for error messages.
pub fn engine(host: &Host, sources: &Sources) -> Engine {
    let mut engine = vocabulary();
    engine.set_optimization_level(OptimizationLevel::Simple);
    engine.set_strict_variables(false);
    engine.set_fail_on_invalid_map_property(true);
    host.limits().apply(&mut engine);
    engine.set_default_tag(Dynamic::from(host.clone()));
    engine.set_module_resolver(modules::Resolver::new(host, sources.clone()));

    let (progress, meter) = (host.progress().clone(), host.meter().clone());
    let print = move |text: &str| {
        if meter.prints(text.len()) {
            progress.print(text);
        }
    };
    let debug = print.clone();
    engine.on_print(print);
    engine.on_debug(move |text, source, position| {
        let source = source.unwrap_or("script");
        debug(&format!("{source}:{position:?}: {text}"));
    });
    let meter = host.meter().clone();
    engine.on_progress(move |_| meter.check());
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
        if PARSED_BY.get().is_some_and(|end| Instant::now() > end) {
            let reason = format!("a text that takes more than {PATIENCE:?} to parse");
            return Token::LexError(Box::new(LexError::Runtime(reason)));
        }
        let dot = matches!(token, Token::Period | Token::Elvis);
        match (after_dot.swap(dot, Ordering::Relaxed), token) {
            (true, Token::Export) => Token::Identifier(Box::new("export".into())),
            (_, token) => token,
        }
    });
}

/// The stack that scripts need, in bytes: values nest as deep as the memory of a script allows, and are freed from the
/// outside to the inside. Only what is used of it takes memory.
pub const STACK: usize = 1 << 30;

/// The longest time that a text may take to parse: some take the parser a time that grows with the square of their length.
const PATIENCE: Duration = Duration::from_secs(2);

thread_local! {
    /// When the text that is being parsed on this thread must be.
    static PARSED_BY: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Parses `text`, if it does not take too long.
///
/// # Errors
/// What is wrong with it, as Rhai says it.
pub fn parsed(engine: &Engine, text: &str) -> Result<AST, rhai::ParseError> {
    let before = PARSED_BY.replace(Some(Instant::now() + PATIENCE));
    let parsed = engine.compile(text);
    PARSED_BY.set(before);
    parsed
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
    let host = engine.default_tag().read_lock::<Host>();
    let most = host.map_or(Limits::default().source_size, |host| {
        host.limits().source_size
    });
    let unpacked = sources.unpack(path, text).map_err(raise);
    let text = unpacked.map_err(|error| Diagnostic::new(&error, &name))?;
    sources.add(&name, &text);
    let ast = limits::within("bytes of source", "source_size", most, text.len() as u64)
        .map_err(raise)
        .and_then(|()| parsed(engine, &text).map_err(|error| Box::new(error.into())));
    let mut ast = ast.map_err(|error| Diagnostic::new(&error, &name))?;
    ast.set_source(name);
    Ok(ast)
}

/// Parses the script `text` that came from `path`, without a host, and returns its parameters.
///
/// # Errors
/// A [`Diagnostic`] at the place of the syntax error.
pub fn parse(sources: &Sources, path: &Path, text: &str) -> Result<Vec<Declared>, Diagnostic> {
    compile(&parser(), sources, path, text).map(|ast| declared(&ast))
}

/// Checks the script `text` that came from `path`, without running it. Imports are looked for in `folder`, then in the
/// recipes of `sandbox`; `sources` learns their texts. The findings are in the order of their places.
pub fn check(
    sources: &Sources,
    path: &Path,
    text: &str,
    folder: &Path,
    sandbox: &Sandbox,
) -> Vec<Diagnostic> {
    let source_size = sandbox.limits.source_size;
    let finder = Finder {
        folder: Some(folder.to_path_buf()),
        recipes: sandbox.recipes.clone(),
        most: source_size,
        sources: sources.clone(),
    };
    let name = path.display().to_string();
    let unpacked = sources.unpack(path, text).and_then(|text| {
        let size = text.len() as u64;
        limits::within("bytes of source", "source_size", source_size, size).map(|()| text)
    });
    match unpacked {
        Ok(text) => check::check(&finder, &name, &text),
        Err(error) => vec![Diagnostic::new(&raise(error), &name)],
    }
}

/// An engine that can only parse.
pub fn parser() -> Engine {
    let mut engine = Engine::new_raw();
    name_after_dot(&mut engine);
    Limits::default().apply(&mut engine);
    engine
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
    let before = scope.len();
    let result = bounded(engine, || engine.eval_ast_with_scope(scope, ast));
    let ended = |e: &EvalAltResult| match e.unwrap_inner() {
        EvalAltResult::ErrorTerminated(reason, _) => !reason.is_unit(),
        _ => false,
    };
    if result.as_ref().is_err_and(|error| ended(error)) {
        // What a line hoarded that was ended by a limit goes with it; what the user stopped stays.
        scope.rewind(before);
    }
    result.map_err(|error| {
        let variables = scope.iter_raw().map(|(name, ..)| name);
        Diagnostic::new(&error, name).knowing(variables)
    })
}

/// Runs `script` within the limits of the host of `engine`. A panic of the interpreter is an error of the script's.
fn bounded<T>(engine: &Engine, script: impl FnOnce() -> Scripted<T>) -> Scripted<T> {
    let host = engine.default_tag().read_lock::<Host>();
    let host = host.ok_or("this engine has no host")?;
    let _running = host.meter().run().map_err(raise)?;
    let run = std::panic::AssertUnwindSafe(script);
    let found = |_| {
        raise(Error::invalid(
            "interpreter",
            "to run the script",
            "a fault of its own",
        ))
    };
    std::panic::catch_unwind(run).unwrap_or_else(|panic| Err(found(panic)))
}

/// Runs a compiled script.
///
/// # Errors
/// A [`Diagnostic`] at the place of the error; [`Diagnostic::interrupted`] tells that the user
/// stopped it.
pub fn run(engine: &Engine, ast: &AST) -> Result<(), Diagnostic> {
    let name = ast.source().unwrap_or("script").to_string();
    let result = bounded(engine, || engine.run_ast_with_scope(&mut Scope::new(), ast));
    result.map_err(|error| Diagnostic::new(&error, &name))
}
