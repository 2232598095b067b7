//! The table that `print(net)` shows. Knows the finished network only.

use std::fmt;

use super::graph::Network;

const TITLES: [&str; 6] = ["node", "op", "reads", "output shape", "params", "MACs"];

/// The columns of numbers, which are aligned to the right.
const NUMBERS: [usize; 3] = [0, 4, 5];

impl fmt::Display for Network {
    /// A table like Keras's `summary()`: node, operation, what it reads, output shape, parameters and
    /// MACs, with totals.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rows = vec![TITLES.map(str::to_string)];
        for (index, (node, (params, macs))) in self.nodes().iter().zip(self.costs()).enumerate() {
            let reads: Vec<_> = node.inputs.iter().map(usize::to_string).collect();
            rows.push([
                index.to_string(),
                node.op.to_string(),
                reads.join(", "),
                format!("{:?}", node.shape),
                grouped(params),
                grouped(macs),
            ]);
        }
        let mut total = [""; 6].map(str::to_string);
        total[1] = "total".into();
        total[4] = grouped(self.params());
        total[5] = grouped(self.macs());
        rows.push(total);

        let mut widths = [0; 6];
        for row in &rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = cell.chars().count().max(*width);
            }
        }
        let line = "─".repeat(widths.iter().sum::<usize>() + 2 * (widths.len() - 1));
        let last = rows.len() - 1;
        for (index, row) in rows.iter().enumerate() {
            if index == 1 || index == last {
                writeln!(f, "{line}")?;
            }
            write_row(f, row, &widths)?;
            if index < last {
                writeln!(f)?;
            }
        }
        Ok(())
    }
}

fn write_row(f: &mut fmt::Formatter<'_>, row: &[String; 6], widths: &[usize; 6]) -> fmt::Result {
    for (column, (cell, &width)) in row.iter().zip(widths).enumerate() {
        let gap = if column == 0 { "" } else { "  " };
        if NUMBERS.contains(&column) {
            write!(f, "{gap}{cell:>width$}")?;
        } else {
            write!(f, "{gap}{cell:<width$}")?;
        }
    }
    Ok(())
}

/// The number with commas between thousands.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}
