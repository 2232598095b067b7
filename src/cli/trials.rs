//! `nas-script trials`: the trials of studies as a table that other programs read.

use std::io::BufWriter;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::store::{StoreArgs, find};
use crate::error::{Error, Result};
use crate::report::progress::say;
use crate::report::trials::{Table, csv, jsonl, parquet};

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The studies.
    #[arg(required = true)]
    studies: Vec<String>,
    /// The file, which ends in .csv, .parquet or .jsonl [default: CSV to standard output].
    #[arg(short, long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Replace a file that is there.
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    store: StoreArgs,
}

/// What a table is written as.
#[derive(Clone, Copy)]
enum Form {
    Csv,
    Parquet,
    Jsonl,
}

pub(super) fn run(arguments: &Arguments) -> Result<()> {
    let to = arguments
        .out
        .as_deref()
        .map(|out| form(out, arguments.force));
    let to = to.transpose()?;
    let opened = arguments.store.present()?;
    let store = &*opened.store;
    let studies = arguments.studies.iter().map(|name| find(store, name));
    let studies = studies.collect::<Result<Vec<_>>>()?;
    let table = Table::new(store, &studies)?;
    let (Some(out), Some(form)) = (&arguments.out, to) else {
        return print(&table);
    };
    // A reader sees the whole file or none.
    let folder = match out.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    };
    let mut buffered = BufWriter::new(part(folder).map_err(Error::io("create", out))?);
    match form {
        Form::Csv => csv(&table, &mut buffered, out)?,
        Form::Parquet => parquet(&table, &mut buffered, out)?,
        Form::Jsonl => jsonl(&table, &mut buffered, out)?,
    }
    let whole = buffered
        .into_inner()
        .map_err(|e| Error::io("write", out)(e.into_error()))?;
    let kept = match arguments.force {
        true => whole.persist(out),
        // One that has come to be there since is not replaced either.
        false => whole.persist_noclobber(out),
    };
    kept.map_err(|error| Error::io("write", out)(error.error))?;
    say(&out.display().to_string());
    Ok(())
}

fn form(out: &Path, force: bool) -> Result<Form> {
    let ending = out
        .extension()
        .map(|ending| ending.to_string_lossy().to_lowercase());
    let form = match ending.as_deref() {
        Some("csv") => Form::Csv,
        Some("parquet") => Form::Parquet,
        Some("jsonl") => Form::Jsonl,
        _ => {
            let expected = "a name that ends in .csv, .parquet or .jsonl";
            return Err(Error::invalid("--out", expected, out.display()));
        }
    };
    if out.exists() && !force {
        let found = format!("{}, which is there (--force replaces it)", out.display());
        return Err(Error::invalid("--out", "a new file", found));
    }
    Ok(form)
}

/// A file in `folder` that is gone if it does not get a name, as readable as any other.
fn part(folder: &Path) -> std::io::Result<NamedTempFile> {
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o666));
    }
    builder
        .prefix(".trials-")
        .suffix(".part")
        .tempfile_in(folder)
}

/// Prints the table as CSV.
fn print(table: &Table) -> Result<()> {
    let out = std::io::stdout().lock();
    match csv(table, out, Path::new("standard output")) {
        // A reader that went away has what it wanted.
        Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        written => written,
    }
}
