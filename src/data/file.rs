//! Reading a data file piece by piece, with errors that name the file and the record. Knows nothing
//! of any format but gzip.

use std::fs::File;
use std::io::{BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;

use crate::error::{Error, Result};

/// A data file, or a file inside an archive, that is read from start to end.
pub(super) struct DataFile<'a> {
    path: PathBuf,
    reader: Box<dyn Read + 'a>,
}

impl<'a> DataFile<'a> {
    /// Opens the file at `path`, unpacked on the way where its name ends in `.gz`.
    pub fn open(path: &Path) -> Result<Self> {
        let file = BufReader::new(File::open(path).map_err(Error::io("read", path))?);
        let reader: Box<dyn Read> = match path.extension() {
            Some(ext) if ext == "gz" => Box::new(BufReader::new(GzDecoder::new(file))),
            _ => Box::new(file),
        };
        Ok(Self::new(path.to_path_buf(), reader))
    }

    /// Reads from `reader`, under the name `path` in messages.
    pub fn new(path: PathBuf, reader: Box<dyn Read + 'a>) -> Self {
        Self { path, reader }
    }

    /// Fills `buffer` with record `number`; returns false at the end of the file.
    ///
    /// # Errors
    /// [`Error::DataCorrupt`] where the file ends within the record.
    pub fn record(&mut self, number: usize, buffer: &mut [u8]) -> Result<bool> {
        match self.fill(buffer)? {
            0 => Ok(false),
            n if n == buffer.len() => Ok(true),
            n => Err(self.cut(number, buffer.len(), n)),
        }
    }

    /// The error of a file that ends within or before record `number`.
    pub fn cut(&self, number: usize, expected: usize, found: usize) -> Error {
        let bytes = |n| format!("{n} bytes");
        self.corrupt(Some(number), bytes(expected), bytes(found))
    }

    /// Reads as much of `buffer` as the file still holds, and returns how much that was.
    pub fn fill(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.reader.read(&mut buffer[filled..]) {
                Ok(0) => break,
                Ok(n) => filled += n,
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(read_error(&self.path, e)),
            }
        }
        Ok(filled)
    }

    /// Reads the rest as lines of text without the empty ones.
    pub fn lines(&mut self) -> Result<Vec<String>> {
        let mut text = String::new();
        let read = self.reader.read_to_string(&mut text);
        read.map_err(|e| read_error(&self.path, e))?;
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        Ok(lines.map(String::from).collect())
    }

    /// Builds the [`Error::DataCorrupt`] of this file.
    pub fn corrupt(
        &self,
        record: Option<usize>,
        expected: impl Into<String>,
        found: impl std::fmt::Display,
    ) -> Error {
        Error::DataCorrupt {
            path: self.path.clone(),
            record,
            expected: expected.into(),
            found: found.to_string(),
        }
    }
}

/// Sorts a failed read into damaged content (a broken gzip stream or archive) and a refusal of the
/// system.
pub(super) fn read_error(path: &Path, error: std::io::Error) -> Error {
    match error.kind() {
        ErrorKind::UnexpectedEof
        | ErrorKind::InvalidData
        | ErrorKind::InvalidInput
        | ErrorKind::Other => Error::DataCorrupt {
            path: path.to_path_buf(),
            record: None,
            expected: "an intact file".into(),
            found: error.to_string(),
        },
        _ => Error::io("read", path)(error),
    }
}
