//! Batch normalization against its definition.

use proptest::prelude::*;

use super::super::Act;
use super::super::norm::{Channels, Gradients, Statistics, backward, forward, forward_train};
use super::common::{cases, close, on_threads, values};

const EPSILON: f32 = 1e-3;

struct Case {
    x: Vec<f32>,
    dy: Vec<f32>,
    scale: Vec<f32>,
    shift: Vec<f32>,
}

impl Case {
    fn new(pixels: usize, channels: usize) -> Self {
        Self {
            x: values(pixels * channels, 1),
            dy: values(pixels * channels, 2),
            scale: values(channels, 3),
            shift: values(channels, 4),
        }
    }

    /// y, the mean, the variance, the inverse deviation, dx, dscale and dshift.
    fn run(&self, act: Act) -> [Vec<f32>; 7] {
        let [mut mean, mut variance, mut inverse, mut dscale, mut dshift] =
            [(); 5].map(|()| vec![f32::NAN; self.scale.len()]);
        let [mut y, mut dx] = [(); 2].map(|()| vec![f32::NAN; self.x.len()]);
        let statistics = Statistics {
            mean: &mut mean,
            variance: &mut variance,
            inverse_deviation: &mut inverse,
        };
        forward_train(
            &self.x,
            &self.scale,
            &self.shift,
            EPSILON,
            act,
            &mut y,
            statistics,
        );
        let gradients = Gradients {
            input: &mut dx,
            scale: &mut dscale,
            shift: &mut dshift,
        };
        let of = Channels {
            scale: &self.scale,
            shift: &self.shift,
            mean: &mean,
            inverse_deviation: &inverse,
        };
        backward(&self.x, &self.dy, of, act, gradients);
        [y, mean, variance, inverse, dx, dscale, dshift]
    }

    fn reference(&self, act: Act, y: &[f32]) -> [Vec<f64>; 7] {
        let channels = self.scale.len();
        let (low, high) = act.bounds();
        let (x, count) = (
            |i: usize| f64::from(self.x[i]),
            (self.x.len() / channels) as f64,
        );
        let dy = |i: usize| {
            if y[i] > low && y[i] < high {
                f64::from(self.dy[i])
            } else {
                0.0
            }
        };
        let mut out = [(); 7].map(|()| vec![0.0; channels]);
        for at in [0, 4] {
            out[at] = vec![0.0; self.x.len()];
        }
        for c in 0..channels {
            let of = || (c..self.x.len()).step_by(channels);
            let (scale, shift) = (f64::from(self.scale[c]), f64::from(self.shift[c]));
            let mean = of().map(x).sum::<f64>() / count;
            let variance = of().map(|i| (x(i) - mean).powi(2)).sum::<f64>() / count;
            let inverse = 1.0 / (variance + f64::from(EPSILON)).sqrt();
            let normal = |i: usize| (x(i) - mean) * inverse;
            let dshift = of().map(dy).sum::<f64>();
            let dscale = of().map(|i| dy(i) * normal(i)).sum::<f64>();
            for i in of() {
                out[0][i] = (normal(i) * scale + shift).clamp(f64::from(low), f64::from(high));
                out[4][i] = scale * inverse * (dy(i) - (dshift + normal(i) * dscale) / count);
            }
            for (at, value) in [
                (1, mean),
                (2, variance),
                (3, inverse),
                (5, dscale),
                (6, dshift),
            ] {
                out[at][c] = value;
            }
        }
        out
    }
}

const NAMES: [&str; 7] = ["y", "mean", "variance", "inverse", "dx", "dscale", "dshift"];

proptest! {
    #![proptest_config(cases(64))]
    #[test]
    fn agrees_with_its_definition(
        pixels in 2..300usize,
        channels in prop::sample::select(vec![1, 3, 5, 16, 24, 36]),
        act in prop::sample::select(vec![Act::Identity, Act::Relu, Act::Relu6]),
    ) {
        let case = Case::new(pixels, channels);
        let actual = case.run(act);
        let reference = case.reference(act, &actual[0]);
        for (i, name) in NAMES.iter().enumerate() {
            close(name, &actual[i], &reference[i], 1e-5);
        }
    }
}

#[test]
fn keeps_the_variance_beside_a_large_mean() {
    let mut case = Case::new(5000, 17);
    for x in &mut case.x {
        *x += 1000.0;
    }
    case.x[3] = -50_000.0;
    let actual = case.run(Act::Identity);
    let reference = case.reference(Act::Identity, &actual[0]);
    for channel in 0..17 {
        let (is, ought) = (f64::from(actual[2][channel]), reference[2][channel]);
        assert!(
            (is / ought - 1.0).abs() < 1e-4,
            "variance {is} instead of {ought}"
        );
    }
}

#[test]
fn gives_the_same_with_the_statistics_given() {
    let case = Case::new(100, 20);
    let [y, mean, _, inverse, ..] = case.run(Act::Relu);
    let mut again = vec![f32::NAN; y.len()];
    let channels = Channels {
        scale: &case.scale,
        shift: &case.shift,
        mean: &mean,
        inverse_deviation: &inverse,
    };
    forward(&case.x, channels, Act::Relu, &mut again);
    assert!(again == y);
}

#[test]
fn gives_the_same_on_any_number_of_threads() {
    let case = Case::new(1001, 40);
    let one = on_threads(1, || case.run(Act::Relu6));
    assert!(one == on_threads(2, || case.run(Act::Relu6)));
}
