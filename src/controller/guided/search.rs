//! The search for the architecture that a surrogate promises most of, from samples of a policy. Knows
//! nothing of the policy, and never lists a space.

use std::collections::{BTreeMap, BTreeSet};

use rand::{Rng, RngExt};

use crate::controller::surrogate::Surrogate;

/// From how many of the best the search climbs, of those tried and of those sampled.
pub const STARTS: usize = 4;
/// The most steps of one climb, and neighbours that it looks at in a step.
const STEPS: usize = 8;
const NEIGHBOURS: usize = 128;
/// Draws before a search gives up finding what was not asked.
const DRAWS: usize = 1000;

/// What is promised of the architectures seen so far.
pub struct Search<'a> {
    surrogate: &'a Surrogate,
    /// What may not be proposed.
    asked: &'a BTreeSet<Vec<usize>>,
    sizes: &'a [usize],
    promises: BTreeMap<Vec<usize>, f64>,
}

impl<'a> Search<'a> {
    pub fn new(
        surrogate: &'a Surrogate,
        asked: &'a BTreeSet<Vec<usize>>,
        sizes: &'a [usize],
    ) -> Self {
        Self {
            surrogate,
            asked,
            sizes,
            promises: BTreeMap::new(),
        }
    }

    /// Looks at `architectures` that were not asked.
    pub fn consider(&mut self, architectures: impl IntoIterator<Item = Vec<usize>>) {
        let new = |x: &Vec<usize>| !self.asked.contains(x) && !self.promises.contains_key(x);
        let new: BTreeSet<_> = architectures.into_iter().filter(new).collect();
        let new: Vec<_> = new.into_iter().collect();
        let promises = self.surrogate.promise(&new);
        self.promises.extend(new.into_iter().zip(promises));
    }

    /// What is promised of each of `samples`: of those that were asked nothing, −∞.
    pub fn promises(&mut self, samples: &[Vec<usize>]) -> Vec<f64> {
        self.consider(samples.iter().cloned());
        let promise = |x| self.promises.get(x).copied();
        let promises = samples.iter().map(promise);
        promises.map(|p| p.unwrap_or(f64::NEG_INFINITY)).collect()
    }

    /// The most promising.
    pub fn best(&self) -> Option<Vec<usize>> {
        self.ranked().into_iter().next().cloned()
    }

    /// All that were looked at, the most promising first.
    fn ranked(&self) -> Vec<&Vec<usize>> {
        let mut order: Vec<_> = self.promises.iter().collect();
        order.sort_by(|a, b| b.1.total_cmp(a.1));
        order.into_iter().map(|(x, _)| x).collect()
    }

    /// Goes from `starts` and from the most promising of those looked at to their best neighbours, as
    /// long as these promise more.
    pub fn climb(&mut self, starts: Vec<Vec<usize>>) {
        let sampled: Vec<_> = self.ranked().into_iter().take(STARTS).cloned().collect();
        for start in starts.into_iter().chain(sampled) {
            let mut here = start;
            for _ in 0..STEPS {
                let near = neighbours(&here, self.sizes);
                self.consider(near.iter().cloned());
                let promise = |x: &Vec<usize>| self.promises.get(x).copied();
                let height = promise(&here).unwrap_or(f64::NEG_INFINITY);
                let known = near.into_iter().filter_map(|x| Some((promise(&x)?, x)));
                let best = known.max_by(|a, b| a.0.total_cmp(&b.0));
                match best {
                    Some((promise, next)) if promise > height => here = next,
                    _ => break,
                }
            }
        }
    }
}

/// The architectures that differ in one decision; of very many evenly chosen ones.
fn neighbours(x: &[usize], sizes: &[usize]) -> Vec<Vec<usize>> {
    let changes = sizes.iter().enumerate();
    let changes = changes.flat_map(|(d, size)| (0..*size).map(move |value| (d, value)));
    let changes: Vec<_> = changes.filter(|(d, value)| x[*d] != *value).collect();
    let step = changes.len().div_ceil(NEIGHBOURS).max(1);
    let changed = |(d, value): &(usize, usize)| {
        let mut near = x.to_vec();
        near[*d] = *value;
        near
    };
    changes.iter().step_by(step).map(changed).collect()
}

/// The one of `samples` that has least in common with what was asked.
pub fn most_different(samples: &[Vec<usize>], asked: &BTreeSet<Vec<usize>>) -> Option<Vec<usize>> {
    let apart = |a: &[usize], b: &[usize]| a.iter().zip(b).filter(|(a, b)| a != b).count();
    // The distance of the nearest, then of all.
    let distance = |x: &Vec<usize>| {
        let distances = asked.iter().map(|other| apart(x, other));
        let (nearest, total) = distances.fold((usize::MAX, 0), |(n, t), d| (n.min(d), t + d));
        (nearest, total)
    };
    let new = samples.iter().filter(|x| !asked.contains(*x));
    new.max_by_key(|x| distance(x)).cloned()
}

/// Any that was not asked, or at last any.
pub fn another(sizes: &[usize], asked: &BTreeSet<Vec<usize>>, rng: &mut impl Rng) -> Vec<usize> {
    let mut draw = || -> Vec<usize> { sizes.iter().map(|n| rng.random_range(0..*n)).collect() };
    let mut found = draw();
    for _ in 0..DRAWS {
        if !asked.contains(&found) {
            break;
        }
        found = draw();
    }
    found
}

/// From promises to advantages of mean 0: their ranks, from −1 to 1, equal ones alike. Promises differ
/// by many orders of magnitude.
pub fn advantages(promises: &[f64]) -> Vec<f64> {
    let n = promises.len() as f64;
    let below = |p: f64| promises.iter().filter(|other| **other < p).count() as f64;
    let same = |p: f64| promises.iter().filter(|other| **other == p).count() as f64;
    let rank = |p: &f64| (2.0 * below(*p) + same(*p)) / n - 1.0;
    promises.iter().map(rank).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn advantages_are_ranks() {
        let advantages = advantages(&[1.0, f64::NEG_INFINITY, 7.0, 1.0]);
        assert_eq!(advantages, [0.0, -0.75, 0.75, 0.0]);
    }

    #[test]
    fn the_most_different_has_least_in_common() {
        let asked = BTreeSet::from([vec![0, 0, 0], vec![1, 1, 0]]);
        let samples = [vec![0, 0, 0], vec![0, 1, 0], vec![2, 2, 1], vec![0, 1, 1]];
        assert_eq!(most_different(&samples, &asked), Some(vec![2, 2, 1]));
        assert_eq!(most_different(&samples[..1], &asked), None);
    }

    #[test]
    fn neighbours_differ_in_one_decision() {
        let near = neighbours(&[0, 2], &[2, 3]);
        assert_eq!(near, [vec![1, 2], vec![0, 0], vec![0, 1]]);
    }
}
