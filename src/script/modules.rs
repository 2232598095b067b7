//! Where `import` finds modules: `nas/…` in the embedded standard library, everything else below
//! the script's folder.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use include_dir::{Dir, include_dir};
use parking_lot::Mutex;
use rhai::{
    Engine, EvalAltResult, GlobalRuntimeState, Module, ModuleResolver, Position, Scope, Shared,
};

use super::{Scripted, raise};
use crate::error::Error;

type SharedModule = Shared<Module>;

static STDLIB: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/stdlib");

/// The texts of everything that was compiled, by name, for error messages.
#[derive(Clone, Default)]
pub struct Sources(Arc<Mutex<BTreeMap<String, Arc<str>>>>);

impl Sources {
    /// Keeps `text` as the source called `name`.
    pub fn add(&self, name: &str, text: &str) {
        self.0.lock().insert(name.into(), text.into());
    }

    /// The source called `name`.
    pub fn get(&self, name: &str) -> Option<Arc<str>> {
        self.0.lock().get(name).cloned()
    }
}

/// Resolves and compiles modules; each is compiled once.
pub(super) struct Resolver {
    folder: PathBuf,
    sources: Sources,
    compiled: Mutex<BTreeMap<String, SharedModule>>,
    /// What is being compiled right now, outermost first.
    loading: Mutex<Vec<String>>,
}

impl Resolver {
    pub(super) fn new(folder: &Path, sources: Sources) -> Self {
        Self {
            folder: folder.to_path_buf(),
            sources,
            compiled: Mutex::default(),
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
        let parsed = engine.compile(&text);
        let mut ast = parsed.map_err(|error| in_module(Box::new(error.into())))?;
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
                let modules = STDLIB.get_dir("nas").into_iter().flat_map(Dir::files);
                let names = modules.map(|f| f.path().with_extension("").display().to_string());
                let known: Vec<String> = names.collect();
                format!("the standard library has {}", known.join(", "))
            });
        }
        let relative = Path::new(path);
        let plain = |part| matches!(part, Component::Normal(_) | Component::CurDir);
        if !relative.components().all(plain) {
            return Err("imports stay inside the script's folder".into());
        }
        let file = self.folder.join(relative).with_extension("rhai");
        let name = file.display().to_string();
        match std::fs::read_to_string(&file) {
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
        if let Some(module) = self.compiled.lock().get(path) {
            return Ok(module.clone());
        }
        if self.loading.lock().iter().any(|loading| loading == path) {
            return Err(refused(path, "it imports itself", position));
        }
        self.loading.lock().push(path.into());
        let module = self.load(engine, path, position);
        self.loading.lock().pop();
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
