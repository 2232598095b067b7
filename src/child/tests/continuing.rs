//! Trainings that are continued: to the last bit what they would have been without a break.

use super::learning::{control, settings};
use super::*;
use crate::Error;
use crate::child::{Checkpoint, Control, Trained, train, train_from};
use crate::evaluation::{Epoch, OptimizerKind, ScheduleKind};
use crate::network::{DropPath, DropSchedule};

/// Everything that a training draws or remembers is on: dropout and batch norm are the classifier's.
fn asked(epochs: usize, optimizer: OptimizerKind) -> Evaluation {
    let training = TrainingConfig {
        epochs,
        optimizer,
        schedule: ScheduleKind::Step,
        step_size: 1,
        step_gamma: 0.9,
        weight_decay: 1e-4,
        flip: true,
        pad_crop: 1,
        ..settings()
    };
    ask(classifier(), training)
}

pub(super) fn from(
    start: Option<&Checkpoint>,
    asked: &Evaluation,
    data: &Dataset,
) -> (Trained, Checkpoint) {
    let (trained, end) = train_from(asked, start, data, &device(), &control()).unwrap();
    assert_eq!(trained.outcome.failure, None);
    (trained, end.unwrap())
}

/// The end of a training, without the seconds.
pub(super) fn timeless(mut end: Checkpoint) -> Checkpoint {
    let history = &mut end.about.history;
    history.iter_mut().for_each(|epoch| epoch.seconds = 0.0);
    end
}

#[test]
fn two_epochs_continued_to_five_are_five_epochs_to_the_last_bit() {
    let data = digits(200, 100);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("child.safetensors");
    for optimizer in [OptimizerKind::Adam, OptimizerKind::Sgd] {
        let straight = train(&asked(5, optimizer), &data, &device(), &control()).unwrap();
        let (_, whole) = from(None, &asked(5, optimizer), &data);
        let (first, start) = from(None, &asked(2, optimizer), &data);
        assert_eq!(start.epochs(), 2);
        start.save(&file).unwrap();
        let start = Checkpoint::load(&file).unwrap();
        let (continued, end) = from(Some(&start), &asked(5, optimizer), &data);

        assert_eq!(timeless(end), timeless(whole), "{optimizer:?}");
        assert_eq!(continued.weights, straight.weights);
        let (outcome, expected) = (&continued.outcome, &straight.outcome);
        assert_eq!(outcome.accuracy, expected.accuracy);
        assert_eq!(outcome.loss, expected.loss);
        assert_eq!(outcome.best_epoch, expected.best_epoch);
        // The seconds too: the first epochs were not trained again.
        assert_eq!(outcome.history[..2], first.outcome.history);
        assert_ne!(outcome.history[1].loss, outcome.history[2].loss);
    }
}

#[test]
fn the_best_epoch_survives_worse_ones() {
    let data = digits(200, 100);
    // With a rate this high, accuracy goes up and down.
    let wild = |epochs| {
        let mut asked = asked(epochs, OptimizerKind::Sgd);
        asked.training.schedule = ScheduleKind::Constant;
        asked.training.learning_rate = 0.5;
        asked
    };
    let history = from(None, &wild(8), &data).0.outcome.history;
    let accuracy = |epoch: usize| history[epoch - 1].validation_accuracy;
    let worse = (2..=8).find(|&epoch| accuracy(epoch) < accuracy(epoch - 1));
    let epochs = worse.unwrap();
    let (whole, end) = from(None, &wild(epochs), &data);
    let best = whole.outcome.best_epoch.unwrap();
    assert!(best < epochs);
    assert_ne!(Some(&end.last), whole.weights.as_ref());
    // Also where nothing is left to train, and where the break is right after the best epoch.
    for done in [epochs, best] {
        let (_, start) = from(None, &wild(done), &data);
        let (again, _) = from(Some(&start), &wild(epochs), &data);
        assert_eq!(again.outcome.best_epoch, Some(best));
        assert_eq!(again.weights, whole.weights);
    }
}

#[test]
fn only_the_epochs_that_are_left_are_trained() {
    let data = digits(200, 100);
    let (_, start) = from(None, &asked(2, OptimizerKind::Adam), &data);
    let seen = std::cell::RefCell::new(Vec::new());
    let control = Control {
        on_epoch: &|epoch: &Epoch| seen.borrow_mut().push(epoch.epoch),
        ..control()
    };
    let four = asked(4, OptimizerKind::Adam);
    train_from(&four, Some(&start), &data, &device(), &control).unwrap();
    assert_eq!(*seen.borrow(), [3, 4]);
}

#[test]
fn a_start_that_does_not_fit_is_refused() {
    let data = digits(100, 50);
    let three = asked(3, OptimizerKind::Adam);
    let (_, start) = from(None, &three, &data);
    let refused = |start: &Checkpoint, asked: &Evaluation| {
        let ended = train_from(asked, Some(start), &data, &device(), &control()).unwrap();
        assert!(ended.1.is_none() && ended.0.weights.is_none());
        ended.0.outcome.failure.unwrap().to_string()
    };
    let expected = "invalid: continued training: expected ";
    let others = format!(
        "{expected}the network, data, seed and settings of the checkpoint, but for the epochs, found others"
    );
    let changes: [fn(&mut Evaluation); 4] = [
        |e| e.seed = Seed(4),
        |e| e.training.batch_size = 16,
        |e| e.training.optimizer = OptimizerKind::Sgd,
        |e| e.data.split = "another".into(),
    ];
    for change in changes {
        let mut other = asked(4, OptimizerKind::Adam);
        change(&mut other);
        assert_eq!(refused(&start, &other), others);
    }
    assert_eq!(
        refused(&start, &asked(2, OptimizerKind::Adam)),
        format!("{expected}at least 3 epochs, found 2")
    );

    let mut cosine = three.clone();
    cosine.training.schedule = ScheduleKind::Cosine;
    let drop = DropPath {
        rate: 0.2,
        schedule: DropSchedule::Linear,
    };
    let x = Node::input(&[1, 8, 8]).unwrap().drop_path(drop).unwrap();
    let x = x.flatten().unwrap().dense(10, &DenseOptions::default());
    let mut rising = three;
    rising.network = Network::from_output(&x.unwrap()).unwrap();
    for (what, mut asked) in [("cosine schedule", cosine), ("linear drop path", rising)] {
        let (trained, start) = from(None, &asked, &data);
        // As many epochs are no other training.
        assert_eq!(from(Some(&start), &asked, &data).0.weights, trained.weights);
        asked.training.epochs = 4;
        let why = format!("3 epochs, since the {what} depends on their number, found 4");
        assert_eq!(refused(&start, &asked), format!("{expected}{why}"));
    }
}

#[test]
fn broken_checkpoints_are_refused() {
    let data = digits(100, 50);
    let one = asked(1, OptimizerKind::Adam);
    let (trained, start) = from(None, &one, &data);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("child.safetensors");
    let refused = |path: &std::path::Path| match Checkpoint::load(path) {
        Err(Error::Snapshot { reason, .. }) => reason,
        other => panic!("{other:?}"),
    };
    trained.weights.unwrap().save(&file).unwrap();
    assert_eq!(refused(&file), "no checkpoint");
    let mut empty = start.clone();
    empty.about.history.clear();
    empty.save(&file).unwrap();
    assert_eq!(refused(&file), "a checkpoint without an epoch");
    let none = Checkpoint::load(folder.path().join("none"));
    assert!(matches!(none, Err(Error::Io { .. })));

    // Arrays that are not the child's are refused before an update reads them.
    let mut short = start;
    short.memories.get_mut("0.second").unwrap().shape = vec![1, 144];
    let (ended, _) = train_from(&one, Some(&short), &data, &device(), &control()).unwrap();
    let failure = ended.outcome.failure.unwrap().to_string();
    assert_eq!(
        failure,
        "invalid: weights '0.second': expected an array of shape [144], found shape [1, 144]"
    );
}
