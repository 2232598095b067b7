//! The numbers of a controller's updates: entropy, loss, learning rate.

use maud::html;

use super::drawing::Drawing;
use super::frame::{Axis, Frame, short};
use crate::report::view::Teaching;

/// The most points of a line; of more, each is a mean.
const MOST: usize = 400;

/// Entropy of the policy, loss and learning rate after each update.
pub fn updates(teaching: &Teaching) -> [Drawing; 3] {
    [
        (
            "Entropy of the policy",
            "controller/entropy",
            "entropy in nats",
        ),
        ("Loss of the updates", "total_loss", "loss"),
        (
            "Learning rate of the updates",
            "learning_rate",
            "learning rate",
        ),
    ]
    .map(|(title, name, label)| series(teaching, title, name, label))
}

fn series(teaching: &Teaching, title: &str, name: &str, label: &str) -> Drawing {
    let values = teaching.series(name);
    let (Some(first), Some(last)) = (values.first(), values.last()) else {
        return Drawing::empty(title, "No updates yet.");
    };
    let points = thinned(&values);
    let mut frame = Frame::new(
        Axis::counted("updates of the controller", 0.0, last.0),
        Axis::over(label, points.iter().map(|p| p.1)),
    );
    frame.size = (460.0, 240.0);
    let about = format!(
        "From {} to {} over {} updates.",
        short(first.1),
        short(last.1),
        values.len()
    );
    let body = html! { (frame.line("series", points)) };
    Drawing {
        title: title.into(),
        about,
        note: None,
        size: frame.size,
        body: frame.draw(&[], &body),
        tips: Vec::new(),
    }
}

fn thinned(values: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let size = values.len().div_ceil(MOST).max(1);
    let mean = |of: &[(f64, f64)]| {
        let count = of.len() as f64;
        (
            of[of.len() - 1].0,
            of.iter().map(|p| p.1).sum::<f64>() / count,
        )
    };
    values.chunks(size).map(mean).collect()
}
