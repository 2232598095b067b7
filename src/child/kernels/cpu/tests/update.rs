//! The update rules against the papers' formulas in f64.

use super::super::update::{Adam, Sgd, adam, sgd};
use super::common::{close, values};

/// Not a whole number of registers.
const LEN: usize = 37;

#[test]
fn adam_is_the_algorithm_of_the_paper() {
    let mut x = values(LEN, 1);
    let (mut first, mut second) = (vec![0.0; LEN], vec![0.0; LEN]);
    let mut expected: Vec<[f64; 3]> = x.iter().map(|&x| [f64::from(x), 0.0, 0.0]).collect();
    for updates in 1..=5 {
        let gradient = values(LEN, 10 + updates as u64);
        let rule = Adam {
            rate: 0.01,
            betas: (0.9, 0.999),
            epsilon: 1e-7,
            penalty: 0.05,
            updates,
        };
        adam(rule, &mut x, &gradient, &mut first, &mut second);
        for ([x, m, v], slope) in expected.iter_mut().zip(&gradient) {
            let slope = f64::from(*slope) + 0.05 * *x;
            *m = 0.9 * *m + 0.1 * slope;
            *v = 0.999 * *v + 0.001 * slope * slope;
            let (m, v) = (
                *m / (1.0 - 0.9_f64.powi(updates)),
                *v / (1.0 - 0.999_f64.powi(updates)),
            );
            *x -= 0.01 * m / (v.sqrt() + 1e-7);
        }
    }
    let reference = |i: usize| expected.iter().map(|e| e[i]).collect::<Vec<f64>>();
    close("x", &x, &reference(0), 1e-5);
    close("first moment", &first, &reference(1), 1e-5);
    close("second moment", &second, &reference(2), 1e-4);
}

#[test]
fn momentum_gathers_speed() {
    let rule = Sgd {
        rate: 0.1,
        momentum: 0.9,
        penalty: 0.5,
    };
    let (mut x, mut velocity) = ([1.0], [0.0]);
    sgd(rule, &mut x, &[2.0], Some(&mut velocity));
    assert_eq!((x, velocity), ([0.75], [2.5]));
    sgd(rule, &mut x, &[2.0], Some(&mut velocity));
    // 0.9 · 2.5 + 2 + 0.5 · 0.75
    close("velocity", &velocity, &[4.625], 1e-6);
    close("x", &x, &[0.2875], 1e-6);
    sgd(rule, &mut x, &[2.0], None);
    close(
        "without momentum",
        &x,
        &[0.2875 - 0.1 * (2.0 + 0.143_75)],
        1e-6,
    );
}
