use std::num::NonZero;

use super::*;
use crate::network::{DenseOptions, Node};

fn evaluation() -> Evaluation {
    let output = Node::input(&[4])
        .unwrap()
        .dense(3, &DenseOptions::default())
        .unwrap();
    Evaluation {
        network: Network::from_output(&output).unwrap(),
        data: DataKey {
            name: "toy".into(),
            split: "train 10, validation 5".into(),
            content: "00".repeat(32),
        },
        training: TrainingConfig::default(),
        seed: Seed(7),
    }
}

#[test]
fn every_part_of_an_evaluation_is_in_its_digest() {
    let base = evaluation();
    assert_eq!(base.digest(), evaluation().digest());
    let changes: [fn(&mut Evaluation); 8] = [
        |e| e.seed = Seed(8),
        |e| e.data.split = "train 11, validation 4".into(),
        |e| e.data.content = "11".repeat(32),
        |e| e.training.epochs = 11,
        |e| e.training.learning_rate = 1.000_000_1e-3,
        |e| e.training.precision = Precision::Bf16,
        |e| e.training.patience = NonZero::new(3),
        |e| {
            let output = Node::input(&[4])
                .unwrap()
                .dense(4, &DenseOptions::default())
                .unwrap();
            e.network = Network::from_output(&output).unwrap();
        },
    ];
    for change in changes {
        let mut changed = evaluation();
        change(&mut changed);
        assert_ne!(changed.digest(), base.digest());
    }
}

#[test]
fn a_setting_that_came_later_leaves_the_digests_of_before() {
    // What the key of an evaluation was before there was a choice of precision, or patience.
    let settings = serde_json::to_string(&TrainingConfig::default()).unwrap();
    assert_eq!(
        settings,
        r#"{"epochs":10,"batch_size":128,"optimizer":"adam","learning_rate":0.001,"momentum":0.9,"schedule":"constant","step_size":30,"step_gamma":0.1,"weight_decay":0.0,"label_smoothing":0.0,"flip":false,"pad_crop":0}"#
    );
    let read: TrainingConfig = serde_json::from_str(&settings).unwrap();
    assert_eq!(read, TrainingConfig::default());
}

#[test]
fn evaluations_round_trip_through_json() {
    let json = serde_json::to_string(&evaluation()).unwrap();
    let again: Evaluation = serde_json::from_str(&json).unwrap();
    assert_eq!(again, evaluation());
    assert_eq!(again.digest(), evaluation().digest());
}

#[test]
fn settings_have_defaults_and_refuse_unknown_names() {
    let config: TrainingConfig =
        serde_json::from_str(r#"{"optimizer":"sgd","schedule":"cosine"}"#).unwrap();
    assert_eq!(config.optimizer, OptimizerKind::Sgd);
    assert_eq!((config.epochs, config.batch_size), (10, 128));
    assert!(serde_json::from_str::<TrainingConfig>(r#"{"epoch":3}"#).is_err());
    assert!(serde_json::from_str::<TrainingConfig>(r#"{"patience":0}"#).is_err());
    let all = TrainingConfig {
        precision: Precision::Bf16,
        patience: NonZero::new(2),
        ..TrainingConfig::default()
    };
    let json = serde_json::to_value(&all).unwrap();
    assert_eq!(
        serde_json::from_value::<TrainingConfig>(json.clone()).unwrap(),
        all
    );
    let names: Vec<&String> = json.as_object().unwrap().keys().collect();
    let mut options = TrainingConfig::OPTIONS.to_vec();
    options.sort_unstable();
    assert_eq!(names, options);
}

#[test]
fn settings_outside_their_range_are_refused() {
    assert!(TrainingConfig::default().validate().is_ok());
    let refused = |change: fn(&mut TrainingConfig)| {
        let mut config = TrainingConfig::default();
        change(&mut config);
        config.validate().unwrap_err().to_string()
    };
    assert_eq!(
        refused(|c| c.epochs = 0),
        "option 'epochs': expected a whole number from 1, found 0"
    );
    assert_eq!(
        refused(|c| c.learning_rate = -1.0),
        "option 'learning_rate': expected a number above 0, found -1"
    );
    assert!(refused(|c| c.learning_rate = f64::INFINITY).contains("found inf"));
    assert!(refused(|c| c.label_smoothing = 1.0).starts_with("option 'label_smoothing'"));
    assert!(refused(|c| c.weight_decay = f64::NAN).starts_with("option 'weight_decay'"));
    assert!(refused(|c| c.step_gamma = 0.0).starts_with("option 'step_gamma'"));
    assert!(refused(|c| c.momentum = 1.5).starts_with("option 'momentum'"));
}

#[test]
fn failures_have_stable_names() {
    let failure = Failure::new(FailureKind::Timeout, "more than 60 s");
    assert_eq!(failure.to_string(), "timeout: more than 60 s");
    let json = serde_json::to_string(&failure).unwrap();
    assert_eq!(json, r#"{"kind":"timeout","message":"more than 60 s"}"#);
    let outcome = Outcome {
        failure: Some(failure),
        ..Outcome::default()
    };
    let json = serde_json::to_string(&outcome).unwrap();
    assert_eq!(serde_json::from_str::<Outcome>(&json).unwrap(), outcome);
    assert!(!json.contains("stopped"), "{json}");

    use FailureKind::*;
    for kind in [
        Nan, Invalid, Panic, Timeout, Limit, Oom, Killed, Lost, Cancelled,
    ] {
        let json = serde_json::to_value(kind).unwrap();
        assert_eq!(json, kind.to_string());
    }
}

#[test]
fn what_depends_on_other_children_is_not_final() {
    let stopped = |stopped| Outcome {
        accuracy: Some(0.5),
        stopped,
        ..Outcome::default()
    };
    assert!(stopped(None).is_final());
    assert!(stopped(Some(Stopped::Patience)).is_final());
    let median = stopped(Some(Stopped::Median));
    assert!(!median.is_final());
    let json = serde_json::to_value(&median).unwrap();
    assert_eq!(json["stopped"], "median");
    assert_eq!(serde_json::from_value::<Outcome>(json).unwrap(), median);
}
