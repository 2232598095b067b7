//! Several objectives for scripts: fronts, their order, their volume.

use rhai::plugin::*;
use rhai::{Array, Dynamic, Engine};

use super::manager::number;
use super::{Scripted, limits, raise};
use crate::error::Error;
use crate::study::pareto;

pub(super) fn register(engine: &mut Engine) {
    engine.register_global_module(exported_module!(fronts).into());
}

#[export_module]
mod fronts {
    /// The indices of the points that no other beats, ascending. A point is a list of numbers, one for
    /// each objective, of which more is better; give costs a minus.
    ///
    /// ```rhai
    /// let points = [[0.9, -500], [0.8, -100], [0.7, -300]];
    /// print(pareto_front(points));   // [0, 1]
    /// ```
    #[rhai_fn(return_raw)]
    pub fn pareto_front(points: Array) -> Scripted<Array> {
        let fronts = pareto::fronts(&super::points(&points)?).map_err(raise)?;
        Ok(indices(fronts.into_iter().next().unwrap_or_default()))
    }

    /// The indices of points from the best to the worst, as NSGA-II orders them: first those that no
    /// other beats, then those that only the first beat, and so on; of equals the least crowded first.
    ///
    /// ```rhai
    /// print(pareto_order([[1, 1], [3, 1], [1, 3], [2, 2]]));   // [2, 1, 3, 0]
    /// ```
    #[rhai_fn(return_raw)]
    pub fn pareto_order(points: Array) -> Scripted<Array> {
        let order = pareto::order(&super::points(&points)?);
        order.map(indices).map_err(raise)
    }

    /// The volume of what points dominate, above a reference point that is worse than all that count;
    /// points that are not better than it everywhere add nothing.
    ///
    /// ```rhai
    /// print(hypervolume([[1, 3], [2, 2], [3, 1]], [0, 0]));   // 6.0
    /// ```
    #[rhai_fn(return_raw)]
    pub fn hypervolume(points: Array, reference: Array) -> Scripted<f64> {
        let (points, reference) = (super::points(&points)?, point(&reference)?);
        // It goes through the points anew for each objective but the first.
        let steps = (points.len() as f64).powi(reference.len().min(99) as i32 - 1);
        limits::guard("hypervolume: steps", MOST_STEPS, steps as u64).map_err(raise)?;
        pareto::hypervolume(&points, &reference).map_err(raise)
    }
}

fn indices(indices: Vec<usize>) -> Array {
    let indices = indices.into_iter();
    indices.map(|i| Dynamic::from_int(i as i64)).collect()
}

fn point(values: &Array) -> Scripted<Vec<f64>> {
    values.iter().map(|v| number("point", v)).collect()
}

/// The most points that are compared with each other.
const MOST_POINTS: u64 = 20_000;
/// The most steps of a volume.
const MOST_STEPS: u64 = 100_000_000;

fn points(list: &Array) -> Scripted<Vec<Vec<f64>>> {
    limits::guard("points", MOST_POINTS, list.len() as u64).map_err(raise)?;
    let each = |item: &Dynamic| {
        let found = item.type_name();
        let array = item.as_array_ref().map_err(|_| {
            let expected = "a list of numbers for each point";
            raise(Error::invalid("points", expected, found))
        })?;
        point(&array)
    };
    list.iter().map(each).collect()
}
