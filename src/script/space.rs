//! `StateSpace` for scripts.

use std::sync::Arc;

use parking_lot::Mutex;
use rhai::plugin::*;
use rhai::{Array, Dynamic, Engine, Map, NativeCallContext};

use super::limits::guard;
use super::{Host, Scripted, raise};
use crate::error::{Error, Result};
use crate::space::{Actions, Domain, State, StateSpace, Value};

/// A script's handle of a space: copies share it.
#[derive(Clone, Default)]
pub(super) struct Space(Arc<Mutex<Arc<StateSpace>>>);

impl Space {
    /// The space as it is now.
    pub(super) fn get(&self) -> Arc<StateSpace> {
        self.0.lock().clone()
    }

    /// Adds a state and returns its id.
    fn add(&self, add: impl FnOnce(&mut StateSpace) -> Result<usize>) -> Scripted<i64> {
        let mut inner = self.0.lock();
        let id = add(Arc::make_mut(&mut inner));
        id.map(|id| id as i64).map_err(raise)
    }
}

pub(super) fn register(engine: &mut Engine) {
    engine.register_type_with_name::<Space>("StateSpace");
    engine.register_global_module(exported_module!(space).into());
}

/// A state's value from a script's.
fn plain(dynamic: &Dynamic) -> Scripted<Value> {
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

/// A decided value from a script's: a state's, or an anchor's list of earlier layers.
fn value(dynamic: &Dynamic) -> Scripted<Value> {
    let Ok(layers) = dynamic.as_array_ref() else {
        return plain(dynamic);
    };
    let expected = "earlier layers, counted from 0";
    let layer = |d: &Dynamic| {
        let layer = d.as_int().ok().and_then(|n| usize::try_from(n).ok());
        layer.ok_or_else(|| raise(Error::invalid("list of layers", expected, d)))
    };
    let layers = layers.iter().map(layer).collect::<Scripted<Vec<_>>>()?;
    Ok(Value::Layers(layers))
}

pub(super) fn dynamic(value: &Value) -> Dynamic {
    match value {
        Value::Bool(v) => (*v).into(),
        Value::Int(v) => (*v).into(),
        Value::Float(v) => (*v).into(),
        Value::Text(v) => v.into(),
        Value::Layers(v) => v.iter().map(|j| Dynamic::from(*j as i64)).collect(),
    }
}

/// The most values of a state: they are compared with each other.
const MOST_VALUES: u64 = 10_000;

/// An array of a state's values.
fn values(array: &[Dynamic]) -> Scripted<Vec<Value>> {
    guard("values of a state", MOST_VALUES, array.len() as u64).map_err(raise)?;
    array.iter().map(plain).collect()
}

/// The domain that an array says: values, or a list of values for each layer.
fn lists(name: &str, array: &Array) -> Scripted<Option<Vec<Vec<Value>>>> {
    guard("values of a state", MOST_VALUES, array.len() as u64).map_err(raise)?;
    let nested = array.iter().filter(|d| d.is_array()).count();
    if nested == 0 {
        return Ok(None);
    }
    if nested < array.len() {
        let what = format!("values of state '{name}'");
        let expected = "values, or a list of values for each layer";
        return Err(raise(Error::invalid(what, expected, "both")));
    }
    let list = |d: &Dynamic| {
        d.as_array_ref()
            .map_or_else(|_| Ok(Vec::new()), |a| values(&a))
    };
    array.iter().map(list).collect::<Scripted<_>>().map(Some)
}

/// Refuses the name of a state that a layer's property would hide.
fn check_state_name(name: &str) -> Scripted<()> {
    // Rhai gives every value a `tag`.
    if name == "tag" {
        let expected = "a name that is no property of a layer";
        return Err(raise(Error::invalid("state name", expected, "'tag'")));
    }
    Ok(())
}

/// Refuses actions of another space for the call `of`.
fn own(of: &str, space: &Space, actions: &Actions) -> Scripted<()> {
    if *space.get() == **actions.space() {
        return Ok(());
    }
    let expected = "actions of this space";
    Err(raise(Error::invalid(of, expected, actions.summary())))
}

/// The most bytes of architectures that one call makes.
const MOST_BYTES: u64 = 128 << 20;

/// Checks that `n` architectures of so many layers fit into memory, for the call `of`.
fn several(of: &str, space: &StateSpace, layers: usize, n: u64) -> Result<()> {
    // Each decision has an index and a list of probabilities.
    let decision = |size: usize| 64 + 8 * size as u64;
    let decisions = space.decisions(layers);
    let each = 128 + decisions.map(|d| decision(d.size())).sum::<u64>();
    let most = MOST_BYTES / each;
    match n > most {
        true => Err(Error::invalid(
            of,
            format!("at most {most} architectures"),
            n,
        )),
        false => Ok(()),
    }
}

/// A count or index from a script's integer.
pub(super) fn count(what: &str, n: i64) -> Scripted<usize> {
    usize::try_from(n).map_err(|_| raise(Error::invalid(what, "a whole number from 0", n)))
}

fn describe(state: &State) -> Map {
    let distinct = state.domain.distinct();
    let array = |values: &[Value]| values.iter().map(dynamic).collect::<Dynamic>();
    let values = match &state.domain {
        Domain::PerLayer(lists) => lists.iter().map(|list| array(list)).collect(),
        _ => array(&distinct),
    };
    let indexed = || distinct.iter().enumerate();
    let index_map = indexed().map(|(i, v)| (i.to_string().into(), dynamic(v)));
    let value_map = indexed().map(|(i, v)| (v.to_string().into(), (i as i64).into()));
    let fields: [(&str, Dynamic); 7] = [
        ("id", (state.id as i64).into()),
        ("name", state.name.clone().into()),
        ("kind", state.domain.kind().into()),
        ("values", values),
        ("size", (distinct.len() as i64).into()),
        ("index_map", index_map.collect::<Map>().into()),
        ("value_map", value_map.collect::<Map>().into()),
    ];
    fields.map(|(k, v)| (k.into(), v)).into()
}

/// # StateSpace
///
/// What a search decides: states once per layer, choices once per network. Copies of a space are the same space.
///
/// ```rhai
/// let space = StateSpace();
/// space.add_state("kernel", [1, 3]);                // once per layer
/// space.add_state("filters", [8, 16]);
/// space.add_choice("head", ["gap", "flatten"]);     // once per network
/// print(space);
/// print(space.size);                                // 3
/// let actions = space.get_random_state_space(2);
/// print(actions.layers[0].kernel + " " + actions.head);
/// ```
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
    /// integers, all floats, all strings or all booleans; a list of lists gives each layer its
    /// own.
    ///
    /// ```rhai
    /// let space = StateSpace();
    /// let id = space.add_state("filters", [16, 32, 64]);
    /// space.add_state("kernel", [[3, 5, 7], [3, 5], [1, 3]]);   // of layers 0, 1 and 2
    /// print(space.cardinality(3));   // 27 · 12
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn add_state(space: &mut Space, name: &str, values: Array) -> Scripted<i64> {
        check_state_name(name)?;
        let lists = super::lists(name, &values)?;
        match lists {
            Some(lists) => space.add(|space| space.add_state_per_layer(name, lists)),
            None => {
                let values = super::values(&values)?;
                space.add(|space| space.add_state(name, values))
            }
        }
    }

    /// Adds a state that decides, once per layer, which earlier result the layer reads, and
    /// returns its id. In layer i (from 0) its value is one of the integers 0 to below `first` + i:
    /// one of `first` inputs, or `first` + j for the layer j.
    ///
    /// ```rhai
    /// let space = StateSpace();
    /// space.add_input("left", 2);
    /// let actions = space.actions([1, 2]);   // layer 0 reads input 1, layer 1 reads layer 0
    /// print(space.cardinality(3));           // 2 · 3 · 4
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn add_input(space: &mut Space, name: &str, first: i64) -> Scripted<i64> {
        check_state_name(name)?;
        let first = count(&format!("inputs of state '{name}'"), first)?;
        space.add(|space| space.add_input(name, first))
    }

    /// Adds an anchor, which decides in each layer any number of the earlier layers, for skip
    /// connections, and returns its id. Its value is an array of layers, counted from 0.
    ///
    /// ```rhai
    /// let space = StateSpace();
    /// space.add_state("kernel", [1, 3]);
    /// space.add_anchor("skip");
    /// let actions = space.actions([3, [], 1, [0], 3, [0, 1]]);
    /// for layer in actions.layers {
    ///     for earlier in layer.skip { print(`from layer ${earlier}`); }
    /// }
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn add_anchor(space: &mut Space, name: &str) -> Scripted<i64> {
        check_state_name(name)?;
        space.add(|space| space.add_anchor(name))
    }

    /// Adds a choice that is decided once for the whole network, and returns its id.
    ///
    /// ```rhai
    /// let space = StateSpace();
    /// space.add_choice("head", ["gap", "flatten"]);
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn add_choice(space: &mut Space, name: &str, values: Array) -> Scripted<i64> {
        let taken = [
            "values",
            "layers",
            "probabilities",
            "log_prob",
            "summary",
            "tag",
        ];
        if taken.contains(&name) {
            let expected = "a name that is no property of actions";
            return Err(raise(Error::invalid(
                "choice name",
                expected,
                format!("'{name}'"),
            )));
        }
        let values = super::values(&values)?;
        space.add(|space| space.add_choice(name, values))
    }

    /// The number of states.
    #[rhai_fn(get = "size", pure)]
    pub fn size(space: &mut Space) -> i64 {
        space.get().size() as i64
    }

    /// The state at an index, cyclically: an object with `id`, `name`, `kind`, `values`, `size`,
    /// `index_map` and `value_map`. By its `kind`, `values` are those of every layer ("values"), a
    /// list for each layer ("per_layer"), the inputs before the first layer ("input"), or whether
    /// an earlier layer is taken ("anchor"); `size` counts the different ones.
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
    ///
    /// ```rhai
    /// let space = StateSpace();
    /// space.add_state("kernel", [1, 3]);
    /// print(space.state("kernel").values);   // [1, 3]
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn state(space: &mut Space, name: &str) -> Scripted<Map> {
        space.get().by_name(name).map(describe).map_err(raise)
    }

    /// The value at `index` of the state `id`, which has the same values in every layer.
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

    /// The original's encoding of a value: its index + 1 at its index, zeros elsewhere. The state
    /// `id` has the same values in every layer.
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

    /// Every architecture of so many layers, as an array of actions; as many as fit into 128 MiB, some
    /// hundred thousand.
    ///
    /// ```rhai
    /// let space = StateSpace();
    /// space.add_state("kernel", [1, 3]);
    /// for actions in space.enumerate(2) { print(actions.values); }
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn enumerate(space: &mut Space, layers: i64) -> Scripted<Array> {
        let layers = count("number of layers", layers)?;
        let space = space.get();
        let all = space.enumerate(layers).map_err(raise)?;
        let n = space.cardinality(layers);
        let n = u64::try_from(n).unwrap_or(u64::MAX);
        several("enumerate", &space, layers, n).map_err(raise)?;
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

    /// Every architecture that differs from `actions` in one decision, as an array of actions; an anchor
    /// decides about each earlier layer.
    ///
    /// ```rhai
    /// let space = StateSpace();
    /// space.add_state("kernel", [1, 3, 5]);
    /// for other in space.neighbours(space.actions([1, 3])) { print(other.values); }   // 4 of them
    /// ```
    #[rhai_fn(return_raw, pure)]
    pub fn neighbours(space: &mut Space, actions: Actions) -> Scripted<Array> {
        own("neighbours", space, &actions)?;
        let space = space.get();
        let decisions = space.decisions(actions.layers());
        let n: usize = decisions.map(|decision| decision.size() - 1).sum();
        several("neighbours", &space, actions.layers(), n as u64).map_err(raise)?;
        let neighbours = actions.neighbours().into_iter();
        Ok(neighbours.map(Dynamic::from).collect())
    }

    /// `actions` with one decision, drawn at random, changed to another of its values.
    ///
    /// ```rhai
    /// let space = StateSpace();
    /// space.add_state("kernel", [1, 3, 5]);
    /// let child = space.mutate(space.get_random_state_space(4));
    /// ```
    #[rhai_fn(return_raw, pure, volatile)]
    pub fn mutate(
        ctx: NativeCallContext,
        space: &mut Space,
        actions: Actions,
    ) -> Scripted<Actions> {
        mutate_several(ctx, space, actions, 1)
    }

    /// With `n` different decisions changed.
    #[rhai_fn(name = "mutate", return_raw, pure, volatile)]
    pub fn mutate_several(
        ctx: NativeCallContext,
        space: &mut Space,
        actions: Actions,
        n: i64,
    ) -> Scripted<Actions> {
        own("mutate", space, &actions)?;
        let n = count("mutate: number of decisions", n)?;
        let host = Host::of(&ctx)?;
        let mut rng = host.variation_rng().lock();
        Ok(actions.mutated(n, &mut *rng))
    }

    /// A child of two: each decision is that of `a` or of `b`, as a coin falls.
    ///
    /// ```rhai
    /// let space = StateSpace();
    /// space.add_state("kernel", [1, 3, 5]);
    /// print(space.crossover(space.actions([1, 1]), space.actions([1, 5])).values);   // 1, then 1 or 5
    /// ```
    #[rhai_fn(return_raw, pure, volatile)]
    pub fn crossover(
        ctx: NativeCallContext,
        space: &mut Space,
        a: Actions,
        b: Actions,
    ) -> Scripted<Actions> {
        own("crossover", space, &a)?;
        let host = Host::of(&ctx)?;
        let mut rng = host.variation_rng().lock();
        a.crossed(&b, &mut *rng).map_err(raise)
    }

    /// Actions from their values, layer after layer, then the choices; of an anchor a list of
    /// earlier layers. A value that its state does not have is an error.
    ///
    /// ```rhai
    /// let space = StateSpace();
    /// space.add_state("kernel", [1, 3]);
    /// space.add_state("filters", [16, 32, 64]);
    /// let actions = space.actions([3, 64, 3, 64, 1, 32, 3, 64]);
    /// ```
    #[rhai_fn(name = "actions", return_raw, pure)]
    pub fn given(space: &mut Space, values: Array) -> Scripted<Actions> {
        let values = values.iter().map(super::value);
        let values = values.collect::<Scripted<Vec<_>>>()?;
        Actions::from_values(&space.get(), &values).map_err(raise)
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
