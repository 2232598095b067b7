//! Every kind of register computes the same, also those that this CPU would not choose.

use pulp::Arch;

use super::super::conv::{self, Gradients};
use super::super::functions::Function;
use super::super::pool::{self, Pool};
use super::super::{Act, Geometry, elementwise, norm, simd};
use super::common::{close, on_threads, values};

/// The kinds that this CPU has but the widest.
fn narrower() -> Vec<Arch> {
    let mut all = vec![Arch::Scalar];
    #[cfg(target_arch = "x86_64")]
    all.extend(pulp::x86::V3::try_new().map(Arch::V3));
    all
}

/// What `work` gives with each kind of register is what it gives with the widest.
fn same(name: &str, work: impl Fn() -> Vec<f32> + Send + Sync) {
    on_threads(1, || {
        let expected: Vec<f64> = work().into_iter().map(f64::from).collect();
        for arch in narrower() {
            let found = simd::with_arch(arch, &work);
            close(&format!("{name} on {arch:?}"), &found, &expected, 2e-5);
        }
    });
}

#[test]
fn convolutions_agree() {
    let layer = |channels, filters, kernel: usize, stride, groups| Geometry {
        batch: 3,
        input: [9, 7],
        channels,
        filters,
        kernel: [kernel; 2],
        stride: [stride; 2],
        dilation: [1, 1],
        padding: [(kernel / 2, kernel / 2); 2],
        groups,
    };
    for g in [
        layer(24, 36, 3, 1, 1),
        layer(40, 40, 3, 2, 1),
        layer(3, 20, 3, 2, 1),
        layer(36, 24, 1, 1, 1),
        layer(20, 20, 5, 1, 20),
        layer(12, 24, 3, 1, 4),
    ] {
        let weights = g.filters * g.channels / g.groups * g.taps();
        let (x, weight) = (values(g.batch * g.input_size(), 1), values(weights, 2));
        let (bias, dy) = (values(g.filters, 3), values(g.batch * g.output_size(), 4));
        same(&format!("{g:?}"), || {
            let mut y = vec![0.0; dy.len()];
            conv::forward(&g, &x, &weight, Some(&bias), Act::Relu6, &mut y);
            let mut gradients = [vec![0.0; x.len()], vec![0.0; weights], vec![0.0; g.filters]];
            let [dx, dweight, dbias] = &mut gradients;
            // The mask of a value near 0 may differ in the last bit: none is asked for.
            let wanted = Gradients {
                input: Some(dx),
                weight: Some(dweight),
                bias: Some(dbias),
            };
            conv::backward(&g, &x, &weight, &[], &dy, Act::Identity, wanted);
            [vec![y], gradients.into()].concat().concat()
        });
    }
}

#[test]
fn other_layers_agree() {
    let (channels, pixels) = (21, 30);
    let (x, dy) = (values(channels * pixels, 1), values(channels * pixels, 2));
    let (scale, shift) = (values(channels, 3), values(channels, 4));
    same("a normalisation", || {
        let [mut y, mut dx] = [(); 2].map(|()| vec![0.0; x.len()]);
        let [mut mean, mut variance, mut inverse, mut dscale, mut dshift] =
            [(); 5].map(|()| vec![0.0; channels]);
        let statistics = norm::Statistics {
            mean: &mut mean,
            variance: &mut variance,
            inverse_deviation: &mut inverse,
        };
        norm::forward_train(&x, &scale, &shift, 1e-3, Act::Identity, &mut y, statistics);
        let of = norm::Channels {
            scale: &scale,
            shift: &shift,
            mean: &mean,
            inverse_deviation: &inverse,
        };
        let gradients = norm::Gradients {
            input: &mut dx,
            scale: &mut dscale,
            shift: &mut dshift,
        };
        norm::backward(&x, &dy, of, Act::Identity, gradients);
        [y, dx, mean, variance, dscale, dshift].concat()
    });
    let g = Geometry {
        batch: 1,
        input: [5, 6],
        channels,
        filters: channels,
        kernel: [3, 3],
        stride: [1, 1],
        dilation: [1, 1],
        padding: [(1, 1); 2],
        groups: channels,
    };
    for window in [Pool::Max, Pool::Average] {
        same("a pooling", || {
            let [mut y, mut dx] = [(); 2].map(|()| vec![0.0; x.len()]);
            pool::forward(&g, window, &x, &mut y);
            pool::backward(&g, window, &x, &y, &dy, &mut dx);
            [y, dx].concat()
        });
    }
    for function in [
        Function::Relu6,
        Function::Silu,
        Function::Gelu,
        Function::Tanh,
    ] {
        same("a function", || {
            let mut y = vec![0.0; x.len()];
            elementwise::apply(function, &x, &mut y);
            y
        });
    }
}
