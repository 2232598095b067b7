//! Names that scripts use, against those that there are: the nearest, and what a call could have been. Knows what the
//! host and the standard library offer, by the reference, and the functions of the script at hand.

use rhai::AST;

use super::forms::counts;
use super::kind_of;
use crate::error::nearest;
use crate::script::reference::{Entry, Kind, Overload, Reference};

/// The functions of a script, by name and parameters.
pub(in crate::script) fn functions_of(ast: &AST) -> Vec<(String, Vec<String>)> {
    let named = ast.iter_functions().filter(|f| !f.name.contains('$'));
    let params = |f: &rhai::ScriptFnMetadata| f.params.iter().map(ToString::to_string).collect();
    let mut functions: Vec<(String, Vec<String>)> =
        named.map(|f| (f.name.to_string(), params(&f))).collect();
    functions.sort();
    functions
}

/// What can be called in a script.
pub(in crate::script) struct Names<'a> {
    pub reference: &'a Reference,
    /// The functions of the script.
    pub own: Vec<(String, Vec<String>)>,
}

/// What is said of a name or a call.
#[derive(Clone, Debug)]
pub(in crate::script) struct Told {
    pub code: &'static str,
    pub message: String,
    pub notes: Vec<String>,
    /// The number of the argument that is wrong, if it is one.
    pub argument: Option<usize>,
}

/// The types of a call's arguments, as far as they are known.
pub(in crate::script) struct Mismatch<'a> {
    pub name: &'a str,
    /// The types of the arguments, `?` where not known; of a method the first is the object.
    pub types: &'a [String],
    pub method: bool,
}

/// What people who come from other languages write, and what it is here.
const FOREIGN: &[(&[&str], &str)] = &[
    (
        &["None", "null", "nil", "undefined", "NULL"],
        "the value that is nothing is written ()",
    ),
    (&["True", "TRUE"], "write true"),
    (&["False", "FALSE"], "write false"),
    (&["self"], "the object of a method is called `this`"),
    (&["and"], "write &&"),
    (&["or"], "write ||"),
    (&["not"], "write !"),
];

/// Functions that are part of the language itself, with the number of their arguments.
pub(in crate::script) const LANGUAGE: &[(&str, usize)] = &[
    ("print", 1),
    ("debug", 1),
    ("type_of", 1),
    ("eval", 1),
    ("Fn", 1),
    ("is_shared", 1),
    ("is_def_var", 1),
    ("is_def_fn", 2),
];

/// What `name` of another language is here.
pub(super) fn foreign(name: &str) -> Option<String> {
    let known = FOREIGN.iter().find(|(names, _)| names.contains(&name));
    known.map(|(_, here)| (*here).to_string())
}

/// The question after a slip.
pub(in crate::script) fn did_you_mean(name: &str) -> String {
    format!("did you mean '{name}'?")
}

impl<'a> Names<'a> {
    /// What is called `name` and can be called: functions and methods, not those of modules.
    pub fn callable(&self, name: &str) -> impl Iterator<Item = &'a Entry> {
        let called = |e: &&Entry| matches!(e.kind, Kind::Function | Kind::Method);
        let reference: &'a Reference = self.reference;
        let entries = reference.all().filter(|e| e.module.is_none());
        entries
            .filter(called)
            .filter(move |e| e.name == name)
            .collect::<Vec<_>>()
            .into_iter()
    }

    /// The parameters of the script's own functions called `name`.
    pub fn own(&self, name: &str) -> impl Iterator<Item = &[String]> {
        let named = self.own.iter().filter(move |(own, _)| own == name);
        named.map(|(_, params)| params.as_slice())
    }

    /// The nearest function that can be called without an object.
    pub fn nearest_function(&self, name: &str) -> Option<&str> {
        let own = self.own.iter().map(|(own, _)| own.as_str());
        let entries = self.reference.all().filter(|e| e.module.is_none());
        let plain = entries
            .filter(|e| e.kind == Kind::Function)
            .map(|e| e.name.as_str());
        let methods = self.reference.all().filter(|e| e.kind == Kind::Method);
        let near = nearest(name, own.chain(plain));
        near.or_else(|| nearest(name, methods.map(|e| e.name.as_str())))
    }

    /// What can follow the dot after a value of the type `of`: methods and properties.
    fn members(&self, of: &str) -> impl Iterator<Item = &'a Entry> {
        self.reference.methods(of).into_iter()
    }

    /// Whether `of` is a type whose members are all known.
    pub fn is_host_type(&self, of: &str) -> bool {
        self.reference.types().any(|t| t.name == of)
    }

    /// Says what is wrong with a property.
    pub fn property(&self, name: &str, of: &str, keys: &[String]) -> Told {
        let mut notes = Vec::new();
        if let Some(method) = self
            .members(of)
            .find(|e| e.kind == Kind::Method && e.name == name)
        {
            let signature = method.signatures.first().map_or("", String::as_str);
            notes.push(format!(
                "'{name}' is a method, which is called with parentheses: {signature}"
            ));
        } else {
            let properties = self.members(of).filter(|e| e.kind == Kind::Property);
            let names = properties.map(|e| e.name.as_str()).collect::<Vec<_>>();
            let keys = keys
                .iter()
                .map(String::as_str)
                .filter(|key| of == "map" && *key != name);
            let methods = self.members(of).map(|e| e.name.as_str());
            let near =
                nearest(name, names.iter().copied().chain(keys)).or_else(|| nearest(name, methods));
            match near {
                Some(near) => notes.push(did_you_mean(near)),
                None if names.is_empty() || of == "map" => {}
                None => notes.push(format!("{} has: {}", kind_of(of), names.join(", "))),
            }
        }
        if of == "()" {
            notes.push(NOTHING.into());
        }
        Told {
            code: "unknown-property",
            message: format!("{} has no property '{name}'", kind_of(of)),
            notes,
            argument: None,
        }
    }

    /// Says what is wrong with a call that nothing takes.
    pub fn call(&self, call: &Mismatch) -> Told {
        let Mismatch {
            name,
            types,
            method,
        } = *call;
        let language = LANGUAGE.iter().find(|(known, _)| *known == name && !method);
        if let Some((_, takes)) = language {
            let joined =
                (name == "print").then(|| "parts are joined by +: print(\"a: \" + a)".into());
            return Told {
                code: "wrong-arguments",
                message: format!("'{name}' takes {}, not {}", counts(&[*takes]), types.len()),
                notes: joined.into_iter().collect(),
                argument: None,
            };
        }
        if !name.starts_with(|c: char| c.is_alphabetic() || c == '_') {
            return operator(name, types);
        }
        let known = self.callable(name).next().is_some() || self.own(name).next().is_some();
        match known {
            true => self.mismatch(call),
            false => self.unknown(call),
        }
    }

    /// Says what is wrong with a call of a name that there is not.
    fn unknown(&self, call: &Mismatch) -> Told {
        let name = call.name;
        let receiver = call
            .types
            .first()
            .filter(|_| call.method)
            .map(String::as_str);
        let told = |code, message, notes: Option<String>| Told {
            code,
            message,
            notes: notes.into_iter().collect(),
            argument: None,
        };
        let Some(of) = receiver.filter(|of| *of != "?") else {
            let methods = self.reference.all().filter(|e| e.kind == Kind::Method);
            let near = match receiver {
                Some(_) => nearest(name, methods.map(|e| e.name.as_str())),
                None => self.nearest_function(name),
            };
            let kind = if call.method { "method" } else { "function" };
            let note = foreign(name).or_else(|| near.map(did_you_mean));
            let code = if call.method {
                "unknown-method"
            } else {
                "unknown-function"
            };
            return told(code, format!("unknown {kind} '{name}'"), note);
        };
        let message = format!("{} has no method '{name}'", kind_of(of));
        let property = self
            .members(of)
            .find(|e| e.kind == Kind::Property && e.name == name);
        let note = match property {
            Some(_) => Some(format!(
                "'{name}' is a property: write it without parentheses"
            )),
            None if of == "()" => Some(NOTHING.into()),
            None => {
                // Whatever takes such a value first can be called after a dot.
                let takes = |e: &&Entry| e.overloads.iter().any(|o| takes(o, of));
                let free = self
                    .reference
                    .all()
                    .filter(|e| e.kind == Kind::Function && e.module.is_none());
                let members = self.members(of).map(|e| e.name.as_str());
                let free = free.filter(takes).map(|e| e.name.as_str());
                nearest(name, members.chain(free)).map(did_you_mean)
            }
        };
        told("unknown-method", message, note)
    }
}

/// Why a value may be nothing.
pub(super) const NOTHING: &str = "what stands before the dot is (): what gave it returned nothing";

/// Whether the first parameter takes a value of the type `of`.
pub(super) fn takes(overload: &Overload, of: &str) -> bool {
    overload
        .params
        .first()
        .is_some_and(|(_, first)| first == of || first == "any")
}

fn operator(name: &str, types: &[String]) -> Told {
    let kinds: Vec<String> = types.iter().map(|of| kind_of(of)).collect();
    Told {
        code: "operator",
        message: format!(
            "operator '{name}' cannot be applied to {}",
            kinds.join(" and ")
        ),
        notes: Vec::new(),
        argument: None,
    }
}
