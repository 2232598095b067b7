//! The cross-entropy against closed forms and against differences.

use super::super::softmax::{cross_entropy, gradient};

#[test]
fn equal_logits_cost_the_logarithm_of_the_classes() {
    let loss = cross_entropy(&[2.5; 12], &[0, 3, 1], 0.0);
    assert!((loss - 4.0_f32.ln()).abs() < 1e-6, "{loss}");
}

#[test]
fn large_logits_do_not_overflow() {
    assert_eq!(cross_entropy(&[1e4, 0.0], &[0], 0.0), 0.0);
    assert_eq!(cross_entropy(&[1e4, 0.0], &[1], 0.0), 1e4);
}

#[test]
fn smoothing_mixes_in_all_classes() {
    // By hand: log-probabilities of (1, 0) are -0.3132617 and -1.3132617.
    let loss = cross_entropy(&[1.0, 0.0], &[0], 0.2);
    let expected = 0.8 * 0.313_261_7 + 0.2 * 0.5 * (0.313_261_7 + 1.313_261_7);
    assert!((loss - expected).abs() < 1e-6, "{loss}");
}

#[test]
fn the_gradient_is_the_slope() {
    let logits = [0.3, -1.2, 2.0, 0.1, 0.7, -0.4];
    let labels = [2, 0];
    let mut found = [0.0; 6];
    gradient(&logits, &labels, 0.1, 3.0, &mut found);
    for at in 0..6 {
        let moved = |by: f32| {
            let mut logits = logits;
            logits[at] += by;
            f64::from(cross_entropy(&logits, &labels, 0.1))
        };
        let slope = 3.0 * (moved(0.05) - moved(-0.05)) / 0.1;
        let error = (f64::from(found[at]) - slope).abs();
        assert!(error < 1e-3, "{at}: {} instead of {slope}", found[at]);
    }
}

#[test]
fn a_broken_logit_breaks_the_loss() {
    assert!(cross_entropy(&[0.0, f32::NAN, 1.0, 2.0], &[0, 1], 0.0).is_nan());
    let mut slots = [0.0; 2];
    gradient(&[f32::NAN, 1.0], &[1], 0.0, 1.0, &mut slots);
    assert!(slots.iter().all(|slot| slot.is_nan()));
}
