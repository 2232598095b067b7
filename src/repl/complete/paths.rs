//! Paths of files as they are typed. Knows the working folder.

use std::fs;
use std::path::Path;

/// The files and folders that `begun` may go on to, as it writes them; a folder ends with a slash.
pub(super) fn files(begun: &str) -> Vec<String> {
    let (folder, name) = match begun.rfind('/') {
        Some(at) => begun.split_at(at + 1),
        None => ("", begun),
    };
    let home = directories::UserDirs::new();
    let place = match (folder.strip_prefix("~/"), home) {
        (Some(below), Some(home)) => home.home_dir().join(below),
        _ if folder.is_empty() => Path::new(".").to_path_buf(),
        _ => Path::new(folder).to_path_buf(),
    };
    let Ok(entries) = fs::read_dir(place) else {
        return Vec::new();
    };
    let path = |entry: fs::DirEntry| {
        let own = entry.file_name().into_string().ok()?;
        let hidden = own.starts_with('.') && !name.starts_with('.');
        let slash = if entry.path().is_dir() { "/" } else { "" };
        (!hidden && own.starts_with(name)).then(|| format!("{folder}{own}{slash}"))
    };
    entries.flatten().filter_map(path).collect()
}

/// The modules below the working folder that `begun` may go on to, as an import names them.
pub(super) fn modules(begun: &str) -> Vec<String> {
    // Imports stay inside the folder.
    if begun.starts_with(['/', '~', '.']) {
        return Vec::new();
    }
    let module = |path: String| match path.strip_suffix(".rhai") {
        Some(module) => Some(module.to_string()),
        None => path.ends_with('/').then_some(path),
    };
    files(begun).into_iter().filter_map(module).collect()
}
