//! Times the training of one child and prints one line of JSON; or prints the child itself, so that
//! other programs can train the same.
//!
//!     cargo bench --bench children -- original --seconds 5
//!
//! The first epoch is a warm-up. Whole epochs are timed after it, so the batches' shuffling and the
//! validation, of a single image, count too.

mod meter;
mod networks;
mod profile;

use std::cell::Cell;
use std::process::{self, ExitCode};
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, ScopedJoinHandle};
use std::time::Instant;

use burn::tensor::Device;
use clap::Parser;
use nas_script::Error;
use nas_script::child::{self, Control};
use nas_script::data::{DataOptions, Dataset, SyntheticOptions, synthetic};
use nas_script::evaluation::{DataKey, Epoch, Evaluation, TrainingConfig};
use nas_script::network::Network;
use nas_script::seed::Seed;

use meter::Reading;
use profile::Profile;

/// Batches in an epoch.
const BATCHES: usize = 4;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Times the training of one child.
#[derive(Parser)]
#[command(name = "children")]
struct Arguments {
    /// "original", "odd", "mixed-0" to "mixed-9", "mobilenet" or "nasnet".
    child: String,
    /// Images per update.
    #[arg(long, default_value_t = 128)]
    batch: usize,
    /// How long to measure, at least; then to the end of the epoch.
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// How many such children to train at a time, each on a thread of its own.
    #[arg(long, default_value_t = 1)]
    workers: usize,
    /// Train by Burn's own operations.
    #[arg(long)]
    burn: bool,
    /// Also print, on standard error, where the time goes.
    #[arg(long)]
    profile: bool,
    /// Train nothing; print the network as JSON.
    #[arg(long)]
    network: bool,
    /// What cargo passes to every bench.
    #[arg(long, hide = true)]
    bench: bool,
}

/// Images a second.
#[derive(Clone, Copy, Default, serde::Serialize)]
struct Rates {
    /// Of wall clock.
    images_per_second: f64,
    /// Of CPU time of the whole process.
    images_per_cpu_second: f64,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("Error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<String, Failure> {
    let network = networks::child(&arguments.child)?;
    if arguments.network {
        return Ok(serde_json::to_string(&network)?);
    }
    let data = images(arguments.batch)?;
    let rates = measure(arguments, &network, &data)?;
    let line = serde_json::json!({
        "child": arguments.child,
        "batch": arguments.batch,
        "workers": arguments.workers,
        "images_per_second": rates.images_per_second,
        "images_per_cpu_second": rates.images_per_cpu_second,
        "peak_memory": meter::peak_memory()?,
    });
    Ok(line.to_string())
}

/// Images for one epoch, and one to validate.
fn images(batch: usize) -> nas_script::Result<Dataset> {
    let train = BATCHES * batch;
    let options = SyntheticOptions {
        classes: 10,
        shape: [3, 32, 32],
        samples: train + 10,
        ..SyntheticOptions::default()
    };
    let division = DataOptions {
        train: Some(train),
        validation: Some(1),
        test: Some(0),
        ..DataOptions::default()
    };
    synthetic(&options, &division)
}

/// Trains as many children as there are workers and adds up their rates.
fn measure(arguments: &Arguments, network: &Network, data: &Dataset) -> Result<Rates, Failure> {
    let side_by_side = SideBySide {
        warm: Barrier::new(arguments.workers),
        unmeasured: AtomicUsize::new(arguments.workers),
        finished: AtomicBool::new(false),
    };
    let worker = |number| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build()?;
        pool.install(|| train(arguments, network, data, Seed(number), &side_by_side))
    };
    let rates = thread::scope(|scope| {
        let start =
            |number| scope.spawn(move || worker(number).unwrap_or_else(|error| give_up(&error)));
        let threads: Vec<_> = (0..arguments.workers as u64).map(start).collect();
        let joined = threads.into_iter().map(ScopedJoinHandle::join);
        joined.collect::<thread::Result<Vec<_>>>()
    });
    let rates = rates.map_err(|_| "a worker panicked")?;
    Ok(rates.iter().fold(Rates::default(), |sum, rates| Rates {
        images_per_second: sum.images_per_second + rates.images_per_second,
        images_per_cpu_second: sum.images_per_cpu_second + rates.images_per_cpu_second,
    }))
}

/// What the workers tell one another: they are timed from the same moment on, when all are warm, and
/// go on until the last is measured, so that none is ever alone on the machine.
struct SideBySide {
    warm: Barrier,
    unmeasured: AtomicUsize,
    finished: AtomicBool,
}

/// Trains one child, and times it from the end of its first epoch.
fn train(
    arguments: &Arguments,
    network: &Network,
    data: &Dataset,
    seed: Seed,
    all: &SideBySide,
) -> Result<Rates, Failure> {
    let evaluation = Evaluation {
        network: network.clone(),
        data: DataKey {
            name: "synthetic".into(),
            split: String::new(),
            content: String::new(),
        },
        training: TrainingConfig {
            epochs: 1_000_000, // until it is stopped
            batch_size: arguments.batch,
            ..TrainingConfig::default()
        },
        seed,
    };
    let start = Cell::new(None);
    let measured = Cell::new(None);
    let on_epoch = |epoch: &Epoch| match (start.get(), measured.get()) {
        (None, _) => {
            all.warm.wait();
            start.set(Some(Reading::now()));
        }
        (Some(start), None) => {
            let (wall, cpu) = Reading::now().since(start);
            if wall < arguments.seconds {
                return;
            }
            let images = ((epoch.epoch - 1) * data.train().len()) as f64;
            measured.set(Some(Rates {
                images_per_second: images / wall,
                images_per_cpu_second: images / cpu,
            }));
            if all.unmeasured.fetch_sub(1, Ordering::Relaxed) == 1 {
                all.finished.store(true, Ordering::Relaxed);
            }
        }
        (Some(_), Some(_)) => {}
    };
    let control = Control {
        deadline: None,
        cancelled: &all.finished,
        floor: &[],
        on_epoch: &on_epoch,
    };
    let learn = || child::train(&evaluation, data, &Device::flex(), &control);
    let trained = if arguments.burn {
        child::with_burn_operations(learn)
    } else if arguments.profile {
        let (profile, started) = (Profile::default(), Instant::now());
        let trained = profile.of(learn);
        eprint!("{}", profile.table(started.elapsed()));
        trained
    } else {
        learn()
    };
    match trained {
        Err(Error::Interrupted) => Ok(measured.get().unwrap_or_default()),
        Err(error) => Err(error.into()),
        Ok(trained) => Err(format!("the training ended by itself: {:?}", trained.outcome).into()),
    }
}

/// Ends the program at once: the other workers would wait for this one forever.
fn give_up(error: &Failure) -> Rates {
    eprintln!("Error: {error}");
    process::exit(1)
}
