//! The dense layer against plain sums.

use proptest::prelude::*;

use super::super::conv::Gradients;
use super::super::dense;
use super::common::{cases, close, on_threads, values};

/// `a b` with `a(i, k)` and `b(k, j)`.
fn product(
    [rows, depth, columns]: [usize; 3],
    a: impl Fn(usize, usize) -> f32,
    b: impl Fn(usize, usize) -> f32,
) -> Vec<f64> {
    let element = |i: usize| {
        let (row, column) = (i / columns, i % columns);
        let term = |k| f64::from(a(row, k)) * f64::from(b(k, column));
        (0..depth).map(term).sum()
    };
    (0..rows * columns).map(element).collect()
}

proptest! {
    #![proptest_config(cases(64))]

    #[test]
    fn a_dense_layer_is_its_sums(
        batch in 1..20usize,
        inputs in prop::sample::select(vec![1, 3, 5, 16, 36, 64, 100]),
        outputs in prop::sample::select(vec![1, 2, 10, 16, 24, 33, 70]),
        seed in 0..1000u64,
    ) {
        let (x, w) = (values(batch * inputs, seed), values(inputs * outputs, seed + 1));
        let (b, dy) = (values(outputs, seed + 2), values(batch * outputs, seed + 3));
        let sides = [inputs, outputs];
        let run = || {
            let mut y = vec![f32::NAN; batch * outputs];
            let [mut dx, mut dw, mut db] =
                [&x, &w, &b].map(|like| vec![f32::NAN; like.len()]);
            dense::forward(&x, &w, Some(&b), sides, &mut y);
            let gradients = Gradients {
                input: Some(&mut dx),
                weight: Some(&mut dw),
                bias: Some(&mut db),
            };
            dense::backward(&x, &w, &dy, sides, gradients);
            [y, dx, dw, db]
        };
        let results = on_threads(1, run);
        prop_assert_eq!(&results, &on_threads(2, run));
        let x = |i: usize, k: usize| x[i * inputs + k];
        let w = |i: usize, k: usize| w[i * outputs + k];
        let dy = |i: usize, k: usize| dy[i * outputs + k];
        let mut y = product([batch, inputs, outputs], x, w);
        y.iter_mut().enumerate().for_each(|(i, y)| *y += f64::from(b[i % outputs]));
        let [actual, dx, dw, db] = results;
        close("y", &actual, &y, 1e-5);
        close("dx", &dx, &product([batch, outputs, inputs], dy, |k, j| w(j, k)), 1e-5);
        close("dw", &dw, &product([inputs, batch, outputs], |i, k| x(k, i), dy), 1e-5);
        close("db", &db, &product([1, batch, outputs], |_, _| 1.0, dy), 1e-5);
    }
}
