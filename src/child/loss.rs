//! The loss of a batch, and sums of losses over many batches that stay on the device. Knows logits and
//! labels only.

use burn::tensor::{Device, Int, Tensor, activation};

use super::kernels;
use crate::device::is_cpu;

/// The mean cross-entropy of `logits` `[batch, classes]` against `labels` `[batch]`, in nats; each
/// target gives `smoothing` of its weight to all classes alike (arXiv 1512.00567, §7).
pub(super) fn cross_entropy(
    logits: Tensor<2>,
    labels: &Tensor<1, Int>,
    smoothing: f64,
) -> Tensor<1> {
    if kernels::serve(&logits) {
        let labels: Vec<i64> = labels.to_data().iter().collect();
        return kernels::cross_entropy(logits, &labels, smoothing as f32);
    }
    let log_probabilities = activation::log_softmax(logits, 1);
    let batch = labels.dims()[0];
    let chosen = log_probabilities
        .clone()
        .gather(1, labels.clone().reshape([batch, 1]));
    let loss = chosen.mean().neg();
    if smoothing == 0.0 {
        return loss;
    }
    let uniform = log_probabilities.mean().neg();
    loss.mul_scalar(1.0 - smoothing)
        .add(uniform.mul_scalar(smoothing))
}

/// The value of `loss` where it is at hand, on the CPU; to read it elsewhere, the host would have to wait
/// for the device.
pub(super) fn at_hand(loss: &Tensor<1>) -> Option<f64> {
    let loss = loss.clone().without_autodiff();
    is_cpu(&loss.device()).then(|| loss.into_scalar())
}

/// Loss and correct answers, summed on the device and read once.
pub(super) struct Totals {
    loss: Tensor<1>,
    correct: Tensor<1, Int>,
    images: usize,
}

impl Totals {
    /// Nothing yet. `device` is one without autodiff.
    pub fn new(device: &Device) -> Self {
        Self {
            loss: Tensor::zeros([1], device),
            correct: Tensor::zeros([1], device),
            images: 0,
        }
    }

    /// Adds a batch: its mean loss, and which of its logits are right.
    pub fn add(&mut self, loss: Tensor<1>, logits: Tensor<2>, labels: Tensor<1, Int>) {
        let batch = labels.dims()[0];
        let labels = labels.without_autodiff();
        let answers: Tensor<1, Int> = logits.without_autodiff().argmax(1).reshape([batch]);
        let loss = loss.without_autodiff().mul_scalar(batch as f64);
        self.loss = self.loss.clone().add(loss);
        self.correct = self.correct.clone().add(answers.equal(labels).int().sum());
        self.images += batch;
    }

    /// The mean loss and the accuracy of each: one read, which waits for the device.
    pub fn read<const N: usize>(all: [Self; N]) -> [(f64, f64); N] {
        let images = all.each_ref().map(|totals| totals.images.max(1) as f64);
        // As f32, counts are exact up to 16 million images.
        let sums = all.into_iter().flat_map(|t| [t.loss, t.correct.float()]);
        let sums: Vec<f64> = Tensor::cat(sums.collect(), 0).into_data().iter().collect();
        std::array::from_fn(|i| (sums[2 * i] / images[i], sums[2 * i + 1] / images[i]))
    }
}
