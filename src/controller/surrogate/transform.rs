//! From objectives of any scale and tail to outputs that a surrogate can fit, and back. Knows nothing
//! of models.
//!
//! Useless architectures lie far below the others, and how far does not matter for the best. So what
//! lies below the median is drawn together logarithmically, which keeps the order and can be undone.

use super::Belief;

/// A rising function fitted to objectives.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Transform {
    median: f64,
    /// The distance from the median of the ninth decile.
    spread: f64,
    mean: f64,
    deviation: f64,
}

impl Transform {
    /// Fits the transform to `objectives`, at least one.
    pub fn new(objectives: &[f64]) -> Self {
        let mut sorted = objectives.to_vec();
        sorted.sort_by(f64::total_cmp);
        let last = sorted.len().saturating_sub(1);
        let at = |share: f64| sorted.get((share * last as f64).round() as usize);
        let at = |share: f64| at(share).copied().unwrap_or_default();
        let median = at(0.5);
        // Where the upper half is all alike, the lower shows the scale.
        let spreads = [at(0.9) - median, at(1.0) - median, median - at(0.1), 1.0];
        let spread = spreads.into_iter().find(|s| *s > 0.0).unwrap_or(1.0);
        let mut fitted = Self {
            median,
            spread,
            mean: 0.0,
            deviation: 1.0,
        };
        let n = objectives.len().max(1) as f64;
        let outputs: Vec<f64> = objectives.iter().map(|y| fitted.output(*y)).collect();
        let mean = outputs.iter().sum::<f64>() / n;
        let square = outputs.iter().map(|o| (o - mean).powi(2)).sum::<f64>() / n;
        fitted.mean = mean;
        fitted.deviation = if square > 1e-18 { square.sqrt() } else { 1.0 };
        fitted
    }

    /// The output of an objective.
    pub fn output(&self, objective: f64) -> f64 {
        let z = (objective - self.median) / self.spread;
        let drawn = if z < 0.0 { -(-z).ln_1p() } else { z };
        (drawn - self.mean) / self.deviation
    }

    /// The objective of an output, and how fast it rises there.
    fn objective(&self, output: f64) -> (f64, f64) {
        let drawn = output * self.deviation + self.mean;
        let (z, slope) = if drawn < 0.0 {
            (-(-drawn).exp_m1(), (-drawn).exp())
        } else {
            (drawn, 1.0)
        };
        (
            self.median + z * self.spread,
            slope * self.deviation * self.spread,
        )
    }

    /// A belief about an output as one about the objective.
    pub fn undo(&self, belief: Belief) -> Belief {
        let (mean, slope) = self.objective(belief.mean);
        Belief {
            mean,
            deviation: belief.deviation * slope,
        }
    }
}
