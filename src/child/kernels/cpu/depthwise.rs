//! Depthwise convolution: every channel is convolved by itself. Knows nothing of other convolutions.
//!
//! An image is copied to working memory first, where each row has zeros at both ends and each pixel
//! starts at a whole register: no tile is special, and nothing straddles a cache line. Rows of taps above
//! and below the image are left out.

mod correlate;
mod image;
mod sweep;
mod taps;

use self::correlate::Correlate;
use self::image::{Take, padded, pitch};
use self::sweep::Sweep;
use self::taps::Reach;
use super::conv::Gradients;
use super::lanes::WIDEST;
use super::parallel::{self, Shared};
use super::{Act, Geometry, scratch, simd};

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

/// Turns weights `[filters, taps]` into `[taps, filters]`, padded.
fn pack(g: &Geometry, weight: &[f32], table: &mut [f32]) {
    table.fill(0.0);
    for (i, &value) in weight.iter().enumerate() {
        table[i % g.taps() * pitch(g) + i / g.taps()] = value;
    }
}
