//! Which decision matters: functional analysis of variance over a random forest (Hutter, Hoos & Leyton-Brown, "An
//! Efficient Approach for Assessing Hyperparameter Importance", 2014).

use std::num::NonZeroUsize;

use fanova::{FanovaOptions, RandomForestOptions};

use super::{NONE, View};

/// The trees of the forest.
const TREES: u64 = 100;
/// The fewest trials that say something.
const FEWEST: usize = 16;
/// The most trials that the forest is grown on; of more, every so-many-th.
const MOST: usize = 1_000;
/// The most decisions, those with the most spread of mean scores first.
const DECISIONS: usize = 32;

/// How much of the variance of the score is a decision's own.
#[derive(Clone, Debug, PartialEq)]
pub struct Importance {
    /// The axis of the view.
    pub axis: usize,
    /// The share of the variance, 0 to 1: the mean over the trees.
    pub share: f64,
    /// Its standard deviation over the trees.
    pub deviation: f64,
}

/// The importance of the decisions of `view`, the largest first. Empty where there are fewer than 16 trials with a
/// score, or scores that are all the same. It is drawn from a fixed seed: the same trials give the same shares.
pub fn importance(view: &View) -> Vec<Importance> {
    let scored: Vec<_> = view.points.iter().filter(|p| p.score.is_some()).collect();
    if scored.len() < FEWEST {
        return Vec::new();
    }
    let stride = scored.len().div_ceil(MOST);
    let some: Vec<_> = scored.iter().step_by(stride).collect();
    let scores: Vec<f64> = some.iter().filter_map(|point| point.score).collect();
    if scores.iter().all(|score| *score == scores[0]) {
        return Vec::new();
    }
    // Values stand in the forest by their place in order.
    let features = (0..view.axes.len()).filter_map(|axis| {
        let order = view.axes[axis].order();
        let mut place = vec![0.0; order.len()];
        order
            .iter()
            .enumerate()
            .for_each(|(at, value)| place[*value] = at as f64);
        let at = |point: &super::Point| match point.values.get(axis) {
            Some(&value) if value != NONE => place[usize::from(value)],
            _ => -1.0,
        };
        let column: Vec<f64> = some.iter().map(|point| at(point)).collect();
        let varies = column.iter().any(|value| *value != column[0]);
        varies.then_some((axis, column))
    });
    let mut features: Vec<(usize, Vec<f64>)> = features.collect();
    features.sort_by(|a, b| spread(&b.1, &scores).total_cmp(&spread(&a.1, &scores)));
    features.truncate(DECISIONS);
    let columns: Vec<&[f64]> = features
        .iter()
        .map(|(_, column)| column.as_slice())
        .collect();
    // Tree by tree: one whose sample of the trials has scores that are all the same says nothing, and one in a forest makes
    // the means of all decisions no numbers.
    let mut shares = vec![Vec::new(); features.len()];
    for seed in 0..TREES {
        let tree = RandomForestOptions::new()
            .trees(NonZeroUsize::MIN)
            .seed(seed);
        let tree = FanovaOptions::new().random_forest(tree);
        let Ok(mut tree) = tree.fit(columns.clone(), &scores) else {
            return Vec::new();
        };
        for (index, shares) in shares.iter_mut().enumerate() {
            let share = tree.quantify_importance(&[index]).mean;
            shares.extend(share.is_finite().then_some(share));
        }
    }
    let importance = |((axis, _), shares): (&(usize, Vec<f64>), &Vec<f64>)| {
        let (share, deviation) = mean_and_deviation(shares)?;
        Some(Importance {
            axis: *axis,
            share,
            deviation,
        })
    };
    let mut found: Vec<Importance> = features
        .iter()
        .zip(&shares)
        .filter_map(importance)
        .collect();
    found.sort_by(|a, b| b.share.total_cmp(&a.share));
    found
}

/// The mean of `values` and their standard deviation; `None` of none.
fn mean_and_deviation(values: &[f64]) -> Option<(f64, f64)> {
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (count > 0.0).then(|| (mean, (squares / (count - 1.0).max(1.0)).sqrt()))
}

/// The variance of the mean scores of the values in a column.
fn spread(column: &[f64], scores: &[f64]) -> f64 {
    let mut sums: Vec<(f64, f64, f64)> = Vec::new();
    for (value, score) in column.iter().zip(scores) {
        match sums.iter_mut().find(|(known, _, _)| known == value) {
            Some((_, sum, count)) => {
                *sum += score;
                *count += 1.0;
            }
            None => sums.push((*value, *score, 1.0)),
        }
    }
    let mean = scores.iter().sum::<f64>() / scores.len() as f64;
    let squares = sums
        .iter()
        .map(|(_, sum, count)| count * (sum / count - mean).powi(2));
    squares.sum::<f64>() / scores.len() as f64
}

#[cfg(test)]
mod tests {
    use super::mean_and_deviation;

    #[test]
    fn the_mean_is_of_what_there_is() {
        assert_eq!(mean_and_deviation(&[]), None);
        assert_eq!(mean_and_deviation(&[0.5]), Some((0.5, 0.0)));
        let (mean, deviation) = mean_and_deviation(&[0.1, 0.3]).unwrap();
        assert!((mean - 0.2).abs() < 1e-12 && (deviation - 0.02_f64.sqrt()).abs() < 1e-12);
    }
}
