//! Axes with units, ticks and a grid; lines and dots between them. Knows numbers, not what they are of.

use std::collections::BTreeSet;
use std::fmt::Write;

use maud::{Markup, html};

pub use crate::report::table::cut as clipped;

/// How an axis runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Run {
    Even,
    /// Evenly, and there is nothing between whole numbers.
    Whole,
    /// By powers.
    Log,
}

/// An axis: what it counts, from where to where.
#[derive(Clone, Debug)]
pub struct Axis {
    label: String,
    low: f64,
    high: f64,
    run: Run,
}

impl Axis {
    /// An axis over `values`, a little wider. `label` says what it counts, and its unit.
    pub fn over(label: &str, values: impl IntoIterator<Item = f64>) -> Self {
        let (low, high) = range(values).unwrap_or((0.0, 1.0));
        let (low, high) = match high > low {
            true => (low, high),
            false if low == 0.0 => (-0.5, 0.5),
            false => (low - low.abs() / 2.0, low + low.abs() / 2.0),
        };
        let room = (high - low) * 0.04;
        // What is never negative does not seem to be.
        let floor = if low >= 0.0 { 0.0 } else { f64::NEG_INFINITY };
        Self {
            label: label.into(),
            low: (low - room).max(floor),
            high: high + room,
            run: Run::Even,
        }
    }

    /// An axis from exactly `low` to `high`.
    pub fn exactly(label: &str, low: f64, high: f64) -> Self {
        Self {
            label: label.into(),
            low,
            high: if high > low { high } else { low + 1.0 },
            run: Run::Even,
        }
    }

    /// An axis from exactly `low` to `high` of what is counted.
    pub fn counted(label: &str, low: f64, high: f64) -> Self {
        Self {
            run: Run::Whole,
            ..Self::exactly(label, low, high)
        }
    }

    /// An axis over `values` by powers, where they differ tenfold; else an even one.
    pub fn log(label: &str, values: impl IntoIterator<Item = f64> + Clone) -> Self {
        match range(values.clone()) {
            Some((low, high)) if low > 0.0 && high >= 10.0 * low => Self {
                label: format!("{label}, logarithmic"),
                low: low / 1.15,
                high: high * 1.15,
                run: Run::Log,
            },
            _ => Self::over(label, values),
        }
    }

    /// Where `value` is, 0 at the low end and 1 at the high one.
    fn part(&self, value: f64) -> f64 {
        let part = match self.run {
            Run::Even | Run::Whole => (value - self.low) / (self.high - self.low),
            Run::Log => (value / self.low).ln() / (self.high / self.low).ln(),
        };
        part.clamp(-0.01, 1.01)
    }

    /// Places with a number, some five of them.
    fn ticks(&self) -> Vec<f64> {
        if self.run == Run::Log {
            let decades = (self.high / self.low).log10();
            let steps: &[f64] = if decades > 2.5 {
                &[1.0]
            } else {
                &[1.0, 2.0, 5.0]
            };
            let from = self.low.log10().floor() as i32;
            let to = self.high.log10().ceil() as i32;
            let all =
                (from..=to).flat_map(|power| steps.iter().map(move |s| s * 10_f64.powi(power)));
            return all
                .filter(|tick| (self.low..=self.high).contains(tick))
                .collect();
        }
        let rough = (self.high - self.low) / 7.0;
        let power = 10_f64.powf(rough.log10().floor());
        let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * power);
        let step = steps
            .into_iter()
            .find(|step| *step >= rough)
            .unwrap_or(rough);
        let step = if self.run == Run::Whole {
            step.max(1.0)
        } else {
            step
        };
        let first = (self.low / step).ceil();
        let count = ((self.high - first * step) / step + 1e-9).floor().max(0.0) as usize;
        (0..=count).map(|n| (first + n as f64) * step).collect()
    }
}

/// The least and the greatest finite value.
pub fn range(values: impl IntoIterator<Item = f64>) -> Option<(f64, f64)> {
    let finite = values.into_iter().filter(|value| value.is_finite());
    finite.fold(None, |range, value| {
        let (low, high) = range.unwrap_or((value, value));
        Some((f64::min(low, value), f64::max(high, value)))
    })
}

/// A number in a few signs: `0.93`, `12.3 k`, `1.5 M`.
pub fn short(value: f64) -> String {
    let size = value.abs();
    let (value, unit) = match size {
        s if s >= 1e9 => (value / 1e9, " G"),
        s if s >= 1e6 => (value / 1e6, " M"),
        s if s >= 1e4 => (value / 1e3, " k"),
        _ => (value, ""),
    };
    let digits = match value.abs() {
        0.0 => 0,
        s if s >= 100.0 => 0,
        s if s >= 10.0 => 1,
        s if s >= 1.0 => 2,
        s if s >= 0.01 => 4,
        s if s >= 1e-4 => 6,
        _ => return format!("{value:.1e}"),
    };
    let text = format!("{value:.digits$}");
    let text = match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.'),
        false => &text,
    };
    format!("{text}{unit}")
}

/// Of more dots those count as one that are nearer to each other than a dot's radius or so.
const CROWD: usize = 3_000;

/// A picture's axes, and where its marks go.
#[derive(Clone, Debug)]
pub struct Frame {
    /// The axis to the right.
    pub x: Axis,
    /// The axis upwards.
    pub y: Axis,
    /// The width and height of the picture.
    pub size: (f64, f64),
}

/// What is left free: at the left, right, above and below.
const ROOM: (f64, f64, f64, f64) = (66.0, 18.0, 28.0, 46.0);

impl Frame {
    /// A frame of the usual size.
    pub fn new(x: Axis, y: Axis) -> Self {
        let size = (720.0, 320.0);
        Self { x, y, size }
    }

    /// Where a point is in the picture.
    pub fn place(&self, (x, y): (f64, f64)) -> (f64, f64) {
        let (left, right, above, below) = ROOM;
        let (width, height) = (self.size.0 - left - right, self.size.1 - above - below);
        (
            left + self.x.part(x) * width,
            above + (1.0 - self.y.part(y)) * height,
        )
    }

    /// The lower end of the picture's inside.
    pub fn floor(&self) -> f64 {
        self.size.1 - ROOM.3
    }

    /// Axes, ticks and grid, with `legend` (a class and a name each) above and `inside` on them.
    pub fn draw(&self, legend: &[(&str, String)], inside: &Markup) -> Markup {
        let (left, right, above, below) = ROOM;
        let (width, height) = self.size;
        let (end, floor) = (width - right, height - below);
        let middle = f64::midpoint(above, floor);
        let mut at = left;
        let entries = legend.iter().map(|(class, name)| {
            let place = at;
            // Names are of various widths; a character takes some 6.4.
            at += 46.0 + 6.4 * name.chars().count().min(60) as f64;
            (place, *class, clipped(name, 60))
        });
        html! {
            @for tick in self.x.ticks() {
                @let x = self.place((tick, self.y.low)).0;
                line.grid x1=(one(x)) x2=(one(x)) y1=(above) y2=(floor) {}
                text x=(one(x)) y=(floor + 17.0) text-anchor="middle" { (short(tick)) }
            }
            @for tick in self.y.ticks() {
                @let y = self.place((self.x.low, tick)).1;
                line.grid x1=(left) x2=(end) y1=(one(y)) y2=(one(y)) {}
                text x=(left - 8.0) y=(one(y + 4.0)) text-anchor="end" { (short(tick)) }
            }
            path.axis d=(format!("M{left} {above}V{floor}H{end}")) {}
            text.name x=(f64::midpoint(left, end)) y=(height - 8.0) text-anchor="middle" { (self.x.label) }
            text.name x="15" y=(middle) text-anchor="middle" transform=(format!("rotate(-90 15 {middle})")) {
                (self.y.label)
            }
            @for (x, class, name) in entries {
                path class=(class) d=(format!("M{} 14h18", one(x))) {}
                text x=(one(x + 24.0)) y="18" { (name) }
            }
            (inside)
        }
    }

    /// A line through `points`; where one is not finite it is interrupted.
    pub fn line(&self, class: &str, points: impl IntoIterator<Item = (f64, f64)>) -> Markup {
        let mut path = String::new();
        let mut pen = 'M';
        let mut last = None;
        for point in points {
            if !point.0.is_finite() || !point.1.is_finite() {
                pen = 'M';
                continue;
            }
            let (x, y) = self.place(point);
            let place = (one(x), one(y));
            if pen == 'M' || last != Some(place) {
                // Writing to a string does not fail.
                let _ = write!(path, "{pen}{} {}", place.0, place.1);
                last = Some(place);
            }
            pen = 'L';
        }
        html! { path class=(class) d=(path) {} }
    }

    /// A line of steps: each value holds until the next.
    pub fn steps(&self, class: &str, points: &[(f64, f64)], end: f64) -> Markup {
        let mut path = String::new();
        let mut last = None;
        for &point in points.iter().filter(|point| point.1.is_finite()) {
            let (x, y) = self.place(point);
            let y = one(y);
            if last.is_none() {
                let _ = write!(path, "M{} {y}", one(x));
            } else if last != Some(y) {
                let _ = write!(path, "H{}V{y}", one(x));
            }
            last = Some(y);
        }
        if last.is_some() {
            let _ = write!(path, "H{}", one(self.place((end, 0.0)).0));
        }
        html! { path class=(class) d=(path) {} }
    }

    /// Dots at `points`, one for those that cannot be told apart. Returns which were drawn.
    pub fn dots(&self, class: &str, points: &[(f64, f64)]) -> (Markup, Vec<usize>) {
        let mut path = String::new();
        let mut taken = BTreeSet::new();
        let mut drawn = Vec::new();
        let apart = if points.len() > CROWD { 3.0 } else { 2.0 };
        // The latest of those in one place is the one that is drawn, and told of.
        for (index, &point) in points.iter().enumerate().rev() {
            if !point.0.is_finite() || !point.1.is_finite() {
                continue;
            }
            let (x, y) = self.place(point);
            if taken.insert(((x / apart).round() as i64, (y / apart).round() as i64)) {
                let _ = write!(path, "M{} {}h0", one(x), one(y));
                drawn.push(index);
            }
        }
        (html! { path class=(class) d=(path) {} }, drawn)
    }
}

/// A place in the picture, to a tenth.
pub fn one(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_are_round_numbers_within_the_axis() {
        let axis = Axis::counted("trials", 0.0, 250.0);
        assert_eq!(axis.ticks(), [0.0, 50.0, 100.0, 150.0, 200.0, 250.0]);
        assert_eq!(Axis::counted("epoch", 1.0, 2.0).ticks(), [1.0, 2.0]);
        let axis = Axis::exactly("score", 0.83, 0.97);
        let shown: Vec<String> = axis.ticks().into_iter().map(short).collect();
        assert_eq!(
            shown,
            ["0.84", "0.86", "0.88", "0.9", "0.92", "0.94", "0.96"]
        );
        let axis = Axis::log("parameters", [1e3, 2e6]);
        assert_eq!(axis.ticks(), [1e3, 1e4, 1e5, 1e6]);
        assert_eq!(Axis::log("parameters", [5.0, 6.0]).run, Run::Even);
    }

    #[test]
    fn numbers_are_short() {
        let shown = [0.0, 0.5, 97.22, 1234.0, 21_498.0, 5_300_000.0, 2e-7].map(short);
        assert_eq!(
            shown,
            ["0", "0.5", "97.2", "1234", "21.5 k", "5.3 M", "2.0e-7"]
        );
    }

    #[test]
    fn places_stay_within_the_picture() {
        let frame = Frame::new(Axis::over("x", [3.0]), Axis::over("y", [f64::NAN]));
        let (x, y) = frame.place((3.0, 0.5));
        assert!((66.0..=702.0).contains(&x) && (28.0..=274.0).contains(&y));
        let line = frame.line("series", [(3.0, f64::NAN), (3.0, 0.1), (3.1, 0.2)]);
        assert!(line.into_string().matches('M').count() == 1);
    }
}
