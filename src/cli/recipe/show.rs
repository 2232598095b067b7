//! `nas-script recipe show NAME`: what a recipe is, without running it.

use super::Folder;
use super::subject::{Found, Subject};
use crate::cli::Ending;
use crate::report::progress::say;

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    /// A recipe's name, such as nas/random, or a file.
    #[arg(value_name = "NAME|FILE")]
    recipe: String,
    #[command(flatten)]
    folder: Folder,
}

pub(super) fn show(arguments: &Arguments) -> Result<(), Ending> {
    let found = Found::of(&arguments.recipe, &arguments.folder)?;
    say(Subject::of(&found)?.to_string().trim_end());
    Ok(())
}
