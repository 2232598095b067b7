//! Depthwise convolution against its definition.

use proptest::prelude::*;

use super::super::conv::Gradients;
use super::super::depthwise::{applies, backward, forward};
use super::super::{Act, Geometry};
use super::common::{cases, close, each_tap, on_threads, values, windows};

struct Case {
    x: Vec<f32>,
    weight: Vec<f32>,
    bias: Vec<f32>,
    dy: Vec<f32>,
}

impl Case {
    fn new(g: &Geometry) -> Self {
        Self {
            x: values(g.batch * g.input_size(), 1),
            weight: values(g.filters * g.taps(), 2),
            bias: values(g.filters, 3),
            dy: values(g.batch * g.output_size(), 4),
        }
    }

    /// The output, and the gradients of the input, the weights and the bias.
    fn run(&self, g: &Geometry, act: Act) -> [Vec<f32>; 4] {
        let [mut y, mut dx] = [&self.dy, &self.x].map(|like| vec![f32::NAN; like.len()]);
        let [mut dweight, mut dbias] =
            [&self.weight, &self.bias].map(|like| vec![f32::NAN; like.len()]);
        forward(g, &self.x, &self.weight, Some(&self.bias), act, &mut y);
        let gradients = Gradients {
            input: Some(&mut dx),
            weight: Some(&mut dweight),
            bias: Some(&mut dbias),
        };
        backward(g, &self.x, &self.weight, &y, &self.dy, act, gradients);
        [y, dx, dweight, dbias]
    }

    /// The same in double precision; which outputs the activation lets through is read from `y`.
    fn reference(&self, g: &Geometry, act: Act, y: &[f32]) -> [Vec<f64>; 4] {
        let wide = |values: &[f32]| values.iter().map(|&v| f64::from(v)).collect::<Vec<_>>();
        let (x, weight, bias) = (wide(&self.x), wide(&self.weight), wide(&self.bias));
        let (low, high) = act.bounds();
        let mut dy = wide(&self.dy);
        for (dy, &y) in dy.iter_mut().zip(y) {
            if y <= low || y >= high {
                *dy = 0.0;
            }
        }
        let (filters, channels) = (g.filters, g.channels);
        let mut result: Vec<f64> = (0..dy.len()).map(|i| bias[i % filters]).collect();
        let (mut dx, mut dweight) = (vec![0.0; x.len()], vec![0.0; weight.len()]);
        let mut dbias = vec![0.0; filters];
        each_tap(g, |output, tap, input| {
            for f in 0..filters {
                let (o, w) = (output * filters + f, f * g.taps() + tap);
                let i = input * channels + f / (filters / channels);
                result[o] += x[i] * weight[w];
                dx[i] += dy[o] * weight[w];
                dweight[w] += dy[o] * x[i];
            }
        });
        for (i, dy) in dy.iter().enumerate() {
            dbias[i % filters] += dy;
        }
        for value in &mut result {
            *value = value.clamp(f64::from(low), f64::from(high));
        }
        [result, dx, dweight, dbias]
    }
}

proptest! {
    #![proptest_config(cases(96))]
    #[test]
    fn agrees_with_its_definition(
        (g, _) in windows(),
        act in prop::sample::select(vec![Act::Identity, Act::Relu, Act::Relu6]),
    ) {
        prop_assert!(applies(&g));
        let case = Case::new(&g);
        let actual = case.run(&g, act);
        let reference = case.reference(&g, act, &actual[0]);
        for (i, name) in ["y", "dx", "dweight", "dbias"].iter().enumerate() {
            close(name, &actual[i], &reference[i], 1e-5);
        }
    }
}

fn square(channels: usize) -> Geometry {
    Geometry {
        batch: 13,
        input: [9, 9],
        channels,
        filters: channels,
        kernel: [3, 3],
        stride: [1, 1],
        dilation: [1, 1],
        padding: [(1, 1), (1, 1)],
        groups: channels,
    }
}

#[test]
fn gives_the_same_on_any_number_of_threads() {
    let g = square(40);
    let case = Case::new(&g);
    let one = on_threads(1, || case.run(&g, Act::Relu));
    assert!(one == on_threads(2, || case.run(&g, Act::Relu)));
}

#[test]
fn passes_what_is_not_a_number_through_the_activation() {
    let g = square(3);
    let mut case = Case::new(&g);
    case.x[0] = f32::NAN;
    let [y, ..] = case.run(&g, Act::Relu6);
    assert!(y[0].is_nan() && !y[1].is_nan());
}

#[test]
fn computes_only_the_wanted_gradients() {
    let g = square(5);
    let case = Case::new(&g);
    let [y, dx, dweight, dbias] = case.run(&g, Act::Relu);
    let run = |gradients: Gradients| {
        backward(
            &g,
            &case.x,
            &case.weight,
            &y,
            &case.dy,
            Act::Relu,
            gradients,
        );
    };
    let [mut input, mut weight, mut bias] =
        [&dx, &dweight, &dbias].map(|like| vec![f32::NAN; like.len()]);
    run(Gradients {
        input: Some(&mut input),
        weight: None,
        bias: None,
    });
    run(Gradients {
        input: None,
        weight: Some(&mut weight),
        bias: None,
    });
    run(Gradients {
        input: None,
        weight: None,
        bias: Some(&mut bias),
    });
    assert!((input, weight, bias) == (dx, dweight, dbias));
}
