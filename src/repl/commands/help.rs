//! `:help`, `:doc`, `:quit`: what there is, and the way out. The texts are those of the table and of the reference.

use super::{Argument, Command, Failure, Next, all, find, needed, nothing};
use crate::error::{Error, Result};
use crate::repl::Repl;
use crate::repl::show::Table;
use crate::script::{Entry, Kind, comment};

pub(super) const COMMANDS: &[Command] = &[
    Command {
        name: ":help",
        usage: "[NAME]",
        about: "the commands; of a name what it does, in short",
        argument: Argument::Name,
        run: |repl, rest| {
            match rest {
                "" => list(repl),
                name if name.starts_with(':') => one(repl, name)?,
                name => say(repl, name, &short)?,
            }
            Ok(Next::Line)
        },
    },
    Command {
        name: ":doc",
        usage: "NAME",
        about: "the whole documentation of a function, method, type or module, with examples",
        argument: Argument::Name,
        run: |repl, rest| {
            let name = needed(
                ":doc",
                "a name, such as conv2d, StateSpace.add_state or nas/darts",
                rest,
            )?;
            say(repl, name, &ToString::to_string)?;
            Ok(Next::Line)
        },
    },
    Command {
        name: ":quit",
        usage: "",
        about: "leave, as Ctrl-D does",
        argument: Argument::None,
        run: |_, rest| {
            nothing(":quit", rest)?;
            Ok(Next::End)
        },
    },
];

/// Shows all commands.
fn list(repl: &Repl) {
    let mut table = Table::new(["command", "", "what it does"]);
    for command in all() {
        let [name, usage, about] = [command.name, command.usage, command.about].map(String::from);
        table.row([name, usage, about]);
    }
    repl.print(table.to_string().trim_end());
    repl.print(
        "Commands may be cut short. All else is Rhai: let space = StateSpace(); …\n\
         Tab completes, Alt-Enter starts a new line, Ctrl-C stops what runs, Ctrl-D leaves.",
    );
}

/// Shows one command.
fn one(repl: &Repl, name: &str) -> Result<()> {
    let command = find(name)?;
    let usage = format!("{} {}", command.name, command.usage);
    repl.print(&format!("{}\n    {}", usage.trim_end(), command.about));
    Ok(())
}

/// Shows what `name` means, each as `shown` has it.
fn say(repl: &Repl, name: &str, shown: &dyn Fn(&Entry) -> String) -> Result<(), Failure> {
    if let Some(own) = of_session(repl, name) {
        repl.print(&own);
        return Ok(());
    }
    let reference = repl.reference();
    let found = reference.find(name);
    if found.is_empty() {
        let near: Vec<&str> = reference.nearest(name).into_iter().collect();
        let found = match near.is_empty() {
            false => Error::unknown("name", name, near),
            true => Error::invalid("name", "one that Tab offers", format!("'{name}'")),
        };
        return Err(found.into());
    }
    let mut text: Vec<String> = found.into_iter().map(shown).collect();
    // A type or a module has what belongs to it below.
    if let Some(entry) = reference.find(name).first() {
        let of = |other: &&Entry| match entry.kind {
            Kind::Type => other.receiver.as_ref() == Some(&entry.name),
            Kind::Module => other.module.as_ref() == Some(&entry.name),
            _ => false,
        };
        let mut table = Table::new(["name", "what it does"]);
        let mut below = reference
            .all()
            .filter(of)
            .filter(|e| e.kind != Kind::Operator)
            .peekable();
        if below.peek().is_some() {
            below.for_each(|entry| table.row([entry.name.clone(), entry.summary()]));
            text.push(table.to_string());
        }
    }
    repl.print(text.join("\n").trim_end());
    Ok(())
}

/// An entry in short: how it is called, and the first sentence.
fn short(entry: &Entry) -> String {
    let signatures = match entry.signatures.is_empty() {
        true => entry.qualified(),
        false => entry.signatures.join("\n"),
    };
    format!("{signatures}\n    {}\n", entry.summary())
}

/// The documentation of the session's own functions called `name`.
fn of_session(repl: &Repl, name: &str) -> Option<String> {
    let session = repl.session();
    let own = session.functions().filter(|f| f.name == name).map(|f| {
        let doc = comment(f.comments.iter().copied());
        let lines = doc.lines().map(|line| format!("\n    {line}"));
        format!(
            "fn {}({}){}",
            f.name,
            f.params.join(", "),
            lines.collect::<String>()
        )
    });
    let own: Vec<String> = own.collect();
    (!own.is_empty()).then(|| own.join("\n"))
}
