//! An array of which children take a leading block: its values and what the optimizer remembers of them. Knows
//! nothing of what it belongs to.

/// An array on the host, as large as any child has asked for so far.
#[derive(Clone, Debug, Default)]
pub(super) struct SharedArray {
    shape: Vec<usize>,
    /// The values, then the optimizer's memories once there are any, each of the whole shape.
    planes: Vec<Vec<f32>>,
    /// How often it was updated, in whole or in part.
    pub updates: usize,
}

impl SharedArray {
    /// Makes room for a block of `shape`; `fill` gives the values of an array of a shape, of which those that are
    /// not here yet are taken.
    pub fn grow(&mut self, shape: &[usize], fill: impl FnOnce(&[usize]) -> Vec<f32>) {
        let mut wanted = shape.to_vec();
        for (side, old) in wanted.iter_mut().zip(&self.shape) {
            *side = (*side).max(*old);
        }
        if wanted == self.shape {
            return;
        }
        let mut grown = Self {
            planes: vec![fill(&wanted)],
            shape: wanted,
            updates: self.updates,
        };
        if let Some((values, memories)) = self.planes.split_first() {
            grown.write(0, &self.shape, values);
            for (memory, values) in memories.iter().enumerate() {
                grown.write(memory + 1, &self.shape, values);
            }
        }
        *self = grown;
    }

    /// The number of values.
    pub fn len(&self) -> usize {
        self.shape.iter().product()
    }

    /// The leading block of `shape`: its values, then its memories.
    pub fn block(&self, shape: &[usize]) -> Vec<Vec<f32>> {
        let (run, starts) = runs(&self.shape, shape);
        let gather = |plane: &Vec<f32>| {
            let parts = starts.iter().map(|&start| &plane[start..start + run]);
            parts.flatten().copied().collect()
        };
        self.planes.iter().map(gather).collect()
    }

    /// Writes the leading block of `shape` of a plane; the memories that were not there are zeros elsewhere.
    pub fn write(&mut self, plane: usize, shape: &[usize], values: &[f32]) {
        let len = self.len();
        while self.planes.len() <= plane {
            self.planes.push(vec![0.0; len]);
        }
        let (run, starts) = runs(&self.shape, shape);
        let plane = &mut self.planes[plane];
        for (start, values) in starts.into_iter().zip(values.chunks_exact(run)) {
            plane[start..start + run].copy_from_slice(values);
        }
    }
}

/// Where the leading block of shape `part` lies in an array of shape `whole`: the length of its runs, and where
/// each starts.
fn runs(whole: &[usize], part: &[usize]) -> (usize, Vec<usize>) {
    // Sides that are taken as a whole join the runs of the side before them.
    let equal = whole.iter().zip(part).rev().take_while(|(a, b)| a == b);
    let outer = part.len().saturating_sub(equal.count() + 1);
    let run = part[outer..].iter().product();
    let mut starts = vec![0];
    for axis in 0..outer {
        let stride: usize = whole[axis + 1..].iter().product();
        let along = |start: usize| (0..part[axis]).map(move |i| start + i * stride);
        starts = starts.into_iter().flat_map(along).collect();
    }
    (run, starts)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A matrix whose elements say where they are.
    fn numbered(shape: &[usize]) -> Vec<f32> {
        let columns = shape[1];
        let at = |i: usize| (10 * (i / columns) + i % columns) as f32;
        (0..shape[0] * columns).map(at).collect()
    }

    #[test]
    fn a_block_is_the_leading_rows_and_columns() {
        let mut array = SharedArray::default();
        array.grow(&[3, 4], numbered);
        assert_eq!(array.block(&[2, 2]), [[0.0, 1.0, 10.0, 11.0]]);
        assert_eq!(
            array.block(&[2, 4])[0],
            [0., 1., 2., 3., 10., 11., 12., 13.]
        );
        array.write(0, &[2, 2], &[-1.0; 4]);
        let after = array.block(&[3, 4]);
        assert_eq!(
            after[0],
            [-1., -1., 2., 3., -1., -1., 12., 13., 20., 21., 22., 23.]
        );
    }

    #[test]
    fn growing_keeps_what_is_there_and_fills_the_rest() {
        let mut array = SharedArray::default();
        array.grow(&[2, 1], |_| vec![7.0, 8.0]);
        array.write(1, &[2, 1], &[0.5, 0.25]);
        array.grow(&[1, 3], numbered);
        let block = array.block(&[2, 3]);
        assert_eq!(block[0], [7.0, 1.0, 2.0, 8.0, 11.0, 12.0]);
        assert_eq!(block[1], [0.5, 0.0, 0.0, 0.25, 0.0, 0.0]);
        array.grow(&[2, 2], |_| unreachable!("there is room"));
    }
}
