//! The covariance of two architectures, with its hyper-parameters, their priors and its gradient.
//! Knows nothing of observations.
//!
//! k(x, x') = c + σ² exp(−Σ_d r_d D(x_d, x'_d)) + σ_s² exp(−Σ_s λ_s ‖n_s(x) − n_s(x')‖²)
//!
//! The first term compares decision by decision. The distance of two values of a state,
//! D(a, b) = τ_a + τ_b where a ≠ b, and of numbers o (u_a − u_b)² more, is the same in all its layers,
//! so that few observations suffice to learn it; r_d is how much the decision d counts. The second
//! term compares how often a state takes each value (of numbers their mean), in whichever layer.
//! Hyper-parameters are learned as logarithms, with normal priors.

use std::sync::Arc;

use super::encoding::{Encoding, Vocabulary};

/// c, the variance of the constant: outputs have variance 1.
const CONSTANT: f64 = 1.0;

/// Places in the vector of logarithms: log σ², log σ_s² and the logarithm of the noise's variance.
const PRODUCT: usize = 0;
const SHARED: usize = 1;
pub const NOISE: usize = 2;

/// The normal prior of a hyper-parameter's logarithm.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Prior {
    pub mean: f64,
    pub deviation: f64,
}

/// Which hyper-parameters there are, and where each is in the vector of their logarithms.
#[derive(Clone, Debug)]
pub struct Kernel {
    encoding: Arc<Encoding>,
    /// Where τ of each state's first value is.
    tau: Vec<usize>,
    /// Where o of each state is, if its values are numbers.
    ordinal: Vec<Option<usize>>,
    /// Where r of the first decision is.
    relevance: usize,
    /// Where λ of each state is, if it decides several layers.
    shared: Vec<Option<usize>>,
    priors: Vec<Prior>,
}

/// An architecture ready to be compared.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// The value of each decision, as a position in its state's vocabulary.
    values: Vec<usize>,
    /// For each state that is shared the share of each value, or of numbers their mean position.
    counts: Vec<f64>,
}

/// The kernel with its hyper-parameters put in.
#[derive(Clone, Debug)]
pub struct Tuned {
    /// All hyper-parameters, as they are.
    parameters: Vec<f64>,
    shared: f64,
    /// r D of each pair of values, `[decisions][size · size]`.
    distances: Vec<(usize, Vec<f64>)>,
    /// λ of each entry of [`Point::counts`].
    lambdas: Vec<f64>,
}

impl Kernel {
    pub fn new(encoding: Arc<Encoding>) -> Self {
        let normal = |mean, deviation| Prior { mean, deviation };
        let mut priors = vec![normal(0.0, 1.0), normal(-1.0, 1.0), normal(-4.0, 1.5)];
        let mut add = |count: usize, mean, deviation| {
            priors.extend(std::iter::repeat_n(normal(mean, deviation), count));
            priors.len() - count
        };
        // Two architectures that have nothing in common are about e⁻² alike, however many decisions.
        let base = (2.0 / encoding.decisions.len() as f64).ln();
        let half = base - 2f64.ln();
        let numbers = |state: &Vocabulary| state.positions.is_some();
        let states = || encoding.states.iter();
        let tau = states().map(|s| add(s.size, if numbers(s) { half - 1.0 } else { half }, 0.7));
        let tau = tau.collect();
        let ordinal = states().map(|s| numbers(s).then(|| add(1, base + 1.0, 1.0)));
        let ordinal = ordinal.collect();
        let relevance = add(encoding.decisions.len(), 0.0, 0.7);
        let shared = states().map(|s| s.repeated.then(|| add(1, 0.5, 1.0)));
        let shared = shared.collect();
        Self {
            tau,
            ordinal,
            relevance,
            shared,
            priors,
            encoding,
        }
    }

    /// The prior of each hyper-parameter.
    pub fn priors(&self) -> &[Prior] {
        &self.priors
    }

    /// Where the relevance of the decision `d` is.
    pub fn relevance(&self, d: usize) -> usize {
        self.relevance + d
    }

    pub fn point(&self, indices: &[usize]) -> Point {
        let places = self.encoding.decisions.iter();
        let values = indices.iter().zip(places).map(|(i, d)| d.values[*i]);
        let values: Vec<usize> = values.collect();
        let mut counts = Vec::new();
        for (id, state) in self.encoding.states.iter().enumerate() {
            if !state.repeated {
                continue;
            }
            let mut shares = vec![0.0; state.size];
            let taken = self.encoding.decisions.iter().zip(&values);
            for (_, value) in taken.filter(|(place, _)| place.state == id) {
                shares[*value] += 1.0 / state.decisions as f64;
            }
            match &state.positions {
                None => counts.extend(shares),
                Some(u) => counts.push(shares.iter().zip(u).map(|(s, u)| s * u).sum()),
            }
        }
        Point { values, counts }
    }

    /// The kernel of the hyper-parameters e^`logarithms`.
    pub fn tuned(&self, logarithms: &[f64]) -> Tuned {
        let parameters: Vec<f64> = logarithms.iter().map(|t| t.exp()).collect();
        let distances = self
            .encoding
            .decisions
            .iter()
            .enumerate()
            .map(|(d, place)| {
                let (s, r) = (place.state, parameters[self.relevance + d]);
                let state = &self.encoding.states[s];
                let tau = &parameters[self.tau[s]..][..state.size];
                let distance = |a: usize, b: usize| {
                    let numbers = self.ordinal[s].map(|o| parameters[o] * gap(state, a, b));
                    r * (tau[a] + tau[b] + numbers.unwrap_or_default())
                };
                let pair = |a, b| if a == b { 0.0 } else { distance(a, b) };
                let size = state.size;
                let table = (0..size).flat_map(|a| (0..size).map(move |b| pair(a, b)));
                (size, table.collect())
            });
        let lambdas = self.shared_states().flat_map(|(width, place)| {
            let lambda = parameters[place];
            std::iter::repeat_n(lambda, width)
        });
        let lambdas: Vec<f64> = lambdas.collect();
        Tuned {
            shared: if lambdas.is_empty() {
                0.0
            } else {
                parameters[SHARED]
            },
            distances: distances.collect(),
            lambdas,
            parameters,
        }
    }

    /// The number of entries in [`Point::counts`], and the place of λ, of each state that has any.
    fn shared_states(&self) -> impl Iterator<Item = (usize, usize)> {
        let states = self.encoding.states.iter().zip(&self.shared);
        states.filter_map(|(state, place)| {
            let width = if state.positions.is_some() {
                1
            } else {
                state.size
            };
            place.map(|place| (width, place))
        })
    }

    /// Adds `weight` × the gradient of k(a, b) by the logarithms to `sum`.
    pub fn add_gradient(&self, tuned: &Tuned, a: &Point, b: &Point, weight: f64, sum: &mut [f64]) {
        let (product, shared) = tuned.terms(a, b);
        sum[PRODUCT] += weight * product;
        let fall = -weight * product;
        for (d, place) in self.encoding.decisions.iter().enumerate() {
            let (x, y) = (a.values[d], b.values[d]);
            if x == y {
                continue;
            }
            let s = place.state;
            let (size, table) = &tuned.distances[d];
            sum[self.relevance + d] += fall * table[x * size + y];
            let r = fall * tuned.parameters[self.relevance + d];
            for value in [x, y] {
                sum[self.tau[s] + value] += r * tuned.parameters[self.tau[s] + value];
            }
            if let Some(o) = self.ordinal[s] {
                sum[o] += r * tuned.parameters[o] * gap(&self.encoding.states[s], x, y);
            }
        }
        if tuned.lambdas.is_empty() {
            return;
        }
        sum[SHARED] += weight * shared;
        let mut next = 0;
        for (width, place) in self.shared_states() {
            let entries = next..next + width;
            next = entries.end;
            let square = entries.map(|i| (a.counts[i] - b.counts[i]).powi(2));
            sum[place] -= weight * shared * tuned.parameters[place] * square.sum::<f64>();
        }
    }
}

/// (u_a − u_b)² of two numbers.
fn gap(state: &Vocabulary, a: usize, b: usize) -> f64 {
    let positions = state.positions.as_ref();
    positions.map_or(0.0, |u| (u[a] - u[b]).powi(2))
}

impl Tuned {
    /// The terms of decisions and of counts.
    fn terms(&self, a: &Point, b: &Point) -> (f64, f64) {
        let pairs = a.values.iter().zip(&b.values).zip(&self.distances);
        let apart: f64 = pairs
            .map(|((x, y), (size, table))| table[x * size + y])
            .sum();
        let product = self.parameters[PRODUCT] * (-apart).exp();
        if self.lambdas.is_empty() {
            return (product, 0.0);
        }
        let counts = a.counts.iter().zip(&b.counts).zip(&self.lambdas);
        let apart: f64 = counts
            .map(|((x, y), lambda)| lambda * (x - y).powi(2))
            .sum();
        (product, self.shared * (-apart).exp())
    }

    /// k(a, b).
    pub fn covariance(&self, a: &Point, b: &Point) -> f64 {
        let (product, shared) = self.terms(a, b);
        CONSTANT + product + shared
    }

    /// k(a, a).
    pub fn variance(&self) -> f64 {
        CONSTANT + self.parameters[PRODUCT] + self.shared
    }

    /// The variance of the noise.
    pub fn noise(&self) -> f64 {
        self.parameters[NOISE]
    }
}
