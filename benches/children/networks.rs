//! The children that are timed: the original's, and small ones in the style of published networks.
//! Knows nothing of how they are trained.

use nas_script::network::{
    Activation, BatchNormOptions, Conv2dOptions, DenseOptions, Network, Node, Padding, PoolOptions,
};
use nas_script::{Error, Result};

/// The kernel size and the filters of each of four convolutions.
type Layers = [(usize, usize); 4];

/// The sides of the images.
const SIDE: usize = 32;
/// The number of classes.
const CLASSES: usize = 10;

/// The largest child of the original's space.
const ORIGINAL: Layers = [(3, 64); 4];

/// Filters that fill no vector register evenly.
const ODD: Layers = [(3, 24), (3, 36), (3, 44), (3, 24)];

/// Children drawn from the original's space: kernels of 1 or 3, filters of 16, 32 or 64.
const MIXED: [Layers; 10] = [
    [(3, 64), (3, 64), (1, 32), (1, 16)],
    [(3, 32), (1, 32), (1, 16), (3, 16)],
    [(3, 16), (1, 16), (3, 32), (3, 16)],
    [(1, 32), (1, 32), (1, 32), (3, 16)],
    [(3, 16), (3, 32), (1, 16), (1, 32)],
    [(1, 32), (1, 32), (1, 32), (1, 32)],
    [(3, 64), (3, 64), (3, 16), (3, 64)],
    [(1, 64), (1, 64), (3, 64), (1, 32)],
    [(1, 64), (3, 64), (1, 16), (1, 64)],
    [(1, 32), (3, 64), (1, 16), (3, 64)],
];

/// The child called `name`: "original", "odd", "mixed-0" to "mixed-9", "mobilenet" or "nasnet".
pub fn child(name: &str) -> Result<Network> {
    let mixed = name.strip_prefix("mixed-").and_then(|n| n.parse().ok());
    let images = Node::input(&[3, SIDE, SIDE])?;
    let features = match (name, mixed.and_then(|n: usize| MIXED.get(n))) {
        (_, Some(layers)) => plain(&images, layers),
        ("original", _) => plain(&images, &ORIGINAL),
        ("odd", _) => plain(&images, &ODD),
        ("mobilenet", _) => mobilenet(&images),
        ("nasnet", _) => nasnet(&images),
        _ => {
            let mixed = (0..MIXED.len()).map(|n| format!("mixed-{n}"));
            let known = ["original", "odd", "mobilenet", "nasnet"].map(String::from);
            return Err(Error::unknown(
                "child",
                name,
                known.into_iter().chain(mixed),
            ));
        }
    }?;
    let pooled = features.global_avg_pool()?;
    Network::from_output(&pooled.dense(CLASSES, &DenseOptions::default())?)
}

/// Convolutions with ReLU one after the other, at strides 2-1-2-1.
fn plain(images: &Node, layers: &Layers) -> Result<Node> {
    let mut x = images.clone();
    for ((kernel, filters), stride) in layers.iter().zip([2, 1, 2, 1]) {
        let options = Conv2dOptions {
            stride: [stride; 2],
            ..Conv2dOptions::default()
        };
        let conv = x.conv2d(*filters, [*kernel; 2], &options)?;
        x = conv.activation(Activation::Relu);
    }
    Ok(x)
}

/// MobileNetV2 (arXiv 1801.04381, table 2) for small images: full size up to the first bottlenecks,
/// two blocks a stage, up to 64 channels.
fn mobilenet(images: &Node) -> Result<Node> {
    let stem = images.conv2d(32, [3, 3], &strided(1))?;
    let mut x = norm(&stem)?.activation(Activation::Relu6);
    for (expansion, channels, blocks, stride) in
        [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 2, 2), (6, 64, 2, 2)]
    {
        for block in 0..blocks {
            let stride = if block == 0 { stride } else { 1 };
            x = inverted_residual(&x, expansion, channels, stride)?;
        }
    }
    Ok(x)
}

/// The block of arXiv 1801.04381, §3.3.
fn inverted_residual(x: &Node, expansion: usize, channels: usize, stride: usize) -> Result<Node> {
    let mut wide = x.clone();
    if expansion > 1 {
        let expanded = x.conv2d(expansion * x.shape()[0], [1, 1], &strided(1))?;
        wide = norm(&expanded)?.activation(Activation::Relu6);
    }
    let deep = wide.depthwise_conv2d([3, 3], 1, &strided(stride))?;
    let deep = norm(&deep)?.activation(Activation::Relu6);
    let narrow = norm(&deep.conv2d(channels, [1, 1], &strided(1))?)?;
    match narrow.shape() == x.shape() {
        true => narrow.add(x),
        false => Ok(narrow),
    }
}

/// NASNet-A (arXiv 1707.07012, figure 4) with one normal cell on each side of one reduction cell, 24
/// filters before it and 48 after.
fn nasnet(images: &Node) -> Result<Node> {
    let stem = norm(&images.conv2d(72, [3, 3], &strided(1))?)?;
    let first = normal_cell(&stem, &stem, 24)?;
    let second = reduction_cell(&first, &stem, 48)?;
    let third = normal_cell(&second, &first, 48)?;
    Ok(third.activation(Activation::Relu))
}

fn normal_cell(x: &Node, previous: &Node, filters: usize) -> Result<Node> {
    let previous = squeeze(previous, filters, x.shape()[1])?;
    let x = squeeze(x, filters, x.shape()[1])?;
    Node::concat(&[
        previous.clone(),
        separable(&x, filters, 5, 1)?.add(&separable(&previous, filters, 3, 1)?)?,
        separable(&previous, filters, 5, 1)?.add(&separable(&previous, filters, 3, 1)?)?,
        average(&x, 1)?.add(&previous)?,
        average(&previous, 1)?.add(&average(&previous, 1)?)?,
        separable(&x, filters, 3, 1)?.add(&x)?,
    ])
}

fn reduction_cell(x: &Node, previous: &Node, filters: usize) -> Result<Node> {
    let previous = squeeze(previous, filters, x.shape()[1])?;
    let x = squeeze(x, filters, x.shape()[1])?;
    let sevens = |node| separable(node, filters, 7, 2);
    let b0 = separable(&x, filters, 5, 2)?.add(&sevens(&previous)?)?;
    let b1 = maximum(&x, 2)?.add(&sevens(&previous)?)?;
    let b2 = average(&x, 2)?.add(&separable(&previous, filters, 5, 2)?)?;
    let b3 = b1.add(&average(&b0, 1)?)?;
    let b4 = separable(&b0, filters, 3, 1)?.add(&maximum(&x, 2)?)?;
    Node::concat(&[b1, b2, b3, b4])
}

/// Brings a cell's input to `filters` channels and to `side` pixels a side.
fn squeeze(x: &Node, filters: usize, side: usize) -> Result<Node> {
    let x = x.activation(Activation::Relu);
    norm(&x.conv2d(filters, [1, 1], &strided(x.shape()[1] / side))?)
}

/// A separable convolution, applied twice, each time after a ReLU and before a normalisation.
fn separable(x: &Node, filters: usize, kernel: usize, stride: usize) -> Result<Node> {
    let mut x = x.clone();
    for stride in [stride, 1] {
        let active = x.activation(Activation::Relu);
        x = norm(&active.separable_conv2d(filters, [kernel; 2], 1, &strided(stride))?)?;
    }
    Ok(x)
}

fn average(x: &Node, stride: usize) -> Result<Node> {
    x.avg_pool2d([3, 3], &window(stride))
}

fn maximum(x: &Node, stride: usize) -> Result<Node> {
    x.max_pool2d([3, 3], &window(stride))
}

fn norm(x: &Node) -> Result<Node> {
    x.batch_norm(&BatchNormOptions::default())
}

/// Without a bias: a normalisation follows.
fn strided(stride: usize) -> Conv2dOptions {
    Conv2dOptions {
        stride: [stride; 2],
        bias: false,
        ..Conv2dOptions::default()
    }
}

fn window(stride: usize) -> PoolOptions {
    PoolOptions {
        stride: Some([stride; 2]),
        padding: Padding::Same,
    }
}
