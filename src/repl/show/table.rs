//! Rows of cells in aligned columns. Knows no meaning.

use std::fmt::Write;

/// Titles and rows. Columns of numbers are aligned to the right.
pub(in crate::repl) struct Table<const N: usize> {
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

    /// Adds a row.
    pub fn row(&mut self, cells: [String; N]) {
        self.rows.push(cells);
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
pub(in crate::repl) fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some(_) => text
            .chars()
            .take(most.saturating_sub(1))
            .chain(['…'])
            .collect(),
        None => text.into(),
    }
}

/// `number` with its digits in groups of three.
pub(in crate::repl) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
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
        assert_eq!(cut("abcdef", 4), "abc…");
        assert_eq!(cut("abcd", 4), "abcd");
        assert_eq!(grouped(1_234_567), "1,234,567");
        assert_eq!(grouped(12), "12");
    }
}
