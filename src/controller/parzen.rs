//! A multivariate Parzen estimator over a space: what good architectures look like against the rest.
//! Knows nothing of studies or scripts.

use std::collections::BTreeSet;
use std::sync::Arc;

use rand::{Rng, RngExt};

use crate::error::{Error, Result};
use crate::space::{Actions, Decision, StateSpace, Value};

/// The options of a [`Parzen`], under the names scripts use.
#[derive(Clone, Copy, Debug, PartialEq, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ParzenConfig {
    /// The share of the observations that is called good, above 0 and below 1. Default 0.1.
    pub gamma: f64,
    /// How many architectures are drawn for each that is proposed. Default 64.
    pub candidates: usize,
    /// The weight of the uniform distribution beside the observations, each of weight 1; it also widens
    /// their kernels. Above 0, default 0.25.
    pub prior_weight: f64,
}

impl Default for ParzenConfig {
    fn default() -> Self {
        Self {
            gamma: 0.1,
            candidates: 64,
            prior_weight: 0.25,
        }
    }
}

impl ParzenConfig {
    /// The names of the options.
    pub const OPTIONS: &'static [&'static str] = &["gamma", "candidates", "prior_weight"];

    fn validate(&self) -> Result<()> {
        let invalid = |name: &str, expected, found: f64| {
            let what = format!("option '{name}'");
            Err(Error::invalid(what, expected, found))
        };
        if !(self.gamma > 0.0 && self.gamma < 1.0) {
            return invalid("gamma", "a share above 0 and below 1", self.gamma);
        }
        if !(self.prior_weight > 0.0 && self.prior_weight.is_finite()) {
            return invalid("prior_weight", "a number above 0", self.prior_weight);
        }
        if self.candidates == 0 {
            return invalid("candidates", "a whole number from 1", 0.0);
        }
        Ok(())
    }
}

/// Two densities over the architectures of a space: one of the good observations, one of the rest.
/// What is proposed has the largest ratio of the two (Bergstra et al., "Algorithms for
/// Hyper-Parameter Optimization", 2011, §4). A density is a mixture of kernels, one around each
/// observation, that are products over all decisions, so that decisions that do well together are
/// proposed together (Falkner et al., "BOHB", arXiv 1807.01774, §3.2).
#[derive(Clone, Debug)]
pub struct Parzen {
    space: Arc<StateSpace>,
    layers: usize,
    config: ParzenConfig,
    decisions: Vec<Spread>,
    good: Vec<Box<[usize]>>,
    bad: Vec<Box<[usize]>>,
}

/// What a kernel needs to know of a decision.
#[derive(Clone, Debug)]
struct Spread {
    size: usize,
    /// The place of each value among all, where they are numbers that have an order.
    order: Option<Vec<usize>>,
}

/// From this number of values on numbers are taken for sizes rather than for names.
const ORDINAL_FROM: usize = 4;

impl Spread {
    fn of(decision: &Decision<'_>) -> Self {
        let size = decision.size();
        let number = |index| match decision.value(index) {
            Value::Int(v) => Some(v as f64),
            Value::Float(v) => Some(v),
            _ => None,
        };
        let numbers: Option<Vec<f64>> = (0..size).map(number).collect();
        let order = numbers.filter(|n| n.len() >= ORDINAL_FROM).map(|numbers| {
            let below = |v: &f64| numbers.iter().filter(|other| *other < v).count();
            numbers.iter().map(below).collect()
        });
        Self { size, order }
    }

    /// The distribution around each value, in a mixture of `kernels` of them: shape `[size][size]`.
    fn kernel(&self, kernels: usize, prior: f64) -> Vec<Vec<f64>> {
        let floor = prior / kernels as f64;
        let categorical = |centre: usize, value: usize| {
            let own = f64::from(u8::from(centre == value));
            (own + floor) / (1.0 + floor * self.size as f64)
        };
        let row = |centre: usize| {
            let mut row: Vec<f64> = (0..self.size).map(|v| categorical(centre, v)).collect();
            if let Some(order) = &self.order {
                // Half of what leaves the centre goes to the values near by.
                let width = (self.size as f64 * SPREAD).max(0.5);
                let near = |value: usize| {
                    let distance = order[centre].abs_diff(order[value]) as f64 / width;
                    (-0.5 * distance * distance).exp()
                };
                let total: f64 = (0..self.size).map(near).sum();
                for (value, p) in row.iter_mut().enumerate() {
                    *p = 0.5 * *p + 0.5 * near(value) / total;
                }
            }
            row
        };
        (0..self.size).map(row).collect()
    }
}

/// The deviation of the kernel of an ordered decision, as a share of its number of values.
const SPREAD: f64 = 0.1;

/// One of the two densities.
struct Mixture<'a> {
    centres: &'a [Box<[usize]>],
    /// For each decision the distribution around each of its values.
    kernels: Vec<Vec<Vec<f64>>>,
    prior: f64,
}

impl Parzen {
    /// Creates an estimator of architectures of `layers` layers, without observations.
    ///
    /// # Errors
    /// As [`StateSpace::check_layers`]; [`Error::Invalid`] for an option out of its range.
    pub fn new(space: Arc<StateSpace>, layers: usize, config: ParzenConfig) -> Result<Self> {
        space.check_layers(layers)?;
        config.validate()?;
        let decisions = space.decisions(layers).map(|d| Spread::of(&d)).collect();
        Ok(Self {
            space,
            layers,
            config,
            decisions,
            good: Vec::new(),
            bad: Vec::new(),
        })
    }

    /// Takes `observations`, architectures and their objectives (the larger, the better), in place of
    /// those before. Only the order of the objectives counts.
    ///
    /// # Errors
    /// [`Error::Invalid`] for actions of another space and for an objective that is no number.
    pub fn fit(&mut self, observations: &[(Actions, f64)]) -> Result<()> {
        for (actions, objective) in observations {
            if **actions.space() != *self.space || actions.layers() != self.layers {
                let expected = format!("actions of {} layers of the space", self.layers);
                return Err(Error::invalid("fit", expected, actions.summary()));
            }
            if objective.is_nan() {
                return Err(Error::invalid("fit: objective", "a number", objective));
            }
        }
        let mut ranked: Vec<_> = observations.iter().collect();
        ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
        let indices = |(actions, _): &&(Actions, f64)| Box::from(actions.indices());
        let good = (self.config.gamma * ranked.len() as f64).ceil() as usize;
        let (good, bad) = ranked.split_at(good);
        self.good = good.iter().map(indices).collect();
        self.bad = bad.iter().map(indices).collect();
        Ok(())
    }

    /// Proposes `n` architectures, different ones that were neither observed nor are `pending`, as long
    /// as the draws find such. What is pending counts as a bad observation, and so does each proposal
    /// for those after it, so that they spread.
    pub fn propose(&self, n: usize, pending: &[Actions], rng: &mut impl Rng) -> Vec<Actions> {
        let good = self.mixture(&self.good);
        let mut bad = self.bad.clone();
        bad.extend(pending.iter().map(|actions| actions.indices().into()));
        let observed = self.good.iter().chain(&bad).cloned();
        let mut seen: BTreeSet<Box<[usize]>> = observed.collect();
        let mut proposed = Vec::with_capacity(n);
        while proposed.len() < n {
            let best = self.best(&good, &self.mixture(&bad), &seen, rng);
            bad.push(best.clone());
            seen.insert(best.clone());
            let actions = Actions::given(self.space.clone(), self.layers, best.into());
            proposed.push(actions);
        }
        proposed
    }

    /// The candidate with the largest ratio of the densities, of those that were not `seen`.
    fn best(
        &self,
        good: &Mixture<'_>,
        bad: &Mixture<'_>,
        seen: &BTreeSet<Box<[usize]>>,
        rng: &mut impl Rng,
    ) -> Box<[usize]> {
        let drawn = (0..self.config.candidates).map(|_| self.draw(good, rng));
        let drawn: BTreeSet<_> = drawn.collect();
        let mut best: Option<(f64, Box<[usize]>)> = None;
        for candidate in drawn.into_iter().filter(|c| !seen.contains(c)) {
            let ratio = good.log_density(&candidate) - bad.log_density(&candidate);
            if best.as_ref().is_none_or(|(most, _)| ratio > *most) {
                best = Some((ratio, candidate));
            }
        }
        if let Some((_, best)) = best {
            return best;
        }
        let mut drawn = self.uniform(rng);
        for _ in 0..self.config.candidates {
            if !seen.contains(&drawn) {
                break;
            }
            drawn = self.uniform(rng);
        }
        drawn
    }

    fn mixture<'a>(&self, centres: &'a [Box<[usize]>]) -> Mixture<'a> {
        let prior = self.config.prior_weight;
        let kernel = |spread: &Spread| spread.kernel(centres.len() + 1, prior);
        Mixture {
            centres,
            kernels: self.decisions.iter().map(kernel).collect(),
            prior,
        }
    }

    fn uniform(&self, rng: &mut impl Rng) -> Box<[usize]> {
        let sizes = self.decisions.iter().map(|spread| spread.size);
        sizes.map(|size| rng.random_range(0..size)).collect()
    }

    /// An architecture drawn from `mixture`.
    fn draw(&self, mixture: &Mixture<'_>, rng: &mut impl Rng) -> Box<[usize]> {
        let total = mixture.centres.len() as f64 + mixture.prior;
        let at = rng.random_range(0.0..total) as usize;
        let Some(centre) = mixture.centres.get(at) else {
            return self.uniform(rng);
        };
        let each = mixture.kernels.iter().zip(centre);
        each.map(|(kernel, &value)| pick(&kernel[value], rng))
            .collect()
    }
}

impl Mixture<'_> {
    /// The logarithm of the density at `candidate`: products of many decisions are tiny.
    fn log_density(&self, candidate: &[usize]) -> f64 {
        let sizes = self.kernels.iter().map(|kernel| kernel.len() as f64);
        let uniform = self.prior.ln() - sizes.map(f64::ln).sum::<f64>();
        let around = |centre: &[usize]| {
            let pairs = centre.iter().zip(candidate).zip(&self.kernels);
            pairs
                .map(|((&c, &v), kernel)| kernel[c][v].ln())
                .sum::<f64>()
        };
        let parts: Vec<f64> = self
            .centres
            .iter()
            .map(|centre| around(centre))
            .chain([uniform])
            .collect();
        let most = parts.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let sum: f64 = parts.iter().map(|part| (part - most).exp()).sum();
        most + sum.ln() - (self.prior + self.centres.len() as f64).ln()
    }
}

/// An index drawn with the probabilities `p`.
fn pick(p: &[f64], rng: &mut impl Rng) -> usize {
    let mut left = rng.random_range(0.0..1.0);
    for (index, p) in p.iter().enumerate() {
        left -= p;
        if left < 0.0 {
            return index;
        }
    }
    p.len() - 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::Seed;

    fn space(values: Vec<Value>) -> Arc<StateSpace> {
        let mut space = StateSpace::new();
        space.add_state("state", values).unwrap();
        space.into()
    }

    fn names(n: usize) -> Arc<StateSpace> {
        space((0..n).map(|i| Value::Text(format!("v{i}"))).collect())
    }

    fn given(space: &Arc<StateSpace>, indices: &[usize]) -> Actions {
        Actions::given(space.clone(), indices.len(), indices.to_vec())
    }

    fn parzen(space: &Arc<StateSpace>, layers: usize, gamma: f64) -> Parzen {
        let config = ParzenConfig {
            gamma,
            prior_weight: 1.0,
            ..ParzenConfig::default()
        };
        Parzen::new(space.clone(), layers, config).unwrap()
    }

    #[test]
    fn a_density_is_the_mixture_of_its_kernels_and_the_prior() {
        let space = names(2);
        let mut parzen = parzen(&space, 2, 0.5);
        let observed = [(given(&space, &[0, 0]), 0.9), (given(&space, &[1, 1]), 0.1)];
        parzen.fit(&observed).unwrap();
        let good = parzen.mixture(&parzen.good);
        // Two kernels, so half a count for each value: 1.5 / 2 at the centre, 0.5 / 2 beside it.
        let expected = |near: f64| ((0.25 + near) / 2.0).ln();
        let density = |indices: &[usize]| good.log_density(indices);
        assert!((density(&[0, 0]) - expected(0.75 * 0.75)).abs() < 1e-12);
        assert!((density(&[0, 1]) - expected(0.75 * 0.25)).abs() < 1e-12);
        assert!((density(&[1, 1]) - expected(0.25 * 0.25)).abs() < 1e-12);
    }

    #[test]
    fn numbers_are_near_their_neighbours_in_whatever_order_they_stand() {
        let sizes = space([64, 8, 32, 16, 24].map(Value::Int).into());
        let parzen = parzen(&sizes, 1, 0.5);
        let kernel = parzen.decisions[0].kernel(4, 1.0);
        for row in &kernel {
            assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        }
        // Around 16: itself, then 8 and 24 alike, then 32 and 64.
        let around = &kernel[3];
        assert!((around[1] - around[4]).abs() < 1e-12);
        assert!(around[3] > around[1] && around[1] > around[2] && around[2] > around[0]);
    }

    #[test]
    fn proposals_look_like_the_good_and_are_new() {
        let space = names(4);
        let mut parzen = parzen(&space, 3, 0.2);
        let mut random = Seed(5).stream("test");
        let mut observed: Vec<(Actions, f64)> = Vec::new();
        for _ in 0..30 {
            let actions = Actions::random(&space, 3, &mut random).unwrap();
            let worth = actions.indices().iter().filter(|i| **i == 2).count();
            observed.push((actions, worth as f64));
        }
        parzen.fit(&observed).unwrap();
        let pending = [given(&space, &[2, 2, 2])];
        let proposed = parzen.propose(8, &pending, &mut random);
        let new: BTreeSet<_> = proposed.iter().map(|a| a.indices().to_vec()).collect();
        assert_eq!(new.len(), 8, "no two alike");
        let known = |a: &Actions| observed.iter().any(|(o, _)| o == a) || pending.contains(a);
        assert!(!proposed.iter().any(known));
        let worth = |a: &Actions| a.indices().iter().filter(|i| **i == 2).count();
        let mean = proposed.iter().map(worth).sum::<usize>() as f64 / 8.0;
        assert!(mean > 1.2, "by chance 0.75, found {mean}");
    }

    #[test]
    fn a_space_that_is_used_up_is_asked_again() {
        let space = names(2);
        let mut parzen = parzen(&space, 1, 0.5);
        let observed = [(given(&space, &[0]), 1.0), (given(&space, &[1]), 0.0)];
        parzen.fit(&observed).unwrap();
        assert_eq!(parzen.propose(3, &[], &mut Seed(0).stream("test")).len(), 3);
        let wrong = parzen.fit(&[(given(&space, &[0]), f64::NAN)]).unwrap_err();
        assert_eq!(
            wrong.to_string(),
            "fit: objective: expected a number, found NaN"
        );
    }
}
