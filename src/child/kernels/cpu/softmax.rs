//! The cross-entropy of a softmax, fused. Knows logits and labels only.
//!
//! A batch has a row of a few logits for each image: the work is too small for registers to matter.

/// The mean cross-entropy, in nats, of `logits`, `[batch, classes]`, against `labels`, `[batch]`; each
/// target gives `smoothing` of its weight to all classes alike (arXiv 1512.00567, §7). NaN where a logit
/// is.
pub fn cross_entropy(logits: &[f32], labels: &[usize], smoothing: f32) -> f32 {
    let classes = logits.len() / labels.len();
    let mut sum = 0.0;
    for (row, &label) in logits.chunks_exact(classes).zip(labels) {
        let normaliser = log_sum_exp(row);
        let uniform = row.iter().map(|&z| f64::from(z)).sum::<f64>() / classes as f64;
        let smoothing = f64::from(smoothing);
        let target = (1.0 - smoothing) * f64::from(row[label]) + smoothing * uniform;
        sum += normaliser - target;
    }
    (sum / labels.len() as f64) as f32
}

/// The gradient of [`cross_entropy`] times `by`: `by · (probability - target) / batch`.
pub fn gradient(logits: &[f32], labels: &[usize], smoothing: f32, by: f32, gradient: &mut [f32]) {
    let classes = logits.len() / labels.len();
    let weight = f64::from(by) / labels.len() as f64;
    let smoothing = f64::from(smoothing);
    let rows = logits.chunks_exact(classes).zip(labels);
    for ((row, &label), gradient) in rows.zip(gradient.chunks_exact_mut(classes)) {
        let normaliser = log_sum_exp(row);
        for (class, (z, slot)) in row.iter().zip(gradient).enumerate() {
            let own = f64::from(u8::from(class == label));
            let target = (1.0 - smoothing) * own + smoothing / classes as f64;
            *slot = (weight * ((f64::from(*z) - normaliser).exp() - target)) as f32;
        }
    }
}

/// `ln Σ exp(z)`, without overflow.
fn log_sum_exp(row: &[f32]) -> f64 {
    let largest = row.iter().fold(f32::NEG_INFINITY, |a, &z| a.max(z));
    // `max` passes over NaN, the sum does not.
    let sum: f64 = row
        .iter()
        .map(|&z| (f64::from(z) - f64::from(largest)).exp())
        .sum();
    f64::from(largest) + sum.ln()
}
