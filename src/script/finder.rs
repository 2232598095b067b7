//! Where `import` finds modules: `nas/…` in the embedded standard library, `…@<digits>` by content among the modules of
//! packs and the added recipes, everything else below the script's folder, else below a folder of recipes, else among
//! the added recipes by name. Compiles nothing.

use std::path::{Path, PathBuf};

use include_dir::{Dir, include_dir};

use super::limits::within;
use super::{Sources, places};
use crate::error::Error;
use crate::evaluation::Digest;
use crate::recipe::{Bundled, MOST, Shelf};

static STDLIB: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/stdlib");

/// The paths and texts of the modules of the standard library.
pub fn library() -> impl Iterator<Item = (String, &'static str)> {
    let files = STDLIB.get_dir("nas").into_iter().flat_map(Dir::files);
    files.filter_map(|file| {
        let path = file.path().with_extension("");
        Some((path.display().to_string(), file.contents_utf8()?))
    })
}

/// The SHA-256 of the standard library: of the paths and texts of its modules.
pub fn library_digest() -> Digest {
    let modules = library().map(|(path, text)| format!("{path}\n{}\n{text}", text.len()));
    Digest::of_bytes(modules.collect::<String>().as_bytes())
}

/// The error of an import that is not to be had.
pub(super) fn refused(path: &str, reason: &str) -> Error {
    let found = format!("'{}': {reason}", path.escape_debug());
    Error::invalid("import", "a module", found)
}

/// Finds the texts of modules.
#[derive(Clone, Default)]
pub struct Finder {
    /// The script's folder, if its imports may lie there.
    pub folder: Option<PathBuf>,
    /// The folders of recipes, in order.
    pub recipes: Vec<PathBuf>,
    /// The most bytes of a module.
    pub most: Option<u64>,
    /// Where the modules of packs are.
    pub sources: Sources,
}

impl Finder {
    /// The name in errors and the text of the module at `path`.
    ///
    /// # Errors
    /// [`Error::Unknown`] for one that the standard library does not have; [`Error::Invalid`] for a path that leads
    /// out of the folders, or to nothing.
    pub(super) fn text(&self, path: &str) -> Result<(String, String), Error> {
        if path.starts_with("nas/") {
            let known = library().find(|(known, _)| known == path);
            let known = known.map(|(path, text)| (path, text.to_string()));
            let names = || library().map(|(path, _)| path);
            return known.ok_or_else(|| Error::unknown("module", path, names()));
        }
        self.found(path).map_err(|reason| refused(path, &reason))
    }

    /// The same of a module that is not of the standard library; else why it is not to be had.
    fn found(&self, path: &str) -> Result<(String, String), String> {
        let text = match Bundled::digits(path) {
            Some(digits) => self.by_content(path, digits)?,
            None => self.by_name(path)?,
        };
        let (name, text) = text;
        let unpacked = self.sources.unpack(Path::new(&name), &text);
        let text = unpacked.map_err(|error| error.to_string())?.into_owned();
        let what = format!("bytes of {name}");
        let size = within(&what, "source_size", self.most, text.len() as u64);
        size.map_err(|error| error.to_string())?;
        Ok((name, text))
    }

    /// The module whose SHA-256 begins with `digits`.
    fn by_content(&self, path: &str, digits: &str) -> Result<(String, String), String> {
        if let Some(module) = self.sources.bundled(digits) {
            return Ok((path.into(), module.text));
        }
        for shelf in self.shelves() {
            let found = shelf.beginning(digits).and_then(|digest| {
                let text = digest.map(|digest| shelf.text(&digest));
                text.transpose()
            });
            if let Some(text) = found.map_err(|error| error.to_string())? {
                return Ok((path.into(), text));
            }
        }
        Err(format!("no recipe with the SHA-256 {digits}… was added"))
    }

    fn by_name(&self, path: &str) -> Result<(String, String), String> {
        places::relative("import", path).map_err(|_| "imports stay inside the script's folder")?;
        let files = self.folder.iter().chain(&self.recipes).map(|folder| {
            let file = places::below(folder, "import", &format!("{path}.rhai"));
            file.map_err(|error| error.to_string())
        });
        let files: Vec<PathBuf> = files.collect::<Result<_, _>>()?;
        if let Some(file) = files.iter().find(|file| file.exists()) {
            // A pack has more than one module.
            let most = self.most.map(|most| most.max(MOST));
            places::readable("import", file, ("source_size", most))
                .map_err(|error| error.to_string())?;
            let name = file.display().to_string();
            return match std::fs::read_to_string(file) {
                Ok(text) => Ok((name, text)),
                Err(e) => Err(format!("{name}: {e}")),
            };
        }
        for shelf in self.shelves() {
            let found = shelf.find(path).map_err(|error| error.to_string())?;
            if let Some((_, text)) = found {
                return Ok((path.into(), text));
            }
        }
        // In the system's own words.
        let missing = |file: &PathBuf| match std::fs::metadata(file) {
            Err(error) => format!("{}: {error}", file.display()),
            Ok(_) => format!("{}: it came too late", file.display()),
        };
        Err(match (&self.folder, files.first()) {
            (Some(_), Some(file)) => missing(file),
            _ => "it is neither packed nor added; pack the recipe with what it imports".into(),
        })
    }

    fn shelves(&self) -> impl Iterator<Item = Shelf> {
        self.recipes.iter().map(|folder| Shelf::at(folder))
    }
}
