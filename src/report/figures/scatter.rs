//! What accuracy costs: every trial as a point, and the Pareto front.

use maud::html;

use super::best::DETAILED;
use super::drawing::{Drawing, Tip};
use super::frame::{Axis, Frame, clipped, short};
use crate::report::view::{Cost, Point, Select, View};
use crate::study::pareto::front_of_two;

/// The accuracy (else the score) of the chosen trials against what they cost, with the front of those that no other
/// beats in both.
pub fn trade_off(view: &View, select: &Select) -> Drawing {
    let (name, label) = match select.cost {
        Cost::Params => ("parameters", "trainable parameters"),
        Cost::Macs => ("MACs", "multiply-accumulates of an image"),
        Cost::Latency => ("latency", "measured latency of a batch in ms"),
        Cost::Seconds => ("time", "seconds of training"),
    };
    let title = format!("Accuracy against {name}");
    let cost = |point: &Point| match select.cost {
        Cost::Params => Some(point.params as f64).filter(|_| point.params > 0),
        Cost::Macs => Some(point.macs as f64).filter(|_| point.macs > 0),
        Cost::Latency => point.latency,
        Cost::Seconds => Some(point.seconds).filter(|seconds| *seconds > 0.0),
    };
    let has_accuracy = view.points.iter().any(|point| point.accuracy.is_some());
    let worth = |point: &Point| {
        if has_accuracy {
            point.accuracy
        } else {
            point.score
        }
    };
    let shown: Vec<(&Point, (f64, f64))> = select
        .points(view)
        .into_iter()
        .filter_map(|point| Some((point, (cost(point)?, worth(point)?))))
        .collect();
    if shown.is_empty() {
        return Drawing::empty(&title, "No trial with both so far.");
    }
    let places: Vec<(f64, f64)> = shown.iter().map(|(_, place)| *place).collect();
    let frame = Frame::new(
        Axis::log(label, places.iter().map(|p| p.0)),
        Axis::over(
            if has_accuracy {
                "validation accuracy (0 to 1)"
            } else {
                "score"
            },
            places.iter().map(|p| p.1),
        ),
    );
    let front: Vec<(f64, f64)> = front_of_two(&places)
        .into_iter()
        .map(|i| places[i])
        .collect();
    let (known, new): (Vec<usize>, Vec<usize>) = (0..shown.len()).partition(|i| shown[*i].0.known);
    let of = |indices: &[usize]| indices.iter().map(|i| places[*i]).collect::<Vec<_>>();
    let (known_dots, known_drawn) = frame.dots("known", &of(&known));
    let (new_dots, new_drawn) = frame.dots("dots", &of(&new));
    let (tops, _) = frame.dots("tops", &front);
    let drawn = new_drawn
        .iter()
        .map(|i| new[*i])
        .chain(known_drawn.iter().map(|i| known[*i]));
    let detailed = new_drawn.len() + known_drawn.len() <= DETAILED;
    let tips: Vec<Tip> = drawn
        .map(|index| {
            let (point, (cost, worth)) = shown[index];
            let (number, cost_text, worth_text) = (point.number, short(cost), short(worth));
            let architecture = match detailed {
                true => clipped(&point.architecture, 160),
                false => String::new(),
            };
            Tip {
                at: frame.place((cost, worth)),
                text: format!(
                    "trial {number}: {name} {cost_text}, accuracy {worth_text}\n{architecture}"
                ),
                trial: Some(number),
            }
        })
        .collect();
    let mut legend = vec![
        ("tops", format!("Pareto front of {}", front.len())),
        ("dots", "a trial".into()),
    ];
    if !known.is_empty() {
        legend.push(("known", "known before".into()));
    }
    let body = html! {
        (known_dots) (new_dots)
        (frame.steps("front", &front, f64::INFINITY.min(places.iter().map(|p| p.0).fold(0.0, f64::max))))
        (tops)
    };
    Drawing {
        about: format!(
            "{} trials; {} of them are on the Pareto front.",
            shown.len(),
            front.len()
        ),
        title,
        note: None,
        size: frame.size,
        tips,
        body: frame.draw(&legend, &body),
    }
}
