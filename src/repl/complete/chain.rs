//! The type of the expression before a dot: of a variable by its value, of a chain by what the reference says of each
//! call. Calls nothing that may take long.

use rhai::{Array, Dynamic, Map};

use super::super::session::Session;
use super::super::tokens::{Kind, Token, matching};
use crate::script::{Kind as Entry, Reference};

/// What is known of an expression.
pub(super) enum Known {
    /// Its value.
    Value(Dynamic),
    /// The name of its type, as the reference has it.
    Type(String),
}

impl Known {
    /// The name of its type.
    pub fn type_name(&self, session: &Session) -> String {
        match self {
            Self::Value(value) => session.type_of(value),
            Self::Type(name) => name.clone(),
        }
    }

    /// The keys, if it is an object.
    pub fn keys(&self) -> Vec<String> {
        let Self::Value(value) = self else {
            return Vec::new();
        };
        let map = value.read_lock::<Map>();
        map.map_or_else(Vec::new, |map| {
            map.keys().map(ToString::to_string).collect()
        })
    }
}

/// Where expressions are looked at.
pub(super) struct Inference<'a> {
    pub session: &'a mut Session,
    pub reference: &'a Reference,
    pub text: &'a str,
    pub tokens: &'a [Token],
}

/// How many variables of the text may stand for each other.
const DEEPEST: usize = 8;

impl Inference<'_> {
    fn word(&self, at: usize) -> &str {
        self.tokens.get(at).map_or("", |token| token.of(self.text))
    }

    fn kind(&self, at: usize) -> Option<Kind> {
        self.tokens.get(at).map(|token| token.kind)
    }

    fn is_name(&self, at: usize) -> bool {
        self.kind(at) == Some(Kind::Name)
    }

    /// Where the chain starts whose last token is before `end`.
    fn start(&self, end: usize) -> usize {
        let mut at = end;
        loop {
            let mut operand = false;
            // Brackets belong to what is before them: calls, indices.
            while at > 0 && matches!(self.word(at - 1), ")" | "]" | "}") {
                let Some(open) = matching(self.text, self.tokens, at - 1) else {
                    return at;
                };
                let group = self.word(open);
                at = open;
                operand = true;
                let callee =
                    at > 0 && (self.is_name(at - 1) || matches!(self.word(at - 1), ")" | "]"));
                if !callee || group == "#{" {
                    break;
                }
            }
            let before = at.checked_sub(1).and_then(|before| self.kind(before));
            let value = matches!(before, Some(Kind::Name | Kind::Text | Kind::Number));
            if value && (!operand || self.is_name(at - 1)) {
                at -= 1;
            } else if !operand {
                return at;
            }
            match at.checked_sub(1).map(|before| self.word(before)) {
                Some("." | "?." | "::") => at -= 1,
                _ => return at,
            }
        }
    }

    /// What is known of the chain that ends before the token `end`.
    pub fn before(&mut self, end: usize) -> Option<Known> {
        let start = self.start(end);
        self.chain(start, end, 0).or_else(|| self.value(start, end))
    }

    /// What is known of the tokens from `at` to `end`.
    fn chain(&mut self, mut at: usize, end: usize, depth: usize) -> Option<Known> {
        if at >= end || depth > DEEPEST {
            return None;
        }
        let named = |name: &str| Some(Known::Type(name.into()));
        let mut known = match (self.kind(at)?, self.word(at)) {
            (Kind::Text, text) => {
                // The pieces of a template are one text.
                while at + 1 < end
                    && self.word(at).starts_with('`')
                    && !self.word(at).ends_with('`')
                {
                    at += 1;
                }
                named(if text.starts_with('\'') {
                    "char"
                } else {
                    "string"
                })
            }
            (Kind::Number, text) => {
                let float = text.contains(['.', 'e', 'E']) && !text.starts_with("0x");
                named(if float { "float" } else { "int" })
            }
            (Kind::Keyword, "true" | "false") => named("bool"),
            (Kind::Sign, open @ ("[" | "#{" | "(")) => {
                let close = matching(self.text, self.tokens, at)?;
                let inside = (at + 1, close);
                let known = match open {
                    "[" => named("array"),
                    "#{" => named("map"),
                    _ => self.chain(inside.0, inside.1, depth + 1),
                };
                at = close;
                known
            }
            (Kind::Name, name) if self.word(at + 1) == "(" => {
                let name = name.to_string();
                let (close, arguments) = self.arguments(at + 1)?;
                at = close;
                self.returned(None, &name, arguments)
            }
            (Kind::Name, name) => {
                let name = name.to_string();
                self.variable(&name, at, depth)
            }
            _ => None,
        }?;
        at += 1;
        while at < end {
            match self.word(at) {
                "." | "?." if self.is_name(at + 1) => {
                    let name = self.word(at + 1).to_string();
                    at += 2;
                    let receiver = known.type_name(self.session);
                    known = if self.word(at) == "(" {
                        let (close, arguments) = self.arguments(at)?;
                        at = close + 1;
                        self.returned(Some(&receiver), &name, arguments)?
                    } else {
                        self.property(&known, &receiver, &name)?
                    };
                }
                "[" | "?[" => {
                    let close = matching(self.text, self.tokens, at)?;
                    let index = (close == at + 2).then(|| self.word(at + 1).to_string());
                    known = self.element(&known, index.as_deref())?;
                    at = close + 1;
                }
                _ => return None,
            }
        }
        Some(known)
    }

    /// Where the arguments end that begin with the bracket `open`, and how many they are.
    fn arguments(&self, open: usize) -> Option<(usize, usize)> {
        let close = matching(self.text, self.tokens, open)?;
        let mut count = usize::from(close > open + 1);
        let mut at = open + 1;
        while at < close {
            match self.word(at) {
                "," => count += usize::from(at + 1 < close),
                // Commas of a closure's parameters and of inner brackets are none of the call's.
                "|" => {
                    at = (at + 1..close)
                        .find(|i| self.word(*i) == "|")
                        .unwrap_or(close);
                }
                "(" | "[" | "{" | "#{" | "${" => at = matching(self.text, self.tokens, at)?,
                _ => {}
            }
            at += 1;
        }
        Some((close, count))
    }

    /// What a function with so many arguments gives, by the reference; of a method `receiver` is before the dot.
    fn returned(&self, receiver: Option<&str>, name: &str, arguments: usize) -> Option<Known> {
        let own = self.session.functions().any(|f| f.name == name);
        if receiver.is_none() && own {
            return None;
        }
        let entries = self
            .reference
            .all()
            .filter(|entry| entry.name == name && entry.module.is_none());
        let called = |kind| match receiver {
            None => kind == Entry::Function,
            Some(_) => kind == Entry::Method || kind == Entry::Function,
        };
        let takes = arguments + usize::from(receiver.is_some());
        let overloads = entries
            .filter(|entry| called(entry.kind))
            .flat_map(|entry| &entry.overloads);
        let fits = |overload: &&crate::script::Overload| {
            let first = overload.params.first().map(|(_, of)| of.as_str());
            overload.params.len() == takes && (receiver.is_none() || first == receiver)
        };
        let returns = overloads
            .filter(fits)
            .find_map(|overload| overload.returns.clone());
        returns.filter(|returns| returns != "any").map(Known::Type)
    }

    fn property(&self, of: &Known, receiver: &str, name: &str) -> Option<Known> {
        if let Known::Value(value) = of
            && let Some(map) = value.read_lock::<Map>()
        {
            return map.get(name).cloned().map(Known::Value);
        }
        let entries = self.reference.methods(receiver).into_iter();
        let mut properties = entries.filter(|e| e.kind == Entry::Property && e.name == name);
        let returns =
            properties.find_map(|entry| entry.overloads.iter().find_map(|o| o.returns.clone()));
        returns.filter(|returns| returns != "any").map(Known::Type)
    }

    fn element(&self, of: &Known, index: Option<&str>) -> Option<Known> {
        if let (Known::Value(value), Some(index)) = (of, index) {
            if let Some(list) = value.read_lock::<Array>() {
                let at = index.parse::<usize>().ok();
                // Where the index is no number, the elements are likely alike.
                return list.get(at.unwrap_or(0)).cloned().map(Known::Value);
            }
            if let Some(map) = value.read_lock::<Map>() {
                return map.get(index.trim_matches('"')).cloned().map(Known::Value);
            }
        }
        let of = of.type_name(self.session);
        let entries = self.reference.all();
        let mut indices =
            entries.filter(|e| e.kind == Entry::Index && e.receiver.as_ref() == Some(&of));
        let returns =
            indices.find_map(|entry| entry.overloads.iter().find_map(|o| o.returns.clone()));
        returns.filter(|returns| returns != "any").map(Known::Type)
    }

    /// What is known of the variable at the token `at`: by the text before, else by the session.
    fn variable(&mut self, name: &str, at: usize, depth: usize) -> Option<Known> {
        let declared = (0..at.saturating_sub(2)).rev().find(|i| {
            matches!(self.word(*i), "let" | "const")
                && self.word(i + 1) == name
                && self.word(i + 2) == "="
        });
        if let Some(declared) = declared {
            let start = declared + 3;
            let mut end = start;
            while end < at && !matches!(self.word(end), ";" | "let" | "const") {
                end = match self.word(end) {
                    "(" | "[" | "{" | "#{" => matching(self.text, self.tokens, end)? + 1,
                    _ => end + 1,
                };
            }
            return self.chain(start, end, depth + 1);
        }
        if let Some(value) = self.session.scope.get(name) {
            return Some(Known::Value(value.flatten_clone()));
        }
        (name == "study").then(|| Known::Type("Study".into()))
    }

    /// The value of a chain of properties and constant indices alone, such as `study.best`: reading these is cheap.
    fn value(&mut self, start: usize, end: usize) -> Option<Known> {
        let first = self.word(start);
        if !(self.is_name(start) && (first == "study" || self.session.scope.contains(first))) {
            return None;
        }
        let plain = (start..end).all(|at| match self.kind(at) {
            Some(Kind::Name | Kind::Number | Kind::Text) => !self.word(at).starts_with('`'),
            _ => matches!(self.word(at), "." | "?." | "[" | "]"),
        });
        if !plain {
            return None;
        }
        let text = &self.text[self.tokens[start].at.start..self.tokens[end - 1].at.end];
        let value = self.session.look(text).ok()?;
        (!value.is_unit()).then_some(Known::Value(value))
    }
}
