//! The curves of a training and of a search as plots. Knows trials, not where they are shown.

use super::plot::{Curve, Plot, Signs};
use crate::study::Trial;

/// The accuracy of a trial's child after each epoch, on validation and training images.
pub fn learning(trial: &Trial, signs: Signs) -> Plot {
    let history = &trial.outcome.history;
    let curve = |name: &str, of: fn(&crate::evaluation::Epoch) -> f64| Curve {
        name: name.into(),
        points: history
            .iter()
            .map(|epoch| (epoch.epoch as f64, of(epoch)))
            .collect(),
        joined: true,
    };
    Plot {
        title: format!("accuracy of trial {}", trial.number),
        across: "epoch".into(),
        curves: vec![
            curve("validation", |epoch| epoch.validation_accuracy),
            curve("training", |epoch| epoch.accuracy),
        ],
        signs,
    }
}

/// The score of each trial, and the highest so far.
pub fn scores(points: Vec<(f64, f64)>, signs: Signs) -> Plot {
    each_and_best("score", points, signs)
}

/// The reward of each trial that has one, and the highest so far.
pub fn rewards<'a>(trials: impl IntoIterator<Item = &'a Trial>, signs: Signs) -> Plot {
    let rewarded = trials.into_iter().filter(|trial| trial.score.is_some());
    let points: Vec<(f64, f64)> = rewarded
        .map(|trial| (trial.number as f64, trial.reward))
        .collect();
    each_and_best("reward", points, signs)
}

fn each_and_best(title: &str, points: Vec<(f64, f64)>, signs: Signs) -> Plot {
    let mut highest = f64::NEG_INFINITY;
    let best = points.iter().map(|&(number, reward)| {
        highest = highest.max(reward);
        (number, highest)
    });
    let best = Curve {
        name: "best so far".into(),
        points: best.collect(),
        joined: true,
    };
    let each = Curve {
        name: "each trial".into(),
        points,
        joined: false,
    };
    Plot {
        title: title.into(),
        across: "trial".into(),
        curves: vec![each, best],
        signs,
    }
}

/// `values` in their order, counted from 1.
pub fn values(values: &[f64], signs: Signs) -> Plot {
    let points = values.iter().enumerate();
    let points = points.map(|(index, value)| ((index + 1) as f64, *value));
    Plot {
        title: format!("{} values", values.len()),
        across: String::new(),
        curves: vec![Curve {
            name: String::new(),
            points: points.collect(),
            joined: true,
        }],
        signs,
    }
}
