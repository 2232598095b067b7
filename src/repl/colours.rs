//! Colours of the text at the prompt. Knows words and names, not what they are worth.

use std::fmt::Write;

use super::tokens::{Kind, matching, tokens};

const RESET: &str = "\x1b[0m";
const KEYWORD: &str = "\x1b[1;35m";
const NUMBER: &str = "\x1b[36m";
const TEXT: &str = "\x1b[32m";
const COMMENT: &str = "\x1b[90m";
const FUNCTION: &str = "\x1b[34m";
const OBJECT: &str = "\x1b[1;33m";
const COMMAND: &str = "\x1b[1;34m";
const BRACKET: &str = "\x1b[1;4m";

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// A function of the host or of the language.
    Function,
    /// What makes an object: `StateSpace`.
    Object,
    /// Anything else.
    Plain,
}

/// The text `line` in colour, with the bracket at `cursor` and the one that belongs to it marked.
pub(super) fn coloured(line: &str, cursor: usize, meaning: impl Fn(&str) -> Meaning) -> String {
    if line.trim_start().starts_with(':') {
        let end = line.trim_end().find(char::is_whitespace);
        let end = end.unwrap_or(line.len());
        return format!("{COMMAND}{}{RESET}{}", &line[..end], &line[end..]);
    }
    let words = tokens(line);
    let near = |at: &usize| words[*at].at.contains(&cursor) || words[*at].at.end == cursor;
    let pair = (0..words.len())
        .filter(near)
        .find_map(|at| Some([at, matching(line, &words, at)?]));
    let mut shown = String::with_capacity(line.len() * 2);
    let mut end = 0;
    for (index, word) in words.iter().enumerate() {
        shown.push_str(&line[end..word.at.start]);
        end = word.at.end;
        let text = word.of(line);
        let colour = match word.kind {
            _ if pair.is_some_and(|pair| pair.contains(&index)) => BRACKET,
            Kind::Keyword => KEYWORD,
            Kind::Number => NUMBER,
            Kind::Text => TEXT,
            Kind::Comment => COMMENT,
            Kind::Name => match meaning(text) {
                Meaning::Function => FUNCTION,
                Meaning::Object => OBJECT,
                Meaning::Plain => "",
            },
            Kind::Sign => "",
        };
        match colour {
            "" => shown.push_str(text),
            colour => {
                let _ = write!(shown, "{colour}{text}{RESET}");
            }
        }
    }
    shown.push_str(&line[end..]);
    shown
}

/// What a hint looks like.
pub(super) fn faint(hint: &str) -> String {
    format!("{COMMENT}{hint}{RESET}")
}

/// What a prompt looks like.
pub(super) fn prompt(prompt: &str) -> String {
    format!("\x1b[1;32m{prompt}{RESET}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meaning(name: &str) -> Meaning {
        match name {
            "input" => Meaning::Function,
            "StateSpace" => Meaning::Object,
            _ => Meaning::Plain,
        }
    }

    #[test]
    fn each_kind_of_word_has_its_colour_and_nothing_is_lost() {
        let line = "let s = StateSpace(); input(\"a\", 1) // é";
        let shown = coloured(line, 0, meaning);
        for part in [
            format!("{KEYWORD}let{RESET}"),
            format!("{OBJECT}StateSpace{RESET}"),
            format!("{FUNCTION}input{RESET}"),
            format!("{TEXT}\"a\"{RESET}"),
            format!("{NUMBER}1{RESET}"),
            format!("{COMMENT}// é{RESET}"),
        ] {
            assert!(shown.contains(&part), "{part:?} is not in {shown:?}");
        }
        let colours = [RESET, KEYWORD, NUMBER, TEXT, COMMENT, FUNCTION, OBJECT];
        let plain = colours
            .iter()
            .fold(shown, |text, colour| text.replace(colour, ""));
        assert_eq!(plain, line);
    }

    #[test]
    fn the_bracket_at_the_cursor_and_its_other_are_marked() {
        let bracket = |c| format!("{BRACKET}{c}{RESET}");
        let expected = format!("f{}g[{NUMBER}1{RESET}]{}", bracket('('), bracket(')'));
        assert_eq!(coloured("f(g[1])", 7, meaning), expected);
        assert_eq!(coloured("f(g[1])", 1, meaning), expected);
    }
}
