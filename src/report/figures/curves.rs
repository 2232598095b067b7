//! How children learn: the accuracy after each epoch, of many or of one.

use maud::html;

use super::best::told;
use super::drawing::{Drawing, Tip};
use super::frame::{Axis, Frame, short};
use crate::evaluation::Epoch;
use crate::report::view::{Point, Select, View};

/// The most curves beside the best.
const MOST: usize = 60;

/// The validation accuracy of the chosen trials' children after each epoch, the best ones before all.
pub fn learning(view: &View, select: &Select) -> Drawing {
    let title = "Learning curves of the children";
    let mut chosen: Vec<&Point> = select.points(view);
    chosen.retain(|point| !point.curve.is_empty() && !point.known);
    if chosen.is_empty() {
        return Drawing::empty(title, "No child was trained so far.");
    }
    let count = chosen.len();
    // The best half of those shown, then the latest.
    chosen.sort_by(|a, b| {
        b.score
            .unwrap_or(f64::NEG_INFINITY)
            .total_cmp(&a.score.unwrap_or(f64::NEG_INFINITY))
    });
    let latest = chosen.split_off(chosen.len().min(MOST / 2));
    let mut latest: Vec<&Point> = latest;
    latest.sort_by_key(|point| std::cmp::Reverse(point.number));
    latest.truncate(MOST / 2);
    let shown: Vec<&Point> = chosen.into_iter().chain(latest).collect();
    let longest = shown
        .iter()
        .map(|point| point.curve.len())
        .max()
        .unwrap_or(1);
    let values = shown
        .iter()
        .flat_map(|point| point.curve.iter().map(|v| f64::from(*v)));
    let frame = Frame::new(
        Axis::counted("epoch", 1.0, longest as f64),
        Axis::over("validation accuracy (0 to 1)", values),
    );
    let curve = |point: &Point| -> Vec<(f64, f64)> {
        let of = point.curve.iter().enumerate();
        of.map(|(index, v)| ((index + 1) as f64, f64::from(*v)))
            .collect()
    };
    let best = shown[0];
    // A curve of one epoch is a dot.
    let ends: Vec<(f64, f64)> = shown
        .iter()
        .filter_map(|point| curve(point).last().copied())
        .collect();
    let (dots, _) = frame.dots("known", &ends);
    let tips = shown.iter().filter_map(|point| {
        let &last = curve(point).last()?;
        Some(Tip {
            at: frame.place(last),
            text: told(point),
            trial: Some(point.number),
        })
    });
    let tips = tips.collect();
    let body = html! {
        @for point in shown.iter().skip(1) { (frame.line("faint", curve(point))) }
        (dots)
        (frame.line("best", curve(best)))
    };
    let legend = [
        ("best", format!("trial {}, the best", best.number)),
        ("faint", "others".into()),
    ];
    Drawing {
        title: title.into(),
        about: format!(
            "{} children; the best is trial {}.",
            shown.len(),
            best.number
        ),
        note: (count > shown.len()).then(|| {
            format!(
                "{} of {count}: the best {}, and the latest.",
                shown.len(),
                MOST / 2
            )
        }),
        size: frame.size,
        body: frame.draw(&legend, &body),
        tips,
    }
}

/// The loss and the accuracy of one child after each epoch, on validation and training images.
pub fn training(history: &[Epoch]) -> [Drawing; 2] {
    let of =
        |title: &str, label: &str, validation: fn(&Epoch) -> f64, training: fn(&Epoch) -> f64| {
            let Some(last) = history.last() else {
                return Drawing::empty(title, "Nothing was trained.");
            };
            let curve =
                |of: fn(&Epoch) -> f64| history.iter().map(move |e| (e.epoch as f64, of(e)));
            let values = history
                .iter()
                .flat_map(|epoch| [validation(epoch), training(epoch)]);
            let mut frame = Frame::new(
                Axis::counted("epoch", 1.0, last.epoch as f64),
                Axis::over(label, values),
            );
            frame.size = (460.0, 260.0);
            let tips = history.iter().map(|epoch| Tip {
                at: frame.place((epoch.epoch as f64, validation(epoch))),
                text: format!(
                    "epoch {}: validation {}, training {}",
                    epoch.epoch,
                    short(validation(epoch)),
                    short(training(epoch))
                ),
                trial: None,
            });
            let places: Vec<(f64, f64)> = curve(validation).collect();
            let body = html! {
                (frame.line("other", curve(training)))
                (frame.line("best", curve(validation)))
                (frame.dots("dots", &places).0)
            };
            let legend = [
                ("best", "validation".to_string()),
                ("other", "training".into()),
            ];
            Drawing {
                title: title.into(),
                about: format!(
                    "Validation {} after {} epochs.",
                    short(validation(last)),
                    history.len()
                ),
                note: None,
                size: frame.size,
                tips: tips.collect(),
                body: frame.draw(&legend, &body),
            }
        };
    [
        of(
            "Accuracy by epoch",
            "accuracy (0 to 1)",
            |e| e.validation_accuracy,
            |e| e.accuracy,
        ),
        of(
            "Loss by epoch",
            "cross-entropy in nats",
            |e| e.validation_loss,
            |e| e.loss,
        ),
    ]
}
