use proptest::prelude::*;

use super::*;
use crate::child::kernels::Act;
use crate::child::ops::{self, Values};
use crate::child::parameters::Running;
use crate::child::windows;
use crate::child::{Child, loss::cross_entropy, parameters};
use crate::network::{
    BatchNorm, Conv2d, DropPath, DropSchedule, Interpolation, Op, Padding, Pool2d, Sides,
    same_padding,
};

/// Padding before, and windows, along one side.
fn side(
    size: usize,
    kernel: usize,
    stride: usize,
    dilation: usize,
    padding: Padding,
) -> (isize, usize) {
    match padding {
        Padding::Same => (
            same_padding(size, kernel, stride, dilation)[0] as isize,
            size.div_ceil(stride),
        ),
        Padding::Valid => (0, (size - (kernel - 1) * dilation - 1) / stride + 1),
    }
}

/// Calls `tap` with each pixel's offset under the window at `(row, column)`, and with the tap's.
fn taps(
    at: [usize; 2],
    sides: [(isize, usize); 2],
    size: [usize; 2],
    kernel: [usize; 2],
    stride: [usize; 2],
    dilation: [usize; 2],
    mut tap: impl FnMut(usize, usize),
) {
    for (i, j) in (0..kernel[0]).flat_map(|i| (0..kernel[1]).map(move |j| (i, j))) {
        let y = (at[0] * stride[0] + i * dilation[0]) as isize - sides[0].0;
        let x = (at[1] * stride[1] + j * dilation[1]) as isize - sides[1].0;
        if (0..size[0] as isize).contains(&y) && (0..size[1] as isize).contains(&x) {
            tap(y as usize * size[1] + x as usize, i * kernel[1] + j);
        }
    }
}

fn naive_conv(
    x: &[f32],
    shape: [usize; 4],
    weight: &[f32],
    bias: &[f32],
    conv: &Conv2d,
) -> Vec<f32> {
    let [batch, channels, height, width] = shape;
    let (area, taps_per) = (height * width, conv.kernel[0] * conv.kernel[1]);
    let sides = [0, 1].map(|a| {
        side(
            [height, width][a],
            conv.kernel[a],
            conv.stride[a],
            conv.dilation[a],
            conv.padding,
        )
    });
    let (per_group, filters_per) = (channels / conv.groups, conv.filters / conv.groups);
    let mut output = Vec::new();
    for n in 0..batch {
        for filter in 0..conv.filters {
            for row in 0..sides[0].1 {
                for column in 0..sides[1].1 {
                    let mut sum = bias[filter];
                    for c in 0..per_group {
                        let channel = filter / filters_per * per_group + c;
                        let image = &x[(n * channels + channel) * area..][..area];
                        let kernel = &weight[(filter * per_group + c) * taps_per..][..taps_per];
                        taps(
                            [row, column],
                            sides,
                            [height, width],
                            conv.kernel,
                            conv.stride,
                            conv.dilation,
                            |pixel, tap| {
                                sum += image[pixel] * kernel[tap];
                            },
                        );
                    }
                    output.push(sum);
                }
            }
        }
    }
    output
}

fn naive_pool(x: &[f32], shape: [usize; 4], pool: &Pool2d, reduce: fn(&[f32]) -> f32) -> Vec<f32> {
    let [batch, channels, height, width] = shape;
    let sides = [0, 1].map(|a| {
        side(
            [height, width][a],
            pool.kernel[a],
            pool.stride[a],
            1,
            pool.padding,
        )
    });
    let mut output = Vec::new();
    for image in x.chunks(height * width).take(batch * channels) {
        for row in 0..sides[0].1 {
            for column in 0..sides[1].1 {
                let mut seen = Vec::new();
                taps(
                    [row, column],
                    sides,
                    [height, width],
                    pool.kernel,
                    pool.stride,
                    [1, 1],
                    |pixel, _| seen.push(image[pixel]),
                );
                output.push(reduce(&seen));
            }
        }
    }
    output
}

fn padding() -> impl Strategy<Value = Padding> {
    prop_oneof![Just(Padding::Same), Just(Padding::Valid)]
}

fn pair(range: std::ops::Range<usize>) -> impl Strategy<Value = [usize; 2]> {
    (range.clone(), range).prop_map(|(a, b)| [a, b])
}

proptest! {
    #[test]
    fn convolutions_match_a_plain_loop(
        size in pair(7..10), kernel in pair(1..5), stride in pair(1..4), dilation in pair(1..3),
        groups in 1..3_usize, padding in padding(), seed in any::<u64>(),
    ) {
        let conv = Conv2d { filters: 4, kernel, stride, padding, dilation, groups, bias: true };
        let shape = [2, 2, size[0], size[1]];
        let x = noise(shape.iter().product(), seed);
        let weight = noise(4 * (2 / groups) * kernel[0] * kernel[1], seed ^ 1);
        let bias = noise(4, seed ^ 2);
        let weights = parameters::Conv {
            weight: burn::module::Param::from_data(TensorData::new(weight.clone(), [4, 2 / groups, kernel[0], kernel[1]]), &device()),
            bias: Some(burn::module::Param::from_data(TensorData::new(bias.clone(), [4]), &device())),
        };
        let found = windows::conv2d(image(x.clone(), shape, &device()), &weights, &conv, Act::Identity);
        assert_close(&host(found), &naive_conv(&x, shape, &weight, &bias, &conv), 1e-4);
    }

    #[test]
    fn pools_match_a_plain_loop_and_leave_padding_out(
        size in pair(5..9), kernel in pair(1..5), stride in pair(1..4), padding in padding(), seed in any::<u64>(),
    ) {
        let pool = Pool2d { kernel, stride, padding };
        let shape = [2, 3, size[0], size[1]];
        // All below zero, so that a padding of zeros would show in a maximum.
        let x: Vec<f32> = noise(shape.iter().product(), seed).iter().map(|v| v - 2.0).collect();
        let images = image(x.clone(), shape, &device());
        let maximum = naive_pool(&x, shape, &pool, |seen| seen.iter().copied().fold(f32::MIN, f32::max));
        assert_close(&host(windows::max_pool2d(images.clone(), &pool)), &maximum, 0.0);
        let average = naive_pool(&x, shape, &pool, |seen| seen.iter().sum::<f32>() / seen.len() as f32);
        assert_close(&host(windows::avg_pool2d(images, &pool)), &average, 1e-5);
    }
}

#[test]
fn batch_norm_uses_the_batch_in_training_and_running_statistics_after() {
    let attributes = BatchNorm {
        momentum: 0.1,
        epsilon: 1e-5,
    };
    let weights = parameters::Norm {
        weight: burn::module::Param::from_data([2.0_f32], &device()),
        bias: burn::module::Param::from_data([0.5_f32], &device()),
    };
    let mut running = Running {
        mean: Tensor::zeros([1], &device()),
        variance: Tensor::ones([1], &device()),
    };
    // Mean 2.5, biased variance 1.25.
    let x = || Values::Image(image(vec![1.0, 2.0, 3.0, 4.0], [2, 1, 1, 2], &device()));
    let found =
        ops::batch_norm_train(x(), &weights, &mut running, &attributes, Act::Identity).image();
    let expected = |mean: f32, variance: f32| {
        [1.0_f32, 2.0, 3.0, 4.0].map(|v| (v - mean) / (variance + 1e-5).sqrt() * 2.0 + 0.5)
    };
    assert_close(&host(found), &expected(2.5, 1.25), 1e-5);
    assert_close(&host(running.mean.clone()), &[0.25], 1e-6);
    assert_close(&host(running.variance.clone()), &[0.9 + 0.125], 1e-6);
    let found = ops::batch_norm(x(), &weights, &running, &attributes, Act::Identity).image();
    assert_close(&host(found), &expected(0.25, 1.025), 1e-5);
}

#[test]
fn activations_have_their_textbook_values() {
    let of = |activation| {
        let x = Tensor::<2>::from_data([[-1.0_f32, 0.0, 2.0]], &device());
        host(ops::activation(Values::Flat(x), activation).flat())
    };
    assert_close(&of(Activation::Relu), &[0.0, 0.0, 2.0], 0.0);
    assert_close(&of(Activation::Gelu), &[-0.158_655, 0.0, 1.954_5], 1e-5);
    assert_close(&of(Activation::Silu), &[-0.268_941, 0.0, 1.761_594], 1e-5);
    assert_close(&of(Activation::Tanh), &[-0.761_594, 0.0, 0.964_028], 1e-5);
    assert_close(&of(Activation::Sigmoid), &[0.268_941, 0.5, 0.880_797], 1e-5);
}

#[test]
fn dropout_keeps_the_mean_and_the_seed() {
    let draw = || {
        let x = Values::Flat(Tensor::<2>::ones([100, 100], &device()));
        host(ops::dropout(x, 0.2, &mut Seed(1).stream("test")).flat())
    };
    let dropped = draw();
    assert_eq!(dropped, draw());
    let zeros = dropped.iter().filter(|v| **v == 0.0).count();
    assert!((1_850..2_150).contains(&zeros), "{zeros} of 10000 dropped");
    assert!(dropped.iter().all(|v| *v == 0.0 || *v == 1.25));
}

#[test]
fn drop_path_drops_whole_images_at_the_rate_of_its_schedule() {
    let draw = |schedule, progress| {
        let drop = DropPath {
            rate: 0.4,
            schedule,
        };
        let x = image(vec![1.0; 5_000 * 4], [5_000, 2, 2, 1], &device());
        let mut stream = Seed(1).stream("test");
        host(ops::drop_path(Values::Image(x), &drop, progress, &mut stream).image())
    };
    assert_eq!(
        draw(DropSchedule::Linear, 0.5),
        draw(DropSchedule::Linear, 0.5)
    );
    for (schedule, progress, rate) in [
        (DropSchedule::Constant, 0.0, 0.4_f32),
        (DropSchedule::Linear, 0.5, 0.2),
        (DropSchedule::Linear, 1.0, 0.4),
    ] {
        let kept = 1.0 / (1.0 - rate);
        let values = draw(schedule, progress);
        let images: Vec<&[f32]> = values.chunks(4).collect();
        let lost = images.iter().filter(|image| image[0] == 0.0).count();
        assert!(
            (lost as f32 / 5_000.0 - rate).abs() < 0.02,
            "{lost} of 5000 at {rate}"
        );
        for image in images {
            let expected = if image[0] == 0.0 { 0.0 } else { kept };
            assert_close(image, &[expected; 4], 1e-6);
        }
    }
    assert_eq!(draw(DropSchedule::Linear, 0.0), vec![1.0; 20_000]);
}

#[test]
fn what_the_canonical_form_leaves_out_changes_no_value() {
    let shape = [2, 6, 5, 4];
    let values = noise(shape.iter().product(), 8);
    let x = || image(values.clone(), shape, &device());
    let same = |found: Tensor<4>| assert_close(&host(found), &values, 0.0);
    for padding in [Padding::Same, Padding::Valid] {
        let pool = Pool2d {
            kernel: [1, 1],
            stride: [1, 1],
            padding,
        };
        same(windows::max_pool2d(x(), &pool));
        same(windows::avg_pool2d(x(), &pool));
    }
    for mode in [Interpolation::Nearest, Interpolation::Bilinear] {
        same(ops::resize(x(), [5, 4], mode));
    }
    for groups in [1, 6] {
        same(ops::channel_shuffle(x(), groups));
    }
    same(ops::zero_pad2d(x(), Sides::default()));
    same(ops::crop2d(x(), Sides::default()));
    same(ops::dropout(Values::Image(x()), 0.0, &mut Seed(1).stream("test")).image());
    // Of the activations, those of which ReLU or ReLU6 leaves every value as it is.
    let wide = Values::Image(image(
        values.iter().map(|v| 12.0 * v).collect(),
        shape,
        &device(),
    ));
    for after in [Activation::Relu, Activation::Relu6] {
        for before in Activation::ALL {
            let once = ops::activation(wide.clone(), before);
            let twice = host(ops::activation(once.clone(), after).image());
            let left_out = Op::Activation(after).is_identity(&Op::Activation(before), &[6, 5, 4]);
            assert_eq!(
                twice == host(once.image()),
                left_out,
                "{before:?}, {after:?}"
            );
        }
    }
}

#[test]
fn label_smoothing_follows_its_formula() {
    let logits = || Tensor::<2>::from_data([[2.0_f32, 0.0, -1.0], [0.5, 0.5, 0.5]], &device());
    let labels = Tensor::<1, burn::tensor::Int>::from_data([0_i64, 2], &device());
    let log_p = |row: [f64; 3]| {
        let sum = row.iter().map(|v| v.exp()).sum::<f64>().ln();
        row.map(|v| v - sum)
    };
    let rows = [(log_p([2.0, 0.0, -1.0]), 0), (log_p([0.5; 3]), 2)];
    for smoothing in [0.0, 0.1] {
        let expected: f64 = rows
            .iter()
            .map(|(p, label)| {
                let target =
                    |k: usize| if k == *label { 1.0 - smoothing } else { 0.0 } + smoothing / 3.0;
                -(0..3).map(|k| target(k) * p[k]).sum::<f64>() / 2.0
            })
            .sum();
        let found = cross_entropy(logits(), &labels, smoothing).into_scalar::<f32>();
        assert!(
            (f64::from(found) - expected).abs() < 1e-6,
            "{found} for {expected}"
        );
    }
}

#[test]
fn graphs_run_with_shared_and_repeated_inputs() {
    let x = Node::input(&[1, 2, 2]).unwrap();
    let twice = x.add(&x).unwrap();
    let wide = Node::concat(&[twice.clone(), x, twice]).unwrap();
    let network = Network::from_output(&wide.flatten().unwrap()).unwrap();
    let child = Child::build(&network, Seed(0), &device()).unwrap();
    let found = child.forward(image(vec![1.0, 2.0, 3.0, 4.0], [1, 1, 2, 2], &device()));
    assert_close(
        &host(found),
        &[2.0, 4.0, 6.0, 8.0, 1.0, 2.0, 3.0, 4.0, 2.0, 4.0, 6.0, 8.0],
        0.0,
    );
}

#[test]
fn counted_parameters_are_the_real_ones() {
    let network = classifier();
    for device in [device(), device().autodiff()] {
        let child = Child::build(&network, Seed(0), &device).unwrap();
        assert_eq!(child.params() as u64, network.params());
    }
}

#[test]
fn new_weights_are_glorot_uniform() {
    let child = Child::build(&classifier(), Seed(0), &device()).unwrap();
    let weights = child.weights().unwrap();
    let kernel = &weights.arrays()["1.conv2d.weight"];
    assert_eq!(kernel.shape, [16, 1, 3, 3]);
    let limit = (6.0_f32 / (9.0 + 16.0 * 9.0)).sqrt();
    let largest = kernel
        .values
        .iter()
        .fold(0.0_f32, |most, v| most.max(v.abs()));
    assert!(largest <= limit && largest > 0.9 * limit);
    assert!(
        weights.arrays()["1.conv2d.bias"]
            .values
            .iter()
            .all(|v| *v == 0.0)
    );
    assert!(
        weights.arrays()["2.batch_norm.running_var"]
            .values
            .iter()
            .all(|v| *v == 1.0)
    );
}
