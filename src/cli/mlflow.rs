//! `nas-script mlflow`: studies as runs in MLflow.

use super::params;
use super::store::{StoreArgs, find};
use crate::error::Result;
use crate::report::figures::clipped;
use crate::report::mlflow::{Destination, export};
use crate::report::progress::{say, warn};

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The studies.
    #[arg(required = true)]
    studies: Vec<String>,
    /// The server, http://HOST:PORT. A name and password for it, or a token, are read from MLFLOW_TRACKING_USERNAME,
    /// MLFLOW_TRACKING_PASSWORD and MLFLOW_TRACKING_TOKEN.
    #[arg(long, value_name = "URL")]
    to: String,
    /// The experiment, which is made where there is none.
    #[arg(long, value_name = "NAME", default_value = EXPERIMENT)]
    experiment: String,
    #[command(flatten)]
    store: StoreArgs,
}

/// The experiment where none is named.
pub(super) const EXPERIMENT: &str = "nas-script";

pub(super) fn run(arguments: &Arguments) -> Result<()> {
    let opened = arguments.store.present()?;
    let studies = arguments
        .studies
        .iter()
        .map(|name| find(&*opened.store, name));
    let studies = studies.collect::<Result<Vec<_>>>()?;
    let destination = Destination {
        url: arguments.to.clone(),
        experiment: arguments.experiment.clone(),
    };
    for kept in studies {
        let params = params::values(&kept.about.source, &kept.about.params);
        let sent = export(&*opened.store, &kept, &params, &destination)?;
        sent.notes.iter().for_each(|note| warn(note));
        let name = clipped(&kept.about.name, 80);
        say(&format!("{}: run {}", name.escape_debug(), sent.run));
    }
    Ok(())
}
