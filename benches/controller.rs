//! The controller's time per trial at the original's sizes: 4 layers of kernel [1, 3] and filters
//! [16, 32, 64], 32 cells, embeddings of 20, on the CPU. Of five steps of ppo one is an update.

use std::hint::black_box;
use std::sync::Arc;

use burn::tensor::Device;
use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use nas_script::controller::{Controller, ControllerConfig, Mode};
use nas_script::seed::Seed;
use nas_script::space::{Actions, StateSpace, Value};

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

/// A proposal of mode guided after so many trials: the surrogate is fitted to them, the policy learns
/// from imagined rollouts, and the next architecture is found. 8 layers of one of three blocks.
fn proposals(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("guided");
    group.sample_size(10);
    for trials in [200, 1000] {
        let mut space = StateSpace::new();
        let blocks = ["identity", "k3", "k5"].map(|block| Value::Text(block.into()));
        let added = space.add_state("block", blocks.to_vec());
        let (space, seed) = (Arc::new(space), Seed(0));
        let config = ControllerConfig {
            mode: Mode::Guided,
            ..ControllerConfig::default()
        };
        let made = Controller::new(space.clone(), 8, config, &Device::flex(), seed);
        let (Ok(_), Ok(mut controller)) = (added, made) else {
            panic!("the space and the options of the bench are valid");
        };
        let mut rng = seed.stream("bench");
        let objective = |actions: &Actions| {
            let indices = actions.indices().iter().enumerate();
            indices
                .map(|(d, i)| ((d + 2) * i) as f64)
                .sum::<f64>()
                .sqrt()
        };
        for trial in 0..trials {
            if trial + 1 == trials {
                // As in a search: what was learned of the trials before is the start.
                let practised = controller.train_step();
                practised.unwrap_or_else(|error| panic!("{error}"));
            }
            let Ok(actions) = Actions::random(&space, 8, &mut rng) else {
                panic!("the space has architectures");
            };
            let stored = controller.store_rollout(&actions, objective(&actions));
            stored.unwrap_or_else(|error| panic!("{error}"));
        }
        group.bench_function(format!("proposal after {trials} trials"), |b| {
            b.iter_batched(
                || controller.clone(),
                |mut controller| {
                    let update = controller.train_step();
                    black_box(update.and_then(|_| controller.get_action(None)))
                },
                BatchSize::LargeInput,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, updates, proposals);
criterion_main!(benches);
