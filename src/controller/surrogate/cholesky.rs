//! The Cholesky factor of a symmetric positive matrix, on one thread and with the same rounding on
//! every machine. Knows nothing of what the matrix is.

/// The lower factor L of A = L Lᵀ. Row i holds its first i + 1 entries.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Cholesky {
    rows: Vec<Vec<f64>>,
}

impl Cholesky {
    /// Factors the matrix whose lower rows are given; `None` where it is not positive.
    pub fn new(mut rows: Vec<Vec<f64>>) -> Option<Self> {
        for i in 0..rows.len() {
            let (done, rest) = rows.split_at_mut(i);
            let row = &mut rest[0];
            for (j, other) in done.iter().enumerate() {
                row[j] = (row[j] - dot(&row[..j], &other[..j])) / other[j];
            }
            let square = row[i] - dot(&row[..i], &row[..i]);
            // Also not a number.
            if !(square > 0.0 && square.is_finite()) {
                return None;
            }
            row[i] = square.sqrt();
        }
        Some(Self { rows })
    }

    /// Adds a row to the matrix: `row` and on the diagonal `own`. False, and nothing is added, where it
    /// would not be positive.
    pub fn extend(&mut self, mut row: Vec<f64>, own: f64) -> bool {
        self.solve_lower(&mut row);
        let square = own - dot(&row, &row);
        let positive = square > 0.0 && square.is_finite();
        if positive {
            row.push(square.sqrt());
            self.rows.push(row);
        }
        positive
    }

    /// The number of rows.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Σ log `L_ii`, half the logarithm of the determinant of A.
    pub fn half_log_determinant(&self) -> f64 {
        self.rows.iter().enumerate().map(|(i, r)| r[i].ln()).sum()
    }

    /// L⁻¹ b, in place.
    pub fn solve_lower(&self, b: &mut [f64]) {
        for (i, row) in self.rows.iter().enumerate() {
            b[i] = (b[i] - dot(&row[..i], &b[..i])) / row[i];
        }
    }

    /// L⁻ᵀ b, in place.
    pub fn solve_upper(&self, b: &mut [f64]) {
        for (i, row) in self.rows.iter().enumerate().rev() {
            b[i] /= row[i];
            let (before, own) = b.split_at_mut(i);
            for (x, l) in before.iter_mut().zip(row) {
                *x -= l * own[0];
            }
        }
    }

    /// A⁻¹ b.
    pub fn solve(&self, b: &[f64]) -> Vec<f64> {
        let mut x = b.to_vec();
        self.solve_lower(&mut x);
        self.solve_upper(&mut x);
        x
    }

    /// The lower rows of A⁻¹ = L⁻ᵀ L⁻¹.
    pub fn inverse(&self) -> Vec<Vec<f64>> {
        let n = self.len();
        // Row j holds column j of L⁻¹ from its diagonal on.
        let columns: Vec<Vec<f64>> = (0..n)
            .map(|j| {
                let mut column = vec![0.0; n - j];
                column[0] = 1.0 / self.rows[j][j];
                for i in j + 1..n {
                    let sum = dot(&self.rows[i][j..i], &column[..i - j]);
                    column[i - j] = -sum / self.rows[i][i];
                }
                column
            })
            .collect();
        let entry = |i: usize, j: usize| dot(&columns[i], &columns[j][i - j..]);
        (0..n)
            .map(|i| (0..=i).map(|j| entry(i, j)).collect())
            .collect()
    }
}

/// Σ a b, in eight sums that the processor adds at once.
pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0; 8];
    let (a8, b8) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest = a8.remainder().iter().zip(b8.remainder());
    let rest: f64 = rest.map(|(a, b)| a * b).sum();
    for (a, b) in a8.zip(b8) {
        for k in 0..8 {
            sums[k] += a[k] * b[k];
        }
    }
    sums.iter().sum::<f64>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_factor_solves_and_inverts() {
        // A = L Lᵀ with L = [[2, 0, 0], [1, 3, 0], [−1, 2, 1]].
        let a = vec![vec![4.0], vec![2.0, 10.0], vec![-2.0, 5.0, 6.0]];
        let factor = Cholesky::new(a).unwrap();
        assert_eq!(factor.rows[2], [-1.0, 2.0, 1.0]);
        assert!((factor.half_log_determinant() - 6f64.ln()).abs() < 1e-12);
        // A · [1, 2, 3] = [2, 37, 26].
        let x = factor.solve(&[2.0, 37.0, 26.0]);
        for (x, expected) in x.iter().zip([1.0, 2.0, 3.0]) {
            assert!((x - expected).abs() < 1e-12);
        }
        let mut grown = Cholesky::new(vec![vec![4.0], vec![2.0, 10.0]]).unwrap();
        assert!(grown.extend(vec![-2.0, 5.0], 6.0));
        assert_eq!(grown, factor);
        assert!(!grown.extend(vec![4.0, 2.0, -2.0], 4.0), "a row twice");
        let inverse = factor.inverse();
        let corner = inverse[2][0] * 4.0 + inverse[2][1] * 2.0 + inverse[2][2] * -2.0;
        assert!(corner.abs() < 1e-12);
        assert!((inverse[2][2] - 1.0).abs() < 1e-12);
    }

    #[test]
    fn a_matrix_that_is_not_positive_has_no_factor() {
        assert_eq!(Cholesky::new(vec![vec![1.0], vec![2.0, 1.0]]), None);
    }
}
