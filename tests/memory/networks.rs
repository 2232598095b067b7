//! Random networks like those of the papers' search spaces, small enough to be trained in a second.

use nas_script::Result;
use nas_script::network::{
    Activation, BatchNormOptions, Conv2dOptions, DenseOptions, DropPath, DropSchedule,
    Interpolation, Network, Node, Padding, PoolOptions,
};
use nas_script::seed::{Seed, StreamRng};
use rand::RngExt;

/// A network with the batch size it is trained with.
pub struct Sample {
    pub name: String,
    pub network: Network,
    pub batch: usize,
}

type Space = fn(&mut StreamRng) -> Result<Node>;

const SPACES: [(&str, Space); 6] = [
    ("plain", plain),
    ("anchors", anchors),
    ("nasnet", nasnet),
    ("mbconv", mbconv),
    ("darts", darts),
    ("mixed", mixed),
];

/// Network `number`, the same at every call.
pub fn sample(number: u64) -> Sample {
    let mut rng = Seed(number).stream("memory");
    let (name, space) = SPACES[number as usize % SPACES.len()];
    let batch = pick(&mut rng, &[16, 24, 32, 48, 64, 128]);
    let node = space(&mut rng).unwrap();
    Sample {
        name: format!("{name} {number}"),
        network: Network::from_output(&node).unwrap(),
        batch,
    }
}

fn pick<T: Copy>(rng: &mut StreamRng, values: &[T]) -> T {
    values[rng.random_range(0..values.len())]
}

fn image(rng: &mut StreamRng) -> Result<Node> {
    let side = pick(rng, &[8, 16, 24, 32]);
    Node::input(&[pick(rng, &[1, 3]), side, side])
}

fn head(x: &Node, rng: &mut StreamRng) -> Result<Node> {
    let dense = DenseOptions::default();
    match rng.random_range(0..3) {
        0 => x.flatten()?.dense(10, &dense),
        1 => {
            let hidden = x.flatten()?.dense(pick(rng, &[32, 128]), &dense)?;
            let hidden = hidden.activation(Activation::Relu).dropout(0.3)?;
            hidden.dense(10, &dense)
        }
        _ => x.global_avg_pool()?.dense(10, &dense),
    }
}

fn strided(stride: usize) -> Conv2dOptions {
    Conv2dOptions {
        stride: [stride; 2],
        bias: false,
        ..Conv2dOptions::default()
    }
}

fn norm(x: &Node) -> Result<Node> {
    x.batch_norm(&BatchNormOptions::default())
}

fn same(stride: usize) -> PoolOptions {
    PoolOptions {
        stride: Some([stride; 2]),
        padding: Padding::Same,
    }
}

/// The original's: convolutions one after the other (arXiv 1611.01578, without skips).
fn plain(rng: &mut StreamRng) -> Result<Node> {
    let mut x = image(rng)?;
    for _ in 0..rng.random_range(2..6) {
        let kernel = [pick(rng, &[1, 3, 5]), pick(rng, &[1, 3, 5])];
        let filters = pick(rng, &[8, 16, 24, 36, 48, 64]);
        let conv = x.conv2d(filters, kernel, &Conv2dOptions::default())?;
        x = conv.activation(Activation::Relu);
    }
    head(&x, rng)
}

/// The same with anchor points: each layer reads any of those before it, padded and concatenated.
fn anchors(rng: &mut StreamRng) -> Result<Node> {
    let mut nodes = vec![image(rng)?];
    for layer in 0..rng.random_range(3..6) {
        let chosen: Vec<usize> = (0..layer).filter(|_| rng.random_bool(0.6)).collect();
        let x = Node::skips(&nodes, &chosen)?;
        let options = Conv2dOptions {
            stride: [pick(rng, &[1, 1, 2]); 2],
            ..Conv2dOptions::default()
        };
        let kernel = [pick(rng, &[1, 3, 5]), pick(rng, &[1, 3, 5])];
        let conv = x.conv2d(pick(rng, &[16, 24, 36]), kernel, &options)?;
        nodes.push(norm(&conv)?.activation(Activation::Relu));
    }
    head(&Node::concat_padded(&Node::unread(&nodes))?, rng)
}

/// Blocks of two operations that are added, the blocks concatenated (arXiv 1707.07012).
fn nasnet(rng: &mut StreamRng) -> Result<Node> {
    let filters = pick(rng, &[8, 16, 24]);
    let stem = image(rng)?.conv2d(filters, [3, 3], &strided(1))?;
    let mut x = norm(&stem)?;
    for cell in 0..rng.random_range(2..4) {
        let stride = if cell == 1 { 2 } else { 1 };
        let squeezed = x.activation(Activation::Relu);
        let squeezed = norm(&squeezed.conv2d(filters, [1, 1], &strided(1))?)?;
        let mut states = vec![squeezed];
        for _ in 0..rng.random_range(2..4) {
            let mut operation = || -> Result<Node> {
                let from = rng.random_range(0..states.len());
                let stride = if from == 0 { stride } else { 1 };
                let x = &states[from];
                let made = match rng.random_range(0..4) {
                    0 => x.max_pool2d([3, 3], &same(stride))?,
                    1 => x.avg_pool2d([3, 3], &same(stride))?,
                    size => {
                        let kernel = [2 * size - 1; 2];
                        let x = x.activation(Activation::Relu);
                        let x = x.separable_conv2d(filters, kernel, 1, &strided(stride))?;
                        norm(&x)?
                    }
                };
                made.drop_path(DropPath {
                    rate: 0.2,
                    schedule: DropSchedule::Linear,
                })
            };
            let block = operation()?.add(&operation()?)?;
            states.push(block);
        }
        x = Node::concat(&states[1..])?;
    }
    head(&x.activation(Activation::Relu), rng)
}

/// Inverted residuals with squeeze and excitation (arXiv 1905.02244).
fn mbconv(rng: &mut StreamRng) -> Result<Node> {
    let act = pick(
        rng,
        &[Activation::Relu6, Activation::Silu, Activation::HardSwish],
    );
    let stem = image(rng)?.conv2d(16, [3, 3], &strided(1))?;
    let mut x = norm(&stem)?.activation(act);
    for _ in 0..rng.random_range(2..5) {
        let wide = x.shape()[0] * pick(rng, &[1, 3, 6]);
        let stride = pick(rng, &[1, 1, 2]);
        let expanded = norm(&x.conv2d(wide, [1, 1], &strided(1))?)?.activation(act);
        let kernel = [pick(rng, &[3, 5]); 2];
        let deep = expanded.depthwise_conv2d(kernel, 1, &strided(stride))?;
        let mut deep = norm(&deep)?.activation(act);
        if rng.random_bool(0.5) {
            let gate = pick(rng, &[Activation::Sigmoid, Activation::HardSigmoid]);
            deep = deep.squeeze_excite(wide / 4, gate)?;
        }
        let narrow = pick(rng, &[16, 24]);
        let projected = norm(&deep.conv2d(narrow, [1, 1], &strided(1))?)?;
        x = match projected.shape() == x.shape() {
            true => projected.add(&x)?,
            false => projected,
        };
    }
    head(&x, rng)
}

/// Dilated and separable convolutions, pools and identities that are added (arXiv 1806.09055).
fn darts(rng: &mut StreamRng) -> Result<Node> {
    let filters = pick(rng, &[8, 12, 16]);
    let stem = image(rng)?.conv2d(filters, [3, 3], &strided(1))?;
    let mut states = vec![norm(&stem)?];
    for _ in 0..rng.random_range(2..5) {
        let mut edges = Vec::new();
        for state in states.iter().rev().take(3) {
            let x = state.activation(Activation::Relu);
            let dilated = Conv2dOptions {
                dilation: [2, 2],
                ..strided(1)
            };
            edges.push(match rng.random_range(0..5) {
                0 => norm(&x.separable_conv2d(filters, [3, 3], 1, &strided(1))?)?,
                1 => norm(&x.separable_conv2d(filters, [5, 5], 1, &dilated)?)?,
                2 => norm(&state.avg_pool2d([3, 3], &same(1))?)?,
                3 => norm(&state.max_pool2d([3, 3], &same(1))?)?,
                _ => state.clone(),
            });
        }
        states.push(Node::sum(&edges)?);
    }
    head(&Node::concat(&states[1..])?, rng)
}

/// Everything else: transposed and grouped convolutions, other normalisations, resizing, shuffles.
fn mixed(rng: &mut StreamRng) -> Result<Node> {
    let stem = image(rng)?.conv2d(16, [3, 3], &Conv2dOptions::default())?;
    let mut x = stem.activation(pick(rng, &[Activation::Tanh, Activation::Gelu]));
    for _ in 0..rng.random_range(2..5) {
        let grouped = Conv2dOptions {
            groups: 4,
            ..Conv2dOptions::default()
        };
        let [height, width] = [x.shape()[1], x.shape()[2]];
        x = match rng.random_range(0..6) {
            0 => x.layer_norm(1e-6)?.activation(Activation::Gelu),
            1 => x.group_norm(4, 1e-5)?.activation(Activation::Silu),
            2 => x
                .conv2d(x.shape()[0] + 8, [3, 3], &grouped)?
                .channel_shuffle(4)?,
            3 => {
                let down = x.conv2d(24, [3, 3], &strided(2))?;
                let up = down.conv_transpose2d(16, [3, 3], &strided(2))?;
                up.resize([height, width], Interpolation::Bilinear)?
            }
            4 => x.resize([height + 3, width + 3], Interpolation::Nearest)?,
            _ => {
                let gate = x.conv2d(x.shape()[0], [1, 1], &Conv2dOptions::default())?;
                x.multiply(&gate.activation(Activation::Sigmoid))?
            }
        };
    }
    head(&x, rng)
}
