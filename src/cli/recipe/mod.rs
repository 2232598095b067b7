//! `nas-script recipe`: recipes as files that people share. One file per subcommand; `subject.rs` is what they are about.

mod add;
mod list;
mod new;
mod pack;
mod remove;
mod show;
mod subject;
mod verify;

use std::path::{Path, PathBuf};

use super::Ending;
use crate::error::{Error, Result};
use crate::recipe;
use crate::script::{Diagnostic, Sources};

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Write a recipe to start from, with a test and a claim.
    New(new::Arguments),
    /// List the recipes that scripts can import.
    List(Folder),
    /// Show what a recipe is, what it offers and what it asks for.
    Show(show::Arguments),
    /// Add a recipe from a file, https:// or a git repository; nothing of it is run.
    Add(add::Arguments),
    /// Put a recipe and its imports into one file, with what a run of it comes to.
    Pack(pack::Arguments),
    /// Run a packed recipe again, and compare with what it claims.
    Verify(verify::Arguments),
    /// Remove an added recipe.
    Remove(remove::Arguments),
}

/// Where the user's recipes are.
#[derive(Clone, Default, clap::Args)]
pub(super) struct Folder {
    /// The folder of recipes [default: $NAS_SCRIPT_RECIPES, then `recipes` in the user's data folder].
    #[arg(long, value_name = "DIR")]
    recipes: Option<PathBuf>,
}

impl Folder {
    /// The folder's path.
    fn path(&self) -> Result<PathBuf> {
        let none = || {
            Error::invalid(
                "--recipes",
                "a folder for recipes",
                "none, and no home folder",
            )
        };
        recipe::folder(self.recipes.clone()).ok_or_else(none)
    }
}

pub(super) fn run(command: Command) -> Result<(), Ending> {
    match command {
        Command::New(arguments) => Ok(new::write(&arguments)?),
        Command::List(folder) => Ok(list::list(&folder)?),
        Command::Show(arguments) => show::show(&arguments),
        Command::Add(arguments) => add::add(&arguments),
        Command::Pack(arguments) => pack::pack(&arguments),
        Command::Verify(arguments) => verify::verify(&arguments),
        Command::Remove(arguments) => Ok(remove::remove(&arguments)?),
    }
}

/// The ending that `diagnostic` is.
fn failed(diagnostic: Diagnostic, sources: &Sources) -> Ending {
    Ending::Script(Box::new(diagnostic), sources.clone())
}

/// The folder that the script at `path` lies in.
fn beside(path: &Path) -> PathBuf {
    path.parent().unwrap_or(Path::new("")).to_path_buf()
}
