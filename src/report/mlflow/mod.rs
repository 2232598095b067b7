//! A study as a run in MLflow, over its REST API 2.0: parameters, metrics, artifacts. Sent while a search runs, or later;
//! what was sent before is not there twice.

mod artifacts;
mod client;
mod export;
mod follow;
mod mail;
mod metric;
mod names;

pub use client::{Client, Destination};
pub use export::{Exported, export};
pub use follow::{Followed, Follower};

use std::collections::BTreeMap;

use crate::study::Trial;
use crate::study::store::About;

/// What a study is called in MLflow, whoever sends it: the tag that finds its run again.
fn key(about: &About, created: f64) -> String {
    let folder = about
        .folder
        .as_ref()
        .map(|folder| folder.display().to_string());
    let seen = serde_json::json!([
        about.name,
        about.script,
        about.seed.0,
        about.params,
        folder,
        created.to_bits()
    ]);
    crate::evaluation::Digest::of_json(&seen).to_string()
}

/// The tags that a run gets when it is made.
fn tags(about: &About) -> [(&'static str, &str); 3] {
    [
        ("nas_script.study", &about.name),
        ("mlflow.source.name", &about.script),
        ("mlflow.source.type", "LOCAL"),
    ]
}

/// The parameters of a run: those `given` to the script, and what it was started with.
fn params(about: &About, given: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut params = given.clone();
    params.insert("nas_script.seed".into(), about.seed.0.to_string());
    params.insert("nas_script.script".into(), about.script.clone());
    params.insert(
        "nas_script.kernel_version".into(),
        about.kernel_version.to_string(),
    );
    if let Some(environment) = &about.environment {
        params.insert("nas_script.version".into(), environment.version.clone());
        params.insert("nas_script.device".into(), environment.device.clone());
        params.insert("nas_script.processor".into(), environment.processor.clone());
    }
    params
}

/// The parameters that the first trial with a network tells: the data.
fn data(trial: &Trial) -> Option<BTreeMap<String, String>> {
    let data = &trial.evaluation.as_ref()?.data;
    Some(BTreeMap::from([
        (
            "nas_script.data".into(),
            format!("{}, {}", data.name, data.split),
        ),
        ("nas_script.data_sha256".into(), data.content.clone()),
    ]))
}

/// What people are told of parameters that were cut.
fn cut_note(shortened: &[String]) -> Option<String> {
    (!shortened.is_empty()).then(|| {
        format!(
            "MLflow keeps the first 6,000 characters of a parameter: {} {} cut",
            super::figures::clipped(&shortened.join(", "), 200),
            if shortened.len() == 1 { "is" } else { "are" }
        )
    })
}

/// What people are told of a server that keeps no files.
const NO_FILES: &str = "MLflow keeps no files for its clients (it was started without --serve-artifacts): \
                        the run has none";
