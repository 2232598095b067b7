//! Small changes of what was decided: the neighbours, mutations and crossings that local and
//! evolutionary searches are made of. Knows nothing of what an architecture is worth.

use rand::seq::IndexedRandom;
use rand::{Rng, RngExt};

use super::Actions;
use crate::error::{Error, Result};

impl Actions {
    /// Every architecture that differs in exactly one decision, in the order of the decisions; of an
    /// anchor's decisions each is one earlier layer, taken or left.
    pub fn neighbours(&self) -> Vec<Self> {
        let sizes = self.sizes();
        let changes = sizes.iter().enumerate().flat_map(|(at, &size)| {
            let others = (0..size).filter(move |value| *value != self.indices()[at]);
            others.map(move |value| self.with(&[(at, value)]))
        });
        changes.collect()
    }

    /// These actions with `n` different decisions changed, each to another of its values; with as many
    /// as can be changed, where those are fewer.
    pub fn mutated(&self, n: usize, rng: &mut impl Rng) -> Self {
        let sizes = self.sizes();
        let open: Vec<usize> = (0..sizes.len()).filter(|at| sizes[*at] > 1).collect();
        let drawn = open.sample(rng, n.min(open.len())).copied();
        let drawn: Vec<usize> = drawn.collect();
        let changes = drawn.into_iter().map(|at| {
            let other = rng.random_range(1..sizes[at]);
            (at, (self.indices()[at] + other) % sizes[at])
        });
        self.with(&changes.collect::<Vec<_>>())
    }

    /// Each decision from these actions or from `other`, as a coin falls: uniform crossover (Syswerda,
    /// "Uniform Crossover in Genetic Algorithms", 1989).
    ///
    /// # Errors
    /// [`Error::Invalid`] where the two decide different spaces or numbers of layers.
    pub fn crossed(&self, other: &Self, rng: &mut impl Rng) -> Result<Self> {
        if self.space() != other.space() || self.layers() != other.layers() {
            let expected = "actions of the same space and number of layers";
            let found = format!("{} and {}", self.summary(), other.summary());
            return Err(Error::invalid("crossover", expected, found));
        }
        let theirs = other.indices().iter().copied().enumerate();
        let changes = theirs.filter(|_| rng.random_bool(0.5));
        Ok(self.with(&changes.collect::<Vec<_>>()))
    }

    /// The number of values of each decision.
    fn sizes(&self) -> Vec<usize> {
        let decisions = self.space().decisions(self.layers());
        decisions.map(|decision| decision.size()).collect()
    }

    /// These actions but for `changes`, decisions with their new values.
    fn with(&self, changes: &[(usize, usize)]) -> Self {
        let mut indices = self.indices().to_vec();
        for &(at, value) in changes {
            indices[at] = value;
        }
        Self::given(self.space().clone(), self.layers(), indices)
    }
}
