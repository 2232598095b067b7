//! Architectures as a surrogate sees them: which decisions belong together and how far their values
//! are apart. Knows nothing of kernels, trees or rewards.

use crate::space::{Scope, StateSpace, Value};

/// The decisions of a space for architectures of one number of layers.
#[derive(Clone, Debug, PartialEq)]
pub struct Encoding {
    /// One for each decision, in order.
    pub decisions: Vec<Place>,
    /// One for each state.
    pub states: Vec<Vocabulary>,
}

/// One decision: an index below its size stands for a value of its state.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    /// The state, by its id.
    pub state: usize,
    /// The position of each of its values in the state's [`Vocabulary`].
    pub values: Vec<usize>,
}

/// What a state's decisions can take, over all layers.
#[derive(Clone, Debug, PartialEq)]
pub struct Vocabulary {
    /// The number of different values.
    pub size: usize,
    /// Where the values are three or more numbers: the place of each between 0 and 1 in their order.
    pub positions: Option<Vec<f64>>,
    /// How many decisions the state makes.
    pub decisions: usize,
    /// Whether it is decided in more than one layer.
    pub repeated: bool,
}

impl Encoding {
    /// The decisions of `layers` layers of `space`.
    pub fn new(space: &StateSpace, layers: usize) -> Self {
        let mut values: Vec<Vec<Value>> = vec![Vec::new(); space.size()];
        let decisions: Vec<Place> = space
            .decisions(layers)
            .map(|decision| {
                let known = &mut values[decision.state.id];
                let position = |index| {
                    let value = decision.value(index);
                    known.iter().position(|v| *v == value).unwrap_or_else(|| {
                        known.push(value);
                        known.len() - 1
                    })
                };
                Place {
                    values: (0..decision.size()).map(position).collect(),
                    state: decision.state.id,
                }
            })
            .collect();
        let states = space.states().iter().map(|state| {
            let own = decisions.iter().filter(|d| d.state == state.id).count();
            Vocabulary {
                size: values[state.id].len(),
                positions: positions(&values[state.id], state.domain.kind()),
                decisions: own,
                repeated: state.scope == Scope::Layer && own > 1,
            }
        });
        Self {
            states: states.collect(),
            decisions,
        }
    }

    /// The number of values of each decision.
    pub fn sizes(&self) -> impl Iterator<Item = usize> {
        self.decisions.iter().map(|d| d.values.len())
    }
}

/// The rank of each value between 0 and 1, where the values are numbers: sizes are mostly listed
/// evenly on the scale that counts, which may be linear or logarithmic. An input's numbers are names.
fn positions(values: &[Value], kind: &str) -> Option<Vec<f64>> {
    let number = |value: &Value| match value {
        Value::Int(v) => Some(*v as f64),
        Value::Float(v) => Some(*v),
        _ => None,
    };
    let numbers = values.iter().map(number).collect::<Option<Vec<_>>>()?;
    if numbers.len() < 3 || kind == "input" {
        return None;
    }
    let rank = |v: &f64| numbers.iter().filter(|other| *other < v).count();
    let most = (numbers.len() - 1) as f64;
    Some(numbers.iter().map(|v| rank(v) as f64 / most).collect())
}
