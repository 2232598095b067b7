//! Random changes to training images, as geometry: which pixel of the source each pixel of the
//! result shows. Knows nothing of pixel values.

use std::ops::Range;

use rand::RngExt;

use crate::seed::StreamRng;

/// The random changes that a training image gets each time it is drawn; default none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Augment {
    /// Mirrors left and right with probability 1/2.
    pub flip: bool,
    /// Pads each side with this many black pixels and crops back to the image's size at a random
    /// place (He et al. 2016, arXiv 1512.03385, §4.2: 4 for CIFAR-10); 0 leaves the place alone.
    pub pad_crop: usize,
}

impl Augment {
    /// Draws the change of one image. An option that is off draws nothing.
    pub(super) fn draw(&self, rng: &mut StreamRng) -> View {
        let flip = self.flip && rng.random_bool(0.5);
        let pad = self.pad_crop as isize;
        let mut shift = || match pad {
            0 => 0,
            _ => rng.random_range(0..=2 * pad as u64) as isize - pad,
        };
        View {
            flip,
            down: shift(),
            right: shift(),
        }
    }
}

/// The change of one image: mirrored or not, then read from a shifted place.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct View {
    pub flip: bool,
    /// Row 0 of the result shows this row of the source.
    pub down: isize,
    /// Column 0 of the result shows this column of the mirrored source.
    pub right: isize,
}

impl View {
    /// The row of the source that `row` of the result shows; `None` where it shows padding.
    pub fn source_row(&self, row: usize, height: usize) -> Option<usize> {
        row.checked_add_signed(self.down).filter(|r| *r < height)
    }

    /// The columns of the mirrored source that the result shows, and how many columns of padding
    /// stand before and after them.
    pub fn columns(&self, width: usize) -> (usize, Range<usize>, usize) {
        let lost = self.right.unsigned_abs().min(width);
        if self.right < 0 {
            (lost, 0..width - lost, 0)
        } else {
            (0, lost..width, lost)
        }
    }
}
