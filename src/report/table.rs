//! Rows of cells in aligned columns. Knows no meaning.

use std::fmt::Write;

use super::words::shown;

/// Columns are not cut below.
const LEAST: usize = 8;

/// Titles and rows. Columns of numbers are aligned to the right.
pub struct Table<const N: usize> {
    rows: Vec<[String; N]>,
    numbers: [bool; N],
}

impl<const N: usize> Table<N> {
    /// A table with these titles, of which those with a `#` before are of numbers.
    pub fn new(titles: [&str; N]) -> Self {
        let bare = titles.map(|title| title.trim_start_matches('#').to_string());
        Self {
            rows: vec![bare],
            numbers: titles.map(|title| title.starts_with('#')),
        }
    }

    /// Adds a row. Control characters in it do nothing in the terminal.
    pub fn row(&mut self, cells: [String; N]) {
        self.rows.push(cells.map(|cell| shown(&cell)));
    }

    /// The table in lines of at most `width` characters, as far as that can be: its widest columns of text are cut.
    pub fn within(mut self, width: usize) -> String {
        let widest = |rows: &[[String; N]], column: usize| {
            let of = rows.iter().map(|row| row[column].chars().count());
            of.max().unwrap_or(0)
        };
        loop {
            let widths: Vec<usize> = (0..N).map(|column| widest(&self.rows, column)).collect();
            let all: usize = widths.iter().map(|width| width + 2).sum();
            let text = (0..N).filter(|column| !self.numbers[*column]);
            let most = text.max_by_key(|column| widths[*column]);
            let Some(most) = most.filter(|column| all > width && widths[*column] > LEAST) else {
                return self.to_string();
            };
            let second = (0..N)
                .filter(|c| *c != most && !self.numbers[*c])
                .map(|c| widths[c])
                .max();
            let to = widths[most]
                .saturating_sub(all - width)
                .max(second.unwrap_or(0))
                .max(LEAST);
            let to = if to >= widths[most] {
                widths[most] - 1
            } else {
                to
            };
            for row in &mut self.rows {
                row[most] = cut(&row[most], to);
            }
        }
    }
}

impl<const N: usize> std::fmt::Display for Table<N> {
    /// A line a row, without spaces at its end.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let mut widths = [0; N];
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = cell.chars().count().max(*width);
            }
        }
        for row in &self.rows {
            let mut line = String::new();
            for ((cell, width), number) in row.iter().zip(widths).zip(self.numbers) {
                let _ = match number {
                    true => write!(line, "  {cell:>width$}"),
                    false => write!(line, "  {cell:<width$}"),
                };
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

/// `text` in at most `most` characters.
pub fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some(_) => text
            .chars()
            .take(most.saturating_sub(1))
            .chain(['…'])
            .collect(),
        None => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned() {
        let mut table = Table::new(["name", "#count"]);
        table.row(["é".into(), "1".into()]);
        table.row(["longer".into(), "1,000".into()]);
        let expected = "  name    count\n  é           1\n  longer  1,000\n";
        assert_eq!(table.to_string(), expected);
        let mut wide = Table::new(["name", "about", "#n"]);
        wide.row(["x".repeat(40), "y".repeat(30) + "\u{1b}[31m", "7".into()]);
        let text = wide.within(40);
        assert!(
            text.lines().all(|line| line.chars().count() <= 40),
            "{text}"
        );
        assert!(
            text.contains("x…") && text.contains("y…") && text.contains(" 7"),
            "{text}"
        );
        assert_eq!(cut("abcdef", 4), "abc…");
        assert_eq!(cut("abcd", 4), "abcd");
    }
}
