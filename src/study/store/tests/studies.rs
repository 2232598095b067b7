//! Studies, their trials, and who may add to them.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use super::*;
use crate::study::{Choice, Learned};

contract!(
    a_study_comes_back_as_it_was_recorded,
    studies_are_listed_in_order,
    a_name_is_given_once,
    trials_follow_one_another,
    one_process_at_a_time_adds_to_a_study,
    a_killed_process_leaves_its_study_free,
    whoever_was_overtaken_is_refused,
    facts_come_back_in_order,
    a_snapshot_takes_the_place_of_the_one_before,
    what_controllers_learnt_comes_back,
    trials_are_read_in_pieces,
    a_study_is_held_while_somebody_has_it,
    the_first_outcome_stays_and_failures_do_not,
);

fn a_study_comes_back_as_it_was_recorded(place: &Place) {
    let scores = [Some(0.1 + 0.2), None, Some(1.0 / 3.0), Some(f64::EPSILON)];
    let trials: Vec<Trial> = (1..)
        .zip(scores)
        .map(|(n, score)| trial(n, score))
        .collect();
    {
        let store = place.open();
        let tenure = store.create(&about("digits")).unwrap();
        for trial in &trials {
            tenure.append(trial).unwrap();
        }
    }
    let store = place.open();
    let kept = store.find("digits").unwrap().unwrap();
    assert_eq!(kept.about, about("digits"));
    assert_eq!((kept.trials, kept.best), (4, Some(1.0 / 3.0)));
    assert!(kept.created > 1.7e9 && kept.updated >= kept.created);
    assert_eq!(store.trials(kept.id).unwrap(), trials);
    assert_eq!(store.find("mnist").unwrap(), None);
}

fn studies_are_listed_in_order(place: &Place) {
    let store = place.open();
    assert_eq!(store.studies().unwrap(), []);
    for name in ["zoo", "ant", "mid"] {
        store.create(&about(name)).unwrap();
    }
    let listed = store.studies().unwrap();
    let names: Vec<&str> = listed.iter().map(|kept| kept.about.name.as_str()).collect();
    assert_eq!(names, ["zoo", "ant", "mid"]);
    let fresh = &listed[0];
    assert_eq!((fresh.trials, fresh.best), (0, None));
    assert_eq!(fresh.updated, fresh.created);
}

fn a_name_is_given_once(place: &Place) {
    let store = place.open();
    let _tenure = store.create(&about("digits")).unwrap();
    let error = place.open().create(&about("digits")).err().unwrap();
    assert_eq!(error.kind(), "duplicate", "{error}");
    assert_eq!(store.studies().unwrap().len(), 1);
}

fn trials_follow_one_another(place: &Place) {
    let store = place.open();
    let tenure = store.create(&about("digits")).unwrap();
    tenure.append(&trial(1, Some(0.5))).unwrap();
    let skipped = tenure.append(&trial(3, Some(0.5))).unwrap_err();
    assert_eq!(skipped.kind(), "store", "{skipped}");
    // As after an answer that was lost.
    tenure.append(&trial(1, Some(0.5))).unwrap();
    let other = tenure.append(&trial(1, Some(0.6))).unwrap_err();
    assert_eq!(other.kind(), "taken", "{other}");
    assert_eq!(store.trials(tenure.study()).unwrap(), [trial(1, Some(0.5))]);
}

fn one_process_at_a_time_adds_to_a_study(place: &Place) {
    let store = place.open();
    let tenure = store.create(&about("digits")).unwrap();
    for store in [&store, &place.open()] {
        let busy = store.take(tenure.study()).err().unwrap();
        assert_eq!(busy.kind(), "busy");
        let holder = format!("process {}", std::process::id());
        assert!(busy.to_string().contains(&holder), "{busy}");
    }
    // Another study is free.
    store.create(&about("mnist")).unwrap();
    let study = tenure.study();
    tenure.append(&trial(1, Some(0.5))).unwrap();
    drop(tenure);
    let next = place.open().take(study).unwrap();
    next.append(&trial(2, Some(0.6))).unwrap();
    assert_eq!(store.trials(study).unwrap().len(), 2);
    assert_eq!(store.take(study + 100).err().unwrap().kind(), "store");
}

/// Where the process that is to be killed finds its store.
const DOOMED: &str = "NAS_SCRIPT_TEST_DOOMED";

fn a_killed_process_leaves_its_study_free(place: &Place) {
    let mut doomed = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--nocapture", "--exact"])
        .arg("study::store::tests::studies::a_process_to_be_killed")
        .env(DOOMED, &place.text)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let said = BufReader::new(doomed.stdout.take().unwrap()).lines();
    let mut said = said.map(Result::unwrap);
    assert!(said.any(|line| line == "recorded"), "it ended too early");
    let store = place.open();
    let study = store.find("digits").unwrap().unwrap().id;
    let busy = store.take(study).err().unwrap();
    assert_eq!(busy.kind(), "busy");
    let holder = format!("process {} on", doomed.id());
    assert!(busy.to_string().contains(&holder), "{busy}");
    doomed.kill().unwrap();
    doomed.wait().unwrap();
    let tenure = store.take(study).unwrap();
    tenure.append(&trial(2, None)).unwrap();
    let trials = [trial(1, Some(0.5)), trial(2, None)];
    assert_eq!(store.trials(study).unwrap(), trials);
}

#[test]
#[ignore = "run by a_killed_process_leaves_its_study_free"]
fn a_process_to_be_killed() {
    let address = std::env::var(DOOMED).unwrap().parse().unwrap();
    let store = open(&address).unwrap();
    let tenure = store.create(&about("digits")).unwrap();
    tenure.append(&trial(1, Some(0.5))).unwrap();
    println!("\nrecorded");
    std::io::stdout().flush().unwrap();
    loop {
        std::thread::park();
    }
}

fn whoever_was_overtaken_is_refused(place: &Place) {
    let store = place.open();
    let old = store.create(&about("digits")).unwrap();
    old.append(&trial(1, Some(0.5))).unwrap();
    // The lock of the old holder is lost, as by a cut connection; its process lives on.
    place.execute("update studies set term = term + 1");
    let fact = Fact {
        kind: "latency".into(),
        question: "a".into(),
        answer: 1.into(),
    };
    let refused = [
        old.append(&trial(2, Some(0.5))),
        old.append(&trial(1, Some(0.5))),
        old.note(&fact),
        old.keep_learning(&state(0, 1, b"state")),
    ];
    for refused in refused {
        assert_eq!(refused.unwrap_err().kind(), "taken");
    }
    let study = old.study();
    assert_eq!(store.trials(study).unwrap().len(), 1);
    assert_eq!(store.facts(study).unwrap(), []);
    assert_eq!(store.snapshot(study, 0).unwrap(), None);
}

fn facts_come_back_in_order(place: &Place) {
    let fact = |question: &str| Fact {
        kind: "latency".into(),
        question: question.into(),
        answer: serde_json::json!({ "ms": 0.1 + 0.2, "of": question }),
    };
    let store = place.open();
    let tenure = store.create(&about("digits")).unwrap();
    tenure.note(&fact("b")).unwrap();
    tenure.note(&fact("a")).unwrap();
    let study = tenure.study();
    drop(tenure);
    // The next holder counts on.
    store.take(study).unwrap().note(&fact("b")).unwrap();
    let facts = store.facts(study).unwrap();
    assert_eq!(facts, [fact("b"), fact("a"), fact("b")]);
}

fn a_snapshot_takes_the_place_of_the_one_before(place: &Place) {
    let store = place.open();
    let tenure = store.create(&about("digits")).unwrap();
    let study = tenure.study();
    let large: Vec<u8> = (0..=255).cycle().take(3_000_000).collect();
    tenure.keep_learning(&state(0, 1, b"first")).unwrap();
    tenure.keep_learning(&state(u64::MAX, 7, b"")).unwrap();
    tenure.keep_learning(&state(0, u64::MAX, &large)).unwrap();
    assert_eq!(store.snapshot(study, 0).unwrap(), Some((u64::MAX, large)));
    assert_eq!(store.snapshot(study, u64::MAX).unwrap(), Some((7, vec![])));
    assert_eq!(store.snapshot(study, 2).unwrap(), None);
}

fn what_controllers_learnt_comes_back(place: &Place) {
    let choices = vec![Choice {
        name: "layer_1/kernel".into(),
        values: vec!["1".into(), "<b>3</b>".into()],
    }];
    let learned = |controller, step, policy| Learned {
        controller,
        step,
        trials: 2 * step as usize,
        scalars: vec![("total_loss".into(), 0.1 + 0.2), ("entropy".into(), -0.0)],
        policy,
    };
    let all = [
        learned(0, 1, Some(vec![vec![0.25, 0.75]])),
        learned(0, 2, None),
        learned(3, 1, None),
    ];
    let store = place.open();
    let tenure = store.create(&about("digits")).unwrap();
    let learning = |updates: &[Learned]| Learning {
        controllers: BTreeMap::from([(0, choices.clone())]),
        updates: updates.to_vec(),
        ..Learning::default()
    };
    tenure.keep_learning(&learning(&all[..2])).unwrap();
    // As when a script is run again.
    let other = Learned {
        trials: 99,
        ..all[0].clone()
    };
    tenure
        .keep_learning(&learning(&[other, all[2].clone()]))
        .unwrap();
    let study = tenure.study();
    assert_eq!(
        store.controllers(study).unwrap(),
        BTreeMap::from([(0, choices)])
    );
    assert_eq!(store.updates_after(study, 0, 0, 9).unwrap(), all[..2]);
    assert_eq!(store.updates_after(study, 0, 1, 9).unwrap(), all[1..2]);
    assert_eq!(store.updates_after(study, 0, 0, 1).unwrap(), all[..1]);
    assert_eq!(store.updates_after(study, 3, 0, 9).unwrap(), all[2..]);

    let tested = |accuracy| Tested {
        network: digest(1),
        accuracy,
        loss: 0.1 + 0.2,
        classes: vec!["cat".into(), "dog".into()],
        confusion: vec![vec![3, 1], vec![0, 4]],
    };
    tenure.keep_test(&tested(0.5)).unwrap();
    tenure.keep_test(&tested(0.875)).unwrap();
    assert_eq!(store.tests(study).unwrap(), [tested(0.875)]);
}

fn trials_are_read_in_pieces(place: &Place) {
    let store = place.open();
    let tenure = store.create(&about("digits")).unwrap();
    for number in 1..=5 {
        tenure.append(&trial(number, Some(0.5))).unwrap();
    }
    let study = tenure.study();
    let numbers = |after, most| {
        let trials = store.trials_after(study, after, most).unwrap();
        trials.iter().map(|trial| trial.number).collect::<Vec<_>>()
    };
    assert_eq!(numbers(0, 2), [1, 2]);
    assert_eq!(numbers(2, 9), [3, 4, 5]);
    assert_eq!(numbers(5, 9), [0; 0]);
    assert_eq!(store.trial(study, 4).unwrap(), Some(trial(4, Some(0.5))));
    assert_eq!(store.trial(study, 6).unwrap(), None);
}

fn a_study_is_held_while_somebody_has_it(place: &Place) {
    let store = place.open();
    let tenure = store.create(&about("digits")).unwrap();
    let study = tenure.study();
    let looking = place.open();
    assert!(looking.is_held(study).unwrap());
    drop(tenure);
    // A server takes a moment to see that a connection is closed.
    let until = Instant::now() + Duration::from_secs(60);
    while looking.is_held(study).unwrap() {
        assert!(Instant::now() < until, "nobody has it any more");
        std::thread::sleep(Duration::from_millis(10));
    }
    // A look keeps nobody from taking it.
    std::thread::scope(|scope| {
        scope.spawn(|| (0..200).for_each(|_| drop(looking.is_held(study))));
        for _ in 0..5 {
            drop(store.take(study).unwrap());
        }
    });
}

fn the_first_outcome_stays_and_failures_do_not(place: &Place) {
    let store = place.open();
    let tenure = store.create(&about("digits")).unwrap();
    let keep = |number, outcome: &Outcome, weights: Option<&str>| {
        let paid = Paid {
            digest: digest(number),
            question: "{}".into(),
            outcome,
            study: Some(tenure.study()),
            weights: weights.map(Into::into),
        };
        store.keep(&paid).unwrap();
    };
    // The types of what is missing and of what is there do not get in each other's way.
    let bare = Outcome::default();
    keep(1, &bare, None);
    keep(2, &outcome(0.1 + 0.2), Some("ab/cd.safetensors"));
    keep(2, &outcome(0.9), None);
    keep(3, &failed(), None);
    let known = |number| place.open().known(&digest(number)).unwrap();
    assert_eq!(known(1).unwrap().outcome, bare);
    let first = Known {
        outcome: outcome(0.1 + 0.2),
        study: Some(tenure.study()),
        weights: Some("ab/cd.safetensors".into()),
    };
    assert_eq!(known(2), Some(first));
    assert_eq!(known(3), None);
}
