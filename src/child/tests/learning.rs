use std::cell::Cell;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::*;
use crate::Error;
use crate::child::schedule::learning_rate;
use crate::child::update::Optimizer;
use crate::child::{Child, Control, Trained, Weights, examine, score, train};
use crate::data::{SyntheticOptions, synthetic};
use crate::evaluation::{Epoch, Failure, FailureKind, OptimizerKind, ScheduleKind};

static RUNS: AtomicBool = AtomicBool::new(false);

pub(super) fn control() -> Control<'static> {
    Control {
        deadline: None,
        cancelled: &RUNS,
        floor: &[],
        on_epoch: &|_| {},
    }
}

pub(super) fn settings() -> TrainingConfig {
    TrainingConfig {
        epochs: 6,
        batch_size: 32,
        learning_rate: 5e-3,
        ..TrainingConfig::default()
    }
}

fn run(training: TrainingConfig, data: &Dataset) -> Trained {
    train(&ask(classifier(), training), data, &device(), &control()).unwrap()
}

fn failure(trained: &Trained) -> &Failure {
    assert_eq!(
        (trained.outcome.accuracy, trained.outcome.loss),
        (None, None)
    );
    assert!(trained.weights.is_none());
    trained.outcome.failure.as_ref().unwrap()
}

/// The history without what differs from run to run.
fn timeless(trained: &Trained) -> Vec<Epoch> {
    let history = trained.outcome.history.iter().cloned();
    history
        .map(|epoch| Epoch {
            seconds: 0.0,
            ..epoch
        })
        .collect()
}

#[test]
fn digits_are_learned_and_repeat_to_the_last_bit() {
    let data = digits(800, 300);
    let config = TrainingConfig {
        pad_crop: 1,
        ..settings()
    };
    let first = run(config.clone(), &data);
    let outcome = &first.outcome;
    assert_eq!(outcome.failure, None);
    assert!(outcome.accuracy.unwrap() > 0.9, "{:?}", outcome.history);
    assert_eq!(outcome.params, classifier().params());

    let best = &outcome.history[outcome.best_epoch.unwrap() - 1];
    assert_eq!(Some(best.validation_accuracy), outcome.accuracy);
    assert_eq!(Some(best.validation_loss), outcome.loss);
    let most = outcome
        .history
        .iter()
        .map(|e| e.validation_accuracy)
        .fold(0.0, f64::max);
    assert_eq!(best.validation_accuracy, most);

    // Again, with other children training beside it.
    let (second, other) = std::thread::scope(|scope| {
        let other = scope.spawn(|| {
            run(
                TrainingConfig {
                    epochs: 3,
                    ..settings()
                },
                &data,
            )
        });
        (run(config, &data), other.join().unwrap())
    });
    assert_eq!(timeless(&first), timeless(&second));
    assert_eq!(first.weights, second.weights);
    assert_ne!(timeless(&first)[..3], timeless(&other)[..]);

    // The weights give the same score again, from the file too.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("child.safetensors");
    first.weights.as_ref().unwrap().save(&path).unwrap();
    let loaded = Weights::load(&path).unwrap();
    assert_eq!(Some(&loaded), first.weights.as_ref());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    let again = score(&classifier(), &loaded, data.validation(), &device()).unwrap();
    assert_eq!(
        (Some(again.accuracy), Some(again.loss)),
        (outcome.accuracy, outcome.loss)
    );
}

#[test]
fn counting_confusions_changes_no_bit_of_a_score() {
    let data = digits(300, 100);
    let trained = run(settings(), &data);
    let weights = trained.weights.unwrap();
    let network = classifier();
    let plain = score(&network, &weights, data.test(), &device()).unwrap();
    let counted = examine(&network, &weights, data.test(), &device()).unwrap();
    let bits = |score: crate::child::Score| (score.accuracy.to_bits(), score.loss.to_bits());
    assert_eq!(bits(counted.score), bits(plain));
    let all: u64 = counted.confusion.iter().flatten().sum();
    assert_eq!(all as usize, data.test().len());
    let right: u64 = (0..counted.confusion.len())
        .map(|class| counted.confusion[class][class])
        .sum();
    assert_eq!(right as f64 / all as f64, plain.accuracy);
}

#[test]
fn sgd_with_every_setting_learns() {
    let data = digits(400, 200);
    let config = TrainingConfig {
        optimizer: OptimizerKind::Sgd,
        schedule: ScheduleKind::Cosine,
        learning_rate: 0.05,
        weight_decay: 5e-4,
        label_smoothing: 0.1,
        ..settings()
    };
    let outcome = run(config, &data).outcome;
    assert!(outcome.accuracy.unwrap() > 0.8, "{:?}", outcome.history);
}

#[test]
fn failures_are_outcomes() {
    let data = digits(200, 50);
    let exploding = run(
        TrainingConfig {
            learning_rate: 1e30,
            ..settings()
        },
        &data,
    );
    assert_eq!(failure(&exploding).kind, FailureKind::Nan);
    assert!(
        failure(&exploding).message.starts_with("epoch 1, batch "),
        "{}",
        failure(&exploding)
    );

    let refused = run(
        TrainingConfig {
            epochs: 0,
            ..settings()
        },
        &data,
    );
    assert_eq!(
        failure(&refused).to_string(),
        "invalid: option 'epochs': expected a whole number from 1, found 0"
    );

    let flat = Node::input(&[1, 8, 8]).unwrap().flatten().unwrap();
    let twelve = Network::from_output(&flat.dense(12, &DenseOptions::default()).unwrap()).unwrap();
    let misfit = train(&ask(twelve, settings()), &data, &device(), &control()).unwrap();
    assert_eq!(
        failure(&misfit).to_string(),
        "invalid: network ends in shape [12], the data has 10 classes"
    );

    let options = SyntheticOptions {
        shape: [3, 8, 8],
        samples: 100,
        ..SyntheticOptions::default()
    };
    let coloured = synthetic(&options, &DataOptions::default()).unwrap();
    let misfit = run(settings(), &coloured);
    assert_eq!(
        failure(&misfit).message,
        "network starts with shape [1, 8, 8], the data has images of shape [3, 8, 8]"
    );
}

#[test]
fn a_panic_is_a_failure_that_keeps_the_history() {
    let control = Control {
        on_epoch: &|epoch| assert!(epoch.epoch < 2, "the kernel broke"),
        ..control()
    };
    let trained = train(
        &ask(classifier(), settings()),
        &digits(200, 50),
        &device(),
        &control,
    )
    .unwrap();
    assert_eq!(failure(&trained).to_string(), "panic: the kernel broke");
    assert_eq!(trained.outcome.history.len(), 1);
}

#[test]
fn a_timeout_keeps_the_history_and_a_cancel_is_an_error() {
    let data = digits(200, 50);
    let patient = TrainingConfig {
        epochs: 1_000_000,
        ..settings()
    };
    let deadline = Some(Duration::from_millis(400));
    let seen = Cell::new(0);
    let timed = Control {
        deadline,
        on_epoch: &|_| seen.set(seen.get() + 1),
        ..control()
    };
    let trained = train(
        &ask(classifier(), patient.clone()),
        &data,
        &device(),
        &timed,
    )
    .unwrap();
    assert_eq!(
        failure(&trained).to_string(),
        "timeout: not done after 0.4 s"
    );
    assert_eq!(trained.outcome.history.len(), seen.get());

    let cancelled = AtomicBool::new(false);
    let stopped = Control {
        on_epoch: &|_| cancelled.store(true, std::sync::atomic::Ordering::Relaxed),
        cancelled: &cancelled,
        ..control()
    };
    let result = train(&ask(classifier(), patient), &data, &device(), &stopped);
    assert!(matches!(result, Err(Error::Interrupted)));
}

#[test]
fn schedules_have_their_closed_form() {
    let config = |schedule| TrainingConfig {
        epochs: 10,
        learning_rate: 0.1,
        schedule,
        step_size: 3,
        step_gamma: 0.5,
        ..TrainingConfig::default()
    };
    let rate = |schedule, epoch, update| learning_rate(&config(schedule), epoch, update, 4);
    assert_eq!(rate(ScheduleKind::Constant, 9, 3), 0.1);
    assert_eq!(rate(ScheduleKind::Cosine, 0, 0), 0.1);
    assert!((rate(ScheduleKind::Cosine, 5, 0) - 0.05).abs() < 1e-12);
    assert!((rate(ScheduleKind::Cosine, 2, 2) - 0.05 * (1.0 + 0.5_f64.sqrt())).abs() < 1e-12);
    assert_eq!(
        [2, 3, 6].map(|epoch| rate(ScheduleKind::Step, epoch, 1)),
        [0.1, 0.05, 0.025]
    );
}

#[test]
fn the_first_updates_follow_their_formulas() {
    use burn::module::Param;
    use burn::optim::GradientsParams;

    let device = device().autodiff();
    // The loss is 3 w, so the gradient is 3, plus the decay.
    let walk = |config: TrainingConfig| {
        let mut parameters = crate::child::Parameters {
            convs: vec![],
            denses: vec![],
            scales: vec![],
            norms: vec![crate::child::parameters::Norm {
                weight: Param::from_data([2.0_f32], &device),
                bias: Param::from_data([0.0_f32], &device),
            }],
        };
        let mut optimizer = Optimizer::new(&config);
        [0, 1].map(|_| {
            let gradients = parameters.norms[0]
                .weight
                .val()
                .mul_scalar(3.0)
                .sum()
                .backward();
            let gradients = GradientsParams::from_grads(gradients, &parameters);
            parameters = optimizer.step(0.1, parameters.clone(), gradients);
            host(parameters.norms[0].weight.val())[0]
        })
    };
    let sgd = TrainingConfig {
        optimizer: OptimizerKind::Sgd,
        weight_decay: 0.5,
        ..TrainingConfig::default()
    };
    // v₁ = 3 + 0.5 · 2 = 4, w₁ = 1.6; v₂ = 0.9 · 4 + 3 + 0.5 · 1.6 = 7.4, w₂ = 0.86.
    assert_close(&walk(sgd), &[1.6, 0.86], 1e-6);
    // Adam's step is the learning rate while the gradient does not change.
    assert_close(&walk(TrainingConfig::default()), &[1.9, 1.8], 1e-6);
}

#[test]
fn weights_of_another_network_and_broken_files_are_refused() {
    let weights = Child::build(&classifier(), Seed(0), &device())
        .unwrap()
        .weights()
        .unwrap();
    let flat = Node::input(&[1, 8, 8]).unwrap().flatten().unwrap();
    let other = Network::from_output(&flat.dense(10, &DenseOptions::default()).unwrap()).unwrap();
    let error = Child::with_weights(&other, &weights, &device()).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("weights '2.dense.weight': expected"),
        "{error}"
    );

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("broken.safetensors");
    std::fs::write(&path, b"not a file").unwrap();
    assert!(matches!(Weights::load(&path), Err(Error::Snapshot { .. })));
    assert!(matches!(
        Weights::load(folder.path().join("none")),
        Err(Error::Io { .. })
    ));
    assert!(matches!(
        weights.save(folder.path().join("no/such/folder")),
        Err(Error::Io { .. })
    ));
}
