//! The numbers of a controller's updates: entropy, loss, learning rate.

use maud::html;

use super::drawing::Drawing;
use super::frame::{Axis, Frame, short};
use crate::report::view::Teaching;

/// The most points of a line; of more, each is a mean.
const MOST: usize = 400;

/// The entropy of the policy after each update, in nats.
pub fn entropy(teaching: &Teaching) -> Drawing {
    series(
        teaching,
        "Entropy of the policy",
        "controller/entropy",
        "entropy in nats",
    )
}

/// The loss of each update.
pub fn loss(teaching: &Teaching) -> Drawing {
    series(teaching, "Loss of the controller", "total_loss", "loss")
}

/// The learning rate of each update.
pub fn learning_rate(teaching: &Teaching) -> Drawing {
    series(
        teaching,
        "Learning rate of the controller",
        "learning_rate",
        "learning rate",
    )
}

fn series(teaching: &Teaching, title: &str, name: &str, label: &str) -> Drawing {
    let values = teaching.series(name);
    let (Some(first), Some(last)) = (values.first(), values.last()) else {
        return Drawing::empty(title, "No updates yet.");
    };
    let points = thinned(&values);
    let mut frame = Frame::new(
        Axis::exactly("updates of the controller", 0.0, last.0),
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
