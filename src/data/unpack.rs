//! Archives to folders, all or nothing. Knows nothing of what is in them.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use flate2::bufread::GzDecoder;
use tar::{Archive, EntryType};

use super::file::read_error;
use crate::error::{Error, Result};

/// Unpacks the folder `folder` of the `.tar.gz` file `archive` into `dir`, and returns its path.
///
/// The files are unpacked under another name in `dir` first, so that a folder with the right name is
/// always complete.
///
/// # Errors
/// [`Error::DataCorrupt`] for a damaged archive, for one that has no such folder, and for one with an
/// entry that is a link or leads out of it; [`Error::Io`] where a file cannot be written.
pub fn unpack(archive: &Path, dir: &Path, folder: &str) -> Result<PathBuf> {
    let scratch = dir.join(format!(".{folder}.{}.unpacking", std::process::id()));
    std::fs::create_dir_all(&scratch).map_err(Error::io("create", &scratch))?;
    let target = dir.join(folder);
    let result = extract(archive, &scratch).and_then(|()| {
        let unpacked = scratch.join(folder);
        if !unpacked.is_dir() {
            return Err(refuse(archive, format!("a folder {folder}"), "none"));
        }
        std::fs::rename(&unpacked, &target).map_err(Error::io("create", &target))
    });
    let cleared = std::fs::remove_dir_all(&scratch).map_err(Error::io("remove", &scratch));
    result.and(cleared).map(|()| target)
}

fn extract(archive: &Path, into: &Path) -> Result<()> {
    let file = File::open(archive).map_err(Error::io("read", archive))?;
    let mut entries = Archive::new(GzDecoder::new(BufReader::new(file)));
    let damaged = |e| read_error(archive, e);
    for entry in entries.entries().map_err(damaged)? {
        let mut entry = entry.map_err(damaged)?;
        let path = entry.path().map_err(damaged)?.display().to_string();
        let kind = entry.header().entry_type();
        if !matches!(kind, EntryType::Regular | EntryType::Directory) {
            return Err(refuse(archive, "files and folders only", path));
        }
        // The tar crate passes over an entry whose path would lead out of the folder.
        if !entry.unpack_in(into).map_err(damaged)? {
            return Err(refuse(archive, "paths inside the archive", path));
        }
    }
    Ok(())
}

fn refuse(archive: &Path, expected: impl Into<String>, found: impl Into<String>) -> Error {
    Error::DataCorrupt {
        path: archive.to_path_buf(),
        record: None,
        expected: expected.into(),
        found: found.into(),
    }
}
