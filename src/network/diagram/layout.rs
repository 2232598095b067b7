//! Where boxes and arrows go: a layered drawing (Sugiyama, Tagawa & Toda 1981). Knows sizes and arrows,
//! not what is in the boxes.
//!
//! A box is one layer below the lowest of what it reads. An arrow that spans several layers goes
//! through a stop in each layer between; all arrows from one box share their stops. Stops have a place
//! among the boxes of their layer, and lines bend between layers only, so no line runs over a box.

use std::collections::BTreeMap;

use crate::error::{Error, Result};

/// The least distance between neighbours of a layer.
const GAP: f64 = 22.0;
/// The width that a stop keeps free.
const STOP: f64 = 6.0;
/// The least height between two layers, where lines bend.
const BEND: f64 = 30.0;
/// The most height between two layers.
const HIGHEST_BEND: f64 = 110.0;
/// How often the layers are put in order, and into place.
const SWEEPS: usize = 12;
/// The most boxes and stops that are laid out.
const MOST_PLACES: usize = 200_000;

/// A box to be placed.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub width: f64,
    pub height: f64,
    /// The items it reads: earlier ones, each once.
    pub inputs: Vec<usize>,
}

/// A drawing: its size, where the boxes are, and the lines.
#[derive(Clone, Debug, Default)]
pub(super) struct Drawing {
    pub width: f64,
    pub height: f64,
    /// The top left corner of each item.
    pub corners: Vec<(f64, f64)>,
    pub lines: Vec<Line>,
}

/// A line from the bottom of one place to the top of the next, one layer below.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Line {
    /// Where it leaves a box or a stop.
    pub from: (f64, f64),
    /// The end of the layer that it leaves: above, the line is vertical.
    pub bend: f64,
    pub to: (f64, f64),
    /// Where it leads on to within the layer, if it ends at a stop.
    pub through: Option<f64>,
}

/// A box, or a stop of the arrows from one box.
struct Place {
    layer: usize,
    width: f64,
    item: Option<usize>,
    above: Vec<usize>,
    below: Vec<usize>,
    x: f64,
}

/// Lays out `items`.
///
/// # Errors
/// [`Error::Invalid`] where there are more than 200,000 boxes and stops.
pub(super) fn layout(items: &[Item]) -> Result<Drawing> {
    let mut places = places(items)?;
    let mut layers = layers(&places);
    order(&mut places, &mut layers);
    place(&mut places, &layers);
    Ok(draw(items, &places, &layers))
}

/// The boxes, then the stops, with who is above and below each.
fn places(items: &[Item]) -> Result<Vec<Place>> {
    let mut places: Vec<Place> = Vec::with_capacity(items.len());
    for (index, item) in items.iter().enumerate() {
        let lowest = item.inputs.iter().map(|&input| places[input].layer + 1);
        places.push(Place {
            layer: lowest.max().unwrap_or(0),
            width: item.width,
            item: Some(index),
            above: Vec::new(),
            below: Vec::new(),
            x: 0.0,
        });
    }
    // The stops of each item by layer.
    let mut stops: BTreeMap<(usize, usize), usize> = BTreeMap::new();
    for (index, item) in items.iter().enumerate() {
        for &input in &item.inputs {
            let mut above = input;
            for layer in places[input].layer + 1..places[index].layer {
                let next = places.len();
                let stop = *stops.entry((input, layer)).or_insert(next);
                if stop == next {
                    places.push(Place {
                        layer,
                        width: STOP,
                        item: None,
                        above: vec![above],
                        below: Vec::new(),
                        x: 0.0,
                    });
                    places[above].below.push(stop);
                }
                above = stop;
                if places.len() > MOST_PLACES {
                    let expected = format!("a network of at most {MOST_PLACES} boxes and bends");
                    return Err(Error::invalid("diagram", expected, "more"));
                }
            }
            places[above].below.push(index);
            places[index].above.push(above);
        }
    }
    Ok(places)
}

/// The places of each layer, in the order of their making.
fn layers(places: &[Place]) -> Vec<Vec<usize>> {
    let count = places.iter().map(|place| place.layer + 1).max();
    let mut layers = vec![Vec::new(); count.unwrap_or(0)];
    for (index, place) in places.iter().enumerate() {
        layers[place.layer].push(index);
    }
    layers
}

/// Orders each layer by the mean position of its neighbours, down and up in turn, and keeps the order
/// with the fewest crossings.
fn order(places: &mut [Place], layers: &mut Vec<Vec<usize>>) {
    let mut position = vec![0_usize; places.len()];
    let number = |layers: &[Vec<usize>], position: &mut [usize]| {
        for layer in layers {
            for (at, &place) in layer.iter().enumerate() {
                position[place] = at;
            }
        }
    };
    number(layers, &mut position);
    let mut best = (crossings(places, layers, &position), layers.clone());
    for sweep in 0..SWEEPS {
        let down = sweep % 2 == 0;
        for step in 1..layers.len() {
            let index = if down { step } else { layers.len() - 1 - step };
            let layer = &mut layers[index];
            let mean = |&place: &usize| {
                let Place { above, below, .. } = &places[place];
                let near = if down { above } else { below };
                let sum: usize = near.iter().map(|&other| position[other]).sum();
                match near.len() {
                    0 => position[place] as f64,
                    count => sum as f64 / count as f64,
                }
            };
            layer.sort_by(|a, b| mean(a).total_cmp(&mean(b)));
            for (at, &place) in layer.iter().enumerate() {
                position[place] = at;
            }
        }
        let crossed = crossings(places, layers, &position);
        if crossed < best.0 {
            best = (crossed, layers.clone());
        }
    }
    *layers = best.1;
}

/// How many pairs of lines between neighbouring layers cross.
fn crossings(places: &[Place], layers: &[Vec<usize>], position: &[usize]) -> u64 {
    let mut total = 0;
    for pair in layers.windows(2) {
        let mut ends = Vec::new();
        for &place in &pair[0] {
            let mut below: Vec<_> = places[place].below.iter().map(|&b| position[b]).collect();
            below.sort_unstable();
            ends.extend(below);
        }
        total += inversions(&ends, pair[1].len());
    }
    total
}

/// How many pairs of `values`, each below `bound`, are in the wrong order; with a Fenwick tree.
fn inversions(values: &[usize], bound: usize) -> u64 {
    let mut tree = vec![0_u64; bound + 1];
    let mut count = 0;
    for (seen, &value) in values.iter().enumerate() {
        let (mut at, mut not_larger) = (value + 1, 0);
        while at > 0 {
            not_larger += tree[at];
            at &= at - 1;
        }
        count += seen as u64 - not_larger;
        let mut at = value + 1;
        while at <= bound {
            tree[at] += 1;
            at += at & at.wrapping_neg();
        }
    }
    count
}

/// Moves each layer's places as near to their neighbours as the order allows.
fn place(places: &mut [Place], layers: &[Vec<usize>]) {
    for layer in layers {
        let mut x = 0.0;
        for &index in layer {
            x += places[index].width / 2.0;
            places[index].x = x;
            x += places[index].width / 2.0 + GAP;
        }
    }
    for sweep in 0..2 * SWEEPS {
        let down = sweep % 2 == 0;
        let both = sweep + 4 >= 2 * SWEEPS;
        for step in 0..layers.len() {
            let index = if down { step } else { layers.len() - 1 - step };
            let wishes: Vec<(f64, f64)> = layers[index]
                .iter()
                .map(|&place| wish(places, place, down, both))
                .collect();
            settle(places, &layers[index], &wishes);
        }
    }
}

/// Where a place would rather be, and how much: in the middle of its neighbours. Stops insist, so that
/// long lines are straight.
fn wish(places: &[Place], index: usize, down: bool, both: bool) -> (f64, f64) {
    let place = &places[index];
    let (above, below) = (place.above.iter(), place.below.iter());
    let near: Vec<usize> = match (both, down) {
        (true, _) => above.chain(below).copied().collect(),
        (false, true) => above.copied().collect(),
        (false, false) => below.copied().collect(),
    };
    if near.is_empty() {
        return (place.x, 0.1);
    }
    let weight = |&other: &usize| match (place.item, places[other].item) {
        (None, None) => 8.0,
        (None, _) | (_, None) => 2.0,
        _ => 1.0,
    };
    let total: f64 = near.iter().map(weight).sum();
    let sum: f64 = near.iter().map(|o| weight(o) * places[*o].x).sum();
    (sum / total, total)
}

/// Places a layer with the least sum of squared distances from the wishes, at the distances that the
/// widths ask for: isotonic regression by pooling adjacent violators (Ayer et al. 1955).
fn settle(places: &mut [Place], layer: &[usize], wishes: &[(f64, f64)]) {
    // What each place is from the first, if all stand close.
    let mut offsets = Vec::with_capacity(layer.len());
    let mut offset = 0.0;
    for (at, &index) in layer.iter().enumerate() {
        if at > 0 {
            offset += (places[layer[at - 1]].width + places[index].width) / 2.0 + GAP;
        }
        offsets.push(offset);
    }
    // Pools of neighbours that stand close: mean, weight, count.
    let mut pools: Vec<(f64, f64, usize)> = Vec::new();
    for (&(x, weight), offset) in wishes.iter().zip(&offsets) {
        let mut pool = (x - offset, weight, 1);
        while let Some(last) = pools.last().filter(|last| last.0 >= pool.0) {
            let weight = last.1 + pool.1;
            let mean = (last.0 * last.1 + pool.0 * pool.1) / weight;
            pool = (mean, weight, last.2 + pool.2);
            pools.pop();
        }
        pools.push(pool);
    }
    let firsts = pools
        .iter()
        .flat_map(|&(mean, _, count)| std::iter::repeat_n(mean, count));
    for ((&index, offset), first) in layer.iter().zip(&offsets).zip(firsts) {
        places[index].x = first + offset;
    }
}

/// The finished drawing, from (0, 0).
fn draw(items: &[Item], places: &[Place], layers: &[Vec<usize>]) -> Drawing {
    let edge = |place: &Place, side: f64| place.x + side * place.width / 2.0;
    let left = places
        .iter()
        .map(|p| edge(p, -1.0))
        .fold(f64::MAX, f64::min);
    let right = places.iter().map(|p| edge(p, 1.0)).fold(f64::MIN, f64::max);
    let mut tops = Vec::with_capacity(layers.len());
    let mut bottoms = Vec::with_capacity(layers.len());
    let mut y = 0.0;
    for layer in layers {
        let heights = layer.iter().filter_map(|&place| places[place].item);
        let height = heights.map(|item| items[item].height).fold(0.0, f64::max);
        tops.push(y);
        bottoms.push(y + height);
        // Wide bends want height, so that lines do not lie on one another.
        let spans = layer.iter().flat_map(|&place| {
            let below = places[place].below.iter();
            below.map(move |&other| (places[other].x - places[place].x).abs())
        });
        let widest = spans.fold(0.0, f64::max);
        y += height + (BEND + widest / 14.0).min(HIGHEST_BEND);
    }
    let mut drawing = Drawing {
        width: (right - left).max(0.0),
        height: bottoms.last().copied().unwrap_or(0.0),
        corners: vec![(0.0, 0.0); items.len()],
        lines: Vec::new(),
    };
    for place in places {
        let x = place.x - left;
        let (top, bottom) = (tops[place.layer], bottoms[place.layer]);
        let leaves = match place.item {
            Some(item) => {
                drawing.corners[item] = (x - place.width / 2.0, top);
                top + items[item].height
            }
            None => bottom,
        };
        for &other in &place.below {
            let end = &places[other];
            drawing.lines.push(Line {
                from: (x, leaves),
                bend: bottom,
                to: (end.x - left, tops[end.layer]),
                through: end.item.is_none().then(|| bottoms[end.layer]),
            });
        }
    }
    drawing
}

#[cfg(test)]
mod tests {
    use super::*;

    fn item(inputs: &[usize]) -> Item {
        Item {
            width: 80.0,
            height: 30.0,
            inputs: inputs.to_vec(),
        }
    }

    /// Whether the two boxes overlap.
    fn overlap(drawing: &Drawing, items: &[Item], a: usize, b: usize) -> bool {
        let apart = |from: f64, length: f64, other: f64, other_length: f64| {
            from + length <= other || other + other_length <= from
        };
        let ((ax, ay), (bx, by)) = (drawing.corners[a], drawing.corners[b]);
        !apart(ax, items[a].width, bx, items[b].width)
            && !apart(ay, items[a].height, by, items[b].height)
    }

    #[test]
    fn a_chain_is_a_straight_line_down() {
        let items: Vec<Item> = (0..10)
            .map(|n: usize| item(&n.checked_sub(1).into_iter().collect::<Vec<_>>()))
            .collect();
        let drawing = layout(&items).unwrap();
        assert_eq!(drawing.width, 80.0);
        assert_eq!(drawing.lines.len(), 9);
        assert!(drawing.lines.iter().all(|line| line.from.0 == line.to.0));
        let tops: Vec<f64> = drawing.corners.iter().map(|corner| corner.1).collect();
        assert!(tops.is_sorted_by(|a, b| a + 30.0 < *b), "{tops:?}");
    }

    /// Cells of branches of different length, with skips over one cell.
    fn cells(count: usize) -> Vec<Item> {
        let mut items = vec![item(&[])];
        let (mut before, mut last) = (0, 0);
        for cell in 0..count {
            let mut ends = Vec::new();
            for branch in 0..4 {
                let mut at = if (branch + cell) % 3 == 0 {
                    before
                } else {
                    last
                };
                for _ in 0..=(branch + cell) % 4 {
                    items.push(item(&[at]));
                    at = items.len() - 1;
                }
                ends.push(at);
            }
            items.push(item(&ends));
            (before, last) = (last, items.len() - 1);
        }
        items
    }

    #[test]
    fn boxes_do_not_overlap_and_no_line_runs_over_one() {
        let items = cells(8);
        let drawing = layout(&items).unwrap();
        for a in 0..items.len() {
            assert!((0..a).all(|b| !overlap(&drawing, &items, a, b)), "{a}");
        }
        for line in &drawing.lines {
            // The vertical parts; the bends are between layers, where no box is.
            let parts = [
                Some((line.from.0, line.from.1, line.bend)),
                line.through.map(|end| (line.to.0, line.to.1, end)),
            ];
            for (x, top, bottom) in parts.into_iter().flatten() {
                for (corner, item) in drawing.corners.iter().zip(&items) {
                    let beside = x <= corner.0 || corner.0 + item.width <= x;
                    let above_or_below = bottom <= corner.1 || corner.1 + item.height <= top;
                    assert!(beside || above_or_below, "{line:?} over {corner:?}");
                }
            }
        }
    }

    #[test]
    fn branches_do_not_cross_without_need() {
        // Two chains side by side whose boxes were made in turn, swapped at the end.
        let items = [&[][..], &[0], &[0], &[2], &[1], &[4], &[3], &[5, 6]].map(item);
        let drawing = layout(&items).unwrap();
        let side = |item: usize| drawing.corners[item].0 < drawing.corners[7].0;
        assert!(side(1) == side(4) && side(4) == side(5), "{drawing:?}");
        assert!(side(2) == side(3) && side(3) == side(6), "{drawing:?}");
    }

    #[test]
    fn inversions_are_counted_exactly() {
        assert_eq!(inversions(&[0, 1, 1, 2], 3), 0);
        assert_eq!(inversions(&[3, 2, 1, 0], 4), 6);
        assert_eq!(inversions(&[1, 0, 2, 0], 3), 3);
    }
}
