//! Everything that was entered, as one text with line numbers of its own, and the script that it comes to. Knows what
//! became of each entry, not how it is run.

use std::collections::BTreeSet;
use std::ops::Range;

use super::tokens::{Kind, Token, matching, tokens};
use crate::script::Diagnostic;

/// The name that the session's text has in errors.
pub(super) const NAME: &str = "<repl>";

/// What became of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Became {
    /// It ran to its end.
    Done,
    /// It was stopped, but what it had made until then was kept.
    Stopped,
    /// It left nothing.
    Nothing,
}

/// All entries of a session.
#[derive(Default)]
pub(super) struct Journal {
    entries: Vec<Entry>,
    lines: usize,
}

struct Entry {
    text: String,
    /// The file that it was loaded from.
    file: Option<String>,
    /// How many lines are before it.
    before: usize,
    became: Became,
}

impl Journal {
    /// Adds an entry, and returns it with as many empty lines before it as make its positions those of the journal.
    pub fn add(&mut self, text: &str, file: Option<&str>) -> String {
        let before = self.lines;
        self.lines += text.lines().count().max(1);
        self.entries.push(Entry {
            text: text.into(),
            file: file.map(Into::into),
            before,
            became: Became::Nothing,
        });
        "\n".repeat(before) + text
    }

    /// Notes what became of the last entry.
    pub fn became(&mut self, became: Became) {
        if let Some(last) = self.entries.last_mut() {
            last.became = became;
        }
    }

    /// The text of all entries, as errors point into it.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for entry in &self.entries {
            text.push_str(&entry.text);
            if !entry.text.ends_with('\n') {
                text.push('\n');
            }
        }
        text
    }

    /// Makes `diagnostic` point into the file, where what went wrong came from one.
    pub fn locate(&self, diagnostic: &mut Diagnostic) {
        let Some((line, column)) = diagnostic.place.filter(|_| diagnostic.source == NAME) else {
            return;
        };
        let entry = self.entries.iter().rev().find(|entry| entry.before < line);
        if let Some((entry, file)) = entry.and_then(|e| Some((e, e.file.as_ref()?))) {
            diagnostic.source.clone_from(file);
            diagnostic.place = Some((line - entry.before, column));
        }
    }

    /// The session as a script: what ran, in order. Of a function that was defined again the last definition counts,
    /// since a script may have but one.
    pub fn script(&self) -> String {
        let ran = self.entries.iter().filter(|e| e.became != Became::Nothing);
        let mut defined = BTreeSet::new();
        let mut parts: Vec<String> = Vec::new();
        for entry in ran.rev() {
            let text = entry.text.trim().trim_start_matches('\u{feff}');
            let mut kept = text.to_string();
            for function in functions(text).into_iter().rev() {
                if !defined.insert(function.key) {
                    kept.replace_range(function.at, "");
                }
            }
            let kept = closed(kept.trim());
            if !kept.is_empty() {
                let mark = match entry.became {
                    Became::Stopped => "// What follows was stopped by Ctrl-C.\n",
                    _ => "",
                };
                parts.push(format!("{mark}{kept}\n"));
            }
        }
        parts.reverse();
        parts.concat()
    }
}

/// `text` with a semicolon after its last statement.
fn closed(text: &str) -> String {
    let words = tokens(text);
    let last = words.iter().rev().find(|word| word.kind != Kind::Comment);
    match last {
        Some(last) if last.of(text) != ";" => {
            let (statement, comment) = text.split_at(last.at.end);
            format!("{statement};{comment}")
        }
        _ => text.into(),
    }
}

/// A function in a text.
struct Function {
    /// Its name, with the type that it is of, and the number of its parameters.
    key: (String, usize),
    /// Where it is, with its documentation.
    at: Range<usize>,
}

/// The functions that `text` defines, in order.
fn functions(text: &str) -> Vec<Function> {
    let words = tokens(text);
    let mut found = Vec::new();
    let mut at = 0;
    while at < words.len() {
        let word = &words[at];
        if word.kind == Kind::Keyword
            && word.of(text) == "fn"
            && let Some((function, next)) = function(text, &words, at)
        {
            found.push(function);
            at = next;
            continue;
        }
        at += 1;
    }
    found
}

/// The function whose `fn` is the word `at`, and the position of the word after it.
fn function(text: &str, words: &[Token], at: usize) -> Option<(Function, usize)> {
    let open = (at + 1..words.len()).find(|i| words[*i].of(text) == "(")?;
    let close = matching(text, words, open)?;
    let brace = (close + 1..words.len()).find(|i| words[*i].kind != Kind::Comment)?;
    let end = matching(text, words, brace)?;
    let name: String = words[at + 1..open]
        .iter()
        .map(|word| word.of(text))
        .collect();
    let params = words[open + 1..close]
        .iter()
        .filter(|word| word.kind == Kind::Name);
    // Its documentation, and `private`, belong to it.
    let belongs = |word: &&Token| word.of(text).starts_with("///") || word.of(text) == "private";
    let first = words[..at].iter().rev().take_while(belongs).last();
    let start = first.unwrap_or(&words[at]).at.start;
    let function = Function {
        key: (name, params.count()),
        at: start..words[end].at.end,
    };
    Some((function, end + 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::Severity;

    fn journal(entries: &[(&str, Became)]) -> Journal {
        let mut journal = Journal::default();
        for (text, became) in entries {
            journal.add(text, None);
            journal.became(*became);
        }
        journal
    }

    #[test]
    fn a_script_has_what_ran_and_each_function_once() {
        let journal = journal(&[
            ("let x = 1 // one", Became::Done),
            ("/// Old.\nfn f(a) { a }", Became::Done),
            ("let y = ;", Became::Nothing),
            ("fn f(a, b) { a + b } f(1)", Became::Done),
            ("let m = #{ a: 1 }", Became::Done),
            ("let all = []; loop { all.push(1) }", Became::Stopped),
            ("fn f(a) { 2 * a }", Became::Done),
        ]);
        let expected = "let x = 1; // one\n\
                        fn f(a, b) { a + b } f(1);\n\
                        let m = #{ a: 1 };\n\
                        // What follows was stopped by Ctrl-C.\n\
                        let all = []; loop { all.push(1) };\n\
                        fn f(a) { 2 * a };\n";
        assert_eq!(journal.script(), expected);
    }

    #[test]
    fn positions_are_those_of_the_whole() {
        let mut journal = Journal::default();
        assert_eq!(journal.add("a\nb", None), "a\nb");
        assert_eq!(journal.add("c\n", Some("f.rhai")), "\n\nc\n");
        assert_eq!(journal.add("d", None), "\n\n\nd");
        assert_eq!(journal.text(), "a\nb\nc\nd\n");
        let at = |line, source: &str| {
            let mut diagnostic = Diagnostic::finding(Severity::Error, "", source, (line, 5), "");
            journal.locate(&mut diagnostic);
            (diagnostic.source, diagnostic.place.unwrap().0)
        };
        assert_eq!(at(2, NAME), (NAME.into(), 2));
        assert_eq!(at(3, NAME), ("f.rhai".into(), 1));
        assert_eq!(at(4, NAME), (NAME.into(), 4));
        assert_eq!(at(3, "nas/random"), ("nas/random".into(), 3));
    }
}
