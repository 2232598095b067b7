//! The estimate of `Network::memory` against the allocator's own count, for 30 random networks.
//!
//! A program of its own, without the test harness: the counting allocator sees every thread.

// A test may unwrap.
#![allow(clippy::unwrap_used)]

mod allocator;
mod networks;

use std::process::ExitCode;
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use burn::tensor::Device;
use nas_script::child::{self, Control};
use nas_script::data::{DataOptions, Dataset, SyntheticOptions, synthetic};
use nas_script::evaluation::{DataKey, Evaluation, OptimizerKind, TrainingConfig};
use nas_script::network::{Network, TrainingStep};
use nas_script::seed::Seed;

/// How far the estimate may be off.
const TOLERANCE: f64 = 0.25;
/// How many networks are tried.
const NETWORKS: u64 = 30;
/// So few that the measurement of the validation data stays far below the training.
const VALIDATION: usize = 4;

fn main() -> ExitCode {
    // As under the harness: a filter that names another test runs nothing, and so does a listing.
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let filtered = |a: &String| !a.starts_with('-') && !"memory".contains(a.as_str());
    if arguments.iter().any(|a| a == "--list" || filtered(a)) {
        return ExitCode::SUCCESS;
    }
    let started = Instant::now();
    // The threads and their working space come once a process.
    let networks::Sample { network, batch, .. } = networks::sample(0);
    measure(&network, batch, OptimizerKind::Adam);
    println!("network              params  batch  optimizer  estimated MB  measured MB  ratio");
    let mut worst: f64 = 1.0;
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
        let ratio = estimated as f64 / measured as f64;
        if (ratio.ln()).abs() > worst.ln().abs() {
            worst = ratio;
        }
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
    println!("worst ratio {worst:.2}, at most {TOLERANCE} off 1 is right; {seconds:.0} s");
    match (worst - 1.0).abs() <= TOLERANCE {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    }
}

/// The bytes that the training of `network` takes at its peak: two epochs of two updates each.
/// Only from the second epoch on are there weights of a best epoch.
fn measure(network: &Network, batch: usize, optimizer: OptimizerKind) -> u64 {
    let data = images(network, batch);
    let evaluation = Evaluation {
        network: network.clone(),
        data: DataKey {
            name: "synthetic".into(),
            split: String::new(),
            content: String::new(),
        },
        training: TrainingConfig {
            epochs: 2,
            batch_size: batch,
            optimizer,
            ..TrainingConfig::default()
        },
        seed: Seed(1),
    };
    let control = Control {
        deadline: None,
        cancelled: &AtomicBool::new(false),
        on_epoch: &|_| (),
    };
    let before = allocator::restart();
    let trained = child::train(&evaluation, &data, &Device::flex(), &control).unwrap();
    let peak = allocator::peak() - before;
    assert_eq!(trained.outcome.failure, None, "{network}");
    peak
}

/// As many training images as two batches.
fn images(network: &Network, batch: usize) -> Dataset {
    let options = SyntheticOptions {
        classes: network.shape()[0],
        shape: network.input_shape().try_into().unwrap(),
        samples: 3 * (batch + VALIDATION),
        ..SyntheticOptions::default()
    };
    let split = DataOptions {
        train: Some(2 * batch),
        validation: Some(VALIDATION),
        ..DataOptions::default()
    };
    synthetic(&options, &split).unwrap()
}
