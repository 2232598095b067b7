//! `nas-script check FILE…`: what is wrong with scripts, without running them.

use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::sandbox::SandboxArgs;
use super::{colour, read_script};
use crate::error::{Error, Result};
use crate::report::progress::say;
use crate::script::{self, Diagnostic, Severity, Sources};

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Scripts and recipes; `-` is standard input.
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// How findings are written: for people on standard error, or as lines of JSON on standard output for editors.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Fail on warnings too.
    #[arg(long, value_name = "warnings")]
    deny: Option<Denied>,
    #[command(flatten)]
    sandbox: SandboxArgs,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Format {
    Text,
    Json,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Denied {
    Warnings,
}

/// Checks the files; returns whether they pass.
pub(super) fn run(arguments: &Arguments) -> Result<bool> {
    let sandbox = arguments.sandbox.open()?;
    let (mut errors, mut warnings) = (0, 0);
    for file in &arguments.files {
        let (name, text) = read(file)?;
        let folder = file.parent().unwrap_or(Path::new(""));
        let sources = Sources::default();
        for finding in script::check(&sources, &name, &text, folder, &sandbox) {
            match finding.severity {
                Severity::Error => errors += 1,
                Severity::Warning => warnings += 1,
            }
            match arguments.format {
                Format::Text => eprintln!("{}", finding.render(&sources, colour())),
                Format::Json => say(&json(&finding, &sources)),
            }
        }
    }
    if arguments.format == Format::Text && errors + warnings > 0 {
        eprintln!("{}, {}", count(errors, "error"), count(warnings, "warning"));
    }
    Ok(errors == 0 && (warnings == 0 || arguments.deny.is_none()))
}

/// The name in findings and the text of a file.
fn read(file: &Path) -> Result<(PathBuf, String)> {
    if file != Path::new("-") {
        return Ok((file.to_path_buf(), read_script(file)?));
    }
    let name = PathBuf::from("<stdin>");
    let mut text = String::new();
    let read = std::io::stdin().read_to_string(&mut text);
    read.map_err(Error::io("read", &name))?;
    Ok((name, text))
}

fn count(number: usize, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}

/// A finding as a line of JSON. Lines and columns count from 1, in characters; the end is after the last one.
fn json(finding: &Diagnostic, sources: &Sources) -> String {
    let place = |place: Option<(usize, usize)>| {
        place.map(|(line, column)| json!({ "line": line, "column": column }))
    };
    let severity = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
    };
    let (line, column) = finding.place.unwrap_or((1, 1));
    let line = json!({
        "file": finding.source,
        "line": line,
        "column": column,
        "end": place(finding.end(sources)),
        "severity": severity,
        "code": finding.code,
        "message": finding.message,
        "notes": finding.notes,
    });
    line.to_string()
}
