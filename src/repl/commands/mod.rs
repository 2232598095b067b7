//! The table of `:commands`: one file a group. `:help`, completion and the docs read it. Knows how a command is found,
//! not what it does.

mod files;
mod help;
pub(super) mod settings;
mod studies;
mod values;

use super::Repl;
use crate::error::{Error, Result};
use crate::script::Diagnostic;

/// What a command wants after its name, for completion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Argument {
    /// Nothing.
    None,
    /// The name of something that is documented.
    Name,
    /// An expression.
    Expression,
    /// A file.
    File,
    /// A study of the store.
    Study,
    /// A setting and its value.
    Setting,
    /// `name=value` of a parameter.
    Param,
}

/// What follows a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// The next line.
    Line,
    /// The end of the session.
    End,
}

/// Why a command did not do what it was to do.
pub(super) enum Failure {
    /// It was refused.
    Refused(Error),
    /// What it ran failed.
    Script(Diagnostic),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Refused(error)
    }
}

impl From<Diagnostic> for Failure {
    fn from(diagnostic: Diagnostic) -> Self {
        Self::Script(diagnostic)
    }
}

/// A command.
pub(super) struct Command {
    /// Its name, with the colon.
    pub name: &'static str,
    /// What follows the name.
    pub usage: &'static str,
    /// What it does, in a line.
    pub about: &'static str,
    /// What Tab offers after the name.
    pub argument: Argument,
    /// Does it with what follows the name.
    pub run: fn(&mut Repl, &str) -> Result<Next, Failure>,
}

/// All commands, by group.
pub(super) fn all() -> impl Iterator<Item = &'static Command> {
    let groups = [
        help::COMMANDS,
        values::COMMANDS,
        files::COMMANDS,
        studies::COMMANDS,
        settings::COMMANDS,
    ];
    groups.into_iter().flatten()
}

/// The command that `word` names, which may be cut short where only one begins with it.
///
/// # Errors
/// [`Error::Unknown`] with the nearest; [`Error::Invalid`] with those that begin with it.
pub(super) fn find(word: &str) -> Result<&'static Command> {
    if let Some(command) = all().find(|command| command.name == word) {
        return Ok(command);
    }
    let begun: Vec<&Command> = all()
        .filter(|command| command.name.starts_with(word))
        .collect();
    match begun[..] {
        [command] => Ok(command),
        [] => Err(Error::unknown(
            "command",
            word,
            all().map(|command| command.name),
        )),
        _ => {
            let names: Vec<&str> = begun.iter().map(|command| command.name).collect();
            Err(Error::invalid("command", names.join(" or "), word))
        }
    }
}

/// What follows a command that needs it.
///
/// # Errors
/// [`Error::Invalid`] where there is nothing.
fn needed<'a>(command: &str, what: &str, rest: &'a str) -> Result<&'a str> {
    match rest.is_empty() {
        true => Err(Error::invalid(command, what, "nothing")),
        false => Ok(rest),
    }
}

/// Nothing follows a command that takes nothing.
///
/// # Errors
/// [`Error::Invalid`] where something does.
fn nothing(command: &str, rest: &str) -> Result<()> {
    match rest.is_empty() {
        true => Ok(()),
        false => Err(Error::invalid(
            command,
            "nothing after it",
            format!("'{rest}'"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_may_be_cut_short_where_it_is_clear() {
        let found = |word| {
            find(word)
                .map(|command| command.name)
                .map_err(|e| e.to_string())
        };
        assert_eq!(found(":help"), Ok(":help"));
        assert_eq!(found(":h"), Ok(":help"));
        assert_eq!(found(":a"), Ok(":attach"));
        let unclear = found(":s").unwrap_err();
        for name in [":save", ":set", ":studies"] {
            assert!(unclear.contains(name), "{unclear}");
        }
        let slip = found(":hepl").unwrap_err();
        assert!(slip.contains("did you mean ':help'?"), "{slip}");
    }

    #[test]
    fn names_are_unique_and_each_says_what_it_does() {
        let mut names: Vec<&str> = all().map(|command| command.name).collect();
        assert!(names.len() >= 13);
        assert!(all().all(|command| !command.about.is_empty()));
        names.sort_unstable();
        let count = names.len();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
