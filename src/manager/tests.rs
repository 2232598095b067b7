//! Children side by side: the order of answers, what is kept, and that threads change no result.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Receiver};

use burn::tensor::Device;

use super::*;
use crate::child::{Examination, Sharing};
use crate::data::{DataOptions, DataPaths, load};
use crate::evaluation::{Epoch, Outcome};
use crate::network::{BatchNormOptions, Conv2dOptions, DenseOptions, Node, PoolOptions};

fn digits() -> Dataset {
    let options = DataOptions {
        train: Some(200),
        validation: Some(50),
        ..DataOptions::default()
    };
    load("digits", &options, &DataPaths::new(None)).unwrap()
}

fn classifier(filters: usize) -> Arc<Network> {
    let x = Node::input(&[1, 8, 8]).unwrap();
    let x = x
        .conv2d(filters, [3, 3], &Conv2dOptions::default())
        .unwrap();
    let x = x.flatten().unwrap();
    x.dense(10, &DenseOptions::default())
        .unwrap()
        .network()
        .unwrap()
}

fn candidate(network: Arc<Network>) -> Candidate {
    Candidate {
        subject: Subject::Network(Ok(network)),
        actions: None,
        terms: Terms::default(),
        tag: None,
    }
}

fn for_epochs(epochs: usize, network: Arc<Network>) -> Candidate {
    let mut candidate = candidate(network);
    candidate.terms.epochs = NonZero::new(epochs);
    candidate
}

fn manager(training: TrainingConfig, executor: impl Executor + 'static) -> NetworkManager {
    managed(training, ManagerConfig::default(), executor)
}

fn managed(
    training: TrainingConfig,
    config: ManagerConfig,
    executor: impl Executor + 'static,
) -> NetworkManager {
    let study = Arc::new(Mutex::new(Study::in_memory("s", Seed(0))));
    let training = Training {
        data: digits(),
        config: training,
        executor: Arc::new(executor),
        files: None,
    };
    NetworkManager::new(training, config, study).unwrap()
}

/// Ends the last job first, with the number of filters as the loss. It stops at an interrupt.
#[derive(Clone, Default)]
struct Backwards {
    started: Arc<AtomicUsize>,
    /// Jobs from the front that do not end: stopped by the user, or lost.
    missing: usize,
    interrupted: bool,
}

impl Executor for Backwards {
    fn start(&self, jobs: Jobs) -> Result<Receiver<Ended>> {
        let (sender, receiver) = mpsc::channel();
        for (job, asked) in jobs.asked.iter().enumerate().rev() {
            self.started.fetch_add(1, Ordering::Relaxed);
            let trained = match job < self.missing {
                true if self.interrupted => Err(Error::Interrupted),
                true => continue,
                false => Ok(Trained {
                    outcome: Outcome {
                        loss: Some(asked.network.params() as f64),
                        ..Outcome::default()
                    },
                    weights: None,
                }),
            };
            let left = None;
            sender.send(Ended { job, trained, left }).unwrap();
        }
        Ok(receiver)
    }

    fn test(&self, _: &Network, _: &Weights, _: &Dataset) -> Result<Examination> {
        unreachable!("nothing is tested")
    }
}

#[test]
fn answers_come_in_the_order_asked_and_twins_are_trained_once() {
    let executor = Backwards::default();
    let manager = manager(TrainingConfig::default(), executor.clone());
    let impossible = Candidate {
        subject: Subject::Network(Err("it does not fit".into())),
        ..candidate(classifier(2))
    };
    let mut asked: Vec<_> = [8, 2, 8, 4].map(|f| candidate(classifier(f))).into();
    asked.insert(1, impossible);
    let answers: Vec<_> = manager
        .evaluate(asked)
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let params = |filters| Some(classifier(filters).params() as f64);
    let losses: Vec<_> = answers.iter().map(|a| a.outcome.loss).collect();
    assert_eq!(losses, [params(8), None, params(2), params(8), params(4)]);
    let cached: Vec<_> = answers.iter().map(|a| a.cached).collect();
    assert_eq!(cached, [false, false, false, true, false]);
    assert_eq!(executor.started.load(Ordering::Relaxed), 3);

    let again = manager.evaluate(vec![candidate(classifier(4))]).unwrap();
    assert!(again.map(Result::unwrap).all(|answer| answer.cached));
    assert_eq!(executor.started.load(Ordering::Relaxed), 3);
}

#[test]
fn what_had_ended_before_an_interrupt_is_answered_and_kept() {
    let executor = Backwards {
        missing: 2,
        interrupted: true,
        ..Backwards::default()
    };
    let manager = manager(TrainingConfig::default(), executor);
    let ask = || [8, 2, 8, 4].map(|f| candidate(classifier(f))).into();
    let answers = manager.evaluate(ask()).unwrap();
    let interrupted: Vec<_> = answers.map(|answer| answer.is_err()).collect();
    assert_eq!(interrupted, [true, true, true, false]);
    let answers = manager.evaluate(ask()).unwrap();
    let known: Vec<_> = answers.flatten().map(|answer| answer.cached).collect();
    assert_eq!(known, [true]);
}

#[test]
fn a_child_without_an_answer_is_a_failure() {
    let executor = Backwards {
        missing: 1,
        ..Backwards::default()
    };
    let manager = manager(TrainingConfig::default(), executor);
    let asked = [8, 2].map(|f| candidate(classifier(f))).into();
    let answers = manager.evaluate(asked).unwrap().map(Result::unwrap);
    let failures: Vec<_> = answers
        .map(|answer| answer.outcome.failure.map(|f| f.to_string()))
        .collect();
    let expected = "panic: the training ended without an answer";
    assert_eq!(failures, [Some(expected.into()), None]);
}

/// An executor with a crew, whose children call `on_epoch` with their number from 0.
fn in_process(crew: Crew, on_epoch: fn(usize, &Epoch)) -> InProcess {
    let started = AtomicUsize::new(0);
    InProcess {
        device: Device::flex(),
        crew: Arc::new(crew),
        interrupted: Arc::new(AtomicBool::new(false)),
        follow: Arc::new(move |_, _| {
            let child = started.fetch_add(1, Ordering::Relaxed);
            Box::new(move |epoch| on_epoch(child, epoch))
        }),
    }
}

#[test]
fn a_panic_fails_its_own_child_alone() {
    let training = TrainingConfig {
        epochs: 1,
        ..TrainingConfig::default()
    };
    let executor = in_process(Crew::on(2, 4), |child, _| {
        assert!(child != 1, "the kernel broke");
    });
    let manager = manager(training, executor);
    let asked = [2, 3, 4, 5].map(|f| candidate(classifier(f))).into();
    let answers = manager.evaluate(asked).unwrap().map(Result::unwrap);
    let failures: Vec<_> = answers
        .filter_map(|answer| answer.outcome.failure.map(|f| f.to_string()))
        .collect();
    assert_eq!(failures, ["panic: the kernel broke"]);
}

#[test]
fn cores_go_to_children_first() {
    let shape = |workers, cores, children| Crew::on(workers, cores).shares(children);
    assert_eq!(shape(4, 4, 9), (4, 1), "a child on each core");
    assert_eq!(shape(4, 4, 2), (2, 2), "fewer children than cores");
    assert_eq!(shape(4, 4, 1), (1, 4), "one child has all cores");
    assert_eq!(shape(1, 4, 9), (1, 4), "one worker has all cores");
    assert_eq!(shape(3, 4, 9), (3, 1), "no child waits for another");
    assert_eq!(shape(6, 4, 9), (6, 1), "more workers than cores");
}

#[test]
fn pools_are_used_again() {
    let crew = Crew::on(2, 2);
    let first = crew.pool(1).unwrap();
    crew.give_back(first.clone());
    let again = crew.pool(1).unwrap();
    assert!(Arc::ptr_eq(&first, &again));
}

#[test]
fn the_number_of_workers_is_auto_or_a_number() {
    for text in ["auto", "0", "1024"] {
        assert_eq!(text.parse::<Workers>().unwrap().to_string(), text);
    }
    for text in ["", "-1", "1.5", "many", "1025"] {
        let error = text.parse::<Workers>().unwrap_err().to_string();
        let expected = "workers: expected auto or a whole number from 0 to 1024, found ";
        assert_eq!(error, format!("{expected}{text}"));
    }
    assert_eq!(Workers::Auto.number(false), 1, "one on a GPU");
    assert!(Workers::Auto.number(true) >= 1);
    assert_eq!(Workers::Number(3).number(false), 3);
}

/// Large enough for every operation that has more than one thread to use them: 128 images of 16×16
/// pixels with 32 channels are 2^20 numbers.
fn broad() -> Arc<Network> {
    let norm = BatchNormOptions::default();
    let x = Node::input(&[1, 8, 8]).unwrap();
    let x = x
        .resize([16, 16], crate::network::Interpolation::Nearest)
        .unwrap();
    let x = x.conv2d(32, [3, 3], &Conv2dOptions::default()).unwrap();
    let x = x.batch_norm(&norm).unwrap();
    let x = x.activation(crate::network::Activation::Relu);
    let x = x
        .depthwise_conv2d([3, 3], 1, &Conv2dOptions::default())
        .unwrap();
    let x = x.conv2d(64, [1, 1], &Conv2dOptions::default()).unwrap();
    let x = x.max_pool2d([2, 2], &PoolOptions::default()).unwrap();
    let x = x.avg_pool2d([2, 2], &PoolOptions::default()).unwrap();
    let x = x.flatten().unwrap().dropout(0.2).unwrap();
    x.dense(10, &DenseOptions::default())
        .unwrap()
        .network()
        .unwrap()
}

#[test]
fn a_child_is_the_same_to_the_last_bit_on_any_number_of_threads() {
    let training = TrainingConfig {
        epochs: 2,
        ..TrainingConfig::default()
    };
    let trained = |threads| {
        let executor = in_process(Crew::on(1, threads), |_, _| {});
        let manager = manager(training.clone(), executor);
        let asked = manager
            .training()
            .unwrap()
            .question(&broad(), None, Seed(0));
        let trained = manager.train(&asked, None, false).unwrap();
        let history = trained.outcome.history.into_iter();
        let history = history.map(|epoch| Epoch {
            seconds: 0.0,
            ..epoch
        });
        (history.collect::<Vec<_>>(), trained.weights.unwrap())
    };
    let one = trained(1);
    assert_eq!(one.0.len(), 2);
    for threads in [2, 3] {
        let several = trained(threads);
        assert_eq!(several.0, one.0, "{threads} threads");
        assert!(several.1 == one.1, "the weights of {threads} threads");
    }
}

/// A manager with checkpoints in memory, and the epochs that it has trained.
fn with_checkpoints(training: TrainingConfig) -> (NetworkManager, Arc<Mutex<Vec<usize>>>) {
    let trained = Arc::new(Mutex::new(Vec::new()));
    let seen = trained.clone();
    let executor = InProcess {
        follow: Arc::new(move |_, _| {
            let seen = seen.clone();
            Box::new(move |epoch: &Epoch| seen.lock().push(epoch.epoch))
        }),
        ..in_process(Crew::on(1, 1), |_, _| {})
    };
    let config = ManagerConfig {
        checkpoints: Some(true),
        ..ManagerConfig::default()
    };
    (managed(training, config, executor), trained)
}

#[test]
fn more_epochs_go_on_from_the_furthest_checkpoint() {
    let ask = |manager: &NetworkManager, epochs| {
        let candidate = for_epochs(epochs, classifier(4));
        let mut answers = manager.evaluate(vec![candidate]).unwrap();
        answers.next().unwrap().unwrap().outcome
    };
    let (manager, trained) = with_checkpoints(TrainingConfig {
        epochs: 1,
        ..TrainingConfig::default()
    });
    let epochs_of = |ask: &dyn Fn() -> Outcome| {
        trained.lock().clear();
        let outcome = ask();
        assert_eq!(outcome.failure, None);
        (outcome.history.len(), trained.lock().clone())
    };
    assert_eq!(
        epochs_of(&|| ask(&manager, 0)),
        (1, vec![1]),
        "the manager's"
    );
    assert_eq!(epochs_of(&|| ask(&manager, 4)), (4, vec![2, 3, 4]));
    assert_eq!(
        epochs_of(&|| ask(&manager, 2)),
        (2, vec![1, 2]),
        "fewer start anew"
    );
    assert_eq!(
        epochs_of(&|| ask(&manager, 5)),
        (5, vec![5]),
        "and cost nothing later"
    );
    assert_eq!(
        epochs_of(&|| ask(&manager, 4)),
        (4, vec![]),
        "known already"
    );

    let (manager, trained) = with_checkpoints(TrainingConfig {
        epochs: 1,
        schedule: crate::evaluation::ScheduleKind::Cosine,
        ..TrainingConfig::default()
    });
    ask(&manager, 1);
    ask(&manager, 2);
    assert_eq!(*trained.lock(), [1, 1, 2], "cosine starts anew");
}

#[test]
fn the_best_child_is_tested_with_the_epochs_that_made_it_the_best() {
    let (mut manager, trained) = with_checkpoints(TrainingConfig {
        epochs: 1,
        ..TrainingConfig::default()
    });
    let candidate = for_epochs(3, classifier(4));
    let answer = manager.evaluate(vec![candidate]).unwrap().next();
    let answer = answer.unwrap().unwrap();
    manager.record(answer, None, Reaction::Accept).unwrap();
    let at_hand = manager.weights(&classifier(4), "test").unwrap();
    // As in another session, which has the study but not the weights.
    manager.best = None;
    trained.lock().clear();
    assert!(manager.weights(&classifier(4), "test").unwrap() == at_hand);
    assert_eq!(*trained.lock(), [0; 0], "they are in the checkpoint");
}

#[test]
fn a_checkpoint_that_cannot_be_kept_is_the_error_of_its_child() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "in the way").unwrap();
    let (mut manager, _) = with_checkpoints(TrainingConfig {
        epochs: 1,
        ..TrainingConfig::default()
    });
    let Source::Training(training) = &mut manager.source else {
        unreachable!("it trains")
    };
    training.files = Some(Arc::new(Files::Folder(file)));
    let asked = [2, 3, 2].map(|f| candidate(classifier(f))).into();
    let answers: Vec<_> = manager.evaluate(asked).unwrap().collect();
    assert!(matches!(answers[0], Err(Error::Io { .. })));
    assert!(matches!(answers[1], Err(Error::Interrupted)));
    assert!(matches!(answers[2], Err(Error::Interrupted)));
}

fn sharing(config: ManagerConfig) -> Result<NetworkManager> {
    let training = Training {
        data: digits(),
        config: TrainingConfig::default(),
        executor: Arc::new(in_process(Crew::on(1, 1), |_, _| {})),
        files: None,
    };
    let study = Arc::new(Mutex::new(Study::in_memory("s", Seed(0))));
    let device = Device::flex();
    NetworkManager::sharing(
        training,
        Sharing::Slices,
        config,
        &device,
        Arc::default(),
        study,
    )
}

#[test]
fn a_shared_answer_follows_the_weights_and_is_no_evaluation() {
    let mut manager = sharing(ManagerConfig::default()).unwrap();
    let (child, wider) = (classifier(4), classifier(8));
    let mut answers = Vec::new();
    for _ in 0..2 {
        let evaluated = manager.evaluate(vec![candidate(child.clone())]).unwrap();
        let evaluated = evaluated
            .collect::<Result<Vec<_>>>()
            .unwrap()
            .pop()
            .unwrap();
        answers.push(manager.record(evaluated, None, Reaction::Accept).unwrap());
        for _ in 0..20 {
            manager
                .train_shared(&[child.clone(), wider.clone()])
                .unwrap();
        }
    }
    let [before, after] = &answers[..] else {
        panic!("two answers")
    };
    assert_ne!(before.digest, after.digest);
    assert!(after.outcome.accuracy > before.outcome.accuracy.map(|a| a + 0.2));
    let asked = manager.shared().unwrap().training();
    let asked = asked.question(&child, None, child_seed(&manager.study.lock(), 0));
    let known = manager.study.lock().outcome(&asked.digest()).unwrap();
    assert!(known.is_none(), "a shared answer stands for the evaluation");
    let scores = manager.score_shared(&[child], None).unwrap();
    assert!(scores[0].as_ref().unwrap().accuracy > 0.3);
    assert!(
        manager.test(&wider).is_err(),
        "it has no weights of its own"
    );
}

#[test]
fn sharing_refuses_what_children_of_their_own_need() {
    let alone = ManagerConfig {
        median_stop: true,
        ..ManagerConfig::default()
    };
    assert!(sharing(alone).is_err());
    let manager = sharing(ManagerConfig::default()).unwrap();
    assert!(
        manager
            .evaluate(vec![for_epochs(3, classifier(4))])
            .is_err()
    );
}
