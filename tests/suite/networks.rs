//! Networks to try an export on: each operation with attributes that are easily got wrong, and random
//! ones. All lead from an image to a flat output.

use nas_script::Result;
use nas_script::network::{
    Activation, BatchNormOptions, Conv2dOptions, DenseOptions, DropPath, DropSchedule,
    Interpolation, Network, Node, Padding, PoolOptions, Sides,
};
use nas_script::seed::StreamRng;
use rand::RngExt;

const PADDINGS: [Padding; 2] = [Padding::Same, Padding::Valid];
const MODES: [Interpolation; 2] = [Interpolation::Nearest, Interpolation::Bilinear];

fn dense(x: &Node, units: usize) -> Node {
    x.dense(units, &DenseOptions::default()).unwrap()
}

/// An image of 8 channels, 9×7, no value of which is that of the input.
fn image() -> Node {
    let x = Node::input(&[3, 9, 7]).unwrap();
    x.conv2d(8, [1, 1], &Conv2dOptions::default()).unwrap()
}

/// A vector of 12 features.
fn vector() -> Node {
    dense(&image().flatten().unwrap(), 12)
}

fn sides([top, bottom, left, right]: [usize; 4]) -> Sides {
    Sides {
        top,
        bottom,
        left,
        right,
    }
}

fn conv(
    stride: [usize; 2],
    padding: Padding,
    dilation: [usize; 2],
    groups: usize,
) -> Conv2dOptions {
    Conv2dOptions {
        stride,
        padding,
        dilation,
        groups,
        bias: groups != 2,
    }
}

/// Each operation, alone and with rectangular, odd and even attributes. A logit is a sum over all that
/// the operation gives, weighted at random.
pub fn each_operation() -> Vec<(String, Network)> {
    let mut all: Vec<(String, Node)> = Vec::new();
    let mut add = |name: String, node: Result<Node>| {
        let node = node.unwrap_or_else(|e| panic!("{name}: {e}"));
        all.push((name, dense(&node.flatten().unwrap(), 5)));
    };
    let x = image();
    windows(&x, &mut add);
    norms_and_elements(&x, &mut add);
    joins_and_pixels(&x, &mut add);

    let mut all: Vec<_> = all
        .into_iter()
        .map(|(name, node)| (name, Network::from_output(&node).unwrap()))
        .collect();
    // What leaves the network is not always the last operator of its own.
    let lasts = [
        ("last-dropout", vector().dropout(0.5).unwrap()),
        ("last-average", x.global_avg_pool().unwrap()),
        ("last-gelu", vector().activation(Activation::Gelu)),
        ("last-group-norm", vector().group_norm(3, 1e-3).unwrap()),
        (
            "last-flatten",
            Node::input(&[3, 2, 5]).unwrap().flatten().unwrap(),
        ),
    ];
    all.extend(lasts.map(|(name, node)| (name.into(), Network::from_output(&node).unwrap())));
    all
}

fn windows(x: &Node, add: &mut impl FnMut(String, Result<Node>)) {
    // Kernel, stride, dilation, groups.
    let convolutions = [
        ([3, 3], [1, 1], [1, 1], 1),
        ([3, 2], [2, 3], [1, 2], 1),
        ([2, 4], [1, 2], [2, 1], 2),
        ([4, 1], [3, 1], [1, 1], 4),
        ([1, 1], [3, 2], [1, 1], 8),
        ([5, 2], [1, 1], [1, 3], 8),
    ];
    for padding in PADDINGS {
        for (kernel, stride, dilation, groups) in convolutions {
            let name =
                |op: &str| format!("{op}-{padding}-{kernel:?}-{stride:?}-{dilation:?}-{groups}");
            let options = conv(stride, padding, dilation, groups);
            add(name("conv"), x.conv2d(16, kernel, &options));
            add(name("transpose"), x.conv_transpose2d(8, kernel, &options));
        }
        for (kernel, stride) in [
            ([3, 2], None),
            ([2, 3], Some([1, 1])),
            ([4, 3], Some([3, 2])),
            ([1, 2], Some([2, 3])),
        ] {
            let options = PoolOptions { stride, padding };
            let name = |op: &str| format!("{op}-{padding}-{kernel:?}-{stride:?}");
            add(name("max_pool"), x.max_pool2d(kernel, &options));
            add(name("avg_pool"), x.avg_pool2d(kernel, &options));
        }
    }
    // Windows beyond the image on all sides.
    let wide = conv([2, 1], Padding::Same, [2, 1], 1);
    add("conv-wide".into(), x.conv2d(4, [11, 12], &wide));
    let wide = PoolOptions {
        stride: Some([2, 3]),
        padding: Padding::Same,
    };
    add("max_pool-wide".into(), x.max_pool2d([12, 11], &wide));
    add("avg_pool-wide".into(), x.avg_pool2d([12, 11], &wide));
    let shallow = conv([1, 2], Padding::Same, [1, 1], 1);
    add("depthwise".into(), x.depthwise_conv2d([3, 2], 2, &shallow));
    add(
        "separable".into(),
        x.separable_conv2d(6, [2, 3], 1, &shallow),
    );
    let wide = conv([4, 5], Padding::Same, [1, 1], 1);
    add(
        "transpose-apart".into(),
        x.conv_transpose2d(3, [1, 2], &wide),
    );
}

fn norms_and_elements(x: &Node, add: &mut impl FnMut(String, Result<Node>)) {
    let norm = BatchNormOptions {
        epsilon: 1e-2,
        ..BatchNormOptions::default()
    };
    for (place, x) in [("image", x), ("flat", &vector())] {
        add(format!("batch_norm-{place}"), x.batch_norm(&norm));
        add(format!("layer_norm-{place}"), x.layer_norm(1e-2));
        for groups in [1, 2, 4] {
            add(
                format!("group_norm-{groups}-{place}"),
                x.group_norm(groups, 1e-2),
            );
        }
        for activation in Activation::ALL {
            // Beyond the bends of ReLU6 and of the hard functions.
            let times = Node::sum(&vec![x.clone(); 12]).unwrap();
            add(
                format!("{}-{place}", activation.name()),
                Ok(times.activation(activation)),
            );
        }
        let drop = DropPath {
            rate: 0.5,
            schedule: DropSchedule::Linear,
        };
        add(format!("drop_path-{place}"), x.drop_path(drop));
        add(format!("dropout-{place}"), x.dropout(0.5));
    }
    add(
        "dense".into(),
        vector().dense(3, &DenseOptions { bias: false }),
    );
    add("global_avg_pool".into(), x.global_avg_pool());
}

fn joins_and_pixels(x: &Node, add: &mut impl FnMut(String, Result<Node>)) {
    let y = x.activation(Activation::Tanh);
    let z = x.activation(Activation::Silu);
    let flat = [vector(), vector().activation(Activation::Tanh)];
    add("add-2".into(), x.add(&y));
    add(
        "add-3".into(),
        Node::sum(&[x.clone(), y.clone(), z.clone()]),
    );
    add("add-self".into(), x.add(x));
    add("add-flat".into(), flat[0].add(&flat[1]));
    add("concat-2".into(), Node::concat(&[y.clone(), x.clone()]));
    add(
        "concat-self".into(),
        Node::concat(&[x.clone(), z.clone(), x.clone()]),
    );
    add("concat-flat".into(), Node::concat(&flat));

    let factor = x.global_avg_pool().unwrap().activation(Activation::Sigmoid);
    let whole = PoolOptions::default();
    let pixel = x.avg_pool2d([9, 7], &whole).unwrap();
    add("multiply".into(), x.multiply(&y));
    add("multiply-self".into(), x.multiply(x));
    add("multiply-flat".into(), flat[0].multiply(&flat[1]));
    add("multiply-factor".into(), x.multiply(&factor));
    add("multiply-factor-first".into(), factor.multiply(&y));
    add("multiply-pixel".into(), x.multiply(&pixel));
    add("multiply-pixel-factor".into(), pixel.multiply(&factor));
    add(
        "squeeze_excite".into(),
        x.squeeze_excite(3, Activation::HardSigmoid),
    );

    add("zero_pad".into(), x.zero_pad2d(sides([1, 2, 3, 0])));
    add("crop".into(), x.crop2d(sides([1, 3, 0, 2])));
    for groups in [2, 4] {
        add(
            format!("channel_shuffle-{groups}"),
            x.channel_shuffle(groups),
        );
    }
    for mode in MODES {
        for size in [[18, 21], [9, 14], [3, 7], [4, 3], [1, 1], [13, 5], [10, 40]] {
            add(format!("resize-{mode:?}-{size:?}"), x.resize(size, mode));
            // ONNX Runtime moves the norm's transposition past the resizing.
            let x = x.layer_norm(1e-2).unwrap();
            add(
                format!("resize-{mode:?}-{size:?}-norm"),
                x.resize(size, mode),
            );
        }
        // Where a scale in f32 finds the neighbours of the nearest pixels.
        let x = Node::input(&[2, 14, 28]).unwrap();
        add(format!("resize-{mode:?}-fine"), x.resize([8, 16], mode));
    }
}

/// The largest side, and the most channels, of an image in a random network.
const LARGEST: [usize; 2] = [20, 16];

fn pick<T: Copy>(rng: &mut StreamRng, among: &[T]) -> T {
    among[rng.random_range(0..among.len())]
}

/// Two numbers, each one of `range`.
fn pair(rng: &mut StreamRng, range: std::ops::RangeInclusive<usize>) -> [usize; 2] {
    [(); 2].map(|()| rng.random_range(range.clone()))
}

/// A divisor of `count`.
fn divisor(rng: &mut StreamRng, count: usize) -> usize {
    let divisors: Vec<_> = (1..=count).filter(|d| count.is_multiple_of(*d)).collect();
    pick(rng, &divisors)
}

/// A network over all operations: residual, gated and parallel branches on 3×16×16 images.
pub fn random_network(rng: &mut StreamRng) -> Network {
    let mut x = Node::input(&[3, 16, 16]).unwrap();
    x = x.conv2d(8, [3, 3], &Conv2dOptions::default()).unwrap();
    for _ in 0..rng.random_range(2..=6) {
        x = block(&x, rng);
    }
    let pixels: usize = x.shape().iter().product();
    let mut x = match pixels <= 600 && rng.random() {
        true => x.flatten().unwrap(),
        false => x.global_avg_pool().unwrap(),
    };
    if rng.random() {
        x = flat_block(&dense(&x, 12), rng);
    }
    let x = dense(&x, 10);
    let x = match rng.random_range(0..4) {
        0 => x.dropout(0.2).unwrap(),
        1 => x.activation(Activation::Silu),
        _ => x,
    };
    Network::from_output(&x).unwrap()
}

fn block(x: &Node, rng: &mut StreamRng) -> Node {
    let branch = |rng: &mut StreamRng| {
        let mut y = x.clone();
        for _ in 0..rng.random_range(1..=3) {
            y = steady(&y, rng);
        }
        y
    };
    match rng.random_range(0..8) {
        0 => x.add(&branch(rng)).unwrap(),
        1 => Node::sum(&[branch(rng), branch(rng), x.clone()]).unwrap(),
        2 => {
            let gate = branch(rng).activation(Activation::Sigmoid);
            x.multiply(&gate).unwrap()
        }
        3 => x.squeeze_excite(4, Activation::HardSigmoid).unwrap(),
        4 => {
            let branches: Vec<_> = (0..rng.random_range(2..=3)).map(|_| branch(rng)).collect();
            let wide = Node::concat(&branches).unwrap();
            let narrow = wide.conv2d(8, [1, 1], &Conv2dOptions::default());
            narrow.unwrap()
        }
        _ => {
            let y = step(x, rng);
            steady(&y, rng)
        }
    }
}

fn flat_block(x: &Node, rng: &mut StreamRng) -> Node {
    let y = match rng.random_range(0..5) {
        0 => x.batch_norm(&BatchNormOptions::default()).unwrap(),
        1 => x.layer_norm(1e-3).unwrap(),
        2 => x.group_norm(2, 1e-3).unwrap(),
        3 => x.dropout(0.3).unwrap(),
        _ => x.activation(pick(rng, &Activation::ALL)),
    };
    match rng.random_range(0..4) {
        0 => Node::concat(&[x.clone(), y]).unwrap(),
        1 => x.add(&y).unwrap(),
        2 => x.multiply(&y.activation(Activation::Tanh)).unwrap(),
        _ => y,
    }
}

/// An operation that keeps the shape.
fn steady(x: &Node, rng: &mut StreamRng) -> Node {
    let channels = x.shape()[0];
    let same = PoolOptions {
        stride: Some([1, 1]),
        padding: Padding::Same,
    };
    let kept = match rng.random_range(0..11) {
        0..=2 => {
            let groups = divisor(rng, channels);
            let options = conv([1, 1], Padding::Same, pair(rng, 1..=2), groups);
            x.conv2d(channels, pair(rng, 1..=4), &options)
        }
        3 => x.max_pool2d(pair(rng, 2..=3), &same),
        4 => x.avg_pool2d(pair(rng, 2..=3), &same),
        5 => x.batch_norm(&BatchNormOptions::default()),
        // Few channels that are nearly alike would make much of the last bits.
        6 if channels >= 4 => x.layer_norm(1e-3),
        7 => x.group_norm(divisor(rng, channels), 1e-3),
        8 => x.channel_shuffle(divisor(rng, channels)),
        9 => x.drop_path(DropPath {
            rate: 0.2,
            schedule: DropSchedule::Constant,
        }),
        _ => Ok(x.activation(pick(rng, &Activation::ALL))),
    };
    kept.unwrap()
}

/// An operation that changes the shape, the result being neither empty nor large.
fn step(x: &Node, rng: &mut StreamRng) -> Node {
    let channels = x.shape()[0];
    loop {
        let padding = pick(rng, &PADDINGS);
        let groups = divisor(rng, channels);
        let filters = groups * rng.random_range(1..=3);
        let changed = match rng.random_range(0..7) {
            0 => {
                let options = conv(pair(rng, 1..=2), padding, pair(rng, 1..=2), groups);
                x.conv2d(filters, pair(rng, 1..=4), &options)
            }
            1 => {
                let options = conv(pair(rng, 1..=3), padding, pair(rng, 1..=2), groups);
                x.conv_transpose2d(filters, pair(rng, 1..=4), &options)
            }
            2 | 3 => {
                let stride = rng.random::<bool>().then(|| pair(rng, 1..=3));
                let options = PoolOptions { stride, padding };
                let kernel = pair(rng, 1..=3);
                match rng.random() {
                    true => x.max_pool2d(kernel, &options),
                    false => x.avg_pool2d(kernel, &options),
                }
            }
            4 => x.zero_pad2d(sides([(); 4].map(|()| rng.random_range(0..=2)))),
            5 => x.crop2d(sides([(); 4].map(|()| rng.random_range(0..=1)))),
            _ => x.resize(pair(rng, 3..=LARGEST[0]), pick(rng, &MODES)),
        };
        let Ok(node) = changed else { continue };
        let &[channels, height, width] = node.shape() else {
            continue;
        };
        let sides = 2..=LARGEST[0];
        if sides.contains(&height) && sides.contains(&width) && (2..=LARGEST[1]).contains(&channels)
        {
            return node;
        }
    }
}
