//! Child networks for scripts: what is known of a network before it is trained.

use std::sync::Arc;

use rhai::plugin::*;
use rhai::{Array, Dynamic, Engine, Map, NativeCallContext};

use super::limits::guard;
use super::options::Options;
use super::{Host, Scripted, raise};
use crate::child;
use crate::device::{self, Selector};
use crate::error::Error;
use crate::network::{Network, Node, TrainingStep};

pub(super) fn register(engine: &mut Engine) {
    engine.register_type_with_name::<Node>("Network");
    engine.register_global_module(exported_module!(facts).into());
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

/// # Network
///
/// A network, or a part of one: what the image has become at this point. Every operation gives a new network and leaves
/// the one before as it is, so that branches can start from it.
///
/// ```rhai
/// let x = input([3, 32, 32]).conv2d(16, 3).batch_norm().relu();
/// let net = (x + x.conv2d(16, 3)).global_avg_pool().dense(10);
/// print(net);                     // a table of its nodes
/// print(net.shape);               // [10]
/// print(net.params);              // trainable parameters
/// print(net.macs);                // multiply-accumulate operations for one image
/// print(net.digest);              // the same for equal networks
/// ```
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

    /// The bytes that training takes at its peak, at a batch size of 128 and with Adam: weights,
    /// gradients, the optimizer's arrays, the best epoch's weights, activations and working space.
    /// An estimate of the CPU's allocations, within 25 %; the data set is not counted.
    ///
    /// ```rhai
    /// let net = input([3, 32, 32]).conv2d(64, 3).relu().flatten().dense(10);
    /// print(`${net.memory / 1_000_000} MB`);
    /// ```
    #[rhai_fn(get = "memory", return_raw, pure)]
    pub fn memory(net: &mut Node) -> Scripted<i64> {
        memory_at(net, &TrainingStep::default())
    }

    /// The bytes that training takes at its peak at a batch size of `batch`, with Adam.
    ///
    /// ```rhai
    /// let net = input([3, 32, 32]).conv2d(64, 3).relu().flatten().dense(10);
    /// print(net.memory(32) < net.memory(64));
    /// ```
    #[rhai_fn(name = "memory", return_raw, pure)]
    pub fn memory_of_batch(net: &mut Node, batch: i64) -> Scripted<i64> {
        let positive = usize::try_from(batch).ok().filter(|&batch| batch > 0);
        let invalid = || Error::invalid("memory: batch", "a whole number from 1", batch);
        let batch = positive.ok_or_else(|| raise(invalid()))?;
        let step = TrainingStep {
            batch,
            ..TrainingStep::default()
        };
        memory_at(net, &step)
    }

    /// The layers with weights (convolutions and dense layers) on the longest path from the input.
    ///
    /// ```rhai
    /// let net = input([3, 32, 32]).conv2d(8, 3).relu().conv2d(8, 3).flatten().dense(10);
    /// print(net.depth); // 3
    /// ```
    #[rhai_fn(get = "depth", return_raw, pure)]
    pub fn depth(net: &mut Node) -> Scripted<i64> {
        whole(net).map(|net| net.depth() as i64)
    }

    /// The height and the width, in pixels of the image, of the window that a pixel of the last
    /// feature map sees (before global pooling, flattening and dense layers), over the branch where
    /// it is largest. It is not cut to the image; factors per channel do not count.
    ///
    /// ```rhai
    /// let net = input([3, 32, 32]).conv2d(8, 3).conv2d(8, [3, 5]).global_avg_pool().dense(10);
    /// print(net.receptive_field); // [5, 7]
    /// ```
    #[rhai_fn(get = "receptive_field", return_raw, pure)]
    pub fn receptive_field(net: &mut Node) -> Scripted<Array> {
        let sides = whole(net)?.receptive_field();
        let side = |n| Dynamic::from_int(n as i64);
        Ok(sides.into_iter().map(side).collect())
    }

    /// The median time, in milliseconds, that the network takes for one image on the session's
    /// device. A measurement: it differs from machine to machine and from run to run, so a search
    /// whose reward uses it cannot be reproduced.
    ///
    /// ```rhai
    /// let net = input([1, 8, 8]).conv2d(4, 3).relu().flatten().dense(10);
    /// print(`${net.latency()} ms`);
    /// ```
    #[rhai_fn(name = "latency", return_raw, pure, volatile)]
    pub fn latency(ctx: NativeCallContext, net: &mut Node) -> Scripted<f64> {
        measured(&ctx, net, &Map::new())
    }

    /// With options, for a batch of images: with initial weights, after a warm-up, the images on the device already.
    /// A resumed study has what it measured the first time.
    ///
    /// Options:
    /// - `device` (the session's): such as "cpu" or "cuda:0".
    /// - `batch` (1): images at a time, from 1.
    /// - `repeats` (20): measurements of which the median is taken, 1 to 100000.
    ///
    /// ```rhai
    /// let net = input([1, 8, 8]).conv2d(4, 3).relu().flatten().dense(10);
    /// print(`${net.latency(#{ device: "cpu", batch: 16, repeats: 5 })} ms`);
    /// ```
    #[rhai_fn(name = "latency", return_raw, pure, volatile)]
    pub fn latency_with(ctx: NativeCallContext, net: &mut Node, options: Map) -> Scripted<f64> {
        measured(&ctx, net, &options)
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

/// The most times that a latency is measured.
const MOST_REPEATS: u64 = 100_000;

fn memory_at(net: &Node, step: &TrainingStep) -> Scripted<i64> {
    let bytes = whole(net)?.memory(step);
    Ok(i64::try_from(bytes).unwrap_or(i64::MAX))
}

#[derive(serde::Deserialize)]
#[serde(default)]
struct LatencyOptions {
    device: Option<String>,
    batch: usize,
    repeats: usize,
}

impl Default for LatencyOptions {
    fn default() -> Self {
        Self {
            device: None,
            batch: 1,
            repeats: 20,
        }
    }
}

fn measured(ctx: &NativeCallContext, net: &Node, options: &Map) -> Scripted<f64> {
    let options: LatencyOptions = Options::new("latency", options)?.all()?;
    let network = whole(net)?;
    let host = Host::of(ctx)?;
    guard("latency: repeats", MOST_REPEATS, options.repeats as u64).map_err(raise)?;
    let step = TrainingStep {
        batch: options.batch.max(1),
        ..TrainingStep::default()
    };
    host.limits().child(&network, &step).map_err(raise)?;
    // A measurement is an answer that no seed determines: a resumed study has the one it had.
    let question = format!(
        "{} on {}, batch {}, repeats {}",
        network.digest(),
        options.device.as_deref().unwrap_or("the session's device"),
        options.batch,
        options.repeats
    );
    let recorded = host.study().lock().recall_fact("latency", &question);
    if let Some(answer) = recorded.map_err(raise)?.and_then(|answer| answer.as_f64()) {
        return Ok(answer);
    }
    let device = match &options.device {
        Some(name) => {
            let selector: Selector = name.parse().map_err(raise)?;
            device::open(selector).map_err(raise)?.device
        }
        None => host.device(),
    };
    let working = host.meter().work();
    working.renews();
    let measured = child::latency(&network, &device, options.batch, options.repeats);
    drop(working);
    let measured = measured.map_err(raise)?;
    let mut study = host.study().lock();
    let noted = study.note("latency", &question, measured.into());
    noted.map(|()| measured).map_err(raise)
}

/// The network that ends in `node`.
pub(super) fn whole(node: &Node) -> Scripted<Arc<Network>> {
    node.network().map_err(raise)
}
