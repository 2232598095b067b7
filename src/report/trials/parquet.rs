//! The table as Parquet, every column with its type; compressed by Snappy.

use std::io::Write;
use std::path::Path;
use std::sync::Arc;

use ::parquet::basic::{Compression, LogicalType, Repetition, Type as Physical};
use ::parquet::data_type::{BoolType, ByteArray, ByteArrayType, DoubleType, Int64Type};
use ::parquet::errors::{ParquetError, Result as Written};
use ::parquet::file::properties::WriterProperties;
use ::parquet::file::writer::{SerializedColumnWriter, SerializedFileWriter};
use ::parquet::schema::types::Type;

use super::{Cell, Kind, Table};
use crate::error::{Error, Result};

/// The most rows, and the most cells, that are written at a time.
const GROUP: (usize, usize) = (10_000, 500_000);

/// Writes `table` to `out`, which `path` names in errors.
///
/// # Errors
/// [`Error::Io`]; [`Error::Store`](crate::Error::Store).
pub fn parquet(table: &Table, out: impl Write + Send, path: &Path) -> Result<()> {
    let failed = |error: ParquetError| Error::io("write", path)(std::io::Error::other(error));
    let columns = table.columns();
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .build();
    let schema = schema(&columns).map_err(failed)?;
    let mut writer =
        SerializedFileWriter::new(out, Arc::new(schema), Arc::new(properties)).map_err(failed)?;
    let most = (GROUP.1 / columns.len().max(1)).clamp(1, GROUP.0);
    let mut rows: Vec<Vec<Option<Cell>>> = Vec::new();
    table.each(|cells| {
        rows.push(cells);
        if rows.len() == most {
            group(&mut writer, &columns, &rows).map_err(failed)?;
            rows.clear();
        }
        Ok(())
    })?;
    if !rows.is_empty() {
        group(&mut writer, &columns, &rows).map_err(failed)?;
    }
    writer.close().map(drop).map_err(failed)
}

fn schema(columns: &[(String, Kind)]) -> Written<Type> {
    let field = |(name, kind): &(String, Kind)| {
        let (physical, logical) = match kind {
            Kind::Int => (Physical::INT64, None),
            Kind::Float => (Physical::DOUBLE, None),
            Kind::Bool => (Physical::BOOLEAN, None),
            Kind::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
        };
        let field = Type::primitive_type_builder(name, physical)
            .with_logical_type(logical)
            .with_repetition(Repetition::OPTIONAL);
        field.build().map(Arc::new)
    };
    let fields = columns.iter().map(field).collect::<Written<Vec<_>>>()?;
    Type::group_type_builder("trials")
        .with_fields(fields)
        .build()
}

fn group<W: Write + Send>(
    writer: &mut SerializedFileWriter<W>,
    columns: &[(String, Kind)],
    rows: &[Vec<Option<Cell>>],
) -> Written<()> {
    let mut group = writer.next_row_group()?;
    for (index, (_, kind)) in columns.iter().enumerate() {
        let Some(mut column) = group.next_column()? else {
            break;
        };
        let cells = || rows.iter().map(|row| row[index].as_ref());
        // 1 where there is a value.
        let levels: Vec<i16> = cells().map(|cell| i16::from(cell.is_some())).collect();
        write(&mut column, *kind, cells().flatten(), &levels)?;
        column.close()?;
    }
    group.close().map(drop)
}

fn write<'a>(
    column: &mut SerializedColumnWriter,
    kind: Kind,
    cells: impl Iterator<Item = &'a Cell>,
    levels: &[i16],
) -> Written<()> {
    macro_rules! batch {
        ($type:ty, $pattern:pat => $value:expr) => {{
            let values: Vec<_> = cells
                .filter_map(|cell| match cell {
                    $pattern => Some($value),
                    _ => None,
                })
                .collect();
            column
                .typed::<$type>()
                .write_batch(&values, Some(levels), None)
                .map(drop)
        }};
    }
    match kind {
        Kind::Int => batch!(Int64Type, Cell::Int(value) => *value),
        Kind::Float => batch!(DoubleType, Cell::Float(value) => *value),
        Kind::Bool => batch!(BoolType, Cell::Bool(value) => *value),
        Kind::Text => batch!(ByteArrayType, Cell::Text(value) => ByteArray::from(value.as_str())),
    }
}
