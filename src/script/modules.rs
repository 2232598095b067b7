//! Where `import` finds modules: `nas/…` in the embedded standard library, everything else below
//! the script's folder, else below a folder of recipes. Each module's functions see their own module's functions first.

use std::collections::{BTreeMap, HashSet};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::{self, ThreadId};

use include_dir::{Dir, include_dir};
use parking_lot::Mutex;
use rhai::{
    AST, Engine, EvalAltResult, FnNamespace, FuncRegistration, GlobalRuntimeState, Module,
    ModuleResolver, Position, Scope, Shared,
};
use sha2::{Digest, Sha256};

use super::limits::{Limits, within};
use super::{Host, Scripted, parsed, places, raise};
use crate::error::Error;

type SharedModule = Shared<Module>;

static STDLIB: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/stdlib");

/// Rhai remembers which function a plain name stands for, and does not forget it from one module to
/// the next: a module that calls its own `conv` may get another's. It does forget at an import of a
/// module with a global function, so each function of a module begins with this import of one.
const FRESH_NAMES: &str = "import \"#\";";

/// The paths and texts of the modules of the standard library.
pub(super) fn library() -> impl Iterator<Item = (String, &'static str)> {
    let files = STDLIB.get_dir("nas").into_iter().flat_map(Dir::files);
    files.filter_map(|file| {
        let path = file.path().with_extension("");
        Some((path.display().to_string(), file.contents_utf8()?))
    })
}

/// The paths of the modules of the standard library.
pub fn library_paths() -> Vec<String> {
    library().map(|(path, _)| path).collect()
}

/// The SHA-256 of the standard library: of the paths and texts of its modules.
pub fn library_digest() -> String {
    let mut digest = Sha256::new();
    for (path, text) in library() {
        digest.update(format!("{path}\n{}\n{text}", text.len()));
    }
    digest
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

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

/// The texts of everything that was compiled, by name, for error messages.
#[derive(Clone, Default)]
pub struct Sources(Arc<Mutex<BTreeMap<String, Text>>>);

impl Sources {
    /// Keeps `text` as the source called `name`.
    pub fn add(&self, name: &str, text: &str) {
        self.keep(name, text, Vec::new());
    }

    fn keep(&self, name: &str, text: &str, inserted: Vec<(usize, usize)>) {
        let text = text.into();
        self.0.lock().insert(name.into(), Text { text, inserted });
    }

    /// The source called `name`.
    pub(super) fn get(&self, name: &str) -> Option<Text> {
        self.0.lock().get(name).cloned()
    }
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

/// Resolves and compiles modules; each is compiled once.
pub(super) struct Resolver {
    /// Where modules are looked for: the script's folder, then those of recipes.
    folders: Vec<PathBuf>,
    limits: Limits,
    sources: Sources,
    compiled: Mutex<BTreeMap<String, SharedModule>>,
    fresh_names: SharedModule,
    /// What is being compiled right now, and by whom: the runs of `replicate` import side by side.
    loading: Mutex<HashSet<(ThreadId, String)>>,
}

impl Resolver {
    pub(super) fn new(host: &Host, sources: Sources) -> Self {
        let recipes = host.recipes().iter().cloned();
        Self {
            folders: std::iter::once(host.folder().to_path_buf())
                .chain(recipes)
                .collect(),
            limits: host.limits().clone(),
            sources,
            compiled: Mutex::default(),
            fresh_names: fresh_names(),
            loading: Mutex::default(),
        }
    }

    /// Compiles and runs the module at `path`.
    fn load(&self, engine: &Engine, path: &str, position: Position) -> Scripted<SharedModule> {
        let (name, text) = self
            .text(path)
            .map_err(|reason| refused(path, &reason, position))?;
        self.sources.add(&name, &text);
        let in_module =
            |error| Box::new(EvalAltResult::ErrorInModule(name.clone(), error, position));
        let compile =
            |text: &str| parsed(engine, text).map_err(|error| in_module(Box::new(error.into())));
        let (compiled, inserted) = insert(&text, bodies(&compile(&text)?));
        self.sources.keep(&name, &text, inserted);
        let mut ast = compile(&compiled)?;
        ast.set_source(&name);
        let module = Module::eval_ast_as_new(Scope::new(), &ast, engine);
        module.map(Into::into).map_err(in_module)
    }

    /// The name in errors and the text of the module at `path`, or why there is none.
    fn text(&self, path: &str) -> Result<(String, String), String> {
        if let Some(name) = path.strip_prefix("nas/") {
            let file = STDLIB.get_file(format!("nas/{name}.rhai"));
            let text = file.and_then(|file| file.contents_utf8());
            return text.map(|text| (path.into(), text.into())).ok_or_else(|| {
                let known: Vec<String> = library().map(|(path, _)| path).collect();
                format!("the standard library has {}", known.join(", "))
            });
        }
        places::relative("import", path).map_err(|_| "imports stay inside the script's folder")?;
        let files = self.folders.iter().map(|folder| {
            let file = places::below(folder, "import", &format!("{path}.rhai"));
            file.map_err(|error| error.to_string())
        });
        let files: Vec<PathBuf> = files.collect::<Result<_, _>>()?;
        let found = files.iter().find(|file| file.exists());
        let file = found.or(files.first()).ok_or("no folder to look in")?;
        let name = file.display().to_string();
        if found.is_some() {
            let most = self.limits.source_size;
            places::readable("import", file, ("source_size", most))
                .map_err(|error| error.to_string())?;
        }
        match std::fs::read_to_string(file) {
            Ok(text) => Ok((name, text)),
            Err(e) => Err(format!("{name}: {e}")),
        }
    }
}

/// The error of an import that is not to be had.
fn refused(path: &str, reason: &str, position: Position) -> Box<EvalAltResult> {
    let found = format!("'{path}': {reason}");
    let mut error = raise(Error::invalid("import", "a module", found));
    error.set_position(position);
    error
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
            return Err(refused(path, "it imports itself", position));
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
