//! Operations on values against their definitions.

use proptest::prelude::*;

use super::super::Act;
use super::super::elementwise::{
    add, apply, apply_backward, before, concat, scale_channels, scale_channels_backward,
    scale_images, split,
};
use super::super::functions::Function;
use super::common::{cases, close, on_threads, values};

const FUNCTIONS: [Function; 8] = [
    Function::Relu,
    Function::Relu6,
    Function::Sigmoid,
    Function::Silu,
    Function::Tanh,
    Function::Gelu,
    Function::HardSigmoid,
    Function::HardSwish,
];

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// Φ(x), by integrating the density from 0.
fn normal(x: f64) -> f64 {
    let density = |t: f64| (-t * t / 2.0).exp() / std::f64::consts::TAU.sqrt();
    let step = x / 2000.0;
    let middles = (0..2000).map(|i| density((f64::from(i) + 0.5) * step));
    0.5 + middles.sum::<f64>() * step
}

fn definition(function: Function, x: f64) -> f64 {
    match function {
        Function::Relu => x.max(0.0),
        Function::Relu6 => x.clamp(0.0, 6.0),
        Function::Sigmoid => sigmoid(x),
        Function::Silu => x * sigmoid(x),
        Function::Tanh => x.tanh(),
        Function::Gelu => x * normal(x),
        Function::HardSigmoid => (x / 6.0 + 0.5).clamp(0.0, 1.0),
        Function::HardSwish => x * (x / 6.0 + 0.5).clamp(0.0, 1.0),
    }
}

#[test]
fn functions_agree_with_their_definitions_and_differences() {
    // None of them is a corner: 0, 3 or 6.
    let x: Vec<f32> = (-160..160).map(|i| i as f32 / 16.0 + 0.013).collect();
    let dy = values(x.len(), 1);
    for function in FUNCTIONS {
        let (mut y, mut dx) = (vec![f32::NAN; x.len()], vec![f32::NAN; x.len()]);
        apply(function, &x, &mut y);
        let kept = if function.keeps_output() { &y } else { &x };
        apply_backward(function, kept, &dy, &mut dx);
        let at = |x: f64| definition(function, x);
        let wide: Vec<f64> = x.iter().map(|&x| f64::from(x)).collect();
        let ought: Vec<f64> = wide.iter().map(|&x| at(x)).collect();
        let slope = |x: f64| (at(x + 1e-4) - at(x - 1e-4)) / 2e-4;
        let slopes: Vec<f64> = wide
            .iter()
            .zip(&dy)
            .map(|(&x, &dy)| slope(x) * f64::from(dy))
            .collect();
        close(&format!("{function:?}"), &y, &ought, 1e-6);
        close(&format!("slope of {function:?}"), &dx, &slopes, 1e-5);
    }
}

#[test]
fn functions_survive_extremes_and_pass_on_what_is_not_a_number() {
    let x = [f32::NAN, -1e30, 1e30, f32::NEG_INFINITY, -0.0];
    for function in FUNCTIONS {
        let mut y = [0.0; 5];
        apply(function, &x, &mut y);
        assert!(y[0].is_nan(), "{function:?}");
        assert!(
            !y[1].is_nan() && !y[2].is_nan() && !y[4].is_nan(),
            "{function:?}: {y:?}"
        );
    }
}

proptest! {
    #![proptest_config(cases(64))]
    #[test]
    fn adds(len in 1..20_000usize, inputs in 1..6u64, act in prop::sample::select(vec![Act::Identity, Act::Relu, Act::Relu6])) {
        let inputs: Vec<_> = (0..inputs).map(|seed| values(len, seed)).collect();
        let slices: Vec<&[f32]> = inputs.iter().map(Vec::as_slice).collect();
        let run = || {
            let mut y = vec![f32::NAN; len];
            add(&slices, act, &mut y);
            y
        };
        let y = on_threads(1, run);
        prop_assert!(y == on_threads(2, run));
        let (low, high) = act.bounds();
        let sum = |i: usize| inputs.iter().map(|x| f64::from(x[i])).sum::<f64>();
        let ought: Vec<f64> = (0..len).map(|i| sum(i).clamp(low.into(), high.into())).collect();
        close("sum", &y, &ought, 1e-6);
        let dy = values(len, 9);
        let mut dx = vec![f32::NAN; len];
        before(act, &y, &dy, &mut dx);
        let gated = |i: usize| if y[i] > low && y[i] < high { dy[i] } else { 0.0 };
        prop_assert!((0..len).all(|i| dx[i] == gated(i)));
    }

    #[test]
    fn multiplies_by_factors(
        batch in 1..5usize,
        pixels in 1..40usize,
        channels in prop::sample::select(vec![1, 3, 5, 16, 24, 36]),
    ) {
        let size = pixels * channels;
        let (x, dy) = (values(batch * size, 1), values(batch * size, 2));
        let (of_images, factors) = (values(batch, 3), values(batch * channels, 4));
        let channel = |i: usize| i / size * channels + i % channels;
        let [mut y, mut dx] = [(); 2].map(|()| vec![f32::NAN; x.len()]);
        let mut dfactors = vec![f32::NAN; factors.len()];
        scale_images(&x, &of_images, &mut y);
        prop_assert!((0..x.len()).all(|i| y[i] == x[i] * of_images[i / size]));
        scale_channels(pixels, channels, &x, &factors, &mut y);
        prop_assert!((0..x.len()).all(|i| y[i] == x[i] * factors[channel(i)]));
        scale_channels_backward([pixels, channels], &x, &factors, &dy, &mut dx, &mut dfactors);
        prop_assert!((0..x.len()).all(|i| dx[i] == dy[i] * factors[channel(i)]));
        let mut ought = vec![0.0; factors.len()];
        for i in 0..x.len() {
            ought[channel(i)] += f64::from(dy[i]) * f64::from(x[i]);
        }
        close("dfactors", &dfactors, &ought, 1e-5);
    }
}

#[test]
fn puts_channels_beside_each_other_and_takes_them_apart() {
    let (a, b, mut y) = ([1.0, 2.0], [3.0, 4.0, 5.0, 6.0], [0.0; 6]);
    concat(&[(&a, 1), (&b, 2)], &mut y);
    assert_eq!(y, [1.0, 3.0, 4.0, 2.0, 5.0, 6.0]);
    let (mut da, mut db) = ([0.0; 2], [0.0; 4]);
    split(&y, &mut [(&mut da, 1), (&mut db, 2)]);
    assert_eq!((da, db), (a, b));
}
