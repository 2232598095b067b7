//! What stands after a dot: properties and methods, against those that values of a type have.

use std::collections::BTreeSet;

use rhai::{AST, ASTNode, Expr, Position, Stmt};

use super::{Checker, Of};
use crate::error::nearest;
use crate::script::diagnostic::{Mismatch, Severity, did_you_mean};
use crate::script::reference::{Kind, Overload};

/// Types of the language whose members are all known.
const PLAIN: &[&str] = &["array", "string", "int", "float", "bool", "char"];

/// What can be called on any value.
const ANYTHING: &[&str] = &[
    "call",
    "curry",
    "type_of",
    "is_shared",
    "to_string",
    "to_debug",
    "print",
    "debug",
];

/// The keys that objects have in `ast`: in the text of objects, by assignment, or as the text of an index.
pub(super) fn keys(ast: &AST) -> BTreeSet<String> {
    let mut keys = BTreeSet::new();
    ast.walk(&mut |path| {
        match path.last() {
            Some(ASTNode::Expr(Expr::Map(map, _))) => {
                keys.extend(map.0.iter().map(|(key, _)| key.name.to_string()));
            }
            // The name of a state is a property of a layer, an index that of an object.
            Some(ASTNode::Expr(Expr::StringConstant(text, _))) => {
                keys.insert(text.to_string());
            }
            Some(ASTNode::Stmt(Stmt::Assignment(assignment))) => {
                properties(&assignment.1.lhs, &mut keys);
            }
            _ => {}
        }
        true
    });
    keys
}

/// The properties that are set through `expr`.
fn properties(expr: &Expr, keys: &mut BTreeSet<String>) {
    match expr {
        Expr::Property(property, _) => {
            keys.insert(property.2.to_string());
        }
        Expr::Dot(x, ..) | Expr::Index(x, ..) => {
            properties(&x.lhs, keys);
            properties(&x.rhs, keys);
        }
        _ => {}
    }
}

/// The type that `overloads` all give.
pub(super) fn given<'a>(mut overloads: impl Iterator<Item = &'a Overload>) -> Of {
    let first = overloads.next()?.returns.clone()?;
    let same = overloads.all(|other| other.returns.as_ref() == Some(&first));
    Some(first).filter(|of| same && of != "any")
}

impl Checker<'_> {
    /// Whether all members of values of the type `of` are known.
    fn is_known(&self, of: &str) -> bool {
        PLAIN.contains(&of) || self.names.is_host_type(of)
    }

    /// Checks `.name` of a value; returns the type of the property.
    pub(super) fn property(&mut self, receiver: &Of, name: &str, at: Position) -> Of {
        let reference = self.names.reference;
        let Some(of) = receiver.as_deref().filter(|of| self.is_known(of)) else {
            self.likely(name, at);
            return None;
        };
        let entries = || {
            reference
                .all()
                .filter(|e| e.receiver.as_deref() == Some(of))
        };
        let property = entries().find(|e| e.kind == Kind::Property && e.name == name);
        if let Some(property) = property {
            return given(property.overloads.iter().filter(|o| o.params.len() == 1));
        }
        // Some objects take any name: those of the states.
        let mut indexes = entries()
            .filter(|e| e.kind == Kind::Index)
            .flat_map(|e| &e.overloads);
        let named = indexes.any(|o| {
            o.params
                .get(1)
                .is_some_and(|(_, of)| of == "string" || of == "any")
        });
        if !named || of == "array" || of == "string" {
            let told = self.names.property(name, of, &[]);
            self.tell(at, name, told);
        }
        None
    }

    /// Notes a property that nothing has, where it looks like a slip of one that something has.
    fn likely(&mut self, name: &str, at: Position) {
        let reference = self.names.reference;
        let properties = || reference.all().filter(|e| e.kind == Kind::Property);
        if self.keys.contains(name)
            || properties().any(|e| e.name == name)
            || self.imports.has_key(name)
        {
            return;
        }
        let Some(near) = nearest(
            name,
            properties().filter(|e| !e.builtin).map(|e| e.name.as_str()),
        ) else {
            return;
        };
        // Objects may have any keys; only what is all but the name of a property is taken for a slip.
        let plural = near.strip_suffix('s') == Some(name) || name.strip_suffix('s') == Some(near);
        if plural || strsim::damerau_levenshtein(name, near) > 1 + usize::from(name.len() > 7) {
            return;
        }
        let near = did_you_mean(near);
        let message = format!("nothing in sight has a property '{name}'");
        self.find(Severity::Warning, "unknown-property", at, message, [near]);
    }

    /// Checks `.name(…)` of a value with arguments of these types; returns the type of what it gives.
    pub(super) fn method(&mut self, receiver: &Of, name: &str, args: &[Of], at: Position) -> Of {
        let number = args.len();
        if ANYTHING.contains(&name) || self.names.own(name).any(|params| params.len() == number) {
            return None;
        }
        let of = receiver
            .as_deref()
            .filter(|of| self.is_known(of))
            .map(str::to_string);
        let takes = |overload: &&Overload| {
            let first = overload.params.first().map(|(_, first)| first.as_str());
            let fits = of.is_none() || first == of.as_deref() || first == Some("any");
            overload.params.len() == number + 1 && fits
        };
        let overloads = self.names.callable(name).flat_map(|e| &e.overloads);
        let fitting: Vec<&Overload> = overloads.filter(takes).collect();
        if !fitting.is_empty() {
            return given(fitting.into_iter());
        }
        // An object may hold a function under this name.
        let held = of.is_none() && (self.keys.contains(name) || self.imports.has_key(name));
        if !held {
            let unknown = || "?".to_string();
            let types = std::iter::once(&of).chain(args);
            let types: Vec<String> = types.map(|of| of.clone().unwrap_or_else(unknown)).collect();
            let told = self.names.call(&Mismatch {
                name,
                types: &types,
                method: true,
            });
            self.tell(at, name, told);
        }
        None
    }
}
