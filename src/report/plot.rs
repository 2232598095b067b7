//! Plots in the terminal: curves with labelled axes, and a curve in a line of text. Knows numbers, not what they are of.

use std::fmt::{self, Write};

/// The signs that plots are made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signs {
    /// Braille dots, blocks and lines.
    Unicode,
    /// For terminals that know no others.
    Ascii,
}

impl Signs {
    /// Those that the terminal shows, by the locale and the kind of terminal that the environment names.
    pub fn of_terminal() -> Self {
        let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        let locale = set("LC_ALL")
            .or_else(|| set("LC_CTYPE"))
            .or_else(|| set("LANG"));
        Self::of(locale.as_deref(), set("TERM").as_deref())
    }

    fn of(locale: Option<&str>, terminal: Option<&str>) -> Self {
        // Where nothing is set, nothing is known of the terminal: most show all.
        let utf8 = locale.is_none_or(|locale| {
            let locale = locale.to_ascii_lowercase();
            locale.contains("utf-8") || locale.contains("utf8")
        });
        match utf8 && terminal != Some("dumb") {
            true => Self::Unicode,
            false => Self::Ascii,
        }
    }
}

/// `values` as a line of blocks, the lowest the least, at most `width` of them: of more each is a mean.
pub fn sparkline(values: &[f64], width: usize, signs: Signs) -> String {
    let blocks: Vec<char> = match signs {
        Signs::Unicode => "▁▂▃▄▅▆▇█".chars().collect(),
        Signs::Ascii => "_.-=+*#@".chars().collect(),
    };
    let values: Vec<f64> = values.iter().copied().filter(|v| v.is_finite()).collect();
    let columns = values.len().min(width);
    let mean = |column: usize| {
        let of = &values[column * values.len() / columns..(column + 1) * values.len() / columns];
        of.iter().sum::<f64>() / of.len() as f64
    };
    let means: Vec<f64> = (0..columns).map(mean).collect();
    let (low, high) = range(means.iter().copied()).unwrap_or_default();
    let block = |value: &f64| {
        let part = if high > low {
            (value - low) / (high - low)
        } else {
            0.5
        };
        blocks[(part * 7.0).round() as usize]
    };
    means.iter().map(block).collect()
}

/// A curve of a [`Plot`].
pub struct Curve {
    /// What it is, for the legend.
    pub name: String,
    /// Where it goes through, x and y, in ascending order of x.
    pub points: Vec<(f64, f64)>,
    /// Whether the points are joined.
    pub joined: bool,
}

/// Curves in one frame. The first may be drawn finely, the others by marks beneath it.
pub struct Plot {
    /// What stands above it.
    pub title: String,
    /// What the axis to the right counts.
    pub across: String,
    /// The curves.
    pub curves: Vec<Curve>,
    /// What it is drawn with.
    pub signs: Signs,
}

/// The size of the frame, in characters.
const WIDTH: usize = 64;
const HEIGHT: usize = 13;

/// The least and the greatest of `values`.
fn range(values: impl Iterator<Item = f64>) -> Option<(f64, f64)> {
    values
        .filter(|value| value.is_finite())
        .fold(None, |range, value| {
            let (low, high) = range.unwrap_or((value, value));
            Some((f64::min(low, value), f64::max(high, value)))
        })
}

/// `low` and `high`, apart where they are one.
fn apart((low, high): (f64, f64)) -> (f64, f64) {
    match high > low {
        true => (low, high),
        false => (low - 0.5, high + 0.5),
    }
}

/// Dots in a grid of characters, `across` times `down` in each.
struct Dots {
    set: Vec<bool>,
    across: usize,
    down: usize,
}

impl Dots {
    fn new(across: usize, down: usize) -> Self {
        let set = vec![false; WIDTH * across * HEIGHT * down];
        Self { set, across, down }
    }

    /// Sets the dots of `curve` in a frame over `x` and `y`.
    fn draw(&mut self, curve: &Curve, x: (f64, f64), y: (f64, f64)) {
        let (width, height) = (WIDTH * self.across, HEIGHT * self.down);
        let part = |value: f64, (low, high): (f64, f64), most: usize| {
            ((value - low) / (high - low) * (most - 1) as f64).clamp(0.0, (most - 1) as f64)
        };
        let finite = curve
            .points
            .iter()
            .filter(|(x, y)| x.is_finite() && y.is_finite());
        let places: Vec<(f64, f64)> = finite
            .map(|point| (part(point.0, x, width), part(point.1, y, height)))
            .collect();
        let mut set = |across: f64, up: f64| {
            let row = height - 1 - up.round() as usize;
            self.set[row * width + across.round() as usize] = true;
        };
        for &(across, up) in &places {
            set(across, up);
        }
        for pair in places.windows(2).filter(|_| curve.joined) {
            let ((from, low), (to, high)) = (pair[0], pair[1]);
            let steps = (to - from).abs().max((high - low).abs()).ceil() as usize;
            for step in 1..steps {
                let part = step as f64 / steps as f64;
                set(from + (to - from) * part, low + (high - low) * part);
            }
        }
    }

    /// The dots of a character, row by row.
    fn of(&self, row: usize, column: usize) -> impl Iterator<Item = (usize, usize)> + '_ {
        let places = (0..self.down).flat_map(|r| (0..self.across).map(move |c| (r, c)));
        places.filter(move |(r, c)| {
            let line = (row * self.down + r) * WIDTH * self.across;
            self.set[line + column * self.across + c]
        })
    }

    /// The braille sign of a character (Unicode's block from U+2800), if there is a dot in it.
    fn braille(&self, row: usize, column: usize) -> Option<char> {
        const BITS: [[u32; 2]; 4] = [[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]];
        let bits = self.of(row, column).map(|(r, c)| BITS[r][c]).sum::<u32>();
        char::from_u32(0x2800 + bits).filter(|_| bits > 0)
    }
}

impl Plot {
    /// Whether a curve is drawn finely: the first, where its dots are joined or many.
    fn fine(&self, number: usize) -> bool {
        let dense = |curve: &Curve| curve.joined || curve.points.len() > 2 * WIDTH;
        number == 0 && self.signs == Signs::Unicode && dense(&self.curves[0])
    }

    /// The mark of a curve; of one that is drawn finely, for the legend alone.
    fn mark(&self, number: usize) -> char {
        match self.signs {
            Signs::Unicode if self.fine(number) => '⠶',
            Signs::Unicode => ['•', '─', '·', '×'][number % 4],
            Signs::Ascii => ['*', '-', '.', 'x'][number % 4],
        }
    }

    /// The characters inside the frame, row by row.
    fn inside(&self, x: (f64, f64), y: (f64, f64)) -> Vec<Vec<char>> {
        let mut rows = vec![vec![' '; WIDTH]; HEIGHT];
        for (number, curve) in self.curves.iter().enumerate().rev() {
            let fine = self.fine(number);
            let mut dots = if fine {
                Dots::new(2, 4)
            } else {
                Dots::new(1, 1)
            };
            dots.draw(curve, x, y);
            let mark = self.mark(number);
            for (row, line) in rows.iter_mut().enumerate() {
                for (column, sign) in line.iter_mut().enumerate() {
                    let drawn = match fine {
                        true => dots.braille(row, column),
                        false => dots.of(row, column).next().map(|_| mark),
                    };
                    *sign = drawn.unwrap_or(*sign);
                }
            }
        }
        rows
    }
}

impl fmt::Display for Plot {
    /// The plot, with a line break after each of its lines.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let points = || self.curves.iter().flat_map(|curve| &curve.points);
        let (Some(x), Some(y)) = (
            range(points().map(|p| p.0)).map(apart),
            range(points().map(|p| p.1)).map(apart),
        ) else {
            return writeln!(f, "{}: nothing to plot", self.title);
        };
        let (side, floor, corner, tick) = match self.signs {
            Signs::Unicode => ('│', '─', '└', '┤'),
            Signs::Ascii => ('|', '-', '+', '+'),
        };
        let digits = digits(y);
        let label = |value: f64| format!("{value:.digits$}");
        let width = label(y.0).len().max(label(y.1).len());

        let named = self.curves.iter().enumerate();
        let mut legend = String::new();
        for (number, curve) in named.filter(|_| self.curves.len() > 1) {
            let _ = write!(legend, "  {} {}", self.mark(number), curve.name);
        }
        writeln!(f, "{:width$} {}{legend}", "", self.title)?;
        for (row, line) in self.inside(x, y).into_iter().enumerate() {
            let at = y.1 - (y.1 - y.0) * row as f64 / (HEIGHT - 1) as f64;
            // The rows in between are told by those with a number.
            let (text, side) = match row % 4 == 0 || row == HEIGHT - 1 {
                true => (label(at), tick),
                false => (String::new(), side),
            };
            let line: String = line.into_iter().collect();
            writeln!(f, "{text:>width$} {side}{}", line.trim_end())?;
        }
        writeln!(
            f,
            "{:width$} {corner}{}",
            "",
            floor.to_string().repeat(WIDTH)
        )?;
        let (first, last) = (short(x.0), short(x.1));
        let middle = WIDTH.saturating_sub(first.len() + last.len());
        writeln!(f, "{:width$}  {first}{:^middle$}{last}", "", self.across)
    }
}

/// How many digits after the point tell numbers of the range apart.
fn digits((low, high): (f64, f64)) -> usize {
    let steps = -((high - low) / HEIGHT as f64).log10();
    steps.ceil().clamp(0.0, 6.0) as usize
}

/// A number of the axis to the right.
fn short(value: f64) -> String {
    match value.fract() == 0.0 {
        true => format!("{value:.0}"),
        false => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_blocks_rises_with_its_values() {
        let values = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0];
        assert_eq!(sparkline(&values, 20, Signs::Unicode), "▁▂▃▄▅▆▇█");
        assert_eq!(sparkline(&values, 20, Signs::Ascii), "_.-=+*#@");
        assert_eq!(sparkline(&values, 2, Signs::Unicode), "▁█");
        assert_eq!(sparkline(&[0.5; 3], 20, Signs::Unicode), "▅▅▅");
        assert_eq!(sparkline(&[], 20, Signs::Unicode), "");
        assert_eq!(sparkline(&[f64::NAN, 1.0], 20, Signs::Unicode), "▅");
    }

    fn plot(curves: Vec<Curve>, signs: Signs) -> String {
        let (title, across) = ("accuracy".into(), "epoch".into());
        let plot = Plot {
            title,
            across,
            curves,
            signs,
        };
        plot.to_string()
    }

    fn rising(name: &str, joined: bool) -> Curve {
        Curve {
            name: name.into(),
            points: (1..=5)
                .map(|n| (f64::from(n), f64::from(n) / 10.0))
                .collect(),
            joined,
        }
    }

    #[test]
    fn a_curve_has_axes_with_its_least_and_greatest() {
        let shown = plot(vec![rising("a", true)], Signs::Ascii);
        let lines: Vec<&str> = shown.lines().collect();
        assert_eq!(lines.len(), HEIGHT + 3, "{shown}");
        assert!(lines[0].ends_with(" accuracy"), "{shown}");
        assert!(
            lines[1].starts_with("0.50 +") && lines[1].ends_with('*'),
            "{shown}"
        );
        assert!(lines[HEIGHT].starts_with("0.10 +*"), "{shown}");
        let under = lines[HEIGHT + 2].trim();
        assert!(
            under.starts_with('1') && under.ends_with('5') && under.contains("epoch"),
            "{shown}"
        );
        assert!(shown.is_ascii());
        // Joined, every column has a mark.
        let marks = shown.matches('*').count();
        assert!(marks >= WIDTH, "{shown}");
        let apart = plot(vec![rising("a", false)], Signs::Ascii);
        assert_eq!(apart.matches('*').count(), 5, "{apart}");
    }

    #[test]
    fn several_curves_are_told_apart() {
        let flat = Curve {
            name: "flat".into(),
            points: vec![(1.0, 0.2), (5.0, 0.2)],
            joined: true,
        };
        let shown = plot(vec![rising("rising", true), flat], Signs::Unicode);
        assert!(shown.contains("⠶ rising  ─ flat"), "{shown}");
        assert!(
            shown
                .lines()
                .nth(4)
                .unwrap()
                .contains(|c| ('\u{2801}'..='\u{28ff}').contains(&c)),
            "{shown}"
        );
        assert!(shown.lines().nth(10).unwrap().contains("────"), "{shown}");
    }

    #[test]
    fn nothing_and_one_point_are_no_harm() {
        assert_eq!(
            plot(Vec::new(), Signs::Unicode),
            "accuracy: nothing to plot\n"
        );
        let one = Curve {
            name: String::new(),
            points: vec![(1.0, 0.9), (2.0, f64::NAN)],
            joined: true,
        };
        assert!(plot(vec![one], Signs::Ascii).contains('*'));
    }

    #[test]
    fn the_locale_decides_the_signs() {
        assert_eq!(
            Signs::of(Some("de_DE.UTF-8"), Some("xterm")),
            Signs::Unicode
        );
        assert_eq!(Signs::of(None, None), Signs::Unicode);
        assert_eq!(Signs::of(Some("C"), Some("xterm")), Signs::Ascii);
        assert_eq!(Signs::of(Some("C.utf8"), Some("dumb")), Signs::Ascii);
    }
}
