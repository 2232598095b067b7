//! The files of a run: its script, its best trial with a picture of the network, and its trials as a table.

use std::path::Path;

use super::client::{Client, Run};
use crate::error::Result;
use crate::network::diagram;
use crate::report::trials::{Table, csv};
use crate::study::Trial;
use crate::study::store::{Kept, StudyStore};

/// Sends the files of a run. `false`: the server keeps none.
pub(super) fn send(
    client: &Client,
    run: &Run,
    source: &str,
    best: Option<&Trial>,
    trials: Option<Vec<u8>>,
) -> Result<bool> {
    let mut files = Vec::new();
    if !source.is_empty() {
        files.push(("script.rhai", source.as_bytes().to_vec()));
    }
    if let Some(best) = best {
        let json = serde_json::to_vec_pretty(best).ok();
        files.extend(json.map(|json| ("best.json", json)));
        let asked = best.evaluation.as_ref();
        let picture = asked.and_then(|asked| diagram::svg(&asked.network).ok());
        files.extend(picture.map(|svg| ("best.svg", svg.into_bytes())));
    }
    files.extend(trials.map(|trials| ("trials.csv", trials)));
    for (name, bytes) in files {
        if !client.artifact(run, name, &bytes)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The trials of a study as CSV.
pub(super) fn trials(store: &dyn StudyStore, kept: &Kept) -> Result<Vec<u8>> {
    let mut text = Vec::new();
    let table = Table::new(store, std::slice::from_ref(kept))?;
    csv(&table, &mut text, Path::new("trials.csv"))?;
    Ok(text)
}
