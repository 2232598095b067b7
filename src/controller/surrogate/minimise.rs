//! L-BFGS (Nocedal & Wright 2006, alg. 7.5) for a few dozen hyper-parameters. Knows nothing of what
//! it minimises.

use super::cholesky::dot;

/// How many steps back the curvature is remembered.
const MEMORY: usize = 10;
/// The most that one step moves a parameter.
const REACH: f64 = 2.0;
/// How often a step is shortened, and by how much.
const TRIES: usize = 6;
const SHORTER: f64 = 0.35;
/// A step that gains less is the last.
const GAIN: f64 = 1e-3;

/// A step back: the move, the change of the gradient, and 1 over their product.
struct Step {
    moved: Vec<f64>,
    turned: Vec<f64>,
    inverse: f64,
}

/// Improves `start` by at most `steps` steps of descent on `f`, which gives a value (infinite where it
/// has none) and its gradient.
pub fn minimise(
    start: &[f64],
    steps: usize,
    mut f: impl FnMut(&[f64]) -> (f64, Vec<f64>),
) -> Vec<f64> {
    let mut x = start.to_vec();
    if steps == 0 {
        return x;
    }
    let (mut value, mut gradient) = f(&x);
    let mut history: Vec<Step> = Vec::new();
    for _ in 0..steps {
        let direction = direction(&history, &gradient);
        let slope = dot(&direction, &gradient);
        if slope.is_nan() || slope < 1e-6 {
            break;
        }
        let mut length = 1.0;
        let found = (0..TRIES).find_map(|_| {
            let next: Vec<f64> = zip(&x, &direction, |x, d| x - length * d);
            let (lower, turned) = f(&next);
            let enough = lower <= value - 1e-4 * length * slope;
            length *= SHORTER;
            enough.then_some((next, lower, turned))
        });
        let Some((next, lower, after)) = found else {
            break;
        };
        let moved = zip(&next, &x, |a, b| a - b);
        let turned = zip(&after, &gradient, |a, b| a - b);
        let curvature = dot(&moved, &turned);
        if curvature > 1e-10 {
            if history.len() == MEMORY {
                history.remove(0);
            }
            let inverse = 1.0 / curvature;
            history.push(Step {
                moved,
                turned,
                inverse,
            });
        }
        let gain = value - lower;
        (x, value, gradient) = (next, lower, after);
        if gain < GAIN {
            break;
        }
    }
    x
}

/// What to go against: the gradient, scaled by the curvature met so far.
fn direction(history: &[Step], gradient: &[f64]) -> Vec<f64> {
    let mut q = gradient.to_vec();
    let mut shares = Vec::with_capacity(history.len());
    for step in history.iter().rev() {
        let share = step.inverse * dot(&step.moved, &q);
        q = zip(&q, &step.turned, |q, t| q - share * t);
        shares.push(share);
    }
    let scale = match history.last() {
        Some(last) => 1.0 / (last.inverse * dot(&last.turned, &last.turned)),
        None => 1.0 / dot(&q, &q).sqrt().max(1.0),
    };
    q.iter_mut().for_each(|q| *q *= scale);
    for (step, share) in history.iter().zip(shares.iter().rev()) {
        let back = step.inverse * dot(&step.turned, &q);
        q = zip(&q, &step.moved, |q, s| q + (share - back) * s);
    }
    let most = q.iter().fold(0.0f64, |most, q| most.max(q.abs()));
    if most > REACH {
        q.iter_mut().for_each(|q| *q *= REACH / most);
    }
    q
}

fn zip(a: &[f64], b: &[f64], f: impl Fn(f64, f64) -> f64) -> Vec<f64> {
    a.iter().zip(b).map(|(a, b)| f(*a, *b)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bent_valley_is_walked_to_its_end() {
        // Rosenbrock's function, whose least value is at (1, 1).
        let rosenbrock = |x: &[f64]| {
            let bend = x[1] - x[0] * x[0];
            let value = (1.0 - x[0]).powi(2) + 100.0 * bend * bend;
            let gradient = vec![-2.0 * (1.0 - x[0]) - 400.0 * x[0] * bend, 200.0 * bend];
            (value, gradient)
        };
        let found = minimise(&[-1.2, 1.0], 100, rosenbrock);
        assert!(rosenbrock(&found).0 < 0.01, "{found:?}");
    }
}
