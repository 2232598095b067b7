//! An exact Gaussian process over architectures (Rasmussen & Williams 2006, ch. 2 and 5). Knows
//! nothing of the scale of objectives: outputs have mean 0 and variance 1.

use std::sync::Arc;

use super::cholesky::{Cholesky, dot};
use super::encoding::Encoding;
use super::kernel::{Kernel, NOISE, Point, Tuned};
use super::minimise::minimise;
use super::{Belief, Data};

/// The most observations that hyper-parameters are learned from: their cost is cubic.
const SUBSET: usize = 200;
/// Steps of descent when hyper-parameters are learned for the first time, and later.
const FIRST_STEPS: usize = 24;
const STEPS: usize = 6;
/// Keeps the matrix positive in rounding.
const JITTER: f64 = 1e-8;

/// A Gaussian process and what it has seen.
#[derive(Clone, Debug)]
pub struct Gp {
    kernel: Kernel,
    /// The logarithms of the hyper-parameters.
    theta: Vec<f64>,
    /// The number of observations that they were learned from.
    learned: usize,
    tuned: Tuned,
    points: Vec<Point>,
    factor: Cholesky,
    /// K⁻¹ y.
    alpha: Vec<f64>,
    /// What is believed of each observed architecture.
    means: Vec<f64>,
}

impl Gp {
    pub fn new(encoding: Arc<Encoding>) -> Self {
        let kernel = Kernel::new(encoding);
        let theta: Vec<f64> = kernel.priors().iter().map(|p| p.mean).collect();
        Self {
            tuned: kernel.tuned(&theta),
            kernel,
            theta,
            learned: 0,
            points: Vec::new(),
            factor: Cholesky::default(),
            alpha: Vec::new(),
            means: Vec::new(),
        }
    }

    /// The logarithms of the hyper-parameters and how many observations they were learned from: all
    /// that a fit takes over from the last.
    pub fn memory(&self) -> (&[f64], usize) {
        (&self.theta, self.learned)
    }

    /// Takes over what [`memory`](Self::memory) gave; false where it is of another kernel.
    pub fn remember(&mut self, theta: &[f64], learned: usize) -> bool {
        let fits = theta.len() == self.theta.len() && theta.iter().all(|t| t.is_finite());
        if fits {
            self.theta = theta.to_vec();
            self.learned = learned;
        }
        fits
    }

    /// The mean of each observation that it is conditioned on, without its noise.
    pub fn means(&self) -> &[f64] {
        &self.means
    }

    /// The variance of an observation's noise.
    pub fn noise(&self) -> f64 {
        self.tuned.noise()
    }

    /// Learns the hyper-parameters from `data`, going on from the last. The more is known, the less
    /// another observation changes them.
    pub fn learn(&mut self, data: &Data) {
        let n = data.len();
        if n > self.learned && n - self.learned <= self.learned / 50 {
            return;
        }
        let chosen = subset(data.y);
        let points: Vec<Point> = chosen
            .iter()
            .map(|i| self.kernel.point(&data.x[*i]))
            .collect();
        let y: Vec<f64> = chosen.iter().map(|i| data.y[*i]).collect();
        let steps = if self.learned == 0 {
            FIRST_STEPS
        } else {
            STEPS
        };
        self.theta = minimise(&self.theta, steps, |theta| {
            self.objective(theta, &points, &y)
        });
        self.learned = n;
    }

    /// Conditions on `data` with the hyper-parameters as they are.
    pub fn condition(&mut self, data: &Data) {
        self.points = data.x.iter().map(|x| self.kernel.point(x)).collect();
        self.tuned = self.kernel.tuned(&self.theta);
        // Only hyper-parameters beyond all reason leave the matrix without a factor.
        let mut jitter = JITTER;
        while jitter < 1e6 {
            if let Some(factor) = Cholesky::new(covariances(&self.tuned, &self.points, jitter)) {
                self.alpha = factor.solve(data.y);
                self.factor = factor;
                // (K − own) K⁻¹ y.
                let own = self.tuned.noise() + jitter;
                let known = data.y.iter().zip(&self.alpha);
                self.means = known.map(|(y, alpha)| y - own * alpha).collect();
                return;
            }
            jitter *= 100.0;
        }
    }

    /// Adds architectures to those seen, each with the mean expected of it: only deviations change.
    pub fn believe(&mut self, x: &[Vec<usize>]) {
        for x in x {
            let point = self.kernel.point(x);
            let known = self.points.iter();
            let row = known.map(|p| self.tuned.covariance(&point, p)).collect();
            let own = self.tuned.variance() + self.tuned.noise() + JITTER;
            if self.factor.extend(row, own) {
                self.points.push(point);
            }
        }
    }

    /// The negative logarithm of the posterior of `theta`, and its gradient.
    fn objective(&self, theta: &[f64], points: &[Point], y: &[f64]) -> (f64, Vec<f64>) {
        let mut gradient = vec![0.0; theta.len()];
        let tuned = self.kernel.tuned(theta);
        let Some(factor) = Cholesky::new(covariances(&tuned, points, JITTER)) else {
            return (f64::INFINITY, gradient);
        };
        let alpha = factor.solve(y);
        let mut value = 0.5 * dot(y, &alpha) + factor.half_log_determinant();
        for (i, row) in factor.inverse().iter().enumerate() {
            for (j, inverse) in row.iter().enumerate() {
                let half = if i == j { 0.5 } else { 1.0 };
                let weight = half * (inverse - alpha[i] * alpha[j]);
                let (a, b) = (&points[i], &points[j]);
                self.kernel
                    .add_gradient(&tuned, a, b, weight, &mut gradient);
                if i == j {
                    gradient[NOISE] += weight * tuned.noise();
                }
            }
        }
        for ((t, slope), prior) in theta.iter().zip(&mut gradient).zip(self.kernel.priors()) {
            let z = (t - prior.mean) / prior.deviation;
            value += 0.5 * z * z;
            *slope += z / prior.deviation;
        }
        (value, gradient)
    }

    /// What is believed of each of `x`, without the noise of an observation.
    pub fn predict(&self, x: &[Vec<usize>]) -> Vec<Belief> {
        let believe = |x: &Vec<usize>| {
            let point = self.kernel.point(x);
            let known = self.points.iter();
            let mut k: Vec<f64> = known.map(|p| self.tuned.covariance(&point, p)).collect();
            // What is only believed in has no weight of its own.
            let mean = dot(&k[..self.alpha.len()], &self.alpha);
            self.factor.solve_lower(&mut k);
            let variance = self.tuned.variance() - dot(&k, &k);
            Belief {
                mean,
                deviation: variance.max(1e-12).sqrt(),
            }
        };
        x.iter().map(believe).collect()
    }
}

#[cfg(test)]
impl Gp {
    /// The correlation of two architectures before anything is known of them.
    pub fn correlation(&self, a: &[usize], b: &[usize]) -> f64 {
        let (a, b) = (self.kernel.point(a), self.kernel.point(b));
        self.tuned.covariance(&a, &b) / self.tuned.variance()
    }

    /// For each hyper-parameter the slope of the objective, as computed and by differences.
    pub fn gradient_check(&self, x: &[Vec<usize>], y: &[f64]) -> Vec<(usize, f64, f64)> {
        let points: Vec<Point> = x.iter().map(|x| self.kernel.point(x)).collect();
        let (_, gradient) = self.objective(&self.theta, &points, y);
        let value = |p: usize, by: f64| {
            let mut theta = self.theta.clone();
            theta[p] += by;
            self.objective(&theta, &points, y).0
        };
        let difference = |p| (value(p, 1e-4) - value(p, -1e-4)) / 2e-4;
        let pairs = gradient.into_iter().enumerate();
        pairs.map(|(p, slope)| (p, slope, difference(p))).collect()
    }
}

/// The lower rows of K + noise.
fn covariances(tuned: &Tuned, points: &[Point], jitter: f64) -> Vec<Vec<f64>> {
    let row = |(i, a): (usize, &Point)| {
        let mut row: Vec<f64> = points[..i].iter().map(|b| tuned.covariance(a, b)).collect();
        row.push(tuned.variance() + tuned.noise() + jitter);
        row
    };
    points.iter().enumerate().map(row).collect()
}

/// The observations to learn hyper-parameters from: the best third, where a search happens, and the
/// others at equal distances of rank.
fn subset(y: &[f64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..y.len()).collect();
    if y.len() <= SUBSET {
        return order;
    }
    order.sort_by(|a, b| y[*b].total_cmp(&y[*a]));
    let (best, rest) = order.split_at(SUBSET / 3);
    let left = SUBSET - best.len();
    let others = (0..left).map(|i| rest[i * rest.len() / left]);
    let mut chosen: Vec<usize> = best.iter().copied().chain(others).collect();
    chosen.sort_unstable();
    chosen
}
