//! What trains the children of a session: this process, or worker processes by the store's queue.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::RunArgs;
use super::store::Opened;
use crate::data::DataPaths;
use crate::device::{self, Compute, Selector};
use crate::error::{Error, Result};
use crate::fleet::{self, Fleet, Local};
use crate::manager::{Crew, Executor, InProcess, Workers};
use crate::report::progress::{Progress, Started, warn};

/// How children of a session are trained.
#[derive(Clone, clap::Args)]
pub(super) struct WorkerArgs {
    /// How many networks train at the same time, each in a process of its own: auto (one per core on the CPU, one
    /// on a GPU) or a number; 0: in this process, one after another.
    #[arg(long, value_name = "N", env = "NAS_SCRIPT_WORKERS", default_value_t = Workers::Auto)]
    workers: Workers,
    /// One process for each of these devices in place of --workers, such as cuda:0,cuda:1.
    #[arg(
        long,
        value_name = "DEVICE,…",
        value_delimiter = ',',
        conflicts_with = "workers"
    )]
    devices: Vec<Selector>,
    /// The bytes of memory that a network in training may take on the CPU [default: nine tenths of all].
    #[arg(long, value_name = "BYTES", env = "NAS_SCRIPT_MEMORY")]
    memory: Option<u64>,
    /// The seconds after which a job is another worker's, if its worker falls silent.
    #[arg(
        long,
        value_name = "S",
        env = "NAS_SCRIPT_LEASE",
        default_value_t = 90.0
    )]
    lease: f64,
}

impl WorkerArgs {
    /// The device of each worker process, on the session's device unless others are named.
    pub fn places(&self, compute: &Compute) -> Vec<Selector> {
        if !self.devices.is_empty() {
            return self.devices.clone();
        }
        let workers = self.workers.number(compute.selector == Selector::Cpu);
        vec![compute.selector; workers]
    }

    /// Checks that the devices are there and the lease is one.
    pub fn check(&self) -> Result<()> {
        self.devices
            .iter()
            .try_for_each(|selector| device::open(*selector).map(drop))?;
        self.lease().map(drop)
    }

    /// The memory that a child may take, in bytes; `None`: all.
    pub fn memory(&self) -> Option<u64> {
        self.memory.or_else(fleet::default_memory)
    }

    /// How long a job is a worker's own without a heartbeat.
    pub fn lease(&self) -> Result<Duration> {
        let lease = Duration::try_from_secs_f64(self.lease).ok();
        let lease = lease.filter(|lease| *lease >= Duration::from_secs(1));
        let expected = "a number of seconds from 1";
        lease.ok_or_else(|| Error::invalid("--lease", expected, self.lease))
    }
}

/// What trains in this process, `workers` children at a time, shown by `progress`.
pub(super) fn in_process(
    compute: &Compute,
    workers: usize,
    progress: &Arc<Progress>,
    interrupted: &Arc<AtomicBool>,
) -> InProcess {
    let progress = progress.clone();
    InProcess {
        device: compute.device.clone(),
        crew: Arc::new(Crew::new(workers.max(1))),
        interrupted: interrupted.clone(),
        follow: Arc::new(move |asked, worker| {
            let child = progress.child(&Started {
                network: asked.network.digest().short(),
                params: asked.network.params(),
                epochs: asked.training.epochs,
                worker: worker.map(String::from),
            });
            Box::new(move |epoch| child.epoch(epoch))
        }),
    }
}

/// What trains for the study with the key `study` in the store: worker processes, unless there is no store or the
/// user wants none.
pub(super) fn executor(
    args: &RunArgs,
    here: InProcess,
    places: Vec<Selector>,
    opened: Option<&Opened>,
    study: Option<i64>,
) -> Result<Arc<dyn Executor>> {
    let (Some(Opened { store, files, .. }), Some(study), false) =
        (opened, study, places.is_empty())
    else {
        return Ok(Arc::new(here));
    };
    let local = Local {
        devices: places,
        paths: DataPaths::new(args.data_dir.clone()),
        memory: args.workers.memory(),
        program: None,
        lease: args.workers.lease()?,
        warn: Arc::new(warn),
    };
    Ok(Arc::new(Fleet::new(fleet::Setup {
        study,
        store: store.clone(),
        files: Some(files.clone()),
        here,
        local,
    })?))
}
