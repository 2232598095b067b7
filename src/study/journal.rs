//! `trials.jsonl`: every trial with everything that is known of it, one JSON object a line.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};

use super::Trial;
use crate::error::{Error, Result};

/// The journal's name in a run's folder.
pub const JOURNAL_FILE: &str = "trials.jsonl";

/// An append-only file of trials.
pub struct Journal {
    file: File,
    path: PathBuf,
}

impl Journal {
    /// Creates the file; what was there is replaced.
    ///
    /// # Errors
    /// [`Error::Io`] where it cannot be created.
    pub fn create(path: &Path) -> Result<Self> {
        let file = File::create(path).map_err(Error::io("create", path))?;
        let path = path.to_path_buf();
        Ok(Self { file, path })
    }

    /// Appends `trial` as one line, in one write, so that a kill leaves whole lines.
    ///
    /// # Errors
    /// [`Error::Io`] where it cannot be written.
    pub fn append(&mut self, trial: &Trial) -> Result<()> {
        let io = Error::io("write", &self.path);
        let line = serde_json::to_string(trial).map_err(std::io::Error::from);
        let written = line.and_then(|line| self.file.write_all(format!("{line}\n").as_bytes()));
        written.map_err(io)
    }

    /// Reads the trials of a journal.
    ///
    /// # Errors
    /// [`Error::Io`], or [`Error::DataCorrupt`] with the line's number (from 0) as the record.
    pub fn read(path: &Path) -> Result<Vec<Trial>> {
        let file = File::open(path).map_err(Error::io("open", path))?;
        let lines = BufReader::new(file).lines().enumerate();
        let parse = |(record, line): (usize, std::io::Result<String>)| {
            let line = line.map_err(Error::io("read", path))?;
            serde_json::from_str(&line).map_err(|e| Error::DataCorrupt {
                path: path.to_path_buf(),
                record: Some(record),
                expected: "a trial".into(),
                found: e.to_string(),
            })
        };
        lines.map(parse).collect()
    }
}
