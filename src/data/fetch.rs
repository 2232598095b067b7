//! A data set from the web to this machine: which files, and what is done with them. How a file
//! travels is `download`'s business.

use std::path::PathBuf;

use super::catalog;
use super::download::{Progress, download};
use super::locate::{self, DataPaths};
use super::unpack::unpack;
use crate::error::{Error, Result};

/// Downloads the data set called `name` into the download folder of `paths`, and returns the folder
/// (or archive) that holds it. One that is on this machine already is left as it is.
///
/// `url` replaces the published address: of the archive, or of the folder that holds the files where
/// there are several. The hashes of the published files are checked all the same.
///
/// # Errors
/// [`Error::Unknown`] for another name, [`Error::Invalid`] for a set that is built in, and those of
/// [`download`] and [`unpack`].
pub fn fetch(
    name: &str,
    url: Option<&str>,
    paths: &DataPaths,
    progress: &mut dyn FnMut(Progress<'_>),
) -> Result<PathBuf> {
    let set = catalog::find(name)?;
    if set.published.is_empty() {
        let what = format!("data set '{name}'");
        return Err(Error::invalid(
            what,
            "one to download",
            "one that is built in",
        ));
    }
    if let Ok(place) = locate::find(set, paths) {
        return Ok(place.into_path());
    }
    let dir = paths.download_dir();
    let folder = dir.join(set.folder);
    for source in set.sources(url) {
        if set.archived {
            let archive = download(&source, dir, progress)?;
            unpack(&archive, dir, set.folder)?;
            // The folder holds all of it.
            std::fs::remove_file(&archive).map_err(Error::io("remove", &archive))?;
        } else {
            download(&source, &folder, progress)?;
        }
    }
    Ok(folder)
}
