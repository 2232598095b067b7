//! What a script's host calls reach: device, seed, data, study, parameters, progress.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use burn::tensor::Device;
use parking_lot::{Mutex, RwLock};
use rhai::NativeCallContext;

use super::Scripted;
use super::export::Exports;
use super::keeping::{Keeping, Waiting};
use super::limits::Limits;
use super::meter::Meter;
use super::params::Params;
use super::places;
use crate::data::DataPaths;
use crate::error::{Error, Result};
use crate::manager::{Executor, Files};
use crate::report::progress::{Progress, Watcher};
use crate::seed::{Seed, StreamRng};
use crate::study::Study;

/// The state shared by every host call of one script or REPL session. A cheap handle.
#[derive(Clone)]
pub struct Host(Arc<State>);

/// What a session is made of; see [`Host::new`].
pub struct Session {
    /// The device that controllers compute on.
    pub device: Device,
    /// What trains children.
    pub executor: Arc<dyn Executor>,
    /// Where children leave their weights.
    pub files: Option<Arc<Files>>,
    /// Where data sets are looked for.
    pub paths: DataPaths,
    /// The study that trials are recorded in.
    pub study: Study,
    /// The values given for parameters, such as by `-p`.
    pub params: Params,
    /// What shows the run in the terminal.
    pub progress: Arc<Progress>,
    /// Set when the user wants to stop.
    pub interrupted: Arc<AtomicBool>,
    /// The folder that relative paths of a script are relative to.
    pub folder: PathBuf,
    /// What the script may use, and where else its imports are.
    pub sandbox: Sandbox,
}

/// What bounds a script beside its folder.
#[derive(Clone, Debug, Default)]
pub struct Sandbox {
    /// What it may use.
    pub limits: Limits,
    /// The folders in which imports are looked for that are not beside the script, in order.
    pub recipes: Vec<PathBuf>,
}

struct State {
    /// The device that controllers compute on, and what trains children.
    place: RwLock<(Device, Arc<dyn Executor>)>,
    files: Option<Arc<Files>>,
    paths: DataPaths,
    study: Arc<Mutex<Study>>,
    params: RwLock<Params>,
    progress: Arc<Progress>,
    interrupted: Arc<AtomicBool>,
    folder: PathBuf,
    space_rng: Mutex<StreamRng>,
    variation_rng: Mutex<StreamRng>,
    seed: Seed,
    controllers: Mutex<u64>,
    waiting: Waiting,
    exports: Mutex<Exports>,
    recipes: Vec<PathBuf>,
    meter: Meter,
}

impl Host {
    /// Starts a session.
    pub fn new(session: Session) -> Self {
        let meter = Meter::new(session.sandbox.limits.clone(), session.interrupted.clone());
        Self::metered(session, meter)
    }

    /// Starts a session whose use `meter` counts.
    fn metered(session: Session, meter: Meter) -> Self {
        let seed = session.study.seed();
        let watcher = Watcher(session.progress.clone());
        let study = session.study.followed(Box::new(watcher));
        Self(Arc::new(State {
            place: RwLock::new((session.device, session.executor)),
            files: session.files,
            paths: session.paths,
            study: Arc::new(Mutex::new(study)),
            params: RwLock::new(session.params),
            progress: session.progress,
            interrupted: session.interrupted,
            folder: session.folder,
            space_rng: Mutex::new(seed.stream("space")),
            variation_rng: Mutex::new(seed.stream("variation")),
            seed,
            controllers: Mutex::new(0),
            waiting: Waiting::default(),
            exports: Mutex::default(),
            recipes: session.sandbox.recipes,
            meter,
        }))
    }

    /// The same host with a study of its own and without a live line.
    pub(super) fn replica(&self, number: u64) -> Self {
        let state = &self.0;
        let session = Session {
            device: self.device(),
            executor: self.executor(),
            files: state.files.clone(),
            paths: state.paths.clone(),
            study: state.study.lock().replica(number),
            params: self.params(),
            progress: Arc::new(Progress::quiet()),
            interrupted: state.interrupted.clone(),
            folder: state.folder.clone(),
            sandbox: Sandbox {
                limits: self.limits().clone(),
                recipes: state.recipes.clone(),
            },
        };
        Self::metered(session, state.meter.clone())
    }

    /// The host of the running script.
    ///
    /// # Errors
    /// Where the engine was not made by [`engine`](super::engine).
    pub(super) fn of(ctx: &NativeCallContext) -> Scripted<Self> {
        let host = ctx
            .tag()
            .and_then(|tag| Some(tag.read_lock::<Self>()?.clone()));
        host.ok_or_else(|| "this engine has no host".into())
    }

    pub(super) fn device(&self) -> Device {
        self.0.place.read().0.clone()
    }

    /// What trains the children of every manager that is made from now on.
    pub(super) fn executor(&self) -> Arc<dyn Executor> {
        self.0.place.read().1.clone()
    }

    /// Lets what is made from now on compute elsewhere.
    pub fn move_to(&self, device: Device, executor: Arc<dyn Executor>) {
        *self.0.place.write() = (device, executor);
    }

    pub(super) fn files(&self) -> Option<&Arc<Files>> {
        self.0.files.as_ref()
    }

    pub(super) fn paths(&self) -> &DataPaths {
        &self.0.paths
    }

    /// The study that trials are recorded in.
    pub fn study(&self) -> &Arc<Mutex<Study>> {
        &self.0.study
    }

    /// What was given for parameters.
    pub fn params(&self) -> Params {
        self.0.params.read().clone()
    }

    /// Gives what scripts that ask from now on find as their parameters.
    pub fn give(&self, params: Params) {
        *self.0.params.write() = params;
    }

    /// What the run is told by.
    pub fn progress(&self) -> &Arc<Progress> {
        &self.0.progress
    }

    pub(super) fn interrupted(&self) -> &Arc<AtomicBool> {
        &self.0.interrupted
    }

    pub(super) fn folder(&self) -> &Path {
        &self.0.folder
    }

    /// The folders in which imports are looked for that are not beside the script.
    pub(super) fn recipes(&self) -> &[PathBuf] {
        &self.0.recipes
    }

    /// What a script may use.
    pub(super) fn limits(&self) -> &Limits {
        self.0.meter.limits()
    }

    /// What counts that.
    pub(super) fn meter(&self) -> &Meter {
        &self.0.meter
    }

    /// A path that a script names, below the script's folder: scripts reach no other.
    pub(super) fn inside(&self, path: &str) -> Result<PathBuf, Error> {
        places::below(self.folder(), "file", path)
    }

    /// A saved file that a script names: below its folder, else below the working directory, where
    /// runs are kept.
    pub(super) fn saved(&self, path: &str) -> Result<PathBuf, Error> {
        let beside = self.inside(path)?;
        let here = places::below(Path::new(""), "file", path)?;
        let found = if !beside.exists() && here.exists() {
            here
        } else {
            beside
        };
        places::readable("file", &found, ("file_size", self.limits().file_size))?;
        Ok(found)
    }

    /// A data file that a script names: below its folder, else below a data folder, where links are the user's own.
    pub(super) fn data_file(&self, path: &str) -> Result<PathBuf, Error> {
        let beside = self.inside(path)?;
        let others = self
            .paths()
            .candidates()
            .iter()
            .map(|folder| folder.join(path));
        let places: Vec<PathBuf> = std::iter::once(beside).chain(others).collect();
        if let Some(found) = places.iter().find(|place| place.is_file()) {
            places::readable("file", found, ("file_size", self.limits().file_size))?;
            return Ok(found.clone());
        }
        let places: Vec<_> = places
            .iter()
            .map(|place| place.display().to_string())
            .collect();
        let expected = "a file beside the script or in a data folder (--data-dir)";
        Err(Error::invalid(
            format!("file '{path}'"),
            expected,
            format!("none of {}", places.join(", ")),
        ))
    }

    pub(super) fn space_rng(&self) -> &Mutex<StreamRng> {
        &self.0.space_rng
    }

    /// What searches without a policy draw from: mutations, crossings, samples of a list.
    pub(super) fn variation_rng(&self) -> &Mutex<StreamRng> {
        &self.0.variation_rng
    }

    /// A seed of its own for each controller, in the order of their making, and where it is kept.
    pub(super) fn next_controller(&self) -> (Seed, Keeping) {
        let mut made = self.0.controllers.lock();
        let number = *made;
        *made += 1;
        let keeping = Keeping::new(number, &self.0.study.lock());
        (self.0.seed.derive(&format!("controller/{number}")), keeping)
    }

    /// The states of controllers that are not kept yet.
    pub(super) fn waiting(&self) -> &Waiting {
        &self.0.waiting
    }

    /// Keeps what waits to be kept, at the end of a session.
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io) or [`Error::Store`](crate::Error::Store) where it cannot be.
    pub fn keep(&self) -> Result<()> {
        self.0.waiting.keep(&self.0.study)
    }

    pub(super) fn exports(&self) -> &Mutex<Exports> {
        &self.0.exports
    }

    /// Ends the live line of a loop that was left early.
    pub fn finish(&self) {
        self.0.progress.finish();
    }

    /// Forgets an interrupt, before the next line of a REPL.
    pub fn clear_interrupt(&self) {
        self.0.interrupted.store(false, Ordering::Relaxed);
    }

    /// Fails if the user wants to stop.
    pub(super) fn check_interrupt(&self) -> Result<(), Error> {
        if self.0.interrupted.load(Ordering::Relaxed) {
            return Err(Error::Interrupted);
        }
        Ok(())
    }
}
