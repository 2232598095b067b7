//! Option maps: from a script's `#{…}` to a typed configuration with clear errors.

use rhai::plugin::*;
use rhai::{Engine, Map};
use serde::de::DeserializeOwned;
use serde_json::Value as Json;

use super::{Scripted, keys, raise};
use crate::error::Error;

pub(super) fn register(engine: &mut Engine) {
    engine.register_global_module(exported_module!(recipes).into());
}

#[export_module]
mod recipes {
    /// The options of a recipe: those given, and the defaults of the others. An option that has no
    /// default is an error that names the nearest that has; `()` as a default marks one that must be
    /// given.
    ///
    /// ```rhai
    /// fn search(options) {
    ///     let options = with_defaults(options, #{ trials: (), filters: 32 });
    ///     print(options.trials + " " + options.filters);
    /// }
    /// search(#{ trials: 5 });   // 5 32
    /// ```
    #[rhai_fn(return_raw)]
    pub fn with_defaults(given: Map, defaults: Map) -> Scripted<Map> {
        let names = || defaults.keys().map(ToString::to_string);
        if let Some(name) = given.keys().find(|name| !defaults.contains_key(*name)) {
            return Err(raise(Error::unknown("option", name.as_str(), names())));
        }
        let mut options = defaults.clone();
        options.extend(given);
        match options.iter().find(|(_, value)| value.is_unit()) {
            Some((name, _)) => {
                let what = format!("option '{name}'");
                Err(raise(Error::invalid(what, "a value", "none")))
            }
            None => Ok(options),
        }
    }
}

/// The options of one call.
pub(super) struct Options {
    values: serde_json::Map<String, Json>,
}

impl Options {
    /// Takes the options `map` of the call `of`, which has to be in the table of [`keys`].
    ///
    /// # Errors
    /// A key that is not known, with the nearest that is; a value that no option takes.
    pub(super) fn new(of: &str, map: &Map) -> Scripted<Self> {
        let known = keys::of(of);
        let mut values = serde_json::Map::new();
        for (key, value) in map {
            if !known.contains(&key.as_str()) {
                let names = known.iter().copied();
                return Err(raise(Error::unknown("option", key.as_str(), names)));
            }
            // JSON has neither NaN nor infinity; they would pass for "not given".
            if value.is_unit() || value.as_float().is_ok_and(|f| !f.is_finite()) {
                let found = if value.is_unit() {
                    "()".into()
                } else {
                    value.to_string()
                };
                let what = format!("option '{key}'");
                return Err(raise(Error::invalid(what, "a finite value", found)));
            }
            let json = rhai::serde::from_dynamic::<Json>(value).map_err(|_| {
                let expected = "a number, string, boolean or list";
                let what = format!("{of}: option '{key}'");
                raise(Error::invalid(what, expected, value.type_name()))
            })?;
            values.insert(key.to_string(), json);
        }
        Ok(Self { values })
    }

    /// All the options, as a `T`; what is absent has its default.
    ///
    /// # Errors
    /// A value of the wrong type, with the option's name.
    pub(super) fn all<T: DeserializeOwned>(&self) -> Scripted<T> {
        Self::read(self.values.clone())
    }

    /// The part of the options that `names` lists, as a `T`; what is absent has its default.
    ///
    /// # Errors
    /// A value of the wrong type, with the option's name.
    pub(super) fn part<T: DeserializeOwned>(&self, names: &[&str]) -> Scripted<T> {
        let part = self.values.iter();
        let part = part.filter(|(key, _)| names.contains(&key.as_str()));
        Self::read(part.map(|(k, v)| (k.clone(), v.clone())).collect())
    }

    fn read<T: DeserializeOwned>(values: serde_json::Map<String, Json>) -> Scripted<T> {
        serde_path_to_error::deserialize(Json::Object(values)).map_err(|error| {
            let option = error.path().to_string();
            let (expected, found) = plain(&error.into_inner().to_string());
            raise(Error::invalid(
                format!("option '{option}'"),
                expected,
                found,
            ))
        })
    }
}

/// Splits serde's "invalid type: string \"ten\", expected usize" into what was expected and what
/// was found, in a script's terms.
pub(super) fn plain(message: &str) -> (String, String) {
    let message = message.replace('`', "'").replace("unknown variant ", "");
    let message = message.trim_start_matches("invalid type: ");
    let message = message.trim_start_matches("invalid value: ");
    let (found, expected) = match message.split_once(", expected ") {
        Some((found, expected)) => (found, expected),
        None => (message, "another value"),
    };
    let expected = match expected {
        "usize" | "u64" | "u32" => "a whole number from 0",
        "a nonzero usize" => "a whole number from 1",
        "f64" | "f32" => "a number",
        "a boolean" | "bool" => "true or false",
        other => other,
    };
    let bare = found.strip_prefix("integer ");
    let bare = bare.or_else(|| found.strip_prefix("floating point "));
    let found = match (found, bare) {
        ("sequence", _) => "a list",
        (_, Some(number)) => number.trim_matches('\''),
        _ => found,
    };
    (expected.into(), found.into())
}
