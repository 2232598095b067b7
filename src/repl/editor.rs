//! The line at the prompt, for rustyline: when it is whole, what Tab offers, colours and hints. Knows no commands and
//! no values; it asks.

use std::borrow::Cow;
use std::cell::RefCell;
use std::rc::Rc;

use rhai::Engine;
use rustyline::completion::Completer;
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::hint::{Hinter, HistoryHinter};
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Context, Helper};

use super::Library;
use super::colours::{self, Meaning};
use super::complete::Completion;
use super::input::unfinished;
use super::session::Session;
use crate::script::{self, Kind};

/// What rustyline asks.
pub(super) struct Line {
    parser: Engine,
    session: Rc<RefCell<Session>>,
    library: Library,
    studies: Rc<dyn Fn() -> Vec<String>>,
    colour: bool,
    hints: HistoryHinter,
}

impl Line {
    pub fn new(
        session: Rc<RefCell<Session>>,
        library: Library,
        studies: Rc<dyn Fn() -> Vec<String>>,
        colour: bool,
    ) -> Self {
        Self {
            parser: script::parser(),
            session,
            library,
            studies,
            colour,
            hints: HistoryHinter::new(),
        }
    }

    /// What Tab offers at the end of `text`: where it goes, and the words.
    pub fn offer(&self, text: &str) -> (usize, Vec<String>) {
        let offer = Completion {
            session: &mut self.session.borrow_mut(),
            reference: self.library.get(),
            studies: &*self.studies,
        }
        .offer(text);
        (offer.start, offer.words)
    }

    /// What a name stands for, as far as is known: before the reference is read, names have no colour.
    fn meaning(&self, name: &str) -> Meaning {
        let Some(reference) = self.library.ready() else {
            return Meaning::Plain;
        };
        let object = name.starts_with(char::is_uppercase);
        let mut entries = reference.all();
        let found = entries.any(|entry| match entry.kind {
            Kind::Function => entry.module.is_none() && entry.name == name,
            Kind::Method => entry.name == name,
            Kind::Type => object && entry.name == name,
            _ => false,
        });
        match (found, object) {
            (true, true) => Meaning::Object,
            (true, false) => Meaning::Function,
            (false, _) => Meaning::Plain,
        }
    }
}

impl Helper for Line {}

impl Validator for Line {
    fn validate(&self, context: &mut ValidationContext) -> rustyline::Result<ValidationResult> {
        Ok(match unfinished(&self.parser, context.input()) {
            true => ValidationResult::Incomplete,
            false => ValidationResult::Valid(None),
        })
    }
}

impl Completer for Line {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        at: usize,
        _: &Context,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        Ok(self.offer(&line[..at]))
    }
}

impl Hinter for Line {
    type Hint = String;

    /// The rest of an earlier line; without colour it could not be told from what was typed.
    fn hint(&self, line: &str, at: usize, context: &Context) -> Option<String> {
        let hint = self.hints.hint(line, at, context).filter(|_| self.colour)?;
        // Of an entry of several lines the first is enough to know it by.
        hint.lines().next().map(Into::into)
    }
}

impl Highlighter for Line {
    fn highlight<'l>(&self, line: &'l str, at: usize) -> Cow<'l, str> {
        match self.colour {
            true => colours::coloured(line, at, |name| self.meaning(name)).into(),
            false => line.into(),
        }
    }

    fn highlight_prompt<'b, 's: 'b, 'p: 'b>(&'s self, prompt: &'p str, _: bool) -> Cow<'b, str> {
        match self.colour {
            true => colours::prompt(prompt).into(),
            false => prompt.into(),
        }
    }

    fn highlight_hint<'h>(&self, hint: &'h str) -> Cow<'h, str> {
        colours::faint(hint).into()
    }

    fn highlight_char(&self, _: &str, _: usize, kind: CmdKind) -> bool {
        self.colour && kind != CmdKind::ForcedRefresh
    }
}
