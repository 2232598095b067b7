//! From a loss to gradients that are safe to apply: differentiation, the one read of all numbers
//! back to the host, the check that they are finite, and clipping. Knows nothing of either mode.

use burn::tensor::Tensor;

use super::weights::{Weights, read};
use crate::error::{Error, Result};

/// What an update minimises and what it reports.
pub(super) struct Objective {
    /// What is differentiated, `[1]`.
    pub minimised: Tensor<1>,
    /// The loss as reported, `[1]`.
    pub loss: Tensor<1>,
    /// The policy's entropy in nats, summed over the decisions, `[1]`.
    pub entropy: Tensor<1>,
    /// The cross-entropy of each decision, `[decisions]`.
    pub cross_entropies: Tensor<1>,
}

/// The gradient of an [`Objective`], and its numbers on the host.
pub(super) struct Gradient {
    /// One a weight, in order.
    pub values: Vec<Tensor<2>>,
    /// √Σ‖g‖².
    pub norm: f64,
    pub loss: f64,
    pub entropy: f64,
    pub cross_entropies: Vec<f64>,
}

impl Objective {
    /// Differentiates with respect to `weights`, which must be tracked.
    ///
    /// # Errors
    /// [`Error::Invalid`] where the loss or the gradient is not finite.
    pub fn differentiate(self, weights: &Weights) -> Result<Gradient> {
        let mut gradients = self.minimised.backward();
        let gradient = |weight: &Tensor<2>| {
            let found = weight.grad_remove(&mut gradients);
            found.unwrap_or_else(|| weight.clone().without_autodiff().zeros_like())
        };
        let values: Vec<_> = weights.values().iter().map(gradient).collect();
        let squares: Vec<_> = values.iter().map(|g| g.clone().square().sum()).collect();
        let norm = Tensor::cat(squares, 0).sum().sqrt();
        let reported = [self.loss, self.entropy, self.cross_entropies];
        let reported = reported.into_iter().map(Tensor::without_autodiff);
        let numbers = read(Tensor::cat(reported.chain([norm]).collect(), 0))?;
        let numbers: Vec<_> = numbers.into_iter().map(f64::from).collect();
        let [loss, entropy, cross_entropies @ .., norm] = &numbers[..] else {
            return Err(Error::invalid("update", "a loss and a gradient", "neither"));
        };
        if !loss.is_finite() || !norm.is_finite() {
            return Err(not_finite(*loss, *norm));
        }
        Ok(Gradient {
            norm: *norm,
            loss: *loss,
            entropy: *entropy,
            cross_entropies: cross_entropies.to_vec(),
            values,
        })
    }
}

impl Gradient {
    /// The gradient with its global norm cut to `clip_norm` (unless that is 0), then multiplied by
    /// `factor`.
    ///
    /// # Errors
    /// [`Error::Invalid`] where the product is too large for an optimizer to square.
    pub fn scaled(&mut self, clip_norm: f64, factor: f64) -> Result<Vec<Tensor<2>>> {
        let clip = if clip_norm > 0.0 && self.norm > clip_norm {
            clip_norm / self.norm
        } else {
            1.0
        };
        let norm = self.norm * clip * factor.abs();
        if !((norm * norm) as f32).is_finite() {
            return Err(not_finite(self.loss, norm));
        }
        let values = std::mem::take(&mut self.values).into_iter();
        Ok(values.map(|g| g.mul_scalar(clip * factor)).collect())
    }
}

fn not_finite(loss: f64, norm: f64) -> Error {
    let expected = "a finite loss and gradient (a lower learning_rate or a clip_norm may help)";
    let found = format!("loss {loss}, gradient norm {norm}; weights and step are unchanged");
    Error::invalid("controller update", expected, found)
}

/// λ Σ‖θ‖² over all weights, `[1]`; `None` where λ is 0.
pub(super) fn regulariser(weights: &Weights, strength: f64) -> Option<Tensor<1>> {
    if strength == 0.0 {
        return None;
    }
    let squares = weights.values().iter().map(|w| w.clone().square().sum());
    let total = Tensor::cat(squares.collect(), 0).sum();
    Some(total.mul_scalar(strength))
}
