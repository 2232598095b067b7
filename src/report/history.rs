//! `train_history.csv`: the original's columns (accuracy, reward, then the chosen values), under a
//! header.

use std::fs::File;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::study::{Decided, Recorder, Trial};

/// The history's name in a run's folder.
pub const HISTORY_FILE: &str = "train_history.csv";

/// Writes one row a trial; the columns of the values are those of the first trial.
pub struct History {
    writer: csv::Writer<File>,
    path: PathBuf,
    columns: Option<Vec<String>>,
}

impl History {
    /// Creates the file.
    ///
    /// # Errors
    /// [`Error::Io`] where it cannot be created.
    pub fn create(path: &Path) -> Result<Self> {
        let file = File::create(path).map_err(Error::io("create", path))?;
        Ok(Self {
            writer: csv::WriterBuilder::new().flexible(true).from_writer(file),
            path: path.to_path_buf(),
            columns: None,
        })
    }
}

/// `kernel_1` for the first layer's kernel, `head` for a choice.
fn column(decided: &Decided) -> String {
    match decided.layer {
        Some(layer) => format!("{}_{layer}", decided.state),
        None => decided.state.clone(),
    }
}

impl Recorder for History {
    fn trial(&mut self, trial: &Trial) -> Result<()> {
        let decided = trial.actions.iter().flat_map(|a| &a.decided);
        let columns: Vec<String> = decided.clone().map(column).collect();
        let header = ["accuracy", "reward"].map(String::from);
        let accuracy = trial.outcome.accuracy.map(|a| a.to_string());
        let row = [accuracy.unwrap_or_default(), trial.reward.to_string()];
        let row = row.into_iter().chain(decided.map(|d| d.value.to_string()));
        // A script that changes its space in mid-run starts a new block under its own header.
        let written = if self.columns.as_ref() == Some(&columns) {
            Ok(())
        } else {
            let written = self.writer.write_record(header.iter().chain(&columns));
            self.columns = Some(columns);
            written
        };
        written
            .and_then(|()| self.writer.write_record(row))
            .map_err(|e| Error::io("write", &self.path)(e.into()))
    }

    fn flush(&mut self) -> Result<()> {
        self.writer.flush().map_err(Error::io("write", &self.path))
    }
}
