//! The controller's time per trial at the original's sizes: 4 layers of kernel [1, 3] and filters
//! [16, 32, 64], 32 cells, embeddings of 20, on the CPU. Of five steps of ppo one is an update.

use std::hint::black_box;
use std::sync::Arc;

use burn::tensor::Device;
use criterion::{Criterion, criterion_group, criterion_main};
use nas_script::controller::{Controller, ControllerConfig, Mode};
use nas_script::seed::Seed;
use nas_script::space::{StateSpace, Value};

fn controller(mode: Mode) -> nas_script::Result<Controller> {
    let ints = |values: &[i64]| values.iter().map(|v| Value::Int(*v)).collect();
    let mut space = StateSpace::new();
    space.add_state("kernel", ints(&[1, 3]))?;
    space.add_state("filters", ints(&[16, 32, 64]))?;
    let config = ControllerConfig {
        mode,
        exploration: 0.0, // every action comes from the policy
        novel: false,     // a bench would use up the space
        ..ControllerConfig::default()
    };
    Controller::new(Arc::new(space), 4, config, &Device::flex(), Seed(0))
}

fn updates(criterion: &mut Criterion) {
    for mode in [Mode::Reinforce, Mode::Ppo, Mode::Original] {
        let Ok(mut controller) = controller(mode) else {
            panic!("the options of the bench are valid");
        };
        let name = mode.name();
        criterion.bench_function(&format!("{name}/get_action"), |b| {
            b.iter(|| black_box(controller.get_action(None)));
        });
        let drawn: Result<Vec<_>, _> = (0..200).map(|_| controller.get_action(None)).collect();
        let Ok(drawn) = drawn else {
            panic!("a fresh controller decides");
        };
        let mut tried = drawn.iter().cycle();
        criterion.bench_function(&format!("{name}/train_step"), |b| {
            b.iter(|| {
                let stored = tried.next().map(|actions| {
                    let reward = actions.indices().iter().sum::<usize>() as f64 - 6.0;
                    controller.store_rollout(actions, 0.01 * reward)
                });
                black_box((stored, controller.train_step()))
            });
        });
    }
}

criterion_group!(benches, updates);
criterion_main!(benches);
