//! What a script's host calls reach: device, seed, data, study, parameters, progress.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use burn::tensor::Device;
use parking_lot::Mutex;
use rhai::NativeCallContext;

use super::Scripted;
use super::export::Exports;
use super::params::Params;
use crate::data::DataPaths;
use crate::error::Error;
use crate::manager::Executor;
use crate::report::progress::Progress;
use crate::seed::{Seed, StreamRng};
use crate::study::Study;

/// The state shared by every host call of one script or REPL session. A cheap handle.
#[derive(Clone)]
pub struct Host(Arc<State>);

/// What a session is made of; see [`Host::new`].
pub struct Session {
    /// The device that controllers and children compute on.
    pub device: Device,
    /// What trains the children of every manager.
    pub executor: Arc<dyn Executor>,
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
}

struct State {
    device: Device,
    executor: Arc<dyn Executor>,
    paths: DataPaths,
    study: Arc<Mutex<Study>>,
    params: Params,
    progress: Arc<Progress>,
    interrupted: Arc<AtomicBool>,
    folder: PathBuf,
    space_rng: Mutex<StreamRng>,
    seed: Seed,
    controllers: Mutex<u64>,
    exports: Mutex<Exports>,
}

impl Host {
    /// Starts a session.
    pub fn new(session: Session) -> Self {
        let seed = session.study.seed();
        Self(Arc::new(State {
            device: session.device,
            executor: session.executor,
            paths: session.paths,
            study: Arc::new(Mutex::new(session.study)),
            params: session.params,
            progress: session.progress,
            interrupted: session.interrupted,
            folder: session.folder,
            space_rng: Mutex::new(seed.stream("space")),
            seed,
            controllers: Mutex::new(0),
            exports: Mutex::default(),
        }))
    }

    /// The host of the running script.
    ///
    /// # Errors
    /// Where the engine was not made by [`engine`](super::engine).
    pub(super) fn of(ctx: &NativeCallContext) -> Scripted<Self> {
        let host = ctx.tag().and_then(|tag| tag.clone().try_cast::<Self>());
        host.ok_or_else(|| "this engine has no host".into())
    }

    pub(super) fn device(&self) -> &Device {
        &self.0.device
    }

    /// What trains the children of every manager.
    pub(super) fn executor(&self) -> &Arc<dyn Executor> {
        &self.0.executor
    }

    pub(super) fn paths(&self) -> &DataPaths {
        &self.0.paths
    }

    /// The study that trials are recorded in.
    pub fn study(&self) -> &Arc<Mutex<Study>> {
        &self.0.study
    }

    /// The parameters that the script has asked for so far, and what was given for them.
    pub fn params(&self) -> &Params {
        &self.0.params
    }

    pub(super) fn progress(&self) -> &Arc<Progress> {
        &self.0.progress
    }

    pub(super) fn interrupted(&self) -> &Arc<AtomicBool> {
        &self.0.interrupted
    }

    pub(super) fn folder(&self) -> &Path {
        &self.0.folder
    }

    /// A path that a script names, below the script's folder: scripts reach no other.
    pub(super) fn inside(&self, path: &str) -> Result<PathBuf, Error> {
        let relative = Path::new(path);
        let plain = |part| matches!(part, Component::Normal(_) | Component::CurDir);
        if path.is_empty() || !relative.components().all(plain) {
            let expected = "a path inside the script's folder";
            return Err(Error::invalid("file", expected, format!("{path:?}")));
        }
        Ok(self.0.folder.join(relative))
    }

    /// A saved file that a script names: below its folder, else below the working directory, where
    /// runs are kept.
    pub(super) fn saved(&self, path: &str) -> Result<PathBuf, Error> {
        let beside = self.inside(path)?;
        let here = PathBuf::from(path);
        Ok(if !beside.exists() && here.exists() {
            here
        } else {
            beside
        })
    }

    pub(super) fn space_rng(&self) -> &Mutex<StreamRng> {
        &self.0.space_rng
    }

    /// A seed of its own for each controller, in the order of their making.
    pub(super) fn controller_seed(&self) -> Seed {
        let mut made = self.0.controllers.lock();
        let seed = self.0.seed.derive(&format!("controller/{made}"));
        *made += 1;
        seed
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

    /// Does what is left to do once the user wants to stop, and needs functions of the script. A further
    /// Ctrl-C stops it too.
    pub(super) fn regardless<T>(&self, last: impl FnOnce() -> T) -> T {
        self.clear_interrupt();
        let done = last();
        self.0.interrupted.store(true, Ordering::Relaxed);
        done
    }

    /// Fails if the user wants to stop.
    pub(super) fn check_interrupt(&self) -> Result<(), Error> {
        if self.0.interrupted.load(Ordering::Relaxed) {
            return Err(Error::Interrupted);
        }
        Ok(())
    }
}
