//! A diagnostic as a terminal shows it: the message, each place with its source line, the notes.

use annotate_snippets::{Annotation, AnnotationKind, Element, Level, Renderer, Snippet};

use super::{Call, Diagnostic, Severity, text};
use crate::script::modules::Sources;

/// How wide a source line may be before only the part around the place is shown, in columns.
const WIDTH: usize = 120;

/// How many calls are shown of a longer chain: so many of the innermost and one of the outermost.
const CALLS: usize = 4;

pub(super) fn render(diagnostic: &Diagnostic, sources: &Sources, colour: bool) -> String {
    let level = match diagnostic.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
    };
    let mut elements: Vec<Element> = Vec::new();
    let here = Call {
        label: String::new(),
        source: diagnostic.source.clone(),
        place: diagnostic.place,
    };
    elements.push(excerpt(sources, &here, AnnotationKind::Primary));
    let shown = shown(&diagnostic.calls);
    for call in &shown {
        elements.push(excerpt(sources, call, AnnotationKind::Context));
    }
    let hidden = diagnostic.calls.len() - shown.len();
    if hidden > 0 {
        let calls = format!("{hidden} more calls lie between the last two");
        elements.push(Level::NOTE.message(calls).into());
    }
    for note in &diagnostic.notes {
        elements.push(Level::HELP.message(note.as_str()).into());
    }
    let renderer = match colour {
        true => Renderer::styled(),
        false => Renderer::plain(),
    };
    let title = level.primary_title(diagnostic.message.as_str());
    let report = [title.elements(elements)];
    let rendered = renderer.term_width(WIDTH).render(&report);
    let lines = rendered
        .lines()
        .map(|line| format!("{}\n", line.trim_end()));
    lines.collect()
}

/// The calls of a chain that are shown.
fn shown(calls: &[Call]) -> Vec<&Call> {
    match calls {
        [inner @ .., outermost] if inner.len() > CALLS => {
            inner.iter().take(CALLS).chain([outermost]).collect()
        }
        calls => calls.iter().collect(),
    }
}

/// The source line of a call, or where it is if there is no text of it.
fn excerpt<'a>(sources: &Sources, call: &Call, kind: AnnotationKind) -> Element<'a> {
    let label = Some(call.label.clone()).filter(|label| !label.is_empty());
    let source = sources.get(&call.source);
    let (Some(source), Some(place)) = (source, call.place) else {
        let place = annotate_snippets::Origin::path(call.source.clone());
        return match call.place {
            Some((line, column)) => place.line(line).char_column(column).into(),
            None => place.into(),
        };
    };
    let range = text::token(&source.text, text::offset(&source.text, place));
    let annotation: Annotation = kind.span(range).label(label);
    let snippet = Snippet::source(source.text.to_string()).path(call.source.clone());
    snippet.annotation(annotation).into()
}
