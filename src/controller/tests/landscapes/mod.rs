//! Objectives with a known best on small spaces, the training ground of every search: judged on
//! them together, no default is tuned to one table. Knows nothing of controllers.
//!
//! Each is a pure function of an architecture, and where it is noisy of a seed. Truths are about 0
//! to 1; their coefficients come from a named random stream.

mod published;
mod tables;

use std::sync::Arc;

use rand::RngExt;

use crate::seed::{Seed, StreamRng, normal};
use crate::space::{StateSpace, Value};

type Truth = Box<dyn Fn(&[usize]) -> f64 + Send + Sync>;

/// A space with an objective.
pub struct Landscape {
    pub name: &'static str,
    pub space: Arc<StateSpace>,
    pub layers: usize,
    /// Standard deviation of the noise of an observation.
    pub noise: f64,
    sizes: Vec<usize>,
    truth: Truth,
    /// What an observation is on average, where that is not the truth.
    proxy: Option<Truth>,
}

impl Landscape {
    fn new(name: &'static str, space: StateSpace, layers: usize, noise: f64, truth: Truth) -> Self {
        let sizes = space.decisions(layers).map(|d| d.size()).collect();
        let space = Arc::new(space);
        Self {
            name,
            space,
            layers,
            noise,
            sizes,
            truth,
            proxy: None,
        }
    }

    /// All of them.
    pub fn all() -> Vec<Self> {
        vec![
            additive(),
            pairwise(),
            needle(),
            deceptive(),
            noisy(),
            ordinal(),
            cell(),
            anchored(),
            published::cells(),
            published::widths(),
        ]
    }

    /// The one called `name`.
    pub fn named(name: &str) -> Self {
        let found = Self::all().into_iter().find(|l| l.name == name);
        found.unwrap_or_else(|| panic!("no landscape '{name}'"))
    }

    /// What the architecture is worth.
    pub fn truth(&self, indices: &[usize]) -> f64 {
        (self.truth)(indices)
    }

    /// What a study with `seed` observes: asking again gives the same.
    pub fn observe(&self, indices: &[usize], seed: u64) -> f64 {
        let expected = self.proxy.as_ref().unwrap_or(&self.truth)(indices);
        if self.noise == 0.0 {
            return expected;
        }
        let mut rng = Seed(seed).stream(&format!("{}/{indices:?}", self.name));
        expected + self.noise * normal(&mut rng)
    }

    /// An architecture drawn uniformly.
    pub fn draw(&self, rng: &mut StreamRng) -> Vec<usize> {
        let draw = |size: &usize| rng.random_range(0..*size);
        self.sizes.iter().map(draw).collect()
    }

    /// All architectures.
    pub fn architectures(&self) -> impl Iterator<Item = Vec<usize>> {
        let number = self.sizes.iter().product::<usize>();
        (0..number).map(|mut code| {
            let digit = |size: &usize| {
                let digit = code % size;
                code /= size;
                digit
            };
            self.sizes.iter().map(digit).collect()
        })
    }

    /// The truths of all architectures, the lowest first.
    pub fn truths(&self) -> Vec<f64> {
        let mut truths: Vec<f64> = self.architectures().map(|a| self.truth(&a)).collect();
        truths.sort_by(f64::total_cmp);
        truths
    }
}

/// A space of one state called "op" with `values` values.
fn operations(values: i64) -> StateSpace {
    let mut space = StateSpace::new();
    let values = (0..values).map(Value::Int).collect();
    space.add_state("op", values).unwrap();
    space
}

/// Gains of each of `values` at each of `layers`, uniform on 0 to 1.
fn gains(name: &str, layers: usize, values: usize) -> Vec<Vec<f64>> {
    let mut rng = Seed(0).stream(name);
    let layer = |_| (0..values).map(|_| rng.random::<f64>()).collect();
    (0..layers).map(layer).collect()
}

fn sum(gains: &[Vec<f64>], indices: &[usize]) -> f64 {
    let own = gains.iter().zip(indices).map(|(g, i)| g[*i]);
    own.sum::<f64>() / gains.len() as f64
}

/// Eight layers of three operations that do not know of each other.
fn additive() -> Landscape {
    let gains = gains("additive", 8, 3);
    let truth = move |a: &[usize]| sum(&gains, a);
    Landscape::new("additive", operations(3), 8, 0.0, Box::new(truth))
}

/// Eight layers of three operations whose neighbours matter as much as themselves.
fn pairwise() -> Landscape {
    let own = gains("pairwise/own", 8, 3);
    let pairs = gains("pairwise/pairs", 7, 9);
    let truth = move |a: &[usize]| {
        let codes: Vec<_> = a.windows(2).map(|w| 3 * w[0] + w[1]).collect();
        0.5 * sum(&own, a) + 0.5 * sum(&pairs, &codes)
    };
    Landscape::new("pairwise", operations(3), 8, 0.0, Box::new(truth))
}

/// Six decisions of three: a slight slope towards the one architecture that is worth anything.
fn needle() -> Landscape {
    const NEEDLE: [usize; 6] = [2, 0, 1, 1, 0, 2];
    let truth = |a: &[usize]| match right(a, &NEEDLE) {
        6 => 1.0,
        right => 0.02 * right as f64,
    };
    Landscape::new("needle", operations(3), 6, 0.0, Box::new(truth))
}

fn right(found: &[usize], wanted: &[usize]) -> usize {
    found.iter().zip(wanted).filter(|(f, w)| f == w).count()
}

/// Four traps of two decisions of three: half of the right pair is worse than none of it.
fn deceptive() -> Landscape {
    const RIGHT: [usize; 8] = [2, 0, 1, 1, 0, 2, 2, 1];
    let truth = |a: &[usize]| {
        let pairs = a.chunks(2).zip(RIGHT.chunks(2));
        let worth = pairs.map(|(found, wanted)| [0.6, 0.3, 1.0][right(found, wanted)]);
        worth.sum::<f64>() / 4.0
    };
    Landscape::new("deceptive", operations(3), 8, 0.0, Box::new(truth))
}

/// The additive one, observed with half of its deviation as noise.
fn noisy() -> Landscape {
    let gains = gains("noisy", 8, 3);
    let truth = move |a: &[usize]| sum(&gains, a);
    Landscape::new("noisy", operations(3), 8, 0.05, Box::new(truth))
}

/// Five layers of eight widths: every layer gains from width, the less the wider it is already, and
/// a layer much narrower than the one before it is a bottleneck.
fn ordinal() -> Landscape {
    const MATTERS: [f64; 5] = [0.05, 0.1, 0.2, 0.3, 0.35];
    let truth = |a: &[usize]| {
        let own = a.iter().zip(MATTERS);
        let own = own.map(|(i, m)| m * (1.0 - (-0.4 * (*i as f64 + 0.5)).exp()));
        let narrowing = a.windows(2).map(|w| w[0].saturating_sub(w[1]) as f64);
        own.sum::<f64>() - 0.02 * narrowing.sum::<f64>()
    };
    Landscape::new("ordinal", operations(8), 5, 0.01, Box::new(truth))
}

/// A cell of four nodes and six edges, each with one of: nothing, a skip, two convolutions, a pool.
/// Its worth is that of the convolutions on paths from the first node to the last; without a path
/// it is useless, which makes the tail heavy.
fn cell() -> Landscape {
    const EDGES: [(usize, usize); 6] = [(0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3)];
    const WORTH: [f64; 5] = [0.0, 0.25, 0.7, 1.0, 0.1];
    let truth = |a: &[usize]| {
        // The paths to a node: their number and the worth of their edges, added up.
        let mut paths = [(1.0, 0.0), (0.0, 0.0), (0.0, 0.0), (0.0, 0.0)];
        for ((from, to), op) in EDGES.into_iter().zip(a) {
            if *op == 0 {
                continue;
            }
            let (number, worth) = paths[from];
            paths[to].0 += number;
            paths[to].1 += worth + number * WORTH[*op];
        }
        let (number, worth) = paths[3];
        if number == 0.0 {
            return 0.1;
        }
        let skip = if a[3] == 1 { 0.05 } else { 0.0 };
        0.5 + 0.4 * (1.0 - (-0.6 * worth).exp()) + skip
    };
    Landscape::new("cell", operations(5), 6, 0.01, Box::new(truth))
}

/// Four layers of two operations, and skips: the share of those that are right, where a skip to the
/// layer just before only counts with the second operation.
fn anchored() -> Landscape {
    // Layer by layer: the operation, then whether each earlier layer is skipped to.
    const RIGHT: [usize; 10] = [1, 0, 1, 1, 0, 1, 0, 1, 0, 1];
    const BEFORE: [(usize, usize); 3] = [(1, 2), (3, 5), (6, 9)];
    let mut space = operations(2);
    space.add_anchor("skip").unwrap();
    let truth = |a: &[usize]| {
        let lost = BEFORE
            .iter()
            .filter(|(op, skip)| a[*op] == 0 && a[*skip] == 1);
        (right(a, &RIGHT) as f64 - 0.5 * lost.count() as f64) / 10.0
    };
    Landscape::new("anchored", space, 4, 0.0, Box::new(truth))
}

#[test]
fn every_landscape_has_one_best_and_observes_the_same_again() {
    for landscape in Landscape::all() {
        let truths = landscape.truths();
        let [.., second, best] = truths[..] else {
            panic!("{} is empty", landscape.name);
        };
        assert!(best > second, "{}", landscape.name);
        let architecture = landscape.draw(&mut Seed(1).stream("space"));
        let observe = |seed| landscape.observe(&architecture, seed);
        assert_eq!(observe(3), observe(3));
        assert_eq!(observe(3) == observe(4), landscape.noise == 0.0);
    }
}
