//! `nas-script worker`: lends this machine to the searches of a store. And `nas-script runner`, the process that
//! trains for a worker.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use crate::data::DataPaths;
use crate::device::{self, Selector};
use crate::error::{Error, Result};
use crate::fleet::{Notice, Post, Runner, Said, Worker, default_memory, host};
use crate::manager::Workers;
use crate::report::progress::{say, warn};
use crate::study::store::{self, Address};

/// What a worker can be given.
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The store whose jobs it takes: postgres://USER@HOST/DATABASE, or a file of SQLite on this machine. A
    /// password belongs in PGPASSWORD, in ~/.pgpass, or in this variable.
    #[arg(
        long,
        value_name = "URL",
        env = "NAS_SCRIPT_STORE",
        hide_env_values = true
    )]
    store: String,
    /// auto, cpu, cuda[:N] or wgpu[:N].
    #[arg(long, env = "NAS_SCRIPT_DEVICE", default_value_t = Selector::Auto)]
    device: Selector,
    /// How many networks train at the same time: auto (one per core on the CPU, one on a GPU) or a number.
    #[arg(long, value_name = "N", env = "NAS_SCRIPT_WORKERS", default_value_t = Workers::Auto)]
    workers: Workers,
    /// Its name in the store [default: the machine's, and the process's number].
    #[arg(long)]
    name: Option<String>,
    /// Where data sets are [default: $NAS_SCRIPT_DATA, then the user's data folder].
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Where networks leave their weights, a folder shared with whoever searches [default: they leave none].
    #[arg(long, value_name = "DIR")]
    files: Option<PathBuf>,
    /// The bytes of memory that a network in training may take on the CPU [default: nine tenths of all].
    #[arg(long, value_name = "BYTES", env = "NAS_SCRIPT_MEMORY")]
    memory: Option<u64>,
    /// The seconds after which a job is another worker's, if this one falls silent.
    #[arg(long, value_name = "S", default_value_t = 90.0)]
    lease: f64,
    /// Say nothing of jobs.
    #[arg(short, long)]
    quiet: bool,
}

/// The address that `--store` names.
///
/// # Errors
/// [`Error::Invalid`] for what is no address, and for a password where everybody can read it.
pub(super) fn address(text: &str) -> Result<Address> {
    let address: Address = text.parse()?;
    // A command line is public; the environment of a process is not.
    let public = std::env::var("NAS_SCRIPT_STORE").as_deref() != Ok(text);
    if public && address.has_password() {
        let expected = "an address without a password, which everybody on this machine can read there (put it into \
                        PGPASSWORD, ~/.pgpass or NAS_SCRIPT_STORE)";
        return Err(Error::invalid("--store", expected, "one with a password"));
    }
    Ok(address)
}

/// What a runner is given by its worker.
#[derive(clap::Args)]
pub(super) struct RunnerArguments {
    #[arg(long)]
    device: Selector,
    #[arg(long)]
    data_dir: Option<PathBuf>,
    #[arg(long)]
    files: Option<PathBuf>,
    #[arg(long)]
    memory: Option<u64>,
}

/// Trains what standard input says.
pub(super) fn runner(arguments: RunnerArguments) -> Result<()> {
    let RunnerArguments {
        device,
        data_dir,
        files,
        memory,
    } = arguments;
    let paths = DataPaths::new(data_dir);
    let runner = Runner {
        device,
        paths,
        files,
        memory,
    };
    runner.run()
}

/// Works until it is told to stop.
pub(super) fn work(arguments: Arguments) -> Result<()> {
    let lease = Duration::try_from_secs_f64(arguments.lease).ok();
    let Some(lease) = lease.filter(|lease| *lease >= Duration::from_secs(1)) else {
        let expected = "a number of seconds from 1";
        return Err(Error::invalid("--lease", expected, arguments.lease));
    };
    let store = store::open(&address(&arguments.store)?)?;
    let compute = device::open(arguments.device)?;
    let workers = arguments.workers.number(compute.selector == Selector::Cpu);
    let name = arguments.name.unwrap_or_else(host);
    if !arguments.quiet {
        let (store, plural) = (store.name(), if workers == 1 { "" } else { "s" });
        say(&format!(
            "{name}: {workers} worker{plural} on {compute}, store {store}"
        ));
    }
    let notice = stop_on_signal(&store);
    let quiet = arguments.quiet;
    let work = |number: usize| Worker {
        store: store.clone(),
        post: Post {
            name: format!("{name}-{number}"),
            runner: Runner {
                device: compute.selector,
                paths: DataPaths::new(arguments.data_dir.clone()),
                files: arguments.files.clone(),
                memory: arguments.memory.or_else(default_memory),
            },
            program: None,
            workers,
            study: None,
            lease,
        },
        notice: notice.clone(),
        say: Arc::new(move |said| match said {
            Said::Job(line) if !quiet => say(&line),
            Said::Job(_) => {}
            Said::Trouble(line) => warn(&line),
        }),
    };
    thread::scope(|scope| {
        let works: Vec<_> = (1..=workers)
            .map(|number| {
                let worker = work(number);
                let notice = &notice;
                scope.spawn(move || {
                    let worked = worker.run();
                    if worked.is_err() {
                        // What the store refuses to one, it refuses to all.
                        notice.stop_now();
                    }
                    worked
                })
            })
            .collect();
        let lost = || {
            Err(Error::io("run", "a worker")(std::io::Error::other(
                "it panicked",
            )))
        };
        let ended = works
            .into_iter()
            .map(|work| work.join().unwrap_or_else(|_| lost()));
        ended.collect::<Vec<_>>().into_iter().collect()
    })
}

/// What the first Ctrl-C, or SIGTERM, tells the workers: to end what they have. The second: to give it up.
fn stop_on_signal(store: &Arc<dyn store::StudyStore>) -> Arc<Notice> {
    let notice = Arc::new(Notice::default());
    let (told, store) = (notice.clone(), store.clone());
    let handler = move || {
        warn(match told.stop() {
            true => "stopping when the networks in training are done (again: give them up)",
            false => "giving up what is in training",
        });
        store.wake();
    };
    if let Err(error) = ctrlc::set_handler(handler) {
        tracing::warn!("a signal will stop at once: {error}");
    }
    notice
}
