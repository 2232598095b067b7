//! Cross-entropy of a softmax, its gradient and the right answers, in one pass over the logits. Knows
//! nothing of how these are averaged over batches.

/// What a batch shows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outcome {
    /// The mean cross-entropy in nats; not a number where a logit is not, or where a label is no class.
    pub loss: f32,
    /// How many images have their label's logit as the first largest.
    pub correct: usize,
}

/// The cross-entropy of `logits` `[batch, classes]` against `labels`; each target gives `smoothing` of its
/// weight to all classes alike (arXiv 1512.00567, §7). The gradient of the mean loss is written where
/// it is wanted.
pub fn cross_entropy(
    logits: &[f32],
    labels: &[i64],
    smoothing: f32,
    mut gradient: Option<&mut [f32]>,
) -> Outcome {
    let (batch, classes) = (labels.len(), logits.len() / labels.len());
    let even = f64::from(smoothing) / classes as f64;
    let (mut loss, mut correct) = (0.0, 0);
    for (image, (logits, &label)) in logits.chunks_exact(classes).zip(labels).enumerate() {
        let label = usize::try_from(label).unwrap_or(usize::MAX);
        let mut best = 0;
        for (class, &logit) in logits.iter().enumerate() {
            if logit > logits[best] {
                best = class;
            }
        }
        correct += usize::from(best == label);
        let top = logits[best];
        let power = |logit: f32| (logit - top).exp();
        let (mut powers, mut logits_sum) = (0.0, 0.0);
        for &logit in logits {
            powers += f64::from(power(logit));
            logits_sum += f64::from(logit - top);
        }
        let of_label = logits
            .get(label)
            .map_or(f64::NAN, |logit| f64::from(logit - top));
        loss += powers.ln() - (1.0 - f64::from(smoothing)) * of_label;
        if smoothing > 0.0 {
            // Apart: a logit of minus infinity costs nothing where it is no part of the target.
            loss -= even * logits_sum;
        }
        if let Some(gradient) = &mut gradient {
            let to = &mut gradient[image * classes..][..classes];
            let share = (1.0 / (powers * batch as f64)) as f32;
            let rest = (even / batch as f64) as f32;
            for (to, &logit) in to.iter_mut().zip(logits) {
                *to = power(logit) * share - rest;
            }
            if let Some(to) = to.get_mut(label) {
                *to -= (1.0 - smoothing) / batch as f32;
            }
        }
    }
    Outcome {
        loss: (loss / batch as f64) as f32,
        correct,
    }
}
