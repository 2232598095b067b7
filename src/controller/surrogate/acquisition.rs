//! What an architecture promises: expected improvement (Mockus 1978), of the best that is believed in or
//! of a search's answer. Knows nothing of models.

use statrs::function::erf::erfc;

use super::Belief;

/// Below this many deviations the closed form cancels out, and its asymptote is used.
const FAR: f64 = -6.0;
/// Where the promises of those that would harm begin, below all that improve.
const HARMS: f64 = -1e6;

/// log E[max(0, f − `best`)] of a normal belief about f; the logarithm tells even hopeless architectures
/// apart (Ament et al. 2023).
pub fn log_expected_improvement(belief: Belief, best: f64) -> f64 {
    let z = (belief.mean - best) / belief.deviation;
    let log_density = -0.5 * z * z - 0.5 * std::f64::consts::TAU.ln();
    let log_h = if z > FAR {
        let cumulative = 0.5 * erfc(-z / std::f64::consts::SQRT_2);
        (log_density.exp() + z * cumulative).ln()
    } else {
        let square = z * z;
        log_density - square.ln() + (-3.0 / square + 15.0 / (square * square)).ln_1p()
    };
    belief.deviation.ln() + log_h
}

/// The answer of a search: the architecture with the largest observation, which may owe it to luck.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Answer {
    /// The observation.
    pub observed: f64,
    /// The expected value.
    pub mean: f64,
    /// The variance of an observation's noise.
    pub noise: f64,
}

/// A number to rank by: the logarithm of E[(f − `mean`) · 1{f + ε > `observed`}], what asking is
/// expected to improve the answer by, since the answer changes where the observation is the largest.
/// Without noise it is expected improvement.
///
/// An architecture that is believed to be worse than the answer, but may be luckier, would harm it.
/// Where nothing is left that improves, what is least known comes first: it teaches most, and seldom
/// becomes the answer.
pub fn promise(belief: Belief, answer: &Answer) -> f64 {
    let variance = belief.deviation * belief.deviation;
    let deviation = (variance + answer.noise).sqrt();
    let z = (belief.mean - answer.observed) / deviation;
    let log_density = -0.5 * z * z - 0.5 * std::f64::consts::TAU.ln();
    // Φ(z) / φ(z).
    let ratio = if z > FAR {
        0.5 * erfc(-z / std::f64::consts::SQRT_2) / log_density.exp()
    } else {
        let square = z * z;
        (1.0 - 1.0 / square + 3.0 / (square * square)) / -z
    };
    let gain = (belief.mean - answer.mean) * ratio + variance / deviation;
    if gain > 0.0 {
        (log_density + gain.ln()).max(0.5 * HARMS)
    } else {
        HARMS + belief.deviation.ln()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn improvement_is_that_of_the_integral() {
        let belief = |mean, deviation| Belief { mean, deviation };
        // E[max(0, f)] of f standard normal is 1/√2π.
        let expected = (1.0 / std::f64::consts::TAU.sqrt()).ln();
        assert!((log_expected_improvement(belief(0.0, 1.0), 0.0) - expected).abs() < 1e-9);
        // Certain improvement.
        assert!((log_expected_improvement(belief(3.0, 1e-6), 1.0) - 2f64.ln()).abs() < 1e-9);
        // Both forms agree where they meet, and the order is kept far out.
        let near = log_expected_improvement(belief(FAR + 1e-9, 1.0), 0.0);
        let far = log_expected_improvement(belief(FAR - 1e-9, 1.0), 0.0);
        assert!((near - far).abs() < 0.01, "{near} {far}");
        let farther = log_expected_improvement(belief(-60.0, 1.0), 0.0);
        assert!(farther.is_finite() && farther < far);
    }
    #[test]
    fn a_promise_is_what_the_answer_gains() {
        let answer = |observed, mean, noise| Answer {
            observed,
            mean,
            noise,
        };
        let belief = |mean, deviation| Belief { mean, deviation };
        // Without noise it is expected improvement, near and far.
        for mean in [-9.0, -0.5, 0.4, 2.0] {
            let belief = belief(mean, 0.7);
            let improvement = log_expected_improvement(belief, 0.3);
            let gain = promise(belief, &answer(0.3, 0.3, 0.0));
            assert!((gain - improvement).abs() < 1e-3, "{gain} {improvement}");
        }
        // The integral by sums: over f and over the noise ε.
        let (b, a) = (belief(0.2, 0.5), answer(1.0, 0.4, 0.36));
        let density = |z: f64| (-0.5 * z * z).exp() / std::f64::consts::TAU.sqrt();
        let steps = || (-800..=800).map(|i| f64::from(i) * 0.01);
        let mut sum = 0.0;
        for (z, e) in steps().flat_map(|z| steps().map(move |e| (z, e))) {
            let f = b.mean + b.deviation * z;
            if f + 0.6 * e > a.observed {
                sum += (f - a.mean) * density(z) * density(e) * 1e-4;
            }
        }
        let gain = promise(b, &a).exp();
        assert!((gain - sum).abs() < 1e-3, "{gain} {sum}");
    }

    #[test]
    fn what_is_only_lucky_promises_less_than_anything_that_improves() {
        let answer = Answer {
            observed: 1.0,
            mean: 0.8,
            noise: 0.1,
        };
        let promise = |mean, deviation| promise(Belief { mean, deviation }, &answer);
        let (lucky, hopeless) = (promise(0.7, 0.05), promise(-40.0, 3.0));
        assert!(lucky < HARMS, "{lucky}");
        assert!(promise(0.9, 0.01) > hopeless && hopeless > lucky);
        // Among those that would harm, the least known.
        assert!(promise(0.6, 0.1) > lucky);
    }
}
