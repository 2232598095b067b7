//! Convolution agrees with its definition, at every shape and on any number of threads.

use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::RngSeed;

use super::super::conv::{self, Gradients};
use super::super::{Act, Geometry, direct, pointwise, winograd};
use super::reference::{self, error, values};

const TOLERANCE: f64 = 1e-5;
/// As [`TOLERANCE`], of the algorithms that transform tiles.
const WINOGRAD: f64 = 1e-4;

type Forward = fn(&Geometry, &[f32], &[f32], Option<&[f32]>, Act, &mut [f32]);
type Backward = fn(&Geometry, &[f32], &[f32], &[f32], &[f32], Act, Gradients);

/// An algorithm: both of its passes.
#[derive(Clone, Copy)]
struct Algorithm(Forward, Backward);

const CHOSEN: Algorithm = Algorithm(conv::forward, conv::backward);
const DIRECT: Algorithm = Algorithm(direct::forward, direct::backward);
const POINTWISE: Algorithm = Algorithm(pointwise::forward, pointwise::backward);

/// What a layer is given.
struct Layer {
    g: Geometry,
    act: Act,
    x: Vec<f32>,
    weight: Vec<f32>,
    bias: Vec<f32>,
    dy: Vec<f32>,
}

impl Layer {
    fn new(g: Geometry, act: Act) -> Self {
        let mut bias = values(g.filters, 3);
        if act == Act::Relu6 {
            // So that a good part of the outputs are above six, and others below zero.
            bias.iter_mut().for_each(|b| *b += 5.0 * b.signum());
        }
        Self {
            g,
            act,
            x: values(g.batch * g.input_size(), 1),
            weight: values(g.filters * g.channels / g.groups * g.taps(), 2),
            bias,
            dy: values(g.batch * g.output_size(), 4),
        }
    }

    /// The output and the gradients, in buffers that held NaN.
    fn run(&self, Algorithm(forward, backward): Algorithm) -> [Vec<f32>; 4] {
        let nan = |len| vec![f32::NAN; len];
        let Self {
            g,
            act,
            x,
            weight,
            bias,
            dy,
        } = self;
        let (mut y, mut dx) = (nan(dy.len()), nan(x.len()));
        let (mut dw, mut db) = (nan(weight.len()), nan(bias.len()));
        forward(g, x, weight, Some(bias), *act, &mut y);
        let gradients = Gradients {
            input: Some(&mut dx),
            weight: Some(&mut dw),
            bias: Some(&mut db),
        };
        let seen = if *act == Act::Identity { &[] } else { &y[..] };
        backward(g, x, weight, seen, dy, *act, gradients);
        [y, dx, dw, db]
    }

    fn check(&self, algorithm: Algorithm) {
        let found = self.run(algorithm);
        let y = reference::forward(&self.g, &self.x, &self.weight, &self.bias, self.act);
        let [dx, dw, db] = reference::backward(
            &self.g,
            &self.x,
            &self.weight,
            &found[0],
            &self.dy,
            self.act,
        );
        let names = [
            "output",
            "input gradient",
            "weight gradient",
            "bias gradient",
        ];
        for ((name, found), expected) in names.iter().zip(&found).zip([y, dx, dw, db]) {
            let error = error(found, &expected);
            let tolerance = match winograd::applies(&self.g) {
                true => WINOGRAD,
                false => TOLERANCE,
            };
            assert!(error <= tolerance, "{name} of {:?}: {error:e}", self.g);
        }
    }
}

fn acts() -> impl Strategy<Value = Act> {
    select(vec![Act::Identity, Act::Relu, Act::Relu6])
}

prop_compose! {
    /// An axis: (input, kernel, stride, dilation, padding).
    fn axis()(kernel in 1..=5_usize, stride in 1..=4_usize, dilation in 1..=3_usize)
        (before in 0..=kernel, after in 0..=kernel, more in 0..=9_usize,
        kernel in Just(kernel), stride in Just(stride), dilation in Just(dilation))
        -> (usize, usize, usize, usize, (usize, usize)) {
        let extent = dilation * (kernel - 1) + 1;
        let least = extent.saturating_sub(before + after).max(1);
        (least + more, kernel, stride, dilation, (before, after))
    }
}

prop_compose! {
    fn geometries()(
        batch in select(vec![1_usize, 2, 9]),
        (height, kh, sh, dh, ph) in axis(),
        (width, kw, sw, dw, pw) in axis(),
        channels in select(vec![1_usize, 3, 5, 16, 24, 36]),
        filters in select(vec![1_usize, 3, 5, 16, 24, 36]),
        groups in select(vec![1_usize, 1, 1, 2, 3, 4]),
    ) -> Geometry {
        // Where the groups do not divide the channels, they multiply them.
        let whole = |n: usize| if n.is_multiple_of(groups) { n } else { n * groups };
        Geometry {
            batch,
            input: [height, width],
            channels: whole(channels),
            filters: whole(filters),
            kernel: [kh, kw],
            stride: [sh, sw],
            dilation: [dh, dw],
            padding: [ph, pw],
            groups,
        }
    }
}

fn config(seed: u64) -> ProptestConfig {
    ProptestConfig {
        cases: 64,
        rng_seed: RngSeed::Fixed(seed),
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config(1))]

    #[test]
    fn any_convolution_agrees_with_its_definition(g in geometries(), act in acts()) {
        Layer::new(g, act).check(DIRECT);
    }

    #[test]
    fn the_chosen_algorithm_agrees_with_the_definition(
        g in geometries(),
        kernel in select(vec![[1, 1], [3, 3]]),
        act in acts(),
    ) {
        let pad = kernel[0] / 2;
        let g = Geometry {
            kernel, stride: [1, 1], dilation: [1, 1], padding: [(pad, pad); 2], ..g
        };
        Layer::new(g, act).check(CHOSEN);
    }

    #[test]
    fn a_window_of_one_pixel_agrees_with_the_definition(
        batch in 1..=20_usize,
        input in prop::array::uniform2(1..=12_usize),
        channels in select(vec![1_usize, 3, 5, 16, 24, 36, 44, 64, 96]),
        filters in select(vec![1_usize, 3, 5, 8, 16, 24, 36, 44, 64, 100]),
        act in acts(),
    ) {
        let g = pixel(batch, input, channels, filters);
        prop_assert!(pointwise::applies(&g));
        Layer::new(g, act).check(POINTWISE);
    }
}

fn pixel(batch: usize, input: [usize; 2], channels: usize, filters: usize) -> Geometry {
    Geometry {
        batch,
        input,
        channels,
        filters,
        kernel: [1, 1],
        stride: [1, 1],
        dilation: [1, 1],
        padding: [(0, 0); 2],
        groups: 1,
    }
}

/// A 3x3 layer of the kind that children are made of.
fn layer(channels: usize, filters: usize, stride: usize) -> Geometry {
    Geometry {
        kernel: [3, 3],
        stride: [stride, stride],
        padding: [(1, 1), (1, 1)],
        ..pixel(20, [8, 8], channels, filters)
    }
}

#[test]
fn layers_of_children_agree_with_the_definition() {
    for (channels, filters, stride) in [(3, 64, 2), (64, 64, 2), (64, 64, 1), (24, 44, 1)] {
        Layer::new(layer(channels, filters, stride), Act::Relu).check(DIRECT);
    }
}

#[test]
fn results_are_the_same_bits_on_any_number_of_threads() {
    for (g, algorithm) in [
        (layer(24, 36, 2), DIRECT),
        (pixel(20, [8, 8], 24, 36), POINTWISE),
    ] {
        let layer = Layer::new(g, Act::Relu6);
        let on = |threads| {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            let bits = |v: Vec<f32>| v.into_iter().map(f32::to_bits).collect::<Vec<_>>();
            pool.install(|| layer.run(algorithm)).map(bits)
        };
        assert!(on(1) == on(2), "{g:?}");
    }
}

#[test]
fn each_gradient_is_the_same_without_the_others() {
    for g in [layer(3, 64, 2), layer(16, 24, 1), pixel(9, [7, 5], 36, 48)] {
        for act in [Act::Identity, Act::Relu] {
            let layer = Layer::new(g, act);
            let [y, dx, dw, db] = layer.run(CHOSEN);
            let alone = |pick: fn(&mut [f32]) -> Gradients, expected: &[f32]| {
                let mut found = vec![f32::NAN; expected.len()];
                conv::backward(
                    &g,
                    &layer.x,
                    &layer.weight,
                    &y,
                    &layer.dy,
                    act,
                    pick(&mut found),
                );
                let expected: Vec<f64> = expected.iter().map(|v| f64::from(*v)).collect();
                assert!(error(&found, &expected) <= 1e-6, "{g:?}");
            };
            alone(
                |to| Gradients {
                    input: Some(to),
                    ..Gradients::default()
                },
                &dx,
            );
            alone(
                |to| Gradients {
                    weight: Some(to),
                    ..Gradients::default()
                },
                &dw,
            );
            alone(
                |to| Gradients {
                    bias: Some(to),
                    ..Gradients::default()
                },
                &db,
            );
        }
    }
}

#[test]
fn a_broken_input_shows_in_the_output() {
    for (g, algorithm) in [
        (layer(3, 16, 1), DIRECT),
        (pixel(1, [4, 4], 16, 16), POINTWISE),
    ] {
        for act in [Act::Identity, Act::Relu, Act::Relu6] {
            let mut layer = Layer::new(g, act);
            layer.x[0] = f32::NAN;
            assert!(layer.run(algorithm)[0][0].is_nan(), "{act:?} hides NaN");
        }
    }
}
