//! Which shapes come out, and which inputs are refused.

use proptest::prelude::*;

use super::*;

#[test]
fn shapes_follow_keras() {
    let x = input(&[3, 32, 31]);
    let strided = |stride, padding| Conv2dOptions {
        stride,
        padding,
        ..Conv2dOptions::default()
    };
    let shape =
        |options: &Conv2dOptions, kernel| x.conv2d(8, kernel, options).unwrap().shape().to_vec();
    assert_eq!(shape(&strided([1, 1], Padding::Same), [4, 5]), [8, 32, 31]);
    assert_eq!(shape(&strided([2, 2], Padding::Same), [3, 3]), [8, 16, 16]);
    assert_eq!(shape(&strided([2, 3], Padding::Valid), [3, 3]), [8, 15, 10]);
    let dilated = Conv2dOptions {
        dilation: [2, 2],
        padding: Padding::Valid,
        ..Conv2dOptions::default()
    };
    assert_eq!(shape(&dilated, [3, 3]), [8, 28, 27]);

    let pooled = x.avg_pool2d([2, 2], &PoolOptions::default()).unwrap();
    assert_eq!(pooled.shape(), [3, 16, 15]);
    let same = PoolOptions {
        stride: Some([1, 1]),
        padding: Padding::Same,
    };
    assert_eq!(x.max_pool2d([3, 3], &same).unwrap().shape(), [3, 32, 31]);
    assert_eq!(x.flatten().unwrap().shape(), [3 * 32 * 31]);
    let wide = Node::concat(&[x.clone(), conv(&x, 5, 1)]).unwrap();
    assert_eq!(wide.shape(), [8, 32, 31]);
    assert_eq!(same_padding(32, 3, 2, 1), [0, 1]);
    assert_eq!(same_padding(31, 4, 1, 1), [1, 2]);
    assert_eq!(same_padding(5, 3, 1, 2), [2, 2]);
    assert_eq!(same_padding(5, 1, 2, 1), [0, 0]);
}

#[test]
fn errors_say_what_does_not_fit() {
    let x = input(&[16, 3, 3]);
    let valid = Conv2dOptions {
        padding: Padding::Valid,
        ..Conv2dOptions::default()
    };
    assert_eq!(
        message(x.conv2d(8, [5, 5], &valid)),
        "conv2d: kernel 5 with padding 'valid' does not fit a 3×3 input"
    );
    assert_eq!(
        message(x.conv2d(8, [3, 5], &valid)),
        "conv2d: kernel 3×5 with padding 'valid' does not fit a 3×3 input"
    );
    assert_eq!(
        message(input(&[64, 8, 8]).dense(10, &DenseOptions::default())),
        "dense: expected a flat input, found shape [64, 8, 8]; use flatten() or global_avg_pool() first"
    );
    assert_eq!(
        message(input(&[16, 8, 8]).add(&input(&[32, 8, 8]))),
        "add: shapes [16, 8, 8] and [32, 8, 8] differ"
    );
    assert_eq!(
        message(Node::concat(&[input(&[16, 8, 8]), input(&[16, 4, 4])])),
        "concat: shapes [16, 8, 8] and [16, 4, 4] differ in height or width"
    );
    assert_eq!(
        message(Node::concat(&[])),
        "concat: expected at least one input, found 0"
    );
    let groups = Conv2dOptions {
        groups: 3,
        ..Conv2dOptions::default()
    };
    assert_eq!(
        message(x.conv2d(9, [3, 3], &groups)),
        "conv2d: groups 3 does not divide the 16 input channels"
    );
    assert_eq!(
        message(x.conv2d(0, [3, 3], &valid)),
        "conv2d filters: expected a positive integer, found 0"
    );
    assert_eq!(
        message(x.dropout(1.0)),
        "dropout rate: expected a number from 0 up to but not including 1, found 1"
    );
    assert_eq!(
        message(x.dropout(f64::NAN)),
        "dropout rate: expected a number from 0 up to but not including 1, found NaN"
    );
    assert_eq!(
        message(x.flatten().unwrap().global_avg_pool()),
        "global_avg_pool: expected an image [channels, height, width], found shape [144]"
    );
    assert_eq!(
        message(Node::input(&[3, 32])),
        "input: expected [channels, height, width] or [features], found shape [3, 32]"
    );
}

#[test]
fn absurd_sizes_are_refused_without_overflow() {
    let huge = usize::MAX / 2;
    let x = input(&[3, 32, 32]);
    assert!(Node::input(&[huge, huge, huge]).is_err());
    assert!(x.conv2d(huge, [3, 3], &Conv2dOptions::default()).is_err());
    assert!(
        x.conv2d(8, [huge, huge], &Conv2dOptions::default())
            .is_err()
    );
    assert!(x.max_pool2d([huge, 1], &PoolOptions::default()).is_err());
    assert!(
        x.flatten()
            .unwrap()
            .dense(huge, &DenseOptions::default())
            .is_err()
    );
    let dilated = Conv2dOptions {
        dilation: [huge, huge],
        ..Conv2dOptions::default()
    };
    assert!(x.conv2d(8, [9, 9], &dilated).is_err());
    let same = PoolOptions {
        stride: Some([huge, huge]),
        padding: Padding::Same,
    };
    assert!(x.max_pool2d([huge, huge], &same).is_err());
}

#[test]
fn a_transposed_convolution_has_the_shape_that_a_convolution_makes_its_input_from() {
    let pairs = [[1, 1], [2, 3], [4, 1]];
    for (kernel, stride) in pairs.into_iter().flat_map(|k| pairs.map(|s| (k, s))) {
        for (dilation, padding) in [([1, 2], Padding::Same), ([3, 1], Padding::Valid)] {
            let options = Conv2dOptions {
                stride,
                padding,
                dilation,
                ..Conv2dOptions::default()
            };
            let x = input(&[2, 5, 4]);
            let larger = x.conv_transpose2d(3, kernel, &options).unwrap();
            let back = larger.conv2d(2, kernel, &options).unwrap();
            assert_eq!(back.shape(), x.shape(), "{:?}", larger.op());
            if padding == Padding::Same {
                assert_eq!(larger.shape(), [3, 5 * stride[0], 4 * stride[1]]);
            }
        }
    }
    let valid = Conv2dOptions {
        stride: [2, 1],
        dilation: [1, 3],
        padding: Padding::Valid,
        ..Conv2dOptions::default()
    };
    let larger = input(&[2, 5, 4]).conv_transpose2d(3, [3, 2], &valid);
    assert_eq!(larger.unwrap().shape(), [3, 4 * 2 + 3, 3 + 3 + 1]);
}

#[test]
fn composites_and_image_operations_have_their_shapes() {
    let x = input(&[6, 9, 8]);
    let strided = Conv2dOptions {
        stride: [2, 2],
        ..Conv2dOptions::default()
    };
    let shape = |node: Result<Node>| node.unwrap().shape().to_vec();
    assert_eq!(shape(x.depthwise_conv2d([3, 3], 2, &strided)), [12, 5, 4]);
    assert_eq!(shape(x.separable_conv2d(7, [3, 3], 2, &strided)), [7, 5, 4]);
    assert_eq!(shape(x.squeeze_excite(2, Activation::Sigmoid)), [6, 9, 8]);
    assert_eq!(shape(x.layer_norm(1e-5)), [6, 9, 8]);
    assert_eq!(shape(x.group_norm(3, 1e-5)), [6, 9, 8]);
    assert_eq!(shape(x.flatten().unwrap().group_norm(4, 1e-5)), [432]);
    assert_eq!(shape(x.channel_shuffle(3)), [6, 9, 8]);
    assert_eq!(
        shape(x.resize([4, 17], Interpolation::Bilinear)),
        [6, 4, 17]
    );
    let sides = Sides {
        top: 1,
        bottom: 2,
        left: 3,
        right: 4,
    };
    assert_eq!(shape(x.zero_pad2d(sides)), [6, 12, 15]);
    assert_eq!(shape(x.crop2d(sides)), [6, 6, 1]);
    let factor = x.global_avg_pool().unwrap();
    assert_eq!(shape(x.multiply(&factor)), [6, 9, 8]);
    assert_eq!(shape(factor.multiply(&x)), [6, 9, 8]);
    assert_eq!(shape(factor.multiply(&factor)), [6]);
    let pixel = x.max_pool2d([9, 8], &PoolOptions::default()).unwrap();
    assert_eq!(shape(pixel.multiply(&x)), [6, 9, 8]);
    let sum = Node::sum(&[x.clone(), x.clone(), x.clone()]).unwrap();
    assert_eq!(sum.shape(), [6, 9, 8]);
}

#[test]
fn errors_of_image_operations_say_what_does_not_fit() {
    let x = input(&[6, 4, 5]);
    let flat = x.global_avg_pool().unwrap();
    let rows = Sides {
        top: 2,
        bottom: 2,
        ..Sides::default()
    };
    assert_eq!(
        message(x.crop2d(rows)),
        "crop2d: nothing is left of a 4×5 input"
    );
    assert_eq!(
        message(flat.zero_pad2d(rows)),
        "zero_pad2d: expected an image [channels, height, width], found shape [6]"
    );
    assert_eq!(
        message(x.multiply(&input(&[5, 1, 1]))),
        "multiply: shapes [6, 4, 5] and [5, 1, 1] are neither equal nor an image and a factor per channel"
    );
    assert_eq!(
        message(x.channel_shuffle(4)),
        "channel_shuffle: groups 4 does not divide the 6 channels"
    );
    assert_eq!(
        message(x.group_norm(4, 1e-5)),
        "group_norm: groups 4 does not divide the 6 channels"
    );
    assert_eq!(
        message(x.resize([0, 3], Interpolation::Nearest)),
        "resize size: expected a positive integer, found 0"
    );
    assert_eq!(
        message(x.layer_norm(0.0)),
        "layer_norm epsilon: expected a number above 0, found 0"
    );
    let path = DropPath {
        rate: 1.0,
        schedule: DropSchedule::Constant,
    };
    assert_eq!(
        message(x.drop_path(path)),
        "drop_path rate: expected a number from 0 up to but not including 1, found 1"
    );
    let groups = Conv2dOptions {
        groups: 4,
        ..Conv2dOptions::default()
    };
    assert_eq!(
        message(x.conv_transpose2d(8, [3, 3], &groups)),
        "conv_transpose2d: groups 4 does not divide the 6 input channels"
    );
    assert_eq!(
        message(Node::sum(&[])),
        "add: expected at least one input, found 0"
    );
    let huge = usize::MAX / 2;
    let border = Sides {
        top: huge,
        bottom: huge,
        left: huge,
        right: huge,
    };
    assert!(x.zero_pad2d(border).is_err());
    assert!(x.crop2d(border).is_err());
    assert!(x.resize([huge, huge], Interpolation::Nearest).is_err());
    let strided = Conv2dOptions {
        stride: [huge, huge],
        ..Conv2dOptions::default()
    };
    assert!(x.conv_transpose2d(8, [huge, 2], &strided).is_err());
}

proptest! {
    #[test]
    fn params_and_shapes_survive_any_kernel_and_stride(
        size in 1..12_usize, kernel in 1..6_usize, stride in 1..4_usize, dilation in 1..3_usize,
    ) {
        let options = Conv2dOptions {
            stride: [stride; 2], dilation: [dilation; 2], ..Conv2dOptions::default()
        };
        let node = input(&[1, size, size]).conv2d(1, [kernel; 2], &options).unwrap();
        prop_assert_eq!(node.shape(), [1, size.div_ceil(stride), size.div_ceil(stride)]);
        let padded = size + same_padding(size, kernel, stride, dilation).iter().sum::<usize>();
        let valid = Conv2dOptions { padding: Padding::Valid, ..options };
        let padded = input(&[1, padded, padded]).conv2d(1, [kernel; 2], &valid).unwrap();
        prop_assert_eq!(node.shape(), padded.shape());
    }
}
