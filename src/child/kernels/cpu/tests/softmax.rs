//! Cross-entropy against its definition.

use proptest::prelude::*;

use super::super::softmax::cross_entropy;
use super::common::{cases, close, values};

fn loss(logits: &[f64], labels: &[i64], smoothing: f64) -> f64 {
    let classes = logits.len() / labels.len();
    let of_image = |(logits, &label): (&[f64], &i64)| {
        let all = logits.iter().map(|z| z.exp()).sum::<f64>().ln();
        let target = |class: usize| {
            let hit = if class as i64 == label {
                1.0 - smoothing
            } else {
                0.0
            };
            hit + smoothing / classes as f64
        };
        (0..classes)
            .map(|class| target(class) * (all - logits[class]))
            .sum::<f64>()
    };
    let sum: f64 = logits.chunks(classes).zip(labels).map(of_image).sum();
    sum / labels.len() as f64
}

proptest! {
    #![proptest_config(cases(64))]
    #[test]
    fn agrees_with_its_definition(
        batch in 1..9usize,
        classes in 1..12usize,
        smoothing in prop::sample::select(vec![0.0f32, 0.1, 1.0]),
        seed in 0..1000u64,
    ) {
        let logits: Vec<f32> = values(batch * classes, seed).iter().map(|z| z * 5.0).collect();
        let labels: Vec<i64> = (0..batch).map(|i| ((i * 7 + seed as usize) % classes) as i64).collect();
        let mut gradient = vec![f32::NAN; logits.len()];
        let outcome = cross_entropy(&logits, &labels, smoothing, Some(&mut gradient));
        prop_assert_eq!(outcome, cross_entropy(&logits, &labels, smoothing, None));
        let mut wide: Vec<f64> = logits.iter().map(|&z| f64::from(z)).collect();
        let at = |wide: &[f64]| loss(wide, &labels, f64::from(smoothing));
        close("loss", &[outcome.loss], &[at(&wide)], 1e-5);
        let mut slopes = Vec::new();
        for i in 0..wide.len() {
            let z = wide[i];
            let [up, down] = [1e-4, -1e-4].map(|step| {
                wide[i] = z + step;
                at(&wide)
            });
            wide[i] = z;
            slopes.push((up - down) / 2e-4);
        }
        close("gradient", &gradient, &slopes, 1e-5);
    }
}

#[test]
fn counts_the_first_of_the_largest_as_the_answer() {
    let logits = [1.0, 3.0, 3.0, 0.0, 0.0, 0.0, -1.0, -2.0, 5.0];
    assert_eq!(cross_entropy(&logits, &[1, 0, 2], 0.0, None).correct, 3);
    assert_eq!(cross_entropy(&logits, &[2, 1, 0], 0.0, None).correct, 0);
}

#[test]
fn large_logits_do_not_overflow() {
    let mut gradient = [f32::NAN; 2];
    let outcome = cross_entropy(&[1e4, -1e4], &[1], 0.0, Some(&mut gradient));
    assert_eq!((outcome.loss, gradient), (2e4, [1.0, -1.0]));
}

#[test]
fn what_is_not_a_number_shows_in_the_loss() {
    for at in 0..3 {
        let mut logits = [0.5, 1.0, -1.0];
        logits[at] = f32::NAN;
        assert!(
            cross_entropy(&logits, &[0], 0.0, None).loss.is_nan(),
            "{at}"
        );
    }
    assert!(cross_entropy(&[0.0, 1.0], &[2], 0.0, None).loss.is_nan());
    assert!(cross_entropy(&[0.0, 1.0], &[-1], 0.0, None).loss.is_nan());
}
