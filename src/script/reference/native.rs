//! The entries of what is registered with the engine: the host's bindings and the language's own functions.

use std::collections::BTreeMap;

use rhai::{Engine, FnAccess};

use super::types::Types;
use super::{Entry, Kind, Overload, comment};
use crate::script::keys;

/// A registered function, an overload each.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Native {
    name: String,
    params: Vec<(String, String)>,
    returns: String,
    doc: String,
}

/// What overloads have in common.
type Key = (bool, Kind, Option<String>, String);

/// The rest of the names that values are shown under: `to_string` stands for them all.
const SHOWN: &[&str] = &["print", "debug", "to_debug"];

/// Types of numbers that no script has.
const SIZED: &[&str] = &[
    "i8", "i16", "i32", "i128", "u8", "u16", "u32", "u64", "u128", "f32", "usize", "isize",
];

pub(super) fn entries(engine: &Engine) -> Vec<Entry> {
    let types = Types::of(engine);
    let host = functions(engine, false);
    let language = functions(engine, true);
    // What the host registers takes the place of the language's own.
    let language = language
        .into_iter()
        .filter(|f| !host.iter().any(|own| own.replaces(f)));

    let mut entries: BTreeMap<Key, Entry> = BTreeMap::new();
    for (name, doc) in types.host() {
        let key = (false, Kind::Type, None, name.to_string());
        entries.insert(key, plain(name, doc));
    }
    let own = host.iter().cloned().map(|f| (false, f));
    for (builtin, function) in own.chain(language.map(|f| (true, f))) {
        let (kind, name) = function.kind(builtin);
        if SHOWN.contains(&name.as_str()) && kind == Kind::Method {
            continue;
        }
        let param = function.params.first();
        let receiver = (!matches!(kind, Kind::Function | Kind::Operator)).then_some(param);
        let receiver = receiver.flatten().and_then(|(_, of)| types.shown(of));
        // An operator belongs to its first operand.
        let key_type = receiver.clone().or_else(|| match kind {
            Kind::Operator => param.and_then(|(_, of)| types.shown(of)),
            _ => None,
        });
        let key = (builtin, kind, key_type.clone(), name.clone());
        let overload = function.overload(&types);
        let signature = signature(kind, &name, &overload);
        let options = match kind {
            Kind::Function | Kind::Method if !builtin => keys::of(&name),
            _ => Vec::new(),
        };
        let entry = entries.entry(key).or_insert_with(|| Entry {
            name,
            receiver: key_type,
            module: None,
            signatures: Vec::new(),
            overloads: Vec::new(),
            options: options.into_iter().map(String::from).collect(),
            doc: String::new(),
            kind,
            builtin,
        });
        if !entry.signatures.contains(&signature) {
            entry.signatures.push(signature);
            entry.overloads.push(overload);
        }
        if !function.doc.is_empty() && !entry.doc.contains(&function.doc) {
            let apart = if entry.doc.is_empty() { "" } else { "\n\n" };
            entry.doc = format!("{}{apart}{}", entry.doc, function.doc);
        }
    }
    entries.into_values().collect()
}

/// The entry of a type.
fn plain(name: &str, doc: &str) -> Entry {
    Entry {
        name: name.into(),
        receiver: None,
        module: None,
        signatures: Vec::new(),
        overloads: Vec::new(),
        doc: doc.into(),
        options: Vec::new(),
        kind: Kind::Type,
        builtin: false,
    }
}

/// The public functions of the engine, with those of the language or without; those with fewer parameters first.
fn functions(engine: &Engine, standard: bool) -> Vec<Native> {
    let public = |info: rhai::FuncInfo| {
        let f = info.metadata;
        let param = |info: &str| {
            let (name, of) = info.split_once(':').unwrap_or((info, "?"));
            let name = name
                .trim()
                .trim_start_matches("mut ")
                .trim_start_matches('_');
            (name.to_string(), of.trim().to_string())
        };
        let mut params: Vec<_> = f.params_info.iter().map(|info| param(info)).collect();
        params.resize(f.num_params, ("value".into(), "?".into()));
        let callable = f.access == FnAccess::Public && !f.name.starts_with("anon$");
        callable.then(|| Native {
            name: f.name.to_string(),
            params,
            returns: f.return_type.to_string(),
            doc: comment(f.comments.iter().map(AsRef::as_ref)),
        })
    };
    let mut functions = engine.collect_fn_metadata(None, public, standard);
    // A script has no numbers of other sizes, which the language has functions for all the same.
    let sized = |(_, of): &(String, String)| SIZED.contains(&of.trim_start_matches("&mut "));
    functions.retain(|f: &Native| !f.params.iter().any(sized));
    functions.sort_by_cached_key(|f| (f.params.len(), f.clone()));
    functions
}

impl Native {
    /// Whether a call of `other` is one of this.
    fn replaces(&self, other: &Self) -> bool {
        let types = |f: &Self| {
            f.params
                .iter()
                .map(|(_, of)| of.clone())
                .collect::<Vec<_>>()
        };
        self.name == other.name && types(self) == types(other)
    }

    /// What it is, and its name as scripts write it.
    fn kind(&self, builtin: bool) -> (Kind, String) {
        let name = self.name.as_str();
        if let Some(name) = name.strip_prefix("get$").or(name.strip_prefix("set$")) {
            return (Kind::Property, name.into());
        }
        if name.starts_with("index$") {
            return (Kind::Index, "[]".into());
        }
        if !name.starts_with(|c: char| c.is_alphabetic() || c == '_') {
            return (Kind::Operator, name.into());
        }
        let first = self.params.first().map_or("", |(_, of)| of.as_str());
        // The language's functions of texts borrow them; they are called after a dot all the same.
        let text = builtin && matches!(first, "&str" | "ImmutableString");
        let method = first.starts_with("&mut ") || text;
        let kind = if method { Kind::Method } else { Kind::Function };
        (kind, name.into())
    }

    /// What it takes and gives, by the names that scripts know types by.
    fn overload(&self, types: &Types) -> Overload {
        let any = || "any".to_string();
        let shown =
            |(name, of): &(String, String)| (name.clone(), types.shown(of).unwrap_or_else(any));
        Overload {
            params: self.params.iter().map(shown).collect(),
            returns: types.shown(&self.returns),
            doc: self.doc.clone(),
        }
    }
}

/// How `overload` of the entry called `name` is called.
fn signature(kind: Kind, name: &str, overload: &Overload) -> String {
    let typed = |(name, of): &(String, String)| match name.as_str() {
        "" => of.clone(),
        name => format!("{name}: {of}"),
    };
    let all: Vec<String> = overload.params.iter().map(typed).collect();
    let rest = all.get(1..).unwrap_or_default();
    let of = |at: usize| overload.params.get(at).map_or("", |(_, of)| of.as_str());
    let gives = overload.returns.as_ref();
    let gives = gives.map_or(String::new(), |of| format!(" -> {of}"));
    match (kind, rest) {
        (Kind::Property, [value]) => format!("{}.{name} = {value}", of(0)),
        (Kind::Property, _) => format!("{}.{name}{gives}", of(0)),
        (Kind::Index, [at, value]) => format!("{}[{at}] = {value}", of(0)),
        (Kind::Index, _) => format!("{}[{}]{gives}", of(0), rest.join(", ")),
        (Kind::Operator, []) => format!("{name}{}{gives}", of(0)),
        (Kind::Operator, _) => format!("{} {name} {}{gives}", of(0), of(1)),
        (Kind::Method, _) => format!("{}.{name}({}){gives}", of(0), rest.join(", ")),
        _ => format!("{name}({}){gives}", all.join(", ")),
    }
}
