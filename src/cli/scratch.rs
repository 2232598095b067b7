//! What tests and claims run in: a study in a folder that goes when they are done, so that nothing is left behind and
//! nothing is answered from what was paid for before.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::executor::in_process;
use super::interrupt_flag;
use super::run::progress;
use super::sandbox::SandboxArgs;
use crate::data::DataPaths;
use crate::device::{self, Compute, Selector};
use crate::error::{Error, Result};
use crate::manager::Workers;
use crate::script::{Host, Params, Sandbox, Session};
use crate::seed::Seed;
use crate::study::{RunFolder, Study};

/// Where a script runs that leaves nothing behind.
#[derive(Clone, clap::Args)]
pub(super) struct ScratchArgs {
    /// auto, cpu, cuda[:N] or wgpu[:N].
    #[arg(long, env = "NAS_SCRIPT_DEVICE")]
    device: Option<Selector>,
    /// How many networks train at the same time: auto (one per core on the CPU, one on a GPU) or a number.
    #[arg(long, value_name = "N", env = "NAS_SCRIPT_WORKERS", default_value_t = Workers::Auto)]
    workers: Workers,
    /// Where data sets are [default: $NAS_SCRIPT_DATA, then the user's data folder].
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    #[command(flatten)]
    sandbox: SandboxArgs,
}

/// An open [`ScratchArgs`], from which any number of scripts can run, one after another.
pub(super) struct Scratch {
    pub compute: Compute,
    pub sandbox: Sandbox,
    workers: usize,
    data_dir: Option<PathBuf>,
    interrupted: Arc<AtomicBool>,
    quiet: bool,
}

impl ScratchArgs {
    /// Opens the device: the one that was named, else `otherwise`. A quiet run shows no progress.
    pub fn open(&self, otherwise: Selector, quiet: bool) -> Result<Scratch> {
        let compute = device::open(self.device.unwrap_or(otherwise))?;
        Ok(Scratch {
            workers: self.workers.number(compute.selector == Selector::Cpu),
            sandbox: self.sandbox.open()?,
            data_dir: self.data_dir.clone(),
            interrupted: interrupt_flag(),
            quiet,
            compute,
        })
    }
}

impl Scratch {
    /// Does `work` with a fresh host of scripts in `folder`.
    pub fn within<T>(
        &self,
        folder: &Path,
        seed: Seed,
        params: Params,
        work: impl FnOnce(&Host) -> T,
    ) -> Result<T> {
        let left = tempfile::tempdir();
        let left = left.map_err(Error::io("create a folder in", std::env::temp_dir()))?;
        let run = RunFolder::at(left.path())?;
        let progress = progress(self.quiet);
        let host = Host::new(Session {
            executor: Arc::new(in_process(
                &self.compute,
                self.workers,
                &progress,
                &self.interrupted,
            )),
            device: self.compute.device.clone(),
            files: None,
            paths: DataPaths::new(self.data_dir.clone()),
            study: Study::in_folder("scratch", seed, run, Vec::new())?,
            params,
            progress,
            interrupted: self.interrupted.clone(),
            folder: folder.to_path_buf(),
            sandbox: self.sandbox.clone(),
        });
        let done = work(&host);
        host.finish();
        Ok(done)
    }
}
