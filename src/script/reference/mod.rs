//! What scripts can call, from the one source of it: the doc comments of the bindings and of the standard
//! library. `:help`, `nas-script doc`, docs/reference.md and the definition files are made of this. Knows nothing of
//! where it is shown.

mod accepted;
mod definitions;
mod library;
mod markdown;
mod native;
mod terminal;
mod types;

use std::collections::BTreeSet;
use std::sync::OnceLock;

pub(in crate::script) use accepted::{Accepted, Names as OptionNames, accepted};
pub use markdown::Section;
use rhai::Engine;
pub use terminal::{listed, prose};

use super::vocabulary;

/// Everything that scripts can call.
pub struct Reference {
    entries: Vec<Entry>,
}

/// One name with all that can be done with it: overloads are one entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The name as scripts write it; of an index it is `[]`, of a module its path.
    pub name: String,
    /// The type before the dot, as `type_of` of a host's object gives it.
    pub receiver: Option<String>,
    /// The path that the function's module is imported by.
    pub module: Option<String>,
    /// How it is called, an overload each, the shortest first.
    pub signatures: Vec<String>,
    /// What each of these takes and gives.
    pub overloads: Vec<Overload>,
    /// What it does, in Markdown, with examples in `rhai` blocks.
    pub doc: String,
    /// What it is.
    pub kind: Kind,
    /// The names of the options that it takes in an object map; none where it takes none, or any.
    pub options: Vec<String>,
    /// Whether it is of the language itself (<https://rhai.rs/book>).
    pub builtin: bool,
}

/// One way to call an entry.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Overload {
    /// The names of the parameters, of which a method's first is the object, and their types; `any` where it may be
    /// any.
    pub params: Vec<(String, String)>,
    /// The type of the result; none where there is none, or where it is not known.
    pub returns: Option<String>,
    /// Its own documentation, of which the entry's is made.
    pub doc: String,
}

/// What an [`Entry`] is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A module of the standard library.
    Module,
    /// A type of objects.
    Type,
    /// A function.
    Function,
    /// A function that is called on an object.
    Method,
    /// A value that is read from an object by its name.
    Property,
    /// What is read or set by an index in brackets.
    Index,
    /// An operator.
    Operator,
}

impl Reference {
    /// That of all that scripts can call. It is made when it is first asked for, in some 20 ms.
    pub fn get() -> &'static Self {
        static REFERENCE: OnceLock<Reference> = OnceLock::new();
        REFERENCE.get_or_init(|| Self::of(&vocabulary()))
    }

    /// Reads the metadata of `engine` and the comments of the standard library.
    pub fn of(engine: &Engine) -> Self {
        let mut entries = native::entries(engine);
        entries.extend(library::entries());
        // The language's own come last, so that what the host offers is found first.
        entries.sort_by_key(|entry| entry.builtin);
        Self { entries }
    }

    /// All entries: what the host offers, the standard library, then the language's own.
    pub fn all(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }

    /// The entries that `name` may mean: a plain name, `Type.name`, `module::name` or a module's path, also as a call.
    /// Upper and lower case count only where both exist.
    pub fn find(&self, name: &str) -> Vec<&Entry> {
        let name = name.trim();
        let name = name.split_once('(').map_or(name, |(called, _)| called);
        let that = |matches: &dyn Fn(&str) -> bool| -> Vec<&Entry> {
            let named = |entry: &&Entry| entry.names().iter().any(|name| matches(name));
            self.all().filter(named).collect()
        };
        let exact = that(&|other| other == name);
        match exact.is_empty() {
            true => that(&|other| other.eq_ignore_ascii_case(name)),
            false => exact,
        }
    }

    /// The known name that is nearest to `name`, if any is near enough to be a slip. Of `Type.name` and `module::name` it
    /// is one that follows that type or module, where there is such a one.
    pub fn nearest(&self, name: &str) -> Option<&str> {
        let names = |of: &dyn Fn(&Entry) -> bool, name: &str| {
            let entries = self.all().filter(|entry| of(entry));
            crate::error::nearest(name, entries.map(|entry| entry.name.as_str()))
        };
        let apart = name.rsplit_once("::").or_else(|| name.rsplit_once('.'));
        let Some((before, last)) = apart else {
            return names(&|_| true, name);
        };
        let follows = |entry: &Entry| {
            let short = |path: &str| path.rsplit('/').next() == Some(before);
            let module = entry.module.as_deref();
            entry.receiver.as_deref() == Some(before)
                || module.is_some_and(|path| path == before || short(path))
        };
        names(&follows, last).or_else(|| names(&|_| true, last))
    }

    /// What takes an option called `name`, each with what its own documentation says of it, if it does.
    pub fn taking(&self, name: &str) -> Vec<(&Entry, Option<String>)> {
        let taking = self
            .all()
            .filter(|entry| entry.options.iter().any(|option| option == name));
        let item = format!("- `{name}`");
        let of = |entry: &Entry| {
            let mut lines = entry
                .doc
                .lines()
                .skip_while(|line| !line.starts_with(&item));
            let first = lines.next()?.to_string();
            let rest = lines.take_while(|line| line.starts_with("  "));
            Some(rest.fold(first, |text, line| format!("{text} {}", line.trim())))
        };
        taking.map(|entry| (entry, of(entry))).collect()
    }

    /// The names of the options that the call `name` takes, by any name that [`Reference::find`] knows. A name of several
    /// functions, such as `search`, gives those of all of them; in a script that imports a module, ask for
    /// `path::name`.
    pub fn options_of(&self, name: &str) -> Vec<&str> {
        let found = self.find(name).into_iter();
        let options = found.flat_map(|entry| entry.options.iter().map(String::as_str));
        let options: BTreeSet<&str> = options.collect();
        options.into_iter().collect()
    }

    /// What can follow the dot after a value of the type that scripts call `type_name`.
    pub fn methods(&self, type_name: &str) -> Vec<&Entry> {
        let of_type = |entry: &&Entry| entry.receiver.as_deref() == Some(type_name);
        let after_dot = |entry: &&Entry| matches!(entry.kind, Kind::Method | Kind::Property);
        self.all().filter(of_type).filter(after_dot).collect()
    }

    /// The types of objects, with their documentation.
    pub fn types(&self) -> impl Iterator<Item = &Entry> {
        self.all().filter(|entry| entry.kind == Kind::Type)
    }
}

impl Overload {
    /// The place of the option map among the parameters.
    pub fn options(&self) -> Option<usize> {
        self.params.iter().rposition(|(_, of)| of == "map")
    }
}

impl Entry {
    /// The name with what belongs before it: `StateSpace.size`, `nas/darts::space`.
    pub fn qualified(&self) -> String {
        match (&self.module, &self.receiver, self.kind) {
            (_, _, Kind::Module) => self.name.clone(),
            (Some(module), ..) => format!("{module}::{}", self.name),
            (None, Some(receiver), Kind::Method | Kind::Property) => {
                format!("{receiver}.{}", self.name)
            }
            (None, Some(receiver), Kind::Index) => format!("{receiver}[]"),
            (None, Some(receiver), Kind::Operator) => format!("{receiver} {}", self.name),
            _ => self.name.clone(),
        }
    }

    /// The type of what it gives, where all overloads give the same.
    pub fn returns(&self) -> Option<&str> {
        let (first, rest) = self.overloads.split_first()?;
        let same = rest.iter().all(|other| other.returns == first.returns);
        first.returns.as_deref().filter(|_| same)
    }

    /// All that it may be called in a question.
    fn names(&self) -> Vec<String> {
        let mut names = vec![self.name.clone(), self.qualified()];
        let short = |path: &str| path.rsplit('/').next().unwrap_or(path).to_string();
        match (&self.module, self.kind) {
            (_, Kind::Module) => names.push(short(&self.name)),
            (Some(module), _) => names.push(format!("{}::{}", short(module), self.name)),
            (None, _) => names.extend(
                self.receiver
                    .iter()
                    .map(|of| format!("{of}::{}", self.name)),
            ),
        }
        names
    }

    /// What it does, in a line: the first sentence of its documentation.
    pub fn summary(&self) -> String {
        let paragraph = self.doc.split("\n\n").next().unwrap_or_default();
        let line = paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
        // A module's own begins with its name.
        let title = format!("{}: ", self.name);
        let line = line.strip_prefix(&title).unwrap_or(&line);
        let ends = line.match_indices(". ").map(|(at, _)| at);
        // "i.e. " and the like do not end a sentence.
        let end = ends.into_iter().find(|at| {
            let word = line[..*at].rsplit(' ').next().unwrap_or_default();
            word.len() > 3 || !word.contains('.')
        });
        match end {
            Some(at) => line[..=at].to_string(),
            None => line.trim_end_matches(':').to_string(),
        }
    }

    /// The examples in its documentation.
    pub fn examples(&self) -> Vec<String> {
        let mut examples = Vec::new();
        let mut open: Option<String> = None;
        for line in self.doc.lines() {
            match (line.trim(), &mut open) {
                ("```rhai", None) => open = Some(String::new()),
                ("```", Some(_)) => examples.extend(open.take()),
                (_, Some(example)) => {
                    example.push_str(line);
                    example.push('\n');
                }
                (_, None) => {}
            }
        }
        examples
    }
}

/// The text of doc comments, without `///`, `//!` and the space after it.
pub fn comment<'a>(comments: impl IntoIterator<Item = &'a str>) -> String {
    let lines = comments.into_iter().flat_map(str::lines).map(|line| {
        let line = line.trim_start();
        let bare = line.strip_prefix("///").or(line.strip_prefix("//!"));
        let bare = bare.unwrap_or(line);
        bare.strip_prefix(' ').unwrap_or(bare).trim_end()
    });
    let lines: Vec<&str> = lines.collect();
    lines.join("\n").trim().to_string()
}
