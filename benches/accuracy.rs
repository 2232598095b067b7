//! What the original's child learns of CIFAR-10 by our kernels and by Burn's own operations: the mean
//! curves over five seeds, and whether the difference at the end is more than noise.
//!
//!     cargo bench --bench accuracy -- --data-dir ../shared/data

// It takes every child that is timed; here one is trained.
#[path = "children/networks.rs"]
mod networks;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;
use std::thread;

use burn::tensor::Device;
use clap::Parser;
use nas_script::child::{self, Control};
use nas_script::data::{DataOptions, DataPaths, Dataset, load};
use nas_script::evaluation::{DataKey, Epoch, Evaluation, TrainingConfig};
use nas_script::seed::Seed;

/// The children that each side trains: seeds 0 to 4.
const SEEDS: usize = 5;

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Compares what a child learns by our kernels and by Burn's operations.
#[derive(Parser)]
#[command(name = "accuracy")]
struct Arguments {
    /// Where CIFAR-10 is.
    #[arg(long)]
    data_dir: Option<PathBuf>,
    /// How often each child sees the data.
    #[arg(long, default_value_t = 5)]
    epochs: usize,
    /// Training images; all but the validation's by default.
    #[arg(long)]
    train: Option<usize>,
    /// Validation images, taken from the training set.
    #[arg(long, default_value_t = 1000)]
    validation: usize,
    /// What cargo passes to every bench.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("Error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<(), Failure> {
    let division = DataOptions {
        train: arguments.train,
        validation: Some(arguments.validation),
        ..DataOptions::default()
    };
    let paths = DataPaths::new(arguments.data_dir.clone());
    let data = load("cifar10", &division, &paths)?;

    // Each side on a core of its own.
    let (kernels, burn) = thread::scope(|scope| {
        let burn = scope.spawn(|| accuracies(&data, arguments.epochs, true));
        (accuracies(&data, arguments.epochs, false), burn.join())
    });
    let (kernels, burn) = (kernels?, burn.map_err(|_| "the training panicked")??);

    println!("| epoch | kernels | Burn's operations |");
    println!("| ---: | ---: | ---: |");
    for (number, (kernels, burn)) in kernels.iter().zip(&burn).enumerate() {
        let [kernels, burn] = [kernels, burn].map(|seeds| Sample::of(*seeds).mean);
        println!("| {} | {kernels:.2} % | {burn:.2} % |", number + 1);
    }
    let last = |epochs: &[[f64; SEEDS]]| epochs.last().copied().unwrap_or_default();
    let (kernels, burn) = (last(&kernels), last(&burn));
    println!("\n| after the last epoch | kernels | Burn's operations | difference |");
    println!("| --- | ---: | ---: | ---: |");
    let differences: [f64; SEEDS] = std::array::from_fn(|seed| kernels[seed] - burn[seed]);
    for seed in 0..SEEDS {
        let (kernels, burn, difference) = (kernels[seed], burn[seed], differences[seed]);
        println!("| seed {seed} | {kernels:.1} % | {burn:.1} % | {difference:+.1} |");
    }
    let [kernels, burn, difference] = [kernels, burn, differences].map(Sample::of);
    let (mean, error) = (difference.mean, difference.standard_error);
    println!(
        "| mean ± standard error | {:.2} ± {:.2} % | {:.2} ± {:.2} % | {mean:+.2} ± {error:.2} |",
        kernels.mean, kernels.standard_error, burn.mean, burn.standard_error,
    );
    println!(
        "\nPaired t-test: t({}) = {:.2}, p = {:.2}; 95 % interval of the difference {:+.2} to {:+.2} points.",
        SEEDS - 1,
        mean / error,
        two_sided(mean / error),
        mean - T_975 * error,
        mean + T_975 * error,
    );
    Ok(())
}

/// The validation accuracies in percent after each epoch, of a child for each seed.
fn accuracies(data: &Dataset, epochs: usize, burn: bool) -> Result<Vec<[f64; SEEDS]>, Failure> {
    let mut accuracies = vec![[0.0; SEEDS]; epochs];
    for seed in 0..SEEDS {
        for (epoch, finished) in accuracies.iter_mut().zip(train(data, epochs, seed, burn)?) {
            epoch[seed] = 100.0 * finished.validation_accuracy;
        }
        eprintln!(
            "trained by {}: seed {seed}",
            if burn {
                "Burn's operations"
            } else {
                "the kernels"
            }
        );
    }
    Ok(accuracies)
}

/// Trains the original's child on one thread.
fn train(data: &Dataset, epochs: usize, seed: usize, burn: bool) -> Result<Vec<Epoch>, Failure> {
    let evaluation = Evaluation {
        network: networks::child("original")?,
        data: DataKey {
            name: "cifar10".into(),
            split: String::new(),
            content: String::new(),
        },
        training: TrainingConfig {
            epochs,
            ..TrainingConfig::default()
        },
        seed: Seed(seed as u64),
    };
    let learn = || {
        let control = Control {
            deadline: None,
            cancelled: &AtomicBool::new(false),
            floor: &[],
            on_epoch: &|_| (),
        };
        child::train(&evaluation, data, &Device::flex(), &control)
    };
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build()?;
    let outcome = pool
        .install(|| {
            if burn {
                child::with_burn_operations(learn)
            } else {
                learn()
            }
        })?
        .outcome;
    match outcome.failure {
        Some(failure) => Err(format!("seed {seed}: {failure:?}").into()),
        None => Ok(outcome.history),
    }
}

/// The mean of a value over the seeds.
struct Sample {
    mean: f64,
    /// Of the mean.
    standard_error: f64,
}

impl Sample {
    fn of(values: [f64; SEEDS]) -> Self {
        let count = SEEDS as f64;
        let mean = values.iter().sum::<f64>() / count;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        Self {
            mean,
            standard_error: (squares / (count - 1.0) / count).sqrt(),
        }
    }
}

/// The 97.5 % quantile of Student's distribution with 4 degrees of freedom.
const T_975: f64 = 2.776;

/// The probability that |t| is at least this large, for 4 degrees of freedom: there the distribution
/// function has a closed form.
fn two_sided(t: f64) -> f64 {
    const { assert!(SEEDS == 5) };
    let share = t * t / (4.0 + t * t);
    1.0 - share.sqrt() * (3.0 - share) / 2.0
}
