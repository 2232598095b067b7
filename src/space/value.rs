//! The values a state can take. Knows nothing of states or scripts.

use std::fmt;

use crate::error::{Error, Result};

/// One value of a state.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// A truth value.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A finite float.
    Float(f64),
    /// A string.
    Text(String),
    /// What an anchor decided: earlier layers counted from 0, ascending.
    Layers(Vec<usize>),
}

impl Value {
    /// The type's name as scripts say it.
    pub fn type_name(&self) -> &'static str {
        match self {
            Self::Bool(_) => "boolean",
            Self::Int(_) => "integer",
            Self::Float(_) => "float",
            Self::Text(_) => "string",
            Self::Layers(_) => "list of layers",
        }
    }

    /// The value as one would type it: strings in quotes.
    pub fn quoted(&self) -> String {
        match self {
            Self::Text(text) => format!("{text:?}"),
            other => other.to_string(),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bool(v) => write!(f, "{v}"),
            Self::Int(v) => write!(f, "{v}"),
            // `Debug` keeps the ".0" that tells a float from an integer.
            Self::Float(v) => write!(f, "{v:?}"),
            Self::Text(v) => write!(f, "{v}"),
            Self::Layers(v) => write!(f, "{v:?}"),
        }
    }
}

/// The values as one would type them: `[1, 3]`.
pub(crate) fn list(values: &[Value]) -> String {
    let items: Vec<_> = values.iter().map(Value::quoted).collect();
    format!("[{}]", items.join(", "))
}

/// The index of `value` in `values`, those of `what`.
pub(super) fn index_of(
    values: &[Value],
    value: &Value,
    what: impl FnOnce() -> String,
) -> Result<usize> {
    let position = values.iter().position(|v| v == value);
    let expected = || format!("one of {}", list(values));
    position.ok_or_else(|| Error::invalid(what(), expected(), value.quoted()))
}

/// Checks the values of `what`, whose type is that of `first`, or else of their own first.
pub(super) fn check_values(what: &str, values: &[Value], first: Option<&Value>) -> Result<()> {
    let Some(first) = first.or(values.first()).filter(|_| !values.is_empty()) else {
        return Err(Error::invalid(what, "at least one value", "none"));
    };
    for (i, value) in values.iter().enumerate() {
        if matches!(value, Value::Layers(_)) {
            let expected = "integers, floats, strings or booleans";
            return Err(Error::invalid(what, expected, value));
        }
        if value.type_name() != first.type_name() {
            let expected = format!("values of one type (the first is {})", first.type_name());
            let found = format!("{} {}", value.type_name(), value.quoted());
            return Err(Error::invalid(what, expected, found));
        }
        if matches!(value, Value::Float(v) if !v.is_finite()) {
            return Err(Error::invalid(what, "finite numbers", value));
        }
        if values[..i].contains(value) {
            let found = format!("{} twice", value.quoted());
            return Err(Error::invalid(what, "distinct values", found));
        }
    }
    Ok(())
}
