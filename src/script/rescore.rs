//! A reward function of a file of its own, applied to recorded trials. Knows nothing of where they were recorded.

use rhai::{AST, Engine, Scope};

use super::diagnostic::Diagnostic;
use super::manager::number;
use super::outcome::Outcome;
use crate::study::Trial;

/// The name of the function.
const REWARD: &str = "reward";

/// Gives recorded trials another reward, by `fn reward(o)` of a script.
pub struct Rescorer<'a> {
    engine: &'a Engine,
    ast: &'a AST,
}

impl<'a> Rescorer<'a> {
    /// Takes the function `reward` of the script `ast`, which [`engine`](super::engine) compiled. `None`: it has none.
    pub fn new(engine: &'a Engine, ast: &'a AST) -> Option<Self> {
        let defines = |f: rhai::ScriptFnMetadata| f.name == REWARD && f.params.len() == 1;
        let found = ast.iter_functions().any(defines);
        found.then_some(Self { engine, ast })
    }

    /// The reward of `trial`, whose outcome is no failure.
    ///
    /// # Errors
    /// What the function raises, or that it returned no number.
    pub fn reward(&self, trial: &Trial) -> Result<f64, Diagnostic> {
        let name = self.ast.source().unwrap_or("reward");
        let (engine, ast) = (self.engine, self.ast);
        let outcome = Outcome::new(trial.clone());
        let value = super::bounded(engine, || {
            engine.call_fn(&mut Scope::new(), ast, REWARD, (outcome,))
        });
        let value = value.and_then(|value| number(REWARD, &value));
        value.map_err(|error| Diagnostic::new(&error, name))
    }
}
