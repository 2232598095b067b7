//! Winograd convolution against the plain sum in f64: all passes, borders of every kind.

use proptest::prelude::*;
use proptest::test_runner::RngSeed;

use super::super::conv::Gradients;
use super::super::winograd::{applies, backward, forward};
use super::super::{Act, Geometry};

/// The largest error that is let pass, relative to the largest value.
const TOLERANCE: f64 = 1e-4;

/// A call, and what it gives.
struct Case {
    g: Geometry,
    act: Act,
    x: Vec<f32>,
    weight: Vec<f32>,
    bias: Vec<f32>,
    dy: Vec<f32>,
}

#[derive(Clone, Debug, PartialEq)]
struct Results<T> {
    y: Vec<T>,
    input: Vec<T>,
    weight: Vec<T>,
    bias: Vec<T>,
}

/// Values between -1 and 1, the same for the same seed.
fn values(len: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..len).map(|_| next()).collect()
}

impl Case {
    fn new(g: Geometry, act: Act, seed: u64) -> Self {
        Self {
            g,
            act,
            x: values(g.batch * g.input_size(), seed),
            weight: values(g.filters * g.channels * 9, seed + 1),
            bias: values(g.filters, seed + 2),
            dy: values(g.batch * g.output_size(), seed + 3),
        }
    }

    fn compute(&self) -> Results<f32> {
        // Stale values must not show.
        let mut results = Results {
            y: vec![f32::NAN; self.dy.len()],
            input: vec![f32::NAN; self.x.len()],
            weight: vec![f32::NAN; self.weight.len()],
            bias: vec![f32::NAN; self.bias.len()],
        };
        let Self {
            g,
            act,
            x,
            weight,
            bias,
            dy,
        } = self;
        forward(g, x, weight, Some(bias), *act, &mut results.y);
        let gradients = Gradients {
            input: Some(&mut results.input),
            weight: Some(&mut results.weight),
            bias: Some(&mut results.bias),
        };
        backward(g, x, weight, &results.y, dy, *act, gradients);
        results
    }

    /// Plain sums; where the activation lets through is taken from `y`.
    fn reference(&self, y: &[f32]) -> Results<f64> {
        let g = &self.g;
        let ([height, width], [out_height, out_width]) = (g.input, g.output());
        let (low, high) = self.act.bounds();
        let mut results = Results {
            y: vec![0.0; self.dy.len()],
            input: vec![0.0; self.x.len()],
            weight: vec![0.0; self.weight.len()],
            bias: vec![0.0; self.bias.len()],
        };
        for (pixel, filters) in self.dy.chunks_exact(g.filters).enumerate() {
            let (image, row, column) = (
                pixel / (out_height * out_width),
                pixel / out_width % out_height,
                pixel % out_width,
            );
            for (f, dy) in filters.iter().enumerate() {
                let at = pixel * g.filters + f;
                let passes = self.act == Act::Identity || y[at] > low && y[at] < high;
                let dy = if passes { f64::from(*dy) } else { 0.0 };
                results.bias[f] += dy;
                let mut sum = f64::from(self.bias[f]);
                for tap in 0..9 {
                    let i = (row * g.stride[0] + tap / 3).wrapping_sub(g.padding[0].0);
                    let j = (column * g.stride[1] + tap % 3).wrapping_sub(g.padding[1].0);
                    if i >= height || j >= width {
                        continue;
                    }
                    for c in 0..g.channels {
                        let x = ((image * height + i) * width + j) * g.channels + c;
                        let w = (f * g.channels + c) * 9 + tap;
                        sum += f64::from(self.x[x]) * f64::from(self.weight[w]);
                        results.input[x] += dy * f64::from(self.weight[w]);
                        results.weight[w] += dy * f64::from(self.x[x]);
                    }
                }
                results.y[at] = sum.max(low.into()).min(high.into());
            }
        }
        results
    }
}

/// The largest difference, relative to the largest value.
fn error(got: &[f32], expected: &[f64]) -> f64 {
    let largest = expected
        .iter()
        .fold(1e-30, |most: f64, value| most.max(value.abs()));
    let difference = |(got, expected): (&f32, &f64)| (f64::from(*got) - expected).abs();
    let differences = got.iter().zip(expected).map(difference);
    // NaN counts as infinite.
    differences.fold(0.0, |most: f64, d| if d <= most { most } else { d }) / largest
}

fn errors(case: &Case) -> [f64; 4] {
    let got = case.compute();
    let expected = case.reference(&got.y);
    [
        error(&got.y, &expected.y),
        error(&got.input, &expected.input),
        error(&got.weight, &expected.weight),
        error(&got.bias, &expected.bias),
    ]
}

fn geometry(
    batch: usize,
    input: [usize; 2],
    [channels, filters]: [usize; 2],
    stride: usize,
    padding: [(usize, usize); 2],
) -> Geometry {
    Geometry {
        batch,
        input,
        channels,
        filters,
        kernel: [3, 3],
        stride: [stride; 2],
        dilation: [1, 1],
        padding,
        groups: 1,
    }
}

fn channels() -> impl Strategy<Value = usize> {
    prop::sample::select(vec![1, 3, 5, 16, 24, 36])
}

fn padding() -> impl Strategy<Value = (usize, usize)> {
    (0..4_usize, 0..4_usize)
}

fn activation() -> impl Strategy<Value = Act> {
    prop::sample::select(vec![Act::Identity, Act::Relu, Act::Relu6])
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 96,
        rng_seed: RngSeed::Fixed(4),
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn agrees_with_the_plain_sum(
        batch in 1..4_usize,
        input in [1..20_usize, 1..20_usize],
        channels in [channels(), channels()],
        stride in 1..3_usize,
        padding in [padding(), padding()],
        act in activation(),
        seed in 1..1000_u64,
    ) {
        let fits = [0, 1].iter().all(|&i| input[i] + padding[i].0 + padding[i].1 >= 3);
        prop_assume!(fits);
        let case = Case::new(geometry(batch, input, channels, stride, padding), act, seed);
        for error in errors(&case) {
            prop_assert!(error <= TOLERANCE, "off by {error:e}");
        }
    }
}

/// More tiles than a chunk holds and more images than a part; more channels than a table of rows.
#[test]
fn agrees_over_many_chunks() {
    for stride in [1, 2] {
        for (batch, input, channels) in [(17, [19, 12], [16, 40]), (9, [6, 7], [104, 33])] {
            let g = geometry(batch, input, channels, stride, [(1, 1), (1, 0)]);
            for error in errors(&Case::new(g, Act::Relu, 5)) {
                assert!(
                    error <= TOLERANCE,
                    "stride {stride}, {channels:?}: off by {error:e}"
                );
            }
        }
    }
}

/// Pixels that no window reaches have no gradient, whatever was in the place before.
#[test]
fn unread_pixels_have_no_gradient() {
    let case = Case::new(
        geometry(2, [8, 8], [16, 16], 2, [(1, 0); 2]),
        Act::Identity,
        3,
    );
    let mut skipping = Case::new(
        geometry(2, [8, 10], [16, 16], 2, [(0, 0); 2]),
        Act::Identity,
        3,
    );
    skipping
        .dy
        .truncate(skipping.g.batch * skipping.g.output_size());
    for case in [case, skipping] {
        let expected = case.reference(&case.dy).input;
        let got = case.compute().input;
        for (got, expected) in got.iter().zip(&expected) {
            if *expected == 0.0 {
                assert_eq!(*got, 0.0);
            }
        }
    }
}

#[test]
fn threads_do_not_change_the_bits() {
    for stride in [1, 2] {
        let case = Case::new(
            geometry(11, [9, 13], [24, 20], stride, [(1, 1); 2]),
            Act::Relu6,
            7,
        );
        let [one, two] = [1, 2].map(|threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
            pool.expect("threads start").install(|| case.compute())
        });
        assert_eq!(one, two);
    }
}

#[test]
fn asked_alone_a_gradient_is_the_same() {
    for stride in [1, 2] {
        let case = Case::new(
            geometry(3, [10, 8], [16, 24], stride, [(0, 2); 2]),
            Act::Relu,
            9,
        );
        let all = case.compute();
        let Case {
            g,
            act,
            x,
            weight,
            dy,
            ..
        } = &case;
        let mut alone = all.clone();
        let Results {
            input,
            weight: d_weight,
            bias,
            ..
        } = &mut alone;
        for values in [&mut *input, &mut *d_weight, &mut *bias] {
            values.fill(f32::NAN);
        }
        let input = Gradients {
            input: Some(input),
            ..Gradients::default()
        };
        let d_weight = Gradients {
            weight: Some(d_weight),
            ..Gradients::default()
        };
        let bias = Gradients {
            bias: Some(bias),
            ..Gradients::default()
        };
        for gradients in [input, d_weight, bias] {
            backward(g, x, weight, &all.y, dy, *act, gradients);
        }
        assert_eq!(alone, all);
    }
}

/// NaN in an image shows in its result, through the activation, and in no other image.
#[test]
fn nan_passes_through() {
    for stride in [1, 2] {
        let mut case = Case::new(
            geometry(2, [8, 8], [16, 16], stride, [(1, 1); 2]),
            Act::Relu6,
            2,
        );
        case.x[0] = f32::NAN;
        let y = case.compute().y;
        let (first, second) = y.split_at(case.g.output_size());
        assert!(first[0].is_nan());
        assert!(second.iter().all(|value| value.is_finite()));
    }
}

#[test]
fn applies_where_it_is_right_and_wins() {
    let same = [(1, 1); 2];
    let fits = geometry(1, [16, 16], [24, 36], 1, same);
    assert!(applies(&fits));
    assert!(applies(&geometry(1, [16, 16], [64, 64], 2, same)));
    // Not computed at all.
    for other in [
        Geometry {
            kernel: [1, 3],
            ..fits
        },
        Geometry {
            stride: [1, 2],
            ..fits
        },
        Geometry {
            dilation: [2, 2],
            ..fits
        },
        Geometry { groups: 12, ..fits },
    ] {
        assert!(!applies(&other), "{other:?}");
    }
    // Few channels, and images much smaller than a tile.
    assert!(!applies(&geometry(1, [32, 32], [3, 64], 2, same)));
    assert!(!applies(&geometry(1, [2, 2], [64, 64], 1, same)));
}
