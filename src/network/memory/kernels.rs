//! What the transposed convolutions of Burn's CPU backend (burn-flex 0.22.1, `ops/conv.rs` and
//! `ops/conv_transpose.rs`; gradients: burn-backend 0.22.1, `backend/ops/modules/conv.rs`) allocate
//! beside their result. Knows arrays, not graphs.

use super::ledger::{Array, Ledger, NUMBER};

/// How many positions of the output are computed at a time.
const TILE: u64 = 512;
/// The most bytes of columns that a transposed convolution makes at a time.
const COLUMNS: u64 = 8 << 20;
/// From this many elements of output, a transposed convolution uses all threads.
const PARALLEL: u64 = 256 << 10;

/// A convolution, plain or transposed: shapes with the batch, and attributes.
#[derive(Clone, Copy)]
pub(super) struct Convolution {
    /// `[batch, channels, height, width]`.
    pub input: [u64; 4],
    /// Of a plain one `[filters, channels / groups, height, width]`, of a transposed one
    /// `[channels, filters / groups, height, width]`.
    pub weight: [u64; 4],
    pub stride: [u64; 2],
    pub dilation: [u64; 2],
    /// `[before, after]`, down and across.
    pub padding: [[u64; 2]; 2],
    pub groups: u64,
    pub threads: u64,
}

pub(super) fn size(shape: &[u64]) -> u64 {
    shape
        .iter()
        .fold(1, |product: u64, &side| product.saturating_mul(side))
}

impl Convolution {
    fn extent(&self, axis: usize) -> u64 {
        (self.weight[2 + axis] - 1) * self.dilation[axis] + 1
    }

    /// The shape of the plain convolution's output.
    pub fn output(&self) -> [u64; 4] {
        let side = |axis: usize| {
            let padded = self.input[2 + axis] + self.padding[axis].iter().sum::<u64>();
            padded.saturating_sub(self.extent(axis)) / self.stride[axis] + 1
        };
        [self.input[0], self.weight[0], side(0), side(1)]
    }

    /// The shape of the transposed convolution's output, without padding.
    pub fn transposed_output(&self) -> [u64; 4] {
        let side = |axis: usize| (self.input[2 + axis] - 1) * self.stride[axis] + self.extent(axis);
        let filters = self.weight[1] * self.groups;
        [self.input[0], filters, side(0), side(1)]
    }

    /// The result of the plain convolution.
    ///
    /// One by one, depthwise and small convolutions read the image as it is. All others copy it with
    /// the channels last, and the weights in the same order, and gather the windows of a tile of
    /// the output, a tile a thread.
    pub fn forward(self, ledger: &Ledger, x: Array, weight: Array) -> Array {
        let conv = self;
        let (_x, _weight) = (x.in_order(), weight.in_order());
        let [batch, channels, height, _] = conv.input;
        let [filters, depth, rows, columns] = conv.weight;
        let output = conv.output();
        let unpadded = conv.padding == [[0; 2]; 2];
        let pointwise = [rows, columns] == [1, 1] && conv.stride == [1, 1] && unpadded;
        let depthwise = depth == 1 && conv.groups == channels && filters == channels;
        let small = conv.groups == 1 && channels <= 4 && filters <= 16;
        let line = conv.groups == 1
            && unpadded
            && conv.dilation == [1, 1]
            && (rows, height) == (1, 1)
            && channels >= 32
            && columns <= 8
            && output[3] <= 800;
        if pointwise || depthwise || small || line {
            return ledger.array(size(&output));
        }
        let _weights_channels_last = ledger.array(size(&conv.weight));
        let _image_channels_last = ledger.array(size(&conv.input));
        let result = ledger.array(size(&output));
        let positions = size(&output[2..]);
        let tile = positions.min(TILE);
        let jobs = conv.threads.min(batch * positions.div_ceil(TILE));
        let window = size(&conv.weight[1..]);
        let per_job = tile.saturating_mul(window + filters / conv.groups);
        let _tiles = ledger.array(jobs.saturating_mul(per_job));
        result
    }

    /// The result of the transposed convolution, without padding: columns of all positions (of a
    /// group, an image a thread), added up into the output.
    pub fn transposed(self, ledger: &Ledger, x: Array, weight: Array) -> Array {
        self.scattered(ledger, x, weight, self.transposed_output())
    }

    /// As [`transposed`](Self::transposed), where padding and cropping make the output `output`.
    fn scattered(self, ledger: &Ledger, x: Array, weight: Array, output: [u64; 4]) -> Array {
        let (_x, _weight) = (x.in_order(), weight.in_order());
        let result = ledger.array(size(&output));
        let column = size(&self.weight[1..]);
        let positions = size(&self.input[2..]);
        let whole = column.saturating_mul(positions);
        let columns = match whole.saturating_mul(NUMBER) <= COLUMNS {
            true => whole,
            false => column * (COLUMNS / NUMBER / column).max(1).min(positions),
        };
        let work = self.input[0] * self.groups;
        let jobs = match work > 1 && size(&output) >= PARALLEL {
            true => work.min(self.threads),
            false => 1,
        };
        let _columns = ledger.array(jobs.saturating_mul(columns));
        result
    }

    /// The gradient of the transposed convolution's weights: input and gradient change places.
    pub fn transposed_weight_gradient(self, ledger: &Ledger, x: &Array, grad: &Array) -> Array {
        let [batch, channels, height, width] = self.input;
        let [_, filters, rows, columns] = self.transposed_output();
        let groups = self.groups;
        let by_group = Self {
            input: [filters / groups, batch, rows, columns],
            weight: [channels / groups, batch, height, width],
            stride: self.dilation,
            dilation: self.stride,
            groups: 1,
            ..self
        };
        by_group.gradient_of_groups(ledger, grad, x, size(&self.weight), groups)
    }

    fn gradient_of_groups(
        self,
        ledger: &Ledger,
        image: &Array,
        kernel: &Array,
        weights: u64,
        groups: u64,
    ) -> Array {
        let result = (groups > 1).then(|| ledger.zeros(weights));
        let parts = (
            image.view(size(&self.input)),
            kernel.view(size(&self.weight)),
        );
        // The groups follow one another: one stands for all.
        let one = self.forward(ledger, parts.0, parts.1);
        result.unwrap_or_else(|| one.view(weights))
    }

    /// The gradient of the input of the transposed convolution: a plain one of the output's.
    pub fn transposed_input_gradient(self, ledger: &Ledger, weight: Array, grad: Array) -> Array {
        let plain = Self {
            input: self.transposed_output(),
            ..self
        };
        plain.forward(ledger, grad, weight)
    }
}

/// The gradient of a bias: a sum over a copy with the channels first.
pub(super) fn bias_gradient(ledger: &Ledger, grad: &Array, filters: u64) -> Array {
    let _channels_first = grad.view(grad.elements()).in_order();
    ledger.array(filters)
}
