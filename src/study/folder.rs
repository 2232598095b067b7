//! The folder of one run: `runs/<script>-<n>/`.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// A folder that belongs to one run.
#[derive(Clone, Debug)]
pub struct RunFolder(PathBuf);

impl RunFolder {
    /// Creates `<base>/<name>-<n>` with the first `n` from 1 that is free, also when several runs
    /// start at once. What file systems do not take in a name, and what is too long, is left out.
    ///
    /// # Errors
    /// [`Error::Io`] where the folder cannot be created.
    pub fn create(base: &Path, name: &str) -> Result<Self> {
        fs::create_dir_all(base).map_err(Error::io("create folder", base))?;
        let name = portable(name);
        let mut n = 1;
        loop {
            let path = base.join(format!("{name}-{n}"));
            match fs::create_dir(&path) {
                Ok(()) => return Ok(Self(path)),
                Err(e) if e.kind() == ErrorKind::AlreadyExists => n += 1,
                Err(e) => return Err(Error::io("create folder", &path)(e)),
            }
        }
    }

    /// Creates exactly `path`, which must be new or empty.
    ///
    /// # Errors
    /// [`Error::Io`] where it cannot be created, [`Error::Invalid`] where it holds files.
    pub fn at(path: &Path) -> Result<Self> {
        fs::create_dir_all(path).map_err(Error::io("create folder", path))?;
        let mut entries = fs::read_dir(path).map_err(Error::io("read folder", path))?;
        if entries.next().is_some() {
            let found = format!("{} with files in it", path.display());
            return Err(Error::invalid("--out", "a new or empty folder", found));
        }
        Ok(Self(path.to_path_buf()))
    }

    /// The folder `path` of a study that goes on. What follows the trials is written anew, so the TensorBoard
    /// events of before are removed; a folder that is gone is made again.
    ///
    /// # Errors
    /// [`Error::Io`] where it cannot be used.
    pub fn again(path: &Path) -> Result<Self> {
        fs::create_dir_all(path).map_err(Error::io("create folder", path))?;
        for entry in fs::read_dir(path).map_err(Error::io("read folder", path))? {
            let entry = entry.map_err(Error::io("read folder", path))?;
            let name = entry.file_name();
            if name.to_string_lossy().starts_with("events.out.tfevents.") {
                let old = entry.path();
                fs::remove_file(&old).map_err(Error::io("remove", &old))?;
            }
        }
        Ok(Self(path.to_path_buf()))
    }

    /// The folder's path.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The path of `name` in the folder.
    pub fn file(&self, name: impl AsRef<Path>) -> PathBuf {
        self.0.join(name)
    }
}

/// The longest name of a folder, in characters; most file systems take 255 bytes.
const LONGEST: usize = 60;

/// `name` as every file system takes it: letters and digits of any script, `-`, `_` and `.` within.
pub fn portable(name: &str) -> String {
    let plain = |sign: char| sign.is_alphanumeric() || "-_.".contains(sign);
    let signs = name
        .chars()
        .map(|sign| if plain(sign) { sign } else { '_' });
    let text: String = signs.take(LONGEST).collect();
    let text = text.trim_matches(['.', '_']);
    match text.is_empty() {
        true => "study".into(),
        false => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::portable;

    #[test]
    fn a_folder_has_a_name_that_every_file_system_takes() {
        assert_eq!(portable("digits-2.b"), "digits-2.b");
        assert_eq!(portable("../../etc/<script>\0"), "etc__script");
        assert_eq!(portable("ネット/検索"), "ネット_検索");
        assert_eq!(portable("..//"), "study");
        assert_eq!(portable(&"ü".repeat(10_000)).chars().count(), 60);
    }
}
