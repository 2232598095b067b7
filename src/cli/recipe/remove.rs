//! `nas-script recipe remove NAME`.

use super::Folder;
use crate::error::{Error, Result};
use crate::recipe::Shelf;
use crate::report::progress::say;

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The name of an added recipe.
    name: String,
    #[command(flatten)]
    folder: Folder,
}

pub(super) fn remove(arguments: &Arguments) -> Result<()> {
    let (name, folder) = (&arguments.name, arguments.folder.path()?);
    if name.starts_with("nas/") {
        let expected = "an added recipe; the standard library's are part of the program";
        return Err(Error::invalid("recipe", expected, name));
    }
    let own = folder.join(format!("{name}.rhai"));
    if crate::recipe::check_name(name).is_ok() && own.exists() {
        let expected = "an added recipe; this is a file of your own";
        return Err(Error::invalid("recipe", expected, own.display()));
    }
    Shelf::at(&folder).remove(name)?;
    say(&format!("removed {name}"));
    Ok(())
}
