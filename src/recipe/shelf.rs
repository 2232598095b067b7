//! A folder of added recipes: texts that never change under their SHA-256, and names that point to them. Files that the
//! user put there by hand are imports like any others, and none of its business.

use std::fs;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use super::{name, text};
use crate::error::{Error, Result};
use crate::evaluation::Digest;

/// The environment variable that names the folder.
const VARIABLE: &str = "NAS_SCRIPT_RECIPES";

/// The folder of recipes: the one `given`, else that of `NAS_SCRIPT_RECIPES`, else `recipes` in the user's data folder;
/// none where the user has no home.
pub fn folder(given: Option<PathBuf>) -> Option<PathBuf> {
    let named = || std::env::var_os(VARIABLE).filter(|name| !name.is_empty());
    let own = || {
        let user = directories::ProjectDirs::from("", "", "nas-script")?;
        Some(user.data_dir().join("recipes"))
    };
    given.or_else(|| named().map(PathBuf::from)).or_else(own)
}

/// The texts and the names of a folder of recipes: `store/<sha256>.rhai` and `added/<name>.json`.
pub struct Shelf(PathBuf);

/// What a name points to.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// The SHA-256 of the text.
    pub sha256: Digest,
    /// Where it came from.
    pub from: String,
}

/// What adding a recipe changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Added {
    /// The name is new.
    New,
    /// The name stood for the same text already.
    Same,
    /// The name stood for the text with this SHA-256.
    Changed(Digest),
}

impl Shelf {
    /// The shelf in `folder`, which need not be there.
    pub fn at(folder: &Path) -> Self {
        Self(folder.to_path_buf())
    }

    /// The names in alphabetical order.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn names(&self) -> Result<Vec<String>> {
        let folder = self.0.join("added");
        let mut names: Vec<String> = files(&folder)?
            .into_iter()
            .filter_map(|file| Some(file.strip_suffix(".json")?.to_string()))
            .filter(|found| name::check(found).is_ok())
            .collect();
        names.sort();
        Ok(names)
    }

    /// What `name` points to, if it is there.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::DataCorrupt`] where the entry is not one.
    pub fn entry(&self, name: &str) -> Result<Option<Entry>> {
        if name::check(name).is_err() {
            return Ok(None);
        }
        let path = self.pointer(name);
        let json = match fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            read => read.map_err(Error::io("read", &path))?,
        };
        let corrupt = |error: serde_json::Error| Error::DataCorrupt {
            path,
            record: None,
            expected: "the SHA-256 and the origin of a recipe".into(),
            found: error.to_string(),
        };
        serde_json::from_slice(&json).map(Some).map_err(corrupt)
    }

    /// The text that `name` stands for, if it is there.
    ///
    /// # Errors
    /// As [`entry`](Self::entry) and [`text`](Self::text).
    pub fn find(&self, name: &str) -> Result<Option<(Entry, String)>> {
        let Some(entry) = self.entry(name)? else {
            return Ok(None);
        };
        let text = self.text(&entry.sha256)?;
        Ok(Some((entry, text)))
    }

    /// The text with the SHA-256 `digest`.
    ///
    /// # Errors
    /// [`Error::Io`] where it is not there; [`Error::DataCorrupt`] where the file holds another text.
    pub fn text(&self, digest: &Digest) -> Result<String> {
        let path = self.place(digest);
        let text = text::read(&path)?;
        let found = Digest::of_bytes(text.as_bytes());
        match found == *digest {
            true => Ok(text),
            false => Err(Error::DataCorrupt {
                path,
                record: None,
                expected: format!("a text with the SHA-256 {digest}"),
                found: found.to_string(),
            }),
        }
    }

    /// The SHA-256 of a text here that begins with `digits`.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn beginning(&self, digits: &str) -> Result<Option<Digest>> {
        let names = files(&self.0.join("store"))?.into_iter();
        let mut found = names.filter(|name| name.starts_with(digits));
        Ok(found.find_map(|name| name.strip_suffix(".rhai")?.parse().ok()))
    }

    /// Keeps `text`, which came `from` somewhere, and lets `name` point to it. What was there under the name stays in
    /// the store. Whoever reads meanwhile sees the one or the other.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a name that is none or is a file of the user's own; [`Error::Io`].
    pub fn add(&self, name: &str, text: &str, from: &str) -> Result<Added> {
        name::check(name)?;
        let own = self.0.join(format!("{name}.rhai"));
        if own.exists() {
            let found = format!("{}, which imports would find first", own.display());
            let expected = "a name without a file of your own (--name gives another)";
            return Err(Error::invalid(format!("recipe {name:?}"), expected, found));
        }
        let sha256 = Digest::of_bytes(text.as_bytes());
        let before = self.entry(name)?;
        let place = self.place(&sha256);
        if self.text(&sha256).is_err() {
            write(&place, text.as_bytes())?;
        }
        let entry = Entry {
            sha256,
            from: from.into(),
        };
        let json = serde_json::to_vec_pretty(&entry).map_err(std::io::Error::from);
        let pointer = self.pointer(name);
        write(&pointer, &json.map_err(Error::io("write", &pointer))?)?;
        Ok(match before {
            None => Added::New,
            Some(before) if before.sha256 == sha256 => Added::Same,
            Some(before) => Added::Changed(before.sha256),
        })
    }

    /// Removes `name`, and its text unless another name stands for it too.
    ///
    /// # Errors
    /// [`Error::Unknown`] where it is not there; [`Error::Io`].
    pub fn remove(&self, name: &str) -> Result<()> {
        let Some(entry) = self.entry(name)? else {
            return Err(Error::unknown("added recipe", name, self.names()?));
        };
        let remove = |path: PathBuf| match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                Err(Error::io("remove", &path)(error))
            }
            _ => Ok(()),
        };
        remove(self.pointer(name))?;
        for other in self.names()? {
            if self
                .entry(&other)?
                .is_some_and(|other| other.sha256 == entry.sha256)
            {
                return Ok(());
            }
        }
        remove(self.place(&entry.sha256))
    }

    fn pointer(&self, name: &str) -> PathBuf {
        self.0.join("added").join(format!("{name}.json"))
    }

    fn place(&self, digest: &Digest) -> PathBuf {
        self.0.join("store").join(format!("{digest}.rhai"))
    }
}

/// The names of the files in `folder`; none where there is no folder.
fn files(folder: &Path) -> Result<Vec<String>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        read => read.map_err(Error::io("read", folder))?,
    };
    let names = entries.map(|entry| {
        let entry = entry.map_err(Error::io("read", folder))?;
        Ok(entry.file_name().to_string_lossy().into_owned())
    });
    names.collect()
}

/// Writes a file that is there whole or not at all.
fn write(path: &Path, content: &[u8]) -> Result<()> {
    let io = |error| Error::io("write", path)(error);
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
    let mut file = NamedTempFile::new_in(folder).map_err(io)?;
    file.write_all(content).map_err(io)?;
    file.as_file().sync_all().map_err(io)?;
    file.persist(path).map_err(|error| io(error.error))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shelf() -> (tempfile::TempDir, Shelf) {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::at(&folder.path().join("recipes"));
        (folder, shelf)
    }

    #[test]
    fn a_name_stands_for_the_text_that_was_added_last() {
        let (_folder, shelf) = shelf();
        assert_eq!(shelf.names().unwrap(), Vec::<String>::new());
        assert_eq!(shelf.add("mine", "one", "a").unwrap(), Added::New);
        assert_eq!(shelf.add("mine", "one", "b").unwrap(), Added::Same);
        let one = Digest::of_bytes(b"one");
        assert_eq!(shelf.add("mine", "two", "a").unwrap(), Added::Changed(one));
        let (entry, text) = shelf.find("mine").unwrap().unwrap();
        assert_eq!((text.as_str(), entry.from.as_str()), ("two", "a"));
        assert_eq!(
            shelf.text(&one).unwrap(),
            "one",
            "the store keeps what it has"
        );
        assert_eq!(shelf.beginning(&one.short()).unwrap(), Some(one));
        assert_eq!(shelf.names().unwrap(), ["mine"]);
    }

    #[test]
    fn a_text_that_was_changed_in_the_store_is_refused_and_can_be_added_again() {
        let (_folder, shelf) = shelf();
        shelf.add("mine", "one", "a").unwrap();
        let place = shelf.place(&Digest::of_bytes(b"one"));
        fs::write(&place, "two").unwrap();
        let error = shelf.find("mine").unwrap_err().to_string();
        assert!(
            error.contains("expected a text with the SHA-256"),
            "{error}"
        );
        shelf.add("mine", "one", "a").unwrap();
        assert_eq!(shelf.find("mine").unwrap().unwrap().1, "one");
    }

    #[test]
    fn a_text_goes_with_its_last_name() {
        let (_folder, shelf) = shelf();
        shelf.add("mine", "one", "a").unwrap();
        shelf.add("yours", "one", "a").unwrap();
        shelf.remove("mine").unwrap();
        assert_eq!(shelf.find("yours").unwrap().unwrap().1, "one");
        shelf.remove("yours").unwrap();
        assert!(shelf.text(&Digest::of_bytes(b"one")).is_err());
        let error = shelf.remove("yours").unwrap_err().to_string();
        assert!(error.contains("unknown added recipe 'yours'"), "{error}");
    }

    #[test]
    fn names_lead_nowhere_else() {
        let (folder, shelf) = shelf();
        fs::write(folder.path().join("secret.json"), "{}").unwrap();
        assert_eq!(shelf.find("../../secret").unwrap(), None);
        assert!(shelf.add("../evil", "text", "a").is_err());
        assert!(!folder.path().join("recipes").exists(), "nothing is made");
    }
}
