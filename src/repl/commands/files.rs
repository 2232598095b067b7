//! `:load` and `:save`: scripts into the session, the session into a script.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Argument, Command, Failure, Next, needed};
use crate::error::{Error, Result};
use crate::repl::Repl;

pub(super) const COMMANDS: &[Command] = &[
    Command {
        name: ":load",
        usage: "FILE",
        about: "run a script here, and keep its variables and functions",
        argument: Argument::File,
        run: |repl, rest| {
            let path = path(needed(":load", "a file", rest)?);
            let text = fs::read_to_string(&path).map_err(Error::io("read", &path))?;
            let text = text.trim_start_matches('\u{feff}');
            let name = path.display().to_string();
            let value = repl.session_mut().evaluate(text, Some(&name));
            repl.show(&value?);
            Ok(Next::Line)
        },
    },
    Command {
        name: ":save",
        usage: "FILE",
        about: "write the session as a script, which nas-script FILE runs",
        argument: Argument::File,
        run: |repl, rest| {
            save(repl, &path(needed(":save", "a file", rest)?))?;
            Ok(Next::Line)
        },
    },
];

/// The path that was typed, from the home folder where it begins with `~/`.
fn path(typed: &str) -> PathBuf {
    let home = directories::UserDirs::new();
    match (typed.strip_prefix("~/"), home) {
        (Some(below), Some(home)) => home.home_dir().join(below),
        _ => typed.into(),
    }
}

fn save(repl: &Repl, path: &Path) -> Result<(), Failure> {
    let script = repl.session().journal.script();
    if script.is_empty() {
        return Err(Error::invalid(":save", "a session in which something ran", "none").into());
    }
    // A file that is there may be dear to somebody.
    let file = fs::File::create_new(path).map_err(Error::io("create", path));
    let (version, seed) = (env!("CARGO_PKG_VERSION"), repl.seed());
    let text = format!("// A session of nas-script {version} with --seed {seed}.\n{script}");
    let written = file.and_then(|mut file| {
        let written = std::io::Write::write_all(&mut file, text.as_bytes());
        written.map_err(Error::io("write", path))
    });
    written?;
    repl.print(&format!(
        "run it with: nas-script {} --seed {seed}",
        path.display()
    ));
    Ok(())
}
