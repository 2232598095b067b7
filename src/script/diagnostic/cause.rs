//! Rhai's errors in a script's terms: a message, a code for editors, and what it is about.

use rhai::{EvalAltResult, Map, ParseErrorType};

/// What an error is about, as far as the source and the reference can say more of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// The text is no script.
    Syntax(Box<ParseErrorType>),
    /// A variable that there is not.
    Variable(String),
    /// A call that nothing takes: the name and the types of the arguments, of which a method's first is the object.
    Call { name: String, types: Vec<String> },
    /// A property that there is not: its name, and the type of the object.
    Property { name: String, of: String },
    /// An alias that nothing was imported under.
    Module(String),
    /// An option of a call.
    Option(String),
    /// Something else.
    Other,
    /// All has been said of it.
    Explained,
}

/// What is said of an error.
pub(super) struct Said {
    pub message: String,
    pub code: String,
    pub cause: Cause,
}

fn said(code: &str, cause: Cause, message: impl Into<String>) -> Said {
    Said {
        message: message.into(),
        code: code.into(),
        cause,
    }
}

/// What there is to say of `error`, which holds no other.
pub(super) fn said_of(error: &EvalAltResult) -> Said {
    use EvalAltResult as E;
    let other = |code: &str, message: String| said(code, Cause::Other, message);
    match error {
        E::ErrorRuntime(value, _) => host(value),
        E::ErrorTerminated(reason, _) if reason.is_unit() => {
            other("interrupted", "interrupted".into())
        }
        E::ErrorTerminated(limit, _) => other("limit", limit.to_string()),
        E::ErrorDataRace(..) => other(
            "data-race",
            "a function captures the object whose method it is given to; copy it first \
             (`let again = manager;`) and use the copy inside"
                .into(),
        ),
        E::ErrorParsing(kind, _) => {
            let message = format!("syntax error: {kind}");
            said("syntax", Cause::Syntax(Box::new(kind.clone())), message)
        }
        E::ErrorVariableNotFound(name, _) => {
            let message = format!("unknown variable '{name}'");
            said("unknown-variable", Cause::Variable(name.clone()), message)
        }
        E::ErrorFunctionNotFound(call, _) => call_of(call),
        E::ErrorModuleNotFound(alias, _) => {
            let message = format!("unknown module '{alias}'");
            said("unknown-module", Cause::Module(alias.clone()), message)
        }
        E::ErrorPropertyNotFound(name, _) => property(name, "map"),
        E::ErrorDotExpr(text, _) => match quoted(text)[..] {
            [name, of, ..] => property(name, type_name(of)),
            _ => other("property", text.clone()),
        },
        E::ErrorIndexingType(types, _) => other("index", indexing(types)),
        E::ErrorIndexNotFound(index, _) => other("index", format!("there is no {index} in it")),
        E::ErrorArrayBounds(length, index, _) => {
            let message = format!("index {index} is outside of the list, whose length is {length}");
            other("index", message)
        }
        E::ErrorStringBounds(length, index, _) => {
            let message = format!("index {index} is outside of the text, whose length is {length}");
            other("index", message)
        }
        E::ErrorFor(_) => {
            let message = "a loop goes over a list, a range such as 0..10, an object or a text";
            other("loop", message.into())
        }
        E::ErrorMismatchDataType(expected, found, _) if expected == "bool" => {
            let found = kind_of(type_name(found));
            other("type", format!("a condition is true or false, not {found}"))
        }
        E::ErrorMismatchDataType(expected, found, _)
        | E::ErrorMismatchOutputType(expected, found, _) => {
            let (expected, found) = (type_name(expected), type_name(found));
            other("type", format!("expected {expected}, found {found}"))
        }
        E::ErrorStackOverflow(_) => {
            let message = "Stack overflow: functions call each other too deep";
            other("limit", message.into())
        }
        E::ErrorDataTooLarge(what, _) => {
            let message = format!(
                "{what} too large: more than a script may have; --limits FILE sets another limit"
            );
            other("limit", message)
        }
        error => other("runtime", bare(error)),
    }
}

/// What the host raised (`raise`), or a script threw.
fn host(value: &rhai::Dynamic) -> Said {
    let object = value.read_lock::<Map>();
    let field = |name: &str| object.as_ref()?.get(name).map(ToString::to_string);
    let message = field("message").unwrap_or_else(|| value.to_string());
    let kind = field("kind");
    // Options are named in one form, by `script/options.rs`.
    let option = message.find("option '").map(|at| quoted(&message[at..]));
    let cause = match option.as_deref() {
        Some([name, ..]) if kind.is_some() => Cause::Option(name.to_string()),
        _ => Cause::Other,
    };
    let code = kind.unwrap_or_else(|| "thrown".into());
    said(&code, cause, message.clone())
}

fn call_of(call: &str) -> Said {
    let (name, types) = call.split_once(" (").unwrap_or((call, ")"));
    let types = types.strip_suffix(')').unwrap_or(types).split(", ");
    let types = types.filter(|of| !of.is_empty());
    let types: Vec<String> = types.map(|of| type_name(of).to_string()).collect();
    let message = format!("no function {name} ({})", types.join(", "));
    let name = name.to_string();
    said("unknown-function", Cause::Call { name, types }, message)
}

fn property(name: &str, of: &str) -> Said {
    let message = format!("no property '{name}' of {}", kind_of(of));
    let (name, of) = (name.to_string(), of.to_string());
    said("unknown-property", Cause::Property { name, of }, message)
}

/// A value of the type `of`, in words.
pub(in crate::script) fn kind_of(of: &str) -> String {
    match of {
        "()" => "() (nothing)".into(),
        "map" => "an object".into(),
        "array" => "a list".into(),
        of if of.starts_with(['a', 'e', 'i', 'o', 'A', 'E', 'I', 'O']) => format!("an {of}"),
        of => format!("a {of}"),
    }
}

/// "list [string]" in words.
fn indexing(types: &str) -> String {
    let (of, index) = types.split_once(" [").unwrap_or((types, ""));
    let (index, _) = index.split_once(']').unwrap_or((index, ""));
    let (of, index) = (kind_of(type_name(of)), type_name(index));
    format!("{of} has no elements by {index}")
}

/// The name of a type as the reference has it, from Rhai's own.
pub(super) fn type_name(rhai: &str) -> &str {
    match rhai.rsplit("::").next().unwrap_or(rhai) {
        "i64" => "int",
        "f64" => "float",
        "&str | ImmutableString | String" | "ImmutableString" | "String" | "&str" => "string",
        "Fn" | "FnPtr" => "function",
        "Array" => "array",
        "Map" => "map",
        other => other,
    }
}

/// What is in single quotes in `text`.
fn quoted(text: &str) -> Vec<&str> {
    text.split('\'').skip(1).step_by(2).collect()
}

/// Rhai's own message without the place.
fn bare(error: &EvalAltResult) -> String {
    let mut bare = error.to_string();
    if let Some(at) = bare.rfind(" (line ") {
        bare.truncate(at);
    }
    bare
}
