//! The passes over a part of a batch, chunk by chunk: a chunk is as many tiles as stay in the cache
//! while they are transformed, multiplied and transformed back. Knows nothing of threads.

use pulp::{Simd, WithSimd};

use super::super::product::{Finish, ROWS, Rows, Segment, Sum, panel};
use super::super::{Act, Geometry};
use super::tiles::{Chunk, Grid, Planes};
use super::transforms::{Bilinear, WEIGHT_POINTS};
use super::weights;

/// The tiles of a chunk, at most; as many rows are given to a product at once.
const MOST: usize = 16 * ROWS;

/// The tiles of a chunk, at least: below, reading the weights takes longer than the products.
const LEAST: usize = 4 * ROWS;

/// The values of a chunk's planes, at most, if it is not the least: three quarters of 1 MiB of cache.
const VALUES: usize = 192 * 1024;

/// What a plane is longer than its tiles, so that planes do not meet in the same sets of the cache.
const GAP: usize = 16;

/// How a part of a batch is computed.
pub struct Plan<A> {
    algorithm: A,
    geometry: Geometry,
    grid: Grid,
    /// Product points of a tile.
    points: usize,
    /// The tiles of a chunk.
    chunk: usize,
    /// Whether the tiles read every pixel of an image.
    covers: bool,
}

impl<A> Plan<A> {
    /// For parts of `images`.
    pub fn new<const P: usize>(algorithm: A, geometry: &Geometry, images: usize) -> Self
    where
        A: Bilinear<P>,
    {
        let grid = Grid::new(geometry);
        let tile = P * P * (width(geometry.channels) + width(geometry.filters));
        let most = (VALUES / tile / ROWS * ROWS).clamp(LEAST, MOST);
        let tiles = images * grid.tiles_per_image();
        let chunk = tiles.div_ceil(tiles.div_ceil(most).max(1));
        Self {
            algorithm,
            geometry: *geometry,
            grid,
            points: P * P,
            chunk: chunk.next_multiple_of(ROWS),
            covers: grid.covers(P),
        }
    }

    /// The values of working memory that a pass takes.
    pub fn memory(&self) -> usize {
        let (channels, filters) = (width(self.geometry.channels), width(self.geometry.filters));
        self.points * (self.chunk * (channels + filters) + 2 * GAP) + channels
    }

    /// Divides the working memory: V, M, and a border pixel.
    fn divide<'a>(&self, memory: &'a mut [f32]) -> (Planes, Planes, &'a mut [f32]) {
        let planes = |values: &mut [f32], channels| Planes {
            values: values.as_mut_ptr(),
            plane: self.chunk * width(channels) + GAP,
            pitch: width(channels),
        };
        let (channels, filters) = (self.geometry.channels, self.geometry.filters);
        let size = self.points * (self.chunk * width(channels) + GAP);
        let (v, rest) = memory.split_at_mut(size);
        let size = self.points * (self.chunk * width(filters) + GAP);
        let (m, border) = rest.split_at_mut(size);
        let (v, m) = (planes(v, channels), planes(m, filters));
        border[..width(channels)].fill(0.0);
        (v, m, border)
    }
}

/// Channels of a plane: `channels` filled up to the widest register.
fn width(channels: usize) -> usize {
    channels.next_multiple_of(16)
}

/// The product points, down or across, that share the point `q` of the weights.
#[inline(always)]
fn sharing<const P: usize>(q: usize) -> std::ops::Range<usize> {
    match q + 1 < WEIGHT_POINTS {
        true => q..q + 1,
        false => q..P,
    }
}

/// A table of rows with these pitches in A and C.
#[inline(always)]
fn rows(a: usize, c: usize) -> [(u32, u32); MOST] {
    let mut rows = [(0, 0); MOST];
    for (n, row) in rows.iter_mut().enumerate() {
        *row = ((n * a) as u32, (n * c) as u32);
    }
    rows
}

/// The planes of `c` = those of `a` times packed weights, for `count` tiles.
///
/// # Safety
/// The planes have `count` tiles; `a` has `depth` channels, `c` `columns` filled up to registers.
#[inline(always)]
unsafe fn multiply<S: Simd, const P: usize>(
    simd: S,
    count: usize,
    (a, depth): (Planes, usize),
    u: &[f32],
    (c, columns): (Planes, usize),
) {
    let rows = rows(a.pitch, c.pitch);
    let (panel, filled) = (panel::<S>(), columns.next_multiple_of(S::F32_LANES));
    let plane = depth * weights::pitch(columns);
    for q in 0..weights::PLANES {
        for i in sharing::<P>(q / WEIGHT_POINTS) {
            for j in sharing::<P>(q % WEIGHT_POINTS) {
                let at = i * P + j;
                for column in (0..columns).step_by(panel) {
                    let rows = Rows {
                        simd,
                        rows: &rows[..count],
                        a: a.values.wrapping_add(at * a.plane),
                        b: u[q * plane + column * depth..].as_ptr(),
                        c: c.values.wrapping_add(at * c.plane + column),
                        sum: Sum {
                            segments: &[Segment { a: 0, b: 0 }],
                            depth,
                            a_step: 1,
                            b_step: panel,
                        },
                        width: panel.min(filled - column),
                        finish: Finish::Set,
                    };
                    // SAFETY: by the caller.
                    unsafe { rows.compute() };
                }
            }
        }
    }
}

/// dU (+)= V^T dM, `[plane][channel][filter]`, over `count` tiles.
///
/// # Safety
/// The planes have `count` tiles of `channels` and `filters`, the latter filled up to registers.
#[inline(always)]
unsafe fn correlate<S: Simd, const P: usize>(
    simd: S,
    count: usize,
    (v, channels): (Planes, usize),
    (m, filters): (Planes, usize),
    du: &mut [f32],
    finish: Finish,
) {
    let pitch = weights::pitch(filters);
    let rows = rows(1, pitch);
    let (panel, filled) = (panel::<S>(), filters.next_multiple_of(S::F32_LANES));
    for q in 0..weights::PLANES {
        let mut segments = [Segment { a: 0, b: 0 }; 16];
        let mut shared = 0;
        for i in sharing::<P>(q / WEIGHT_POINTS) {
            for j in sharing::<P>(q % WEIGHT_POINTS) {
                let at = i * P + j;
                segments[shared] = Segment {
                    a: at * v.plane,
                    b: at * m.plane,
                };
                shared += 1;
            }
        }
        for channel in (0..channels).step_by(MOST) {
            for column in (0..filters).step_by(panel) {
                let rows = Rows {
                    simd,
                    rows: &rows[..MOST.min(channels - channel)],
                    a: v.values.wrapping_add(channel),
                    b: m.values.wrapping_add(column),
                    c: du[(q * channels + channel) * pitch + column..].as_mut_ptr(),
                    sum: Sum {
                        segments: &segments[..shared],
                        depth: count,
                        a_step: v.pitch,
                        b_step: m.pitch,
                    },
                    width: panel.min(filled - column),
                    finish,
                };
                // SAFETY: by the caller.
                unsafe { rows.compute() };
            }
        }
    }
}

/// U of weights by tap.
pub struct Pack<'a> {
    pub g: &'a [[f32; 3]; WEIGHT_POINTS],
    pub taps: &'a [f32],
    pub rows: usize,
    pub columns: usize,
    pub u: &'a mut [f32],
}

impl WithSimd for Pack<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        weights::pack(simd, self.g, self.taps, self.rows, self.columns, self.u);
    }
}

/// The forward pass over `images`.
pub struct Forward<'a, A, const P: usize> {
    pub plan: &'a Plan<A>,
    pub images: usize,
    pub x: &'a [f32],
    pub u: &'a [f32],
    pub bias: Option<&'a [f32]>,
    pub act: Act,
    pub y: &'a mut [f32],
    pub memory: &'a mut [f32],
}

impl<A: Bilinear<P>, const P: usize> WithSimd for Forward<'_, A, P> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Plan {
            algorithm,
            geometry,
            grid,
            chunk,
            ..
        } = self.plan;
        let (channels, filters) = (geometry.channels, geometry.filters);
        assert!(self.x.len() >= self.images * geometry.input_size());
        assert!(self.y.len() >= self.images * geometry.output_size());
        assert!(self.bias.is_none_or(|bias| bias.len() >= filters));
        let (v, m, border) = self.plan.divide(self.memory);
        let tiles = self.images * grid.tiles_per_image();
        for first in (0..tiles).step_by(*chunk) {
            let count = (tiles - first).min(*chunk);
            let chunk = Chunk {
                simd,
                algorithm: *algorithm,
                grid,
                first,
                count,
            };
            // SAFETY: the batches have their sizes, checked above; the planes hold a chunk.
            unsafe {
                chunk.input(self.x.as_ptr(), border.as_ptr(), v);
                multiply::<S, P>(simd, count, (v, channels), self.u, (m, filters));
                chunk.output(m, self.bias, self.act, self.y.as_mut_ptr());
            }
        }
    }
}

/// The backward pass over `images`.
pub struct Backward<'a, A, const P: usize> {
    pub plan: &'a Plan<A>,
    pub images: usize,
    pub x: &'a [f32],
    pub y: &'a [f32],
    pub dy: &'a [f32],
    pub act: Act,
    /// The weights for the gradient of the input, which goes to `dx`.
    pub u: Option<&'a [f32]>,
    pub dx: Option<&'a mut [f32]>,
    /// The gradient of the weights: working memory, and the result by tap.
    pub du: Option<(&'a mut [f32], &'a mut [f32])>,
    pub d_bias: &'a mut [f32],
    pub memory: &'a mut [f32],
}

impl<A: Bilinear<P>, const P: usize> WithSimd for Backward<'_, A, P> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, simd: S) {
        let Plan {
            algorithm,
            geometry,
            grid,
            chunk,
            covers,
            ..
        } = self.plan;
        let (channels, filters) = (geometry.channels, geometry.filters);
        let (inputs, outputs) = (
            self.images * geometry.input_size(),
            self.images * geometry.output_size(),
        );
        assert!(self.x.len() >= inputs && self.dy.len() >= outputs);
        assert!(self.act == Act::Identity || self.y.len() >= outputs);
        assert!(self.dx.as_ref().is_none_or(|dx| dx.len() >= inputs));
        assert!(self.d_bias.len() >= width(filters));
        self.d_bias.fill(0.0);
        if let (Some(dx), false) = (&mut self.dx, covers) {
            dx.fill(0.0);
        }
        let (v, m, border) = self.plan.divide(self.memory);
        let tiles = self.images * grid.tiles_per_image();
        for first in (0..tiles).step_by(*chunk) {
            let count = (tiles - first).min(*chunk);
            let chunk = Chunk {
                simd,
                algorithm: *algorithm,
                grid,
                first,
                count,
            };
            // SAFETY: the batches have their sizes, checked above; the planes hold a chunk.
            unsafe {
                let (y, dy) = (self.y.as_ptr(), self.dy.as_ptr());
                chunk.output_adjoint(y, dy, self.act, self.d_bias.as_mut_ptr(), m);
                if let Some((du, _)) = &mut self.du {
                    border.fill(0.0);
                    chunk.input(self.x.as_ptr(), border.as_ptr(), v);
                    let finish = if first == 0 { Finish::Set } else { Finish::Add };
                    correlate::<S, P>(simd, count, (v, channels), (m, filters), du, finish);
                }
                if let (Some(u), Some(dx)) = (self.u, &mut self.dx) {
                    multiply::<S, P>(simd, count, (m, filters), u, (v, channels));
                    chunk.input_adjoint(v, border.as_mut_ptr(), dx.as_mut_ptr());
                }
            }
        }
        if let Some((du, taps)) = self.du {
            weights::unpack(simd, &A::G, du, channels, filters, taps);
        }
    }
}
