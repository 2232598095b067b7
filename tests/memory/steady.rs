//! What a training asks of the allocator from step to step, and what it leaves behind.

use nas_script::evaluation::OptimizerKind;
use nas_script::network::{
    Activation, BatchNormOptions, Conv2dOptions, DenseOptions, Network, Node, Padding, PoolOptions,
};

use crate::allocator;
use crate::training::Training;

/// Images per update.
const BATCH: usize = 128;
/// The most bytes that a training may leave behind beside the weights: names and a history.
const KEPT: i64 = 64 << 10;
/// The most bytes that the training of the original's child may take beyond the data.
const MOST: u64 = 120_000_000;
/// Batches per epoch of a short and of a long training, of two epochs each.
const BATCHES: [usize; 2] = [4, 12];

/// Whether each of these trainings is as frugal as it should be; prints what it asks for.
pub fn check() -> bool {
    let original = original();
    let cell = cell();
    let mut right = true;
    println!("child     threads  bytes kept  allocations a step: small  of 4 KiB and more");
    for (name, network) in [("original", &original), ("cell", &cell)] {
        for threads in [1, 2] {
            right &= asks_for_nothing(name, network, threads);
        }
    }
    right & stays_small(&original)
}

fn training(network: &Network, batches: usize) -> Training {
    Training::new(network, BATCH, batches, OptimizerKind::Adam)
}

/// Two trainings that differ in the number of steps alone allocate the same number of arrays, and
/// keep nothing but the weights.
fn asks_for_nothing(name: &str, network: &Network, threads: usize) -> bool {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads);
    let pool = pool.build().unwrap();
    let mut kept = 0;
    let calls = BATCHES.map(|batches| {
        let training = training(network, batches);
        let (before, live) = (allocator::calls(), allocator::live());
        let trained = pool.install(|| training.run());
        let weights = 4 * network.params() as i64;
        kept = kept.max(allocator::live() as i64 - live as i64 - weights);
        drop(trained);
        let after = allocator::calls();
        [0, 1].map(|size| after[size] - before[size])
    });
    let more = [0, 1].map(|size| calls[1][size] as i64 - calls[0][size] as i64);
    let steps = 2 * (BATCHES[1] - BATCHES[0]) as i64;
    println!(
        "{name:<8}  {threads:>7}  {kept:>10}  {:>25}  {:>17} in {steps} steps",
        more[0] / steps,
        more[1],
    );
    // A second thread may meet its largest job late: less than one a step is not of the steps.
    let most = if threads == 1 { 0 } else { steps - 1 };
    (0..=most).contains(&more[1].abs()) && kept < KEPT
}

/// The peak of the original's child, beyond the data.
fn stays_small(network: &Network) -> bool {
    let peak = training(network, 2).peak();
    println!(
        "original at batch {BATCH}: {:.1} MB at its peak",
        peak as f64 / 1e6
    );
    peak < MOST
}

/// The original's child: four convolutions of 3×3×64 (arXiv 1611.01578).
fn original() -> Network {
    let mut x = Node::input(&[3, 32, 32]).unwrap();
    for stride in [2, 1, 2, 1] {
        let options = Conv2dOptions {
            stride: [stride; 2],
            ..Conv2dOptions::default()
        };
        let conv = x.conv2d(64, [3, 3], &options).unwrap();
        x = conv.activation(Activation::Relu);
    }
    classified(&x)
}

/// A child with every other kernel: norms, depthwise and pointwise convolutions, pools, a sum, a
/// concatenation, a gate.
fn cell() -> Network {
    let plain = Conv2dOptions {
        bias: false,
        ..Conv2dOptions::default()
    };
    let norm = |x: &Node| x.batch_norm(&BatchNormOptions::default()).unwrap();
    let pool = PoolOptions {
        stride: Some([1, 1]),
        padding: Padding::Same,
    };
    let x = Node::input(&[3, 16, 16]).unwrap();
    let x = norm(&x.conv2d(24, [3, 3], &plain).unwrap()).activation(Activation::Relu6);
    let deep = norm(&x.depthwise_conv2d([3, 3], 1, &plain).unwrap());
    let deep = deep.activation(Activation::HardSwish);
    let deep = deep.squeeze_excite(6, Activation::Sigmoid).unwrap();
    let deep = norm(&deep.conv2d(24, [1, 1], &plain).unwrap());
    let sum = x.add(&deep).unwrap().activation(Activation::Relu);
    let largest = x.max_pool2d([3, 3], &pool).unwrap();
    let average = sum.avg_pool2d([3, 3], &pool).unwrap();
    classified(&Node::concat(&[sum, largest, average]).unwrap())
}

fn classified(x: &Node) -> Network {
    let flat = x.global_avg_pool().unwrap();
    Network::from_output(&flat.dense(10, &DenseOptions::default()).unwrap()).unwrap()
}
