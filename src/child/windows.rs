//! Convolutions and poolings of a batch: by the kernels where they serve, else by Burn. Knows attributes
//! and tensors, not graphs.

use burn::module::Param;
use burn::tensor::ops::{AvgPoolOptions, ConvOptions, ConvTransposeOptions, MaxPoolOptions};
use burn::tensor::{Tensor, module};

use super::kernels::{self, Act, Geometry};
use super::ops::then;
use super::parameters::Conv;
use crate::network::{self, Conv2d, Padding, Pool2d};

/// A convolution: the one place that computes it.
pub(super) fn conv2d(x: Tensor<4>, weights: &Conv, conv: &Conv2d, act: Act) -> Tensor<4> {
    let weight = weights.weight.val();
    let bias = weights.bias.as_ref().map(Param::val);
    let padding = padding(&x, conv.padding, conv.kernel, conv.stride, conv.dilation);
    if kernels::serve(&x) {
        let [batch, channels, height, width] = x.dims();
        let geometry = Geometry {
            batch,
            input: [height, width],
            channels,
            filters: conv.filters,
            kernel: conv.kernel,
            stride: conv.stride,
            dilation: conv.dilation,
            padding,
            groups: conv.groups,
        };
        return kernels::conv2d(x, weight, bias, geometry, act);
    }
    let options = ConvOptions {
        stride: conv.stride,
        padding,
        dilation: conv.dilation,
        groups: conv.groups,
    };
    then(module::conv2d(x, weight, bias, options), act)
}

/// A transposed convolution. Burn pads both ends alike, so what `"same"` leaves out is cut off after.
pub(super) fn conv_transpose2d(x: Tensor<4>, weights: &Conv, conv: &Conv2d) -> Tensor<4> {
    let [_, _, height, width] = x.dims();
    let extent = |axis: usize| (conv.kernel[axis] - 1) * conv.dilation[axis] + 1;
    let lacking = |axis: usize| match conv.padding {
        Padding::Valid => 0,
        Padding::Same => conv.stride[axis].saturating_sub(extent(axis)),
    };
    let options = ConvTransposeOptions {
        stride: conv.stride,
        padding: [0, 0],
        padding_out: [lacking(0), lacking(1)],
        dilation: conv.dilation,
        groups: conv.groups,
    };
    let bias = weights.bias.as_ref().map(Param::val);
    let full = module::conv_transpose2d(x, weights.weight.val(), bias, options);
    if conv.padding == Padding::Valid {
        return full;
    }
    let cut = |axis: usize, size: usize| {
        let total = extent(axis).saturating_sub(conv.stride[axis]);
        (total / 2, size * conv.stride[axis])
    };
    let ((top, rows), (left, columns)) = (cut(0, height), cut(1, width));
    full.narrow(2, top, rows).narrow(3, left, columns)
}

pub(super) fn max_pool2d(x: Tensor<4>, pool: &Pool2d) -> Tensor<4> {
    let window = window(&x, pool);
    if kernels::serve(&x) {
        return kernels::max_pool2d(x, window);
    }
    let options = MaxPoolOptions {
        kernel_size: pool.kernel,
        stride: pool.stride,
        padding: window.padding,
        dilation: [1, 1],
        ceil_mode: false,
    };
    module::max_pool2d(x, options)
}

pub(super) fn avg_pool2d(x: Tensor<4>, pool: &Pool2d) -> Tensor<4> {
    let window = window(&x, pool);
    if kernels::serve(&x) {
        return kernels::avg_pool2d(x, window);
    }
    let options = AvgPoolOptions {
        kernel_size: pool.kernel,
        stride: pool.stride,
        padding: window.padding,
        count_include_pad: false,
        ceil_mode: false,
    };
    module::avg_pool2d(x, options)
}

/// The windows of a pooling of `x`.
fn window(x: &Tensor<4>, pool: &Pool2d) -> Geometry {
    let [batch, channels, height, width] = x.dims();
    Geometry {
        batch,
        input: [height, width],
        channels,
        filters: channels,
        kernel: pool.kernel,
        stride: pool.stride,
        dilation: [1, 1],
        padding: padding(x, pool.padding, pool.kernel, pool.stride, [1, 1]),
        groups: channels,
    }
}

/// `[batch, channels, height, width]` to `[batch, channels]`.
pub(super) fn global_avg_pool(x: Tensor<4>) -> Tensor<2> {
    if kernels::serve(&x) {
        return kernels::global_avg_pool(x);
    }
    let [batch, channels, height, width] = x.dims();
    let mean = x.reshape([batch, channels, height * width]).mean_dim(2);
    mean.reshape([batch, channels])
}

/// The padding of `x` as `(before, after)` down and across. Burn takes odd padding as it is, so
/// nothing is copied where the backend can do without.
fn padding(
    x: &Tensor<4>,
    padding: Padding,
    kernel: [usize; 2],
    stride: [usize; 2],
    dilation: [usize; 2],
) -> [(usize, usize); 2] {
    let [_, _, height, width] = x.dims();
    let side = |axis: usize, size| match padding {
        Padding::Valid => (0, 0),
        Padding::Same => {
            network::same_padding(size, kernel[axis], stride[axis], dilation[axis]).into()
        }
    };
    [side(0, height), side(1, width)]
}
