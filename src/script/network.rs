//! Child networks for scripts: what is known of a network before it is trained.

use std::sync::Arc;

use rhai::plugin::*;
use rhai::{Array, Dynamic, Engine};

use super::{Scripted, raise};
use crate::error::Error;
use crate::network::{Network, Node};

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
pub(super) fn whole(node: &Node) -> Scripted<Arc<Network>> {
    node.network().map_err(raise)
}
