//! Pooling against its definition.

use proptest::prelude::*;

use super::super::Geometry;
use super::super::pool::{Pool, backward, forward, global_backward, global_forward};
use super::common::{cases, close, each_tap, on_threads, values, windows};

fn run(g: &Geometry, pool: Pool, x: &[f32]) -> [Vec<f32>; 2] {
    let dy = values(g.batch * g.output_size(), 2);
    let (mut y, mut dx) = (vec![f32::NAN; dy.len()], vec![f32::NAN; x.len()]);
    forward(g, pool, x, &mut y);
    backward(g, pool, x, &y, &dy, &mut dx);
    [y, dx]
}

fn reference(g: &Geometry, pool: Pool, x: &[f32]) -> [Vec<f64>; 2] {
    let dy = values(g.batch * g.output_size(), 2);
    let channels = g.channels;
    let mut counts = vec![0.0; dy.len()];
    each_tap(g, |output, _, _| counts[output] += 1.0);
    let mut y = vec![if pool == Pool::Max { f64::MIN } else { 0.0 }; dy.len()];
    let (mut first, mut dx) = (vec![0; dy.len()], vec![0.0; x.len()]);
    each_tap(g, |output, _, input| {
        for c in 0..channels {
            let (o, i) = (output * channels + c, input * channels + c);
            let x = f64::from(x[i]);
            match pool {
                Pool::Max if x > y[o] => (y[o], first[o]) = (x, i),
                Pool::Max => {}
                Pool::Average => {
                    y[o] += x / counts[output];
                    dx[i] += f64::from(dy[o]) / counts[output];
                }
            }
        }
    });
    if pool == Pool::Max {
        first
            .iter()
            .zip(&dy)
            .for_each(|(&i, &dy)| dx[i] += f64::from(dy));
    }
    [y, dx]
}

/// Whether all windows see something of the image.
fn sees(g: &Geometry) -> bool {
    let mut seen = vec![false; g.batch * g.output_size()];
    each_tap(g, |output, _, _| seen[output] = true);
    seen[..g.batch * g.output_size() / g.channels]
        .iter()
        .all(|&seen| seen)
}

proptest! {
    #![proptest_config(cases(96))]
    #[test]
    fn agrees_with_its_definition(
        (g, _) in windows().prop_filter("only padding", |(g, multiplier)| *multiplier == 1 && sees(g)),
        pool in prop::sample::select(vec![Pool::Max, Pool::Average]),
    ) {
        // Few different values, so that maxima are met more than once.
        let x: Vec<f32> = values(g.batch * g.input_size(), 1).iter().map(|x| (x * 3.0).round()).collect();
        let (actual, reference) = (run(&g, pool, &x), reference(&g, pool, &x));
        close("y", &actual[0], &reference[0], 1e-5);
        close("dx", &actual[1], &reference[1], 1e-5);
        prop_assert!(actual == on_threads(2, || run(&g, pool, &x)));
    }

    #[test]
    fn averages_whole_images(
        pixels in 1..70usize,
        channels in prop::sample::select(vec![1, 3, 5, 16, 24, 36]),
    ) {
        let (x, dy) = (values(3 * pixels * channels, 1), values(3 * channels, 2));
        let (mut y, mut dx) = (vec![f32::NAN; dy.len()], vec![f32::NAN; x.len()]);
        global_forward(pixels, channels, &x, &mut y);
        global_backward(pixels, channels, &dy, &mut dx);
        let (mut mean, mut back) = (vec![0.0; dy.len()], vec![0.0; x.len()]);
        for (i, &x) in x.iter().enumerate() {
            let at = i / (pixels * channels) * channels + i % channels;
            mean[at] += f64::from(x) / pixels as f64;
            back[i] = f64::from(dy[at]) / pixels as f64;
        }
        close("y", &y, &mean, 1e-5);
        close("dx", &dx, &back, 1e-5);
    }
}

#[test]
fn shows_what_is_not_a_number() {
    let g = Geometry {
        batch: 1,
        input: [3, 3],
        channels: 2,
        filters: 2,
        kernel: [3, 3],
        stride: [1, 1],
        dilation: [1, 1],
        padding: [(0, 0), (0, 0)],
        groups: 2,
    };
    for pixel in 0..9 {
        let mut x = values(18, 1);
        x[2 * pixel] = f32::NAN;
        let [y, _] = run(&g, Pool::Max, &x);
        assert!(y[0].is_nan() && !y[1].is_nan(), "{pixel}");
    }
}
