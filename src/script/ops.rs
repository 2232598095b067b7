//! The operations of child networks for scripts: a functional graph, one method an operation.

use rhai::plugin::*;
use rhai::{Array, Dynamic, Engine, Map};

use super::attributes::{self, EPSILON, conv2d_options, option, pool_options};
use super::manager::number;
use super::network::nodes_of;
use super::options::Options;
use super::space::count;
use super::{Scripted, raise};
use crate::error::Error;
use crate::network::{
    Activation, BatchNormOptions, DenseOptions, DropPath, DropSchedule, Interpolation, Node,
};

pub(super) fn register(engine: &mut Engine) {
    engine.register_global_module(exported_module!(graph).into());
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

    /// The same network; what is applied from here on stands in the scope `name`, until another is given. Scopes
    /// change nothing about a network: with `shared_weights` they say which layers of different networks are
    /// the same.
    ///
    /// ```rhai
    /// let x = input([3, 32, 32]).scope("stem").conv2d(16, 3).relu();
    /// let net = x.scope("layer 1/wide").conv2d(16, 5).relu().scope("head").global_avg_pool().dense(10);
    /// ```
    #[rhai_fn(pure)]
    pub fn scope(x: &mut Node, name: &str) -> Node {
        x.scope(name)
    }

    /// Convolves with so many filters of `kernel` pixels (an integer, or `[height, width]`).
    ///
    /// ```rhai
    /// let x = input([3, 32, 32]).conv2d(16, 3);
    /// print(x.shape);   // [16, 32, 32]
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn conv2d(x: &mut Node, filters: i64, kernel: Dynamic) -> Scripted<Node> {
        conv2d_with(x, filters, kernel, Map::new())
    }

    /// Options:
    /// - `stride` (1): pixels from one window to the next, or `[rows, columns]`.
    /// - `padding` ("same"): zeros so that a stride of 1 keeps the size, or "valid", none.
    /// - `dilation` (1): pixels from one weight to the next, or `[rows, columns]`.
    /// - `groups` (1): groups of channels that are convolved apart; divides the channels and the filters.
    /// - `bias` (true): whether a bias is added.
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
        let kernel = attributes::kernel("conv2d", &kernel)?;
        let (options, _) = conv2d_options("conv2d", &options)?;
        x.conv2d(filters, kernel, &options).map_err(raise)
    }

    /// A convolution backwards, which makes images larger by its stride.
    #[rhai_fn(return_raw, pure)]
    pub fn conv_transpose2d(x: &mut Node, filters: i64, kernel: Dynamic) -> Scripted<Node> {
        conv_transpose2d_with(x, filters, kernel, Map::new())
    }

    /// Options are those of `conv2d`, backwards: `padding` "same" gives `input · stride` pixels a side, "valid" what
    /// `conv2d` would make the input of.
    ///
    /// ```rhai
    /// let x = input([8, 7, 7]).conv_transpose2d(4, 3, #{ stride: 2 });
    /// print(x.shape);   // [4, 14, 14]
    /// ```
    #[rhai_fn(name = "conv_transpose2d", return_raw, pure)]
    pub fn conv_transpose2d_with(
        x: &mut Node,
        filters: i64,
        kernel: Dynamic,
        options: Map,
    ) -> Scripted<Node> {
        let filters = count("conv_transpose2d: filters", filters)?;
        let kernel = attributes::kernel("conv_transpose2d", &kernel)?;
        let (options, _) = conv2d_options("conv_transpose2d", &options)?;
        x.conv_transpose2d(filters, kernel, &options).map_err(raise)
    }

    /// Convolves each channel by itself.
    #[rhai_fn(return_raw, pure)]
    pub fn depthwise_conv2d(x: &mut Node, kernel: Dynamic) -> Scripted<Node> {
        depthwise_conv2d_with(x, kernel, Map::new())
    }

    /// Options:
    /// - `multiplier` (1): kernels a channel.
    /// - `stride` (1): pixels from one window to the next, or `[rows, columns]`.
    /// - `padding` ("same"): zeros so that a stride of 1 keeps the size, or "valid", none.
    /// - `dilation` (1): pixels from one weight to the next, or `[rows, columns]`.
    /// - `bias` (true): whether a bias is added.
    ///
    /// ```rhai
    /// let x = input([32, 14, 14]).depthwise_conv2d(5, #{ stride: 2, bias: false });
    /// ```
    #[rhai_fn(name = "depthwise_conv2d", return_raw, pure)]
    pub fn depthwise_conv2d_with(x: &mut Node, kernel: Dynamic, options: Map) -> Scripted<Node> {
        let kernel = attributes::kernel("depthwise_conv2d", &kernel)?;
        let (options, multiplier) = conv2d_options("depthwise_conv2d", &options)?;
        x.depthwise_conv2d(kernel, multiplier, &options)
            .map_err(raise)
    }

    /// Convolves each channel by itself, then mixes them with a 1×1 convolution: a depthwise-separable convolution
    /// (arXiv 1610.02357).
    #[rhai_fn(return_raw, pure)]
    pub fn separable_conv2d(x: &mut Node, filters: i64, kernel: Dynamic) -> Scripted<Node> {
        separable_conv2d_with(x, filters, kernel, Map::new())
    }

    /// Options are those of `depthwise_conv2d`; the bias is that of the 1×1 convolution.
    ///
    /// ```rhai
    /// let x = input([16, 14, 14]).relu().separable_conv2d(32, 5, #{ bias: false }).batch_norm();
    /// ```
    #[rhai_fn(name = "separable_conv2d", return_raw, pure)]
    pub fn separable_conv2d_with(
        x: &mut Node,
        filters: i64,
        kernel: Dynamic,
        options: Map,
    ) -> Scripted<Node> {
        let filters = count("separable_conv2d: filters", filters)?;
        let kernel = attributes::kernel("separable_conv2d", &kernel)?;
        let (options, multiplier) = conv2d_options("separable_conv2d", &options)?;
        let made = x.separable_conv2d(filters, kernel, multiplier, &options);
        made.map_err(raise)
    }

    /// Scales each channel by a factor that a bottleneck of so many units computes from the averages
    /// of all channels (arXiv 1709.01507).
    #[rhai_fn(return_raw, pure)]
    pub fn squeeze_excite(x: &mut Node, units: i64) -> Scripted<Node> {
        squeeze_excite_with(x, units, Map::new())
    }

    /// Options:
    /// - `gate` ("sigmoid"): the function of the factors, as of `activation`; "hard_sigmoid" in MobileNetV3.
    ///
    /// ```rhai
    /// let x = input([64, 14, 14]).squeeze_excite(16, #{ gate: "hard_sigmoid" });
    /// ```
    #[rhai_fn(name = "squeeze_excite", return_raw, pure)]
    pub fn squeeze_excite_with(x: &mut Node, units: i64, options: Map) -> Scripted<Node> {
        let units = count("squeeze_excite: units", units)?;
        let gate = option("squeeze_excite", &options, "gate")?;
        let gate = gate.unwrap_or(Activation::Sigmoid);
        x.squeeze_excite(units, gate).map_err(raise)
    }

    /// The maximum of each window of `kernel` pixels.
    ///
    /// ```rhai
    /// let x = input([3, 32, 32]).max_pool2d(2);
    /// print(x.shape);   // [3, 16, 16]
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn max_pool2d(x: &mut Node, kernel: Dynamic) -> Scripted<Node> {
        max_pool2d_with(x, kernel, Map::new())
    }

    /// Options:
    /// - `stride` (the kernel): pixels from one window to the next, or `[rows, columns]`.
    /// - `padding` ("valid"): none, or "same".
    ///
    /// ```rhai
    /// let x = input([3, 32, 32]).max_pool2d(3, #{ stride: 2, padding: "same" });
    /// ```
    #[rhai_fn(name = "max_pool2d", return_raw, pure)]
    pub fn max_pool2d_with(x: &mut Node, kernel: Dynamic, options: Map) -> Scripted<Node> {
        let kernel = attributes::kernel("max_pool2d", &kernel)?;
        let options = pool_options("max_pool2d", &options)?;
        x.max_pool2d(kernel, &options).map_err(raise)
    }

    /// The average of each window of `kernel` pixels; padding does not count.
    ///
    /// ```rhai
    /// let x = input([3, 32, 32]).avg_pool2d(2);
    /// print(x.shape);   // [3, 16, 16]
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn avg_pool2d(x: &mut Node, kernel: Dynamic) -> Scripted<Node> {
        avg_pool2d_with(x, kernel, Map::new())
    }

    /// Options:
    /// - `stride` (the kernel): pixels from one window to the next, or `[rows, columns]`.
    /// - `padding` ("valid"): none, or "same".
    ///
    /// ```rhai
    /// let x = input([3, 32, 32]).avg_pool2d(3, #{ stride: 2, padding: "same" });
    /// ```
    #[rhai_fn(name = "avg_pool2d", return_raw, pure)]
    pub fn avg_pool2d_with(x: &mut Node, kernel: Dynamic, options: Map) -> Scripted<Node> {
        let kernel = attributes::kernel("avg_pool2d", &kernel)?;
        let options = pool_options("avg_pool2d", &options)?;
        x.avg_pool2d(kernel, &options).map_err(raise)
    }

    /// The average of each channel: `[c, h, w]` to `[c]`.
    ///
    /// ```rhai
    /// let x = input([16, 8, 8]).global_avg_pool();
    /// print(x.shape);   // [16]
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn global_avg_pool(x: &mut Node) -> Scripted<Node> {
        x.global_avg_pool().map_err(raise)
    }

    /// All values in a row: `[c, h, w]` to `[c · h · w]`.
    ///
    /// ```rhai
    /// let x = input([16, 8, 8]).flatten();
    /// print(x.shape);   // [1024]
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn flatten(x: &mut Node) -> Scripted<Node> {
        x.flatten().map_err(raise)
    }

    /// A fully connected layer of so many units.
    ///
    /// ```rhai
    /// let x = input([1, 8, 8]).flatten().dense(10);
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn dense(x: &mut Node, units: i64) -> Scripted<Node> {
        dense_with(x, units, Map::new())
    }

    /// Options:
    /// - `bias` (true): whether a bias is added.
    ///
    /// ```rhai
    /// let x = input([64]).dense(10, #{ bias: false });
    /// print(x.params);   // 640
    /// ```
    #[rhai_fn(name = "dense", return_raw, pure)]
    pub fn dense_with(x: &mut Node, units: i64, options: Map) -> Scripted<Node> {
        let units = count("dense: units", units)?;
        let options: DenseOptions = Options::new("dense", &options)?.all()?;
        x.dense(units, &options).map_err(raise)
    }

    /// Normalises each channel by the batch's statistics, then scales and shifts it.
    ///
    /// ```rhai
    /// let x = input([3, 32, 32]).conv2d(16, 3, #{ bias: false }).batch_norm().relu();
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn batch_norm(x: &mut Node) -> Scripted<Node> {
        batch_norm_with(x, Map::new())
    }

    /// Options:
    /// - `momentum` (0.1): weight of the newest batch in the running statistics, as in PyTorch.
    /// - `epsilon` (0.00001): added to variances.
    ///
    /// ```rhai
    /// let x = input([3, 32, 32]).batch_norm(#{ momentum: 0.01, epsilon: 1e-3 });
    /// ```
    #[rhai_fn(name = "batch_norm", return_raw, pure)]
    pub fn batch_norm_with(x: &mut Node, options: Map) -> Scripted<Node> {
        let options: BatchNormOptions = Options::new("batch_norm", &options)?.all()?;
        x.batch_norm(&options).map_err(raise)
    }

    /// Normalises the channels of each pixel (or the features), then scales and shifts them.
    ///
    /// ```rhai
    /// let x = input([64]).dense(32).layer_norm();
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn layer_norm(x: &mut Node) -> Scripted<Node> {
        layer_norm_with(x, Map::new())
    }

    /// Layer normalisation (arXiv 1607.06450).
    ///
    /// Options:
    /// - `epsilon` (0.00001): added to variances.
    ///
    /// ```rhai
    /// let x = input([64]).dense(32).layer_norm(#{ epsilon: 1e-6 });
    /// ```
    #[rhai_fn(name = "layer_norm", return_raw, pure)]
    pub fn layer_norm_with(x: &mut Node, options: Map) -> Scripted<Node> {
        let epsilon = option("layer_norm", &options, "epsilon")?;
        x.layer_norm(epsilon.unwrap_or(EPSILON)).map_err(raise)
    }

    /// Normalises each group of channels, then scales and shifts them.
    ///
    /// ```rhai
    /// let x = input([16, 8, 8]).group_norm(4);
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn group_norm(x: &mut Node, groups: i64) -> Scripted<Node> {
        group_norm_with(x, groups, Map::new())
    }

    /// Group normalisation (arXiv 1803.08494).
    ///
    /// Options:
    /// - `epsilon` (0.00001): added to variances.
    ///
    /// ```rhai
    /// let x = input([3, 32, 32]).conv2d(32, 3).group_norm(8).relu();
    /// ```
    #[rhai_fn(name = "group_norm", return_raw, pure)]
    pub fn group_norm_with(x: &mut Node, groups: i64, options: Map) -> Scripted<Node> {
        let groups = count("group_norm: groups", groups)?;
        let epsilon = option("group_norm", &options, "epsilon")?;
        x.group_norm(groups, epsilon.unwrap_or(EPSILON))
            .map_err(raise)
    }

    /// Drops each value with probability `rate` in training.
    ///
    /// ```rhai
    /// let x = input([64]).dense(32).relu().dropout(0.5).dense(10);
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn dropout(x: &mut Node, rate: Dynamic) -> Scripted<Node> {
        x.dropout(number("dropout: rate", &rate)?).map_err(raise)
    }

    /// Drops the whole branch with probability `rate` for each image in training.
    ///
    /// ```rhai
    /// let x = input([16, 8, 8]);
    /// let y = x + x.conv2d(16, 3).batch_norm().drop_path(0.2);
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn drop_path(x: &mut Node, rate: Dynamic) -> Scripted<Node> {
        drop_path_with(x, rate, Map::new())
    }

    /// Options:
    /// - `schedule` ("constant"): "linear" raises the rate from 0 to `rate` over the training: ScheduledDropPath
    ///   (arXiv 1707.07012).
    ///
    /// ```rhai
    /// let x = input([16, 8, 8]);
    /// let y = x.conv2d(16, 3).batch_norm().drop_path(0.3, #{ schedule: "linear" }) + x;
    /// ```
    #[rhai_fn(name = "drop_path", return_raw, pure)]
    pub fn drop_path_with(x: &mut Node, rate: Dynamic, options: Map) -> Scripted<Node> {
        let rate = number("drop_path: rate", &rate)?;
        let schedule: Option<DropSchedule> = option("drop_path", &options, "schedule")?;
        let schedule = schedule.unwrap_or_default();
        x.drop_path(DropPath { rate, schedule }).map_err(raise)
    }

    /// Adds a border of zeros: `n` pixels on every side, `[rows, columns]` on both sides of each, or
    /// `[[top, bottom], [left, right]]`.
    ///
    /// ```rhai
    /// let x = input([3, 32, 32]).zero_pad2d([[0, 1], [0, 1]]);
    /// print(x.shape);   // [3, 33, 33]
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn zero_pad2d(x: &mut Node, border: Dynamic) -> Scripted<Node> {
        let sides = attributes::border("zero_pad2d: border", &border)?;
        x.zero_pad2d(sides).map_err(raise)
    }

    /// Cuts a border off, which is given as for `zero_pad2d`.
    ///
    /// ```rhai
    /// let x = input([3, 32, 32]).crop2d([[1, 0], [1, 0]]);
    /// print(x.shape);   // [3, 31, 31]
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn crop2d(x: &mut Node, border: Dynamic) -> Scripted<Node> {
        let sides = attributes::border("crop2d: border", &border)?;
        x.crop2d(sides).map_err(raise)
    }

    /// Scales an image to a size: a number of pixels a side, or `[height, width]`.
    #[rhai_fn(return_raw, pure)]
    pub fn resize(x: &mut Node, size: Dynamic) -> Scripted<Node> {
        resize_with(x, size, Map::new())
    }

    /// Options:
    /// - `mode` ("nearest"): or "bilinear".
    ///
    /// ```rhai
    /// let x = input([3, 32, 32]).resize([48, 64], #{ mode: "bilinear" });
    /// ```
    #[rhai_fn(name = "resize", return_raw, pure)]
    pub fn resize_with(x: &mut Node, size: Dynamic, options: Map) -> Scripted<Node> {
        let mode: Option<Interpolation> = option("resize", &options, "mode")?;
        let size = attributes::pair("resize: size", &size)?;
        x.resize(size, mode.unwrap_or_default()).map_err(raise)
    }

    /// Interleaves the channels of so many groups (arXiv 1707.01083).
    ///
    /// ```rhai
    /// let x = input([24, 8, 8]).conv2d(24, 1, #{ groups: 3 }).channel_shuffle(3);
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn channel_shuffle(x: &mut Node, groups: i64) -> Scripted<Node> {
        let groups = count("channel_shuffle: groups", groups)?;
        x.channel_shuffle(groups).map_err(raise)
    }

    /// The node as it is: a layer that changes nothing.
    ///
    /// ```rhai
    /// let x = input([16, 8, 8]);
    /// let branch = if param("skip", true, "skip the layer") { x.identity() } else { x.conv2d(16, 3) };
    /// ```
    #[rhai_fn(pure)]
    pub fn identity(x: &mut Node) -> Node {
        x.clone()
    }

    /// Applies a function by its name: "relu", "gelu", "silu", "tanh", "sigmoid", "relu6",
    /// "hard_sigmoid" or "hard_swish".
    ///
    /// ```rhai
    /// let x = input([3, 32, 32]).conv2d(16, 3).activation("hard_swish");
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn activation(x: &mut Node, name: &str) -> Scripted<Node> {
        let named = Activation::ALL.into_iter().find(|a| a.name() == name);
        let names = Activation::ALL.map(Activation::name);
        let unknown = || raise(Error::unknown("activation", name, names));
        named.map(|a| x.activation(a)).ok_or_else(unknown)
    }

    /// `min(max(x, 0), 6)`.
    ///
    /// ```rhai
    /// let x = input([3, 32, 32]).conv2d(16, 3).relu6();
    /// ```
    #[rhai_fn(pure)]
    pub fn relu6(x: &mut Node) -> Node {
        x.activation(Activation::Relu6)
    }

    /// `min(max(x / 6 + 1/2, 0), 1)`.
    ///
    /// ```rhai
    /// let x = input([16]).dense(16).hard_sigmoid();
    /// ```
    #[rhai_fn(pure)]
    pub fn hard_sigmoid(x: &mut Node) -> Node {
        x.activation(Activation::HardSigmoid)
    }

    /// `x · hard_sigmoid(x)` (arXiv 1905.02244).
    ///
    /// ```rhai
    /// let x = input([3, 32, 32]).conv2d(16, 3).hard_swish();
    /// ```
    #[rhai_fn(pure)]
    pub fn hard_swish(x: &mut Node) -> Node {
        x.activation(Activation::HardSwish)
    }

    /// `max(x, 0)`.
    ///
    /// ```rhai
    /// let x = input([3, 32, 32]).conv2d(16, 3).relu();
    /// ```
    #[rhai_fn(pure)]
    pub fn relu(x: &mut Node) -> Node {
        x.activation(Activation::Relu)
    }

    /// `x · Φ(x)` (arXiv 1606.08415).
    ///
    /// ```rhai
    /// let x = input([64]).dense(32).gelu();
    /// ```
    #[rhai_fn(pure)]
    pub fn gelu(x: &mut Node) -> Node {
        x.activation(Activation::Gelu)
    }

    /// `x · sigmoid(x)` (arXiv 1710.05941).
    ///
    /// ```rhai
    /// let x = input([3, 32, 32]).conv2d(16, 3).silu();
    /// ```
    #[rhai_fn(pure)]
    pub fn silu(x: &mut Node) -> Node {
        x.activation(Activation::Silu)
    }

    /// The hyperbolic tangent.
    ///
    /// ```rhai
    /// let x = input([64]).dense(32).tanh();
    /// ```
    #[rhai_fn(pure)]
    pub fn tanh(x: &mut Node) -> Node {
        x.activation(Activation::Tanh)
    }

    /// `1 / (1 + exp(-x))`.
    ///
    /// ```rhai
    /// let x = input([16]).dense(16).sigmoid();
    /// ```
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

    /// The sum of nodes of one shape.
    ///
    /// ```rhai
    /// let x = input([16, 8, 8]);
    /// let y = add([x, x.conv2d(16, 1), x.conv2d(16, 3)]);
    /// ```
    #[rhai_fn(name = "add", return_raw)]
    pub fn sum(nodes: Array) -> Scripted<Node> {
        nodes_of("add", nodes).and_then(|nodes| Node::sum(&nodes).map_err(raise))
    }

    /// The product of two nodes of one shape, or of an image and one factor a channel.
    ///
    /// ```rhai
    /// let x = input([16, 8, 8]);
    /// let y = x * x.global_avg_pool().dense(16).sigmoid();
    /// ```
    #[rhai_fn(name = "*", return_raw, pure)]
    pub fn multiply(x: &mut Node, other: Node) -> Scripted<Node> {
        x.multiply(&other).map_err(raise)
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

    /// The input of a layer that reads the earlier layers `chosen` (arXiv 1611.01578, §3.3): they are
    /// padded with zeros to one size and concatenated; a layer that chose none reads the image.
    /// `nodes` are the image and then the outputs of all earlier layers.
    ///
    /// ```rhai
    /// let space = StateSpace();
    /// space.add_state("filters", [16, 32]);
    /// space.add_anchor("skip");
    /// fn model(actions) {
    ///     let nodes = [input([3, 32, 32])];
    ///     for layer in actions.layers {
    ///         nodes.push(skips(nodes, layer.skip).conv2d(layer.filters, 3).relu());
    ///     }
    ///     concat_padded(unread(nodes)).global_avg_pool().dense(10)
    /// }
    /// print(model(space.actions([16, [], 32, [0], 16, [0, 1]])));
    /// ```
    #[rhai_fn(return_raw)]
    pub fn skips(nodes: Array, chosen: Array) -> Scripted<Node> {
        let nodes = nodes_of("skips", nodes)?;
        let layer = |n: Dynamic| {
            let invalid = |found| raise(Error::invalid("skips", "indices of layers", found));
            n.as_int()
                .map_err(invalid)
                .and_then(|n| count("skips: layer", n))
        };
        let chosen: Vec<usize> = chosen.into_iter().map(layer).collect::<Scripted<_>>()?;
        Node::skips(&nodes, &chosen).map_err(raise)
    }

    /// Images side by side along their channels, each padded with zeros to the largest height and
    /// width.
    ///
    /// ```rhai
    /// let x = input([3, 32, 32]);
    /// print(concat_padded([x, x.max_pool2d(2)]).shape);   // [6, 32, 32]
    /// ```
    #[rhai_fn(return_raw)]
    pub fn concat_padded(nodes: Array) -> Scripted<Node> {
        let nodes = nodes_of("concat_padded", nodes)?;
        Node::concat_padded(&nodes).map_err(raise)
    }

    /// Those of the nodes that no other of them depends on, in their order.
    ///
    /// ```rhai
    /// let x = input([3, 32, 32]);
    /// let a = x.conv2d(16, 3);
    /// let b = a.conv2d(16, 3);
    /// let c = x.conv2d(16, 1);
    /// print(unread([a, b, c]).len);   // 2: b and c
    /// ```
    #[rhai_fn(return_raw)]
    pub fn unread(nodes: Array) -> Scripted<Array> {
        let nodes = Node::unread(&nodes_of("unread", nodes)?);
        Ok(nodes.into_iter().map(Dynamic::from).collect())
    }
}
