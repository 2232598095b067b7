//! What random search would have come to: the control that every search is judged against (Li & Talwalkar, arXiv
//! 1902.07638). From another study, or from the architectures that the study itself drew uniformly.

use std::collections::BTreeMap;

use super::{Point, View};
use crate::network::Digest;

/// The probability of a rank that is not worth adding.
const NEGLIGIBLE: f64 = 1e-18;

/// The fewest uniform draws that say something.
const FEWEST: usize = 5;

/// A curve to compare with.
#[derive(Clone, Debug)]
pub struct Control {
    /// What it is, for the legend.
    pub name: String,
    /// The best score after so many trials, from 1; minus infinity before the first score.
    pub best: Vec<f64>,
    /// The seconds of training until then.
    pub seconds: Vec<f64>,
    /// The seconds of work until then; `None` where it never ran by itself.
    pub elapsed: Option<Vec<f64>>,
}

impl Control {
    /// What is to be expected of random search, by the trials of `view` that were drawn uniformly; a draw that failed
    /// counts as one, with the lowest score that a draw had. `None` where there are fewer than five draws with a score,
    /// where all trials are draws, so that the study [is a random search](is_random) itself, and where some were trained
    /// again for longer: then the draws had less than the whole training.
    pub fn of(view: &View) -> Option<Self> {
        let drawn = drawn(view)?;
        let lowest = drawn.iter().filter_map(|point| point.score);
        let lowest = lowest.reduce(f64::min)?;
        let scores = drawn.iter().map(|point| point.score.unwrap_or(lowest));
        let best = expected_best(&scores.collect::<Vec<f64>>());
        let count = best.len();
        let each = drawn.iter().map(|point| point.seconds).sum::<f64>() / count as f64;
        Some(Self {
            name: format!("random search, expected by its {count} uniform draws"),
            seconds: (1..=count).map(|n| n as f64 * each).collect(),
            elapsed: None,
            best,
        })
    }

    /// Whether there is one [of](Self::of) `view`.
    pub fn is_in(view: &View) -> bool {
        drawn(view).is_some()
    }

    /// What another study came to.
    pub fn from(view: &View) -> Self {
        let mut highest = f64::NEG_INFINITY;
        let mut spent = 0.0;
        let so_far = view.points.iter().map(|point| {
            highest = highest.max(point.score.unwrap_or(f64::NEG_INFINITY));
            spent += point.seconds;
            (highest, spent)
        });
        let (best, seconds) = so_far.unzip();
        let kind = if is_random(view) {
            "random search"
        } else {
            "study"
        };
        Self {
            name: format!("{kind} {}", view.name()),
            best,
            seconds,
            elapsed: Some(view.points.iter().map(|point| point.elapsed).collect()),
        }
    }
}

/// Whether all trials of `view` are uniform draws, none of them trained again for longer.
pub fn is_random(view: &View) -> bool {
    view.points.iter().all(|point| point.uniform) && !has_rungs(view)
}

/// The trials that were drawn uniformly; see [`Control::of`].
fn drawn(view: &View) -> Option<Vec<&Point>> {
    let drawn: Vec<&Point> = view.points.iter().filter(|point| point.uniform).collect();
    let scored = drawn.iter().filter(|point| point.score.is_some()).count();
    let some = scored >= FEWEST && drawn.len() < view.points.len() && !has_rungs(view);
    some.then_some(drawn)
}

/// Whether a uniform draw was evaluated in more than one way, as successive halving does.
fn has_rungs(view: &View) -> bool {
    let mut first: BTreeMap<_, Digest> = BTreeMap::new();
    let mut uniform = view.points.iter().filter(|point| point.uniform);
    uniform.any(|point| {
        let Some(digest) = point.digest else {
            return false;
        };
        *first.entry(point.child()).or_insert(digest) != digest
    })
}

/// The expected highest of n of the `scores`, drawn without replacement, for n from 1 to all (Dodge et al., "Show Your
/// Work", arXiv 1909.03004, §3.1, there with replacement).
pub fn expected_best(scores: &[f64]) -> Vec<f64> {
    let mut sorted = scores.to_vec();
    sorted.sort_by(f64::total_cmp);
    let count = sorted.len();
    let expected = |n: usize| {
        // P(the highest is the i-th smallest) = C(i-1, n-1) / C(count, n), from the largest down.
        let mut probability = n as f64 / count as f64;
        let mut sum = 0.0;
        for i in (n..=count).rev() {
            sum += probability * sorted[i - 1];
            // What follows is far less likely still.
            if probability < NEGLIGIBLE {
                break;
            }
            if i > n {
                probability *= (i - n) as f64 / (i - 1) as f64;
            }
        }
        sum
    };
    (1..=count).map(expected).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_expected_best_is_the_mean_over_all_samples() {
        let scores = [0.1, 0.7, 0.3, 0.2];
        let found = expected_best(&scores);
        assert!((found[0] - 0.325).abs() < 1e-12, "the mean: {found:?}");
        // The six pairs.
        let pairs = [0.7, 0.3, 0.2, 0.7, 0.7, 0.3];
        let mean = pairs.iter().sum::<f64>() / 6.0;
        assert!((found[1] - mean).abs() < 1e-12, "{found:?} {mean}");
        assert!((found[3] - 0.7).abs() < 1e-12, "{found:?}");
        assert!(expected_best(&[]).is_empty());
        let many: Vec<f64> = (0..2000).map(f64::from).collect();
        assert!((expected_best(&many)[0] - 999.5).abs() < 1e-6);
    }
}
