//! How far two rankings agree. Knows numbers only.

/// Kendall's τ-b of the pairs (`a[i]`, `b[i]`), from -1 (opposite orders) over 0 to 1 (the same order): of all pairs
/// of pairs, those in the same order less those in opposite orders, over the geometric mean of those that are not
/// tied in `a` and those that are not tied in `b` (Kendall 1945). `None` where that is none, as when all
/// are equal in one, or where there is a NaN.
///
/// # Panics
/// Where the lengths differ.
pub fn kendall_tau(a: &[f64], b: &[f64]) -> Option<f64> {
    assert_eq!(a.len(), b.len(), "pairs");
    if a.iter().chain(b).any(|x| x.is_nan()) {
        return None;
    }
    let (mut agreeing, mut untied_a, mut untied_b) = (0_i64, 0_u64, 0_u64);
    for i in 0..a.len() {
        for j in 0..i {
            let (in_a, in_b) = (a[i].total_cmp(&a[j]) as i64, b[i].total_cmp(&b[j]) as i64);
            agreeing += in_a * in_b;
            untied_a += in_a.unsigned_abs();
            untied_b += in_b.unsigned_abs();
        }
    }
    let scale = (untied_a as f64 * untied_b as f64).sqrt();
    (scale > 0.0).then(|| agreeing as f64 / scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tau_is_the_share_of_pairs_in_order() {
        let tau = |a: &[f64], b: &[f64]| kendall_tau(a, b).unwrap();
        assert_eq!(tau(&[1.0, 2.0, 3.0], &[0.1, 0.2, 0.9]), 1.0);
        assert_eq!(tau(&[1.0, 2.0, 3.0], &[3.0, 2.0, 1.0]), -1.0);
        // 4 of 6 pairs agree: (4 - 2) / 6.
        let mixed = tau(&[1.0, 2.0, 3.0, 4.0], &[2.0, 1.0, 4.0, 3.0]);
        assert!((mixed - 1.0 / 3.0).abs() < 1e-12, "{mixed}");
    }

    #[test]
    fn ties_are_taken_out_as_scipy_does() {
        // scipy.stats.kendalltau([12, 2, 1, 12, 2], [1, 4, 7, 1, 0]), from its documentation.
        let tau = kendall_tau(&[12., 2., 1., 12., 2.], &[1., 4., 7., 1., 0.]);
        assert!((tau.unwrap() + 0.471_404_520_791_031_7).abs() < 1e-12);
    }

    #[test]
    fn without_an_order_there_is_no_tau() {
        assert_eq!(kendall_tau(&[1.0, 1.0], &[1.0, 2.0]), None);
        assert_eq!(kendall_tau(&[], &[]), None);
        assert_eq!(kendall_tau(&[1.0, f64::NAN], &[1.0, 2.0]), None);
    }
}
