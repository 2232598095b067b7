//! Places in source texts: from line and column to what stands there. Knows only text.

use std::ops::Range;

/// Operators of more than one character, the longest first.
const OPERATORS: &[&str] = &[
    "<<=", ">>=", "**=", "..=", "==", "!=", "<=", ">=", "&&", "||", "=>", "+=", "-=", "*=", "/=",
    "%=", "|=", "&=", "^=", "<<", ">>", "**", "..", "::", "?.", "?[", "??", "!in", "#{",
];

/// The byte at which `place` (line and column from 1, in characters) is in `text`. What lies beyond the end of its
/// line, or in the blanks at the end of the text, is just after the last character before it.
pub(in crate::script) fn offset(text: &str, (line, column): (usize, usize)) -> usize {
    let end = text.trim_end().len();
    let Some(start) = start_of(text, line) else {
        return end;
    };
    let length = text[start..].find('\n').unwrap_or(text.len() - start);
    let line = text[start..start + length].trim_end_matches('\r');
    let within = line.char_indices().nth(column.saturating_sub(1));
    let offset = start + within.map_or(line.len(), |(at, _)| at);
    offset.min(end)
}

/// The byte at which `line` begins.
fn start_of(text: &str, line: usize) -> Option<usize> {
    match line {
        0 => None,
        1 => Some(0),
        _ => text.match_indices('\n').nth(line - 2).map(|(at, _)| at + 1),
    }
}

/// The line and the column, in characters, of the byte `offset`.
pub(in crate::script) fn place(text: &str, offset: usize) -> (usize, usize) {
    let before = &text[..offset];
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    let line = before.matches('\n').count() + 1;
    (line, before[start..].chars().count() + 1)
}

/// The bytes of what begins at the byte `start`: a name, a literal or an operator; nothing at the end of the text.
pub(in crate::script) fn token(text: &str, start: usize) -> Range<usize> {
    let rest = &text[start..];
    let Some(first) = rest.chars().next().filter(|c| !c.is_whitespace()) else {
        return start..start;
    };
    let length = match first {
        c if is_word(c) => word(rest).len(),
        '"' | '\'' | '`' => quoted(rest, first),
        _ => {
            let longer = OPERATORS.iter().find(|op| rest.starts_with(**op));
            longer.map_or(first.len_utf8(), |op| op.len())
        }
    };
    start..start + length
}

pub(in crate::script) fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// The name or number that `text` begins with.
pub(in crate::script) fn word(text: &str) -> &str {
    let number = text.starts_with(|c: char| c.is_ascii_digit());
    let mut end = 0;
    for (at, c) in text.char_indices() {
        // A point between digits belongs to a number, another one does not.
        let next = text[at + c.len_utf8()..].chars().next();
        let point = number && c == '.' && next.is_some_and(|c| c.is_ascii_digit());
        if !is_word(c) && !point {
            break;
        }
        end = at + c.len_utf8();
    }
    &text[..end]
}

/// The length of the quoted text that `text` begins with, up to the end of the line.
fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            '\n' => return text[..at].trim_end().len(),
            _ if escaped => escaped = false,
            '\\' if quote != '`' => escaped = true,
            c if c == quote => return at + c.len_utf8(),
            _ => {}
        }
    }
    text.trim_end().len()
}

/// The byte at which the name `name` stands next, from the byte `from` on; it is looked for in the following
/// characters, not in the whole text.
pub(in crate::script) fn next_word(text: &str, from: usize, name: &str) -> Option<usize> {
    /// How far an error may be from the name that it is about: a name before, a comment, an index.
    const REACH: usize = 500;
    let rest = &text[from..];
    let starts = rest.match_indices(name).map(|(at, _)| at);
    let mut near = starts.take_while(|at| *at < REACH);
    near.find(|&at| {
        let before = rest[..at].chars().next_back();
        let before = before.or_else(|| text[..from].chars().next_back().filter(|_| at == 0));
        let after = rest[at + name.len()..].chars().next();
        !before.is_some_and(is_word) && !after.is_some_and(is_word)
    })
    .map(|at| from + at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_and_bytes_are_the_same_thing() {
        let text = "let ä = 1;\r\n\tprint(ä);\n\n";
        for (at, _) in text.trim_end().char_indices() {
            if !text[at..].starts_with(['\r', '\n']) {
                assert_eq!(offset(text, place(text, at)), at);
            }
        }
        // Beyond the end of a line, and of the text.
        assert_eq!(&text[offset(text, (1, 99))..][..2], "\r\n");
        assert_eq!(offset(text, (9, 1)), text.trim_end().len());
        assert_eq!(offset(text, (4, 1)), text.trim_end().len());
    }

    #[test]
    fn what_stands_at_a_place_is_taken_as_a_whole() {
        let at = |text: &'static str, start| &text[token(text, start)];
        assert_eq!(at("a.b(1)", 2), "b");
        assert_eq!(at("x = 1.5;", 4), "1.5");
        assert_eq!(at("0..3", 0), "0");
        assert_eq!(at("a == b", 2), "==");
        assert_eq!(at(r#"f("a\"b") "#, 2), r#""a\"b""#);
        assert_eq!(at("\"open\n", 0), "\"open");
        assert_eq!(at("größe + 1", 0), "größe");
        assert_eq!(at("a", 1), "");
    }

    #[test]
    fn a_name_is_found_as_a_word() {
        let text = "layers[layer].filter(filters)";
        assert_eq!(next_word(text, 0, "layer"), Some(7));
        assert_eq!(next_word(text, 8, "layer"), None);
        assert_eq!(next_word(text, 0, "filter"), Some(14));
    }
}
