//! `:set` and `:reset`: where and from which seed the session computes.

use super::{Argument, Command, Failure, Next, nothing};
use crate::error::{Error, Result};
use crate::repl::Repl;
use crate::repl::show::Table;

pub(super) const COMMANDS: &[Command] = &[
    Command {
        name: ":set",
        usage: "[SETTING VALUE]",
        about: "the settings; device cuda:0: where what is made from now on computes; seed N: begin anew from a seed",
        argument: Argument::Setting,
        run: |repl, rest| {
            let (name, value) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
            match name {
                "" => list(repl),
                name => set(repl, name, value.trim())?,
            }
            Ok(Next::Line)
        },
    },
    Command {
        name: ":reset",
        usage: "",
        about: "begin anew: without variables, functions and trials",
        argument: Argument::None,
        run: |repl, rest| {
            nothing(":reset", rest)?;
            let seed = repl.seed();
            repl.begin(seed)?;
            repl.print("the session begins anew");
            Ok(Next::Line)
        },
    },
];

/// A setting.
struct Setting {
    name: &'static str,
    /// The values that Tab offers.
    values: &'static [&'static str],
    get: fn(&Repl) -> String,
    set: fn(&mut Repl, &str) -> Result<()>,
}

const SETTINGS: &[Setting] = &[
    Setting {
        name: "device",
        values: &["auto", "cpu", "cuda:0", "wgpu:0"],
        get: Repl::device,
        set: |repl, value| repl.move_to(value),
    },
    Setting {
        name: "seed",
        values: &["0", "1"],
        get: |repl| repl.seed().to_string(),
        set: |repl, value| {
            let seed = value.replace('_', "").parse::<u64>();
            let seed = seed.map_err(|_| {
                Error::invalid("seed", "a whole number from 0", format!("'{value}'"))
            })?;
            repl.begin(seed)
        },
    },
];

fn list(repl: &Repl) {
    let mut table = Table::new(["setting", "value"]);
    for setting in SETTINGS {
        table.row([setting.name.into(), (setting.get)(repl)]);
    }
    repl.print(table.to_string().trim_end());
}

fn set(repl: &mut Repl, name: &str, value: &str) -> Result<(), Failure> {
    let setting = SETTINGS.iter().find(|setting| setting.name == name);
    let known = SETTINGS.iter().map(|setting| setting.name);
    let setting = setting.ok_or_else(|| Error::unknown("setting", name, known))?;
    if !value.is_empty() {
        (setting.set)(repl, value)?;
    }
    repl.print(&format!("{name}: {}", (setting.get)(repl)));
    Ok(())
}

/// What Tab offers after `:set` and the words `before`.
pub(in crate::repl) fn words(before: &str) -> Vec<String> {
    let values = SETTINGS
        .iter()
        .find(|setting| setting.name == before.trim());
    match (values, before.trim()) {
        (Some(setting), _) => setting.values.iter().map(ToString::to_string).collect(),
        (None, "") => SETTINGS
            .iter()
            .map(|setting| format!("{} ", setting.name))
            .collect(),
        _ => Vec::new(),
    }
}
