use super::*;
use crate::evaluation::{Failure, FailureKind, Stopped};

fn trial(number: usize, digest: u8, score: Option<f64>) -> Trial {
    let failure = Failure::new(FailureKind::Timeout, "not done after 1 s");
    Trial {
        number,
        actions: None,
        reward: score.unwrap_or(-0.1),
        score,
        cached: false,
        digest: Some(Digest::of_bytes(&[digest])),
        evaluation: None,
        outcome: Outcome {
            accuracy: score,
            failure: score.is_none().then_some(failure),
            ..Outcome::default()
        },
    }
}

#[test]
fn the_best_is_the_earliest_of_the_highest_scores() {
    let mut study = Study::in_memory("s", Seed(0));
    assert!(study.best().is_none());
    assert!(!study.record(trial(1, 1, None)).unwrap());
    assert!(study.record(trial(2, 2, Some(0.5))).unwrap());
    assert!(study.record(trial(3, 3, Some(0.9))).unwrap());
    assert!(!study.record(trial(4, 4, Some(0.9))).unwrap());
    assert!(!study.record(trial(5, 3, Some(0.9))).unwrap());
    assert_eq!(study.best().map(|t| t.number), Some(3));
    let top: Vec<usize> = study.top(3).iter().map(|t| t.number).collect();
    assert_eq!(top, [3, 4, 2], "distinct networks, the best first");
}

#[test]
fn outcomes_are_kept_unless_they_are_of_the_moment() {
    let mut study = Study::in_memory("s", Seed(0));
    let [good, mut patient, mut median] = [1, 2, 3].map(|n| trial(n.into(), n, Some(0.5)));
    patient.outcome.stopped = Some(Stopped::Patience);
    median.outcome.stopped = Some(Stopped::Median);
    let bad = trial(4, 4, None);
    for t in [&good, &patient, &median, &bad] {
        study.keep(t.digest.unwrap(), &t.outcome);
    }
    let kept = |t: &Trial| study.outcome(&t.digest.unwrap()).cloned();
    assert_eq!(kept(&good), Some(good.outcome.clone()));
    assert_eq!(kept(&patient), Some(patient.outcome.clone()));
    assert_eq!((kept(&median), kept(&bad)), (None, None));
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
    assert_eq!(Journal::read(&journal).unwrap(), study.trials());
    std::fs::write(&journal, "{\"number\": 1").unwrap();
    let error = Journal::read(&journal).unwrap_err().to_string();
    assert!(error.contains("record 0: expected a trial"), "{error}");
}
