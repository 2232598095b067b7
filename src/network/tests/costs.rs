//! Parameters and multiply-accumulates, counted by hand.

use super::*;

#[test]
fn cost_is_exact() {
    let net = network(&residual());
    let convs = (3 * 9 * 16 + 16) + (16 * 9 * 16 + 16);
    assert_eq!(net.params(), (convs + 2 * 16 + 10 * 16 + 10) as u64);
    assert_eq!(net.macs(), (64 * (3 * 9 * 16 + 16 * 9 * 16) + 160) as u64);
    let depthwise = Conv2dOptions {
        groups: 16,
        bias: false,
        stride: [2, 2],
        ..Conv2dOptions::default()
    };
    let net = network(&input(&[16, 8, 8]).conv2d(32, [3, 3], &depthwise).unwrap());
    assert_eq!((net.params(), net.macs()), (32 * 9, 32 * 9 * 16));
}

/// The parameters and MACs of what `layer` adds to an image of 6 channels and 5×4 pixels.
fn cost(layer: impl Fn(&Node) -> Result<Node>) -> (u64, u64) {
    let net = network(&layer(&input(&[6, 5, 4])).unwrap());
    (net.params(), net.macs())
}

#[test]
fn a_transposed_convolution_costs_a_weight_a_pixel_of_its_input() {
    let options = Conv2dOptions {
        stride: [2, 3],
        groups: 2,
        ..Conv2dOptions::default()
    };
    // Each pixel of each of 6 channels is spread by 2 × 3 taps to the 4 of 8 filters of its group.
    let weights = 6 * 4 * 2 * 3;
    assert_eq!(
        cost(|x| x.conv_transpose2d(8, [2, 3], &options)),
        (weights + 8, weights * 5 * 4)
    );
}

#[test]
fn composites_cost_what_their_parts_do() {
    let strided = Conv2dOptions {
        stride: [2, 2],
        ..Conv2dOptions::default()
    };
    let (depthwise, pixels) = (6 * 2 * 3 * 3, 3 * 2);
    assert_eq!(
        cost(|x| x.depthwise_conv2d([3, 3], 2, &strided)),
        (depthwise + 12, depthwise * pixels)
    );
    // The bias is the second convolution's only.
    let pointwise = 12 * 7;
    assert_eq!(
        cost(|x| x.separable_conv2d(7, [3, 3], 2, &strided)),
        (depthwise + pointwise + 7, (depthwise + pointwise) * pixels)
    );
    assert_eq!(
        cost(|x| x.squeeze_excite(2, Activation::Sigmoid)),
        (6 * 2 + 2 + 2 * 6 + 6, 6 * 2 + 2 * 6)
    );
}

#[test]
fn normalisations_have_two_parameters_a_channel_and_the_rest_none() {
    let sides = Sides {
        top: 1,
        ..Sides::default()
    };
    let path = DropPath {
        rate: 0.5,
        schedule: DropSchedule::Linear,
    };
    assert_eq!(cost(|x| x.layer_norm(1e-5)), (12, 0));
    assert_eq!(cost(|x| x.group_norm(3, 1e-5)), (12, 0));
    assert_eq!(cost(|x| x.flatten()?.layer_norm(1e-5)), (2 * 120, 0));
    assert_eq!(cost(|x| x.zero_pad2d(sides)), (0, 0));
    assert_eq!(cost(|x| x.crop2d(sides)), (0, 0));
    assert_eq!(cost(|x| x.resize([7, 7], Interpolation::Bilinear)), (0, 0));
    assert_eq!(cost(|x| x.channel_shuffle(2)), (0, 0));
    assert_eq!(cost(|x| x.multiply(&x.global_avg_pool()?)), (0, 0));
    assert_eq!(cost(|x| x.drop_path(path)), (0, 0));
}
