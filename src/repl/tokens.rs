//! The words of a text that may be unfinished or wrong, with where they are: for highlighting, completion and `:save`.
//! Rhai's own tokenizer keeps neither comments nor what is unfinished. Knows no meaning.

use std::ops::Range;

/// What a [`Token`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A word of the language.
    Keyword,
    /// A name.
    Name,
    /// A number.
    Number,
    /// A text or a character; of a text with `${…}` each piece with its quotes.
    Text,
    /// A comment.
    Comment,
    /// A bracket, an operator or another sign.
    Sign,
}

/// A word of a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Token {
    pub kind: Kind,
    /// Where it is, in bytes.
    pub at: Range<usize>,
    /// Whether it ends where it should: a text or a comment may not.
    pub closed: bool,
}

impl Token {
    /// Its text in that of the whole.
    pub fn of<'a>(&self, text: &'a str) -> &'a str {
        &text[self.at.clone()]
    }
}

/// The words of Rhai (<https://rhai.rs/book/appendix/keywords.html>).
pub(super) const KEYWORDS: &[&str] = &[
    "as", "break", "catch", "const", "continue", "do", "else", "export", "false", "fn", "for",
    "global", "if", "import", "in", "let", "loop", "private", "return", "switch", "this", "throw",
    "true", "try", "until", "while",
];

/// Signs of more than one character, the longest first.
const SIGNS: &[&str] = &[
    "...", "..=", "**=", "<<=", ">>=", "#{", "${", "::", "..", "?.", "?[", "=>", "==", "!=", "<=",
    ">=", "&&", "||", "??", "**", "+=", "-=", "*=", "/=", "%=", "<<", ">>", "&=", "|=", "^=", "->",
];

/// The words of `text`.
pub(super) fn tokens(text: &str) -> Vec<Token> {
    let mut reader = Reader {
        text,
        at: 0,
        found: Vec::new(),
        templates: Vec::new(),
    };
    while reader.at < text.len() {
        reader.next();
    }
    reader.found
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    found: Vec<Token>,
    /// For each `${` that is open, how many braces are open in it.
    templates: Vec<usize>,
}

impl Reader<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn push(&mut self, kind: Kind, length: usize, closed: bool) {
        let at = self.at..self.at + length;
        self.at = at.end;
        self.found.push(Token { kind, at, closed });
    }

    /// Reads what comes next.
    fn next(&mut self) {
        let rest = self.rest();
        let first = rest.chars().next().unwrap_or(' ');
        let count = |wanted: fn(char) -> bool| {
            let end = rest.find(|c| !wanted(c));
            end.unwrap_or(rest.len())
        };
        if first.is_whitespace() {
            self.at += count(char::is_whitespace);
        } else if rest.starts_with("//") || (self.at == 0 && rest.starts_with("#!")) {
            let end = rest.find('\n');
            self.push(Kind::Comment, end.unwrap_or(rest.len()), true);
        } else if rest.starts_with("/*") {
            let (length, closed) = block_comment(rest);
            self.push(Kind::Comment, length, closed);
        } else if first == '"' || first == '\'' {
            let (length, closed) = quoted(rest, first);
            self.push(Kind::Text, length, closed);
        } else if first == '`' {
            self.template(1);
        } else if first.is_ascii_digit() {
            self.push(Kind::Number, number(rest), true);
        } else if first.is_alphabetic() || first == '_' {
            let length = count(|c| c.is_alphanumeric() || c == '_');
            let kind = match KEYWORDS.contains(&&rest[..length]) {
                true => Kind::Keyword,
                false => Kind::Name,
            };
            self.push(kind, length, true);
        } else {
            let sign = SIGNS.iter().find(|sign| rest.starts_with(**sign));
            let length = sign.map_or(first.len_utf8(), |sign| sign.len());
            let opens = sign.map_or(first == '{', |sign| sign.ends_with('{'));
            self.push(Kind::Sign, length, true);
            match (self.templates.last_mut(), first) {
                (Some(open), _) if opens => *open += 1,
                (Some(0), '}') => {
                    self.templates.pop();
                    self.template(0);
                }
                (Some(open), '}') => *open -= 1,
                _ => {}
            }
        }
    }

    /// Reads a text in backquotes, whose first `skipped` bytes are read, up to its end or to the next `${`.
    fn template(&mut self, skipped: usize) {
        let rest = self.rest();
        let inside = &rest[skipped..];
        let end = inside.find('`');
        let hole = inside.find("${");
        match (end, hole) {
            (end, Some(hole)) if end.is_none_or(|end| hole < end) => {
                self.push(Kind::Text, skipped + hole, true);
                self.push(Kind::Sign, 2, true);
                self.templates.push(0);
            }
            (Some(end), _) => self.push(Kind::Text, skipped + end + 1, true),
            (None, _) => self.push(Kind::Text, rest.len(), false),
        }
    }
}

/// The length of the number at the start of `text`.
fn number(text: &str) -> usize {
    let bytes = text.as_bytes();
    let radix = bytes.get(1).is_some_and(|c| b"xXoObB".contains(c)) && bytes[0] == b'0';
    let digits = |from: usize| {
        let digit = |c: &u8| c.is_ascii_digit() || *c == b'_' || radix && c.is_ascii_alphanumeric();
        from + bytes[from..].iter().take_while(|c| digit(c)).count()
    };
    let mut end = digits(0);
    // `1..3` is a range and `1.max(2)` a call.
    let fraction = |at: usize| {
        let after = bytes.get(at + 1);
        bytes.get(at) == Some(&b'.') && after.is_some_and(u8::is_ascii_digit)
    };
    if !radix && fraction(end) {
        end = digits(end + 1);
    }
    if !radix && bytes.get(end).is_some_and(|c| b"eE".contains(c)) {
        let sign = usize::from(bytes.get(end + 1).is_some_and(|c| b"+-".contains(c)));
        if bytes.get(end + 1 + sign).is_some_and(u8::is_ascii_digit) {
            end = digits(end + 1 + sign);
        }
    }
    end
}

/// The length of a block comment, which may hold others, and whether it ends.
fn block_comment(text: &str) -> (usize, bool) {
    let bytes = text.as_bytes();
    let (mut depth, mut at) = (0, 0);
    while at < bytes.len() {
        match bytes.get(at..at + 2) {
            Some(b"/*") => (depth, at) = (depth + 1, at + 2),
            Some(b"*/") => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return (at, true);
        }
    }
    (text.len(), false)
}

/// The length of a text in `quote`s, and whether it ends. A line that ends in a backslash goes on in the next.
fn quoted(text: &str, quote: char) -> (usize, bool) {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '\n' => return (at, false),
            c if c == quote => return (at + c.len_utf8(), true),
            _ => {}
        }
    }
    (text.len(), false)
}

/// The bracket that belongs to the one at `at`, each as the position of its token.
pub(super) fn matching(text: &str, tokens: &[Token], at: usize) -> Option<usize> {
    let depth = |token: &Token| match token.of(text) {
        "(" | "[" | "{" | "#{" | "${" | "?[" if token.kind == Kind::Sign => 1,
        ")" | "]" | "}" if token.kind == Kind::Sign => -1,
        _ => 0,
    };
    let start = depth(tokens.get(at)?);
    let mut open = 0;
    let mut ends = |(_, token): &(usize, &Token)| {
        open += depth(token);
        open == 0
    };
    let found = match start {
        1 => tokens.iter().enumerate().skip(at).find(&mut ends),
        -1 => tokens.iter().enumerate().take(at + 1).rev().find(&mut ends),
        _ => None,
    };
    found.map(|(index, _)| index)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Vec<(Kind, &str)> {
        tokens(text).iter().map(|t| (t.kind, t.of(text))).collect()
    }

    #[test]
    fn words_are_told_apart() {
        use Kind::{Comment, Keyword, Name, Number, Sign, Text};
        let expected = [
            (Keyword, "let"),
            (Name, "x"),
            (Sign, "="),
            (Number, "1_000"),
            (Sign, ".."),
            (Number, "2.5e-3"),
            (Sign, ";"),
            (Text, "\"a \\\" b\""),
            (Comment, "/* a /* b */ c */"),
            (Sign, "#{"),
            (Name, "é"),
            (Comment, "// end"),
        ];
        let text = "let x = 1_000..2.5e-3; \"a \\\" b\" /* a /* b */ c */ #{ é // end";
        assert_eq!(read(text), expected);
    }

    #[test]
    fn what_is_in_a_template_is_read_too() {
        let text = "`a ${ #{k: 1}.k + `in ${x}` } b` y";
        let texts: Vec<&str> = tokens(text).iter().map(|t| t.of(text)).collect();
        let expected = [
            "`a ", "${", "#{", "k", ":", "1", "}", ".", "k", "+", "`in ", "${", "x", "}", "`", "}",
            " b`", "y",
        ];
        assert_eq!(texts, expected);
    }

    #[test]
    fn what_is_unfinished_is_said_to_be() {
        for text in ["\"a", "`a", "/* a", "`a ${b} c"] {
            assert!(!tokens(text).last().unwrap().closed, "{text}");
        }
        for text in ["\"a\"", "`a`", "/* a */", "`a ${b} c`", "// a"] {
            assert!(tokens(text).last().unwrap().closed, "{text}");
        }
    }

    #[test]
    fn brackets_find_each_other() {
        let text = "f([1, (2)], \"(\")";
        let tokens = tokens(text);
        let last = tokens.len() - 1;
        assert_eq!(matching(text, &tokens, 1), Some(last));
        assert_eq!(matching(text, &tokens, last), Some(1));
        assert_eq!(matching(text, &tokens, 0), None);
        assert_eq!(matching("(", &super::tokens("("), 0), None);
    }
}
