//! Sampling from the policy, by default until the architecture is a new one: to ask again for what is
//! known teaches nothing and costs a training. Knows nothing of rewards.

use rand::RngExt;

use super::policy::Path;
use super::{Controller, reinforce};
use crate::error::Result;

/// Architectures drawn at once, and how often, before the nearest new one is looked for.
const DRAWS: usize = 16;
const ROUNDS: usize = 8;

impl Controller {
    /// Counts `indices` as seen: a controller with `novel` does not sample them.
    pub(super) fn saw(&mut self, indices: &[usize]) {
        self.memory.seen.insert(indices.to_vec());
    }

    /// Samples the next path. With `novel` an unseen one: of 128 draws the first, else the most
    /// probable that differs from the last draw in one decision, else the first of the space. Where
    /// all were seen, it is a draw as any.
    pub(super) fn next_path(&mut self) -> Result<Path> {
        let mut last = Path::default();
        let mut rounds = 1;
        if self.config.novel && !self.exhausted() {
            rounds = ROUNDS;
        }
        for round in 0..rounds {
            let drawn = if self.config.novel { DRAWS } else { 1 };
            let mut paths = self.draw(drawn)?;
            let new = |path: &Path| !self.memory.seen.contains(&path.indices);
            let found = paths.iter().position(new);
            if round == 0 {
                self.memory.repeats = match found {
                    Some(0) => 0,
                    _ => self.memory.repeats + 1,
                };
            }
            last = paths.swap_remove(found.unwrap_or_default());
            if found.is_some() {
                break;
            }
        }
        if rounds > 1 && self.memory.seen.contains(&last.indices) {
            let nearest = self.neighbour(&last).or_else(|| self.first_unseen());
            if let Some(indices) = nearest {
                let start = reinforce::start(1);
                last = self.policy.walk(&self.weights, &start, |d, _| indices[d])?;
            }
        }
        self.saw(&last.indices);
        Ok(last)
    }

    /// Whether there is no architecture that was not seen.
    pub(super) fn exhausted(&self) -> bool {
        self.memory.seen.len() as u128 >= self.space.cardinality(self.layers)
    }

    fn draw(&mut self, number: usize) -> Result<Vec<Path>> {
        let rng = &mut self.rng;
        let sample = |_, _, p: &[f64]| reinforce::sample(p, rng.random());
        let start = reinforce::start(number);
        self.policy.walk_all(&self.weights, &start, sample)
    }

    /// The unseen architecture that differs from `path` in one decision, where that loses the least
    /// probability.
    fn neighbour(&self, path: &Path) -> Option<Vec<usize>> {
        let mut changes = Vec::new();
        for (d, p) in path.probabilities.iter().enumerate() {
            let taken = path.indices[d];
            let others = (0..p.len()).filter(|index| *index != taken);
            changes.extend(others.map(|index| (p[index] / p[taken], d, index)));
        }
        changes.sort_by(|a, b| b.0.total_cmp(&a.0));
        let changed = changes.into_iter().map(|(_, d, index)| {
            let mut indices = path.indices.clone();
            indices[d] = index;
            indices
        });
        let mut changed = changed.filter(|indices| !self.memory.seen.contains(indices));
        changed.next()
    }

    /// The first unseen architecture in the space's order: among one more than were seen there is one.
    fn first_unseen(&self) -> Option<Vec<usize>> {
        let all = self.space.enumerate(self.layers).ok()?;
        let mut all = all.map(|actions| actions.indices().to_vec());
        all.find(|indices| !self.memory.seen.contains(indices))
    }
}
