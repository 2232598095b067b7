//! What is told of a study is fair: controls, the best networks, which decision matters.

use super::*;
use crate::evaluation::{Evaluation, TrainingConfig};
use crate::network::{DenseOptions, Node};
use crate::report::figures;
use crate::seed::Seed;
use crate::space::Value;
use crate::study::Trial;
use crate::study::store::{About, Address, Fact, open};

/// A study with `points`.
pub(crate) fn view(points: Vec<Point>) -> View {
    let about = About {
        name: "study".into(),
        script: "study.rhai".into(),
        seed: Seed(0),
        params: BTreeMap::new(),
        folder: None,
        parent: None,
        kernel_version: 1,
        source: String::new(),
        environment: None,
    };
    let kept = Kept {
        id: 1,
        about,
        trials: points.len(),
        best: None,
        created: 0.0,
        updated: 0.0,
    };
    View {
        points,
        ..View::empty(kept)
    }
}

/// A uniform draw of a network of its own, trained in two seconds of which the search took one; `None`: it failed.
pub(crate) fn draw(number: usize, score: Option<f64>) -> Point {
    Point {
        number,
        reward: score.unwrap_or(-1.0),
        score,
        accuracy: score,
        loss: None,
        params: 100,
        macs: 100,
        latency: None,
        seconds: 2.0,
        elapsed: number as f64,
        known: false,
        failure: score.is_none().then_some(FailureKind::Oom),
        uniform: true,
        values: Box::default(),
        digest: Some(evaluation(number)),
        architecture: format!("network {number}").into(),
        curve: Box::default(),
    }
}

/// What a controller proposed.
pub(crate) fn proposal(number: usize, score: Option<f64>) -> Point {
    let uniform = false;
    Point {
        uniform,
        ..draw(number, score)
    }
}

fn evaluation(number: usize) -> Digest {
    format!("{number:064x}").parse().unwrap()
}

#[test]
fn a_random_search_with_failures_has_no_control_but_itself() {
    let mut points: Vec<Point> = (1..=9).map(|n| draw(n, Some(0.5))).collect();
    points.push(draw(10, None));
    let random = view(points);
    assert!(is_random(&random) && Control::of(&random).is_none());
    assert_eq!(Control::from(&random).name, "random search study");
}

#[test]
fn a_draw_that_fails_is_a_draw() {
    let scores = [Some(0.2), None, Some(0.4), Some(0.6), None, Some(0.8)];
    let mut points: Vec<Point> = (1..).zip(scores).map(|(n, score)| draw(n, score)).collect();
    points.push(draw(7, Some(1.0)));
    points.extend((8..12).map(|n| proposal(n, Some(0.9))));
    let control = Control::of(&view(points)).unwrap();
    assert_eq!(control.best.len(), 7);
    // The failures have the lowest score, 0.2.
    let mean = (3.0 * 0.2 + 0.4 + 0.6 + 0.8 + 1.0) / 7.0;
    assert!((control.best[0] - mean).abs() < 1e-12, "{control:?}");
    assert_eq!(control.best[6], 1.0);
}

#[test]
fn draws_that_were_trained_again_for_longer_are_no_random_search() {
    let mut points: Vec<Point> = (1..=8).map(|n| draw(n, Some(0.5))).collect();
    let longer = |number, of: &Point| Point {
        number,
        digest: Some(evaluation(number)),
        score: Some(0.9),
        ..of.clone()
    };
    points.push(longer(9, &points[2]));
    points.push(proposal(10, Some(0.5)));
    let halving = view(points);
    assert!(!is_random(&halving) && Control::of(&halving).is_none());
    // The network is listed once, as it was after the longer training.
    let top: Vec<usize> = halving.top(20).iter().map(|point| point.number).collect();
    assert_eq!(top, [9, 1, 2, 4, 5, 6, 7, 8, 10]);
    // One that was drawn twice, and answered the second time from what was known, is a draw twice.
    let mut points: Vec<Point> = (1..=8).map(|n| draw(n, Some(0.5))).collect();
    let again = Point {
        number: 9,
        known: true,
        ..points[3].clone()
    };
    points.push(again);
    assert!(is_random(&view(points)));
}

#[test]
fn a_control_has_a_place_only_where_its_clock_is_that_of_the_axis() {
    let mut points: Vec<Point> = (1..=6).map(|n| draw(n, Some(0.5))).collect();
    points.extend((7..12).map(|n| proposal(n, Some(0.9))));
    let view = view(points);
    let note = |over, control: &Control| {
        let select = Select {
            over,
            ..Select::default()
        };
        figures::best(&view, &select, Some(control)).note.unwrap()
    };
    let own = Control::of(&view).unwrap();
    assert!(!note(Over::Compute, &own).contains("no place"));
    assert!(note(Over::Time, &own).contains("no place"));
    assert!(!note(Over::Time, &Control::from(&view)).contains("no place"));
}

#[test]
fn a_decision_that_matters_is_found_where_few_scores_differ() {
    // Five of sixty trials differ from the common score: many samples of them are all the same.
    let mut view = view((1..=60).map(|n| draw(n, Some(0.1))).collect());
    let value = |value| Value::Int(value);
    for name in ["matters", "does not"] {
        view.axes.push(Axis {
            name: name.into(),
            values: vec![value(0), value(1)],
        });
    }
    for (index, point) in view.points.iter_mut().enumerate() {
        let matters = index < 5;
        point.values = [u16::from(matters), u16::try_from(index % 2).unwrap()].into();
        point.score = Some(if matters { 0.9 } else { 0.1 });
    }
    let found = importance(&view);
    assert_eq!(found.len(), 2, "{found:?}");
    assert_eq!(found[0].axis, 0);
    assert!(found[0].share > 0.8 && found[1].share < 0.1, "{found:?}");
}

#[test]
fn a_latency_that_is_measured_later_comes_to_its_trial() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&Address::file(folder.path().join("studies.db"))).unwrap();
    let tenure = store.create(&view(Vec::new()).kept.about).unwrap();
    let input = Node::input(&[4]).unwrap();
    let network = |units| {
        let node = input.dense(units, &DenseOptions::default()).unwrap();
        (*node.network().unwrap()).clone()
    };
    for number in 1..=2 {
        let asked = Evaluation {
            network: network(number),
            data: DataKey {
                name: "toy".into(),
                split: "train 10".into(),
                content: "00".into(),
            },
            training: TrainingConfig::default(),
            seed: Seed(0),
        };
        let trial = Trial {
            number,
            digest: Some(asked.digest()),
            evaluation: Some(asked),
            ..Trial::default()
        };
        tenure.append(&trial).unwrap();
    }
    let mut view = View::open(&*store, store.find("study").unwrap().unwrap()).unwrap();
    let before = view.stamp();
    let measured = Fact {
        kind: "latency".into(),
        question: format!("{} on cpu", network(2).digest()),
        answer: 1.25.into(),
    };
    tenure.note(&measured).unwrap();
    view.refresh(&*store).unwrap();
    let latencies: Vec<_> = view.points.iter().map(|point| point.latency).collect();
    assert_eq!(latencies, [None, Some(1.25)]);
    assert_ne!(view.stamp(), before, "browsers are told");
}
