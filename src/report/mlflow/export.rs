//! A study of a store as a run in MLflow.

use std::collections::{BTreeMap, BTreeSet};

use super::artifacts;
use super::client::{Client, Destination, Run};
use super::metric::{of_test, of_trial, of_update};
use super::{NO_FILES, cut_note, data, key, names, params, tags};
use crate::error::Result;
use crate::study::Trial;
use crate::study::store::{Kept, StudyStore};

/// How many trials, or updates, are read at a time.
const PIECE: usize = 500;

/// What came of an export.
pub struct Exported {
    /// The key of the run in MLflow.
    pub run: String,
    /// What MLflow does not have of the study, for people.
    pub notes: Vec<String>,
}

/// Sends the study `kept`, whose script had `given` as parameters, to `destination`. Sent again, the run there has what came to be since.
///
/// # Errors
/// [`Error::Service`](crate::Error::Service) where the server is not there or refuses; [`Error::Store`](crate::Error::Store).
pub fn export(
    store: &dyn StudyStore,
    kept: &Kept,
    given: &BTreeMap<String, String>,
    destination: &Destination,
) -> Result<Exported> {
    let client = Client::new(&destination.url)?;
    let (about, created) = (&kept.about, kept.created);
    let experiment = client.experiment(&destination.experiment)?;
    let key = key(about, created);
    let run = client.run(&experiment, &key, &about.name, created, &tags(about))?;
    let sent = trials(store, kept, &client, &run)?;
    updates(store, kept, &client, &run, &sent.times)?;
    let last = sent.times.last().copied().unwrap_or(created);
    for (number, tested) in (1..).zip(&store.tests(kept.id)?) {
        client.log(&run, &of_test(tested, number, last))?;
    }
    let mut all = params(about, given);
    all.extend(sent.first.as_ref().and_then(data).unwrap_or_default());
    let (all, shortened) = names::params(&all);
    client.describe(&run, &all)?;

    let table = artifacts::trials(store, kept)?;
    let files = artifacts::send(
        &client,
        &run,
        &about.source,
        sent.best.as_ref(),
        Some(table),
    )?;
    match (store.is_held(kept.id)?, &run.ended) {
        (true, _) => client.goes_on(&run)?,
        // Who followed the study knows how it ended; a store does not.
        (false, Some((_, time))) if *time >= kept.updated => {}
        (false, _) => client.end(&run, "FINISHED", kept.updated)?,
    }
    let notes = cut_note(&shortened).into_iter();
    Ok(Exported {
        run: run.id,
        notes: notes.chain((!files).then(|| NO_FILES.into())).collect(),
    })
}

/// What is left of the trials of a study when they are sent.
#[derive(Default)]
struct Sent {
    /// When each was recorded, in seconds since 1970.
    times: Vec<f64>,
    /// The first that has a network.
    first: Option<Trial>,
    best: Option<Trial>,
}

fn trials(store: &dyn StudyStore, kept: &Kept, client: &Client, run: &Run) -> Result<Sent> {
    let mut sent = Sent::default();
    loop {
        let some = store.trials_after(kept.id, sent.times.len(), PIECE)?;
        let last = some.len() < PIECE;
        let mut metrics = Vec::new();
        for trial in some {
            sent.times.push(kept.created + trial.elapsed);
            if sent.first.is_none() && trial.evaluation.is_some() {
                sent.first = Some(trial.clone());
            }
            let best = sent.best.as_ref().and_then(|best| best.score);
            let better = trial.score.is_some() && trial.score > best;
            let highest = if better { trial.score } else { best };
            metrics.extend(of_trial(&trial, kept.created, highest));
            if better {
                sent.best = Some(trial);
            }
        }
        client.log(run, &metrics)?;
        if last {
            return Ok(sent);
        }
    }
}

fn updates(
    store: &dyn StudyStore,
    kept: &Kept,
    client: &Client,
    run: &Run,
    times: &[f64],
) -> Result<()> {
    let time = |trials: usize| {
        let at = trials.checked_sub(1).and_then(|at| times.get(at));
        at.copied().unwrap_or(kept.created)
    };
    let controllers = store.controllers(kept.id)?.into_keys().chain([0]);
    for controller in controllers.collect::<BTreeSet<u64>>() {
        let mut after = 0;
        loop {
            let some = store.updates_after(kept.id, controller, after, PIECE)?;
            let Some(last) = some.last() else { break };
            after = last.step;
            let metrics = some
                .iter()
                .flat_map(|learned| of_update(learned, time(learned.trials)));
            client.log(run, &metrics.collect::<Vec<_>>())?;
        }
    }
    Ok(())
}
