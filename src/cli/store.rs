//! `--store` and `--files`: where studies are kept, for every subcommand that opens them.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::Arc;

use crate::error::{Error, Result};
use crate::report::progress::say;
use crate::report::table::Table;
use crate::study::store::{self, Address, Kept, StudyStore};

/// The store of a working folder, where no other is named.
const DEFAULT: &str = "nas-studies.db";
/// What is given in place of an address for no store at all.
const NONE: &str = "none";

/// Where studies are kept.
#[derive(Clone, clap::Args)]
pub(super) struct StoreArgs {
    /// Where studies are kept: a file, postgres://USER@HOST/DATABASE, or none. Passwords are read from PGPASSWORD
    /// or ~/.pgpass [default: nas-studies.db].
    #[arg(
        long,
        value_name = "ADDRESS",
        env = "NAS_SCRIPT_STORE",
        hide_env_values = true
    )]
    store: Option<String>,
    /// The folder of the children's weights, shared by the machines of a fleet [default: nas-studies.files, beside
    /// the store; a worker of a server leaves none].
    #[arg(long, value_name = "DIR", env = "NAS_SCRIPT_FILES")]
    files: Option<PathBuf>,
}

/// An open store.
pub(super) struct Opened {
    pub store: Arc<dyn StudyStore>,
    /// The folder of the children's weights.
    pub files: PathBuf,
    /// Whether other processes that use the store see the folder, as far as is known.
    pub shared: bool,
}

impl StoreArgs {
    /// Opens the store; `None` where the user wants none.
    pub(super) fn open(&self) -> Result<Option<Opened>> {
        let text = self.store.as_deref().unwrap_or(DEFAULT);
        if text == NONE {
            return Ok(None);
        }
        let address: Address = text.parse()?;
        // A command line is public; the environment of a process is not.
        if address.has_password() && std::env::args().any(|arg| arg.contains(text)) {
            let expected = "an address without a password, which everybody on this machine can read there (put it \
                            into PGPASSWORD, ~/.pgpass or NAS_SCRIPT_STORE)";
            return Err(Error::invalid("--store", expected, "one with a password"));
        }
        let files = self.files.clone().unwrap_or_else(|| address.files());
        Ok(Some(Opened {
            store: store::open(&address)?,
            files,
            shared: self.files.is_some() || !address.is_server(),
        }))
    }

    /// Opens the store if it is there: to look into it, none is made.
    pub(super) fn present(&self) -> Result<Opened> {
        let text = self.store.as_deref().unwrap_or(DEFAULT);
        let address: Address = text.parse()?;
        match text == NONE || address.is_missing() {
            true => Err(Error::invalid(
                "store",
                "a store that is there (--store)",
                text,
            )),
            false => self.needed(),
        }
    }

    /// Opens the store of a subcommand that needs one.
    pub(super) fn needed(&self) -> Result<Opened> {
        let found = || Error::invalid("--store", "a store", NONE);
        self.open()?.ok_or_else(found)
    }
}

/// A store to look into, and how to tell of what is there.
#[derive(clap::Args)]
pub(super) struct LookArgs {
    #[command(flatten)]
    store: StoreArgs,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
}

impl LookArgs {
    /// Opens the store, which must be there.
    pub(super) fn store(&self) -> Result<Arc<dyn StudyStore>> {
        Ok(self.store.present()?.store)
    }
}

/// Prints a table as wide as the terminal; whole where there is none.
pub(super) fn print_table<const N: usize>(table: Table<N>) {
    let width = console::Term::stdout().size_checked();
    let text = match width.filter(|_| std::io::stdout().is_terminal()) {
        Some((_, columns)) => table.within(usize::from(columns)),
        None => table.within(WIDEST),
    };
    say(text.trim_end());
}

/// How wide a table is where there is no terminal.
const WIDEST: usize = 400;

/// The study called `name`.
pub(super) fn find(store: &dyn StudyStore, name: &str) -> Result<Kept> {
    let known = || -> Result<Vec<String>> {
        let studies = store.studies()?.into_iter();
        Ok(studies.map(|kept| kept.about.name).collect())
    };
    match store.find(name)? {
        Some(kept) => Ok(kept),
        None => Err(Error::unknown("study", name, known()?)),
    }
}
