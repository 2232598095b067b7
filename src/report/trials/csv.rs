//! The table as comma-separated values (RFC 4180), with a header. What is not there is empty.

use std::io::Write;
use std::path::Path;

use super::{Cell, Table};
use crate::error::{Error, Result};

/// Writes `table` to `out`, which `path` names in errors.
///
/// # Errors
/// [`Error::Io`]; [`Error::Store`](crate::Error::Store).
pub fn csv(table: &Table, out: impl Write, path: &Path) -> Result<()> {
    let mut writer = ::csv::Writer::from_writer(out);
    let failed = |error: ::csv::Error| Error::io("write", path)(error.into());
    let names = table.columns().into_iter().map(|(name, _)| name);
    writer
        .write_record(names.collect::<Vec<_>>())
        .map_err(failed)?;
    table.each(|cells| {
        let texts = cells.into_iter().map(|cell| match cell {
            None => String::new(),
            Some(Cell::Int(number)) => number.to_string(),
            // With ".0" or an exponent: a reader that guesses types takes it for a float.
            Some(Cell::Float(number)) => format!("{number:?}"),
            Some(Cell::Bool(truth)) => truth.to_string(),
            Some(Cell::Text(text)) => text,
        });
        writer
            .write_record(texts.collect::<Vec<_>>())
            .map_err(failed)
    })?;
    writer.flush().map_err(Error::io("write", path))
}
