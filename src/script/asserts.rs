//! What tests of scripts say: `assert`, `assert_eq` and `assert_near`. An assertion that does not hold is an error of
//! the script at its place.

use rhai::plugin::*;
use rhai::{Array, Dynamic, Engine, Map, NativeCallContext};

use super::manager::number;
use super::{Scripted, raise};
use crate::error::Error;

pub(super) fn register(engine: &mut Engine) {
    engine.register_global_module(exported_module!(asserts).into());
}

#[export_module]
mod asserts {
    /// Fails unless the condition is true.
    ///
    /// ```rhai
    /// assert(input([1, 8, 8]).flatten().params == 0);
    /// ```
    #[rhai_fn(return_raw, volatile)]
    pub fn assert(condition: bool) -> Scripted<()> {
        assert_because(condition, "")
    }

    /// The `reason` is what the failure says.
    ///
    /// ```rhai
    /// let net = input([1, 8, 8]).flatten().dense(10);
    /// assert(net.params < 1000, `${net.params} parameters are too many`);
    /// ```
    #[rhai_fn(name = "assert", return_raw, volatile)]
    pub fn assert_because(condition: bool, reason: &str) -> Scripted<()> {
        match condition {
            true => Ok(()),
            false => Err(failed("assert", "true", &because("false", reason))),
        }
    }

    /// Fails unless two values are equal: of one type, lists and objects in all their parts. The second is what is
    /// expected.
    ///
    /// ```rhai
    /// assert_eq(input([1, 8, 8]).flatten().shape, [64]);
    /// ```
    #[rhai_fn(return_raw, volatile)]
    pub fn assert_eq(ctx: NativeCallContext, found: Dynamic, expected: Dynamic) -> Scripted<()> {
        assert_eq_because(ctx, found, expected, "")
    }

    /// The `reason` stands in the failure.
    #[rhai_fn(name = "assert_eq", return_raw, volatile)]
    pub fn assert_eq_because(
        ctx: NativeCallContext,
        found: Dynamic,
        expected: Dynamic,
        reason: &str,
    ) -> Scripted<()> {
        if equal(&ctx, &found, &expected)? {
            return Ok(());
        }
        let (found, expected) = (shown(&ctx, &found), shown(&ctx, &expected));
        Err(failed("assert_eq", &expected, &because(&found, reason)))
    }

    /// Fails unless a number is at most `tolerance` away from the expected one. NaN is near nothing.
    ///
    /// ```rhai
    /// assert_near(0.1 + 0.2, 0.3, 1e-12);
    /// ```
    #[rhai_fn(return_raw, volatile)]
    pub fn assert_near(found: Dynamic, expected: Dynamic, tolerance: Dynamic) -> Scripted<()> {
        assert_near_because(found, expected, tolerance, "")
    }

    /// The `reason` stands in the failure.
    #[rhai_fn(name = "assert_near", return_raw, volatile)]
    pub fn assert_near_because(
        found: Dynamic,
        expected: Dynamic,
        tolerance: Dynamic,
        reason: &str,
    ) -> Scripted<()> {
        let of = |name, value: &Dynamic| number(&format!("assert_near: {name}"), value);
        let tolerance = of("tolerance", &tolerance)?;
        // What is measured may be no number at all; that is a failure of the test, not of its writing.
        let measured = found.as_float().or(found.as_int().map(|n| n as f64));
        let (measured, expected) = (measured.unwrap_or(f64::NAN), of("expected", &expected)?);
        let apart = (measured - expected).abs();
        if apart <= tolerance {
            return Ok(());
        }
        let wanted = format!("{expected} ± {tolerance}");
        let away = if apart.is_nan() {
            String::new()
        } else {
            format!(", {apart} away")
        };
        let found = because(&format!("{found}{away}"), reason);
        Err(failed("assert_near", &wanted, &found))
    }
}

/// The error of an assertion that does not hold.
fn failed(what: &str, expected: &str, found: &str) -> Box<EvalAltResult> {
    raise(Error::invalid(what, expected, found))
}

/// What was found, and what the script says about it.
fn because(found: &str, reason: &str) -> String {
    match reason {
        "" => found.into(),
        reason => format!("{found}: {reason}"),
    }
}

/// A value as a script would write it.
fn shown(ctx: &NativeCallContext, value: &Dynamic) -> String {
    let text = ctx.call_native_fn::<Dynamic>("to_debug", (value.clone(),));
    text.map_or_else(|_| format!("{value:?}"), |text| text.to_string())
}

/// Whether two values are equal. Values of different types are not; those that cannot be compared are an error.
fn equal(ctx: &NativeCallContext, a: &Dynamic, b: &Dynamic) -> Scripted<bool> {
    if a.type_id() != b.type_id() {
        return Ok(false);
    }
    if a.is_unit() {
        return Ok(true);
    }
    if let (Ok(a), Ok(b)) = (a.as_array_ref(), b.as_array_ref()) {
        return all(ctx, &a, &b);
    }
    if let (Ok(a), Ok(b)) = (a.as_map_ref(), b.as_map_ref()) {
        let (names, others): (Vec<_>, Vec<_>) = (a.keys().collect(), b.keys().collect());
        let values = |map: &Map| map.values().cloned().collect::<Array>();
        return Ok(names == others && all(ctx, &values(&a), &values(&b))?);
    }
    ctx.call_native_fn::<bool>("==", (a.clone(), b.clone()))
}

fn all(ctx: &NativeCallContext, a: &Array, b: &Array) -> Scripted<bool> {
    let same = a.len() == b.len();
    let mut pairs = a.iter().zip(b);
    pairs.try_fold(same, |same, (a, b)| Ok(same && equal(ctx, a, b)?))
}
