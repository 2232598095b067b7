//! `--limits` and `--recipes`: what a script may use, for every subcommand that runs one.

use std::path::PathBuf;

use crate::error::{Error, Result};
use crate::recipe;
use crate::script::{Limits, Sandbox};

/// What bounds the script.
#[derive(Clone, Default, clap::Args)]
pub(super) struct SandboxArgs {
    /// What the script may use: `strict`, `none`, or a TOML or JSON file of limits (operations, seconds, memory, trials,
    /// params, …) that are other than the defaults.
    #[arg(long, value_name = "FILE|strict|none")]
    limits: Option<String>,
    /// A folder of recipes, where imports are looked for before the user's own recipes.
    #[arg(long, value_name = "DIR")]
    recipes: Vec<PathBuf>,
}

impl SandboxArgs {
    /// Reads the limits, and finds the folders.
    pub(super) fn open(&self) -> Result<Sandbox> {
        let limits = self.limits.as_deref().map(Limits::named).transpose()?;
        if let Some(missing) = self.recipes.iter().find(|folder| !folder.is_dir()) {
            return Err(Error::invalid("--recipes", "a folder", missing.display()));
        }
        let own = recipe::folder(None).filter(|folder| folder.is_dir());
        Ok(Sandbox {
            limits: limits.unwrap_or_default(),
            recipes: self.recipes.iter().cloned().chain(own).collect(),
        })
    }
}
