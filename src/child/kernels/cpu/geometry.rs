//! The shape of a convolution or a pooling. Knows nothing of how either is computed.

/// Where a window goes over a batch of images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Geometry {
    /// The number of images.
    pub batch: usize,
    /// The height and width of an input image, in pixels.
    pub input: [usize; 2],
    /// The channels of an input image.
    pub channels: usize,
    /// The channels of an output image.
    pub filters: usize,
    /// The height and width of the window, in taps.
    pub kernel: [usize; 2],
    /// How far the window moves, down and across.
    pub stride: [usize; 2],
    /// The distance between taps, down and across.
    pub dilation: [usize; 2],
    /// The zeros `(before, after)`, down and across.
    pub padding: [(usize, usize); 2],
    /// How many groups of channels do not see each other.
    pub groups: usize,
}

impl Geometry {
    /// The height and width of an output image.
    pub fn output(&self) -> [usize; 2] {
        [0, 1].map(|axis| {
            let (before, after) = self.padding[axis];
            let extent = self.dilation[axis] * (self.kernel[axis] - 1) + 1;
            (self.input[axis] + before + after - extent) / self.stride[axis] + 1
        })
    }

    /// The number of values of an input image.
    pub fn input_size(&self) -> usize {
        self.input[0] * self.input[1] * self.channels
    }

    /// The number of values of an output image.
    pub fn output_size(&self) -> usize {
        let [height, width] = self.output();
        height * width * self.filters
    }

    /// The number of taps.
    pub fn taps(&self) -> usize {
        self.kernel[0] * self.kernel[1]
    }
}
