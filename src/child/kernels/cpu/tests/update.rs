//! Steps of optimizers against their formulas.

use super::super::update::{Adam, Sgd};
use super::common::{close, on_threads, values};

const LEN: usize = 20_011;

fn gradients() -> Vec<Vec<f32>> {
    (1..6).map(|seed| values(LEN, seed)).collect()
}

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|&value| f64::from(value)).collect()
}

#[test]
fn adam_follows_its_paper() {
    for penalty in [0.0, 0.05] {
        let adam = Adam {
            rate: 0.01,
            beta_1: 0.9,
            beta_2: 0.999,
            epsilon: 1e-7,
            penalty,
        };
        let run = || {
            let (mut parameter, mut m, mut v) = (values(LEN, 9), vec![0.0; LEN], vec![0.0; LEN]);
            for (step, gradient) in gradients().iter().enumerate() {
                adam.update(step + 1, gradient, &mut parameter, [&mut m, &mut v]);
            }
            [parameter, m, v]
        };
        let mut ought = [wide(&values(LEN, 9)), vec![0.0; LEN], vec![0.0; LEN]];
        for (step, gradient) in gradients().iter().enumerate() {
            let [parameter, m, v] = &mut ought;
            for i in 0..LEN {
                let g = f64::from(gradient[i]) + f64::from(penalty) * parameter[i];
                m[i] = 0.9 * m[i] + 0.1 * g;
                v[i] = 0.999 * v[i] + 0.001 * g * g;
                let power = step as i32 + 1;
                let (first, second) = (
                    m[i] / (1.0 - 0.9f64.powi(power)),
                    v[i] / (1.0 - 0.999f64.powi(power)),
                );
                parameter[i] -= 0.01 * first / (second.sqrt() + 1e-7);
            }
        }
        let actual = on_threads(1, run);
        assert!(actual == on_threads(2, run));
        // 1 - 0.999 in single precision is off by 1e-5 of itself, the average of squares likewise.
        for (i, name) in ["parameter", "m", "v"].iter().enumerate() {
            close(name, &actual[i], &ought[i], 2e-5);
        }
    }
}

#[test]
fn gradient_descent_keeps_its_velocity() {
    for (momentum, penalty) in [(0.9f32, 0.0f32), (0.9, 0.01), (0.0, 0.0), (0.0, 0.01)] {
        let sgd = Sgd {
            rate: 0.1,
            momentum,
            penalty,
        };
        let (mut parameter, mut velocity) = (values(LEN, 9), vec![0.0; LEN]);
        let (mut ought, mut speed) = (wide(&parameter), vec![0.0; LEN]);
        for gradient in gradients() {
            sgd.update(
                &gradient,
                &mut parameter,
                (momentum > 0.0).then_some(&mut velocity),
            );
            for i in 0..LEN {
                let g = f64::from(gradient[i]) + f64::from(penalty) * ought[i];
                speed[i] = g + f64::from(momentum) * speed[i];
                ought[i] -= f64::from(0.1f32) * speed[i];
            }
        }
        close("parameter", &parameter, &ought, 1e-5);
    }
}
