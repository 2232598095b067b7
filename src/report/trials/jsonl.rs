//! The table as JSON lines: an object a trial. What is not there is left out; a number that JSON has no word for is a string.

use std::io::Write;
use std::path::Path;

use serde::Serializer;
use serde::ser::SerializeMap;

use super::{Cell, Table};
use crate::error::{Error, Result};

/// Writes `table` to `out`, which `path` names in errors.
///
/// # Errors
/// [`Error::Io`]; [`Error::Store`](crate::Error::Store).
pub fn jsonl(table: &Table, mut out: impl Write, path: &Path) -> Result<()> {
    let columns = table.columns();
    table.each(|cells| {
        let named = columns.iter().map(|(name, _)| name).zip(&cells);
        let named = named.filter_map(|(name, cell)| Some((name, cell.as_ref()?)));
        let mut line = Vec::new();
        object(&mut line, named).map_err(|error| Error::io("write", path)(error.into()))?;
        line.push(b'\n');
        out.write_all(&line).map_err(Error::io("write", path))
    })?;
    out.flush().map_err(Error::io("write", path))
}

fn object<'a>(
    line: &mut Vec<u8>,
    cells: impl Iterator<Item = (&'a String, &'a Cell)>,
) -> serde_json::Result<()> {
    let mut writer = serde_json::Serializer::new(line);
    let mut object = writer.serialize_map(None)?;
    for (name, cell) in cells {
        match cell {
            Cell::Int(number) => object.serialize_entry(name, number)?,
            Cell::Float(number) if number.is_finite() => object.serialize_entry(name, number)?,
            Cell::Float(number) => object.serialize_entry(name, &number.to_string())?,
            Cell::Bool(truth) => object.serialize_entry(name, truth)?,
            Cell::Text(text) => object.serialize_entry(name, text)?,
        }
    }
    object.end()
}
