//! Errors of scripts for people: what went wrong, where, how it came there, and what may help. Knows neither
//! terminals nor exit codes.

mod cause;
mod chain;
mod forms;
mod names;
mod notes;
mod render;
mod scene;
mod syntax;
pub(super) mod text;

pub(super) use cause::kind_of;
pub(super) use chain::place;
pub(super) use names::{LANGUAGE, Mismatch, Names, Told, did_you_mean, functions_of};
pub(super) use notes::{
    called_variable, module as module_notes, module_call, variable as variable_notes,
};
pub(super) use scene::start;

use cause::Cause;
use rhai::EvalAltResult;

use super::modules::Sources;

/// An error of a script, or what `check` finds in one, with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Whether the script cannot run, or may not do what is meant.
    pub severity: Severity,
    /// What kind of finding it is, in a word for editors, such as `unknown-variable`.
    pub code: String,
    /// What went wrong.
    pub message: String,
    /// The script or module that it went wrong in.
    pub source: String,
    /// Line and column, from 1, where they are known.
    pub place: Option<(usize, usize)>,
    /// What may help.
    pub notes: Vec<String>,
    /// The calls that led there, the innermost first.
    pub calls: Vec<Call>,
    /// Whether the user stopped the script.
    pub interrupted: bool,
    /// What the source and the reference can say more of.
    cause: Cause,
    /// Names that are known besides those in the source.
    known: Vec<String>,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The script cannot run.
    Error,
    /// It may not do what is meant.
    Warning,
}

/// A call on the way to an error.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// What is called here, in words.
    pub label: String,
    /// The script or module with the call.
    pub source: String,
    /// Line and column, from 1, where they are known.
    pub place: Option<(usize, usize)>,
}

/// The most characters of a message that are shown: a script may throw a text of any length.
const LONGEST: usize = 2_000;

impl Diagnostic {
    /// Describes `error` of the script called `script`: the innermost error, where it arose.
    pub(super) fn new(error: &EvalAltResult, script: &str) -> Self {
        let origin = chain::unwind(error, script);
        let said = cause::said_of(origin.error);
        Self {
            severity: Severity::Error,
            code: said.code,
            message: shortened(said.message),
            source: origin.source,
            place: origin.place,
            notes: Vec::new(),
            calls: origin.calls,
            interrupted: matches!(origin.error, EvalAltResult::ErrorTerminated(reason, _) if reason.is_unit()),
            cause: said.cause,
            known: Vec::new(),
        }
    }

    /// A finding in the source called `source`, such as those of `check`.
    pub fn finding(
        severity: Severity,
        code: &str,
        source: &str,
        place: (usize, usize),
        message: impl Into<String>,
    ) -> Self {
        Self {
            severity,
            code: code.into(),
            message: message.into(),
            source: source.into(),
            place: Some(place),
            notes: Vec::new(),
            calls: Vec::new(),
            interrupted: false,
            cause: Cause::Explained,
            known: Vec::new(),
        }
    }

    /// The same, with variables that are known besides those in the source: those of a session.
    #[must_use]
    pub(super) fn knowing<'a>(mut self, variables: impl Iterator<Item = &'a str>) -> Self {
        if matches!(self.cause, Cause::Variable(_)) {
            self.known = variables.map(Into::into).collect();
        }
        self
    }

    /// The same, with the place of the very word that it is about, and with notes: what the sources and the reference
    /// can say of it. It can be asked again.
    #[must_use]
    pub fn explained(&self, sources: &Sources) -> Self {
        notes::explain(self.clone(), sources)
    }

    /// Where the range ends that is underlined, as line and column after its last character.
    pub fn end(&self, sources: &Sources) -> Option<(usize, usize)> {
        let source = sources.get(&self.source)?;
        let range = text::token(&source.text, text::offset(&source.text, self.place?));
        Some(text::place(&source.text, range.end))
    }

    /// Renders the error with the source lines of its place and of the calls that led there, in colour if `colour`.
    pub fn render(&self, sources: &Sources, colour: bool) -> String {
        render::render(&self.explained(sources), sources, colour)
    }
}

/// `message` without what is too much of it.
fn shortened(mut message: String) -> String {
    if let Some((at, _)) = message.char_indices().nth(LONGEST) {
        message.truncate(at);
        message.push('…');
    }
    message
}
