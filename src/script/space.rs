//! `StateSpace` and `Actions` for scripts.

use std::sync::Arc;

use parking_lot::Mutex;
use rhai::plugin::*;
use rhai::{Array, Dynamic, Engine, ImmutableString, Map, NativeCallContext};

use super::{Host, Scripted, raise};
use crate::error::Error;
use crate::space::{Actions, State, StateSpace, Value};

/// A script's handle of a space: copies share it.
#[derive(Clone, Default)]
pub(super) struct Space(Arc<Mutex<Arc<StateSpace>>>);

impl Space {
    /// The space as it is now.
    pub(super) fn get(&self) -> Arc<StateSpace> {
        self.0.lock().clone()
    }
}

/// One layer of a set of actions, whose properties are the states' names.
#[derive(Clone)]
pub(super) struct Layer {
    actions: Actions,
    layer: usize,
}

pub(super) fn register(engine: &mut Engine) {
    engine.register_type_with_name::<Space>("StateSpace");
    engine.register_type_with_name::<Actions>("Actions");
    engine.register_type_with_name::<Layer>("Layer");
    engine.register_global_module(exported_module!(space).into());
    engine.register_global_module(exported_module!(actions).into());
}

/// A state's value from a script's.
pub(super) fn value(dynamic: &Dynamic) -> Scripted<Value> {
    if let Ok(v) = dynamic.as_bool() {
        Ok(Value::Bool(v))
    } else if let Ok(v) = dynamic.as_int() {
        Ok(Value::Int(v))
    } else if let Ok(v) = dynamic.as_float() {
        Ok(Value::Float(v))
    } else if let Ok(v) = dynamic.as_immutable_string_ref() {
        Ok(Value::Text(v.to_string()))
    } else {
        let expected = "an integer, float, string or boolean";
        Err(raise(Error::invalid(
            "state value",
            expected,
            dynamic.type_name(),
        )))
    }
}

pub(super) fn dynamic(value: &Value) -> Dynamic {
    match value {
        Value::Bool(v) => (*v).into(),
        Value::Int(v) => (*v).into(),
        Value::Float(v) => (*v).into(),
        Value::Text(v) => v.into(),
    }
}

fn values(array: &Array) -> Scripted<Vec<Value>> {
    array.iter().map(value).collect()
}

/// A count or index from a script's integer.
pub(super) fn count(what: &str, n: i64) -> Scripted<usize> {
    usize::try_from(n).map_err(|_| raise(Error::invalid(what, "a whole number from 0", n)))
}

fn describe(state: &State) -> Map {
    let indexed = || state.values.iter().enumerate();
    let index_map = indexed().map(|(i, v)| (i.to_string().into(), dynamic(v)));
    let value_map = indexed().map(|(i, v)| (v.to_string().into(), (i as i64).into()));
    let fields: [(&str, Dynamic); 6] = [
        ("id", (state.id as i64).into()),
        ("name", state.name.clone().into()),
        (
            "values",
            state.values.iter().map(dynamic).collect::<Array>().into(),
        ),
        ("size", (state.size() as i64).into()),
        ("index_map", index_map.collect::<Map>().into()),
        ("value_map", value_map.collect::<Map>().into()),
    ];
    fields.map(|(k, v)| (k.into(), v)).into()
}

#[export_module]
mod space {
    /// Creates an empty search space.
    ///
    /// ```rhai
    /// let space = StateSpace();
    /// space.add_state("kernel", [1, 3]);
    /// ```
    #[rhai_fn(name = "StateSpace")]
    pub fn new() -> Space {
        Space::default()
    }

    /// Adds a state that is decided once per layer, and returns its id. The values are all
    /// integers, all floats, all strings or all booleans.
    ///
    /// ```rhai
    /// let space = StateSpace();
    /// let id = space.add_state("filters", [16, 32, 64]);
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn add_state(space: &mut Space, name: &str, values: Array) -> Scripted<i64> {
        let values = super::values(&values)?;
        let mut inner = space.0.lock();
        let id = Arc::make_mut(&mut inner).add_state(name, values);
        id.map(|id| id as i64).map_err(raise)
    }

    /// Adds a choice that is decided once for the whole network, and returns its id.
    ///
    /// ```rhai
    /// let space = StateSpace();
    /// space.add_choice("head", ["gap", "flatten"]);
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn add_choice(space: &mut Space, name: &str, values: Array) -> Scripted<i64> {
        if ["values", "layers", "probabilities", "log_prob", "summary"].contains(&name) {
            let expected = "a name that is no property of actions";
            return Err(raise(Error::invalid(
                "choice name",
                expected,
                format!("'{name}'"),
            )));
        }
        let values = super::values(&values)?;
        let mut inner = space.0.lock();
        let id = Arc::make_mut(&mut inner).add_choice(name, values);
        id.map(|id| id as i64).map_err(raise)
    }

    /// The number of states.
    #[rhai_fn(get = "size", pure)]
    pub fn size(space: &mut Space) -> i64 {
        space.get().size() as i64
    }

    /// The state at an index, cyclically: an object with `id`, `name`, `values`, `size`,
    /// `index_map` and `value_map`.
    ///
    /// ```rhai
    /// let space = StateSpace();
    /// space.add_state("kernel", [1, 3]);
    /// print(space[4].name);
    /// ```
    #[rhai_fn(index_get, return_raw, pure)]
    pub fn at(space: &mut Space, index: i64) -> Scripted<Map> {
        let index = count("state index", index)?;
        space.get().get(index).map(describe).map_err(raise)
    }

    /// The state of a name, as `space[i]` gives it.
    #[rhai_fn(return_raw, pure)]
    pub fn state(space: &mut Space, name: &str) -> Scripted<Map> {
        space.get().by_name(name).map(describe).map_err(raise)
    }

    /// The value at `index` of the state `id`.
    ///
    /// ```rhai
    /// let space = StateSpace();
    /// let id = space.add_state("filters", [16, 32, 64]);
    /// print(space.get_state_value(id, 2));
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn get_state_value(space: &mut Space, id: i64, index: i64) -> Scripted<Dynamic> {
        let (id, index) = (count("state id", id)?, count("value index", index)?);
        let space = space.get();
        space.get_state_value(id, index).map(dynamic).map_err(raise)
    }

    /// The original's encoding of a value: its index + 1 at its index, zeros elsewhere.
    ///
    /// ```rhai
    /// let space = StateSpace();
    /// let id = space.add_state("filters", [16, 32, 64]);
    /// print(space.embedding_encode(id, 64));   // [0.0, 0.0, 3.0]
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn embedding_encode(space: &mut Space, id: i64, value: Dynamic) -> Scripted<Array> {
        let (id, value) = (count("state id", id)?, super::value(&value)?);
        let encoding = space.get().embedding_encode(id, &value).map_err(raise)?;
        Ok(encoding.into_iter().map(Dynamic::from_float).collect())
    }

    /// How many architectures of so many layers there are: an integer, or a float beyond 2^63.
    ///
    /// ```rhai
    /// let space = StateSpace();
    /// space.add_state("kernel", [1, 3]);
    /// print(space.cardinality(4));   // 16
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn cardinality(space: &mut Space, layers: i64) -> Scripted<Dynamic> {
        let layers = count("number of layers", layers)?;
        let space = space.get();
        space.check_layers(layers).map_err(raise)?;
        let n = space.cardinality(layers);
        Ok(i64::try_from(n).map_or_else(|_| (n as f64).into(), Into::into))
    }

    /// Every architecture of so many layers, as an array of actions; at most a million.
    ///
    /// ```rhai
    /// let space = StateSpace();
    /// space.add_state("kernel", [1, 3]);
    /// for actions in space.enumerate(2) { print(actions.values); }
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn enumerate(space: &mut Space, layers: i64) -> Scripted<Array> {
        const MOST: u128 = 1_000_000;
        let layers = count("number of layers", layers)?;
        let space = space.get();
        let all = space.enumerate(layers).map_err(raise)?;
        let n = space.cardinality(layers);
        if n > MOST {
            let expected = format!("at most {MOST} architectures");
            return Err(raise(Error::invalid("enumerate", expected, n)));
        }
        Ok(all.map(Dynamic::from).collect())
    }

    /// Actions for so many layers, drawn uniformly.
    ///
    /// ```rhai
    /// let space = StateSpace();
    /// space.add_state("kernel", [1, 3]);
    /// let state = space.get_random_state_space(4);
    /// ```
    #[rhai_fn(return_raw, pure, volatile)]
    pub fn get_random_state_space(
        ctx: NativeCallContext,
        space: &mut Space,
        layers: i64,
    ) -> Scripted<Actions> {
        let layers = count("number of layers", layers)?;
        let host = Host::of(&ctx)?;
        let mut rng = host.space_rng().lock();
        Actions::random(&space.get(), layers, &mut *rng).map_err(raise)
    }

    /// Actions from their values, layer after layer, then the choices. A value that its state
    /// does not have is an error.
    ///
    /// ```rhai
    /// let space = StateSpace();
    /// space.add_state("kernel", [1, 3]);
    /// space.add_state("filters", [16, 32, 64]);
    /// let actions = space.actions([3, 64, 3, 64, 1, 32, 3, 64]);
    /// ```
    #[rhai_fn(name = "actions", return_raw, pure)]
    pub fn given(space: &mut Space, values: Array) -> Scripted<Actions> {
        Actions::from_values(&space.get(), &super::values(&values)?).map_err(raise)
    }

    /// The space as a table.
    #[rhai_fn(
        name = "to_string",
        name = "print",
        name = "to_debug",
        name = "debug",
        pure
    )]
    pub fn show(space: &mut Space) -> String {
        space.get().to_string().trim_end().into()
    }
}

#[export_module]
mod actions {
    /// The chosen values, layer after layer, then the choices.
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

    /// For each decision the probability of each of its values.
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

    /// A short line: `(3, 64) (3, 32) head=gap`.
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
        let own = own.map(|(d, value)| format!("{}={}", d.state.name, value.quoted()));
        own.collect::<Vec<_>>().join(" ")
    }

    /// Whether two sets of actions decide the same.
    #[rhai_fn(name = "==", pure)]
    pub fn equal(a: &mut Actions, b: Actions) -> bool {
        *a == b
    }

    /// Whether two sets of actions decide differently.
    #[rhai_fn(name = "!=", pure)]
    pub fn differ(a: &mut Actions, b: Actions) -> bool {
        *a != b
    }
}

/// The value decided for the state `name` in `layer`.
fn named(actions: &Actions, layer: Option<usize>, name: &str) -> Scripted<Dynamic> {
    let mut decided = actions.decided();
    let found = decided.find(|(d, _)| d.layer == layer && d.state.name == name);
    found.map(|(_, value)| dynamic(value)).ok_or_else(|| {
        let here = actions.decided().filter(|(d, _)| d.layer == layer);
        let kind = if layer.is_some() { "state" } else { "choice" };
        raise(Error::unknown(kind, name, here.map(|(d, _)| &d.state.name)))
    })
}
