//! `:type`, `:vars`, `:time`, `:params`: what values are and cost.

use std::time::Instant;

use super::{Argument, Command, Failure, Next, needed, nothing};
use crate::error::Result;
use crate::repl::Repl;
use crate::repl::show::{Table, cut};
use crate::script::Params;

/// How much of a value `:vars` shows.
const SHOWN: usize = 60;

pub(super) const COMMANDS: &[Command] = &[
    Command {
        name: ":type",
        usage: "EXPR",
        about: "the type of an expression, which is evaluated for it",
        argument: Argument::Expression,
        run: |repl, rest| {
            let text = needed(":type", "an expression", rest)?;
            let mut session = repl.session_mut();
            let value = session.look(text)?;
            let name = session.type_of(&value);
            drop(session);
            repl.print(&name);
            Ok(Next::Line)
        },
    },
    Command {
        name: ":vars",
        usage: "",
        about: "the variables and functions of the session",
        argument: Argument::None,
        run: |repl, rest| {
            nothing(":vars", rest)?;
            vars(repl);
            Ok(Next::Line)
        },
    },
    Command {
        name: ":time",
        usage: "EXPR",
        about: "the value of an expression, and how long it took",
        argument: Argument::Expression,
        run: |repl, rest| {
            let text = needed(":time", "an expression", rest)?;
            let began = Instant::now();
            let value = repl.session_mut().evaluate(text, None);
            let seconds = began.elapsed().as_secs_f64();
            repl.show(&value?);
            repl.print(&format!("took {}", duration(seconds)));
            Ok(Next::Line)
        },
    },
    Command {
        name: ":params",
        usage: "[NAME=VALUE …]",
        about: "the parameters that the session asked for; with values: give them to later calls of param",
        argument: Argument::Param,
        run: |repl, rest| {
            params(repl, rest)?;
            Ok(Next::Line)
        },
    },
];

/// Seconds in the unit that suits them.
fn duration(seconds: f64) -> String {
    match seconds {
        s if s < 1e-3 => format!("{:.0} µs", s * 1e6),
        s if s < 1.0 => format!("{:.1} ms", s * 1e3),
        s => format!("{s:.2} s"),
    }
}

fn vars(repl: &Repl) {
    let session = repl.session();
    let mut table = Table::new(["name", "type", "value"]);
    let mut rows: Vec<(String, String, String)> = Vec::new();
    for (name, _, value) in session.scope.iter() {
        // Of a name that was declared again the last counts.
        rows.retain(|(other, ..)| other != name);
        let text = match value.is_array() || value.is_map() || value.is_float() {
            true => repl.text(&session, &value),
            false => session.text(&value),
        };
        let line = text.lines().map(str::trim).collect::<Vec<_>>().join(" ");
        rows.push((name.to_string(), session.type_of(&value), cut(&line, SHOWN)));
    }
    let functions = session.functions().map(|f| {
        let call = format!("{}({})", f.name, f.params.join(", "));
        (call, "function".to_string(), String::new())
    });
    let mut functions: Vec<_> = functions.collect();
    functions.sort();
    rows.extend(functions);
    if rows.is_empty() {
        repl.print("no variables");
        return;
    }
    for (name, of, value) in rows {
        table.row([name, of, value]);
    }
    repl.print(table.to_string().trim_end());
}

/// Gives values, then lists what there is.
fn params(repl: &Repl, rest: &str) -> Result<(), Failure> {
    let session = repl.session();
    if !rest.is_empty() {
        let pairs: Vec<&str> = rest.split_whitespace().collect();
        let given = session.host.params().given().clone();
        session.host.give(Params::parse(&pairs)?.over(given));
    }
    let given = session.host.params();
    let asked = &session.params;
    let mut table = Table::new(["parameter", "value", "default", "what it is for"]);
    for param in asked {
        let value = given.given().get(&param.name).unwrap_or(&param.default);
        let [name, default, doc] = [&param.name, &param.default, &param.doc].map(String::clone);
        table.row([name, value.clone(), default, doc]);
    }
    let unasked = given
        .given()
        .iter()
        .filter(|(name, _)| asked.iter().all(|p| p.name != **name));
    for (name, value) in unasked {
        let not_asked = "not asked for so far".to_string();
        table.row([name.clone(), value.clone(), String::new(), not_asked]);
    }
    match asked.is_empty() && given.given().is_empty() {
        true => repl.print("no parameters: param(name, default, doc) asks for one"),
        false => repl.print(table.to_string().trim_end()),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::duration;

    #[test]
    fn durations_have_a_unit_that_suits_them() {
        assert_eq!(duration(12e-6), "12 µs");
        assert_eq!(duration(0.0123), "12.3 ms");
        assert_eq!(duration(61.5), "61.50 s");
    }
}
