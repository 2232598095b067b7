//! Compiles what `import` finds (`finder.rs`). Each module's functions see their own module's functions first.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::thread::{self, ThreadId};

use parking_lot::Mutex;
use rhai::{
    AST, Engine, EvalAltResult, FnAccess, FnNamespace, FuncRegistration, GlobalRuntimeState,
    Module, ModuleResolver, Position, Scope, Shared,
};

use super::finder::{Finder, refused};
use super::limits::{Limits, within};
use super::{Host, Scripted, parsed, parser, raise};
use crate::error::Error;
use crate::recipe::{Bundled, Pack};

type SharedModule = Shared<Module>;

/// Rhai remembers which function a plain name stands for, and does not forget it from one module to
/// the next: a module that calls its own `conv` may get another's. It does forget at an import of a
/// module with a global function, so each function of a module begins with this import of one.
const FRESH_NAMES: &str = "import \"#\";";

/// A source text and the places, as line and column from 1, where [`FRESH_NAMES`] was put in before
/// it was compiled.
#[derive(Clone)]
pub(super) struct Text {
    pub text: Arc<str>,
    inserted: Vec<(usize, usize)>,
}

impl Text {
    /// The place in the text as people wrote it.
    pub fn original(&self, (line, column): (usize, usize)) -> (usize, usize) {
        let length = FRESH_NAMES.len();
        let before = self.inserted.iter().filter(|place| place.0 == line);
        // The places are those of the text as it was written, in ascending order.
        let column = before.fold(column, |column, place| {
            column - length.min(column.saturating_sub(place.1))
        });
        (line, column)
    }
}

/// The texts of everything that was compiled, by name, for error messages, and the modules of the packs among it.
#[derive(Clone, Default)]
pub struct Sources(Arc<Mutex<Known>>);

#[derive(Default)]
struct Known {
    texts: BTreeMap<String, Text>,
    /// By their SHA-256 in hexadecimal.
    bundled: BTreeMap<String, Bundled>,
}

impl Sources {
    /// Keeps `text` as the source called `name`.
    pub fn add(&self, name: &str, text: &str) {
        self.keep(name, text, Vec::new());
    }

    fn keep(&self, name: &str, text: &str, inserted: Vec<(usize, usize)>) {
        let text = text.into();
        let mut known = self.0.lock();
        known.texts.insert(name.into(), Text { text, inserted });
    }

    /// The source called `name`.
    pub(super) fn get(&self, name: &str) -> Option<Text> {
        self.0.lock().texts.get(name).cloned()
    }

    /// The script in the file at `path` that holds `text`: all of it, or what stands above the modules of a pack,
    /// which scripts can import from now on.
    ///
    /// # Errors
    /// [`Error::DataCorrupt`] for a pack that was changed.
    pub(super) fn unpack<'a>(&self, path: &Path, text: &'a str) -> Result<Cow<'a, str>, Error> {
        let Some(pack) = Pack::of(path, text)? else {
            return Ok(text.into());
        };
        let bundled = pack.modules.into_iter();
        let bundled = bundled.map(|module| (module.sha256.to_string(), module));
        self.0.lock().bundled.extend(bundled);
        Ok(pack.text.into())
    }

    /// The module of a pack whose SHA-256 begins with `digits`.
    pub(super) fn bundled(&self, digits: &str) -> Option<Bundled> {
        let known = self.0.lock();
        let mut from = known.bundled.range(digits.to_string()..);
        let (digest, module) = from.next()?;
        digest.starts_with(digits).then(|| module.clone())
    }

    /// The public functions of the module that is imported by `path`, by name and parameters, if it has been read.
    pub(super) fn functions(&self, path: &str) -> Vec<(String, Vec<String>)> {
        let file = format!("{path}.rhai");
        let of_file = |name: &str| name == path || Path::new(name).ends_with(&file);
        let known = self.0.lock();
        let found = known.texts.iter().find(|(name, _)| of_file(name));
        let ast = found.and_then(|(_, source)| parsed(&parser(), &source.text).ok());
        ast.map_or_else(Vec::new, |ast| public_functions(&ast))
    }
}

/// The functions of `ast` that an importer can call, by name and parameters.
pub(super) fn public_functions(ast: &AST) -> Vec<(String, Vec<String>)> {
    let public = |f: &rhai::ScriptFnMetadata| f.access == FnAccess::Public && !f.name.contains('$');
    let functions = ast.iter_functions().filter(public);
    let mut functions: Vec<(String, Vec<String>)> = functions
        .map(|f| {
            let params = f.params.iter().map(ToString::to_string).collect();
            (f.name.to_string(), params)
        })
        .collect();
    functions.sort();
    functions
}

/// Where the bodies of the functions of `ast` begin, after the brace, as line and column from 1.
fn bodies(ast: &AST) -> Vec<(usize, usize)> {
    let functions = ast.shared_lib().iter_script_fn_info();
    let brace = functions.filter_map(|(.., function)| {
        let position = function.body.start_position();
        Some((position.line()?, position.position()? + 1))
    });
    let mut bodies: Vec<_> = brace.collect();
    bodies.sort_unstable();
    bodies
}

/// Puts [`FRESH_NAMES`] into `text` at those of `places` that follow a brace; returns where.
fn insert(text: &str, places: Vec<(usize, usize)>) -> (String, Vec<(usize, usize)>) {
    let mut lines: Vec<Vec<char>> = text.split('\n').map(|l| l.chars().collect()).collect();
    let follows_brace = |&(line, column): &(usize, usize)| {
        // A closure without braces has no such place.
        column > 1 && lines.get(line - 1).and_then(|l| l.get(column - 2)) == Some(&'{')
    };
    let inserted: Vec<_> = places.into_iter().filter(follows_brace).collect();
    for &(line, column) in inserted.iter().rev() {
        lines[line - 1].splice(column - 1..column - 1, FRESH_NAMES.chars());
    }
    let lines: Vec<String> = lines.into_iter().map(String::from_iter).collect();
    (lines.join("\n"), inserted)
}

/// The module that [`FRESH_NAMES`] imports.
fn fresh_names() -> SharedModule {
    let mut module = Module::new();
    FuncRegistration::new("#")
        .with_namespace(FnNamespace::Global)
        .set_into_module(&mut module, || ());
    module.build_index();
    module.into()
}

/// The same as a script's error, at `position`.
pub(super) fn raised(error: Error, position: Position) -> Box<EvalAltResult> {
    let mut error = raise(error);
    error.set_position(position);
    error
}

/// Resolves and compiles modules; each is compiled once.
pub(super) struct Resolver {
    finder: Finder,
    limits: Limits,
    compiled: Mutex<BTreeMap<String, SharedModule>>,
    fresh_names: SharedModule,
    /// What is being compiled right now, and by whom: the runs of `replicate` import side by side.
    loading: Mutex<HashSet<(ThreadId, String)>>,
}

impl Resolver {
    pub(super) fn new(host: &Host, sources: Sources) -> Self {
        Self {
            finder: Finder {
                folder: Some(host.folder().to_path_buf()),
                recipes: host.recipes().to_vec(),
                most: host.limits().source_size,
                sources,
            },
            limits: host.limits().clone(),
            compiled: Mutex::default(),
            fresh_names: fresh_names(),
            loading: Mutex::default(),
        }
    }

    /// Compiles and runs the module at `path`.
    fn load(&self, engine: &Engine, path: &str, position: Position) -> Scripted<SharedModule> {
        let found = self.finder.text(path);
        let (name, text) = found.map_err(|error| raised(error, position))?;
        self.finder.sources.add(&name, &text);
        let in_module =
            |error| Box::new(EvalAltResult::ErrorInModule(name.clone(), error, position));
        let compile =
            |text: &str| parsed(engine, text).map_err(|error| in_module(Box::new(error.into())));
        let (compiled, inserted) = insert(&text, bodies(&compile(&text)?));
        self.finder.sources.keep(&name, &text, inserted);
        let mut ast = compile(&compiled)?;
        ast.set_source(&name);
        let module = Module::eval_ast_as_new(Scope::new(), &ast, engine);
        module.map(Into::into).map_err(in_module)
    }
}

impl ModuleResolver for Resolver {
    fn resolve(
        &self,
        engine: &Engine,
        _source: Option<&str>,
        path: &str,
        position: Position,
    ) -> Scripted<SharedModule> {
        if path == "#" {
            return Ok(self.fresh_names.clone());
        }
        if let Some(module) = self.compiled.lock().get(path) {
            return Ok(module.clone());
        }
        let modules = self.compiled.lock().len() + self.loading.lock().len() + 1;
        within("modules", "modules", self.limits.modules, modules as u64).map_err(raise)?;
        let loading = (thread::current().id(), path.to_string());
        if !self.loading.lock().insert(loading.clone()) {
            return Err(raised(refused(path, "it imports itself"), position));
        }
        let module = self.load(engine, path, position);
        self.loading.lock().remove(&loading);
        let module = module?;
        self.compiled.lock().insert(path.into(), module.clone());
        Ok(module)
    }

    fn resolve_raw(
        &self,
        engine: &Engine,
        _global: &mut GlobalRuntimeState,
        _scope: &mut Scope,
        path: &str,
        position: Position,
    ) -> Scripted<SharedModule> {
        self.resolve(engine, None, path, position)
    }
}
