//! Trainings that end early: the rules on histories by hand, and whole trainings.

use std::cell::Cell;
use std::num::NonZero;

use super::continuing::{from, timeless};
use super::learning::{control, settings};
use super::*;
use crate::child::stopping::stopped;
use crate::child::{Checkpoint, Control, Trained, train, train_from};
use crate::evaluation::{Epoch, OptimizerKind, ScheduleKind, Stopped};

/// A history of validation accuracies and losses.
fn history(epochs: &[(f64, f64)]) -> Vec<Epoch> {
    let epoch = |(index, (accuracy, loss)): (usize, &(f64, f64))| Epoch {
        epoch: index + 1,
        loss: 1.0,
        accuracy: 0.5,
        validation_loss: *loss,
        validation_accuracy: *accuracy,
        learning_rate: 0.1,
        seconds: 1.0,
    };
    epochs.iter().enumerate().map(epoch).collect()
}

fn patient(epochs: usize, patience: usize) -> TrainingConfig {
    TrainingConfig {
        epochs,
        patience: NonZero::new(patience),
        ..settings()
    }
}

#[test]
fn patience_counts_the_epochs_since_the_best() {
    let all = history(&[
        (0.5, 1.0),
        (0.6, 0.9), // better
        (0.6, 0.9), // an equal is not
        (0.6, 0.8), // of equals, a lower loss is
        (0.5, 0.1),
        (0.4, 0.1),
        (0.3, 0.1),
    ]);
    let ends = |patience| {
        let config = patient(all.len() + 1, patience);
        (0..=all.len()).find(|&done| stopped(&all[..done], &config, &[]).is_some())
    };
    assert_eq!([1, 2, 3].map(ends), [Some(3), Some(6), Some(7)]);
    assert_eq!(ends(4), None);
    // Whoever has all its epochs did not end early.
    assert_eq!(stopped(&all[..3], &patient(3, 1), &[]), None);
}

#[test]
fn the_floor_is_for_the_best_epoch_so_far() {
    let all = history(&[(0.5, 1.0), (0.7, 1.0), (0.6, 1.0), (0.6, 1.0)]);
    let config = patient(9, 100);
    let at = |done, floor: &[f64]| stopped(&all[..done], &config, floor);
    assert_eq!(at(1, &[0.5]), None);
    assert_eq!(at(1, &[0.51]), Some(Stopped::Median));
    assert_eq!(at(3, &[0.9, 0.9, 0.7]), None);
    assert_eq!(at(3, &[0.0, 0.0, 0.71]), Some(Stopped::Median));
    assert_eq!(at(4, &[0.9, 0.9, 0.9]), None, "no entry, no demand");
    assert_eq!(stopped(&all, &patient(4, 100), &[1.0; 4]), None);
    // Both at once: what does not depend on other children.
    let both = stopped(&all, &patient(9, 2), &[1.0; 4]);
    assert_eq!(both, Some(Stopped::Patience));
}

/// With this rate, accuracy goes up and down.
fn wild(epochs: usize, patience: Option<usize>) -> Evaluation {
    let training = TrainingConfig {
        epochs,
        optimizer: OptimizerKind::Sgd,
        learning_rate: 0.5,
        patience: patience.and_then(NonZero::new),
        ..settings()
    };
    ask(classifier(), training)
}

#[test]
fn a_training_that_ran_out_of_patience_is_the_same_in_one_go_and_in_parts() {
    let data = digits(200, 100);
    let (endless, _) = from(None, &wild(12, None), &data);
    let (whole, end) = from(None, &wild(12, Some(2)), &data);
    let (outcome, done) = (&whole.outcome, end.epochs());
    assert_eq!(outcome.stopped, Some(Stopped::Patience));
    assert_eq!(outcome.best_epoch, Some(done - 2));
    assert!(done < 12 && outcome.history.len() == done);
    // Up to there patience changes nothing.
    let losses = |trained: &Trained| -> Vec<f64> {
        let history = &trained.outcome.history[..done];
        history.iter().map(|epoch| epoch.validation_loss).collect()
    };
    assert_eq!(losses(&whole), losses(&endless));

    // A break before, at, or after the stop: the same weights and the same end.
    for first in [1, done - 1, done, done + 1] {
        let (part, start) = from(None, &wild(first, Some(2)), &data);
        let early = (first > done).then_some(Stopped::Patience);
        assert_eq!(part.outcome.stopped, early, "{first} of {done} epochs");
        let (again, last) = from(Some(&start), &wild(12, Some(2)), &data);
        assert_eq!(again.outcome.stopped, Some(Stopped::Patience));
        assert_eq!(again.weights, whole.weights);
        let answered = |epochs| start.answers(&wild(epochs, Some(2)));
        assert!(answered(first));
        assert_eq!(answered(12), first >= done);
        assert_eq!(timeless(last), timeless(end.clone()));
    }
}

#[test]
fn a_child_below_the_floor_ends_and_may_go_on_without_it() {
    let data = digits(200, 100);
    for schedule in [ScheduleKind::Constant, ScheduleKind::Cosine] {
        let mut asked = wild(4, None);
        asked.training.schedule = schedule;
        let (straight, whole) = from(None, &asked, &data);
        let floor = Control {
            floor: &[0.0, 1.1],
            ..control()
        };
        let (trained, start) = train_from(&asked, None, &data, &device(), &floor).unwrap();
        let (outcome, start) = (trained.outcome, start.unwrap());
        assert_eq!(outcome.stopped, Some(Stopped::Median));
        assert_eq!((outcome.history.len(), start.epochs()), (2, 2));
        assert!(outcome.failure.is_none() && outcome.accuracy.is_some());
        assert!(trained.weights.is_some());

        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("child.safetensors");
        start.save(&file).unwrap();
        let start = Checkpoint::load(&file).unwrap();
        let (continued, end) = from(Some(&start), &asked, &data);
        assert_eq!(continued.outcome.stopped, None);
        assert_eq!(continued.weights, straight.weights);
        assert_eq!(timeless(end), timeless(whole));

        // Two epochs of four are two epochs, unless their number matters.
        let mut two = asked.clone();
        two.training.epochs = 2;
        let same = start.check(&two).is_ok();
        assert_eq!(same, schedule == ScheduleKind::Constant);
        assert_eq!(same, start.answers(&two));
        assert!(!start.answers(&asked));
    }
}

#[test]
fn a_loss_that_is_no_number_ends_the_child_in_its_first_batches() {
    let mut asked = ask(classifier(), settings());
    asked.training.learning_rate = 1e30;
    let epochs = Cell::new(0);
    let control = Control {
        on_epoch: &|_| epochs.set(epochs.get() + 1),
        ..control()
    };
    let data = digits(320, 50);
    let outcome = train(&asked, &data, &device(), &control).unwrap().outcome;
    let failure = outcome.failure.unwrap().to_string();
    let of = failure.strip_prefix("nan: epoch 1, batch ");
    let (batch, rest) = of.and_then(|of| of.split_once(" of 10: ")).expect(&failure);
    assert!(batch.parse::<usize>().unwrap() <= 3, "{failure}");
    assert!(rest.starts_with("the training loss is "), "{failure}");
    assert_eq!((outcome.history.len(), epochs.get()), (0, 0));
}
