//! Where scripts may read and write: below a folder, whatever links lie in it. Knows no folder by itself.

use std::fs;
use std::io::ErrorKind;
use std::path::{Component, Path, PathBuf};

use crate::error::{Error, Result};

/// The path that a script names, if it is relative and has no `..`: such a path leads nowhere else by itself.
///
/// # Errors
/// [`Error::Invalid`] that names `what` the path is for.
pub(super) fn relative<'a>(what: &str, path: &'a str) -> Result<&'a Path> {
    let plain = |part| matches!(part, Component::Normal(_) | Component::CurDir);
    let inside =
        !path.is_empty() && !path.contains('\0') && Path::new(path).components().all(plain);
    match inside {
        true => Ok(Path::new(path)),
        false => {
            let expected = "a path inside the script's folder";
            Err(Error::invalid(what, expected, format!("{path:?}")))
        }
    }
}

/// The place of `path` below `folder`. What is there already, or the folder that it will be in, is below `folder` by
/// its canonical path too: a link does not lead out.
///
/// # Errors
/// [`Error::Invalid`] where it does; [`Error::Io`] where the system refuses to look.
pub(super) fn below(folder: &Path, what: &str, path: &str) -> Result<PathBuf> {
    let place = folder.join(relative(what, path)?);
    let here = match folder.as_os_str().is_empty() {
        true => Path::new("."),
        false => folder,
    };
    let real = |path: &Path| fs::canonicalize(path).map_err(Error::io("find", path));
    // The deepest part of the path that exists. A link to nothing counts as there: writing would follow it.
    let there = place
        .ancestors()
        .find(|part| part.symlink_metadata().is_ok());
    let there = there.filter(|there| !there.as_os_str().is_empty());
    let Some(there) = there.filter(|there| !folder.starts_with(there)) else {
        return Ok(place);
    };
    match fs::canonicalize(there) {
        Ok(found) if found.starts_with(real(here)?) => Ok(place),
        Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::io("find", &place)(error)),
        _ => Err(leads_out(what, path)),
    }
}

/// Checks that no link in the folder `place` leads out of `folder`, down to `depth` folders inside.
///
/// # Errors
/// [`Error::Invalid`] for one that does; [`Error::Io`] where the system refuses to look.
pub(super) fn contained(folder: &Path, what: &str, place: &Path, depth: usize) -> Result<()> {
    let looked = |error| Error::io("read", place)(error);
    for entry in fs::read_dir(place).map_err(looked)? {
        let entry = entry.map_err(looked)?;
        let kind = entry.file_type().map_err(looked)?;
        let inside = entry.path();
        if kind.is_symlink() {
            let relative = inside.strip_prefix(folder).unwrap_or(&inside);
            below(folder, what, &relative.to_string_lossy())?;
        }
        if depth > 0 && inside.is_dir() {
            contained(folder, what, &inside, depth - 1)?;
        }
    }
    Ok(())
}

fn leads_out(what: &str, path: &str) -> Error {
    let found = format!("{path:?}, a link that leads out of it");
    Error::invalid(what, "a path inside the script's folder", found)
}

/// Checks that `place` is an ordinary file of at most `most` bytes: no pipe that never ends.
///
/// # Errors
/// [`Error::Io`] where there is none, [`Error::Invalid`] for another thing, [`Error::Limit`] for a larger file.
pub(super) fn readable(
    what: &str,
    place: &Path,
    (name, most): (&'static str, Option<u64>),
) -> Result<()> {
    let about = fs::metadata(place).map_err(Error::io("read", place))?;
    if !about.is_file() {
        return Err(Error::invalid(what, "a file", place.display()));
    }
    let what = format!("bytes of {}", place.display());
    super::limits::within(&what, name, most, about.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> (tempfile::TempDir, PathBuf) {
        let outside = tempfile::tempdir().unwrap();
        let folder = outside.path().join("scripts");
        fs::create_dir(&folder).unwrap();
        fs::write(outside.path().join("secret"), "s").unwrap();
        (outside, folder)
    }

    #[test]
    fn plain_paths_are_inside_whether_they_exist_or_not() {
        let (_outside, folder) = folder();
        fs::create_dir(folder.join("data")).unwrap();
        for path in ["a", "./a", "data/a", "new/folder/a"] {
            assert_eq!(below(&folder, "file", path).unwrap(), folder.join(path));
        }
    }

    #[test]
    fn paths_that_lead_out_are_refused() {
        let (_outside, folder) = folder();
        for path in [
            "",
            "..",
            "../secret",
            "a/../../secret",
            "/etc/passwd",
            "a\0b",
        ] {
            let error = below(&folder, "file", path).unwrap_err().to_string();
            assert!(
                error.contains("inside the script's folder"),
                "{path}: {error}"
            );
        }
    }

    #[cfg(unix)]
    #[test]
    fn links_may_lead_about_inside_but_not_out() {
        use std::os::unix::fs::symlink;
        let (outside, folder) = folder();
        fs::write(folder.join("inside"), "i").unwrap();
        symlink(folder.join("inside"), folder.join("alias")).unwrap();
        assert!(below(&folder, "file", "alias").is_ok());
        symlink(outside.path().join("secret"), folder.join("file")).unwrap();
        symlink(outside.path(), folder.join("folder")).unwrap();
        symlink(outside.path().join("nothing"), folder.join("dangling")).unwrap();
        for path in [
            "file",
            "folder/secret",
            "folder/new",
            "dangling",
            "dangling/new",
        ] {
            let error = below(&folder, "file", path).unwrap_err().to_string();
            assert!(error.contains("a link that leads out"), "{path}: {error}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_folder_holds_no_link_that_leads_out() {
        use std::os::unix::fs::symlink;
        let (outside, folder) = folder();
        let class = folder.join("train/class");
        fs::create_dir_all(&class).unwrap();
        symlink(&class, folder.join("train/other")).unwrap();
        contained(&folder, "file", &folder.join("train"), 2).unwrap();
        symlink(outside.path().join("secret"), class.join("1.png")).unwrap();
        let error = contained(&folder, "file", &folder.join("train"), 2).unwrap_err();
        assert!(error.to_string().contains("train/class/1.png"), "{error}");
    }

    #[test]
    fn what_is_read_is_a_file_of_a_size() {
        let (outside, folder) = folder();
        let place = outside.path().join("secret");
        let read = |place, most| readable("file", place, ("file_size", most));
        read(&place, Some(1)).unwrap();
        let error = read(&place, Some(0)).unwrap_err().to_string();
        assert!(error.contains("file_size"), "{error}");
        let error = read(&folder, None).unwrap_err().to_string();
        assert!(error.contains("expected a file"), "{error}");
    }
}
