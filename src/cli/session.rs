//! The study of a run: a new one, one that goes on, or a fork of one. Knows nothing of scripts.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::RunArgs;
use super::params;
use super::run::{RUNS, recorders};
use super::store::{Opened, find};
use crate::device::Compute;
use crate::error::{Error, Result};
use crate::evaluation::KERNEL_VERSION;
use crate::report::mlflow::{Destination, Followed, Follower};
use crate::report::progress::Progress;
use crate::report::tensorboard;
use crate::report::words::now;
use crate::seed::Seed;
use crate::study::store::{About, Environment, Kept, Tenure};
use crate::study::{Divergence, Keeper, Past, Recorder, RunFolder, Study};

/// The study that the arguments name, if it exists.
pub(super) fn earlier(opened: Option<&Opened>, args: &RunArgs) -> Result<Option<Kept>> {
    let named = args.resume.as_ref().or(args.study.as_ref());
    let Some(name) = named else {
        return match &args.fork {
            Some(_) => Err(Error::invalid("--fork", "--resume STUDY beside it", "none")),
            None => Ok(None),
        };
    };
    let Some(Opened { store, .. }) = opened else {
        return Err(Error::invalid(
            "--store",
            "a store, to keep a study",
            "none",
        ));
    };
    let kept = match args.resume.is_some() || args.fork.is_some() {
        true => Some(find(&**store, name)?),
        false => store.find(name)?,
    };
    if let Some(kept) = &kept {
        check(kept, args)?;
    }
    Ok(kept)
}

/// Checks that `kept` can go on under `args`.
fn check(kept: &Kept, args: &RunArgs) -> Result<()> {
    let about = &kept.about;
    let what = format!("study '{}'", about.name);
    if about.kernel_version != KERNEL_VERSION {
        let expected = format!("kernel version {KERNEL_VERSION}, whose outcomes compare");
        let found = format!("version {}; start a new study", about.kernel_version);
        return Err(Error::invalid(what, expected, found));
    }
    match args.seed.filter(|seed| *seed != about.seed.0) {
        Some(seed) => Err(Error::invalid(
            what,
            format!("--seed {}", about.seed.0),
            seed,
        )),
        None => Ok(()),
    }
}

/// What a run is started with.
pub(super) struct Start<'a> {
    pub script: &'a Path,
    /// The script's name without its ending.
    pub name: &'a str,
    pub args: &'a RunArgs,
    /// The script's text.
    pub source: &'a str,
    /// What networks are trained on.
    pub device: &'a Compute,
    /// The parameters, as they will be.
    pub params: std::collections::BTreeMap<String, String>,
}

/// Opens the study of a run, and its folder. `progress` tells what goes wrong beside the search.
pub(super) fn open(
    start: &Start,
    opened: Option<&Opened>,
    earlier: Option<&Kept>,
    progress: &Arc<Progress>,
) -> Result<(Study, RunFolder)> {
    let args = start.args;
    let goes_on = earlier.filter(|_| args.fork.is_none());
    let run = match (
        goes_on.and_then(|kept| kept.about.folder.clone()),
        &args.out,
    ) {
        (Some(folder), None) => RunFolder::again(&here(folder))?,
        (Some(folder), Some(out)) => {
            let expected = format!("none, since the study goes on in {}", folder.display());
            return Err(Error::invalid("--out", expected, out.display()));
        }
        (None, Some(out)) => RunFolder::at(out)?,
        (None, None) => {
            let name = args.fork.as_deref().or(args.study.as_deref());
            RunFolder::create(Path::new(RUNS), name.unwrap_or(start.name))?
        }
    };
    let seed = earlier.map_or(Seed(args.seed.unwrap_or(0)), |kept| kept.about.seed);
    let mut given = params::values(start.source, &start.params);
    tensorboard::note(&mut given, "seed", seed.0);
    tensorboard::note(&mut given, "script", start.script.display());
    tensorboard::note(&mut given, "device", start.device);
    let mut recorders = recorders(&run, &given)?;
    let Some(Opened { store, .. }) = opened else {
        let about = about(start, &run, start.name, seed, None);
        let study = Followed {
            params: params::values(&about.source, &about.params),
            about,
            created: now(),
            store: None,
        };
        recorders.extend(follower(args, study, progress)?);
        let study = Study::in_folder(start.name, seed, run.clone(), recorders)?;
        return Ok((study.within(args.budget()), run));
    };

    let (tenure, past, has) = match goes_on {
        Some(kept) => {
            let tenure = store.take(kept.id)?;
            let past = (store.trials(kept.id)?, store.facts(kept.id)?);
            let has = (past.0.len(), past.1.len());
            (tenure, Past::new(past.0, past.1, Divergence::Refuse), has)
        }
        None => {
            let past = match earlier {
                Some(kept) => (store.trials(kept.id)?, store.facts(kept.id)?),
                None => Default::default(),
            };
            let parent = earlier.map(|kept| (kept.about.name.clone(), kept.trials));
            let tenure = create(start, &**store, &run, seed, parent)?;
            (tenure, Past::new(past.0, past.1, Divergence::Fork), (0, 0))
        }
    };
    let mut studies = store.studies()?.into_iter();
    let kept = studies.find(|kept| kept.id == tenure.study());
    let name = kept
        .as_ref()
        .map_or(start.name, |kept| &kept.about.name)
        .to_string();
    if let Some(kept) = kept {
        let study = Followed {
            // As they were when the study began: a run in MLflow keeps its parameters.
            params: params::values(&kept.about.source, &kept.about.params),
            about: kept.about.clone(),
            created: kept.created,
            store: Some((store.clone(), kept)),
        };
        recorders.extend(follower(args, study, progress)?);
    }
    let keeper = Keeper {
        store: store.clone(),
        tenure,
        has,
    };
    let study = Study::in_folder(&name, seed, run.clone(), recorders)?;
    Ok((study.stored(keeper, past).within(args.budget()), run))
}

/// Starts a study under the name that was given, else under that of its folder or the next that is free.
fn create(
    start: &Start,
    store: &dyn crate::study::store::StudyStore,
    run: &RunFolder,
    seed: Seed,
    parent: Option<(String, usize)>,
) -> Result<Box<dyn Tenure>> {
    let given = start.args.fork.as_ref().or(start.args.study.as_ref());
    let folder = run.path().file_name().unwrap_or(start.name.as_ref());
    let base = given
        .cloned()
        .unwrap_or_else(|| folder.to_string_lossy().into_owned());
    let mut about = about(start, run, &base, seed, parent);
    let mut n = 1;
    loop {
        match store.create(&about) {
            Err(Error::Duplicate { .. }) if given.is_none() => {
                n += 1;
                about.name = format!("{base}-{n}");
            }
            created => return created,
        }
    }
}

/// What a study called `name` is started with.
fn about(
    start: &Start,
    run: &RunFolder,
    name: &str,
    seed: Seed,
    parent: Option<(String, usize)>,
) -> About {
    About {
        name: name.into(),
        script: start.script.display().to_string(),
        seed,
        params: start.params.clone(),
        folder: std::path::absolute(run.path()).ok(),
        parent,
        kernel_version: KERNEL_VERSION,
        source: start.source.to_string(),
        environment: Some(environment(start.device)),
    }
}

/// What follows the study into MLflow, if that is wanted.
fn follower(
    args: &RunArgs,
    study: Followed,
    progress: &Arc<Progress>,
) -> Result<Option<Box<dyn Recorder>>> {
    let Some(url) = &args.mlflow else {
        return Ok(None);
    };
    let destination = Destination {
        url: url.clone(),
        experiment: args.experiment.clone(),
    };
    let follower = Follower::new(destination, study, progress.clone())?;
    Ok(Some(Box::new(follower)))
}

/// The program and this machine.
fn environment(device: &Compute) -> Environment {
    let about = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let processor = about
        .lines()
        .find_map(|line| line.strip_prefix("model name"));
    let processor = processor
        .unwrap_or_default()
        .trim_start_matches(['\t', ' ', ':']);
    Environment {
        version: env!("CARGO_PKG_VERSION").into(),
        system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        processor: processor.into(),
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        device: device.to_string(),
    }
}

/// `path` relative to the working folder, if it is below it.
fn here(path: PathBuf) -> PathBuf {
    let below = std::env::current_dir().ok();
    let below = below.and_then(|here| path.strip_prefix(here).map(Path::to_path_buf).ok());
    below.unwrap_or(path)
}
