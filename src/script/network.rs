//! Child networks for scripts: a functional graph, one method an operation.

use rhai::plugin::*;
use rhai::{Array, Dynamic, Engine, Map};

use super::options::Options;
use super::space::count;
use super::{Scripted, raise};
use crate::error::Error;
use crate::network::{
    Activation, BatchNormOptions, Conv2dOptions, DenseOptions, Network, Node, Padding, PoolOptions,
};

pub(super) fn register(engine: &mut Engine) {
    engine.register_type_with_name::<Node>("Network");
    engine.register_global_module(exported_module!(graph).into());
    engine.register_global_module(exported_module!(facts).into());
}

/// A size or a step: a whole number from 1, or one for the height and one for the width.
#[derive(Clone, Copy, serde::Deserialize)]
#[serde(untagged, expecting = "a whole number from 1, or [height, width]")]
enum Pair {
    Square(usize),
    Sides([usize; 2]),
}

impl Pair {
    fn sides(self) -> [usize; 2] {
        match self {
            Self::Square(side) => [side, side],
            Self::Sides(sides) => sides,
        }
    }
}

/// The kernel argument of `what`: an integer or `[height, width]`.
fn kernel(what: &str, kernel: &Dynamic) -> Scripted<[usize; 2]> {
    let pair: Option<Pair> = rhai::serde::from_dynamic(kernel).ok();
    let invalid = || {
        let expected = "a whole number from 1, or [height, width]";
        raise(Error::invalid(format!("{what}: kernel"), expected, kernel))
    };
    pair.map(Pair::sides).ok_or_else(invalid)
}

#[derive(Default, serde::Deserialize)]
#[serde(default)]
struct Conv2dArguments {
    stride: Option<Pair>,
    padding: Option<Padding>,
    dilation: Option<Pair>,
    groups: Option<usize>,
    bias: Option<bool>,
}

const CONV2D: &[&str] = &["stride", "padding", "dilation", "groups", "bias"];

fn conv2d_options(map: &Map) -> Scripted<Conv2dOptions> {
    let given: Conv2dArguments = Options::new("conv2d", map, &[CONV2D])?.part(CONV2D)?;
    let default = Conv2dOptions::default();
    Ok(Conv2dOptions {
        stride: given.stride.map_or(default.stride, Pair::sides),
        padding: given.padding.unwrap_or(default.padding),
        dilation: given.dilation.map_or(default.dilation, Pair::sides),
        groups: given.groups.unwrap_or(default.groups),
        bias: given.bias.unwrap_or(default.bias),
    })
}

#[derive(Default, serde::Deserialize)]
#[serde(default)]
struct PoolArguments {
    stride: Option<Pair>,
    padding: Option<Padding>,
}

const POOL: &[&str] = &["stride", "padding"];

fn pool_options(of: &str, map: &Map) -> Scripted<PoolOptions> {
    let given: PoolArguments = Options::new(of, map, &[POOL])?.part(POOL)?;
    Ok(PoolOptions {
        stride: given.stride.map(Pair::sides),
        padding: given.padding.unwrap_or(PoolOptions::default().padding),
    })
}

#[export_module]
mod graph {
    /// The image that enters a network: `input([channels, height, width])`, or
    /// `input([features])`.
    ///
    /// ```rhai
    /// let net = input([3, 32, 32]).conv2d(16, 3).relu().global_avg_pool().dense(10);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn input(shape: Array) -> Scripted<Node> {
        let side = |n: &Dynamic| {
            let expected = "whole numbers from 1";
            let invalid = |_| raise(Error::invalid("input: shape", expected, n));
            n.as_int()
                .map_err(invalid)
                .and_then(|n| count("input: shape", n))
        };
        let shape: Vec<usize> = shape.iter().map(side).collect::<Scripted<_>>()?;
        Node::input(&shape).map_err(raise)
    }

    /// Convolves with so many filters of `kernel` pixels (an integer, or `[height, width]`).
    #[rhai_fn(return_raw, pure)]
    pub fn conv2d(x: &mut Node, filters: i64, kernel: Dynamic) -> Scripted<Node> {
        conv2d_with(x, filters, kernel, Map::new())
    }

    /// Convolves with options: `stride` (1), `padding` ("same" or "valid"; "same"), `dilation`
    /// (1), `groups` (1), `bias` (true).
    ///
    /// ```rhai
    /// let x = input([3, 32, 32]).conv2d(16, [1, 7], #{ stride: 2, padding: "same" });
    /// ```
    #[rhai_fn(name = "conv2d", return_raw, pure)]
    pub fn conv2d_with(
        x: &mut Node,
        filters: i64,
        kernel: Dynamic,
        options: Map,
    ) -> Scripted<Node> {
        let filters = count("conv2d: filters", filters)?;
        let kernel = super::kernel("conv2d", &kernel)?;
        let options = conv2d_options(&options)?;
        x.conv2d(filters, kernel, &options).map_err(raise)
    }

    /// The maximum of each window of `kernel` pixels.
    #[rhai_fn(return_raw, pure)]
    pub fn max_pool2d(x: &mut Node, kernel: Dynamic) -> Scripted<Node> {
        max_pool2d_with(x, kernel, Map::new())
    }

    /// The maximum of each window, with options: `stride` (the kernel), `padding` ("valid").
    ///
    /// ```rhai
    /// let x = input([3, 32, 32]).max_pool2d(3, #{ stride: 2, padding: "same" });
    /// ```
    #[rhai_fn(name = "max_pool2d", return_raw, pure)]
    pub fn max_pool2d_with(x: &mut Node, kernel: Dynamic, options: Map) -> Scripted<Node> {
        let kernel = super::kernel("max_pool2d", &kernel)?;
        let options = pool_options("max_pool2d", &options)?;
        x.max_pool2d(kernel, &options).map_err(raise)
    }

    /// The average of each window of `kernel` pixels; padding does not count.
    #[rhai_fn(return_raw, pure)]
    pub fn avg_pool2d(x: &mut Node, kernel: Dynamic) -> Scripted<Node> {
        avg_pool2d_with(x, kernel, Map::new())
    }

    /// The average of each window, with options: `stride` (the kernel), `padding` ("valid").
    #[rhai_fn(name = "avg_pool2d", return_raw, pure)]
    pub fn avg_pool2d_with(x: &mut Node, kernel: Dynamic, options: Map) -> Scripted<Node> {
        let kernel = super::kernel("avg_pool2d", &kernel)?;
        let options = pool_options("avg_pool2d", &options)?;
        x.avg_pool2d(kernel, &options).map_err(raise)
    }

    /// The average of each channel: `[c, h, w]` to `[c]`.
    #[rhai_fn(return_raw, pure)]
    pub fn global_avg_pool(x: &mut Node) -> Scripted<Node> {
        x.global_avg_pool().map_err(raise)
    }

    /// All values in a row: `[c, h, w]` to `[c · h · w]`.
    #[rhai_fn(return_raw, pure)]
    pub fn flatten(x: &mut Node) -> Scripted<Node> {
        x.flatten().map_err(raise)
    }

    /// A fully connected layer of so many units.
    #[rhai_fn(return_raw, pure)]
    pub fn dense(x: &mut Node, units: i64) -> Scripted<Node> {
        dense_with(x, units, Map::new())
    }

    /// A fully connected layer with the option `bias` (true).
    #[rhai_fn(name = "dense", return_raw, pure)]
    pub fn dense_with(x: &mut Node, units: i64, options: Map) -> Scripted<Node> {
        let units = count("dense: units", units)?;
        let options: DenseOptions =
            Options::new("dense", &options, &[&["bias"]])?.part(&["bias"])?;
        x.dense(units, &options).map_err(raise)
    }

    /// Normalises each channel by the batch's statistics, then scales and shifts it.
    #[rhai_fn(return_raw, pure)]
    pub fn batch_norm(x: &mut Node) -> Scripted<Node> {
        batch_norm_with(x, Map::new())
    }

    /// Batch normalisation with options: `momentum` (0.1, the weight of the newest batch, as in
    /// PyTorch), `epsilon` (1e-5).
    #[rhai_fn(name = "batch_norm", return_raw, pure)]
    pub fn batch_norm_with(x: &mut Node, options: Map) -> Scripted<Node> {
        const NAMES: &[&str] = &["momentum", "epsilon"];
        let options: BatchNormOptions =
            Options::new("batch_norm", &options, &[NAMES])?.part(NAMES)?;
        x.batch_norm(&options).map_err(raise)
    }

    /// Drops each value with probability `rate` in training.
    #[rhai_fn(return_raw, pure)]
    pub fn dropout(x: &mut Node, rate: Dynamic) -> Scripted<Node> {
        let rate = super::super::manager::number("dropout: rate", &rate)?;
        x.dropout(rate).map_err(raise)
    }

    /// `max(x, 0)`.
    #[rhai_fn(pure)]
    pub fn relu(x: &mut Node) -> Node {
        x.activation(Activation::Relu)
    }

    /// `x · Φ(x)` (arXiv 1606.08415).
    #[rhai_fn(pure)]
    pub fn gelu(x: &mut Node) -> Node {
        x.activation(Activation::Gelu)
    }

    /// `x · sigmoid(x)` (arXiv 1710.05941).
    #[rhai_fn(pure)]
    pub fn silu(x: &mut Node) -> Node {
        x.activation(Activation::Silu)
    }

    /// The hyperbolic tangent.
    #[rhai_fn(pure)]
    pub fn tanh(x: &mut Node) -> Node {
        x.activation(Activation::Tanh)
    }

    /// `1 / (1 + exp(-x))`.
    #[rhai_fn(pure)]
    pub fn sigmoid(x: &mut Node) -> Node {
        x.activation(Activation::Sigmoid)
    }

    /// The sum of two nodes of one shape.
    ///
    /// ```rhai
    /// let x = input([16, 8, 8]);
    /// let y = x.conv2d(16, 3).relu() + x;
    /// ```
    #[rhai_fn(name = "+", return_raw, pure)]
    pub fn add(x: &mut Node, other: Node) -> Scripted<Node> {
        x.add(&other).map_err(raise)
    }

    /// Nodes side by side, along their channels.
    ///
    /// ```rhai
    /// let x = input([16, 8, 8]);
    /// let y = concat([x.conv2d(8, 1), x.conv2d(8, 3)]);
    /// ```
    #[rhai_fn(return_raw)]
    pub fn concat(nodes: Array) -> Scripted<Node> {
        nodes_of("concat", nodes).and_then(|nodes| Node::concat(&nodes).map_err(raise))
    }
}

/// The networks of an array.
pub(super) fn nodes_of(what: &str, nodes: Array) -> Scripted<Vec<Node>> {
    let node = |node: Dynamic| {
        let found = node.type_name();
        let invalid = || raise(Error::invalid(what, "networks", found));
        node.try_cast::<Node>().ok_or_else(invalid)
    };
    nodes.into_iter().map(node).collect()
}

#[export_module]
mod facts {
    /// The number of trainable parameters.
    #[rhai_fn(get = "params", return_raw, pure)]
    pub fn params(net: &mut Node) -> Scripted<i64> {
        whole(net).map(|net| net.params() as i64)
    }

    /// Multiply-accumulate operations for one image.
    #[rhai_fn(get = "macs", return_raw, pure)]
    pub fn macs(net: &mut Node) -> Scripted<i64> {
        whole(net).map(|net| net.macs() as i64)
    }

    /// The shape at this point: `[channels, height, width]` or `[features]`.
    #[rhai_fn(get = "shape", pure)]
    pub fn shape(net: &mut Node) -> Array {
        let sides = net.shape().iter();
        sides.map(|n| Dynamic::from_int(*n as i64)).collect()
    }

    /// The same for every network that computes the same up to the order of its nodes.
    #[rhai_fn(get = "digest", return_raw, pure)]
    pub fn digest(net: &mut Node) -> Scripted<String> {
        whole(net).map(|net| net.digest().to_string())
    }

    /// The network as a table: node, output shape, parameters, MACs.
    #[rhai_fn(
        name = "to_string",
        name = "print",
        name = "to_debug",
        name = "debug",
        return_raw,
        pure
    )]
    pub fn show(net: &mut Node) -> Scripted<String> {
        whole(net).map(|net| net.to_string().trim_end().into())
    }
}

/// The network that ends in `node`.
pub(super) fn whole(node: &Node) -> Scripted<Network> {
    Network::from_output(node).map_err(raise)
}
