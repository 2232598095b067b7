//! Syntax errors: where the text went wrong, which is often before the place where the parser notices, and what to write.

use rhai::{LexError, ParseErrorType};

use super::names::foreign;
use super::scene::Place;
use super::text;

/// The place to point at, and what may help.
pub(super) fn explain(kind: &ParseErrorType, source: &str, place: Place) -> (Place, Vec<String>) {
    use ParseErrorType as P;
    let at = text::offset(source, place);
    let ended = source[at..].trim_end().is_empty();
    let mut notes = Vec::new();
    let mut place = text::place(source, at);
    match kind {
        P::MissingToken(token, _) if ended => notes.extend(unclosed(source, Some(token))),
        P::UnexpectedEOF => notes.extend(unclosed(source, None)),
        P::MissingToken(token, _) if token == ";" => {
            place = text::place(source, after_previous(source, at));
            let word = text::word(&source[at..]);
            notes.push(match foreign(word) {
                Some(here) => here,
                None => {
                    "a `;` ends a statement; between two values there is an operator or a comma"
                        .into()
                }
            });
        }
        P::MissingToken(token, _) if token == "]" => {
            notes.push("`[` right after a value takes an element of it: a comma may be missing before the `[`".into());
        }
        P::MissingToken(token, _) if matches!(token.as_str(), "," | ")" | "}") => {
            notes.push(format!(
                "a `{token}`, a closing bracket or an operator is missing before this"
            ));
        }
        P::MismatchedType(expected, _) if expected.contains("iterable") => {
            notes.push("a range is written 0..5".into());
        }
        P::BadInput(LexError::MalformedChar(text)) if text.chars().count() != 1 => {
            notes.push("a text is written in double quotes".into());
        }
        P::BadInput(LexError::UnterminatedString) => {
            notes.push("a text in double quotes ends in its line; one of several lines is written in backticks".into());
        }
        P::VariableExists(_) | P::Reserved(_) | P::VariableExpected => {
            notes.push("it is a word of the language: take another name".into());
        }
        P::FnDuplicatedDefinition(name, _) => {
            // The parser stops at the `fn` of the one that is too many.
            let word = text::next_word(source, at, name);
            place = word.map_or(place, |word| text::place(source, word));
            notes.push("functions of one name differ in the number of their parameters".into());
        }
        P::WrongFnDefinition => {
            notes.push(
                "inside of a block a function is written as a closure: let f = |x| …;".into(),
            );
        }
        P::AssignmentToInvalidLHS(_) => {
            notes.push("`=` sets a variable, `==` compares".into());
        }
        P::ExprTooDeep => notes.push("put parts of it into variables or functions".into()),
        _ => {}
    }
    (place, notes)
}

/// The byte after the last character before `at` that is neither blank nor in a comment at the end of its line.
fn after_previous(source: &str, at: usize) -> usize {
    let before = source[..at].trim_end();
    let line = before.rfind('\n').map_or(0, |at| at + 1);
    let code = before[line..]
        .find("//")
        .map_or(before, |comment| &before[..line + comment]);
    let end = code.trim_end().len();
    if end <= line && line > 0 {
        return after_previous(source, line - 1);
    }
    // The last character itself is what can be underlined.
    code.trim_end()
        .char_indices()
        .next_back()
        .map_or(at, |(last, _)| last)
}

/// Where the bracket was opened that is not closed at the end.
fn unclosed(source: &str, token: Option<&String>) -> Option<String> {
    let mut open: Vec<(char, usize)> = Vec::new();
    let mut at = 0;
    while let Some(c) = source[at..].chars().next() {
        let rest = &source[at..];
        let length = match c {
            '"' | '\'' | '`' => text::token(source, at).len(),
            '/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            '/' if rest.starts_with("/*") => rest.find("*/").map_or(rest.len(), |end| end + 2),
            _ => c.len_utf8(),
        };
        match c {
            '(' | '[' | '{' => open.push((c, at)),
            ')' | ']' | '}' => {
                open.pop();
            }
            _ => {}
        }
        at += length.max(1);
    }
    let Some(&(bracket, at)) = open.last() else {
        return token
            .filter(|token| *token == ";")
            .map(|_| "a `;` is missing at the end".into());
    };
    let (line, column) = text::place(source, at);
    Some(format!(
        "the `{bracket}` in line {line}, column {column}, is not closed"
    ))
}
