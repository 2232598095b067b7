//! When a text at the prompt is whole: Rhai's own parser decides.

use rhai::{Engine, ParseErrorType, Position};

use super::tokens::tokens;
use crate::script;

/// Whether another line is needed.
pub(super) fn unfinished(parser: &Engine, input: &str) -> bool {
    if input.trim_start().starts_with(':') {
        return false;
    }
    // The parser takes the end of the text for the end of a comment, and wants a function after documentation.
    let words = tokens(input);
    let last = words.last().map_or("", |word| word.of(input));
    let open = words.last().is_some_and(|word| !word.closed) && last.starts_with("/*");
    if open || last.starts_with("///") && !last.starts_with("////") {
        return true;
    }
    match script::parsed(parser, input) {
        Ok(_) => false,
        Err(error) => at_end(error.err_type(), input, error.position()),
    }
}

/// Whether the parser ran out of text: its complaint is at the end of the input.
fn at_end(error: &ParseErrorType, input: &str, position: Position) -> bool {
    if matches!(error, ParseErrorType::UnexpectedEOF) {
        return true;
    }
    let text = input.trim_end();
    let lines = text.lines().count();
    let end = text.lines().last().map_or(0, |line| line.chars().count());
    let line = position.line().unwrap_or(usize::MAX);
    let beyond = line > lines || line == lines && position.position().unwrap_or(0) > end;
    // A text is reported where it begins.
    let open_text = || tokens(input).last().is_some_and(|word| !word.closed);
    match error {
        ParseErrorType::BadInput(_) => beyond || open_text() && unclosed_may_go_on(input),
        ParseErrorType::MissingToken(..)
        | ParseErrorType::ExprExpected(_)
        | ParseErrorType::MissingSymbol(_)
        | ParseErrorType::VariableExpected
        | ParseErrorType::PropertyExpected
        | ParseErrorType::FnMissingBody(_)
        | ParseErrorType::FnMissingParams(_) => beyond,
        _ => false,
    }
}

/// Whether the text that is open at the end of `input` may have more lines: one in backquotes, or a line that ends in a
/// backslash.
fn unclosed_may_go_on(input: &str) -> bool {
    let words = tokens(input);
    let last = words.last().map_or("", |word| word.of(input));
    !last.starts_with(['"', '\'']) || input.ends_with('\\')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parser_decides() {
        let parser = Engine::new_raw();
        let open = [
            "fn f(x) {",
            "fn f(x)",
            "fn f(",
            "let x =",
            "if x { 1 } else {",
            "[1, 2,",
            "#{ a: 1,",
            "f(1,",
            "input([1, 8, 8]).",
            "input([1, 8, 8])\n    .dense(",
            "let f = |x| {\n  x + 1",
            "`a\n${x",
            "`two\nlines",
            "/* a comment",
            "/// Of a function.",
            "1 + 2 + // and",
            "1 +",
            "switch x {",
            "for i in 0..3",
            "while",
        ];
        for text in open {
            assert!(unfinished(&parser, text), "{text:?} needs more");
        }
        let whole = [
            "",
            "1 + 2",
            "fn f(x) { x }",
            "let f = |x| x + 1;",
            "input([1, 8, 8])\n    .flatten()\n    .dense(10)",
            "`a ${1 + `b ${2}`}`",
            "\"{ ( [\"",
            "'{'",
            "x // {",
            "/* ( */ 1",
            ":help {",
            // A slip is for the user to see at once.
            "let x = );",
            "1 + ]",
            "\"no end",
            "f(1))",
            "let 5",
        ];
        for text in whole {
            assert!(!unfinished(&parser, text), "{text:?} is whole, or wrong");
        }
    }
}
