//! What a pool knows besides its controllers: whose turn it is, who waits for which reward, and what
//! came of it. Knows nothing of policies.

use std::collections::{BTreeSet, VecDeque};

/// The most architectures without a reward that are kept.
const WAITING: usize = 10_000;
/// The most architectures that [`Ledger::distinct`] looks at.
pub(super) const RECENT: usize = 1000;

/// See the head of the file.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(super) struct Ledger {
    /// The replica that samples next.
    pub turn: usize,
    /// The number of updates.
    pub step: u64,
    /// Whether each replica has sampled since its last update.
    pub begun: Vec<bool>,
    /// The architectures whose rewards are awaited, the earliest first, and who sampled each.
    pub waiting: VecDeque<(Vec<usize>, usize)>,
    /// The architectures that were sampled last, the earliest first.
    pub recent: VecDeque<Vec<usize>>,
    /// The rewards of each replica since the last exchange: their number and sum.
    pub earned: Vec<(usize, f64)>,
    /// How many updates there were of each staleness.
    pub staleness: Vec<u64>,
}

impl Ledger {
    pub fn new(replicas: usize) -> Self {
        Self {
            turn: 0,
            step: 0,
            begun: vec![false; replicas],
            waiting: VecDeque::new(),
            recent: VecDeque::new(),
            earned: vec![(0, 0.0); replicas],
            staleness: Vec::new(),
        }
    }

    /// Notes that `replica` sampled the architecture of `indices`.
    pub fn sampled(&mut self, replica: usize, indices: &[usize]) {
        self.begun[replica] = true;
        push(&mut self.recent, indices.to_vec(), RECENT);
        push(&mut self.waiting, (indices.to_vec(), replica), WAITING);
    }

    /// Where the architecture of `indices` waits longest for a reward, and the replica that sampled
    /// it.
    pub fn waits_for(&self, indices: &[usize]) -> Option<(usize, usize)> {
        let waiting = self.waiting.iter().enumerate();
        let mut same = waiting.filter(|(_, (waits, _))| waits == indices);
        same.next().map(|(place, (_, by))| (place, *by))
    }

    /// Notes the reward of what waits at `place`, which `replica` earned.
    pub fn rewarded(&mut self, place: usize, replica: usize, reward: f64) {
        self.waiting.remove(place);
        let (count, sum) = &mut self.earned[replica];
        (*count, *sum) = (*count + 1, *sum + reward);
    }

    /// Counts an update.
    pub fn count(&mut self, staleness: u64) {
        self.step += 1;
        let staleness = staleness as usize;
        if self.staleness.len() <= staleness {
            self.staleness.resize(staleness + 1, 0);
        }
        self.staleness[staleness] += 1;
    }

    /// The mean staleness of all updates; `None` before the first.
    pub fn mean_staleness(&self) -> Option<f64> {
        let counts = self.staleness.iter().enumerate();
        let total: f64 = counts.map(|(s, &n)| s as f64 * n as f64).sum();
        (self.step > 0).then(|| total / self.step as f64)
    }

    /// The share of distinct architectures among the `last` that were sampled; `None` before the
    /// first.
    pub fn distinct(&self, last: usize) -> Option<f64> {
        let seen = self.recent.iter().rev().take(last);
        let count = seen.len() as f64;
        let distinct: BTreeSet<_> = seen.collect();
        (count > 0.0).then(|| distinct.len() as f64 / count)
    }

    /// The replicas with the lowest and the highest mean reward since the last exchange, the first of
    /// equals; `None` where the means are all the same.
    pub fn extremes(&self) -> Option<(usize, usize)> {
        let earned = self.earned.iter().enumerate();
        let earned = earned.filter(|(_, (count, _))| *count > 0);
        let means = earned.map(|(number, (count, sum))| (number, sum / *count as f64));
        let (worst, lowest) = means.clone().min_by(|a, b| a.1.total_cmp(&b.1))?;
        let (best, highest) = means.rev().max_by(|a, b| a.1.total_cmp(&b.1))?;
        (lowest < highest).then_some((worst, best))
    }
}

/// Pushes to the back; more than `most` fall out at the front.
fn push<T>(queue: &mut VecDeque<T>, item: T, most: usize) {
    if queue.len() == most {
        queue.pop_front();
    }
    queue.push_back(item);
}
