//! Operations that move pixels and channels about, as ONNX operators.

use super::graph::{int, integer, integers, ints, word};
use super::lower::{At, Lowering};
use crate::error::Result;
use crate::network::{Interpolation, Sides};

impl Lowering<'_> {
    pub fn zero_pad2d(&mut self, at: &At, sides: Sides) -> Result<String> {
        let before = [0, 0, sides.top, sides.left];
        let after = [0, 0, sides.bottom, sides.right];
        let pads = integers(&[before, after].concat())?;
        let pads = self.graph.row(at.part("pads"), &pads)?;
        Ok(self.whole(at, "Pad", vec![at.x(), pads], []))
    }

    pub fn crop2d(&mut self, at: &At, sides: Sides) -> Result<String> {
        let [_, height, width] = at.image()?;
        let starts = integers(&[sides.top, sides.left])?;
        let ends = integers(&[height - sides.bottom, width - sides.right])?;
        let starts = self.graph.row(at.part("starts"), &starts)?;
        let ends = self.graph.row(at.part("ends"), &ends)?;
        let axes = self.graph.row(at.part("axes"), &[2, 3])?;
        Ok(self.whole(at, "Slice", vec![at.x(), starts, ends, axes], []))
    }

    /// By scales, since sizes would name the batch too: an attribute `axes` can leave it out, but ONNX
    /// Runtime 1.32 forgets that when it moves a transposition past the operator.
    pub fn resize(&mut self, at: &At, size: [usize; 2], mode: Interpolation) -> Result<String> {
        let [_, height, width] = at.image()?;
        let multiple = size[0].is_multiple_of(height) && size[1].is_multiple_of(width);
        let [mode, coordinates] = match mode {
            Interpolation::Nearest if !multiple => return self.gather_nearest(at, size),
            Interpolation::Nearest => ["nearest", "asymmetric"],
            Interpolation::Bilinear => ["linear", "half_pixel"],
        };
        let scales = [1.0, 1.0, scale(height, size[0]), scale(width, size[1])];
        let scales = self.graph.floats(at.part("scales"), &[4], &scales)?;
        // The empty name is the region of interest, which this mode has no use for.
        let inputs = vec![at.x(), String::new(), scales];
        let attributes = [
            word("mode", mode),
            word("coordinate_transformation_mode", coordinates),
            word("nearest_mode", "floor"),
        ];
        Ok(self.whole(at, "Resize", inputs, attributes))
    }

    /// Rows and columns by their indices. Resize finds them by a scale in f32, and so takes a
    /// neighbour where `i · input / output` is a whole number that rounding just misses: from 14
    /// pixels to 8, say. Whole multiples are safe from that.
    fn gather_nearest(&mut self, at: &At, [rows, columns]: [usize; 2]) -> Result<String> {
        let [_, height, width] = at.image()?;
        let nearest = |from: usize, to: usize| {
            // Sides are below 2³², and so the product is below 2⁶⁴.
            let indices: Vec<usize> = (0..to).map(|i| i * from / to).collect();
            integers(&indices)
        };
        let indices = nearest(height, rows)?;
        let indices = self.graph.row(at.part("rows"), &indices)?;
        let inputs = vec![at.x(), indices];
        let gathered = self.part(at, "resized_rows", "Gather", inputs, [int("axis", 2)]);
        let indices = nearest(width, columns)?;
        let indices = self.graph.row(at.part("columns"), &indices)?;
        Ok(self.whole(at, "Gather", vec![gathered, indices], [int("axis", 3)]))
    }

    pub fn channel_shuffle(&mut self, at: &At, groups: usize) -> Result<String> {
        let [channels, height, width] = at.image()?;
        let [count, each] = [integer(groups)?, integer(channels / groups)?];
        let [channels, height, width] = [integer(channels)?, integer(height)?, integer(width)?];
        let shape = [0, count, each, height, width];
        let grouped = self.reshape(at, "grouped", at.x(), &shape)?;
        let swap = ints("perm", [0, 2, 1, 3, 4]);
        let interleaved = self.part(at, "interleaved", "Transpose", vec![grouped], [swap]);
        let shape = [0, channels, height, width];
        let shape = self.graph.row(at.part("shape"), &shape)?;
        Ok(self.whole(at, "Reshape", vec![interleaved, shape], []))
    }

    /// Reshapes `x` on the way to the last operator. A size of 0 is `x`'s own, -1 is what is left.
    pub fn reshape(&mut self, at: &At, part: &str, x: String, shape: &[i64]) -> Result<String> {
        let name = at.part(&format!("{part}.shape"));
        let shape = self.graph.row(name, shape)?;
        Ok(self.part(at, part, "Reshape", vec![x, shape], []))
    }
}

/// The least f32 from which `floor(from · scale)` is no less than `to`.
fn scale(from: usize, to: usize) -> f32 {
    let (from, to) = (from as f64, to as f64);
    let nearest = (to / from) as f32;
    match f64::from(nearest) * from < to {
        true => nearest.next_up(),
        false => nearest,
    }
}

#[cfg(test)]
mod tests {
    use super::scale;

    #[test]
    fn scales_give_the_size_they_are_made_for() {
        for from in 1..=256_u16 {
            for to in 1..=256_u16 {
                let scale = scale(from.into(), to.into());
                let single = (f32::from(from) * scale).floor();
                let double = (f64::from(from) * f64::from(scale)).floor();
                assert_eq!(single, f32::from(to), "from {from} to {to}");
                assert_eq!(double, f64::from(to), "from {from} to {to}");
            }
        }
    }
}
