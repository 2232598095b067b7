//! Labelled images: the data sets that are known, how they are read, divided, normalised and handed
//! out in batches. Knows nothing of networks, training or scripts.
//!
//! The way of a data set: [`catalog`] says what exists, `locate` where it is, a reader (`cifar`,
//! `idx`, `digits`, `folder`, `synthetic`) turns files into `Raw` records, `divide` draws the
//! splits, and [`Dataset`] joins them. It remembers its [`DataSource`], from which [`open`] makes it
//! again.

mod augment;
mod catalog;
mod cifar;
mod dataset;
mod digits;
mod divide;
mod download;
mod fetch;
mod file;
mod folder;
mod idx;
mod locate;
mod normalise;
mod raw;
mod resident;
mod source;
mod split;
mod synthetic;
#[cfg(test)]
mod tests;
mod unpack;

pub use augment::Augment;
pub use catalog::{CatalogEntry, CatalogFile, catalog};
pub use dataset::Dataset;
pub use divide::DataOptions;
pub use download::{Progress, Source, download};
pub use fetch::fetch;
pub use folder::{FolderOptions, load_folder};
pub use locate::DataPaths;
pub use source::{DataSource, open};
pub use split::{Batch, Split};
pub use synthetic::{SyntheticOptions, synthetic};
pub use unpack::unpack;

use crate::error::Result;

/// Loads the data set called `name`: "digits" (built in), "cifar10", "cifar100", "mnist" or
/// "fashion_mnist".
///
/// # Errors
/// [`Unknown`](crate::Error::Unknown) for another name,
/// [`DataMissing`](crate::Error::DataMissing) where its files are in none of the folders of `paths`,
/// [`DataCorrupt`](crate::Error::DataCorrupt) where a file is not what its format says, and
/// [`Invalid`](crate::Error::Invalid) where `options` ask for more records than there are.
pub fn load(name: &str, options: &DataOptions, paths: &DataPaths) -> Result<Dataset> {
    let source = DataSource::Known {
        name: name.into(),
        options: *options,
    };
    open(&source, paths)
}
