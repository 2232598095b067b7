//! Several objectives at once: which points no other beats, how good a set of them is. Points have one
//! number for each objective, of which more is better. Pure arithmetic.

use crate::error::{Error, Result};

/// Checks that all `points` have the same number of objectives, at least one, and no NaN.
fn check(points: &[Vec<f64>]) -> Result<()> {
    let what = "points";
    let Some(first) = points.first() else {
        return Ok(());
    };
    if first.is_empty() {
        return Err(Error::invalid(what, "at least one objective", "none"));
    }
    for point in points {
        if point.len() != first.len() {
            let expected = format!("{} objectives, as the first has", first.len());
            return Err(Error::invalid(what, expected, point.len()));
        }
        if point.iter().any(|value| value.is_nan()) {
            return Err(Error::invalid(what, "numbers", "NaN"));
        }
    }
    Ok(())
}

/// Whether `a` is nowhere worse than `b` and somewhere better.
fn dominates(a: &[f64], b: &[f64]) -> bool {
    let mut pairs = a.iter().zip(b);
    pairs.clone().all(|(a, b)| a >= b) && pairs.any(|(a, b)| a > b)
}

/// The indices of `points` in fronts: first those that no point dominates, then those that only points of
/// the first front dominate, and so on (Deb et al., "A Fast and Elitist Multiobjective Genetic Algorithm:
/// NSGA-II", 2002, §III-A). Within a front they ascend.
///
/// # Errors
/// [`Error::Invalid`] for points of different lengths and for NaN.
pub fn fronts(points: &[Vec<f64>]) -> Result<Vec<Vec<usize>>> {
    check(points)?;
    let beaten_by = |i: usize| {
        let others = points.iter();
        others.filter(|other| dominates(other, &points[i])).count()
    };
    let mut left: Vec<usize> = (0..points.len()).map(beaten_by).collect();
    let mut open: Vec<usize> = (0..points.len()).collect();
    let mut fronts = Vec::new();
    while !open.is_empty() {
        let (front, rest): (Vec<_>, Vec<_>) = open.into_iter().partition(|i| left[*i] == 0);
        for &i in &rest {
            let gone = front.iter().filter(|j| dominates(&points[**j], &points[i]));
            left[i] -= gone.count();
        }
        fronts.push(front);
        open = rest;
    }
    Ok(fronts)
}

/// The indices of `points`, a cost and a value each, that no other has both for less and better; by rising cost. Of
/// equals the first. Takes n log n steps, where [`fronts`] takes n².
pub fn front_of_two(points: &[(f64, f64)]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..points.len()).collect();
    order.sort_by(|&a, &b| {
        let (a, b) = (points[a], points[b]);
        a.0.total_cmp(&b.0).then(b.1.total_cmp(&a.1))
    });
    let mut best = f64::NEG_INFINITY;
    order.retain(|&index| {
        let better = points[index].1 > best;
        best = best.max(points[index].1);
        better
    });
    order
}

/// How far apart the neighbours of each point of a front are, summed over the objectives, each in units
/// of its range; infinite at the ends (§III-B of the same).
pub fn crowding(front: &[&[f64]]) -> Vec<f64> {
    let mut distance = vec![0.0; front.len()];
    let objectives = front.first().map_or(0, |point| point.len());
    for objective in 0..objectives {
        let value = |i: usize| front[i][objective];
        let mut order: Vec<usize> = (0..front.len()).collect();
        order.sort_by(|a, b| value(*a).total_cmp(&value(*b)));
        let (Some(&lowest), Some(&highest)) = (order.first(), order.last()) else {
            break;
        };
        distance[lowest] = f64::INFINITY;
        distance[highest] = f64::INFINITY;
        let range = value(highest) - value(lowest);
        if range > 0.0 {
            for at in order.windows(3) {
                distance[at[1]] += (value(at[2]) - value(at[0])) / range;
            }
        }
    }
    distance
}

/// The indices of `points` from the best to the worst: front after front, within a front the least
/// crowded first (the crowded comparison, §III-B of the same).
///
/// # Errors
/// As [`fronts`].
pub fn order(points: &[Vec<f64>]) -> Result<Vec<usize>> {
    let mut order = Vec::with_capacity(points.len());
    for front in fronts(points)? {
        let values: Vec<&[f64]> = front.iter().map(|i| &*points[*i]).collect();
        let mut ranked: Vec<_> = front.into_iter().zip(crowding(&values)).collect();
        ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
        order.extend(ranked.into_iter().map(|(i, _)| i));
    }
    Ok(order)
}

/// The volume that `points` dominate above `reference`, a point that is worse than all that count (Zitzler
/// & Thiele, "Multiobjective Evolutionary Algorithms", 1999). Points that do not beat it everywhere add
/// nothing. By slices along the last objective: meant for two to four.
///
/// # Errors
/// As [`fronts`], the reference being a point too.
pub fn hypervolume(points: &[Vec<f64>], reference: &[f64]) -> Result<f64> {
    check(&[points, &[reference.to_vec()]].concat())?;
    let above = |point: &&Vec<f64>| point.iter().zip(reference).all(|(p, r)| p > r);
    let inside: Vec<&[f64]> = points.iter().filter(above).map(|p| &**p).collect();
    Ok(volume(inside, reference))
}

/// The same for points that are better than `reference` everywhere.
fn volume(mut points: Vec<&[f64]>, reference: &[f64]) -> f64 {
    let Some((&floor, below)) = reference.split_last() else {
        return 1.0;
    };
    let last = below.len();
    points.sort_by(|a, b| b[last].total_cmp(&a[last]));
    if below.is_empty() {
        return points.first().map_or(0.0, |best| best[0] - floor);
    }
    let mut total = 0.0;
    for count in 1..=points.len() {
        let bottom = points.get(count).map_or(floor, |next| next[last]);
        let height = points[count - 1][last] - bottom;
        if height > 0.0 {
            total += height * volume(points[..count].to_vec(), below);
        }
    }
    total
}

#[cfg(test)]
mod tests {
    use super::*;

    fn points(values: &[&[f64]]) -> Vec<Vec<f64>> {
        values.iter().map(|v| v.to_vec()).collect()
    }

    #[test]
    fn a_front_holds_what_nothing_beats_and_the_next_what_it_alone_beats() {
        let points = points(&[
            &[1.0, 5.0],
            &[2.0, 2.0],
            &[5.0, 1.0],
            &[1.0, 1.0],
            &[1.0, 2.0],
            &[2.0, 2.0],
        ]);
        // A point does not beat its equal.
        let expected = vec![vec![0, 1, 2, 5], vec![4], vec![3]];
        assert_eq!(fronts(&points).unwrap(), expected);
        assert_eq!(fronts(&[]).unwrap(), Vec::<Vec<usize>>::new());
    }

    #[test]
    fn the_front_of_two_is_the_first_front() {
        let costs = [
            (3.0, 0.9),
            (1.0, 0.5),
            (2.0, 0.5),
            (1.0, 0.4),
            (3.0, 0.9),
            (5.0, 0.95),
        ];
        assert_eq!(front_of_two(&costs), [1, 0, 5]);
        let both: Vec<Vec<f64>> = costs
            .iter()
            .map(|(cost, value)| vec![-cost, *value])
            .collect();
        let mut first = fronts(&both).unwrap().remove(0);
        first.retain(|index| *index != 4);
        assert_eq!(first, [0, 1, 5], "all but the second of equals");
        assert_eq!(front_of_two(&[]), [0; 0]);
    }

    #[test]
    fn crowding_is_the_gap_between_neighbours_in_units_of_the_range() {
        let front = points(&[&[0.0, 10.0], &[1.0, 8.0], &[3.0, 6.0], &[4.0, 0.0]]);
        let front: Vec<&[f64]> = front.iter().map(|p| &**p).collect();
        let far = f64::INFINITY;
        // 3/4 + 4/10, then 3/4 + 8/10.
        let found = crowding(&front);
        assert_eq!((found[0], found[3]), (far, far));
        assert!((found[1] - 1.15).abs() < 1e-12 && (found[2] - 1.55).abs() < 1e-12);
        let order = order(&points_of(&front)).unwrap();
        assert_eq!(order, [0, 3, 2, 1], "the ends, then the loneliest");
    }

    fn points_of(front: &[&[f64]]) -> Vec<Vec<f64>> {
        front.iter().map(|p| p.to_vec()).collect()
    }

    #[test]
    fn the_hypervolume_is_that_of_the_boxes_together() {
        let volume =
            |values: &[&[f64]], reference: &[f64]| hypervolume(&points(values), reference).unwrap();
        assert_eq!(volume(&[&[7.0]], &[2.0]), 5.0);
        // 1 × 3, then 1 × 2, then 1 × 1.
        let stairs: &[&[f64]] = &[&[1.0, 3.0], &[2.0, 2.0], &[3.0, 1.0]];
        assert_eq!(volume(stairs, &[0.0, 0.0]), 6.0);
        let more: &[&[f64]] = &[
            &[1.0, 3.0],
            &[2.0, 2.0],
            &[3.0, 1.0],
            &[1.0, 1.0],
            &[2.0, 2.0],
        ];
        assert_eq!(
            volume(more, &[0.0, 0.0]),
            6.0,
            "what is beaten adds nothing"
        );
        assert_eq!(
            volume(&[&[5.0, -1.0]], &[0.0, 0.0]),
            0.0,
            "below the reference"
        );
        // Two boxes of 2 that share 1.
        let boxes: &[&[f64]] = &[&[1.0, 2.0, 1.0], &[2.0, 1.0, 1.0]];
        assert_eq!(volume(boxes, &[0.0, 0.0, 0.0]), 3.0);
        let boxes: &[&[f64]] = &[&[1.0, 1.0, 2.0], &[2.0, 1.0, 1.0], &[1.0, 2.0, 1.0]];
        assert_eq!(volume(boxes, &[0.0, 0.0, 0.0]), 4.0);
        assert_eq!(volume(&[], &[0.0, 0.0]), 0.0);
    }

    #[test]
    fn points_that_do_not_fit_are_refused() {
        let message = fronts(&points(&[&[1.0, 2.0], &[1.0]])).unwrap_err();
        assert_eq!(
            message.to_string(),
            "points: expected 2 objectives, as the first has, found 1"
        );
        assert!(hypervolume(&points(&[&[1.0, f64::NAN]]), &[0.0, 0.0]).is_err());
        assert!(hypervolume(&points(&[&[1.0, 1.0]]), &[0.0]).is_err());
    }
}
