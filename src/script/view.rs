//! What a value is, for those who show it: the objects behind a script's handles.

use std::sync::Arc;

use rhai::{Array, Dynamic, Engine, Position};

use super::controller::Policy;
use super::outcome::Outcome;
use super::study::Current;
use crate::controller::{Controller, revive};
use crate::device::{self, Selector};
use crate::error::{Error, Result};
use crate::study::Trial;

/// The name that scripts and the reference know the type of `value` by.
pub fn type_name(engine: &Engine, value: &Dynamic) -> String {
    let name = match engine.map_type_name(value.type_name()) {
        "i64" => "int",
        "f64" => "float",
        "Fn" => "function",
        "range=" => "range",
        other => other,
    };
    name.into()
}

/// The trial of an outcome.
pub fn outcome(value: &Dynamic) -> Option<Arc<Trial>> {
    Some(value.read_lock::<Outcome>()?.trial().clone())
}

/// The trials of a list of outcomes that has any.
pub fn outcomes(value: &Dynamic) -> Option<Vec<Arc<Trial>>> {
    let list = value.read_lock::<Array>()?;
    let trials: Option<Vec<_>> = list.iter().map(outcome).collect();
    trials.filter(|trials| !trials.is_empty())
}

/// What `ask` finds in a controller.
pub fn policy<T>(value: &Dynamic, ask: impl FnOnce(&Controller) -> T) -> Option<T> {
    Some(value.read_lock::<Policy>()?.asked(ask))
}

/// Whether `value` is `study`.
pub fn is_study(value: &Dynamic) -> bool {
    value.is::<Current>()
}

/// What `ask` finds in the controller that a study kept as `bytes`, on the CPU.
///
/// # Errors
/// [`Error::Snapshot`] where these are of no controller; [`Error::Io`] where there is no room for a file.
pub fn kept_policy<T>(bytes: &[u8], ask: impl FnOnce(&Controller) -> T) -> Result<T> {
    // Snapshots are read from files; this one lasts for the reading.
    let name = format!("nas-script-{}.safetensors", std::process::id());
    let path = std::env::temp_dir().join(name);
    std::fs::write(&path, bytes).map_err(Error::io("write", &path))?;
    let revived = device::open(Selector::Cpu).and_then(|cpu| revive(&path, &cpu.device));
    // What cannot be removed is the system's to clear.
    let _ = std::fs::remove_file(&path);
    Ok(ask(&revived?))
}

/// The names of the functions of the module at `path`, which the engine has imported.
pub fn module_functions(engine: &Engine, path: &str) -> Vec<String> {
    let resolved = engine
        .module_resolver()
        .resolve(engine, None, path, Position::NONE);
    let Ok(module) = resolved else {
        return Vec::new();
    };
    let signatures = module.gen_fn_signatures_with_mapper(std::convert::Into::into);
    let name = |signature: String| {
        signature
            .split('(')
            .next()
            .map(|name| name.trim().to_string())
    };
    let names = signatures
        .filter_map(name)
        .filter(|name| !name.contains(['$', '#']));
    names.collect()
}
