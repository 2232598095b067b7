//! Bags of boosted regression trees (Friedman 2001; Breiman 1996): each bag draws observations anew and
//! boosts trees on them; how far the bags differ is how unsure they are. Knows nothing of the scale of
//! objectives: outputs have mean 0 and variance 1.

use rand::RngExt;

use super::encoding::Encoding;
use super::{Belief, Data};
use crate::seed::{Seed, StreamRng};

const BAGS: usize = 16;
const ROUNDS: usize = 60;
const DEPTH: usize = 3;
/// How much of each tree's answer is taken.
const RATE: f64 = 0.15;
/// Observations that a leaf holds besides its own, all at 0: they keep small leaves modest.
const SHRINKAGE: f64 = 1.0;
/// Deviations are at least this much: also where all bags agree, an observation may differ.
const FLOOR: f64 = 0.05;

/// The bags, each a list of trees.
#[derive(Clone, Debug, Default)]
pub struct Trees(Vec<Vec<Tree>>);

#[derive(Clone, Debug)]
enum Tree {
    Leaf(f64),
    /// Goes left where the decision takes one of the values that are marked.
    Split {
        decision: usize,
        left: Vec<bool>,
        branches: Box<[Tree; 2]>,
    },
}

/// What the observations of a node ask for.
#[derive(Clone, Copy, Default)]
struct Sum {
    count: f64,
    total: f64,
}

impl Sum {
    /// What a leaf with these observations explains of their variance.
    fn gain(self) -> f64 {
        self.total * self.total / (self.count + SHRINKAGE)
    }

    fn minus(self, other: Self) -> Self {
        Self {
            count: self.count - other.count,
            total: self.total - other.total,
        }
    }
}

impl Trees {
    /// Trees grown on `data`.
    pub fn fitted(encoding: &Encoding, data: &Data, seed: Seed) -> Self {
        let mut rng = seed.stream("surrogate/trees");
        let bag = |_| boosted(encoding, data, &mut rng);
        Self((0..BAGS).map(bag).collect())
    }

    pub fn predict(&self, x: &[Vec<usize>]) -> Vec<Belief> {
        let answer =
            |trees: &Vec<Tree>, x: &[usize]| trees.iter().map(|t| RATE * t.answer(x)).sum();
        let belief = |x: &Vec<usize>| {
            let answers: Vec<f64> = self.0.iter().map(|trees| answer(trees, x)).collect();
            Belief::of(&answers, FLOOR)
        };
        x.iter().map(belief).collect()
    }
}

impl Belief {
    /// The mean and deviation of the `answers` of several models, at least `floor`.
    pub(super) fn of(answers: &[f64], floor: f64) -> Self {
        let n = answers.len() as f64;
        let mean = answers.iter().sum::<f64>() / n;
        let square = answers.iter().map(|a| (a - mean).powi(2)).sum::<f64>() / (n - 1.0);
        Self {
            mean,
            deviation: square.sqrt().hypot(floor),
        }
    }
}

/// One bag: trees that each learn what those before left over.
fn boosted(encoding: &Encoding, data: &Data, rng: &mut StreamRng) -> Vec<Tree> {
    let n = data.len();
    let mut weights = vec![0.0; n];
    for _ in 0..n {
        weights[rng.random_range(0..n)] += 1.0;
    }
    let members: Vec<usize> = (0..n).filter(|i| weights[*i] > 0.0).collect();
    let mut left_over = data.y.to_vec();
    let grow = |_| {
        let node = Node {
            encoding,
            x: data.x,
            targets: &left_over,
            weights: &weights,
        };
        let tree = node.grow(&members, DEPTH);
        for (rest, x) in left_over.iter_mut().zip(data.x) {
            *rest -= RATE * tree.answer(x);
        }
        tree
    };
    (0..ROUNDS).map(grow).collect()
}

/// What a tree grows on.
struct Node<'a> {
    encoding: &'a Encoding,
    x: &'a [Vec<usize>],
    targets: &'a [f64],
    weights: &'a [f64],
}

impl Node<'_> {
    fn grow(&self, members: &[usize], depth: usize) -> Tree {
        let all = members
            .iter()
            .fold(Sum::default(), |sum, i| self.add(sum, *i));
        let split = (depth > 0).then(|| self.split(members, all)).flatten();
        let Some((decision, left)) = split else {
            return Tree::Leaf(all.total / (all.count + SHRINKAGE));
        };
        let goes_left = |i: &&usize| left[self.x[**i][decision]];
        let (one, other): (Vec<usize>, Vec<usize>) = members.iter().partition(goes_left);
        let branches = [self.grow(&one, depth - 1), self.grow(&other, depth - 1)];
        Tree::Split {
            decision,
            left,
            branches: Box::new(branches),
        }
    }

    fn add(&self, sum: Sum, i: usize) -> Sum {
        Sum {
            count: sum.count + self.weights[i],
            total: sum.total + self.weights[i] * self.targets[i],
        }
    }

    /// The decision and values that tell the members best apart, if any do: of each decision the
    /// values in the order of their means are cut in two, which is the best of all cuts (Fisher 1958).
    fn split(&self, members: &[usize], all: Sum) -> Option<(usize, Vec<bool>)> {
        let mut best = (all.gain() + 1e-9, None);
        for (decision, size) in self.encoding.sizes().enumerate() {
            let mut sums = vec![Sum::default(); size];
            for i in members {
                let value = self.x[*i][decision];
                sums[value] = self.add(sums[value], *i);
            }
            let mut order: Vec<usize> = (0..size).filter(|v| sums[*v].count > 0.0).collect();
            order.sort_by(|a, b| mean(sums[*a]).total_cmp(&mean(sums[*b])));
            let mut left = Sum::default();
            for cut in 1..order.len() {
                let next = sums[order[cut - 1]];
                left = Sum {
                    count: left.count + next.count,
                    total: left.total + next.total,
                };
                let gain = left.gain() + all.minus(left).gain();
                if gain > best.0 {
                    best = (gain, Some((decision, order[..cut].to_vec(), size)));
                }
            }
        }
        let (decision, values, size) = best.1?;
        let left = (0..size).map(|v| values.contains(&v)).collect();
        Some((decision, left))
    }
}

fn mean(sum: Sum) -> f64 {
    sum.total / sum.count
}

impl Tree {
    fn answer(&self, x: &[usize]) -> f64 {
        match self {
            Self::Leaf(answer) => *answer,
            Self::Split {
                decision,
                left,
                branches,
            } => branches[usize::from(!left[x[*decision]])].answer(x),
        }
    }
}
