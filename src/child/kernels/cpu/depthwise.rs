//! Depthwise convolution: every channel is convolved by itself. Knows nothing of other convolutions.
//!
//! An image is copied to working memory first, where each row has zeros at both ends and each pixel
//! starts at a whole register: no tile is special, and nothing straddles a cache line. Rows of taps above
//! and below the image are left out.

use pulp::{Simd, WithSimd};

use super::conv::Gradients;
use super::lanes::{WIDEST, activate, gate, walk};
use super::parallel::{self, Shared};
use super::simd::{self, load, load_first, store, store_first};
use super::{Act, Geometry, scratch};

/// Whether this convolution is depthwise.
pub fn applies(g: &Geometry) -> bool {
    g.groups == g.channels && g.filters.is_multiple_of(g.channels)
}

/// `y = act(x * weight + bias)` with weights `[filters, 1, height, width]`; filter f sees the channel
/// f / multiplier.
pub fn forward(
    g: &Geometry,
    x: &[f32],
    weight: &[f32],
    bias: Option<&[f32]>,
    act: Act,
    y: &mut [f32],
) {
    let (parts, images) = parallel::parts(g.batch);
    let (table, ends) = (g.taps() * pitch(g), Reach::Forward.ends(g));
    let own = padded(g, g.input, ends);
    scratch::with(table + parts * own, |memory| {
        let (table, memory) = memory.split_at_mut(table);
        pack(g, weight, table);
        let (memory, y) = (Shared::new(memory), Shared::new(y));
        parallel::each(parts, |part| {
            // SAFETY: each part has a place of its own.
            let own = unsafe { memory.slice(part * own, own) };
            own.fill(0.0);
            for image in part * images..g.batch.min((part + 1) * images) {
                Take {
                    g,
                    size: g.input,
                    ends,
                    from: &x[image * g.input_size()..][..g.input_size()],
                    to: own,
                    output: None,
                    sum: None,
                }
                .run();
                simd::dispatch(Sweep {
                    g,
                    reach: Reach::Forward,
                    weights: table,
                    bias,
                    act,
                    from: own,
                    // SAFETY: each image belongs to one part.
                    to: unsafe { y.slice(image * g.output_size(), g.output_size()) },
                });
            }
        });
    });
}

/// The gradients, given `dy`, that of the activated output `y`; `y` is only read where there is an
/// activation.
pub fn backward(
    g: &Geometry,
    x: &[f32],
    weight: &[f32],
    y: &[f32],
    dy: &[f32],
    act: Act,
    gradients: Gradients,
) {
    let (parts, images) = parallel::parts(g.batch);
    let [input_ends, output_ends] = [Reach::Forward, Reach::Backward].map(|reach| reach.ends(g));
    let (table, sums) = (g.taps() * pitch(g), (g.taps() + 1) * pitch(g));
    let [input, output] = [(g.input, input_ends), (g.output(), output_ends)]
        .map(|(size, ends)| padded(g, size, ends));
    // The input's gradient with a channel for each filter, where that is not the gradient itself.
    let spread = match g.filters > g.channels {
        true => g.input[0] * g.input[1] * g.filters,
        false => 0,
    };
    let own = (sums + input + output + spread).next_multiple_of(WIDEST);
    scratch::with(table + parts * own, |memory| {
        let (table, memory) = memory.split_at_mut(table);
        pack(g, weight, table);
        let dx = gradients.input.map(Shared::new);
        let shared = Shared::new(memory);
        parallel::each(parts, |part| {
            // SAFETY: each part has a place of its own.
            let own = unsafe { shared.slice(part * own, own) };
            own.fill(0.0);
            let (sums, own) = own.split_at_mut(sums);
            let (input, own) = own.split_at_mut(input);
            let (output, own) = own.split_at_mut(output);
            let spread = &mut own[..spread];
            for image in part * images..g.batch.min((part + 1) * images) {
                let at = image * g.output_size()..(image + 1) * g.output_size();
                Take {
                    g,
                    size: g.output(),
                    ends: output_ends,
                    from: &dy[at.clone()],
                    to: output,
                    output: (act != Act::Identity).then(|| (act, &y[at])),
                    sum: Some(&mut sums[table.len()..]),
                }
                .run();
                if gradients.weight.is_some() {
                    Take {
                        g,
                        size: g.input,
                        ends: input_ends,
                        from: &x[image * g.input_size()..][..g.input_size()],
                        to: input,
                        output: None,
                        sum: None,
                    }
                    .run();
                    let (x, dy) = (&*input, &*output);
                    simd::dispatch(Correlate {
                        g,
                        input_ends,
                        output_ends,
                        x,
                        dy,
                        sums,
                    });
                }
                if let Some(dx) = dx {
                    // SAFETY: each image belongs to one part.
                    let dx = unsafe { dx.slice(image * g.input_size(), g.input_size()) };
                    let spreads = !spread.is_empty();
                    simd::dispatch(Sweep {
                        g,
                        reach: Reach::Backward,
                        weights: table,
                        bias: None,
                        act: Act::Identity,
                        from: output,
                        to: if spreads { &mut *spread } else { &mut *dx },
                    });
                    for (dx, of) in dx.iter_mut().zip(spread.chunks(g.filters / g.channels)) {
                        *dx = of.iter().sum();
                    }
                }
            }
        });
        let sum = |at: usize| memory[at..].iter().step_by(own).take(parts).sum::<f32>();
        if let Some(dweight) = gradients.weight {
            for (i, value) in dweight.iter_mut().enumerate() {
                *value = sum(i % g.taps() * pitch(g) + i / g.taps());
            }
        }
        if let Some(dbias) = gradients.bias {
            for (filter, value) in dbias.iter_mut().enumerate() {
                *value = sum(g.taps() * pitch(g) + filter);
            }
        }
    });
}

/// The values from pixel to pixel in working memory: whole registers, and no high power of two, where
/// the pixels of a window would fall onto the same lines of the cache.
fn pitch(g: &Geometry) -> usize {
    let whole = g.filters.next_multiple_of(WIDEST);
    if whole.is_multiple_of(128) {
        whole + WIDEST
    } else {
        whole
    }
}

/// The values of an image in working memory.
fn padded(g: &Geometry, [height, width]: [usize; 2], (left, right): (usize, usize)) -> usize {
    height * (left + width + right) * pitch(g)
}

/// Turns weights `[filters, taps]` into `[taps, filters]`, padded.
fn pack(g: &Geometry, weight: &[f32], table: &mut [f32]) {
    table.fill(0.0);
    for (i, &value) in weight.iter().enumerate() {
        table[i % g.taps() * pitch(g) + i / g.taps()] = value;
    }
}

/// The taps between one target and its sources along an axis: tap k has the source `first + k · step`
/// and the weight `weight + k · weight_step`.
#[derive(Clone, Copy)]
struct Taps {
    first: isize,
    step: usize,
    count: usize,
    weight: isize,
    weight_step: isize,
}

impl Taps {
    /// The taps whose sources are within `0..extent`.
    #[inline(always)]
    fn within(self, extent: usize) -> Self {
        let Self { first, step, .. } = self;
        let start = match first < 0 {
            true => first.unsigned_abs().div_ceil(step).min(self.count),
            false => 0,
        };
        let room = (extent as isize - first).max(0) as usize;
        let end = match room > step * (self.count.max(1) - 1) {
            true => self.count,
            false => room.div_ceil(step),
        };
        Self {
            first: first + (start * step) as isize,
            count: end.saturating_sub(start),
            weight: self.weight + start as isize * self.weight_step,
            ..self
        }
    }
}

/// Which way a sweep reaches from its targets to its sources.
#[derive(Clone, Copy)]
enum Reach {
    /// From outputs to inputs.
    Forward,
    /// From the gradients of inputs to those of outputs.
    Backward,
}

impl Reach {
    /// The sizes of the sources and of the targets.
    fn sizes(self, g: &Geometry) -> ([usize; 2], [usize; 2]) {
        match self {
            Self::Forward => (g.input, g.output()),
            Self::Backward => (g.output(), g.input),
        }
    }

    /// Targets this far apart have the same taps, and their sources lie that far apart.
    fn period(self, g: &Geometry, axis: usize) -> (usize, usize) {
        match self {
            Self::Forward => (1, g.stride[axis]),
            Self::Backward => (g.stride[axis], 1),
        }
    }

    /// How many columns of zeros the rows of sources need before and after, so that all taps of all
    /// targets meet something.
    fn ends(self, g: &Geometry) -> (usize, usize) {
        let (source, target) = self.sizes(g);
        let (mut left, mut right) = (0, 0);
        for place in 0..target[1] {
            let Taps {
                first, step, count, ..
            } = self.taps(g, 1, place);
            let beyond = first + (step * count.max(1)) as isize - (step + source[1] - 1) as isize;
            (left, right) = (left.max(-first), right.max(beyond));
        }
        (left as usize, right as usize)
    }

    /// The taps of the target at `place` along an axis.
    fn taps(self, g: &Geometry, axis: usize, place: usize) -> Taps {
        let (kernel, stride, dilation) = (g.kernel[axis], g.stride[axis], g.dilation[axis]);
        let before = g.padding[axis].0;
        match self {
            Self::Forward => Taps {
                first: (place * stride) as isize - before as isize,
                step: dilation,
                count: kernel,
                weight: 0,
                weight_step: 1,
            },
            // Output o reached this input by tap k where o · stride + k · dilation = place + before:
            // every `every`-th tap, the last one from the first output.
            Self::Backward => {
                let place = (place + before) as isize;
                let meets =
                    |k: &usize| (place - (k * dilation) as isize).rem_euclid(stride as isize) == 0;
                let every = stride / gcd(stride, dilation);
                let found = (0..every.min(kernel)).find(meets);
                let start = found.unwrap_or(0);
                let count = match found {
                    Some(start) => (kernel - start).div_ceil(every),
                    None => 0,
                };
                let last = start + every * (count.max(1) - 1);
                Taps {
                    first: (place - (last * dilation) as isize).div_euclid(stride as isize),
                    step: dilation / gcd(stride, dilation),
                    count,
                    weight: last as isize,
                    weight_step: -(every as isize),
                }
            }
        }
    }
}

/// The greatest common divisor.
fn gcd(a: usize, b: usize) -> usize {
    if b == 0 { a } else { gcd(b, a % b) }
}

/// Each target of an image as the sum of its sources by their weights.
struct Sweep<'a> {
    g: &'a Geometry,
    reach: Reach,
    weights: &'a [f32],
    bias: Option<&'a [f32]>,
    act: Act,
    /// In working memory.
    from: &'a [f32],
    /// Dense, a channel for each filter.
    to: &'a mut [f32],
}

impl WithSimd for Sweep<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (g, reach, pitch) = (self.g, self.reach, pitch(self.g));
        let (source, target) = reach.sizes(g);
        let (period, advance) = reach.period(g, 1);
        let ends = reach.ends(g);
        let source_width = ends.0 + source[1] + ends.1;
        assert_eq!(self.from.len(), padded(g, source, ends));
        assert_eq!(self.to.len(), target[0] * target[1] * g.filters);
        assert_eq!(self.weights.len(), g.taps() * pitch);
        assert!(self.bias.is_none_or(|bias| bias.len() == g.filters));
        for row in 0..target[0] {
            let rows = reach.taps(g, 0, row).within(source[0]);
            for phase in 0..period.min(target[1]) {
                let columns = reach.taps(g, 1, phase);
                let first = rows.first * source_width as isize + columns.first + ends.0 as isize;
                let weight = rows.weight * g.kernel[1] as isize + columns.weight;
                let mut tile = Tile {
                    simd,
                    channels: g.filters,
                    rows: rows.count,
                    columns: columns.count,
                    from: self.from.as_ptr().wrapping_offset(first * pitch as isize),
                    from_steps: [rows.step * source_width, columns.step].map(|n| n * pitch),
                    advance: advance * pitch,
                    weights: self
                        .weights
                        .as_ptr()
                        .wrapping_offset(weight * pitch as isize),
                    weight_steps: [rows.weight_step * g.kernel[1] as isize, columns.weight_step]
                        .map(|n| n * pitch as isize),
                    bias: self.bias.map(<[f32]>::as_ptr),
                    act: self.act,
                    to: self.to[(row * target[1] + phase) * g.filters..].as_mut_ptr(),
                    period: period * g.filters,
                };
                let mut left = (target[1] - phase).div_ceil(period);
                while left > 0 {
                    // SAFETY: as many targets are left in the row. The rows of taps are within the
                    // image by `within`, the columns by its ends.
                    left -= unsafe {
                        match left {
                            8.. => tile.compute::<8>(),
                            4.. => tile.compute::<4>(),
                            2.. => tile.compute::<2>(),
                            _ => tile.compute::<1>(),
                        }
                    };
                }
            }
        }
    }
}

/// A few targets of a row that have the same taps.
struct Tile<S> {
    simd: S,
    channels: usize,
    rows: usize,
    columns: usize,
    /// The source of the first target's first tap.
    from: *const f32,
    /// From one row and one column of taps to the next.
    from_steps: [usize; 2],
    /// From the sources of a target to those of the next.
    advance: usize,
    /// The weights of the first tap.
    weights: *const f32,
    /// From one row and one column of taps to the next.
    weight_steps: [isize; 2],
    bias: Option<*const f32>,
    act: Act,
    to: *mut f32,
    /// From one target to the next.
    period: usize,
}

impl<S: Simd> Tile<S> {
    /// Computes `P` targets, moves on to those after them, and tells how many it were.
    ///
    /// # Safety
    /// All that the pointers and steps name is valid: sources and weights for whole registers, the
    /// bias and the targets for `channels`.
    #[inline(always)]
    unsafe fn compute<const P: usize>(&mut self) -> usize {
        let (simd, rows, columns) = (self.simd, self.rows, self.columns);
        let ([from_row, from_column], advance) = (self.from_steps, self.advance);
        let [weight_row, weight_column] = self.weight_steps;
        let (from, weights, to) = (self.from, self.weights, self.to);
        let (bias, act, period) = (self.bias, self.act, self.period);
        walk(
            simd,
            self.channels,
            #[inline(always)]
            |channel, lanes| {
                let bias = match bias {
                    // SAFETY: the bias is valid for the channels.
                    Some(bias) => unsafe { load_first(simd, bias.wrapping_add(channel), lanes) },
                    None => simd.splat_f32s(0.0),
                };
                let mut sums = [bias; P];
                let mut from = from.wrapping_add(channel);
                let mut weights = weights.wrapping_add(channel);
                for _ in 0..rows {
                    let (mut source, mut weight) = (from, weights);
                    for _ in 0..columns {
                        // SAFETY: the weights are valid for whole registers.
                        let w = unsafe { load::<S>(weight) };
                        let mut x = source;
                        for sum in &mut sums {
                            // SAFETY: the sources are valid for whole registers.
                            *sum = simd.mul_add_e_f32s(unsafe { load::<S>(x) }, w, *sum);
                            x = x.wrapping_add(advance);
                        }
                        source = source.wrapping_add(from_column);
                        weight = weight.wrapping_offset(weight_column);
                    }
                    from = from.wrapping_add(from_row);
                    weights = weights.wrapping_offset(weight_row);
                }
                for (p, &sum) in sums.iter().enumerate() {
                    let to = to.wrapping_add(channel + p * period);
                    // SAFETY: the targets are valid for the channels.
                    unsafe { store_first(simd, to, activate(simd, act, sum), lanes) };
                }
            },
        );
        self.from = from.wrapping_add(P * advance);
        self.to = to.wrapping_add(P * period);
        P
    }
}

/// Takes an image to working memory, between the ends of its rows.
struct Take<'a> {
    g: &'a Geometry,
    size: [usize; 2],
    ends: (usize, usize),
    /// Dense; with a channel for each filter or, if that is more, for each channel.
    from: &'a [f32],
    to: &'a mut [f32],
    /// Where the image is the gradient of an activated output, that output: the gradient is taken to
    /// before the activation.
    output: Option<(Act, &'a [f32])>,
    /// A sum a filter, padded, that grows by the image's.
    sum: Option<&'a mut [f32]>,
}

impl Take<'_> {
    /// Takes the image, with a copy of each channel for each of its filters.
    fn run(self) {
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

/// The weight gradient of an image, added to sums.
struct Correlate<'a> {
    g: &'a Geometry,
    input_ends: (usize, usize),
    output_ends: (usize, usize),
    /// Both in working memory.
    x: &'a [f32],
    dy: &'a [f32],
    /// `[taps, filters]`, padded; grows.
    sums: &'a mut [f32],
}

impl WithSimd for Correlate<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (g, pitch, output) = (self.g, pitch(self.g), self.g.output());
        assert_eq!(self.x.len(), padded(g, g.input, self.input_ends));
        assert_eq!(self.dy.len(), padded(g, output, self.output_ends));
        assert!(self.sums.len() >= g.taps() * pitch);
        let row_of = |width, ends: (usize, usize)| (ends.0 + width + ends.1) * pitch;
        let (input_row, output_row) = (
            row_of(g.input[1], self.input_ends),
            row_of(output[1], self.output_ends),
        );
        let column = (self.input_ends.0 - g.padding[1].0) * pitch;
        for row in 0..output[0] {
            let rows = Reach::Forward.taps(g, 0, row).within(g.input[0]);
            let mut done = 0;
            while done < rows.count {
                let tap = (rows.weight as usize + done) * g.kernel[1];
                let input = (rows.first as usize + done * rows.step) * input_row;
                let mut strip = Strip {
                    simd,
                    channels: g.filters,
                    outputs: output[1],
                    columns: g.kernel[1],
                    dy: self.dy[row * output_row + self.output_ends.0 * pitch..].as_ptr(),
                    x: self.x[input + column..].as_ptr(),
                    steps: [rows.step * input_row, g.dilation[1] * pitch],
                    advance: g.stride[1] * pitch,
                    pitch,
                    sums: self.sums[tap * pitch..].as_mut_ptr(),
                    sums_row: g.kernel[1] * pitch,
                };
                // SAFETY: as many rows of taps are within the image by `within`, their columns by its
                // ends.
                done += unsafe {
                    match (rows.count - done, g.kernel[1]) {
                        (3.., ..=3) => strip.along::<3>(),
                        _ => strip.along::<1>(),
                    }
                };
            }
        }
    }
}

/// The gradient of a few rows of taps from a row of outputs.
struct Strip<S> {
    simd: S,
    channels: usize,
    outputs: usize,
    /// The columns of taps that are left.
    columns: usize,
    dy: *const f32,
    /// The input under the first output and the first tap.
    x: *const f32,
    /// From one row and one column of taps to the next.
    steps: [usize; 2],
    /// From the inputs of an output to those of the next.
    advance: usize,
    /// From one output, and from one sum, to the next.
    pitch: usize,
    sums: *mut f32,
    /// From one row of sums to the next.
    sums_row: usize,
}

impl<S: Simd> Strip<S> {
    /// Computes all columns of `R` rows of taps, and tells how many rows.
    ///
    /// # Safety
    /// All that the pointers and steps name is valid for whole registers.
    #[inline(always)]
    unsafe fn along<const R: usize>(&mut self) -> usize {
        while self.columns > 0 {
            // SAFETY: by the caller; as many columns are left.
            self.columns -= unsafe {
                match self.columns {
                    5 => self.taps::<R, 5>(),
                    4.. => self.taps::<R, 4>(),
                    3 => self.taps::<R, 3>(),
                    2 => self.taps::<R, 2>(),
                    _ => self.taps::<R, 1>(),
                }
            };
        }
        R
    }

    /// Computes `T` columns of `R` rows of taps, moves on to those after them, and tells how many.
    ///
    /// # Safety
    /// As [`Self::along`], and as many columns are left.
    #[inline(always)]
    unsafe fn taps<const R: usize, const T: usize>(&mut self) -> usize {
        let (simd, [down, across]) = (self.simd, self.steps);
        let (advance, pitch, outputs) = (self.advance, self.pitch, self.outputs);
        let (x, dy, to, sums_row) = (self.x, self.dy, self.sums, self.sums_row);
        walk(
            simd,
            self.channels,
            #[inline(always)]
            |channel, _| {
                let mut sums = [[simd.splat_f32s(0.0); T]; R];
                let mut x = x.wrapping_add(channel);
                let mut dy = dy.wrapping_add(channel);
                for _ in 0..outputs {
                    // SAFETY: by the caller.
                    let gradient = unsafe { load::<S>(dy) };
                    for r in 0..R {
                        for t in 0..T {
                            let x = x.wrapping_add(r * down + t * across);
                            // SAFETY: by the caller.
                            let x = unsafe { load::<S>(x) };
                            sums[r][t] = simd.mul_add_e_f32s(x, gradient, sums[r][t]);
                        }
                    }
                    x = x.wrapping_add(advance);
                    dy = dy.wrapping_add(pitch);
                }
                for r in 0..R {
                    for t in 0..T {
                        let to = to.wrapping_add(r * sums_row + t * pitch + channel);
                        // SAFETY: by the caller.
                        unsafe { store::<S>(to, simd.add_f32s(load::<S>(to), sums[r][t])) };
                    }
                }
            },
        );
        self.x = x.wrapping_add(T * across);
        self.sums = to.wrapping_add(T * pitch);
        T
    }
}
