//! Images in working memory: rows with zeros at both ends, pixels of whole registers. Knows nothing of
//! convolutions.

use pulp::{Simd, WithSimd};

use super::super::lanes::{WIDEST, gate, walk};
use super::super::simd::{self, load, load_first, store};
use super::super::{Act, Geometry};

/// The values from pixel to pixel in working memory: whole registers, and no high power of two, where
/// the pixels of a window would fall onto the same lines of the cache.
pub fn pitch(g: &Geometry) -> usize {
    let whole = g.filters.next_multiple_of(WIDEST);
    if whole.is_multiple_of(128) {
        whole + WIDEST
    } else {
        whole
    }
}

/// The values of an image in working memory.
pub fn padded(g: &Geometry, [height, width]: [usize; 2], (left, right): (usize, usize)) -> usize {
    height * (left + width + right) * pitch(g)
}

/// Takes an image to working memory, between the ends of its rows.
pub struct Take<'a> {
    pub g: &'a Geometry,
    pub size: [usize; 2],
    pub ends: (usize, usize),
    /// Dense; with a channel for each filter or, if that is more, for each channel.
    pub from: &'a [f32],
    pub to: &'a mut [f32],
    /// Where the image is the gradient of an activated output, that output: the gradient is taken to
    /// before the activation.
    pub output: Option<(Act, &'a [f32])>,
    /// A sum a filter, padded, that grows by the image's.
    pub sum: Option<&'a mut [f32]>,
}

impl Take<'_> {
    /// Takes the image, with a copy of each channel for each of its filters.
    pub fn run(self) {
        let (g, [height, width]) = (self.g, self.size);
        if self.from.len() == height * width * g.filters {
            return simd::dispatch(self);
        }
        let rows = self
            .to
            .chunks_exact_mut((self.ends.0 + width + self.ends.1) * pitch(g));
        for (to, from) in rows.zip(self.from.chunks_exact(width * g.channels)) {
            let pixels = to[self.ends.0 * pitch(g)..].chunks_exact_mut(pitch(g));
            for (to, from) in pixels.zip(from.chunks_exact(g.channels)) {
                for (to, &from) in to.chunks_mut(g.filters / g.channels).zip(from) {
                    to.fill(from);
                }
            }
        }
    }
}

impl WithSimd for Take<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let (g, [height, width], pitch) = (self.g, self.size, pitch(self.g));
        assert_eq!(self.from.len(), height * width * g.filters);
        assert!(self.output.is_none_or(|(_, y)| y.len() == self.from.len()));
        assert_eq!(self.to.len(), padded(g, self.size, self.ends));
        assert!(self.sum.as_ref().is_none_or(|sum| sum.len() == pitch));
        let (from, output) = (self.from.as_ptr(), self.output);
        let sums = self.sum.as_mut().map(|sum| sum.as_mut_ptr());
        for row in 0..height {
            let to = (row * (self.ends.0 + width + self.ends.1) + self.ends.0) * pitch;
            let to = self.to[to..].as_mut_ptr();
            // Pixel by pixel: memory is read from front to back.
            for column in 0..width {
                walk(
                    simd,
                    g.filters,
                    #[inline(always)]
                    |channel, lanes| {
                        let at = (row * width + column) * g.filters + channel;
                        // SAFETY: a pixel of an image, whose sizes were checked; in working memory
                        // pixels are whole registers, whose last lanes stay 0, and so are the sums.
                        unsafe {
                            let mut value = load_first(simd, from.add(at), lanes);
                            if let Some((act, y)) = output {
                                let y = load_first(simd, y.as_ptr().add(at), lanes);
                                value = gate(simd, act, y, value);
                            }
                            store::<S>(to.add(column * pitch + channel), value);
                            if let Some(sums) = sums {
                                let sum = sums.add(channel);
                                store::<S>(sum, simd.add_f32s(load::<S>(sum), value));
                            }
                        }
                    },
                );
            }
        }
    }
}
