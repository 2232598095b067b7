//! What an architecture promises: expected improvement (Mockus 1978). Knows nothing of models.

use statrs::function::erf::erfc;

use super::Belief;

/// Below this many deviations the closed form cancels out, and its asymptote is used.
const FAR: f64 = -6.0;

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
}
