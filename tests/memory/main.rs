//! The estimate of `Network::memory` against the allocator's own count, for 30 random networks.
//!
//! A program of its own, without the test harness: the counting allocator sees every thread.

// A test may unwrap.
#![allow(clippy::unwrap_used)]

mod allocator;
mod networks;
mod steady;
mod training;

use std::process::ExitCode;
use std::time::Instant;

use nas_script::evaluation::OptimizerKind;
use nas_script::network::{Network, TrainingStep};
use training::Training;

/// How far the estimate may be off.
const TOLERANCE: f64 = 0.25;
/// By how many bytes a thread it may be off besides, where Burn's own matrix products have a part: the panels that they
/// pack are as large as the caches of the CPU suggest.
const PANELS: u64 = 1 << 19;
/// How many networks are tried.
const NETWORKS: u64 = 30;

fn main() -> ExitCode {
    // As under the harness: a filter that names another test runs nothing, and so does a listing.
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let filtered = |a: &String| !a.starts_with('-') && !"memory".contains(a.as_str());
    if arguments.iter().any(|a| a == "--list" || filtered(a)) {
        return ExitCode::SUCCESS;
    }
    let steady = steady::check();
    let estimated = is_estimated();
    match steady && estimated {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

/// Whether `Network::memory` is right within the tolerance, for random networks.
fn is_estimated() -> bool {
    let started = Instant::now();
    // The threads and their working space come once a process.
    let networks::Sample { network, batch, .. } = networks::sample(0);
    measure(&network, batch, OptimizerKind::Adam);
    println!("network              params  batch  optimizer  estimated MB  measured MB  ratio");
    let mut worst: f64 = 0.0;
    for number in 0..NETWORKS {
        let networks::Sample {
            name,
            network,
            batch,
        } = networks::sample(number);
        let optimizer = match number % 3 {
            0 => OptimizerKind::Sgd,
            _ => OptimizerKind::Adam,
        };
        let step = TrainingStep {
            batch,
            moments: match optimizer {
                OptimizerKind::Adam => 2,
                OptimizerKind::Sgd => 1,
            },
            threads: std::thread::available_parallelism().unwrap().get(),
        };
        let estimated = network.memory(&step);
        let measured = measure(&network, batch, optimizer);
        let panels = match name.starts_with("mixed") {
            true => PANELS * step.threads as u64,
            false => 0,
        };
        // What lies within the panels is as good as measured.
        let nearest = estimated.clamp(measured.saturating_sub(panels), measured + panels);
        let ratio = estimated as f64 / measured as f64;
        let beyond = (estimated as f64 - nearest as f64).abs() / measured as f64;
        worst = worst.max(beyond);
        let megabytes = |bytes: u64| bytes as f64 / 1e6;
        println!(
            "{name:<17} {:>9}  {batch:>5}  {:<9}  {:>12.1}  {:>11.1}  {ratio:>5.2}",
            network.params(),
            format!("{optimizer:?}").to_lowercase(),
            megabytes(estimated),
            megabytes(measured),
        );
    }
    let seconds = started.elapsed().as_secs_f64();
    println!("at worst {worst:.2} of what is measured off, {TOLERANCE} is right; {seconds:.0} s");
    worst <= TOLERANCE
}

/// The bytes that the training of `network` takes at its peak: two epochs of two updates each.
fn measure(network: &Network, batch: usize, optimizer: OptimizerKind) -> u64 {
    Training::new(network, batch, 2, optimizer).peak()
}
