//! Training on the GPU backend: a step against the same on the CPU, batches that the GPU makes, and how
//! often the host waits for it.
//!
//! The GPU is Mesa's software driver where there is none. Without an adapter, or in a build without
//! the `wgpu` feature, the comparison is skipped with a reason, unless `NAS_SCRIPT_REQUIRE_WGPU`
//! says that it must run.

use std::sync::atomic::AtomicBool;

use burn::tensor::DType;
use nas_script::child::{self, Control};
use nas_script::data::{Augment, DataOptions, Dataset, SyntheticOptions, synthetic};
use nas_script::device::{self, Selector};
use nas_script::evaluation::{DataKey, Evaluation, TrainingConfig};
use nas_script::network::{Activation, Conv2dOptions, DenseOptions, Network, Node};
use nas_script::seed::Seed;

use crate::harness::{Place, Ran};

/// One update of a child and one of the controller; prints what both came to.
const STEP: &str = r#"
let space = StateSpace();
space.add_state("kernel", [1, 3]);
space.add_state("filters", [8, 16]);
fn model(actions) {
    let x = input([1, 8, 8]);
    for layer in actions.layers {
        x = x.conv2d(layer.filters, layer.kernel).batch_norm().relu();
    }
    x = x.conv2d(16, 3, #{ stride: 2 }).gelu() + x.max_pool2d(2).conv2d(16, 1).silu();
    concat([x, x.avg_pool2d(3, #{ stride: 1, padding: "same" })]).flatten().dropout(0.2).dense(10)
}
let data = dataset("digits", #{ train: 64, validation: 64 });
let manager = NetworkManager(data, #{ epochs: 1, batch_size: 64 });
let controller = Controller(2, space);
for decided in [[3, 16, 1, 8], [1, 8, 3, 16]] {
    let actions = space.actions(decided);
    let outcome = manager.get_rewards(model, actions);
    controller.store_rollout(actions, outcome.reward);
    let loss = controller.train_step();
    print("shape " + outcome.network.shape);
    print("value " + outcome.history[0].loss);
    print("value " + outcome.history[0].validation_loss);
    print("value " + loss);
}
for decision in controller.probabilities() {
    for p in decision { print("value " + p); }
}
"#;

fn lines(ran: &Ran, label: &str) -> Vec<String> {
    let lines = ran.stdout.lines();
    let found = lines.filter_map(|line| line.strip_prefix(label));
    found.map(str::to_string).collect()
}

/// Whether there is a wgpu adapter; says so where a test is skipped for want of one.
fn has_wgpu(place: &Place) -> bool {
    let required = std::env::var_os("NAS_SCRIPT_REQUIRE_WGPU").is_some();
    let devices = place.run(&["devices"]);
    let found = devices.succeeded().lines().any(|l| l.starts_with("wgpu:0"));
    assert!(found || !required, "no wgpu adapter:\n{}", devices.stdout);
    if !found {
        eprintln!("skipped: this build or machine has no wgpu adapter");
    }
    found
}

#[test]
fn one_step_on_wgpu_is_that_on_the_cpu() {
    let place = Place::new();
    if !has_wgpu(&place) {
        return;
    }
    place.write("step.rhai", STEP);
    let run = |device: &str| {
        let ran = place.run(&["step.rhai", "--device", device, "--quiet"]);
        ran.succeeded();
        ran
    };
    let (cpu, wgpu) = (run("cpu"), run("wgpu:0"));
    assert_eq!(lines(&wgpu, "shape "), lines(&cpu, "shape "));
    let numbers = |ran: &Ran| -> Vec<f64> {
        let values = lines(ran, "value ");
        values.iter().map(|v| v.parse().unwrap()).collect()
    };
    let (cpu, wgpu) = (numbers(&cpu), numbers(&wgpu));
    assert_eq!(cpu.len(), 6 + 2 * 2 * 2);
    assert_eq!(wgpu.len(), cpu.len());
    for (on_wgpu, on_cpu) in wgpu.iter().zip(&cpu) {
        let difference = (on_wgpu - on_cpu).abs();
        assert!(
            difference <= 1e-3 * on_cpu.abs().max(1.0),
            "{on_wgpu} for {on_cpu}"
        );
    }
}

#[test]
fn auto_names_the_device_it_took() {
    let place = Place::new();
    place.write("s.rhai", "print(1);");
    let ran = place.run(&["s.rhai", "--device", "auto"]);
    ran.succeeded();
    assert!(ran.stderr.starts_with("device: "), "{}", ran.stderr);
}

#[test]
fn batches_made_on_wgpu_are_those_of_the_cpu() {
    if !has_wgpu(&Place::new()) {
        return;
    }
    let wgpu = device::open(Selector::Wgpu(0)).unwrap().device;
    let cpu = device::open(Selector::Cpu).unwrap().device;
    // 105 pixels an image, on the device four to a number.
    let options = SyntheticOptions {
        shape: [3, 5, 7],
        ..SyntheticOptions::default()
    };
    let data = synthetic(&options, &DataOptions::default()).unwrap();
    let indices: Vec<usize> = (0..64).map(|i| i * 37 % data.train().len()).collect();
    for (flip, pad_crop) in [(false, 0), (true, 3), (true, 30)] {
        let augment = Augment { flip, pad_crop };
        let values = |device| {
            let mut rng = Seed(1).stream("augmentation");
            let batch = data
                .train()
                .batch(&indices, Some((&augment, &mut rng)), device);
            let images: Vec<f32> = batch.images.into_data().try_into_vec().unwrap();
            let labels: Vec<i64> = batch.labels.into_data().iter().collect();
            (images, labels)
        };
        assert!(values(&wgpu) == values(&cpu), "{augment:?}");
    }
}

#[test]
fn children_side_by_side_on_wgpu_share_the_data_and_nothing_else() {
    if !has_wgpu(&Place::new()) {
        return;
    }
    let wgpu = device::open(Selector::Wgpu(0)).unwrap().device;
    let options = SyntheticOptions {
        noise: 0.6,
        ..SyntheticOptions::default()
    };
    let losses = |data: &Dataset, filters: usize| {
        let x = Node::input(&data.shape()).unwrap();
        let x = x.conv2d(filters, [3, 3], &Conv2dOptions::default());
        let x = x.unwrap().activation(Activation::Relu).global_avg_pool();
        let x = x.unwrap().dense(4, &DenseOptions::default()).unwrap();
        let evaluation = Evaluation {
            network: Network::from_output(&x).unwrap(),
            data: DataKey {
                name: data.name().into(),
                split: data.split_key(),
                content: data.content_hash().into(),
            },
            training: TrainingConfig {
                epochs: 3,
                flip: true,
                ..TrainingConfig::default()
            },
            seed: Seed(2),
        };
        let control = Control {
            deadline: None,
            cancelled: &AtomicBool::new(false),
            floor: &[],
            on_epoch: &|_| {},
        };
        let trained = child::train(&evaluation, data, &wgpu, &control).unwrap();
        let outcome = trained.outcome;
        assert_eq!(outcome.failure, None);
        let epochs = outcome.history.iter();
        epochs.map(|e| e.validation_loss).collect::<Vec<_>>()
    };
    let data = || synthetic(&options, &DataOptions::default()).unwrap();
    let alone = [losses(&data(), 8), losses(&data(), 12)];
    let shared = data();
    let together = std::thread::scope(|scope| {
        let (shared, losses) = (&shared, &losses);
        let child = |filters| scope.spawn(move || losses(shared, filters));
        [8, 12].map(child).map(|thread| thread.join().unwrap())
    });
    for (together, alone) in together.iter().flatten().zip(alone.iter().flatten()) {
        assert!((together - alone).abs() < 1e-3, "{together} for {alone}");
    }
}

#[test]
fn bf16_needs_a_device_that_computes_in_it() {
    let place = Place::new();
    if !has_wgpu(&place) {
        return;
    }
    let script = r#"
        let manager = NetworkManager(dataset("digits"), #{ epochs: 1, precision: "bf16" });
        let space = StateSpace();
        space.add_state("filters", [4, 8]);
        fn model(actions) { input([1, 8, 8]).flatten().dense(10) }
        print("accuracy " + manager.get_rewards(model, space.actions([8])).accuracy);
    "#;
    place.write("bf16.rhai", script);
    let wgpu = device::open(Selector::Wgpu(0)).unwrap().device;
    let ran = place.run(&["bf16.rhai", "--device", "wgpu:0", "--quiet"]);
    if wgpu.supports_dtype(DType::BF16) {
        ran.succeeded();
        assert!(ran.line("accuracy ").parse::<f64>().unwrap() > 0.5);
    } else {
        assert_eq!(ran.code, Some(1));
        let expected = "option 'precision': expected f32 on a device that does not compute in bf16";
        assert!(ran.stderr.contains(expected), "{}", ran.stderr);
    }
}

/// How often a training of `epochs` epochs of `batches` batches had the driver map a buffer for
/// reading, which is how anything comes back from a GPU.
fn reads(place: &Place, epochs: usize, batches: usize) -> usize {
    let script = format!(
        r#"
        let x = input([1, 8, 8]).conv2d(8, 3).batch_norm().relu().max_pool2d(2);
        let net = x.flatten().dropout(0.2).dense(10);
        let options = #{{ epochs: {epochs}, batch_size: 16, flip: true, pad_crop: 1 }};
        let data = dataset("digits", #{{ train: {}, validation: 512 }});
        let manager = NetworkManager(data, options);
        let space = StateSpace();
        space.add_state("filters", [4, 8]);
        let outcome = manager.get_rewards(|actions| net, space.actions([8]));
        print("epochs " + outcome.history.len);
        "#,
        16 * batches
    );
    place.write("reads.rhai", script);
    // In this process, whose trace is read, and each training anew.
    let args = [
        "reads.rhai",
        "--device",
        "wgpu:0",
        "--quiet",
        "--store",
        "none",
    ];
    let mut command = place.command(&args);
    command.env("NAS_SCRIPT_LOG", "off,wgpu_core=trace");
    let ran = place.ran(&command.output().unwrap());
    ran.succeeded();
    assert_eq!(ran.line("epochs "), epochs.to_string());
    let mapped = |line: &&str| line.contains("Buffer::map_async") && line.contains("Read");
    ran.stderr.lines().filter(mapped).count()
}

#[test]
fn the_host_waits_for_wgpu_once_an_epoch() {
    let place = Place::new();
    if !has_wgpu(&place) {
        return;
    }
    // The first run measures which kernels are fastest and reads the clock for it; the next ones find
    // in the user's cache folder what it found.
    let measuring = reads(&place, 1, 2);
    let once = reads(&place, 1, 2);
    assert!(0 < once && once < measuring / 2, "{once} after {measuring}");
    assert_eq!(reads(&place, 1, 12), once, "reads within an epoch");
    assert_eq!(reads(&place, 4, 2), once + 3, "reads at the ends of epochs");
}
