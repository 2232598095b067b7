//! Where a user's own recipes are: the folder that `nas-script recipe add` stores them in, and imports find them in.

use std::path::PathBuf;

/// The environment variable that names the folder.
pub const RECIPES_VARIABLE: &str = "NAS_SCRIPT_RECIPES";

/// The folder of recipes: the one `given` (`--recipes`), else that of `NAS_SCRIPT_RECIPES`, else `recipes` in the user's
/// data folder; none where the user has no home.
pub fn folder(given: Option<PathBuf>) -> Option<PathBuf> {
    let named = || std::env::var_os(RECIPES_VARIABLE).filter(|name| !name.is_empty());
    let own = || {
        let user = directories::ProjectDirs::from("", "", "nas-script")?;
        Some(user.data_dir().join("recipes"))
    };
    given.or_else(|| named().map(PathBuf::from)).or_else(own)
}
