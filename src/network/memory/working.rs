//! The working memory that the CPU's kernels keep (`child/kernels/cpu`): one that a call has for itself,
//! and one that each thread has. Knows geometries, not graphs.

use super::kernels::{Convolution, size};

/// Into how many parts a batch falls.
const PARTS: u64 = 8;
/// The values of images that are copied at once.
const COPIED: u64 = 48_000;
/// The values of a chunk of Winograd tiles, if it is not the least.
const CHUNK: u64 = 192 * 1024;
/// The tiles of such a chunk, at least.
const LEAST: u64 = 24;
/// Columns fill whole registers.
const REGISTER: u64 = 16;

/// Values of working memory: of a call, and of each of its threads.
#[derive(Clone, Copy, Default)]
pub(super) struct Working {
    pub call: u64,
    pub thread: u64,
}

fn registers(columns: u64) -> u64 {
    columns.max(1).next_multiple_of(REGISTER)
}

impl Convolution {
    /// What the gradients of a plain convolution take, which is more than its result takes.
    pub fn working(&self) -> Working {
        let [batch, channels, height, width] = self.input;
        let [filters, depth, rows, columns] = self.weight;
        let output = self.output();
        let taps = rows * columns;
        let parts = batch.div_ceil(batch.div_ceil(PARTS).max(1));
        // A part's gradient of the weights is added to the total, or they all are in the end.
        let sums = if self.threads > 1 { parts + 1 } else { 2 };
        let per_group = filters / self.groups.max(1);
        let padded = self.padding != [[0; 2]; 2];
        if taps == 1 && self.stride == [1, 1] && !padded && self.groups == 1 {
            return Working {
                call: filters * registers(channels) + sums * channels * registers(filters),
                thread: 256 * registers(filters),
            };
        }
        let image = |channels: u64, height: u64, width: u64, [down, across]: [u64; 2]| {
            size(&[channels, height + down, width + across])
        };
        let around = [0, 1].map(|axis| self.padding[axis].iter().sum::<u64>());
        if self.groups == channels && filters.is_multiple_of(channels.max(1)) {
            let own = image(registers(channels), height, width, around)
                + image(
                    registers(filters),
                    output[2],
                    output[3],
                    [2 * rows, 2 * columns],
                )
                + taps * registers(filters);
            return Working {
                call: parts.saturating_mul(own) + taps * registers(filters),
                thread: 0,
            };
        }
        let stride = self.stride[0];
        let fewest = if stride == 1 { 16 } else { 32 };
        let tiled = [output[2], output[3]].map(|side| side.next_multiple_of(4));
        let share = (output[2] * output[3]) as f64 / (tiled[0] * tiled[1]) as f64;
        let useful = if stride == 1 { 0.5 } else { 0.85 };
        let square = [rows, columns] == [3, 3] && self.stride[1] == stride && stride <= 2;
        let plain = self.dilation == [1, 1] && self.groups == 1;
        if square && plain && channels.min(filters) >= fewest && share >= useful {
            let points = if stride == 1 { 36 } else { 81 };
            let wide = |columns: u64| columns.next_multiple_of(32);
            let tile = points * (registers(channels) + registers(filters));
            let tiles = parts.min(1) * batch.div_ceil(parts.max(1)) * size(&tiled) / 16;
            let chunk = (CHUNK / tile).clamp(LEAST, 4 * LEAST).min(tiles);
            return Working {
                call: 36 * filters * wide(channels) + parts * 9 * channels * wide(filters),
                thread: tile * chunk + 36 * channels * wide(filters),
            };
        }
        let packed = taps * filters * registers(depth);
        let total = self.groups * taps * depth * registers(per_group);
        let copy = image(channels, height, width, around);
        let slope = image(filters, height, width, [rows, columns]);
        let chunk = (COPIED / (copy + slope).max(1)).clamp(1, batch.div_ceil(PARTS).max(1));
        Working {
            call: packed + sums * total,
            thread: chunk.saturating_mul(copy + slope),
        }
    }
}

/// What the gradients of a dense layer take.
pub(super) fn dense(batch: u64, inputs: u64, outputs: u64) -> Working {
    let weights = (inputs * registers(outputs)).max(outputs * registers(inputs));
    Working {
        call: weights.max(batch * registers(outputs)),
        thread: 0,
    }
}
