//! What a policy would decide over time: for each decision the probability of each value, as a heat map.

use std::fmt::Write;

use maud::{Markup, html};

use super::drawing::{Drawing, Tip};
use super::frame::{clipped, one, short};
use crate::report::view::{Pictured, Teaching};

/// The most columns: of more policies, every so-many-th and the last.
const COLUMNS: usize = 110;
/// The most decisions.
const DECISIONS: usize = 40;
/// The height of a value, and what is free between decisions.
const ROW: f64 = 13.0;
const GAP: f64 = 7.0;
/// Where the map begins and ends.
const LEFT: f64 = 190.0;
const RIGHT: f64 = 704.0;
const TOP: f64 = 26.0;
/// How many shades of probability.
const SHADES: usize = 10;

/// The probabilities of a controller's decisions after its updates, along its most probable path.
pub fn policy(teaching: &Teaching) -> Drawing {
    let title = "Probabilities of the policy";
    let count = teaching.policies.len();
    if count == 0 || teaching.choices.is_empty() {
        return Drawing::empty(title, "No policy is recorded: it has had no update.");
    }
    let stride = count.div_ceil(COLUMNS);
    let mut columns: Vec<&Pictured> = teaching.policies.iter().step_by(stride).collect();
    if !(count - 1).is_multiple_of(stride) {
        columns.extend(teaching.policies.last());
    }
    let width = (RIGHT - LEFT) / columns.len() as f64;
    let shown = teaching.choices.len().min(DECISIONS);

    let mut cells: Vec<String> = vec![String::new(); SHADES + 1];
    let mut labels = Vec::new();
    let mut tips = Vec::new();
    let mut y = TOP;
    for (decision, choice) in teaching.choices.iter().enumerate().take(shown) {
        labels.push((
            y,
            clipped(&choice.name, 18),
            choice
                .values
                .iter()
                .map(|v| clipped(v, 10))
                .collect::<Vec<_>>(),
        ));
        for value in 0..choice.values.len() {
            let probability = |column: usize| {
                let of = columns[column].probabilities.get(decision);
                of.and_then(|of| of.get(value)).copied().unwrap_or(0.0)
            };
            row(&mut cells, y, width, columns.len(), probability);
            for (column, pictured) in columns.iter().enumerate() {
                tips.push(Tip {
                    at: (LEFT + (column as f64 + 0.5) * width, y + ROW / 2.0),
                    text: format!(
                        "{} = {}: {}\nupdate {}, trial {}",
                        clipped(&choice.name, 40),
                        clipped(&choice.values[value], 40),
                        short(f64::from(probability(column))),
                        pictured.step,
                        pictured.trials,
                    ),
                    trial: None,
                });
            }
            y += ROW;
        }
        y += GAP;
    }
    // Thousands of cells are told one by one only where there are not too many.
    if tips.len() > 6_000 {
        let keep = tips.len().div_ceil(6_000);
        tips = tips.into_iter().step_by(keep).collect();
    }
    let last = columns.last().map_or(0, |pictured| pictured.step);
    let first = columns.first().map_or(0, |pictured| pictured.step);
    let body = html! {
        (legend())
        @for (y, name, values) in &labels {
            text.name x="8" y=(one(y + ROW - 2.5)) { (name) }
            @for (index, value) in values.iter().enumerate() {
                text x=(LEFT - 6.0) y=(one(y + (index as f64 + 1.0) * ROW - 2.5)) text-anchor="end" font-size="11" { (value) }
            }
            rect.frame x=(LEFT) y=(one(*y)) width=(RIGHT - LEFT) height=(one(ROW * values.len() as f64)) {}
        }
        @for (shade, path) in cells.iter().enumerate().skip(1) {
            @if !path.is_empty() {
                path.heat fill-opacity=(shade as f64 / SHADES as f64) d=(path) {}
            }
        }
        text x=(LEFT) y=(y + 12.0) { "update " (first) }
        text x=(RIGHT) y=(y + 12.0) text-anchor="end" { "update " (last) }
    };
    let left_out = teaching.choices.len() - shown;
    Drawing {
        title: title.into(),
        about: format!(
            "{} decisions over {last} updates; the darker, the more probable.",
            shown
        ),
        note: (left_out > 0)
            .then(|| format!("The first {shown} of {} decisions.", teaching.choices.len())),
        size: (720.0, y + 22.0),
        body,
        tips,
    }
}

/// Adds a value's cells to the paths of their shades: neighbours of one shade are one rectangle.
fn row(
    cells: &mut [String],
    y: f64,
    width: f64,
    columns: usize,
    probability: impl Fn(usize) -> f32,
) {
    let shade = |column| (f64::from(probability(column)) * SHADES as f64).round() as usize;
    let mut column = 0;
    while column < columns {
        let level = shade(column).min(SHADES);
        let mut end = column + 1;
        while end < columns && shade(end).min(SHADES) == level {
            end += 1;
        }
        let (from, to) = (LEFT + column as f64 * width, LEFT + end as f64 * width);
        // Writing to a string does not fail.
        let _ = write!(
            cells[level],
            "M{} {}H{}v{ROW}H{}z",
            one(from),
            one(y),
            one(to),
            one(from)
        );
        column = end;
    }
}

/// The shades with their probabilities, above the map.
fn legend() -> Markup {
    html! {
        text x=(LEFT) y="16" { "probability 0" }
        @for shade in 0..=SHADES {
            rect.heat x=(LEFT + 82.0 + 14.0 * shade as f64) y="5" width="14" height="13" fill-opacity=(shade as f64 / SHADES as f64) {}
        }
        rect.frame x=(LEFT + 82.0) y="5" width=(14.0 * (SHADES + 1) as f64) height="13" {}
        text x=(LEFT + 90.0 + 14.0 * (SHADES + 1) as f64) y="16" { "1" }
    }
}
