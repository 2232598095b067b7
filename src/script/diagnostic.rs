//! Errors of scripts for people: message, file, line, column, and the source line with a caret.

use std::fmt::Write;
use std::ops::Range;

use ariadne::{CharSet, Config, IndexType, Label, Report, ReportKind, Source};
use rhai::{EvalAltResult, Map, Position};

use super::modules::Sources;

/// An error of a script, with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// What went wrong.
    pub message: String,
    /// The script or module that it went wrong in.
    pub source: String,
    /// Line and column, from 1, where they are known.
    pub place: Option<(usize, usize)>,
    /// Whether the user stopped the script.
    pub interrupted: bool,
}

impl Diagnostic {
    /// Describes `error` of the script called `script`: the innermost error, where it arose.
    pub(super) fn new(error: &EvalAltResult, script: &str) -> Self {
        let (error, source) = innermost(error, script);
        let position = error.position();
        Self {
            message: shortened(message(error)),
            source: source.to_string(),
            place: position
                .line()
                .map(|l| (l, position.position().unwrap_or(1))),
            interrupted: matches!(error, EvalAltResult::ErrorTerminated(reason, _) if reason.is_unit()),
        }
    }

    /// Renders the error with the source line, in colour if `colour`.
    pub fn render(&self, sources: &Sources, colour: bool) -> String {
        let (Some(place), Some(source)) = (self.place, sources.get(&self.source)) else {
            return format!("Error: {}\n  in {}\n", self.message, self.source);
        };
        let config = Config::default()
            .with_color(colour)
            .with_char_set(CharSet::Unicode)
            .with_index_type(IndexType::Char);
        let text = &*source.text;
        let span = span(text, source.original(place));
        let source = self.source.as_str();
        let report = Report::build(ReportKind::Error, (source, span.clone()))
            .with_config(config)
            .with_message(&self.message)
            .with_label(Label::new((source, span)).with_message("here"))
            .finish();
        let mut rendered = Vec::new();
        let written = report.write((source, Source::from(text)), &mut rendered);
        let mut rendered = String::from_utf8_lossy(&rendered).into_owned();
        if written.is_err() {
            // Writing to memory does not fail; were it to, the message still counts.
            let _ = write!(rendered, "Error: {}", self.message);
        }
        rendered
    }
}

/// The error at the bottom of a chain of calls, with the source it arose in.
fn innermost<'a>(error: &'a EvalAltResult, source: &'a str) -> (&'a EvalAltResult, &'a str) {
    match error {
        EvalAltResult::ErrorInFunctionCall(_, called, inner, position) => {
            let within = if called.is_empty() { source } else { called };
            let (deepest, place) = innermost(inner, within);
            // A host call knows no place of its own: the call's counts.
            if deepest.position() == Position::NONE && *position != Position::NONE {
                (error, source)
            } else {
                (deepest, place)
            }
        }
        EvalAltResult::ErrorInModule(module, inner, _) => innermost(inner, module),
        _ => (error, source),
    }
}

/// The most characters of a message that are shown: a script may throw a text of any length.
const LONGEST: usize = 2_000;

/// `message` without what is too much of it.
fn shortened(mut message: String) -> String {
    if let Some((at, _)) = message.char_indices().nth(LONGEST) {
        message.truncate(at);
        message.push('…');
    }
    message
}

/// The message alone, without Rhai's "Runtime error: " and position.
fn message(error: &EvalAltResult) -> String {
    match error {
        EvalAltResult::ErrorRuntime(value, _) => {
            let object = value.read_lock::<Map>();
            let text = object.as_ref().and_then(|object| object.get("message"));
            text.unwrap_or(value).to_string()
        }
        EvalAltResult::ErrorInFunctionCall(_, _, inner, _) => message(inner),
        EvalAltResult::ErrorTerminated(reason, _) if reason.is_unit() => "interrupted".into(),
        EvalAltResult::ErrorTerminated(limit, _) => limit.to_string(),
        EvalAltResult::ErrorDataRace(..) => "a function captures the object whose method it is \
             given to; copy it first (`let again = manager;`) and use the copy inside"
            .into(),
        EvalAltResult::ErrorParsing(kind, _) => format!("syntax error: {kind}"),
        EvalAltResult::ErrorVariableNotFound(name, _) => format!("unknown variable '{name}'"),
        EvalAltResult::ErrorFunctionNotFound(call, _) => format!("no function {}", plain(call)),
        EvalAltResult::ErrorModuleNotFound(path, _) => format!("no module {path}"),
        other => {
            let mut bare = other.to_string();
            if let Some(at) = bare.rfind(" (line ") {
                bare.truncate(at);
            }
            bare
        }
    }
}

/// A call's signature with types as scripts know them.
fn plain(call: &str) -> String {
    let call = call.replace("&str | ImmutableString | String", "string");
    call.replace("i64", "integer").replace("f64", "float")
}

/// The characters that `place` points at: the word there, or one character.
fn span(text: &str, (line, column): (usize, usize)) -> Range<usize> {
    let before = text.split_inclusive('\n').take(line - 1);
    let length = text.lines().nth(line - 1).map_or(0, |l| l.chars().count());
    // A text that ends too early is pointed at just past its last character.
    let column = column.min(length + 1);
    let start: usize = before.map(|l| l.chars().count()).sum::<usize>() + column - 1;
    let word = text.chars().skip(start);
    let word = word
        .take_while(|c| c.is_alphanumeric() || *c == '_')
        .count();
    start..start + word.max(1)
}
