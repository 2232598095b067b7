//! One training step on the GPU backend against the same on the CPU.
//!
//! The GPU is Mesa's software driver where there is none. Without an adapter, or in a build without
//! the `wgpu` feature, the comparison is skipped with a reason, unless `NAS_SCRIPT_REQUIRE_WGPU`
//! says that it must run.

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

#[test]
fn one_step_on_wgpu_is_that_on_the_cpu() {
    let required = std::env::var_os("NAS_SCRIPT_REQUIRE_WGPU").is_some();
    let place = Place::new();
    let devices = place.run(&["devices"]);
    if !devices.succeeded().lines().any(|l| l.starts_with("wgpu:0")) {
        assert!(!required, "no wgpu adapter:\n{}", devices.stdout);
        eprintln!("skipped: this build or machine has no wgpu adapter");
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
