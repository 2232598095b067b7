//! `param(name, default, doc)`: the knobs of a script, set by `-p name=value`.

use std::collections::BTreeMap;

use rhai::plugin::*;
use rhai::{AST, ASTNode, Dynamic, Engine, Expr, NativeCallContext, Stmt};

use super::{Host, Scripted, raise};
use crate::error::{Error, Result};

/// The values given for parameters, as text.
#[derive(Clone, Debug, Default)]
pub struct Params(BTreeMap<String, String>);

impl Params {
    /// Takes pairs such as `epochs=3`.
    ///
    /// # Errors
    /// [`Error::Invalid`] where there is no `=`, [`Error::Duplicate`] for a name given twice.
    pub fn parse<S: AsRef<str>>(pairs: &[S]) -> Result<Self> {
        let mut given = BTreeMap::new();
        for pair in pairs {
            let pair = pair.as_ref();
            let split = pair.split_once('=').filter(|(name, _)| !name.is_empty());
            let Some((name, value)) = split else {
                return Err(Error::invalid(
                    "parameter",
                    "name=value",
                    format!("'{pair}'"),
                ));
            };
            if given.insert(name.to_string(), value.to_string()).is_some() {
                let (kind, name) = ("parameter", name.to_string());
                return Err(Error::Duplicate { kind, name });
            }
        }
        Ok(Self(given))
    }

    /// These, over those of `earlier` that are not given anew.
    #[must_use]
    pub fn over(self, mut earlier: BTreeMap<String, String>) -> Self {
        earlier.extend(self.0);
        Self(earlier)
    }

    /// What was given, by name.
    pub fn given(&self) -> &BTreeMap<String, String> {
        &self.0
    }

    /// Checks that the script declares every parameter that is given, and that the value is of the default's type.
    ///
    /// # Errors
    /// [`Error::Unknown`] with the nearest parameter that it has, [`Error::Invalid`] for a value of another type.
    pub fn check(&self, declared: &[Declared]) -> Result<()> {
        let known = || declared.iter().map(|d| d.name.clone());
        if let Some(name) = self.0.keys().find(|name| known().all(|k| k != **name)) {
            return Err(Error::unknown("parameter", name, known()));
        }
        let mut typed = declared.iter().filter_map(|d| Some((d, d.kind?)));
        typed.try_for_each(|(d, kind)| self.value(&d.name, kind).map(|_| ()))
    }

    /// The value given for `name`, of this kind.
    fn value(&self, name: &str, kind: Kind) -> Result<Option<Dynamic>> {
        let Some(text) = self.0.get(name) else {
            return Ok(None);
        };
        let digits = text.replace('_', "");
        let (expected, value) = match kind {
            Kind::Integer => ("an integer", digits.parse::<i64>().ok().map(Dynamic::from)),
            Kind::Number => {
                let float = digits.parse::<f64>().ok().filter(|f| f.is_finite());
                ("a number", float.map(Dynamic::from))
            }
            Kind::Switch => (
                "true or false",
                text.parse::<bool>().ok().map(Dynamic::from),
            ),
            Kind::Text => ("a string", Some(text.into())),
        };
        let invalid =
            || Error::invalid(format!("parameter '{name}'"), expected, format!("'{text}'"));
        value.map(Some).ok_or_else(invalid)
    }
}

/// What a parameter's value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Integer,
    Number,
    Switch,
    Text,
}

impl Kind {
    /// That of `default`; none where a parameter cannot have it.
    fn of(default: &Dynamic) -> Option<Self> {
        let kinds = [
            (default.is_int(), Self::Integer),
            (default.is_float(), Self::Number),
            (default.is_bool(), Self::Switch),
            (default.is_string(), Self::Text),
        ];
        let fits = kinds.into_iter().find(|(fits, _)| *fits);
        fits.map(|(_, kind)| kind)
    }
}

/// A parameter that a script asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declared {
    /// The name.
    pub name: String,
    /// The default, as it stands in the script.
    pub default: String,
    /// What it is for.
    pub doc: String,
    /// What the default is, where that can be told without a run.
    kind: Option<Kind>,
}

impl Declared {
    /// The default, where it can be told without a run.
    pub fn known_default(&self) -> Option<&str> {
        self.kind.map(|_| self.default.as_str())
    }
}

/// The parameters that `ast` asks for, in the order of the text, without running it. Calls whose
/// name is not a plain string are not seen.
pub fn declared(ast: &AST) -> Vec<Declared> {
    let mut found: Vec<(rhai::Position, Declared)> = Vec::new();
    ast.walk(&mut |path| {
        let call = match path.last() {
            Some(
                ASTNode::Expr(Expr::FnCall(call, position))
                | ASTNode::Stmt(Stmt::FnCall(call, position)),
            ) => Some((call, position)),
            _ => None,
        };
        if let Some((call, position)) = call
            && call.name == "param"
            && let Some(Expr::StringConstant(name, _)) = call.args.first()
        {
            let text = |index: usize| match call.args.get(index) {
                Some(Expr::StringConstant(text, _)) => text.to_string(),
                Some(other) => constant(other),
                None => String::new(),
            };
            let literal = call
                .args
                .get(1)
                .and_then(|default| default.get_literal_value(None));
            let declared = Declared {
                name: name.to_string(),
                default: text(1),
                doc: text(2),
                kind: literal.as_ref().and_then(Kind::of),
            };
            found.push((*position, declared));
        }
        true
    });
    found.sort_by_key(|(position, _)| (position.line(), position.position()));
    let mut declared: Vec<Declared> = found.into_iter().map(|(_, d)| d).collect();
    let mut seen = std::collections::BTreeSet::new();
    declared.retain(|d| seen.insert(d.name.clone()));
    declared
}

/// A constant's text, or a mark for what only a run can tell.
fn constant(expr: &Expr) -> String {
    match expr.get_literal_value(None) {
        Some(value) if value.is_float() => format!("{:?}", value.as_float().unwrap_or_default()),
        Some(value) => value.to_string(),
        None => "(computed)".into(),
    }
}

pub(super) fn register(engine: &mut Engine) {
    engine.register_global_module(exported_module!(parameters).into());
}

#[export_module]
mod parameters {
    /// The value of a parameter: what `-p name=value` gave, or the default, whose type it has.
    ///
    /// ```rhai
    /// let epochs = param("epochs", 10, "epochs per child");
    /// ```
    #[rhai_fn(return_raw, volatile)]
    pub fn param(
        ctx: NativeCallContext,
        name: &str,
        default: Dynamic,
        _doc: &str,
    ) -> Scripted<Dynamic> {
        let kind = Kind::of(&default).ok_or_else(|| {
            let expected = "a default that is a number, string or boolean";
            let what = format!("parameter '{name}'");
            raise(Error::invalid(what, expected, default.type_name()))
        })?;
        let given = Host::of(&ctx)?.params().value(name, kind);
        given.map(|v| v.unwrap_or(default)).map_err(raise)
    }
}
