//! What a controller remembers besides its weights: which architectures it has seen, the best of
//! them, and the rewards so far. Knows nothing of policies or updates.

use std::collections::{BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

/// The most rewards that ranks and spread are taken from, the latest.
const REWARDS: usize = 1000;
/// The share of what was tried that is worth imitating.
const ELITE: f64 = 0.25;

/// See the head of the file.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Memory {
    /// Every architecture that was sampled or stored.
    pub seen: BTreeSet<Vec<usize>>,
    /// The best that were stored, each once with the mean of its rewards, the best first.
    best: Vec<Remembered>,
    /// The rewards, the earliest first.
    rewards: VecDeque<f64>,
    /// The number of distinct architectures that were stored.
    tried: usize,
    /// So many first draws in a row had been seen.
    pub repeats: u64,
    /// Whether the policy has collapsed.
    pub collapsed: bool,
}

/// An architecture that was tried, and what it earned.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Remembered {
    pub indices: Vec<usize>,
    pub reward: f64,
}

impl Memory {
    /// Takes in what `indices` earned; the best `most` are kept.
    pub fn earned(&mut self, indices: &[usize], reward: f64, most: usize) {
        if self.rewards.len() == REWARDS {
            self.rewards.pop_front();
        }
        self.rewards.push_back(reward);
        self.seen.insert(indices.to_vec());
        let known = self.best.iter().position(|b| b.indices == indices);
        let entry = match known {
            // The latest counts for as much as those before.
            Some(place) => {
                let before = self.best.remove(place);
                let reward = 0.5 * (before.reward + reward);
                Remembered { reward, ..before }
            }
            None => {
                self.tried += 1;
                let indices = indices.to_vec();
                Remembered { indices, reward }
            }
        };
        // Behind its equals: the earlier stays ahead.
        let place = self.best.partition_point(|b| b.reward >= entry.reward);
        self.best.insert(place, entry);
        self.best.truncate(most);
    }

    /// What to imitate, the best first, with weights that add up to 1: the best quarter of what was
    /// tried, weighted by the logarithm of its rank as the parents of CMA-ES are (Hansen 2016,
    /// arXiv 1604.00772, eq. 49).
    pub fn elite(&self) -> impl Iterator<Item = (&[usize], f64)> {
        let number = (self.tried as f64 * ELITE).ceil() as usize;
        let number = number.min(self.best.len());
        let weight = move |rank: usize| (number as f64 + 0.5).ln() - (rank as f64 + 1.0).ln();
        let total: f64 = (0..number).map(weight).sum();
        let weighted = self.best[..number].iter().enumerate();
        weighted.map(move |(rank, b)| (&b.indices[..], weight(rank) / total))
    }

    /// The rewards so far, sorted.
    pub fn sorted_rewards(&self) -> Vec<f64> {
        let mut sorted: Vec<_> = self.rewards.iter().copied().collect();
        sorted.sort_by(f64::total_cmp);
        sorted
    }

    /// Whether all of it is of decisions with so many values each.
    pub fn is_of(&self, sizes: &[usize]) -> bool {
        let fits = |indices: &Vec<usize>| {
            let mut decided = indices.iter().zip(sizes);
            indices.len() == sizes.len() && decided.all(|(i, size)| i < size)
        };
        let mut best = self.best.iter();
        self.seen.iter().all(fits)
            && best.all(|b| fits(&b.indices) && b.reward.is_finite())
            && self.rewards.iter().all(|r| r.is_finite())
    }
}
