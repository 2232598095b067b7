//! Where a data set came from, in words that another process or machine can open again. Knows which
//! reader reads what, not how.

use std::path::PathBuf;

use super::catalog::{self, Format};
use super::dataset::Dataset;
use super::divide::DataOptions;
use super::folder::{self, FolderOptions};
use super::locate::{self, DataPaths};
use super::synthetic::{self, SyntheticOptions};
use super::{cifar, digits, idx};
use crate::error::Result;

/// Where a data set came from, with everything that was asked of it.
///
/// Whether what is opened elsewhere is the same, [`Dataset::content_hash`] tells.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum DataSource {
    /// See [`load`](super::load).
    Known {
        /// Its name in the catalogue.
        name: String,
        /// How it is divided.
        options: DataOptions,
    },
    /// See [`load_folder`](super::load_folder).
    Folder {
        /// The folder of pictures, as it was named.
        path: PathBuf,
        /// The folder beside which it is looked for first.
        beside: PathBuf,
        /// How it is read and divided.
        options: FolderOptions,
    },
    /// See [`synthetic`](super::synthetic()).
    Synthetic {
        /// What is made up.
        made: SyntheticOptions,
        /// How it is divided.
        options: DataOptions,
    },
}

/// Opens the data set of `source`, with the files that are on this machine.
///
/// # Errors
/// As the function that the kind of source names.
pub fn open(source: &DataSource, paths: &DataPaths) -> Result<Dataset> {
    let (raw, options) = match source {
        DataSource::Known { name, options } => {
            let set = catalog::find(name)?;
            let raw = match set.format {
                Format::Digits => digits::read(set)?,
                Format::Cifar(layout) => cifar::read(set, layout, &locate::find(set, paths)?)?,
                Format::Idx => idx::read(set, &locate::find(set, paths)?)?,
            };
            (raw, options)
        }
        DataSource::Folder {
            path,
            beside,
            options,
        } => {
            let path = locate::folder(path, beside, paths)?;
            (folder::read(&path, options.size)?, &options.data)
        }
        DataSource::Synthetic { made, options } => (synthetic::make(made)?, options),
    };
    Dataset::new(raw, options, source.clone())
}
