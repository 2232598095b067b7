//! `nas-script data`: which data sets there are, and fetching them.

use std::path::PathBuf;

use indicatif::{ProgressBar, ProgressStyle};

use crate::data::{self, DataOptions, DataPaths};
use crate::error::Result;
use crate::report::progress::say;

#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// List the data sets and where they were found.
    List(Place),
    /// Load a data set and describe it.
    Show {
        /// The data set's name.
        name: String,
        #[command(flatten)]
        place: Place,
    },
    /// Download a data set; a download that was cut off goes on where it stopped.
    Fetch {
        /// The data set's name.
        name: String,
        /// Another source: the archive's address, or the folder's for sets of several files.
        #[arg(long)]
        url: Option<String>,
        #[command(flatten)]
        place: Place,
    },
}

#[derive(clap::Args)]
pub(super) struct Place {
    /// Where data sets are [default: $NAS_SCRIPT_DATA, then the user's data folder].
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

pub(super) fn run(command: Command) -> Result<()> {
    match command {
        Command::List(place) => {
            list(&DataPaths::new(place.data_dir));
            Ok(())
        }
        Command::Show { name, place } => {
            let paths = DataPaths::new(place.data_dir);
            let data = data::load(&name, &DataOptions::default(), &paths)?;
            say(data.summary().trim_end());
            Ok(())
        }
        Command::Fetch { name, url, place } => {
            fetch(&name, url.as_deref(), &DataPaths::new(place.data_dir))
        }
    }
}

fn list(paths: &DataPaths) {
    for set in data::catalog(paths) {
        let found = match (set.built_in, &set.found) {
            (true, _) => "built in".to_string(),
            (false, Some(path)) => path.display().to_string(),
            (false, None) => format!("not here: `nas-script data fetch {}`", set.name),
        };
        say(&format!(
            "{:<14} {}\n{:<14} {found}",
            set.name, set.about, ""
        ));
    }
}

fn fetch(name: &str, url: Option<&str>, paths: &DataPaths) -> Result<()> {
    let bar = ProgressBar::no_length();
    let template = "{msg} {bar:30} {bytes}/{total_bytes} {bytes_per_sec} left {eta}";
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    let path = data::fetch(name, url, paths, &mut |progress| {
        if let Some(total) = progress.total {
            bar.set_length(total);
        }
        bar.set_message(progress.file.to_string());
        bar.set_position(progress.received);
    });
    bar.finish_and_clear();
    say(&format!("{name}: {}", path?.display()));
    Ok(())
}
