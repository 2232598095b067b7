//! `nas-script worker`: lends this machine to the searches of a store. And `nas-script runner`, the process that
//! trains for a worker.

use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use super::executor::WorkerArgs;
use super::store::{Opened, StoreArgs};
use crate::data::DataPaths;
use crate::device::{self, Selector};
use crate::error::{Error, Result};
use crate::fleet::{Notice, Post, Runner, Said, Worker, host};
use crate::report::progress::{say, warn};
use crate::study::store::StudyStore;

/// What a worker can be given.
#[derive(clap::Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    store: StoreArgs,
    /// auto, cpu, cuda[:N] or wgpu[:N].
    #[arg(long, env = "NAS_SCRIPT_DEVICE", default_value_t = Selector::Auto)]
    device: Selector,
    #[command(flatten)]
    workers: WorkerArgs,
    /// Its name in the store [default: the machine's, and the process's number].
    #[arg(long)]
    name: Option<String>,
    /// Where data sets are [default: $NAS_SCRIPT_DATA, then the user's data folder].
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Say nothing of jobs.
    #[arg(short, long)]
    quiet: bool,
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
    arguments.workers.check()?;
    let lease = arguments.workers.lease()?;
    let Opened {
        store,
        files,
        shared,
    } = arguments.store.needed()?;
    let files = shared.then_some(files);
    let compute = device::open(arguments.device)?;
    let places = arguments.workers.places(&compute);
    let workers = places.len().max(1);
    let name = arguments.name.unwrap_or_else(host);
    if !arguments.quiet {
        let (store, plural) = (store.name(), if workers == 1 { "" } else { "s" });
        say(&format!(
            "{name}: {workers} worker{plural} on {compute}, store {store}"
        ));
    }
    let notice = stop_on_signal(&store);
    let quiet = arguments.quiet;
    let memory = arguments.workers.memory();
    let work = |number: usize| Worker {
        store: store.clone(),
        post: Post {
            name: format!("{name}-{number}"),
            runner: Runner {
                device: places.get(number - 1).copied().unwrap_or(compute.selector),
                paths: DataPaths::new(arguments.data_dir.clone()),
                files: files.clone(),
                memory,
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
fn stop_on_signal(store: &Arc<dyn StudyStore>) -> Arc<Notice> {
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
