//! `nas-script replay STUDY --reward FILE`: what a finished study would be worth under another reward function.
//! Rescores every recorded child and trains the controller anew on them; no child is trained.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::executor::in_process;
use super::params;
use super::run::{RUNS, progress, recorders};
use super::sandbox::SandboxArgs;
use super::store::{StoreArgs, find};
use super::{Ending, interrupt_flag, read_script};
use crate::controller::{Controller, saved};
use crate::data::DataPaths;
use crate::device::{self, Compute, Selector};
use crate::error::{Error, Result};
use crate::report::progress::{say, warn};
use crate::report::tensorboard;
use crate::script::{self, Host, Params, Rescorer, Sandbox, Session, Sources};
use crate::seed::Seed;
use crate::space::{Actions, Value};
use crate::study::{Ended, Learned, RunFolder, Study, Trial};

/// The file that the controller is kept in.
const CONTROLLER: &str = "controller.safetensors";
/// How many of the best are listed.
const LISTED: usize = 5;

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The study.
    study: String,
    /// A script with `fn reward(o)`, which returns the reward of an outcome.
    #[arg(long, value_name = "FILE")]
    reward: PathBuf,
    #[command(flatten)]
    store: StoreArgs,
    /// The folder of what comes out, new or empty [default: runs/<study>-replay-<n>].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    #[command(flatten)]
    sandbox: SandboxArgs,
}

pub(super) fn run(arguments: &Arguments) -> Result<(), Ending> {
    let path = &arguments.reward;
    let text = read_script(path)?;
    let opened = arguments.store.needed()?;
    let kept = find(&*opened.store, &arguments.study)?;
    let trials = opened.store.trials(kept.id)?;
    let compute = device::open(Selector::Cpu)?;

    let sources = Sources::default();
    let host = host(path, &compute, kept.about.seed, arguments.sandbox.open()?);
    let engine = script::engine(&host, &sources);
    let failed = |diagnostic| Ending::Script(Box::new(diagnostic), sources.clone());
    let ast = script::compile(&engine, &sources, path, &text).map_err(failed)?;
    let rescorer = Rescorer::new(&engine, &ast).ok_or_else(|| {
        let what = path.display().to_string();
        Error::invalid(what, "a function `fn reward(o)`", "none")
    })?;

    let run = match &arguments.out {
        Some(out) => RunFolder::at(out)?,
        None => RunFolder::create(Path::new(RUNS), &format!("{}-replay", arguments.study))?,
    };
    let name = format!("{}-replay", arguments.study);
    let mut given = params::values(&kept.about.source, &kept.about.params);
    tensorboard::note(&mut given, "seed", kept.about.seed.0);
    tensorboard::note(&mut given, "script", &kept.about.script);
    let recorders = recorders(&run, &given)?;
    let mut study = Study::in_folder(&name, kept.about.seed, run.clone(), recorders)?;
    let mut controller = match opened.store.snapshot(kept.id, 0)? {
        Some((_, bytes)) => Some(controller(&run, &bytes, &compute, kept.about.seed)?),
        None => None,
    };
    let mut updates = 0;
    for mut trial in trials {
        if trial.outcome.failure.is_none() {
            trial.reward = rescorer.reward(&trial).map_err(failed)?;
            trial.score = Some(trial.reward);
            trial.objective = trial.score;
        }
        let (trial, _) = study.record(trial)?;
        if let Some(controller) = &mut controller {
            updates += u64::from(learn(controller, &trial, &mut study)?);
        }
    }
    if let Some(controller) = &controller {
        controller.save(&run.file(CONTROLLER))?;
    } else {
        warn("the study kept no controller: only the rewards are new");
    }
    study.complete(Ended::Finished)?;
    report(&study, &run, updates);
    Ok(())
}

/// What the reward function is evaluated in.
fn host(path: &Path, compute: &Compute, seed: Seed, sandbox: Sandbox) -> Host {
    let (interrupted, progress) = (interrupt_flag(), progress(true));
    Host::new(Session {
        executor: Arc::new(in_process(compute, 1, &progress, &interrupted)),
        device: compute.device.clone(),
        files: None,
        paths: DataPaths::new(None),
        study: Study::in_memory("replay", seed),
        params: Params::default(),
        progress,
        interrupted,
        folder: path.parent().unwrap_or(Path::new("")).to_path_buf(),
        sandbox,
    })
}

/// A new controller with the space, layers and options of the study's first.
fn controller(run: &RunFolder, bytes: &[u8], compute: &Compute, seed: Seed) -> Result<Controller> {
    let file = run.file(CONTROLLER);
    fs::write(&file, bytes).map_err(Error::io("write", &file))?;
    let (space, layers, mut config) = saved(&file)?;
    config.restore_controller = None;
    let seed = seed.derive("controller/0");
    Controller::new(Arc::new(space), layers, config, &compute.device, seed)
}

/// Lets the controller learn from `trial`, if it is of its space. Returns whether its policy was updated.
fn learn(controller: &mut Controller, trial: &Trial, study: &mut Study) -> Result<bool> {
    let Some(actions) = trial.actions.as_ref().filter(|_| !trial.skipped) else {
        return Ok(false);
    };
    let values: Vec<Value> = actions.decided.iter().map(|d| d.value.clone()).collect();
    let actions = match Actions::from_values(controller.space(), &values) {
        Ok(actions) if actions.layers() == controller.layers() => actions,
        _ => return Ok(false),
    };
    controller.store_rollout(&actions, trial.reward)?;
    let Some(update) = controller.train_step()? else {
        return Ok(false);
    };
    let learned = Learned {
        controller: 0,
        step: update.step,
        trials: trial.number,
        scalars: script::scalars(&update),
        policy: None,
    };
    study.learned(vec![learned])?;
    Ok(true)
}

/// Says what came out.
fn report(study: &Study, run: &RunFolder, updates: u64) {
    let trials = study.trials().len();
    say(&format!(
        "{trials} trials rescored, {updates} updates of the controller, nothing trained"
    ));
    for trial in study.top(LISTED) {
        let (number, score) = (trial.number, trial.score.unwrap_or_default());
        say(&format!(
            "trial {number}: {}, reward {score:.4}",
            trial.architecture()
        ));
    }
    say(&format!("kept in: {}", run.path().display()));
}
