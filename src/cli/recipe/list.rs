//! `nas-script recipe list`: what scripts can import, with its title.

use std::fs;
use std::path::Path;

use super::Folder;
use super::subject::Found;
use crate::error::{Error, Result};
use crate::evaluation::Digest;
use crate::recipe::{Shelf, check_name, plain};
use crate::report::progress::say;
use crate::script::{self, Outline, Sources};

pub(super) fn list(folder: &Folder) -> Result<()> {
    let library = script::library().map(|(name, _)| (name, "standard library".to_string()));
    let mut all: Vec<(String, String)> = library.collect();
    // Who has no home has no recipes of their own, but those of the program.
    if let Ok(path) = folder.path() {
        let own = own(&path)?.into_iter();
        all.extend(own.map(|name| (name, "file".to_string())));
        for name in Shelf::at(&path).names()? {
            let entry = Shelf::at(&path).entry(&name);
            let digest = entry.ok().flatten().map(|entry| entry.sha256);
            let short = digest.as_ref().map(Digest::short);
            all.push((name, short.unwrap_or("damaged".into())));
        }
    }
    let width = all
        .iter()
        .map(|(name, _)| name.len())
        .max()
        .unwrap_or_default();
    let second = all
        .iter()
        .map(|(_, kind)| kind.len())
        .max()
        .unwrap_or_default();
    for (name, kind) in &all {
        say(&format!(
            "{name:<width$}  {kind:<second$}  {}",
            title(name, folder)
        ));
    }
    Ok(())
}

/// The recipes that the user put into `folder` by hand.
fn own(folder: &Path) -> Result<Vec<String>> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Ok(Vec::new());
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(Error::io("read", folder))?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let name = name.strip_suffix(".rhai").map(str::to_string);
        names.extend(name.filter(|name| check_name(name).is_ok()));
    }
    names.sort();
    Ok(names)
}

/// What the recipe says that it is, without its own name; why that cannot be told, if it cannot.
fn title(name: &str, folder: &Folder) -> String {
    let found = match Found::of(name, folder) {
        Ok(found) => found,
        Err(error) => return plain(&format!("({error})")),
    };
    match Outline::of(&Sources::default(), &found.path, &found.text) {
        Ok(outline) => {
            let title = plain(&outline.title());
            let bare = title
                .strip_prefix(name)
                .and_then(|title| title.strip_prefix(':'));
            bare.unwrap_or(&title).trim().to_string()
        }
        Err(diagnostic) => plain(&format!("({})", diagnostic.message)),
    }
}
