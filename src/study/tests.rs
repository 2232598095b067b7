use super::*;
use crate::error::Error;
use crate::evaluation::{DataKey, Failure, FailureKind, Stopped, TrainingConfig};
use crate::network::{DenseOptions, Node};
use store::{About, Address};

fn trial(number: usize, digest: u8, score: Option<f64>) -> Trial {
    let failure = Failure::new(FailureKind::Timeout, "not done after 1 s");
    Trial {
        number,
        ask: number as u64,
        reward: score.unwrap_or(-0.1),
        score,
        digest: Some(Digest::of_bytes(&[digest])),
        outcome: Outcome {
            accuracy: score,
            failure: score.is_none().then_some(failure),
            ..Outcome::default()
        },
        ..Trial::default()
    }
}

/// What is asked of a network with so many outputs.
fn evaluation(units: usize) -> Evaluation {
    let node = Node::input(&[4]).unwrap();
    let node = node.dense(units, &DenseOptions::default()).unwrap();
    Evaluation {
        network: (*node.network().unwrap()).clone(),
        data: DataKey {
            name: "toy".into(),
            split: "train 10".into(),
            content: "00".into(),
        },
        training: TrainingConfig::default(),
        seed: Seed(0),
    }
}

fn is_best(recorded: Result<(Arc<Trial>, bool)>) -> bool {
    recorded.unwrap().1
}

#[test]
fn the_best_is_the_earliest_of_the_highest_scores() {
    let mut study = Study::in_memory("s", Seed(0));
    assert!(study.best().is_none());
    assert!(!is_best(study.record(trial(1, 1, None))));
    assert!(is_best(study.record(trial(2, 2, Some(0.5)))));
    assert!(is_best(study.record(trial(3, 3, Some(0.9)))));
    assert!(!is_best(study.record(trial(4, 4, Some(0.9)))));
    assert!(!is_best(study.record(trial(5, 3, Some(0.9)))));
    assert_eq!(study.best().map(|t| t.number), Some(3));
    let top: Vec<usize> = study.top(3).iter().map(|t| t.number).collect();
    assert_eq!(top, [3, 4, 2], "distinct networks, the best first");
}

#[test]
fn outcomes_are_kept_unless_they_are_of_the_moment() {
    let mut study = Study::in_memory("s", Seed(0));
    let [good, mut patient, mut median] = [1, 2, 3].map(|n| trial(n.into(), n, Some(0.5)).outcome);
    patient.stopped = Some(Stopped::Patience);
    median.stopped = Some(Stopped::Median);
    let bad = trial(4, 4, None).outcome;
    for (units, outcome) in [&good, &patient, &median, &bad].into_iter().enumerate() {
        study.keep(&evaluation(units + 1), outcome, None).unwrap();
    }
    let mut kept = |units| study.outcome(&evaluation(units).digest()).unwrap();
    let known = |outcome: &Outcome, cached| {
        let outcome = outcome.clone();
        Some(Remembered { outcome, cached })
    };
    assert_eq!(kept(1), known(&good, false), "nobody had asked for it");
    assert_eq!(kept(1), known(&good, true));
    assert_eq!(kept(2), known(&patient, false));
    assert_eq!((kept(3), kept(4)), (None, None));
}

#[test]
fn the_journal_gives_back_what_was_recorded() {
    let base = tempfile::tempdir().unwrap();
    let folder = RunFolder::create(base.path(), "run").unwrap();
    let again = RunFolder::create(base.path(), "run").unwrap();
    assert!(again.path().ends_with("run-2"), "the next free number");
    let journal = folder.file(JOURNAL_FILE);
    let mut study = Study::in_folder("run", Seed(0), folder, Vec::new()).unwrap();
    study.record(trial(1, 1, Some(0.125))).unwrap();
    study.record(trial(2, 2, None)).unwrap();
    let trials: Vec<_> = study.trials().iter().map(|t| (**t).clone()).collect();
    assert_eq!(Journal::read(&journal).unwrap(), trials);
    std::fs::write(&journal, "{\"number\": 1").unwrap();
    let error = Journal::read(&journal).unwrap_err().to_string();
    assert!(error.contains("record 0: expected a trial"), "{error}");
}

/// A store in `folder`, and a study called `name` in it with what it has recorded.
fn stored(folder: &std::path::Path, name: &str, fork: Option<&str>) -> Study {
    let store = store::open(&Address::file(folder.join("studies.db"))).unwrap();
    let found = store.find(name).unwrap();
    let (trials, facts) = found.as_ref().map_or_else(Default::default, |kept| {
        (
            store.trials(kept.id).unwrap(),
            store.facts(kept.id).unwrap(),
        )
    });
    let about = About {
        name: fork.unwrap_or(name).into(),
        script: "s.rhai".into(),
        seed: Seed(0),
        params: BTreeMap::new(),
        folder: None,
        parent: None,
        kernel_version: 1,
        source: String::new(),
        environment: None,
    };
    let (tenure, divergence, has) = match (found, fork) {
        (Some(kept), None) => {
            let has = (trials.len(), facts.len());
            (store.take(kept.id).unwrap(), Divergence::Refuse, has)
        }
        _ => (store.create(&about).unwrap(), Divergence::Fork, (0, 0)),
    };
    let keeper = Keeper { store, tenure, has };
    let past = Past::new(trials, facts, divergence);
    Study::in_memory(name, Seed(0)).stored(keeper, past)
}

/// Asks for the network with so many outputs, as a manager does, and records what it is worth.
fn ask(study: &mut Study, units: usize, reward: f64) -> Result<bool> {
    let evaluation = evaluation(units);
    let digest = Some(evaluation.digest());
    let ask = study.next_ask();
    let question = Question {
        ask,
        actions: None,
        digest,
        evaluation: Some(&evaluation),
        row: None,
    };
    let recalled = study.recall(&question)?;
    let outcome = Outcome {
        accuracy: Some(reward),
        seconds: 0.5,
        ..Outcome::default()
    };
    let known = recalled.is_some();
    let trial = Trial {
        ask,
        reward,
        score: Some(reward),
        digest,
        evaluation: Some(evaluation),
        outcome: recalled.map_or(outcome, |trial| trial.outcome),
        ..Trial::default()
    };
    study.record(trial)?;
    Ok(known)
}

#[test]
fn a_study_is_answered_from_its_record_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = stored(folder.path(), "s", None);
    for units in 1..=3 {
        assert!(!ask(&mut first, units, 0.1 * units as f64).unwrap());
    }
    assert_eq!(first.recall_fact("latency", "net").unwrap(), None);
    first.note("latency", "net", 1.25.into()).unwrap();
    let trials = first.trials().to_vec();
    drop(first);

    let mut second = stored(folder.path(), "s", None);
    for units in 1..=3 {
        assert!(second.replaying());
        assert!(ask(&mut second, units, 0.1 * units as f64).unwrap());
    }
    assert_eq!(second.trials(), trials, "to the last bit, seconds and all");
    let fact = second.recall_fact("latency", "net").unwrap();
    assert_eq!(fact, Some(1.25.into()));
    assert!(!second.replaying());
    assert!(!ask(&mut second, 4, 0.4).unwrap());
    drop(second);
    let third = stored(folder.path(), "s", None);
    assert_eq!(third.past.trials().len(), 4, "nothing twice");
    assert_eq!(third.keeper.as_ref().unwrap().has, (4, 1));
}

#[test]
fn what_differs_from_the_record_is_refused_or_forks() {
    let folder = tempfile::tempdir().unwrap();
    let mut first = stored(folder.path(), "s", None);
    for units in 1..=3 {
        ask(&mut first, units, 0.5).unwrap();
    }
    drop(first);
    let mut other = stored(folder.path(), "s", None);
    ask(&mut other, 1, 0.5).unwrap();
    let error = ask(&mut other, 9, 0.5).unwrap_err();
    assert!(matches!(error, Error::Diverged { .. }));
    let name = |units| format!("network {}", evaluation(units).network.digest().short());
    let (two, nine) = (name(2), name(9));
    let expected = format!("diverged at trial 2: recorded {two}, asked {nine}");
    assert_eq!(error.to_string(), expected);
    drop(other);

    let mut reward = stored(folder.path(), "s", None);
    let error = ask(&mut reward, 1, 0.75).unwrap_err().to_string();
    assert!(
        error.contains("trial 1") && error.contains("reward 0.75"),
        "{error}"
    );
    drop(reward);

    let mut fork = stored(folder.path(), "s", Some("f"));
    assert!(ask(&mut fork, 1, 0.5).unwrap());
    assert!(!ask(&mut fork, 9, 0.5).unwrap());
    assert!(
        !ask(&mut fork, 3, 0.5).unwrap(),
        "nothing after it is shared"
    );
    drop(fork);
    let fork = stored(folder.path(), "f", None);
    let parent = stored(folder.path(), "s", None);
    let asked = |study: &Study| {
        let digests = study.past.trials().iter().map(|trial| trial.digest);
        digests.collect::<Vec<_>>()
    };
    let digests = |units: [usize; 3]| units.map(|n| Some(evaluation(n).digest())).to_vec();
    assert_eq!(asked(&fork), digests([1, 9, 3]));
    assert_eq!(asked(&parent), digests([1, 2, 3]));
}

/// Takes its time at the end, in which it looks at what the store has.
struct Slow {
    store: Arc<dyn StudyStore>,
    seen: Arc<parking_lot::Mutex<Vec<u64>>>,
}

impl Recorder for Slow {
    fn trial(&mut self, _trial: &Trial) -> Result<()> {
        Ok(())
    }

    fn finish(&mut self, _ended: Ended) -> Result<()> {
        let updates = self.store.updates_after(1, 0, 0, 10)?;
        self.seen
            .lock()
            .extend(updates.iter().map(|update| update.step));
        Ok(())
    }
}

#[test]
fn the_end_of_a_session_keeps_what_is_our_own_before_it_waits_for_others() {
    let folder = tempfile::tempdir().unwrap();
    let mut study = stored(folder.path(), "s", None);
    let seen = Arc::default();
    study.recorders.push(Box::new(Slow {
        store: study.store().unwrap().clone(),
        seen: Arc::clone(&seen),
    }));
    let learned = |step| Learned {
        controller: 0,
        step,
        trials: 0,
        scalars: Vec::new(),
        policy: None,
    };
    // The second waits to be written with others.
    study.learned(vec![learned(1)]).unwrap();
    study.learned(vec![learned(2)]).unwrap();
    study.complete(Ended::Interrupted).unwrap();
    assert_eq!(*seen.lock(), [1, 2]);
}
