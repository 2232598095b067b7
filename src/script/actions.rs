//! `Actions` and their layers for scripts.

use rhai::plugin::*;
use rhai::{Array, Dynamic, Engine, ImmutableString};

use super::space::dynamic;
use super::{Scripted, raise};
use crate::error::Error;
use crate::space::Actions;

/// One layer of a set of actions, whose properties are the states' names.
#[derive(Clone)]
pub(super) struct Layer {
    actions: Actions,
    layer: usize,
}

pub(super) fn register(engine: &mut Engine) {
    engine.register_type_with_name::<Actions>("Actions");
    engine.register_type_with_name::<Layer>("Layer");
    engine.register_global_module(exported_module!(actions).into());
}

/// # Actions
///
/// An architecture: a value for each decision of a space. Two are equal where they decide the same.
///
/// ```rhai
/// let space = StateSpace();
/// space.add_state("kernel", [1, 3]);
/// space.add_choice("head", ["gap", "flatten"]);
/// let actions = space.actions([1, 3, "gap"]);
/// print(actions);
/// print(actions.summary);              // (1) (3) head=gap
/// print(actions.values);               // [1, 3, "gap"]
/// print(actions.layers[1].kernel);     // 3
/// print(actions.head);                 // gap
/// let drawn = space.get_random_state_space(2);
/// print(drawn.probabilities);          // of each decision those of its values
/// print(drawn.log_prob);               // 3 ln(1/2) = -2.08
/// print(actions == space.actions([1, 3, "gap"]));
/// print(actions != drawn);
/// ```
///
/// # Layer
///
/// One layer of actions: its properties are the states' names.
///
/// ```rhai
/// let space = StateSpace();
/// space.add_state("kernel", [1, 3]);
/// for layer in space.actions([1, 3]).layers {
///     print(layer);                    // kernel=1, then kernel=3
///     print(layer.kernel);
///     print(layer["kernel"]);
///     print("stride" in layer);        // false
/// }
/// ```
#[export_module]
mod actions {
    /// The chosen values, layer after layer, then the choices; of an anchor an array of layers.
    #[rhai_fn(get = "values", pure)]
    pub fn values(actions: &mut Actions) -> Array {
        actions.values().iter().map(dynamic).collect()
    }

    /// The layers, whose properties are the states' names: `actions.layers[0].filters`.
    #[rhai_fn(get = "layers", pure)]
    pub fn layers(actions: &mut Actions) -> Array {
        let layer = |layer| Layer {
            actions: actions.clone(),
            layer,
        };
        (0..actions.layers())
            .map(layer)
            .map(Dynamic::from)
            .collect()
    }

    /// For each decision the probability of each of its values. An anchor makes a decision for each
    /// earlier layer: to leave it or to take it.
    #[rhai_fn(get = "probabilities", pure)]
    pub fn probabilities(actions: &mut Actions) -> Array {
        let decision = |p: &Vec<f64>| {
            p.iter()
                .copied()
                .map(Dynamic::from_float)
                .collect::<Array>()
        };
        actions
            .probabilities()
            .iter()
            .map(|p| decision(p).into())
            .collect()
    }

    /// The logarithm of the probability with which these actions were drawn.
    #[rhai_fn(get = "log_prob", pure)]
    pub fn log_prob(actions: &mut Actions) -> f64 {
        actions.log_prob()
    }

    /// A short line: `(3, 64, []) (3, 32, [0]) head=gap`.
    #[rhai_fn(get = "summary", pure)]
    pub fn summary(actions: &mut Actions) -> String {
        actions.summary()
    }

    /// A choice of the whole network by its name: `actions.head`.
    #[rhai_fn(index_get, return_raw, pure)]
    pub fn choice(actions: &mut Actions, name: ImmutableString) -> Scripted<Dynamic> {
        named(actions, None, &name)
    }

    /// A state of a layer by its name: `layer.filters`.
    #[rhai_fn(index_get, return_raw, pure)]
    pub fn layer_state(layer: &mut Layer, name: ImmutableString) -> Scripted<Dynamic> {
        named(&layer.actions, Some(layer.layer), &name)
    }

    /// Whether a layer has a state of that name: `"stride" in layer`.
    #[rhai_fn(pure)]
    pub fn contains(layer: &mut Layer, name: &str) -> bool {
        let (actions, layer) = (&layer.actions, layer.layer);
        let mut slots = actions.space().slots(actions.layers());
        slots.any(|slot| slot.layer == Some(layer) && slot.state.name == name)
    }

    /// Each layer, each state and each value's probability.
    #[rhai_fn(
        name = "to_string",
        name = "print",
        name = "to_debug",
        name = "debug",
        pure
    )]
    pub fn show(actions: &mut Actions) -> String {
        actions.to_string().trim_end().into()
    }

    /// A layer as `kernel=3 filters=64`.
    #[rhai_fn(
        name = "to_string",
        name = "print",
        name = "to_debug",
        name = "debug",
        pure
    )]
    pub fn show_layer(layer: &mut Layer) -> String {
        let decided = layer.actions.decided();
        let own = decided.filter(|(d, _)| d.layer == Some(layer.layer));
        let own = own.map(|(s, value)| format!("{}={}", s.state.name, value.quoted()));
        own.collect::<Vec<_>>().join(" ")
    }

    /// Whether two sets of actions decide the same.
    ///
    /// ```rhai
    /// let space = StateSpace();
    /// space.add_state("kernel", [1, 3]);
    /// print(space.actions([1]) == space.actions([1]));   // true
    /// ```
    #[rhai_fn(name = "==", pure)]
    pub fn equal(a: &mut Actions, b: Actions) -> bool {
        *a == b
    }

    /// Whether two sets of actions decide differently.
    ///
    /// ```rhai
    /// let space = StateSpace();
    /// space.add_state("kernel", [1, 3]);
    /// print(space.actions([1]) != space.actions([3]));   // true
    /// ```
    #[rhai_fn(name = "!=", pure)]
    pub fn differ(a: &mut Actions, b: Actions) -> bool {
        *a != b
    }
}

/// The value decided for the state `name` in `layer`.
fn named(actions: &Actions, layer: Option<usize>, name: &str) -> Scripted<Dynamic> {
    let mut decided = actions.decided();
    let found = decided.find(|(d, _)| d.layer == layer && d.state.name == name);
    found.map(|(_, value)| dynamic(&value)).ok_or_else(|| {
        let here = actions.decided().filter(|(d, _)| d.layer == layer);
        let kind = if layer.is_some() { "state" } else { "choice" };
        raise(Error::unknown(kind, name, here.map(|(d, _)| &d.state.name)))
    })
}
