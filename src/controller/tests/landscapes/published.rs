//! Stand-ins for two published tables: a cell of operations on edges, whose short trainings say little
//! (as NAS-Bench-201, Dong & Yang 2020), and the widths of layers (as NATS-Bench's size space, Dong et
//! al. 2021). Their shape is what those papers and their readers report; their numbers are our own.

use super::{Landscape, gains};
use crate::space::{StateSpace, Value};

/// The edges of a cell of four nodes.
const EDGES: [(usize, usize); 6] = [(0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3)];
/// The edges of each path from the first node to the last.
const PATHS: [&[usize]; 4] = [&[3], &[0, 4], &[1, 5], &[0, 2, 5]];
const NONE: usize = 0;
const SKIP: usize = 1;
/// How much each operation learns: none, skip, convolutions 1×1 and 3×3, average pooling.
const LEARNS: [f64; 5] = [0.0, 0.0, 0.6, 1.0, 0.0];
const POOL: usize = 4;

/// What a cell is made of, as far as its worth depends on it.
struct Cell {
    /// The learning operations on paths that reach the last node, each edge once.
    capacity: f64,
    /// The most of them on one path.
    depth: f64,
    /// Poolings on such paths.
    pools: f64,
    /// Whether a path is nothing but skips.
    residual: bool,
    alive: bool,
}

impl Cell {
    fn new(ops: &[usize]) -> Self {
        let alive = |path: &&&[usize]| path.iter().all(|edge| ops[*edge] != NONE);
        let paths: Vec<_> = PATHS.iter().filter(alive).collect();
        let used = |edge: &usize| paths.iter().any(|path| path.contains(edge));
        let used: Vec<usize> = (0..EDGES.len())
            .filter(used)
            .map(|edge| ops[edge])
            .collect();
        let convolutions = |path: &&[usize]| path.iter().filter(|e| LEARNS[ops[**e]] > 0.0).count();
        Self {
            capacity: used.iter().map(|op| LEARNS[*op]).sum(),
            depth: paths
                .iter()
                .map(|path| convolutions(path))
                .max()
                .unwrap_or(0) as f64,
            pools: used.iter().filter(|op| **op == POOL).count() as f64,
            residual: paths
                .iter()
                .any(|path| path.iter().all(|e| ops[*e] == SKIP)),
            alive: !paths.is_empty(),
        }
    }
}

/// Six edges with one of five operations, 15,625 cells. Convolutions on paths to the output help, the less
/// the more there are; two in a row are better than one, a skip beside them is better than none; edges
/// that meet in a node go together well or badly. Most cells are within a tenth of the best, those without
/// a path are useless. A short training observes it: it is noisy, and too hard on what learns slowly,
/// deep cells without a skip.
pub fn cells() -> Landscape {
    let names = ["none", "skip", "conv 1x1", "conv 3x3", "pool"];
    let mut space = StateSpace::new();
    let names = names.map(|name| Value::Text(name.into()));
    space.add_state("op", names.to_vec()).unwrap();
    // Pairs of edges of which the second begins where the first ends, or that end in the same node.
    let meets = |a: (usize, usize), b: (usize, usize)| a.1 == b.0 || a.1 == b.1;
    let pairs = (0..6).flat_map(|i| (i + 1..6).map(move |j| (i, j)));
    let pairs: Vec<_> = pairs.filter(|(i, j)| meets(EDGES[*i], EDGES[*j])).collect();
    let together = gains("cells/pairs", pairs.len(), 25);
    let worth = move |ops: &[usize]| {
        let cell = Cell::new(ops);
        if !cell.alive {
            return 0.1;
        }
        let meeting = pairs.iter().zip(&together);
        let meeting = meeting.map(|((i, j), gain)| gain[5 * ops[*i] + ops[*j]] - 0.5);
        let learned = 1.0 - (-0.9 * cell.capacity).exp();
        let deep = [0.0, 0.6, 1.0, 0.9][cell.depth as usize];
        0.62 + 0.2 * learned + 0.08 * deep + 0.02 * f64::from(u8::from(cell.residual))
            - 0.012 * cell.pools
            + 0.01 * meeting.sum::<f64>()
    };
    let short = worth.clone();
    let proxy = move |ops: &[usize]| {
        let cell = Cell::new(ops);
        let slow = if cell.residual {
            0.0
        } else {
            0.02 * cell.depth
        };
        short(ops) - slow * f64::from(u8::from(cell.alive))
    };
    Landscape {
        proxy: Some(Box::new(proxy)),
        ..Landscape::new("cells", space, 6, 0.01, Box::new(worth))
    }
}

/// Five layers with one of eight widths, 32,768 networks. Every layer gains from width, the less the wider
/// it is, and later layers most; the narrowest holds all others back; a layer that is far wider than the
/// one before it gains little of that. Neighbouring widths differ by less than the noise.
pub fn widths() -> Landscape {
    const MATTERS: [f64; 5] = [0.1, 0.12, 0.2, 0.26, 0.32];
    const RATES: [f64; 5] = [0.08, 0.07, 0.05, 0.04, 0.035];
    let mut space = StateSpace::new();
    let widths = (1..=8).map(|eighth| Value::Int(8 * eighth)).collect();
    space.add_state("width", widths).unwrap();
    let odds = gains("widths/odds", 5, 8);
    let truth = move |a: &[usize]| {
        let width = |layer: usize| 8.0 * (a[layer] as f64 + 1.0);
        let own = |layer: usize| {
            let before = if layer == 0 { 32.0 } else { width(layer - 1) };
            // Beyond twice what comes in, width counts half.
            let useful = width(layer).min(2.0 * before);
            let useful = useful + 0.5 * (width(layer) - useful);
            MATTERS[layer] * (1.0 - (-RATES[layer] * useful).exp())
        };
        let narrowest = (0..5).map(width).fold(f64::INFINITY, f64::min);
        let odds = odds.iter().zip(a).map(|(o, i)| o[*i] - 0.5);
        0.5 + 0.4 * (0..5).map(own).sum::<f64>() - 0.06 * (-0.1 * narrowest).exp()
            + 0.002 * odds.sum::<f64>()
    };
    Landscape::new("widths", space, 5, 0.004, Box::new(truth))
}
