//! Parallel coordinates: the decisions of trials as lines, coloured by the score.

use std::fmt::Write;

use maud::{Markup, html};

use super::drawing::{Drawing, Tip};
use super::frame::{clipped, one, short};
use super::style::LEVELS;
use crate::report::view::{Importance, Point, Select, View};

/// The most lines: the best, and an even choice of the others.
const MOST: usize = 800;
/// The most axes, the most important first.
const AXES: usize = 14;
const HEIGHT: f64 = 360.0;
const TOP: f64 = 54.0;
const BOTTOM: f64 = 330.0;

/// The decisions of the chosen trials, coloured by score in six shades of equally many trials. `link` makes the address
/// that picks a value, where values can be picked.
pub fn parallel(
    view: &View,
    select: &Select,
    found: &[Importance],
    link: Option<&dyn Fn(usize, usize) -> String>,
) -> Drawing {
    let title = "Decisions and scores";
    let axes = axes(view, found);
    let scored: Vec<&Point> = view
        .points
        .iter()
        .filter(|point| point.score.is_some())
        .collect();
    if axes.is_empty() || scored.is_empty() {
        return Drawing::empty(title, "No trial with decisions and a score so far.");
    }
    let mut levels: Vec<f64> = scored.iter().filter_map(|point| point.score).collect();
    levels.sort_by(f64::total_cmp);
    let mut chosen: Vec<&Point> = select.points(view);
    chosen.retain(|point| point.score.is_some());
    let count = chosen.len();
    let shown = thinned(chosen);

    let step = 660.0 / (axes.len().max(2) - 1) as f64;
    let x = |at: usize| 34.0 + at as f64 * step;
    let places: Vec<Vec<f64>> = axes.iter().map(|axis| heights(view, *axis)).collect();
    let mut paths = vec![String::new(); LEVELS];
    for point in &shown {
        let path = &mut paths[shade(&levels, point.score.unwrap_or_default())];
        let mut pen = 'M';
        for (at, axis) in axes.iter().enumerate() {
            let Some(value) = point.value(*axis) else {
                pen = 'M';
                continue;
            };
            // Lines through one value are spread a little, so that many are seen as many.
            let spread = ((point.number * 7919) % 17) as f64 / 17.0 * 8.0 - 4.0;
            // Writing to a string does not fail.
            let _ = write!(
                path,
                "{pen}{} {}",
                one(x(at)),
                one(places[at][value] + spread)
            );
            pen = 'L';
        }
    }
    let picked = select.picked();
    let values = |at: usize, axis: usize| -> Markup {
        let of = &view.axes[axis];
        // With many values only some are named.
        let every = of.size().div_ceil(18).max(1);
        let named = of
            .order()
            .into_iter()
            .enumerate()
            .filter(|(place, _)| place % every == 0);
        let any = picked.iter().any(|(picked, _)| *picked == axis);
        html! {
            @for (_, value) in named {
                @let on = picked.contains(&(axis, value));
                @let class = if any && !on { "value off" } else { "value" };
                @let y = one(places[at][value] + 4.0);
                @let anchor = if at + 1 == axes.len() { ("end", -7.0) } else { ("start", 7.0) };
                @if let Some(link) = link {
                    a.pick href=(link(axis, value)) aria-label=(format!("only {} = {}", of.name, of.label(value))) {
                        text class=(class) x=(one(x(at) + anchor.1)) y=(y) text-anchor=(anchor.0) { (clipped(&of.label(value), 12)) }
                    }
                } @else {
                    text class=(class) x=(one(x(at) + anchor.1)) y=(y) text-anchor=(anchor.0) { (clipped(&of.label(value), 12)) }
                }
            }
        }
    };
    let body = html! {
        (legend(&levels))
        @for (shade, path) in paths.iter().enumerate() {
            path class=(format!("shade{shade}")) d=(path) {}
        }
        @for (at, &axis) in axes.iter().enumerate() {
            line.pole x1=(one(x(at))) x2=(one(x(at))) y1=(TOP - 8.0) y2=(BOTTOM + 8.0) {}
            @let low = at % 2 == 1;
            @let anchor = if at == 0 { "start" } else if at + 1 == axes.len() { "end" } else { "middle" };
            text.name x=(one(if at == 0 { 4.0 } else { x(at) })) y=(if low { HEIGHT - 6.0 } else { TOP - 14.0 }) text-anchor=(anchor) font-size="11" {
                (clipped(&view.axes[axis].name, 22))
            }
        }
        @for (at, &axis) in axes.iter().enumerate() { (values(at, axis)) }
    };
    let tips: Vec<Tip> = shown
        .iter()
        .rev()
        .take(300)
        .filter_map(|point| {
            let value = point.value(axes[0])?;
            let spread = ((point.number * 7919) % 17) as f64 / 17.0 * 8.0 - 4.0;
            Some(Tip {
                at: (x(0), places[0][value] + spread),
                text: super::best::told(point),
                trial: Some(point.number),
            })
        })
        .collect();
    let mut notes = Vec::new();
    if shown.len() < count {
        notes.push(format!(
            "{} of {count} trials are drawn: the best {}, and every so-many-th other.",
            shown.len(),
            MOST / 4
        ));
    }
    if axes.len() < view.axes.len() {
        notes.push(format!(
            "{} of {} decisions: the most important.",
            axes.len(),
            view.axes.len()
        ));
    }
    Drawing {
        title: title.into(),
        about: format!(
            "{} trials over {} decisions, coloured by score.",
            shown.len(),
            axes.len()
        ),
        note: (!notes.is_empty()).then(|| notes.join(" ")),
        size: (720.0, HEIGHT),
        body,
        tips,
    }
}

/// The shade of a score among all `levels`, which are in order: equal scores have that of the middle of them.
fn shade(levels: &[f64], score: f64) -> usize {
    let below = levels.partition_point(|level| *level < score);
    let upto = levels.partition_point(|level| *level <= score);
    (below + upto) * LEVELS / (2 * levels.len())
}

/// The axes to show, in the order of the decisions.
fn axes(view: &View, found: &[Importance]) -> Vec<usize> {
    let varied = |axis: &usize| view.axes[*axis].size() > 1;
    let all: Vec<usize> = (0..view.axes.len()).filter(varied).collect();
    if all.len() <= AXES {
        return all;
    }
    let important = found.iter().map(|importance| importance.axis);
    let mut axes: Vec<usize> = important.chain(all).collect();
    let mut seen = std::collections::BTreeSet::new();
    axes.retain(|axis| seen.insert(*axis));
    axes.truncate(AXES);
    axes.sort_unstable();
    axes
}

/// The height of each value of an axis, the first of the order at the bottom.
fn heights(view: &View, axis: usize) -> Vec<f64> {
    let order = view.axes[axis].order();
    let mut heights = vec![0.0; order.len()];
    let steps = (order.len().max(2) - 1) as f64;
    for (place, value) in order.iter().enumerate() {
        heights[*value] = BOTTOM - (BOTTOM - TOP) * place as f64 / steps;
    }
    heights
}

/// The lines to draw, the best last, so that they are on top.
fn thinned(mut points: Vec<&Point>) -> Vec<&Point> {
    points.sort_by(|a, b| {
        a.score
            .unwrap_or_default()
            .total_cmp(&b.score.unwrap_or_default())
    });
    if points.len() <= MOST {
        return points;
    }
    let best = points.split_off(points.len() - MOST / 4);
    let every = points.len().div_ceil(MOST * 3 / 4);
    points.into_iter().step_by(every).chain(best).collect()
}

fn legend(levels: &[f64]) -> Markup {
    let (low, high) = (levels[0], levels[levels.len() - 1]);
    html! {
        text x="34" y="16" { "score " (short(low)) }
        @for shade in 0..LEVELS {
            path class=(format!("shade{shade}")) stroke-width="10" d=(format!("M{} 12h20", 128 + 21 * shade)) {}
        }
        text x=(136 + 21 * LEVELS) y="16" { (short(high)) " (shades of equally many trials)" }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shades_follow_ranks_and_equal_scores_share_the_middle_one() {
        let levels: Vec<f64> = (0..12).map(f64::from).collect();
        let shades: Vec<usize> = levels.iter().map(|score| shade(&levels, *score)).collect();
        assert_eq!(shades, [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]);
        // Most at the top: not drawn as if they were the worst.
        let levels = [0.09, 0.1, 0.1, 0.1, 0.1, 0.1];
        assert_eq!((shade(&levels, 0.09), shade(&levels, 0.1)), (0, 3));
    }
}
