//! Which classes are taken for which.

use maud::html;

use super::drawing::{Drawing, Tip};
use super::frame::{clipped, one};
use crate::study::Tested;

/// The most classes whose counts are written out.
const WRITTEN: usize = 20;
const LEFT: f64 = 150.0;
const TOP: f64 = 34.0;
const SIDE: f64 = 480.0;

/// The confusion matrix of a network on the test images: rows are true classes, columns what they were taken for.
pub fn confusion(tested: &Tested) -> Drawing {
    let title = "Confusion matrix on the test images";
    let classes = tested.confusion.len();
    if classes == 0 {
        return Drawing::empty(title, "It was not counted.");
    }
    let cell = SIDE / classes as f64;
    let name = |class: usize| {
        tested
            .classes
            .get(class)
            .map_or_else(|| class.to_string(), |name| clipped(name, 16))
    };
    let cells = || (0..classes).flat_map(|row| (0..classes).map(move |column| (row, column)));
    let count = |row: usize, column: usize| tested.confusion[row].get(column).copied().unwrap_or(0);
    let share = |row: usize, column: usize| {
        let all: u64 = tested.confusion[row].iter().sum();
        count(row, column) as f64 / all.max(1) as f64
    };
    let at = |row: usize, column: usize| (LEFT + column as f64 * cell, TOP + row as f64 * cell);
    let tips = cells()
        .filter(|(row, column)| count(*row, *column) > 0)
        .map(|(row, column)| Tip {
            at: (
                at(row, column).0 + cell / 2.0,
                at(row, column).1 + cell / 2.0,
            ),
            text: format!(
                "{} taken for {}: {} ({:.1} % of its class)",
                name(row),
                name(column),
                count(row, column),
                share(row, column) * 100.0
            ),
            trial: None,
        });
    // Names stand apart enough to be read.
    let every = (14.0 / cell).ceil().max(1.0) as usize;
    let floor = TOP + SIDE;
    let body = html! {
        @for (row, column) in cells() {
            @let (x, y) = at(row, column);
            @let share = share(row, column);
            @if count(row, column) > 0 {
                rect.heat x=(one(x)) y=(one(y)) width=(one(cell)) height=(one(cell)) fill-opacity=(format!("{:.2}", 0.08 + 0.72 * share)) {}
                @if classes <= WRITTEN {
                    text.value x=(one(x + cell / 2.0)) y=(one(y + cell / 2.0 + 4.0)) text-anchor="middle" { (count(row, column)) }
                }
            }
        }
        rect.frame x=(LEFT) y=(TOP) width=(SIDE) height=(SIDE) {}
        @for class in (0..classes).step_by(every) {
            @let middle = (class as f64 + 0.5) * cell;
            text x=(LEFT - 6.0) y=(one(TOP + middle + 4.0)) text-anchor="end" { (name(class)) }
            @let (x, y) = (one(LEFT + middle), floor + 12.0);
            text x=(x) y=(y) text-anchor="end" transform=(format!("rotate(-40 {x} {y})")) { (name(class)) }
        }
        text.name x=(LEFT + SIDE / 2.0) y=(floor + 96.0) text-anchor="middle" { "predicted class" }
        text.name x="16" y=(TOP + SIDE / 2.0) text-anchor="middle" transform=(format!("rotate(-90 16 {})", TOP + SIDE / 2.0)) { "true class" }
        text x=(LEFT) y="20" { "counts; the darker, the larger the share of the true class" }
    };
    Drawing {
        title: title.into(),
        about: format!(
            "{classes} classes, accuracy {:.2} %.",
            tested.accuracy * 100.0
        ),
        note: None,
        size: (660.0, floor + 108.0),
        body,
        tips: tips.collect(),
    }
}
