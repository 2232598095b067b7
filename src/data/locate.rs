//! Where data sets lie on this machine. Looks for files by name; what is in them is the readers'
//! business.

use std::iter;
use std::path::{Path, PathBuf};

use directories::BaseDirs;
use flate2::bufread::GzDecoder;
use tar::Archive;

use super::catalog::Known;
use super::file::{DataFile, read_error};
use crate::error::{Error, Result};

/// The environment variable that names a data folder.
const VARIABLE: &str = "NAS_SCRIPT_DATA";

/// The folders that are searched for data sets, in order: the one named on the command line, that of
/// `$NAS_SCRIPT_DATA`, and `nas-script` in the user's data folder.
#[derive(Clone, Debug)]
pub struct DataPaths {
    candidates: Vec<PathBuf>,
    download_dir: PathBuf,
}

impl DataPaths {
    /// Collects the folders; `data_dir` is that of `--data-dir`. Reads the environment.
    pub fn new(data_dir: Option<PathBuf>) -> Self {
        let variable = std::env::var_os(VARIABLE).filter(|value| !value.is_empty());
        let user = BaseDirs::new().map(|dirs| dirs.data_dir().join("nas-script"));
        let mut candidates = Vec::new();
        for folder in [data_dir, variable.map(PathBuf::from), user] {
            candidates.extend(folder.filter(|f| !candidates.contains(f)));
        }
        // A user without a home folder still gets a place: beside the work.
        let first = candidates.first().cloned();
        Self {
            candidates,
            download_dir: first.unwrap_or_else(|| PathBuf::from("nas-script-data")),
        }
    }

    /// Searches `folder` alone, whatever the machine has elsewhere.
    #[cfg(test)]
    pub(super) fn only(folder: &Path) -> Self {
        Self {
            candidates: vec![folder.to_path_buf()],
            download_dir: folder.to_path_buf(),
        }
    }

    /// The folders in the order they are searched.
    pub fn candidates(&self) -> &[PathBuf] {
        &self.candidates
    }

    /// The folder that downloads go to: the first of the candidates.
    pub fn download_dir(&self) -> &Path {
        &self.download_dir
    }
}

/// Finds the folder `path` of pictures: in `beside`, else in the candidates.
///
/// # Errors
/// [`Error::DataMissing`] with every place that was looked at.
pub(super) fn folder(path: &Path, beside: &Path, paths: &DataPaths) -> Result<PathBuf> {
    let places = iter::once(beside).chain(paths.candidates().iter().map(PathBuf::as_path));
    let mut looked: Vec<_> = places.map(|place| place.join(path)).collect();
    // An absolute path is the same in all of them.
    looked.dedup();
    match looked.iter().find(|place| place.is_dir()) {
        Some(found) => Ok(found.clone()),
        None => Err(Error::DataMissing {
            name: super::folder::name(path),
            wanted: "a folder with a sub-folder for each class".into(),
            looked,
            hint: "each class is a sub-folder of PNG or JPEG files".into(),
        }),
    }
}

/// Where the files of a data set are.
#[derive(Debug)]
pub(super) enum Place {
    Folder(PathBuf),
    /// A `.tar.gz` that is read without unpacking it.
    Archive(PathBuf),
}

impl Place {
    pub fn into_path(self) -> PathBuf {
        match self {
            Self::Folder(path) | Self::Archive(path) => path,
        }
    }

    /// Hands each file of `wanted` that is there to `visit`, in the order of the place.
    pub fn visit(
        &self,
        wanted: &[&str],
        mut visit: impl FnMut(&str, DataFile) -> Result<()>,
    ) -> Result<()> {
        match self {
            Self::Folder(folder) => {
                let mut there = wanted.iter().filter(|name| folder.join(name).is_file());
                there.try_for_each(|name| visit(name, DataFile::open(&folder.join(name))?))
            }
            Self::Archive(path) => {
                let file = std::fs::File::open(path).map_err(Error::io("read", path))?;
                let mut archive = Archive::new(GzDecoder::new(std::io::BufReader::new(file)));
                let damaged = |e| read_error(path, e);
                for entry in archive.entries().map_err(damaged)? {
                    let entry = entry.map_err(damaged)?;
                    let inside = entry.path().map_err(damaged)?.into_owned();
                    let name = inside.file_name().and_then(|name| name.to_str());
                    if let Some(name) = name.and_then(|n| wanted.iter().find(|w| **w == n)) {
                        visit(name, DataFile::new(path.join(name), Box::new(entry)))?;
                    }
                }
                Ok(())
            }
        }
    }
}

/// Finds the files of `set`: in each candidate its folder, its archive, or the candidate itself.
///
/// # Errors
/// [`Error::DataMissing`] that names the missing file where a part of the files was found.
pub(super) fn find(set: &Known, paths: &DataPaths) -> Result<Place> {
    let required = set.required();
    let mut partial = None;
    for candidate in paths.candidates() {
        let folder = candidate.join(set.folder);
        match missing(&folder, &required) {
            Missing::None => return Ok(Place::Folder(folder)),
            Missing::Some(file) => partial = partial.or(Some((folder, file))),
            Missing::All => {}
        }
        if let Some(archive) = set.archive().map(|a| candidate.join(a))
            && archive.is_file()
        {
            return Ok(Place::Archive(archive));
        }
        if matches!(missing(candidate, &required), Missing::None) {
            return Ok(Place::Folder(candidate.clone()));
        }
    }
    Err(match partial {
        Some((folder, file)) => not_found(set, file, vec![folder]),
        None => {
            let archive = set
                .archive()
                .map(|a| format!(" or {a}"))
                .unwrap_or_default();
            let wanted = format!("{}/{archive}", set.folder);
            not_found(set, wanted, paths.candidates().to_vec())
        }
    })
}

/// The error of a data set whose file `wanted` is in none of `looked`.
pub(super) fn not_found(set: &Known, wanted: String, looked: Vec<PathBuf>) -> Error {
    Error::DataMissing {
        name: set.name.into(),
        wanted,
        looked,
        hint: format!(
            "run `nas-script data fetch {}`, or name the folder that holds it with --data-dir",
            set.name
        ),
    }
}

enum Missing {
    None,
    /// The first name of the first group of which no file is there.
    Some(String),
    All,
}

fn missing(folder: &Path, required: &[Vec<String>]) -> Missing {
    let there = |group: &&Vec<String>| group.iter().any(|file| folder.join(file).is_file());
    let absent: Vec<_> = required.iter().filter(|group| !there(group)).collect();
    match absent.first() {
        None => Missing::None,
        Some(_) if absent.len() == required.len() => Missing::All,
        Some(group) => Missing::Some(group.join(" or ")),
    }
}
