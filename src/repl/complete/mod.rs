//! What Tab offers at a place of a line: names by what is there, keys of options, modules, files, studies. Knows the
//! session and the reference; calls nothing that may take long.

mod chain;
mod paths;

use std::collections::BTreeSet;

use self::chain::{Inference, Known};
use super::commands::{self, Argument};
use super::session::Session;
use super::tokens::{KEYWORDS, Kind, Token, tokens};
use crate::script::{Entry, Kind as Of, Reference};

/// What is offered in place of the text from `start` to the cursor.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Offer {
    pub start: usize,
    /// In the order of the alphabet.
    pub words: Vec<String>,
}

impl Offer {
    /// Those of `words` that begin with what is between `start` and the end of `text`.
    fn of(text: &str, start: usize, words: impl IntoIterator<Item = String>) -> Self {
        let begun = &text[start..];
        let words = words.into_iter().filter(|word| word.starts_with(begun));
        let words: BTreeSet<String> = words.collect();
        Self {
            start,
            words: words.into_iter().collect(),
        }
    }
}

/// Where completion looks.
pub(super) struct Completion<'a> {
    pub session: &'a mut Session,
    pub reference: &'a Reference,
    /// The names of the studies of the store, asked for only where they are wanted.
    pub studies: &'a dyn Fn() -> Vec<String>,
}

impl Completion<'_> {
    /// What Tab offers at the end of `text`.
    pub fn offer(&mut self, text: &str) -> Offer {
        let indent = text.len() - text.trim_start().len();
        if text[indent..].starts_with(':') {
            return self.command(text, indent);
        }
        self.expression(text, 0)
    }

    /// What follows in the command that begins at `start`.
    fn command(&mut self, text: &str, start: usize) -> Offer {
        let Some(space) = text[start..].find(char::is_whitespace) else {
            return Offer::of(
                text,
                start,
                commands::all().map(|command| command.name.into()),
            );
        };
        let name = &text[start..start + space];
        let Ok(command) = commands::find(name) else {
            return Offer::default();
        };
        let rest = start + space + 1;
        let last = text.rfind(char::is_whitespace).map_or(rest, |at| at + 1);
        match command.argument {
            Argument::None => Offer::default(),
            Argument::Expression => self.expression(text, rest),
            Argument::File => Offer::of(text, rest, paths::files(&text[rest..])),
            Argument::Study => Offer::of(text, rest, (self.studies)()),
            Argument::Name => {
                let entries = self.reference.all();
                let mut names: Vec<String> = entries.map(|entry| entry.name.clone()).collect();
                names.extend(self.session.functions().map(|f| f.name.to_string()));
                names.extend(commands::all().map(|command| command.name.into()));
                let types = self
                    .reference
                    .all()
                    .filter(|entry| entry.receiver.is_some());
                names.extend(
                    types
                        .filter(|e| e.kind != Of::Operator)
                        .map(Entry::qualified),
                );
                Offer::of(text, last, names)
            }
            Argument::Setting => {
                let words = commands::settings::words(&text[rest..last]);
                Offer::of(text, last, words)
            }
            Argument::Param => {
                let params = self.session.params.iter();
                Offer::of(text, last, params.map(|param| format!("{}=", param.name)))
            }
        }
    }

    /// What follows in the expression that begins at `from`.
    fn expression(&mut self, text: &str, from: usize) -> Offer {
        let mut words = tokens(&text[from..]);
        for word in &mut words {
            word.at = word.at.start + from..word.at.end + from;
        }
        match words.last() {
            Some(last)
                if last.kind == Kind::Comment && (!last.closed || last.at.end == text.len()) =>
            {
                return Offer::default();
            }
            Some(last) if last.kind == Kind::Text && !last.closed => {
                return quoted(text, &words);
            }
            _ => {}
        }
        let begun = words.last().filter(|word| {
            word.at.end == text.len() && matches!(word.kind, Kind::Name | Kind::Keyword)
        });
        let start = begun.map_or(text.len(), |word| word.at.start);
        let before = words.len() - usize::from(begun.is_some());
        let sign = before.checked_sub(1).map_or("", |at| words[at].of(text));
        match sign {
            "." | "?." => {
                let words = &words[..before];
                Offer::of(text, start, self.after_dot(text, words))
            }
            "::" => {
                let alias = before.checked_sub(2).map_or("", |at| words[at].of(text));
                Offer::of(text, start, self.of_module(alias))
            }
            _ => match option_call(text, &words[..before]) {
                Some(call) => {
                    let keys = self.option_keys(&call, text, &words);
                    Offer::of(text, start, keys.into_iter().map(|key| format!("{key}: ")))
                }
                None => Offer::of(text, start, self.names()),
            },
        }
    }

    /// What can follow the dot that is the last of `words`.
    fn after_dot(&mut self, text: &str, words: &[Token]) -> Vec<String> {
        let mut inference = Inference {
            session: self.session,
            reference: self.reference,
            text,
            tokens: words,
        };
        let Some(known) = inference.before(words.len() - 1) else {
            // Of what nothing is known, it may be any of the host's.
            let entries = self.reference.all().filter(|entry| !entry.builtin);
            let members = entries.filter(|e| matches!(e.kind, Of::Method | Of::Property));
            return members.map(called).collect();
        };
        let mut offered = known.keys();
        let of = known.type_name(self.session);
        offered.extend(self.reference.methods(&of).into_iter().map(called));
        if let Known::Value(_) = known {
            let own = self
                .session
                .functions()
                .filter(|f| f.this_type == Some(of.as_str()));
            offered.extend(own.map(|f| format!("{}(", f.name)));
        }
        offered
    }

    /// The functions of the module that is called `alias` here.
    fn of_module(&self, alias: &str) -> Vec<String> {
        let modules = self.session.modules();
        let path = modules.iter().rev().find(|(name, _)| name == alias);
        let Some((_, path)) = path else {
            return Vec::new();
        };
        let entries = self.reference.all();
        let own = entries.filter(|e| e.module.as_ref() == Some(path) && e.kind == Of::Function);
        let mut names: Vec<String> = own.map(called).collect();
        if names.is_empty() {
            let functions = crate::script::module_functions(&self.session.engine, path);
            names.extend(functions.into_iter().map(|name| format!("{name}(")));
        }
        names
    }

    /// All names that an expression may begin with.
    fn names(&self) -> Vec<String> {
        let session = &*self.session;
        let mut names: Vec<String> = session.scope.iter().map(|(name, ..)| name.into()).collect();
        names.push("study".into());
        names.extend(KEYWORDS.iter().map(ToString::to_string));
        names.extend(
            session
                .modules()
                .into_iter()
                .map(|(name, _)| format!("{name}::")),
        );
        names.extend(
            session
                .functions()
                .map(|f| parens(f.name, !f.params.is_empty())),
        );
        let entries = self.reference.all();
        let plain = entries.filter(|e| e.kind == Of::Function && e.module.is_none());
        names.extend(plain.map(called));
        names
    }

    /// The keys of the options of `call` that are not there yet.
    fn option_keys(&self, call: &Call, text: &str, words: &[Token]) -> Vec<String> {
        let given: BTreeSet<&str> = words[call.map..].iter().map(|word| word.of(text)).collect();
        let modules = self.session.modules();
        // The reference knows modules by their paths, the text by what they are called here.
        let name = call.name.split_once("::").and_then(|(alias, name)| {
            let (_, path) = modules.iter().rev().find(|(known, _)| known == alias)?;
            Some(format!("{path}::{name}"))
        });
        let keys = self
            .reference
            .options_of(name.as_ref().unwrap_or(&call.name));
        let free = keys.into_iter().filter(|key| !given.contains(key));
        free.map(Into::into).collect()
    }
}

/// An entry as it is written where it is used.
fn called(entry: &Entry) -> String {
    if entry.kind == Of::Property {
        return entry.name.clone();
    }
    let own = usize::from(entry.kind == Of::Method);
    let takes = entry
        .overloads
        .iter()
        .any(|overload| overload.params.len() > own);
    parens(&entry.name, takes || entry.overloads.is_empty())
}

fn parens(name: &str, takes: bool) -> String {
    format!("{name}{}", if takes { "(" } else { "()" })
}

/// What follows in the text in quotes that is the last of `words`: the path of an import.
fn quoted(text: &str, words: &[Token]) -> Offer {
    let at = words.len() - 1;
    let import = at > 0 && words[at - 1].of(text) == "import";
    if !import || !words[at].of(text).starts_with('"') {
        return Offer::default();
    }
    let start = words[at].at.start + 1;
    let library = crate::script::library().map(|(path, _)| path);
    let own = paths::modules(&text[start..]);
    Offer::of(text, start, library.chain(own))
}

/// A call that an object of options is written for.
struct Call {
    /// The function's name.
    name: String,
    /// The position of the object's bracket.
    map: usize,
}

/// The call whose options are being written, where a key comes next at the end of `words`.
fn option_call(text: &str, words: &[Token]) -> Option<Call> {
    let word = |at: usize| words[at].of(text);
    if !matches!(word(words.len().checked_sub(1)?), "#{" | ",") {
        return None;
    }
    let opened = |end: usize| {
        let mut depth = 0;
        (0..end).rev().find(|at| {
            match word(*at) {
                ")" | "]" | "}" => depth += 1,
                "(" | "[" | "{" | "#{" | "${" => depth -= 1,
                _ => {}
            }
            depth < 0
        })
    };
    let map = opened(words.len()).filter(|at| word(*at) == "#{")?;
    let call = opened(map).filter(|at| word(*at) == "(")?;
    let name = call
        .checked_sub(1)
        .filter(|at| words[*at].kind == Kind::Name)?;
    // `module::name` and `name` alone.
    let module = name.checked_sub(2).filter(|at| word(at + 1) == "::");
    let module = module.map_or(String::new(), |at| format!("{}::", word(at)));
    let name = format!("{module}{}", word(name));
    Some(Call { name, map })
}
