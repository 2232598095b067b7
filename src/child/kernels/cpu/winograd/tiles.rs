//! Between images and planes: cuts a batch into tiles of 4x4 outputs and carries tiles over, transformed
//! down and across. A plane holds one product point of many tiles, `[tile][channel]`, the channels
//! filled up with zeros to whole registers. Knows nothing of products and weights.

use std::mem::MaybeUninit;

use pulp::Simd;

use super::super::simd::{load, load_first, store, store_first};
use super::super::{Act, Geometry};
use super::transforms::{Bilinear, OUTPUTS};

/// The tiles of a batch, counted image by image, row by row.
#[derive(Clone, Copy)]
pub struct Grid {
    geometry: Geometry,
    output: [usize; 2],
    tiles: [usize; 2],
}

/// A tile: its image, and its place among the tiles of the image.
#[derive(Clone, Copy)]
struct Tile {
    image: usize,
    place: [usize; 2],
}

impl Grid {
    pub fn new(geometry: &Geometry) -> Self {
        let output = geometry.output();
        Self {
            geometry: *geometry,
            output,
            tiles: output.map(|size| size.div_ceil(OUTPUTS)),
        }
    }

    /// The tiles of an image.
    pub fn tiles_per_image(&self) -> usize {
        self.tiles[0] * self.tiles[1]
    }

    /// Whether tiles with `points` inputs a side read every pixel of an image.
    pub fn covers(&self, points: usize) -> bool {
        [0, 1].iter().all(|&axis| {
            let reach = (self.tiles[axis] - 1) * OUTPUTS * self.geometry.stride[axis] + points;
            self.geometry.padding[axis].0 + self.geometry.input[axis] <= reach
        })
    }

    fn tile(&self, tile: usize) -> Tile {
        let within = tile % self.tiles_per_image();
        Tile {
            image: tile / self.tiles_per_image(),
            place: [within / self.tiles[1], within % self.tiles[1]],
        }
    }

    /// The input pixels of a tile, as places in the batch; `None` where the padding is.
    #[inline(always)]
    fn inputs<const P: usize>(&self, tile: Tile, outside: usize) -> [[usize; P]; P] {
        let Geometry {
            input: [height, width],
            channels,
            ..
        } = self.geometry;
        // Where the tile starts. Above or left of the image this wraps, and is not below its size.
        let start = |axis: usize| {
            (tile.place[axis] * OUTPUTS * self.geometry.stride[axis])
                .wrapping_sub(self.geometry.padding[axis].0)
        };
        let (top, left) = (start(0), start(1));
        let image = tile.image * self.geometry.input_size();
        let mut places = [[outside; P]; P];
        for i in 0..P {
            let y = top.wrapping_add(i);
            if y < height {
                for j in 0..P {
                    let x = left.wrapping_add(j);
                    if x < width {
                        places[i][j] = image + (y * width + x) * channels;
                    }
                }
            }
        }
        places
    }

    /// Where the outputs of a tile start in the batch, and how many it has down and across.
    #[inline(always)]
    fn outputs(&self, tile: Tile) -> (usize, [usize; 2]) {
        let corner = tile.place.map(|place| place * OUTPUTS);
        let pixel = corner[0] * self.output[1] + corner[1];
        let start = tile.image * self.geometry.output_size() + pixel * self.geometry.filters;
        (
            start,
            [0, 1].map(|axis| (self.output[axis] - corner[axis]).min(OUTPUTS)),
        )
    }
}

/// The planes of a chunk of tiles.
#[derive(Clone, Copy)]
pub struct Planes {
    pub values: *mut f32,
    /// From one plane to the next.
    pub plane: usize,
    /// From one tile to the next.
    pub pitch: usize,
}

/// Tiles to carry over, `count` from `first` in the batch; they are the first of the planes.
#[derive(Clone, Copy)]
pub struct Chunk<'a, S, A> {
    pub simd: S,
    pub algorithm: A,
    pub grid: &'a Grid,
    pub first: usize,
    pub count: usize,
}

/// A square of registers between its two transforms. On the stack a register would straddle lines.
#[repr(align(64))]
struct Half<V, const I: usize, const O: usize>([[MaybeUninit<V>; I]; O]);

/// Transforms a square of registers, first its columns, then its rows.
#[inline(always)]
fn square<S: Simd, const I: usize, const O: usize>(
    simd: S,
    load: impl Fn(usize, usize) -> S::f32s,
    line: impl Fn([S::f32s; I]) -> [S::f32s; O],
    mut store: impl FnMut(usize, usize, S::f32s),
) {
    let zero = simd.splat_f32s(0.0);
    let mut half = Half([[MaybeUninit::uninit(); I]; O]);
    for j in 0..I {
        let mut column = [zero; I];
        for i in 0..I {
            column[i] = load(i, j);
        }
        let column = line(column);
        for i in 0..O {
            half.0[i][j].write(column[i]);
        }
    }
    for i in 0..O {
        let mut row = [zero; I];
        for j in 0..I {
            // SAFETY: written above, every column of it.
            row[j] = unsafe { half.0[i][j].assume_init() };
        }
        let row = line(row);
        for j in 0..O {
            store(i, j, row[j]);
        }
    }
}

impl<S: Simd, A: Copy> Chunk<'_, S, A> {
    /// V = B^T x B.
    ///
    /// # Safety
    /// `x` is the batch of inputs; `zeros` is valid for the channels, which are 0; the planes have room
    /// for the tiles.
    #[inline(always)]
    pub unsafe fn input<const P: usize>(self, x: *const f32, zeros: *const f32, v: Planes)
    where
        A: Bilinear<P>,
    {
        let Self {
            simd, algorithm, ..
        } = self;
        let channels = self.grid.geometry.channels;
        for n in 0..self.count {
            let places = self
                .grid
                .inputs::<P>(self.grid.tile(self.first + n), usize::MAX);
            let mut from = [[zeros; P]; P];
            for i in 0..P {
                for j in 0..P {
                    if places[i][j] != usize::MAX {
                        from[i][j] = x.wrapping_add(places[i][j]);
                    }
                }
            }
            let to = v.values.wrapping_add(n * v.pitch);
            for c in (0..channels).step_by(S::F32_LANES) {
                square(
                    simd,
                    // SAFETY: a pixel of the image, or the zeros, by the caller.
                    #[inline(always)]
                    |i, j| unsafe { load_first(simd, from[i][j].wrapping_add(c), channels - c) },
                    #[inline(always)]
                    |line| algorithm.input(simd, line),
                    // SAFETY: within the planes, by the caller.
                    #[inline(always)]
                    |i, j, value| unsafe {
                        store::<S>(to.wrapping_add((i * P + j) * v.plane + c), value);
                    },
                );
            }
        }
    }

    /// y = act(A^T M A + bias).
    ///
    /// # Safety
    /// The planes hold the tiles; `y` is the batch of outputs, and nobody else uses those of the tiles.
    #[inline(always)]
    pub unsafe fn output<const P: usize>(
        self,
        m: Planes,
        bias: Option<&[f32]>,
        act: Act,
        y: *mut f32,
    ) where
        A: Bilinear<P>,
    {
        let Self {
            simd, algorithm, ..
        } = self;
        let filters = self.grid.geometry.filters;
        let (low, high) = act.bounds();
        let (low, high) = (simd.splat_f32s(low), simd.splat_f32s(high));
        let row = self.grid.output[1] * filters;
        for n in 0..self.count {
            let (start, [rows, columns]) = self.grid.outputs(self.grid.tile(self.first + n));
            let (from, to) = (m.values.wrapping_add(n * m.pitch), y.wrapping_add(start));
            for c in (0..filters).step_by(S::F32_LANES) {
                let count = filters - c;
                let bias = match bias {
                    // SAFETY: a value for each filter.
                    Some(bias) => unsafe { load_first(simd, bias[c..].as_ptr(), count) },
                    None => simd.splat_f32s(0.0),
                };
                square(
                    simd,
                    // SAFETY: within the planes, by the caller.
                    #[inline(always)]
                    |i, j| unsafe { load::<S>(from.wrapping_add((i * P + j) * m.plane + c)) },
                    #[inline(always)]
                    |line| algorithm.output(simd, line),
                    #[inline(always)]
                    |i, j, value| {
                        if i < rows && j < columns {
                            // The bound first: of a bound and NaN, x86 gives the second, NaN.
                            let value = simd.max_f32s(low, simd.add_f32s(value, bias));
                            let value = simd.min_f32s(high, value);
                            let to = to.wrapping_add(i * row + j * filters + c);
                            // SAFETY: an output of the tile.
                            unsafe { store_first(simd, to, value, count) };
                        }
                    },
                );
            }
        }
    }

    /// dM = A dy A^T, where dy counts only where the activation let through; `bias` grows by its sum.
    ///
    /// # Safety
    /// `dy` and, unless `act` is the identity, `y` are batches of outputs; the planes have room for the
    /// tiles, `bias` for the filters filled up to whole registers.
    #[inline(always)]
    pub unsafe fn output_adjoint<const P: usize>(
        self,
        y: *const f32,
        dy: *const f32,
        act: Act,
        bias: *mut f32,
        m: Planes,
    ) where
        A: Bilinear<P>,
    {
        let Self {
            simd, algorithm, ..
        } = self;
        let filters = self.grid.geometry.filters;
        let zero = simd.splat_f32s(0.0);
        let (low, high) = act.bounds();
        let (low, high) = (simd.splat_f32s(low), simd.splat_f32s(high));
        let row = self.grid.output[1] * filters;
        for n in 0..self.count {
            let (start, [rows, columns]) = self.grid.outputs(self.grid.tile(self.first + n));
            let to = m.values.wrapping_add(n * m.pitch);
            for c in (0..filters).step_by(S::F32_LANES) {
                let count = filters - c;
                let mut values = [[zero; OUTPUTS]; OUTPUTS];
                let mut sum = zero;
                for i in 0..OUTPUTS {
                    for j in 0..OUTPUTS {
                        if i < rows && j < columns {
                            let at = start + i * row + j * filters + c;
                            // SAFETY: an output of the tile, in both batches.
                            let mut value = unsafe { load_first(simd, dy.wrapping_add(at), count) };
                            if act != Act::Identity {
                                // SAFETY: as above.
                                let y = unsafe { load_first(simd, y.wrapping_add(at), count) };
                                let above = simd.greater_than_f32s(y, low);
                                value = simd.select_f32s(above, value, zero);
                                if act == Act::Relu6 {
                                    let below = simd.less_than_f32s(y, high);
                                    value = simd.select_f32s(below, value, zero);
                                }
                            }
                            sum = simd.add_f32s(sum, value);
                            values[i][j] = value;
                        }
                    }
                }
                let bias = bias.wrapping_add(c);
                // SAFETY: a whole register by the caller.
                unsafe { store::<S>(bias, simd.add_f32s(load::<S>(bias), sum)) };
                square(
                    simd,
                    #[inline(always)]
                    |i, j| values[i][j],
                    #[inline(always)]
                    |line| algorithm.output_adjoint(simd, line),
                    // SAFETY: within the planes, by the caller.
                    #[inline(always)]
                    |i, j, value| unsafe {
                        store::<S>(to.wrapping_add((i * P + j) * m.plane + c), value);
                    },
                );
            }
        }
    }

    /// dx += B dV B^T. The first tile that reaches a pixel sets it, so that dx starts as anything,
    /// provided that the tiles of an image come in order.
    ///
    /// # Safety
    /// The planes hold the tiles; `dx` is the batch of inputs, and nobody else uses the images of the
    /// tiles; `outside` is valid for the channels.
    #[inline(always)]
    pub unsafe fn input_adjoint<const P: usize>(self, v: Planes, outside: *mut f32, dx: *mut f32)
    where
        A: Bilinear<P>,
    {
        let Self {
            simd, algorithm, ..
        } = self;
        let channels = self.grid.geometry.channels;
        // The inputs that a tile has in common with the one before.
        let overlap = P - OUTPUTS * A::STRIDE;
        for n in 0..self.count {
            let tile = self.grid.tile(self.first + n);
            let places = self.grid.inputs::<P>(tile, usize::MAX);
            let mut to = [[outside; P]; P];
            for i in 0..P {
                for j in 0..P {
                    if places[i][j] != usize::MAX {
                        to[i][j] = dx.wrapping_add(places[i][j]);
                    }
                }
            }
            let from = v.values.wrapping_add(n * v.pitch);
            let [top, left] = tile.place.map(|place| place == 0);
            for c in (0..channels).step_by(S::F32_LANES) {
                let count = channels - c;
                square(
                    simd,
                    // SAFETY: within the planes, by the caller.
                    #[inline(always)]
                    |i, j| unsafe { load::<S>(from.wrapping_add((i * P + j) * v.plane + c)) },
                    #[inline(always)]
                    |line| algorithm.input_adjoint(simd, line),
                    #[inline(always)]
                    |i, j, value| {
                        let to = to[i][j].wrapping_add(c);
                        let fresh = (i >= overlap || top) && (j >= overlap || left);
                        // SAFETY: a pixel of the image, or outside.
                        unsafe {
                            let value = match fresh {
                                true => value,
                                false => simd.add_f32s(load_first(simd, to, count), value),
                            };
                            store_first(simd, to, value, count);
                        }
                    },
                );
            }
        }
    }
}
